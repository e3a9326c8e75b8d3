"""Features of a backbone that is locked as a whole: computed once and kept, so a head trains in seconds."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing
from lostfound.data.writing import writing
from lostfound.files import cache_folder, write_atomic
from lostfound.models.network import Network, evaluation_mode
from lostfound.progress import progress
from lostfound.training.loading import ImageSamples, build_loader
from lostfound.training.sampling import FixedOrderSampler

BATCH = 64


@torch.inference_mode()
def cached_features(
    network: Network,
    dataset: Dataset,
    preprocessing: Preprocessing,
    *,
    workers: int,
    device: torch.device,
    folder: str | Path | None = None,
) -> NDArray[np.float32]:
    """The backbone's pooled features of every image, computed once and then read from disk.

    They are known by the images' hashes in their order, the backbone's weights and settings, and the
    preprocessing. A run that was stopped goes on with the batches that are missing.

    Args:
        network: Its backbone, as it is, in evaluation mode.
        dataset: The images, in this order.
        preprocessing: How they become the network's input.
        workers: Processes that read images.
        device: Where the network runs.
        folder: Where features are kept; `features` in the user's cache (`$LOSTFOUND_CACHE`) if None.

    Returns:
        A read-only array (n, length) of float32, mapped from the file.

    Raises:
        DatasetError: The data set is damaged, or another process is computing the same features.
        DiskFullError: The disk became full.
        ImageError: An image can't be decoded.
    """
    folder = cache_folder() / "features" if folder is None else Path(folder)
    path = folder / f"{_key(network, dataset, preprocessing)}.npy"
    if not path.is_file():
        work = folder / f".{path.stem}"
        with writing(work):
            if not path.is_file():
                _compute(network, dataset, preprocessing, work, workers, device).replace(path)
        shutil.rmtree(work, ignore_errors=True)
    features: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    return features


def _key(network: Network, dataset: Dataset, preprocessing: Preprocessing) -> str:
    key = hashlib.sha256(json.dumps([2, torch.__version__, preprocessing.as_dict()], sort_keys=True).encode())
    for name, module in network.backbone.named_modules():  # padding or pooling leave no trace in the weights
        settings = {k: v for k, v in vars(module).items() if isinstance(v, str | int | float | tuple)}
        settings.pop("training", None)
        key.update(f"{name} {type(module).__qualname__} {sorted(settings.items())}".encode())
    for name, value in network.backbone.state_dict().items():
        key.update(name.encode())
        key.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    for sha256 in dataset.records["sha256"].to_pylist():
        key.update(sha256.encode())
    return key.hexdigest()[:32]


def _compute(
    network: Network,
    dataset: Dataset,
    preprocessing: Preprocessing,
    work: Path,
    workers: int,
    device: torch.device,
) -> Path:
    """Compute what is missing of the file in a work folder, where what is done is counted beside it."""
    partial, state = work / "features.npy", work / "done"
    done = int(state.read_text()) if partial.is_file() and state.is_file() else 0
    rows = np.arange(done, len(dataset))[:, None]
    samples, order = ImageSamples(dataset, preprocessing), FixedOrderSampler(rows)
    batches = build_loader(samples, order, BATCH, workers, keep_workers=False)
    network.to(device)
    with (
        evaluation_mode(network),
        closing(batches),
        partial.open("r+b" if done else "wb") as file,  # not mapped: a full disk is an error and not a crash
        progress("Features", len(dataset), done=done) as advance,
    ):
        _skip(file, done)
        for images, numbers in batches:
            values = network.embed(images[:, 0].to(device)).float().cpu().numpy()
            _append(file, values, len(dataset))
            write_atomic(state, str(int(numbers[-1, 0]) + 1).encode())
            advance(len(values))
    return partial


def _append(file: BinaryIO, values: NDArray[np.float32], rows: int) -> None:
    """Write rows of features to an .npy file that will hold so many, and see them onto the disk."""
    if file.tell() == 0:
        header = {"descr": "<f4", "fortran_order": False, "shape": (rows, values.shape[1])}
        np.lib.format.write_array_header_1_0(file, header)
    file.write(values.astype("<f4").tobytes())
    file.flush()
    os.fsync(file.fileno())


def _skip(file: BinaryIO, rows: int) -> None:
    """Go to where the next row is to be written."""
    if rows:
        np.lib.format.read_magic(file)
        (_count, length), _order, dtype = np.lib.format.read_array_header_1_0(file)
        file.seek(rows * length * dtype.itemsize, os.SEEK_CUR)
