"""Training samples: images of a data set as torch wants them."""

from __future__ import annotations

import multiprocessing
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, default_collate
from torch.utils.data import Dataset as TorchDataset

from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing, open_image
from lostfound.parallel.processes import end_with_parent, share_temporary_folder, without_interrupts
from lostfound.training.augmentation import build_augmentation
from lostfound.training.sampling import RowNumbers, SampleKey
from lostfound.training.settings import Augmentation

Sample = tuple[NDArray[np.uint8] | NDArray[np.float32], RowNumbers]


def draw_seed(*numbers: int) -> int:
    """A seed from several numbers, the same on every machine and version of Python."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


class Mapped:
    """An array that goes to another process by its file's name, where it is mapped from a file."""

    def __init__(self, values: NDArray[Any]) -> None:
        self.values = values

    def __reduce__(self) -> tuple[Any, ...]:
        if isinstance(self.values, np.memmap):
            return _mapped, (str(self.values.filename),)
        return Mapped, (self.values,)


def _mapped(path: str) -> Mapped:
    return Mapped(np.load(path, mmap_mode="r", allow_pickle=False))


class ImageSamples(TorchDataset[Sample]):
    """Images as the network's input, (views, height, width, 3) uint8, and their row numbers (views,).

    Augmentation draws from (seed, epoch, position, view) alone, so that a run is the same with any number of
    workers and after a resume.

    Args:
        dataset: The images.
        preprocessing: How they become the network's input.
        augmentation: Random changes; None for none.
        seed: Of the changes.
        pixels: The images already preprocessed, (n, height, width, 3) uint8, instead of reading them.
    """

    def __init__(
        self,
        dataset: Dataset,
        preprocessing: Preprocessing,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        pixels: NDArray[np.uint8] | None = None,
    ) -> None:
        self.dataset = dataset
        self.preprocessing = preprocessing
        self.augment = build_augmentation(augmentation, preprocessing) if augmentation else None
        self.seed = seed
        self.pixels = None if pixels is None else Mapped(pixels)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: SampleKey) -> Sample:
        epoch, position, rows = key
        views = [self._view(int(row), (self.seed, epoch, position, view)) for view, row in enumerate(rows)]
        return np.stack(views), rows

    def _view(self, row: int, draws: tuple[int, ...]) -> NDArray[np.uint8]:
        if self.augment is None:
            if self.pixels is None:
                return self.preprocessing(self.dataset.read(row))
            return np.array(self.pixels.values[row])
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(
                draw_seed(*draws)
            )  # torch.manual_seed is slow: it asks for GPUs
            if self.pixels is None:
                image = open_image(self.dataset.read(row))
            else:
                image = Image.fromarray(self.pixels.values[row])
            changed: NDArray[np.uint8] = self.augment(image)
            return changed


class FeatureSamples(TorchDataset[Sample]):
    """Features of a locked backbone, (views, length) float32, instead of the images they were made from.

    Args:
        features: Rows of features, also of other images.
        rows: Which of them each image has.
    """

    def __init__(self, features: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
        self.features = Mapped(features)
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: SampleKey) -> Sample:
        rows = key[2]
        return self.features.values[self.rows[rows]], rows


def collate(samples: list[Sample]) -> list[Tensor]:
    """One batch: images (n, views, height, width, 3) uint8 or features, and row numbers (n, views)."""
    batch: list[Tensor] = default_collate(samples)
    return batch


class Loader(DataLoader[Sample]):
    """Batches of samples, from worker processes that `close` ends."""

    _started: Any = None

    def _get_iterator(self) -> Any:
        """Start the workers; a Ctrl-C waits for it, since half started they can't be ended."""
        if self.num_workers:
            share_temporary_folder()
        with without_interrupts():
            self._started = super()._get_iterator()
        return self._started

    def close(self) -> None:
        """End the workers, also those of a pass that was given up."""
        if self.num_workers and self._started is not None:
            self._started._shutdown_workers()
            self._started = self._iterator = None


def build_loader(
    samples: TorchDataset[Sample],
    sampler: Sampler[SampleKey],
    batch_size: int,
    workers: int,
    *,
    training: bool = False,
    keep_workers: bool = True,
) -> Loader:
    """Batches of samples, in the sampler's order.

    While training, the last batch is dropped if it is not full and there are others, or if it would hold one
    sample, which batch normalisation can't take; the next epoch has another order. The worker processes are
    kept for the next pass, until they are closed, or end with the first.
    """
    batches, rest = divmod(len(sampler), batch_size)  # type: ignore[arg-type]
    return Loader(
        samples,
        batch_size=batch_size,
        sampler=sampler,
        drop_last=training and (batches >= 2 or (batches == 1 and rest == 1)),
        num_workers=workers,
        persistent_workers=workers > 0 and keep_workers,
        collate_fn=collate,
        worker_init_fn=end_with_parent,  # torch's own watch is on the server that forks the workers
        multiprocessing_context=_workers_context() if workers else None,
        generator=_Generator(),  # its own: dropout's draws don't depend on the number of workers
    )


class _Generator(torch.Generator):
    """Of seeds for workers, whose draws nothing depends on. Goes to another process without its state.

    torch's own sends its state by a file descriptor that is closed too early.
    """

    def __reduce__(self) -> Any:
        return _Generator, ()


def _workers_context() -> multiprocessing.context.BaseContext:
    """Workers are forked from a server that has torch loaded but no threads: quick to start, and safe."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context
