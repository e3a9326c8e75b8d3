"""What a training would do, without doing it: its images and classes, what is left out, what it takes."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing
from lostfound.models.network import Network
from lostfound.training.batches import features_suffice
from lostfound.training.build import build_locking, build_network
from lostfound.training.images import LabelledImages, left_out, select_images, training_images
from lostfound.training.sampling import training_draw
from lostfound.training.settings import Recipe
from lostfound.training.tasks import Objective, build_objective

_TRIED = 8
"""Images of the step that is timed, at most; a whole batch takes as much more as it has more."""
_BYTES_OF_OPTIMIZER = 8
"""Of a weight that is trained: two moments of 32 bits, as Adam keeps them."""


@dataclass(frozen=True)
class Cost:
    """What was measured here of one small step, made larger by arithmetic: an estimate.

    Attributes:
        device: Where it ran, cpu or cuda.
        seconds: Of the whole training.
        bytes: Of the network, its gradients, the optimiser's state and a batch.
    """

    device: str
    seconds: float
    bytes: int


@dataclass(frozen=True)
class TrainingPlan:
    """What a training would do.

    Attributes:
        images: Of the data set.
        splits: The images of each split that the recipe is about.
        dropped: Why images are left out, in words, and how many.
        train_images: That are learnt from.
        train_places: Of those.
        classes: Names and training images of the cells, most first; empty for bare coordinates.
        parameters: Numbers of the network.
        trained: How many of them are trained when it begins.
        weights: How many tensors pretrained weights gave; None where it starts from scratch.
        steps: Of an epoch.
        cost: What it would take.
    """

    images: int
    splits: dict[str, int]
    dropped: dict[str, int]
    train_images: int
    train_places: int
    classes: list[tuple[str, int]]
    parameters: int
    trained: int
    weights: int | None
    steps: int
    cost: Cost


def plan_training(recipe: Recipe, dataset: Dataset, weights: str | Path | None = None) -> TrainingPlan:
    """Find out what a training would do; nothing is written.

    Args:
        recipe: What would be trained.
        dataset: The images; their splits must be assigned.
        weights: As `lostfound.training.fit.fit` takes them.

    Raises:
        LostFoundError: As the training would.
    """
    part = select_images(dataset, recipe.data)
    splits = {name: len(part.split(name)) for name in ("train", "val", "test")}
    train, _ = training_images(recipe.data, dataset)
    objective = build_objective(recipe, train)
    _, samples, few_views = training_draw(objective, recipe.model.views, recipe.data)
    network, preprocessing, report = build_network(recipe, objective, weights)
    locked_all = features_suffice(recipe, preprocessing, build_locking(recipe, network))
    images = objective.images
    dropped = left_out(dataset, recipe.data)
    for reason, count in (
        ("are more than data.views_per_place and data.limit take", splits["train"] - len(train)),
        *((f"are in {name}, which has too few", count) for name, count in objective.left_out),
        (f"places have fewer views than {recipe.model.views}", few_views),
    ):
        if count:
            dropped[reason] = count
    steps = -(-samples // recipe.trainer.batch_size)
    passes = 1.0 / 3 if locked_all else float(recipe.trainer.epochs)
    return TrainingPlan(
        len(dataset),
        splits,
        dropped,
        len(images),
        len(set(images.places)),
        _classes(objective),
        sum(each.numel() for each in network.parameters()),
        sum(each.numel() for each in network.parameters() if each.requires_grad),
        None if report is None else len(report.loaded),
        steps,
        _cost(recipe, images, network, preprocessing, samples * recipe.model.views, splits["val"], passes),
    )


def _classes(objective: Objective) -> list[tuple[str, int]]:
    """The cells by name, and how many training images each has."""
    partition = objective.decoder.partition
    if partition is None:
        return []
    counts = zip(partition.names, partition.counts.tolist(), strict=True)
    return sorted(counts, key=lambda each: (-each[1], each[0]))


def _cost(
    recipe: Recipe,
    images: LabelledImages,
    network: Network,
    preprocessing: Preprocessing,
    drawn: int,
    val: int,
    passes: float,
) -> Cost:
    """Time a small step, and the reading of its images, and count on.

    Args:
        recipe: What would be trained.
        images: To learn from.
        network: What learns.
        preprocessing: How an image becomes its input.
        drawn: Images of an epoch.
        val: Images to validate on.
        passes: How many times all are learnt from; a third where they are only looked at, once.
    """
    tried = min(_TRIED, len(images))
    start = time.perf_counter()
    pixels = [preprocessing(images.dataset.read(row)) for row in range(tried)]
    reading = (time.perf_counter() - start) / tried
    device = "cuda" if recipe.trainer.device != "cpu" and torch.cuda.is_available() else "cpu"
    before = _memory(device)
    seconds = _step_seconds(network.to(device), torch.from_numpy(np.stack(pixels)).to(device)) / tried
    batch = recipe.trainer.batch_size * recipe.model.views
    weights = sum(each.numel() for each in network.parameters() if each.requires_grad)
    used = max(0, _memory(device) - before) * batch // tried + weights * _BYTES_OF_OPTIMIZER
    learning = passes * drawn * max(seconds, 0.0 if recipe.data.cache else reading)
    validating = min(passes, recipe.trainer.epochs) * val * seconds / 3  # forward alone
    return Cost(device, learning + validating, used)


def _step_seconds(network: Network, images: torch.Tensor) -> float:
    """The time of one step of learning from images, the second of two: the first one warms up."""
    took = 0.0
    for _ in range(2):
        start = time.perf_counter()
        loss = network.embed(images).float().square().mean()
        if loss.requires_grad:
            torch.autograd.backward(loss)
        if images.is_cuda:
            torch.cuda.synchronize()
        took = time.perf_counter() - start
        network.zero_grad()
    return took


def _memory(device: str) -> int:
    """The most memory that was in use so far, bytes."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    if sys.platform == "win32":
        return 0  # it doesn't say
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
