"""The weights that a training ends with, without the model: its export is most of a short training's time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from lostfound.data.dataset import Dataset
from lostfound.training.clearing import BEST
from lostfound.training.fit import fit_best_epoch
from lostfound.training.settings import Recipe


def train_to_weights(recipe: Recipe, dataset: Dataset, to: Path, **options: Any) -> dict[str, torch.Tensor]:
    """Train; gives what a finished model's `model.safetensors` would hold: the best epoch's tensors."""
    kept: dict[str, torch.Tensor] = {}

    def keep(_epoch: int, _numbers: dict[str, float]) -> bool:
        best = torch.load(to / "run" / "checkpoints" / BEST, weights_only=True)["state_dict"]
        kept.clear()
        kept.update({name.removeprefix("network."): each for name, each in best.items()})
        return False

    fit_best_epoch(recipe, dataset, to, on_epoch=keep, **options)
    return kept


def same_weights(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """To the bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
