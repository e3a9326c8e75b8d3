"""What a run trains and on what, built from its recipe, its data set and its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import lightning

from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing
from lostfound.errors import RecipeError
from lostfound.models.backbones import backbone_preprocessing, build_backbone
from lostfound.models.locking import Locking
from lostfound.models.network import Network
from lostfound.models.weights import WeightsReport, load_head, load_weights
from lostfound.training.batches import Batches
from lostfound.training.images import LabelledImages, training_images
from lostfound.training.lightning_module import TrainingModule
from lostfound.training.run_folder import HUB
from lostfound.training.sampling import validation_rows
from lostfound.training.settings import Monitor, Recipe
from lostfound.training.tasks import Objective, build_objective
from lostfound.training.tasks.classify import ClassifyObjective
from lostfound.training.validation import Validation


@dataclass(frozen=True)
class Training:
    """A network, its objective and its batches, before the first step.

    Attributes:
        module: What Lightning trains.
        batches: What it trains and validates on; to be closed.
        val: The images to validate on.
        monitor: What chooses the best epoch.
        preprocessing: How an image becomes the network's input.
        weights: What was loaded, if a weights file was given.
        locked: Layers that are locked at the start.
    """

    module: TrainingModule
    batches: Batches
    val: LabelledImages
    monitor: Monitor
    preprocessing: Preprocessing
    weights: WeightsReport | None
    locked: list[str]


def build_training(recipe: Recipe, dataset: Dataset, weights: str | Path | None) -> Training:
    """Build what a recipe asks for; the network's first weights come from its seed.

    Args:
        recipe: What to train.
        dataset: The images; their splits must be assigned.
        weights: A file or model folder for the backbone, or "hub"; None starts afresh.

    Raises:
        RecipeError: The recipe does not fit the data or the backbone.
        ModelError: The weights can't be used.
    """
    train, val = training_images(recipe.data, dataset)
    objective = build_objective(recipe, train)
    val_rows = validation_rows(val.places, recipe.model.views)
    monitor = recipe.trainer.monitor or objective.monitor
    validation = Validation.of(objective.decoder, val, val_rows[:, 0], monitor)
    lightning.seed_everything(recipe.seed, verbose=False)
    network, preprocessing, report = build_network(recipe, objective, weights)
    locking = build_locking(recipe, network)
    locked = list(locking.locked)
    pretrained = set(report.loaded) if report else set()
    module = TrainingModule(network, objective, validation, recipe, locking, pretrained)
    batches = Batches(recipe, objective, val, val_rows, preprocessing, network, locking)
    return Training(module, batches, val, monitor, preprocessing, report, locked)


def build_network(
    recipe: Recipe, objective: Objective, weights: str | Path | None
) -> tuple[Network, Preprocessing, WeightsReport | None]:
    """The network, how an image becomes its input, and what was loaded, if weights were given.

    Raises:
        RecipeError: The recipe does not fit the backbone.
        ModelError: The weights can't be used.
    """
    from_hub = weights == HUB
    backbone = build_backbone(recipe.model.backbone, recipe.model.options, pretrained=from_hub)
    report = None
    if from_hub:
        report = WeightsReport(sorted(backbone.state_dict()), [], [])
    elif weights is not None:
        report = load_weights(backbone, Path(weights))
    mean, std = backbone_preprocessing(backbone)
    settings = recipe.input
    preprocessing = Preprocessing(
        *settings.size,
        settings.crop_fraction,
        settings.interpolation,
        settings.mean or mean,  # type: ignore[arg-type]
        settings.std or std,  # type: ignore[arg-type]
    )
    network = Network(backbone, preprocessing, objective.build_head)
    if recipe.model.keep_head:
        if not isinstance(objective, ClassifyObjective):
            raise RecipeError("model.keep_head is for task.kind=classify: leave it out")
        if weights is None or not Path(weights).is_dir():
            raise RecipeError("model.keep_head goes on with a model's head: name its folder with --weights")
        load_head(network.head, objective.partition, Path(weights))
    return network, preprocessing, report


def build_locking(recipe: Recipe, network: Network) -> Locking:
    """The layers that a recipe locks.

    Raises:
        RecipeError: It names some that the backbone lacks.
    """
    lock, (height, width) = recipe.model.lock, recipe.input.size
    return Locking(
        network.backbone,
        height=height,
        width=width,
        share=lock.share,
        names=lock.names,
        unlock=lock.unlock,
    )
