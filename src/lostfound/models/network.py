"""The network: any timm backbone, and a new head. It takes images as they are and normalises them itself."""

from __future__ import annotations

import difflib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from lostfound.data.images import Preprocessing
from lostfound.errors import ModelError, RecipeError


@dataclass(frozen=True)
class WeightsReport:
    """What became of a weights file.

    Attributes:
        loaded: Tensors of the backbone that were filled.
        fresh: Tensors of the backbone that the file lacks or has in another shape.
        unused: Tensors of the file that the backbone lacks, such as another head.
    """

    loaded: list[str]
    fresh: list[str]
    unused: list[str]


class Network(nn.Module):
    """Images in, logits and the last feature map out."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, backbone: nn.Module, classes: int, preprocessing: Preprocessing, dropout: float
    ) -> None:
        super().__init__()
        self.backbone = backbone
        features = getattr(backbone, "head_hidden_size", None) or backbone.num_features
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(int(features), classes))  # type: ignore[arg-type]
        self.register_buffer("mean", 255 * torch.tensor(preprocessing.mean), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(preprocessing.std), persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Score images.

        Args:
            images: (n, height, width, 3), uint8, RGB, as `Preprocessing` gives them.

        Returns:
            Logits (n, classes), and the backbone's last feature map, unpooled.
        """
        x = (images.float() - self.mean) / self.std
        features = self.backbone.forward_features(x.permute(0, 3, 1, 2))  # type: ignore[operator]
        pooled = self.backbone.forward_head(features, pre_logits=True)  # type: ignore[operator]
        return self.head(pooled), features


def build_backbone(name: str, options: Mapping[str, Any], *, pretrained: bool) -> nn.Module:
    """A timm model without its classifier.

    Args:
        name: The timm model's name.
        options: Keyword arguments of the model.
        pretrained: Fetch its weights from the hub (the one case that needs a network).

    Raises:
        RecipeError: timm has no such model or option, or the hub can't be reached.
    """
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "timm.list_models() lists them"
        raise RecipeError(f"model.backbone: timm has no model {name!r}; {hint}")
    try:
        model = timm.create_model(name, pretrained=pretrained, num_classes=0, **options)
    except TypeError as error:
        raise RecipeError(f"model.options: {name} can't be built with {dict(options)}: {error}") from None
    except (OSError, RuntimeError) as error:
        if not pretrained:
            raise
        raise RecipeError(
            f"the weights of {name} can't be fetched from the hub ({error}): "
            "give a local file with --weights FILE, or leave --weights out to start afresh"
        ) from None
    assert isinstance(model, nn.Module)
    return model


def load_weights(backbone: nn.Module, path: Path) -> WeightsReport:
    """Fill a backbone from a safetensors file; what does not fit (another head) is left and reported.

    Raises:
        ModelError: The file is missing, is not safetensors (a pickle is never opened), or fits nowhere.
    """
    if not path.is_file():
        raise ModelError(f"the weights file {path} does not exist")
    if is_pickle(path):
        raise ModelError(
            f"{path} is a pickle, which can run code when it is opened, so it is refused: convert it to "
            "safetensors where you trust it (safetensors.torch.save_file(state_dict, 'weights.safetensors'))"
        )
    try:
        stored = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} can't be read as safetensors ({error})") from None
    own = backbone.state_dict()
    fitting = {
        name: value for name, value in stored.items() if name in own and value.shape == own[name].shape
    }
    if not any(name.endswith("weight") for name in fitting):
        raise ModelError(
            f"none of the {len(stored)} tensors in {path} fits {type(backbone).__name__}: "
            "these weights are of another backbone; set model.backbone to theirs"
        )
    backbone.load_state_dict(
        {name: value.to(own[name].dtype) for name, value in fitting.items()}, strict=False
    )
    return WeightsReport(
        sorted(fitting), sorted(own.keys() - fitting.keys()), sorted(stored.keys() - fitting.keys())
    )


def is_pickle(path: Path) -> bool:
    """Does a file hold a pickle: torch's zip of one, or a bare one?"""
    with path.open("rb") as file:
        start = file.read(2)
    return zipfile.is_zipfile(path) or (start[:1] == b"\x80" and start[1:2] in b"\x00\x01\x02\x03\x04\x05")


def backbone_preprocessing(backbone: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The mean and standard deviation (0..1) that a timm backbone's weights were trained with."""
    config = backbone.pretrained_cfg
    return tuple(config["mean"]), tuple(config["std"])  # type: ignore[index]
