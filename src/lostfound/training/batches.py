"""The batches of a run: images, decoded images from the cache, or features of a locked backbone."""

from __future__ import annotations

import os

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
from lostfound.training.samples import FeatureSamples, Loader, Sample, Samples, loader
from lostfound.training.sampling import EpochSampler, InOrder, training_draw
from lostfound.training.settings import Recipe
from lostfound.training.targets import Images
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
        val: Images,
        val_rows: NDArray[np.int64],
        preprocessing: Preprocessing,
        network: Network,
        locking: Locking,
    ) -> None:
        workers = recipe.trainer.workers
        if workers is None:
            workers = min(8, max(1, (os.cpu_count() or 1) // 2))
        processes = recipe.trainer.devices * recipe.trainer.nodes
        size, seed = max(1, recipe.trainer.batch_size // processes), recipe.seed
        draw, length, self.places_left_out = training_draw(
            objective, recipe.model.views, recipe.data.sampling_power
        )
        train = objective.images.dataset
        samples: TorchDataset[Sample]
        val_samples: TorchDataset[Sample]
        self._plain: TorchDataset[Sample]
        if features_suffice(recipe, preprocessing, locking):
            device = torch.device("cuda" if _wants_gpu(recipe.trainer.device) else "cpu")
            self._plain, val_samples = (
                FeatureSamples(cached_features(network, each, preprocessing, workers=workers, device=device))
                for each in (train, val.dataset)
            )
            samples, workers = self._plain, 0
        else:
            pixels, val_pixels = (
                _pixels(each, preprocessing) if recipe.data.cache else None for each in (train, val.dataset)
            )
            self._plain = Samples(train, preprocessing, pixels=pixels)
            samples = Samples(train, preprocessing, recipe.augmentation, seed, pixels)
            val_samples = Samples(val.dataset, preprocessing, pixels=val_pixels)
        sampler, order = EpochSampler(draw, length, seed, processes), InOrder(val_rows, processes)
        self.train: Loader = loader(samples, sampler, size, workers, training=True)
        self.val: Loader = loader(val_samples, order, size, min(workers, 2))
        self.val_once: Loader = loader(
            val_samples, InOrder(val_rows), size, min(workers, 2), keep_workers=False
        )

    def close(self) -> None:
        """End the worker processes: Lightning leaves some of them to Ctrl-C, or to the end of the program."""
        for each in (self.train, self.val, self.val_once):
            each.close()

    def read(self, rows: NDArray[np.int64]) -> Tensor:
        """Training images as the network's input, or their features, without changes."""
        return torch.from_numpy(np.stack([self._plain[0, 0, rows[[at]]][0][0] for at in range(len(rows))]))


def features_suffice(recipe: Recipe, preprocessing: Preprocessing, locking: Locking) -> bool:
    """Does the backbone give the same features for an image whenever it is asked?"""
    changes = recipe.augmentation
    return (
        locking.all_locked
        and not recipe.model.lock.unlock
        and build_augmentation(changes, preprocessing) is None
        and not (changes.enabled and changes.mixup)
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
