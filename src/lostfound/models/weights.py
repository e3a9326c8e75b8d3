"""Filling a backbone, or a head, from a file of weights, and saying what was and was not filled."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from lostfound.data.images import Preprocessing
from lostfound.errors import ModelError
from lostfound.models.backbones import build_backbone
from lostfound.models.heads import linear_head
from lostfound.models.network import Network
from lostfound.partitions import Partition
from lostfound.predict.model_folder import CONFIG, WEIGHTS, ModelFolder

LEAST_FIT = 0.85
"""The least share of a backbone's tensors that its weights fill, and of their tensors that fill it.

Both, since a deeper cousin's weights hold all that a shallower one asks for: of ResNet-34's tensors,
ResNet-18 would take just over half, of EfficientNet-B1's, B0 seven in ten.
"""

SAME_EVERYWHERE = ("countries", "regions", "cities", "s2", "quadtree")
"""Kinds of cells whose ids mean the same whatever they were built from."""

# A training script's file holds the weights under one of these keys, beside its optimiser and the rest.
_NESTS = ("state_dict", "model_state_dict", "model")
# What wrappers put before a backbone's names: parallel training, torch.compile, Lightning, larger models.
_PREFIXES = ("module.", "_orig_mod.", "network.", "model.", "backbone.", "encoder.")


@dataclass(frozen=True)
class WeightsReport:
    """What became of a weights file.

    Attributes:
        loaded: Tensors of the backbone that were filled.
        fresh: Tensors of the backbone that the file lacks or has in another shape.
        unused: Tensors of the file that found no use, such as another head's, by the file's names.
    """

    loaded: list[str]
    fresh: list[str]
    unused: list[str]


def load_weights(backbone: nn.Module, path: Path) -> WeightsReport:
    """Fill a backbone; what does not fit (another head) is left and reported.

    Takes a model folder (the backbone of a finished model, to go on with another task), safetensors, and
    files of `torch.save` (`.pth`, `.pt`, `.pth.tar`, `.ckpt`), which are opened as plain tensors only: no
    code in them is run. Weights under `state_dict` or `model`, names behind `module.`, `backbone.` or
    `encoder.`, and heads of other classes are understood, and so are the layouts that timm itself converts.

    Args:
        backbone: As `build_backbone` gives it; filled in place.
        path: The file or model folder.

    Raises:
        ModelError: It is missing or damaged, would have to run code, or is of another backbone.
    """
    stored = _read(_file(path))
    own = backbone.state_dict()
    needed = {name for name, value in own.items() if value.is_floating_point()}  # counters may lack
    sources = _match(stored, own)
    if not needed <= sources.keys():
        converted = _converted(stored, backbone)
        if len(better := _match(converted, own)) > len(sources):
            stored, sources = converted, better
    filled = needed & sources.keys()
    offered = _offered(stored, backbone)
    if len(filled) < LEAST_FIT * max(len(needed), len(offered)):
        misfit = (
            f"only {len(filled)} of the {len(needed)} tensors of {type(backbone).__name__} are in {path}"
            if len(needed) >= len(offered)
            else f"{path} has {len(offered)} tensors of a backbone, of which {type(backbone).__name__} has "
            f"only {len(filled)}"
        )
        raise ModelError(
            f"{misfit}: these weights are of another backbone; set model.backbone (and model.options) to "
            "theirs (for torchvision's files, torchvision:NAME)"
        )
    state = {name: stored[source].to(own[name].dtype) for name, source in sources.items()}
    backbone.load_state_dict(state, strict=False)
    return WeightsReport(
        sorted(sources), sorted(own.keys() - sources.keys()), sorted(stored.keys() - set(sources.values()))
    )


def load_head(head: nn.Module, cells: Partition, path: Path) -> list[str]:
    """Fill a head of logits with another model's, for the cells that both know.

    Cells that the model lacks begin with the mean of its weights, and as improbable as its least probable.

    Args:
        head: As `linear_head` gives it, a logit for each of the cells; filled in place.
        cells: What it tells apart.
        path: The model folder.

    Returns:
        The ids of the cells that both know.

    Raises:
        ModelError: The model's cells are of another kind, or of one whose names mean something else in each
            data set; or its head has other layers.
    """
    model = ModelFolder.open(path)
    theirs = model.partition
    if theirs is None or theirs.kind != cells.kind or cells.kind not in SAME_EVERYWHERE:
        told = "no cells" if theirs is None else theirs.kind
        raise ModelError(
            f"{path} tells apart {told}, the recipe {cells.kind}: a head is gone on with for the same of "
            f"{', '.join(SAME_EVERYWHERE)}; set model.keep_head=false"
        )
    known = {each: theirs.numbers[each] for each in cells.cell_ids if each in theirs.numbers}
    rows = [cells.numbers[each] for each in known]
    stored, own = _read(_file(path)), head.state_dict()
    last = max(name.partition(".")[0] for name in own)
    for name, value in own.items():
        given, logits = stored.get(f"head.{name}"), name.startswith(f"{last}.")
        if given is None or given.shape[logits:] != value.shape[logits:]:
            raise ModelError(f"{path} has a head of other layers: set model.keep_head=false, or model.hidden")
        if logits:
            value[:] = given.mean(dim=0) if given.dim() > 1 else given.min()
            value[rows] = given[list(known.values())].to(value.dtype)
        else:
            value.copy_(given)
    return list(known)


def load_network(
    model: ModelFolder,
    weights: Mapping[str, Tensor] | None = None,
    settings: Mapping[str, Any] | None = None,
    preprocessing: Preprocessing | None = None,
) -> Network:
    """The network of a finished model that ranks cells, with its weights, or with others.

    Args:
        model: The model folder.
        weights: Others than its own.
        settings: Of another network than its recipe's (`Model`), which these weights are of.
        preprocessing: Another than its own.

    Raises:
        ModelError: It ranks no cells, or was kept without its weights.
    """
    if model.partition is None:
        raise ModelError(f"{model.path} ranks no cells")
    settings, cells = settings or model.config["recipe"]["model"], len(model.partition)
    network = Network(
        build_backbone(settings["backbone"], settings["options"], pretrained=False),
        preprocessing or model.preprocessing,
        lambda count: linear_head(count, cells, hidden=settings["hidden"], dropout=settings["dropout"]),
    )
    network.load_state_dict(_read(_file(model.path)) if weights is None else weights)
    return network


def _file(path: Path) -> Path:
    """The file of weights that a path stands for."""
    if path.is_dir():
        if not (path / CONFIG).is_file() or not (path / WEIGHTS).is_file():
            raise ModelError(
                f"{path} is not a finished model folder (no {CONFIG} or {WEIGHTS}): give the file"
            )
        return path / WEIGHTS
    if not path.is_file():
        raise ModelError(f"the weights file {path} does not exist")
    return path


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name.

    Raises:
        ModelError: It is damaged, or can't be opened without running code.
    """
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        if not _looks_like_pickle(path):
            raise ModelError(f"{path} can't be read as safetensors ({error}): get the file again") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old formats
            stored = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # on bytes from anywhere torch raises nearly anything
        raise ModelError(
            f"{path} can't be opened as plain tensors ({_first_line(error)}). If it is whole, it holds "
            "objects whose opening can run code, so it is refused: where you trust it, convert it "
            "(safetensors.torch.save_file(torch.load(FILE, weights_only=False)['state_dict'], "
            "'weights.safetensors'))"
        ) from None
    return _tensors(stored, path)


def _tensors(stored: Any, path: Path) -> dict[str, Tensor]:
    """The weights in what a training script saved."""
    while isinstance(stored, Mapping):
        nest = next((key for key in _NESTS if isinstance(stored.get(key), Mapping)), None)
        if nest is None:
            break
        stored = stored[nest]
    found = {}
    if isinstance(stored, Mapping):
        found = {str(name): value for name, value in stored.items() if isinstance(value, Tensor)}
    if not found:
        raise ModelError(f"{path} holds no tensors by name, so they can't be a backbone's weights")
    return found


def _match(stored: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, str]:
    """The backbone's names, each with the file's name of the tensor that fills it.

    A name that fits as it is wins over one that fits without its prefixes.
    """
    sources: dict[str, str] = {}
    for stripped in (False, True):
        for source, value in stored.items():
            name = _strip(source, own) if stripped else source
            if name in own and name not in sources and value.shape == own[name].shape:
                sources[name] = source
    return sources


def _strip(name: str, own: Mapping[str, Tensor]) -> str:
    """A name without the prefixes before a name of the backbone's."""
    while name not in own:
        prefix = next((each for each in _PREFIXES if name.startswith(each)), None)
        if prefix is None:
            break
        name = name.removeprefix(prefix)
    return name


def _offered(stored: Mapping[str, Tensor], backbone: nn.Module) -> set[str]:
    """The names, without prefixes, of a file's tensors in parts named as the backbone's are."""
    own = backbone.state_dict()
    parts = {name.partition(".")[0] for name in own}
    bare = {_strip(name, own) for name, value in stored.items() if value.is_floating_point()}
    return {name for name in bare if name.partition(".")[0] in parts}


def _converted(stored: Mapping[str, Tensor], backbone: nn.Module) -> dict[str, Tensor]:
    """The tensors as timm converts other publishers' files of this model, and positions of another size."""
    own = backbone.state_dict()
    bare = {_strip(name, own): value for name, value in stored.items()}
    module = sys.modules[type(backbone).__module__]
    named = ("checkpoint_filter_fn", "_filter_fn", "_filter_torchvision_pretrained")
    for convert in (getattr(module, name) for name in named if hasattr(module, name)):
        for arguments in ((dict(bare), backbone), (dict(bare),)):
            with contextlib.suppress(Exception):  # made for the files it knows
                return {key: value for key, value in convert(*arguments).items() if isinstance(value, Tensor)}
    return bare


def _looks_like_pickle(path: Path) -> bool:
    """Does a file start as torch's zip of a pickle does, or as a bare pickle?"""
    with path.open("rb") as file:
        start = file.read(4)
    return start == b"PK\x03\x04" or (start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].partition(". ")[0] or type(error).__name__
