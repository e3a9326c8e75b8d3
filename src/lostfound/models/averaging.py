"""The average of several models' weights: one network, as quick as each, and often better elsewhere."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from lostfound.errors import ModelError, UsageError
from lostfound.models.export import write_model
from lostfound.models.weights import load_network
from lostfound.predict.decoders import CellDecoder
from lostfound.predict.model_folder import WEIGHTS, ModelFolder
from lostfound.predict.model_source import whole_folder


def average_weights(paths: Sequence[Path], to: Path) -> ModelFolder:
    """Average the weights of models that learnt the same cells from the same start (model soups).

    Wortsman et al. 2022, "Model soups: averaging weights of multiple fine-tuned models improves accuracy
    without increasing inference time". It works where trainings differ in seed, augmentation or schedule, and
    began with the same pretrained weights.

    Args:
        paths: The model folders; the average answers at the first one's input size.
        to: The model folder to write. Its temperature is the first one's: calibrate it anew.

    Raises:
        UsageError: There are fewer than two, or the folder is taken.
        ModelError: A model is incomplete, ranks no cells, or differs from the first in its cells or network.
    """
    if len(paths) < 2:
        raise UsageError("an average takes two models or more")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} exists: choose another folder")
    models = [ModelFolder.open(whole_folder(path)) for path in paths]
    first, decoder = models[0], models[0].decoder
    if not isinstance(decoder, CellDecoder):
        raise ModelError(f"{first.path} does not rank cells: only such models are averaged")
    for model in models[1:]:
        _check_same(first, model)
    network = load_network(first, _mean([_weights(model) for model in models]))
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=to.parent) as folder:
        kept = {name: first.config[name] for name in ("name", "task", "views", "preprocessing", "recipe")}
        averaged = [
            {"name": model.name, "best_epoch": model.config["training"]["best_epoch"]} for model in models
        ]
        config = {**kept, "training": {**first.config["training"], "averaged": averaged}}
        temperature = decoder.temperature
        return write_model(to, network, first.preprocessing, decoder, temperature, config, work=Path(folder))


def _check_same(first: ModelFolder, other: ModelFolder) -> None:
    assert first.partition is not None
    if other.partition is None or other.partition.cell_ids != first.partition.cell_ids:
        raise ModelError(f"{other.path} has other cells than {first.path}: their weights can't be averaged")
    ours, theirs = (each.config["recipe"]["model"] for each in (first, other))
    for name in ("backbone", "options", "hidden"):
        if ours[name] != theirs[name]:
            raise ModelError(
                f"{other.path} has another network than {first.path} (model.{name}={theirs[name]}, not "
                f"{ours[name]}): their weights can't be averaged"
            )


def _weights(model: ModelFolder) -> dict[str, Tensor]:
    file = model.path / WEIGHTS
    if not file.is_file():
        raise ModelError(f"{file} is missing: the model was kept without its weights and can't be averaged")
    return safetensors.torch.load_file(file)


def _mean(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of each tensor; what is no floating number (counters) is the first one's."""
    return {
        name: torch.stack([state[name].double() for state in states]).mean(dim=0).to(value.dtype)
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }
