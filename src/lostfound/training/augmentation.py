"""Augmentation: random changes to training images, by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.distributions import Beta
from torchvision.transforms import v2

from lostfound.data.images import Preprocessing
from lostfound.training.settings import Augmentation

_FILTERS = {
    "bilinear": v2.InterpolationMode.BILINEAR,
    "bicubic": v2.InterpolationMode.BICUBIC,
    "lanczos": v2.InterpolationMode.LANCZOS,
}

_SIDES = (1.0, 1.5)
"""How many times its own sides a picture with its border has."""
_QUALITIES = (15, 75)
"""Of strong JPEG compressions."""


def build_augmentation(settings: Augmentation, preprocessing: Preprocessing) -> v2.Compose | None:
    """The random changes that a recipe asks for.

    What changes the geometry comes first, on the whole image; then the random crop or, without one, the
    preprocessing's own; then, on the few pixels that are left, the rest.

    Args:
        settings: What is on, and how strong.
        preprocessing: Of the network that is trained.

    Returns:
        A function from an image (PIL, RGB) to the network's input (height, width, 3), uint8, or to one of the
        crop's own size, that draws from torch's generator; it stands for the preprocessing. None where
        nothing is to be changed.
    """
    if not settings.enabled:
        return None
    before, after = _whole_image(settings), _input(settings, preprocessing)
    if not before and not after and settings.crop_scale is None:
        return None
    return v2.Compose([*before, *_resize(settings, preprocessing), *after, _pixels])


def _whole_image(settings: Augmentation) -> list[Callable[[Any], Any]]:
    steps: list[Callable[[Any], Any]] = []
    if settings.perspective is not None:
        chosen = settings.perspective
        steps.append(v2.RandomPerspective(chosen.distortion, chosen.probability))
    if settings.rotation is not None:
        steps.append(v2.RandomRotation(settings.rotation, v2.InterpolationMode.BILINEAR))
    if settings.border:
        steps.append(v2.RandomZoomOut(side_range=_SIDES, p=settings.border))
    return steps


def _resize(settings: Augmentation, preprocessing: Preprocessing) -> list[Callable[[Any], Any]]:
    if settings.crop_scale is None:
        return [preprocessing, Image.fromarray]
    shape = preprocessing.width / preprocessing.height
    ratio = (shape * settings.crop_ratio[0], shape * settings.crop_ratio[1])
    interpolation = _FILTERS[preprocessing.interpolation]
    size = settings.crop_size or (preprocessing.height, preprocessing.width)
    return [v2.RandomResizedCrop(size, settings.crop_scale, ratio, interpolation)]


def _input(settings: Augmentation, preprocessing: Preprocessing) -> list[Callable[[Any], Any]]:
    steps: list[Callable[[Any], Any]] = []
    if settings.flip:
        steps.append(v2.RandomHorizontalFlip(settings.flip))
    if settings.color_jitter is not None:
        steps.append(v2.ColorJitter(**settings.color_jitter.model_dump()))
    if settings.grayscale:
        steps.append(v2.RandomGrayscale(settings.grayscale))
    if settings.blur:  # as SimCLR (Chen et al. 2020): up to 2 pixels at 224
        sigma = max(0.8, min(preprocessing.height, preprocessing.width) / 112)
        blur = v2.GaussianBlur(2 * math.ceil(2 * sigma) + 1, (0.1, sigma))
        steps.append(v2.RandomApply([blur], settings.blur))
    if settings.jpeg:
        steps.append(v2.RandomApply([v2.JPEG(_QUALITIES)], settings.jpeg))
    if settings.erasing:  # the mean colour, which is 0 to the network
        value = [255 * channel for channel in preprocessing.mean]
        steps += [v2.PILToTensor(), v2.RandomErasing(settings.erasing, value=value)]
    return steps


def _pixels(image: Image.Image | Tensor) -> NDArray[np.uint8]:
    if isinstance(image, Tensor):
        return image.permute(1, 2, 0).contiguous().numpy()
    return np.array(image)  # a copy: Pillow's own memory is read-only


def mixup(images: Tensor, alpha: float) -> tuple[Tensor, Tensor, float]:
    """Mix each place of a batch with another one (Zhang et al. 2018); draws from torch's generators.

    Args:
        images: (n, ...), uint8.
        alpha: How much: the weight is drawn from Beta(alpha, alpha).

    Returns:
        The mixed images (n, ...), floating on the scale 0..255; the other place of each (n,); and the weight
        of the first, in [0, 1]: the loss is that share of the first targets' and the rest of the others'.
    """
    weight = float(Beta(alpha, alpha).sample())  # on the CPU: nothing waits for the device
    others = torch.randperm(len(images), device=images.device)
    return torch.lerp(images[others].float(), images.float(), weight), others, weight
