"""Features of a backbone that is locked as a whole: computed once and kept, so a head trains in seconds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing
from lostfound.data.records import write_atomic
from lostfound.geo.fetch import cache_folder
from lostfound.models.network import Network
from lostfound.progress import progress
from lostfound.training.samples import Samples, loader
from lostfound.training.units import InOrder

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

    They are known by the images' hashes in their order, the backbone's weights and the preprocessing. A run
    that was stopped goes on with the batches that are missing.

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
        DatasetError: The data set is damaged.
        ImageError: An image can't be decoded.
    """
    folder = cache_folder() / "features" if folder is None else Path(folder)
    path = folder / f"{_key(network, dataset, preprocessing)}.npy"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _compute(network, dataset, preprocessing, path, workers, device)
    features: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    return features


def _key(network: Network, dataset: Dataset, preprocessing: Preprocessing) -> str:
    key = hashlib.sha256(json.dumps([1, torch.__version__, preprocessing.as_dict()], sort_keys=True).encode())
    key.update(type(network.backbone).__name__.encode())
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
    path: Path,
    workers: int,
    device: torch.device,
) -> None:
    partial, state = path.with_suffix(".partial"), path.with_suffix(".done")
    count = len(dataset)
    done = int(state.read_text()) if partial.is_file() and state.is_file() else 0
    modes = {module: module.training for module in network.modules()}
    network = network.eval().to(device)
    rows = np.arange(done, count)[:, None]
    batches = loader(Samples(dataset, preprocessing), InOrder(rows), BATCH, workers, keep_workers=False)
    features: np.memmap[Any, np.dtype[np.float32]] | None = None
    with progress("Features", count, done=done) as advance:
        for images, numbers in batches:
            values = network.embed(images[:, 0].to(device)).float().cpu().numpy()
            if features is None:
                mode = "r+" if done else "w+"
                shape = (count, values.shape[1])
                features = np.lib.format.open_memmap(partial, mode, np.float32, shape)
            features[numbers[:, 0].numpy()] = values
            features.flush()
            write_atomic(state, str(int(numbers[-1, 0]) + 1).encode())
            advance(len(values))
    for module, mode_before in modes.items():
        module.training = mode_before
    partial.replace(path)
    state.unlink()
