"""Three small convolutional networks for few or small images, trained from scratch.

The student systems (`cities`, `euguess`) compared such networks. They give the number of convolutions, what
lies between them (batch normalisation, ReLU, max pooling) and that one has skips; the rest is ours.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


class SmallNetwork(nn.Module):
    """Stages of convolutions that each end in a pooling by two, then the mean over the map.

    Any input size will do: a map of one pixel is not pooled away.
    """

    def __init__(self, stages: list[nn.Module]) -> None:
        super().__init__()
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.pretrained_cfg = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}

    def forward_features(self, x: Tensor) -> Tensor:
        """The last feature map: (n, 3, h, w) to (n, d, h', w')."""
        features: Tensor = self.stages(x)
        return features

    def forward_head(self, x: Tensor, pre_logits: bool = True) -> Tensor:  # noqa: ARG002 (timm's signature)
        """A feature map's mean, (n, d)."""
        pooled: Tensor = self.pool(x)
        return pooled.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Pooled features (n, d)."""
        return self.forward_head(self.forward_features(x))


def cnn5(width: int = 32) -> SmallNetwork:
    """Five convolutions, one a stage; the first has `width` channels."""
    return SmallNetwork([_Stage([a], b) for a, b in _pairs(width, (1, 2, 4, 8, 8))])


def cnn8(width: int = 32) -> SmallNetwork:
    """Eight convolutions, two a stage; the first has `width` channels."""
    return SmallNetwork([_Stage([a, b], b) for a, b in _pairs(width, (1, 2, 4, 8))])


def cnn10(width: int = 32) -> SmallNetwork:
    """Ten convolutions, two a stage with a skip around them; the first has `width` channels.

    The 1x1 convolutions that fit a skip to the stage's width are not counted.
    """
    return SmallNetwork([_SkipStage(a, b) for a, b in _pairs(width, (1, 2, 4, 8, 8))])


SMALL: dict[str, Callable[..., SmallNetwork]] = {"cnn5": cnn5, "cnn8": cnn8, "cnn10": cnn10}


def _pairs(width: int, factors: tuple[int, ...]) -> list[tuple[int, int]]:
    """The channels that go into each stage and come out of it."""
    widths = [3, *(width * factor for factor in factors)]
    return list(itertools.pairwise(widths))


def _convolution(channels: int, out: int, size: int = 3) -> list[nn.Module]:
    return [nn.Conv2d(channels, out, size, padding=size // 2, bias=False), nn.BatchNorm2d(out)]


class _Stage(nn.Sequential):
    """Convolutions that take the channels given, and give `out`."""

    def __init__(self, channels: list[int], out: int) -> None:
        steps: list[Any] = []
        for count in channels:
            steps += [*_convolution(count, out), nn.ReLU(inplace=True)]
        super().__init__(*steps, nn.MaxPool2d(2, ceil_mode=True))


class _SkipStage(nn.Module):
    """Two convolutions whose result is added to what went in."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(channels, out), nn.ReLU(inplace=True), *_convolution(out, out)
        )
        self.skip = nn.Sequential(*_convolution(channels, out, 1)) if channels != out else nn.Identity()
        self.act = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.pool(self.act(self.body(x) + self.skip(x)))
        return pooled
