"""Training samples: images of a data set with the numbers of their cells, as torch wants them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, default_collate
from torch.utils.data import Dataset as TorchDataset
from torchvision.transforms import v2

from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing, open_image
from lostfound.training.recipe import Augmentation

Sample = tuple[NDArray[np.uint8], int]

_FILTERS = {
    "bilinear": v2.InterpolationMode.BILINEAR,
    "bicubic": v2.InterpolationMode.BICUBIC,
    "lanczos": v2.InterpolationMode.LANCZOS,
}


def draw_seed(*numbers: int) -> int:
    """A seed from several numbers, the same on every machine and version of Python."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def build_augmentation(settings: Augmentation, preprocessing: Preprocessing) -> v2.Compose | None:
    """The random changes that a recipe asks for; None if none."""
    size = (preprocessing.height, preprocessing.width)
    steps: list[torch.nn.Module] = []
    if settings.rotation is not None:
        steps.append(v2.RandomRotation(settings.rotation, v2.InterpolationMode.BILINEAR))
    if settings.crop_scale is not None:
        interpolation = _FILTERS[preprocessing.interpolation]
        shape = preprocessing.width / preprocessing.height
        ratio = (shape * settings.crop_ratio[0], shape * settings.crop_ratio[1])
        steps.append(v2.RandomResizedCrop(size, settings.crop_scale, ratio, interpolation))
    if settings.color_jitter is not None:
        steps.append(v2.ColorJitter(**settings.color_jitter.model_dump()))
    return v2.Compose(steps) if steps else None


class Samples(TorchDataset[Sample]):
    """Images as the network's input, (height, width, 3) uint8, and their cells.

    Augmentation draws from (seed, epoch, image) alone, so that a run is the same with any number of
    workers and after a resume.
    """

    def __init__(
        self,
        dataset: Dataset,
        cells: NDArray[np.int64],
        preprocessing: Preprocessing,
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        self.dataset = dataset
        self.cells = cells
        self.preprocessing = preprocessing
        self.augment = build_augmentation(augmentation, preprocessing) if augmentation else None
        if augmentation and augmentation.crop_scale:  # the random crop stands for the centred one
            self.preprocessing = replace(preprocessing, crop_fraction=1.0)
        self.seed = seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        data = self.dataset.read(index)
        cell = int(self.cells[index])
        if self.augment is None:
            return self.preprocessing(data), cell
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(draw_seed(self.seed, epoch, index))
            image = self.augment(open_image(data))
        return self.preprocessing(image), cell


class EpochSampler(Sampler[tuple[int, int]]):
    """A new order in each epoch, drawn from (seed, epoch); yields (epoch, index)."""

    def __init__(self, length: int, seed: int) -> None:
        self.length = length
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return self.length

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.length)
        return ((self.epoch, int(index)) for index in order)


def collate(samples: list[Sample]) -> list[Tensor]:
    """One batch: images (n, height, width, 3) uint8, cells (n,)."""
    batch: list[Tensor] = default_collate(samples)
    return batch


Loader = DataLoader[Sample]


def loader(
    samples: Samples,
    batch_size: int,
    workers: int,
    *,
    sampler: EpochSampler | None = None,
    keep_workers: bool = True,
) -> Loader:
    """Batches of samples, in the sampler's order or, without one, in the data set's.

    With a sampler, the last batch is dropped if it is not full and there are others, or if it would hold one
    image, which batch normalisation can't take; the next epoch has another order. The worker processes are
    kept for the next pass, until Lightning ends them, or end with the first.
    """
    batches, rest = divmod(len(samples), batch_size)
    return DataLoader(
        samples,
        batch_size=batch_size,
        sampler=sampler,
        drop_last=sampler is not None and (batches >= 2 or (batches == 1 and rest == 1)),
        num_workers=workers,
        persistent_workers=workers > 0 and keep_workers,
        collate_fn=collate,
        multiprocessing_context=_workers_context() if workers else None,
        generator=torch.Generator(),  # its own: dropout's draws don't depend on the number of workers
    )


def _workers_context() -> multiprocessing.context.BaseContext:
    """Workers are forked from a server that has torch loaded but no threads: quick to start, and safe."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context
