"""A picture of what a recipe's augmentation does to the images of a data set."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing, open_image
from lostfound.errors import DatasetError, RecipeError
from lostfound.training.augmentation import build_augmentation, mixup
from lostfound.training.settings import Augmentation, Recipe

_DRAWS = 3
_INCHES = 1.5
_HALF_AND_HALF = 20.0

Column = tuple[str, list[NDArray[np.uint8]]]


def draw_augmentation(dataset: Dataset, recipe: Recipe, count: int = 4) -> bytes:
    """Draw a row for each of some training images: as it is, each change alone, and all together.

    A change alone is shown as if it were certain; its title says how probable it is.

    Args:
        dataset: Where the images are from.
        recipe: Whose augmentation and input are shown.
        count: How many images, at most.

    Returns:
        A PNG.

    Raises:
        RecipeError: The recipe changes nothing.
        DatasetError: There is no training image.
    """
    settings, own = recipe.augmentation, recipe.input
    preprocessing = Preprocessing(*own.size, own.crop_fraction, own.interpolation)
    if own.mean is not None and own.std is not None:
        preprocessing = Preprocessing(*own.size, own.crop_fraction, own.interpolation, own.mean, own.std)
    changes = _changes(settings) if settings.enabled else []
    if not changes:
        raise RecipeError(f"the recipe {recipe.name} changes no image: its augmentation is empty or disabled")
    train = dataset.split("train")
    if not len(train):
        raise DatasetError(f"{dataset.folder} has no training images: there is nothing to show")
    chosen = np.unique(np.linspace(0, len(train) - 1, count).astype(int))
    images = [open_image(train.read(int(number))) for number in chosen]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        shown = [(title, Augmentation.model_validate(alone)) for title, alone in changes]
        shown += [(f"together,\ndraw {number}", settings) for number in range(1, _DRAWS + 1)]
        columns = [(title, _changed(images, each, preprocessing)) for title, each in shown]
    columns.insert(0, ("as it is", [preprocessing(image) for image in images]))
    return _draw(columns, f"{recipe.name} on {dataset.name}", own.size)


def _changes(settings: Augmentation) -> list[tuple[str, dict[str, Any]]]:
    """Each change that is on: its title, and the settings that show it alone and for certain."""
    found: list[tuple[str, dict[str, Any]]] = []
    if settings.crop_scale is not None:
        smallest, largest = settings.crop_scale
        alone = {"crop_scale": settings.crop_scale, "crop_ratio": settings.crop_ratio}
        found.append((f"crop of\n{smallest:g} to {largest:g}", alone))
    if settings.rotation is not None:
        found.append((f"rotation\nup to {settings.rotation:g}°", {"rotation": settings.rotation}))
    if settings.perspective is not None:
        strength, chance = settings.perspective.distortion, settings.perspective.probability
        certain = {"perspective": {"distortion": strength, "probability": 1.0}}
        found.append((f"perspective {strength:g}\nof {chance:.0%}", certain))
    if settings.color_jitter is not None:
        found.append(("colour jitter", {"color_jitter": settings.color_jitter}))
    for name in ("border", "flip", "grayscale", "blur", "jpeg", "erasing"):
        chance = getattr(settings, name)
        if chance:
            found.append((f"{name}\nof {chance:.0%}", {name: 1.0}))
    if settings.mixup:
        found.append((f"mixup {settings.mixup:g}", {"mixup": _HALF_AND_HALF}))
    return found


def _changed(
    images: list[Image.Image], settings: Augmentation, preprocessing: Preprocessing
) -> list[NDArray[np.uint8]]:
    change = build_augmentation(settings, preprocessing) or preprocessing
    changed = [change(image) for image in images]
    if not settings.mixup:
        return changed
    mixed, _, _ = mixup(torch.from_numpy(np.stack(changed)), settings.mixup)
    return list(mixed.round().byte().numpy())


def _draw(columns: list[Column], title: str, size: tuple[int, int]) -> bytes:
    rows = len(columns[0][1])
    shape = size[1] / size[0]
    width, height = _INCHES * max(1.0, shape), _INCHES * max(1.0, 1 / shape)
    figure = Figure(figsize=(width * len(columns), height * rows + 0.9), dpi=110, layout="constrained")
    figure.suptitle(title, parse_math=False)  # a name may hold dollar signs
    grid = figure.subplots(rows, len(columns), squeeze=False)
    for column, (name, images) in enumerate(columns):
        grid[0, column].set_title(name, fontsize=8)
        for row, image in enumerate(images):
            axes = grid[row, column]
            axes.imshow(image, interpolation="nearest")
            axes.set_axis_off()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
