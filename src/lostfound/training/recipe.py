"""Recipes: everything that determines a training run, as a validated YAML file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from lostfound.data.images import Interpolation
from lostfound.errors import RecipeError, UsageError
from lostfound.geo.partitions import PartitionKind
from lostfound.geo.partitions.settings import check_settings


def _ascending(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError("the smaller number comes first")
    return span


Pixels = Annotated[int, Field(ge=1)]
Unit = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Task(_Section):
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


class Model(_Section):
    """The network."""

    backbone: str = Field(description="any timm model, by name")
    options: dict[str, Any] = Field({}, description="keyword arguments of the timm model")
    dropout: float = Field(0.0, ge=0, lt=1, description="before the head")


class Input(_Section):
    """How an image becomes the network's input."""

    size: tuple[Pixels, Pixels] = Field(description="height and width in pixels")
    crop_fraction: float = Field(1.0, gt=0, le=1)
    interpolation: Interpolation = "bicubic"
    mean: tuple[Unit, Unit, Unit] | None = Field(None, description="0..1; null: the backbone's own")
    std: tuple[Share, Share, Share] | None = Field(None, description="0..1; null: the backbone's own")


class Optimizer(_Section):
    """How the weights move."""

    name: Literal["adamw"] = "adamw"
    learning_rate: float = Field(1e-3, gt=0)
    pretrained_factor: float = Field(
        0.1, ge=0, description="pretrained layers learn at this share of the rate"
    )
    weight_decay: float = Field(0.05, ge=0)
    gradient_clip: float | None = Field(None, gt=0, description="largest norm of the gradient")


class Schedule(_Section):
    """How the learning rate changes."""

    name: Literal["cosine", "step", "constant"] = "cosine"
    warmup_epochs: float = Field(0.0, ge=0)
    step_epochs: int = Field(10, ge=1, description="for step: epochs between changes")
    step_factor: float = Field(0.1, gt=0, description="for step: the factor of each change")


class ColorJitter(_Section):
    """Largest relative changes; hue in turns."""

    brightness: float = Field(0.0, ge=0)
    contrast: float = Field(0.0, ge=0)
    saturation: float = Field(0.0, ge=0)
    hue: float = Field(0.0, ge=0, le=0.5)


class Augmentation(_Section):
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


class Trainer(_Section):
    """How long and on what."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(64, ge=2, description="batch normalisation needs two images at least")
    workers: int | None = Field(
        None, ge=0, description="processes that read images; null: by the number of cores"
    )
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    device: str = Field("auto", description="auto, cpu, gpu or another accelerator that Lightning knows")


class Recipe(_Section):
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


class _Loader(yaml.SafeLoader):
    """Plain data only. Takes 1e-3 for a number, as YAML 1.2 does; PyYAML speaks 1.1, where it is a text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def load_recipe(name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read and validate a recipe.

    Args:
        name: The name of a recipe in the package, such as "countries", or the path of a YAML file.
        overrides: Settings to change, such as "trainer.epochs=3"; values are read as YAML.

    Raises:
        RecipeError: It is missing, is no YAML, or has an unknown key (the nearest known one is named)
            or a wrong value.
    """
    path = Path(name)
    packaged = files("lostfound") / "recipes" / f"{name}.yaml"
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise RecipeError(f"{path} does not exist; recipes in the package: {', '.join(recipe_names())}")
        data = path.read_bytes()
    elif packaged.is_file():
        data = packaged.read_bytes()
    else:
        raise RecipeError(f"no recipe {str(name)!r}: give a YAML file, or one of {', '.join(recipe_names())}")
    try:
        values = yaml.load(data, _Loader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RecipeError(f"{name} is not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{name} is not a recipe: it must be a mapping of settings")
    for override in overrides:
        _override(values, override)
    return parse_recipe(values, str(name))


def parse_recipe(values: dict[str, Any], where: str) -> Recipe:
    """Validate a recipe's values.

    Raises:
        RecipeError: A key is unknown or a value is wrong.
    """
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        problems = "\n".join(f"  {_explain(dict(each))}" for each in error.errors())
        raise RecipeError(f"recipe {where}:\n{problems}") from None


def recipe_names() -> list[str]:
    """The recipes in the package."""
    folder = files("lostfound") / "recipes"
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set {override!r}: write it as key=value, such as trainer.epochs=3")
    try:
        value = yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RecipeError(f"--set {override!r}: the value is not valid YAML: {error}") from None
    *parents, last = key.split(".")
    for parent in parents:
        if not isinstance(values.get(parent), dict):
            values[parent] = {}
        values = values[parent]
    values[last] = value


def _explain(error: dict[str, Any]) -> str:
    location = [str(part) for part in error["loc"]]
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        return f"unknown key {key!r}; {_hint(location)}"
    message = error["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    return message if not key else f"{key}: {message} (is {error['input']!r})"


def _hint(location: list[str]) -> str:
    """The known key nearest to an unknown one: in its own section, or else in any."""
    *parents, last = location
    prefix = "".join(f"{part}." for part in parents)
    known = list(_keys(Recipe))
    siblings = {each.removeprefix(prefix) for each in known if each.startswith(prefix)}
    siblings = {each for each in siblings if "." not in each}
    near = difflib.get_close_matches(last, sorted(siblings), n=1, cutoff=0.5)
    if near:
        return f"did you mean {prefix + near[0]!r}?"
    elsewhere = {each.rpartition(".")[2]: each for each in known}
    near = difflib.get_close_matches(last, list(elsewhere), n=1, cutoff=0.8)
    if near:
        return f"did you mean {elsewhere[near[0]]!r}?"
    return f"known: {', '.join(sorted(siblings))}"


def _keys(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """All keys of a section and of those in it, dotted."""
    for name, field in section.model_fields.items():
        yield prefix + name
        for option in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(option, type) and issubclass(option, BaseModel):
                yield from _keys(option, f"{prefix}{name}.")
