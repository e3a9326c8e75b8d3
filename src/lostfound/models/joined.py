"""Several networks side by side as one backbone, so that their answers' mean is one network's answer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lostfound.predict.features import mean_axes


class JoinedBackbone(nn.Module):
    """Backbones of one kind that see the same images; their features lie behind one another.

    What one linear layer makes of each one's features, averaged over them (an ensemble, whose answer is the
    geometric mean of theirs), so is one linear layer on all, and what holds for other networks holds for it:
    how it is explained, and when a photo is unlike what it has learnt from.

    Args:
        parts: The backbones, with timm's methods.
    """

    def __init__(self, parts: Sequence[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.pretrained_cfg = parts[0].pretrained_cfg

    def forward_features(self, x: Tensor) -> Tensor:
        """The parts' last feature maps, with the channels of one behind those of the other."""
        maps = [part.forward_features(x) for part in self.parts]  # type: ignore[operator]
        return torch.cat(maps, dim=_channels(maps[0]))

    def forward_head(self, x: Tensor, pre_logits: bool = True) -> Tensor:
        """The parts' pooled features, (n, d)."""
        maps = x.chunk(len(self.parts), dim=_channels(x))
        pooled = zip(self.parts, maps, strict=True)
        return torch.cat([part.forward_head(of, pre_logits=pre_logits) for part, of in pooled], dim=1)  # type: ignore[operator]


def _channels(features: Tensor) -> int:
    """The axis of a feature map's channels."""
    return 1 if mean_axes(features.shape) == (2, 3) else features.dim() - 1


_LAST = "head.1"  # as `linear_head` calls its one layer


def joined_weights(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The weights of networks side by side, from those of each.

    Args:
        states: Each network's, as `Network` names them; their heads are one linear layer.
    """
    joined = {
        f"backbone.parts.{number}.{name.removeprefix('backbone.')}": value
        for number, state in enumerate(states)
        for name, value in state.items()
        if name.startswith("backbone.")
    }
    weights, biases = ([state[f"{_LAST}.{name}"] for state in states] for name in ("weight", "bias"))
    joined[f"{_LAST}.weight"] = torch.cat(weights, dim=1) / len(states)
    joined[f"{_LAST}.bias"] = torch.stack(biases).mean(dim=0)
    return joined
