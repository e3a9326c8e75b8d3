"""Recipes: everything that determines a training run, as a validated YAML file."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from lostfound.data.images import Interpolation
from lostfound.errors import UsageError
from lostfound.geo.partitions import PartitionKind
from lostfound.geo.partitions.settings import check_settings
from lostfound.settings_file import Section, load_settings, packaged_names, parse_settings


def _ascending(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError("the smaller number comes first")
    return span


Pixels = Annotated[int, Field(ge=1)]
Unit = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=1)]


class Task(Section):
    """What the model answers."""

    kind: Literal["classify"] = "classify"
    partition: PartitionKind = "countries"
    min_images: int = Field(1, ge=1, description="cells with fewer training images are left out, and listed")
    settings: dict[str, Any] = Field(
        {}, validate_default=True, description="of the partition, such as max_images of s2"
    )

    @field_validator("settings")
    @classmethod
    def _of_the_partition(cls, settings: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "min_images" in settings:
            raise ValueError("min_images is task.min_images")
        if {"partition", "min_images"} <= info.data.keys():
            try:
                check_settings(info.data["partition"], {"min_images": info.data["min_images"], **settings})
            except UsageError as error:
                raise ValueError(str(error)) from None
        return settings


class Model(Section):
    """The network."""

    backbone: str = Field(description="any timm model, by name")
    options: dict[str, Any] = Field({}, description="keyword arguments of the timm model")
    dropout: float = Field(0.0, ge=0, lt=1, description="before the head")


class Input(Section):
    """How an image becomes the network's input."""

    size: tuple[Pixels, Pixels] = Field(description="height and width in pixels")
    crop_fraction: float = Field(1.0, gt=0, le=1)
    interpolation: Interpolation = "bicubic"
    mean: tuple[Unit, Unit, Unit] | None = Field(None, description="0..1; null: the backbone's own")
    std: tuple[Share, Share, Share] | None = Field(None, description="0..1; null: the backbone's own")


class Optimizer(Section):
    """How the weights move."""

    name: Literal["adamw"] = "adamw"
    learning_rate: float = Field(1e-3, gt=0)
    pretrained_factor: float = Field(
        0.1, ge=0, description="pretrained layers learn at this share of the rate"
    )
    weight_decay: float = Field(0.05, ge=0)
    gradient_clip: float | None = Field(None, gt=0, description="largest norm of the gradient")


class Schedule(Section):
    """How the learning rate changes."""

    name: Literal["cosine", "step", "constant"] = "cosine"
    warmup_epochs: float = Field(0.0, ge=0)
    step_epochs: int = Field(10, ge=1, description="for step: epochs between changes")
    step_factor: float = Field(0.1, gt=0, description="for step: the factor of each change")


class ColorJitter(Section):
    """Largest relative changes; hue in turns."""

    brightness: float = Field(0.0, ge=0)
    contrast: float = Field(0.0, ge=0)
    saturation: float = Field(0.0, ge=0)
    hue: float = Field(0.0, ge=0, le=0.5)


class Augmentation(Section):
    """Random changes to training images; what is null is off.

    A mirror image is not offered: it would swap the driving side and the writing.
    """

    crop_scale: Annotated[tuple[Share, Share], AfterValidator(_ascending)] | None = Field(
        None, description="random resized crop: smallest and largest share of the area"
    )
    crop_ratio: Annotated[tuple[Positive, Positive], AfterValidator(_ascending)] = Field(
        (0.75, 4 / 3), description="random resized crop: narrowest and widest, 1 being the input's own shape"
    )
    rotation: float | None = Field(None, gt=0, le=180, description="largest angle in degrees")
    color_jitter: ColorJitter | None = None


class Trainer(Section):
    """How long and on what."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(64, ge=2, description="batch normalisation needs two images at least")
    workers: int | None = Field(
        None, ge=0, description="processes that read images; null: by the number of cores"
    )
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    device: str = Field("auto", description="auto, cpu, gpu or another accelerator that Lightning knows")


class Recipe(Section):
    """A training run."""

    name: str = Field(min_length=1)
    task: Task = Task()
    model: Model
    input: Input
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    augmentation: Augmentation = Augmentation()
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    trainer: Trainer
    seed: int = Field(0, ge=0, lt=2**32)


def load_recipe(name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read and validate a recipe.

    Args:
        name: The name of a recipe in the package, such as "countries", or the path of a YAML file.
        overrides: Settings to change, such as "trainer.epochs=3"; values are read as YAML.

    Raises:
        RecipeError: It is missing, is no YAML, or has an unknown key (the nearest known one is named)
            or a wrong value.
    """
    return load_settings(Recipe, name, _packaged(), overrides)


def parse_recipe(values: dict[str, Any], where: str) -> Recipe:
    """Validate a recipe's values.

    Raises:
        RecipeError: A key is unknown or a value is wrong.
    """
    return parse_settings(Recipe, values, where)


def recipe_names() -> list[str]:
    """The recipes in the package."""
    return packaged_names(_packaged())


def _packaged() -> Traversable:
    return files("lostfound") / "recipes"
