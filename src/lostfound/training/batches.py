"""The batches of a run: images, decoded images from the cache, or features of a locked backbone."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from lostfound.data.cache import cached_pixels
from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing
from lostfound.errors import DiskFullError
from lostfound.models.locking import Locking
from lostfound.models.network import Network
from lostfound.progress import note
from lostfound.training.augmentation import build_augmentation
from lostfound.training.features import cached_features
from lostfound.training.images import LabelledImages
from lostfound.training.loading import FeatureSamples, ImageSamples, Sample, build_loader
from lostfound.training.sampling import EpochSampler, FixedOrderSampler, RowNumbers, training_draw
from lostfound.training.settings import Classify, Recipe
from lostfound.training.tasks import Objective


class Batches:
    """The training batches, in a new order each epoch; the validation batches; and those for one pass.

    Attributes:
        places_left_out: Training places with fewer views than the recipe averages.
    """

    def __init__(
        self,
        recipe: Recipe,
        objective: Objective,
        val: LabelledImages,
        val_rows: RowNumbers,
        preprocessing: Preprocessing,
        network: Network,
        locking: Locking,
    ) -> None:
        draw, length, self.places_left_out = training_draw(objective, recipe.model.views, recipe.data)
        datasets = objective.images.dataset, val.dataset
        if features_suffice(recipe, preprocessing, locking):
            samples = _feature_samples(recipe, datasets, preprocessing, network)
        else:
            samples = _image_samples(recipe, datasets, preprocessing)
        self._plain, workers, val_workers = samples.plain, samples.workers, min(samples.workers, 2)
        processes = recipe.trainer.devices * recipe.trainer.nodes
        size = max(1, recipe.trainer.batch_size // processes)
        self._sampler = EpochSampler(draw, length, recipe.seed, processes)
        order, order_once = FixedOrderSampler(val_rows, processes), FixedOrderSampler(val_rows)
        self.train = build_loader(samples.train, self._sampler, size, workers, training=True)
        self.val = build_loader(samples.val, order, size, val_workers)
        self.val_once = build_loader(samples.val, order_once, size, val_workers, keep_workers=False)

    def begin_at(self, epoch: int) -> None:
        """Begin with the batches of an epoch, counted from 0.

        Lightning starts the workers of a run that goes on before it tells them the epoch.
        """
        self._sampler.set_epoch(epoch)

    def close(self) -> None:
        """End the worker processes: Lightning leaves some of them to Ctrl-C, or to the end of the program."""
        for each in (self.train, self.val, self.val_once):
            each.close()

    def read(self, rows: NDArray[np.int64]) -> Tensor:
        """Training images as the network's input, or their features, without changes."""
        return torch.from_numpy(np.stack([self._plain[0, 0, rows[[at]]][0][0] for at in range(len(rows))]))


@dataclass(frozen=True)
class _Samples:
    """Samples of the splits.

    Attributes:
        train: Of the training split, with random changes if the recipe has any.
        plain: The same without changes.
        val: Of the validation split.
        workers: Processes that read them.
    """

    train: TorchDataset[Sample]
    plain: TorchDataset[Sample]
    val: TorchDataset[Sample]
    workers: int


def _image_samples(
    recipe: Recipe, datasets: tuple[Dataset, Dataset], preprocessing: Preprocessing
) -> _Samples:
    train, val = datasets
    pixels, val_pixels = (_pixels(each, preprocessing) if recipe.data.cache else None for each in datasets)
    return _Samples(
        ImageSamples(train, preprocessing, recipe.augmentation, recipe.seed, pixels),
        ImageSamples(train, preprocessing, pixels=pixels),
        ImageSamples(val, preprocessing, pixels=val_pixels),
        _workers(recipe),
    )


def _feature_samples(
    recipe: Recipe, datasets: tuple[Dataset, Dataset], preprocessing: Preprocessing, network: Network
) -> _Samples:
    device = torch.device("cuda" if _wants_gpu(recipe.trainer.device) else "cpu")
    workers = _workers(recipe)
    train, val = (
        FeatureSamples(*cached_features(network, each, preprocessing, workers=workers, device=device))
        for each in datasets
    )
    return _Samples(train, train, val, workers=0)  # there is nothing left to decode


def _workers(recipe: Recipe) -> int:
    if recipe.trainer.workers is not None:
        return recipe.trainer.workers
    return min(8, max(1, (os.cpu_count() or 1) // 2))


def features_suffice(recipe: Recipe, preprocessing: Preprocessing, locking: Locking) -> bool:
    """Does the backbone give the same features for an image whenever it is asked?"""
    changes = recipe.augmentation
    return (
        locking.all_locked
        and not recipe.model.lock.unlock
        and build_augmentation(changes, preprocessing) is None
        and not (changes.enabled and changes.mixup)
        and not (isinstance(recipe.task, Classify) and recipe.task.teachers)  # they ask for images
    )


def _wants_gpu(device: str) -> bool:
    return device in ("auto", "gpu", "cuda") and torch.cuda.is_available()


def _pixels(dataset: Dataset, preprocessing: Preprocessing) -> NDArray[np.uint8] | None:
    """The images decoded once and kept on disk; None, and a word on it, where the disk is too small."""
    try:
        return cached_pixels(dataset, preprocessing)
    except DiskFullError as error:
        note(f"data.cache is left out: {error}")
        return None
