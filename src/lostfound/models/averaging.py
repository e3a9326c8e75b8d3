"""One model of several: their weights averaged, as quick as each, or their answers, which is better."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from lostfound.data.images import Preprocessing
from lostfound.errors import ModelError, UsageError
from lostfound.models.backbones import JOINED
from lostfound.models.every_country import name_every_country
from lostfound.models.export import write_model
from lostfound.models.joined import joined_weights
from lostfound.models.network import Network
from lostfound.models.weights import load_network
from lostfound.partitions import Partition
from lostfound.predict.decoders import CellDecoder
from lostfound.predict.model_folder import WEIGHTS, ModelFolder
from lostfound.predict.model_source import whole_folder

Change = Callable[[Network, Partition, Preprocessing], Mapping[str, Any]]
"""Changes a network of these cells and this input in place; gives what is to be said of it."""


def average(
    paths: Sequence[Path],
    to: Path,
    *,
    answers: bool = False,
    every_country: bool = False,
    size: int | None = None,
    refit: Change | None = None,
) -> ModelFolder:
    """Average the weights, or the answers, of models that learnt the same cells.

    Of weights: Wortsman et al. 2022, "Model soups: averaging weights of multiple fine-tuned models improves
    accuracy without increasing inference time". It works where trainings differ in seed, augmentation or
    schedule, and began with the same pretrained weights.

    Of answers: an ensemble (Lakshminarayanan et al. 2017, "Simple and scalable predictive uncertainty
    estimation using deep ensembles"), whose networks lie side by side in one. That takes the time and the
    space of all; networks that learnt from crops often answer smaller images as well.

    Args:
        paths: The model folders; the average answers at the first one's input size.
        to: The model folder to write. Its temperature is the first one's: calibrate it anew.
        answers: Average the logits, so that the answer is the geometric mean of theirs, instead of weights.
        every_country: The average also names the countries that they did not learn (`name_every_country`);
            of one model, too.
        size: Answer at this input size, pixels of each side.
        refit: What changes the average network before countries are added; of one model, too. What it says
            of it is kept in the record.

    Raises:
        UsageError: There are fewer than two, the folder is taken, or every country is asked of other cells or
            of a model that names all.
        ModelError: A model is incomplete, ranks no cells, or differs from the first in its cells or network;
            or its head has more layers than answers can be averaged by.
        RecipeError: The network can't take images of that size.
    """
    if len(paths) < 2 - (every_country or refit is not None):
        raise UsageError("an average takes two models or more")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} exists: choose another folder")
    models = [ModelFolder.open(whole_folder(path)) for path in paths]
    first, decoder = models[0], models[0].decoder
    if not isinstance(decoder, CellDecoder):
        raise ModelError(f"{first.path} does not rank cells: only such models are averaged")
    for model in models[1:]:
        _check_same(first, model)
    states = [_weights(model) for model in models]
    recipe, preprocessing = first.config["recipe"], first.preprocessing
    if size is not None:
        preprocessing = replace(preprocessing, height=size, width=size)
        recipe = {**recipe, "input": {**recipe["input"], "size": [size, size]}}
    if answers:
        recipe = {**recipe, "model": _side_by_side(first, len(models))}
        states = [joined_weights(states)]
    network = load_network(first, _mean(states), recipe["model"], preprocessing)
    refitted = None if refit is None else refit(network, decoder.partition, preprocessing)
    if every_country:
        decoder = replace(decoder, partition=name_every_country(network, decoder.partition))
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=to.parent) as folder:
        kept = {name: first.config[name] for name in ("name", "task", "views")}
        averaged = [
            {"name": model.name, "best_epoch": model.config["training"]["best_epoch"]} for model in models
        ]
        training = dict(first.config["training"])
        if every_country:
            training["every_country"] = True
        if refitted is not None:
            training["refitted"] = dict(refitted)
        if len(models) > 1:
            training |= {"averaged": averaged, "averaged_what": "answers" if answers else "weights"}
        config = {**kept, "preprocessing": preprocessing.as_dict(), "recipe": recipe, "training": training}
        return write_model(
            to, network, preprocessing, decoder, decoder.temperature, config, work=Path(folder)
        )


def _side_by_side(model: ModelFolder, count: int) -> dict[str, Any]:
    """The settings of a network of so many like a model's.

    Raises:
        ModelError: Its head is more than one layer, or it is such a network itself.
    """
    own: dict[str, Any] = model.config["recipe"]["model"]
    if own["hidden"] is not None or own["backbone"] == JOINED:
        raise ModelError(
            f"the answers of {model.path} can't be averaged in one network: its head has a hidden layer, or "
            "it is such an average itself"
        )
    options = {"backbone": own["backbone"], "count": count, "options": own["options"]}
    return {**own, "backbone": JOINED, "options": options, "pretrained": False}


def _check_same(first: ModelFolder, other: ModelFolder) -> None:
    assert first.partition is not None
    if other.partition is None or other.partition.cell_ids != first.partition.cell_ids:
        raise ModelError(f"{other.path} has other cells than {first.path}: they can't be averaged")
    ours, theirs = (each.config["recipe"]["model"] for each in (first, other))
    for name in ("backbone", "options", "hidden"):
        if ours[name] != theirs[name]:
            raise ModelError(
                f"{other.path} has another network than {first.path} (model.{name}={theirs[name]}, not "
                f"{ours[name]}): they can't be averaged"
            )


def _weights(model: ModelFolder) -> dict[str, Tensor]:
    file = model.path / WEIGHTS
    if not file.is_file():
        raise ModelError(f"{file} is missing: the model was kept without its weights and can't be averaged")
    return safetensors.torch.load_file(file)


def _mean(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of each tensor; what is no floating number (counters) is the first one's.

    One alone stays the same to the bit, also where it has -0.0, so that features kept of it are found.
    """
    if len(states) == 1:
        return states[0]
    return {
        name: torch.stack([state[name].double() for state in states]).mean(dim=0).to(value.dtype)
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }
