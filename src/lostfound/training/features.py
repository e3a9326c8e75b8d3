"""Features of a backbone that is locked as a whole: computed once and kept, so a head trains in seconds."""

from __future__ import annotations

import hashlib
import io
import json
import os
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing
from lostfound.data.writing import writing
from lostfound.files import cache_folder
from lostfound.models.network import Network, evaluation_mode
from lostfound.progress import progress
from lostfound.training.loading import ImageSamples, build_loader
from lostfound.training.sampling import FixedOrderSampler

BATCH = 64
FEATURES, IMAGES = "features.npy", "images"
HASH = 32
"""Bytes of an image's SHA-256, which lie one behind the other in the order of the features."""


@torch.inference_mode()
def cached_features(
    network: Network,
    dataset: Dataset,
    preprocessing: Preprocessing,
    *,
    workers: int,
    device: torch.device,
    folder: str | Path | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The backbone's pooled features of every image, computed once and then read from disk.

    One file holds all images that a backbone has seen with this preprocessing, whatever data set they came
    with: a part of a data set, or another that shares images with it, computes only what is new. Backbones
    are told apart by weights and settings, images by hash. A run that was stopped goes on with what is
    missing. (The last bits of a feature depend on which images were computed together.)

    Args:
        network: Its backbone, as it is, in evaluation mode.
        dataset: The images.
        preprocessing: How they become the network's input.
        workers: Processes that read images.
        device: Where the network runs.
        folder: Where features are kept; `features` in the user's cache (`$LOSTFOUND_CACHE`) if None.

    Returns:
        A read-only array (m, length) of float32, mapped from the file, and the row in it of each image (n,).

    Raises:
        DatasetError: The data set is damaged, or another process is computing features of the same backbone.
        DiskFullError: The disk became full.
        ImageError: An image can't be decoded.
    """
    folder = cache_folder() / "features" if folder is None else Path(folder)
    folder = folder / _key(network, preprocessing)
    wanted = [bytes.fromhex(each) for each in dataset.records["sha256"].to_pylist()]
    known = _known(folder)
    if missing := _missing(wanted, known):
        with writing(folder):
            known = _known(folder)
            missing = _missing(wanted, known)
            _compute(network, dataset, preprocessing, folder, np.array(missing, np.int64), workers, device)
            known = _known(folder)
    features: NDArray[np.float32] = np.load(folder / FEATURES, mmap_mode="r", allow_pickle=False)
    return features, np.array([known[each] for each in wanted], np.int64)


def _key(network: Network, preprocessing: Preprocessing) -> str:
    key = hashlib.sha256(json.dumps([3, torch.__version__, preprocessing.as_dict()], sort_keys=True).encode())
    for name, module in network.backbone.named_modules():  # padding or pooling leave no trace in the weights
        settings = {k: v for k, v in vars(module).items() if isinstance(v, str | int | float | tuple)}
        settings.pop("training", None)
        key.update(f"{name} {type(module).__qualname__} {sorted(settings.items())}".encode())
    for name, value in network.backbone.state_dict().items():
        key.update(name.encode())
        key.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return key.hexdigest()[:32]


def _known(folder: Path) -> dict[bytes, int]:
    """The row of each image, by its hash; an image counts once both are written."""
    both = (folder / FEATURES).is_file() and (folder / IMAGES).is_file()
    hashes = (folder / IMAGES).read_bytes() if both else b""
    whole = range(0, len(hashes) - HASH + 1, HASH)
    return {hashes[start : start + HASH]: start // HASH for start in whole}


def _missing(wanted: list[bytes], known: dict[bytes, int]) -> list[int]:
    """Where images that are not known are first met."""
    first = {each: at for at, each in reversed(list(enumerate(wanted))) if each not in known}
    return sorted(first.values())


def _compute(
    network: Network,
    dataset: Dataset,
    preprocessing: Preprocessing,
    folder: Path,
    missing: NDArray[np.int64],
    workers: int,
    device: torch.device,
) -> None:
    """Compute the features of images and write them behind those that the folder has."""
    samples, order = ImageSamples(dataset, preprocessing), FixedOrderSampler(missing[:, None])
    batches = build_loader(samples, order, BATCH, workers, keep_workers=False)
    hashes = dataset.records["sha256"]
    network.to(device)
    done = len(_known(folder))
    with (
        evaluation_mode(network),
        closing(batches),
        _opened(folder / IMAGES) as images,
        _opened(folder / FEATURES) as features,  # not mapped: a full disk is an error and not a crash
        progress("Features", len(missing)) as advance,
    ):
        images.truncate(done * HASH)
        images.seek(done * HASH)
        for pixels, numbers in batches:
            values = network.embed(pixels[:, 0].to(device)).float().cpu().numpy()
            _write_rows(features, values, done)
            images.write(b"".join(bytes.fromhex(hashes[int(row)].as_py()) for row in numbers[:, 0]))
            images.flush()
            os.fsync(images.fileno())
            done += len(values)
            advance(len(values))


def _opened(path: Path) -> BinaryIO:
    path.touch()
    return path.open("r+b")


def _write_rows(file: BinaryIO, values: NDArray[np.float32], at: int) -> None:
    """Write rows into an .npy file from a row on, see them onto the disk, then say that they are there."""
    rows = np.ascontiguousarray(values, "<f4")
    header = io.BytesIO()  # of the same length whatever the number of rows
    shape = (at + len(rows), rows.shape[1])
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    file.seek(len(header.getvalue()) + at * rows.shape[1] * rows.itemsize)
    file.write(rows.data)
    file.flush()
    os.fsync(file.fileno())
    file.seek(0)
    file.write(header.getvalue())
    file.flush()
