"""Heads: from a backbone's pooled features to outputs."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn


def linear_head(features: int, outputs: int, *, hidden: int | None = None, dropout: float = 0.0) -> nn.Module:
    """One linear layer, or two with a ReLU between them.

    Args:
        features: Length of the pooled features.
        outputs: Numbers to give.
        hidden: Units of the hidden layer; None for none.
        dropout: Share of the features that is dropped while training.
    """
    if hidden is None:
        return nn.Sequential(nn.Dropout(dropout), nn.Linear(features, outputs))
    return nn.Sequential(
        nn.Dropout(dropout), nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, outputs)
    )


class UnitLength(nn.Module):
    """Brings vectors (..., width) to length 1."""

    def forward(self, vectors: Tensor) -> Tensor:
        """The vectors' directions."""
        return nn.functional.normalize(vectors, dim=-1)


def embedding_head(
    features: int, width: int, *, hidden: int | None = None, dropout: float = 0.0
) -> nn.Module:
    """As `linear_head`, to vectors of length 1."""
    return nn.Sequential(linear_head(features, width, hidden=hidden, dropout=dropout), UnitLength())


class DistanceHead(nn.Module):
    """How many degrees lie between two images, from their features (GeoTrainr).

    Attributes:
        anchors: Features of the reference images, (k, features), of the backbone as it is now.
    """

    anchors: Tensor

    def __init__(
        self,
        features: int,
        anchors: int,
        *,
        method: Literal["euclidean", "discriminator"],
        hidden: int,
        clip_degrees: float,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.clip_degrees = clip_degrees
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("anchors", torch.zeros(anchors, features))
        self.discriminator: nn.Module | None = None
        if method == "discriminator":
            self.discriminator = linear_head(2 * features, 1, hidden=hidden)
        else:
            self.scale = nn.Parameter(torch.zeros(()))

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """The degrees between images of features a and b, (..., features) each, broadcast; 0 to the clip."""
        a, b = self.dropout(a), self.dropout(b)
        if self.discriminator is not None:
            z: Tensor = self.discriminator(torch.cat([(a - b).abs(), a + b], dim=-1)).squeeze(-1)
            return self.clip_degrees * torch.sigmoid(z)
        # The square root has no slope at 0, where an image meets itself
        apart = ((a - b).square().mean(dim=-1) + 1e-8).sqrt() * self.scale.exp() * self.clip_degrees / 2
        return apart.clamp(max=self.clip_degrees)

    def forward(self, features: Tensor) -> Tensor:
        """Minus the degrees to each anchor, (n, k), of features (n, features): the nearest scores highest."""
        return -self.distance(features[..., None, :], self.anchors)
