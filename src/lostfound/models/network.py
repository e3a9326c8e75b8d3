"""The network: any timm backbone, and a new head. It takes images as they are and normalises them itself."""

from __future__ import annotations

import difflib
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

LEAST_FIT = 0.9
"""The least share of a backbone's tensors that its weights fill; cousins, such as two ResNets, share half."""


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
        """Put a new head on a backbone.

        Raises:
            RecipeError: The backbone can't take images of the recipe's size.
        """
        super().__init__()
        self.backbone = backbone
        self.register_buffer("mean", 255 * torch.tensor(preprocessing.mean), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(preprocessing.std), persistent=False)
        features = self._feature_count(preprocessing)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(features, classes))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Score images.

        Args:
            images: (n, height, width, 3), uint8, RGB, as `Preprocessing` gives them.

        Returns:
            Logits (n, classes), and the backbone's last feature map, unpooled.
        """
        pooled, features = self._features(images)
        return self.head(pooled), features

    def _features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = (images.float() - self.mean) / self.std
        features = self.backbone.forward_features(x.permute(0, 3, 1, 2))  # type: ignore[operator]
        return self.backbone.forward_head(features, pre_logits=True), features  # type: ignore[operator]

    @torch.no_grad()
    def _feature_count(self, preprocessing: Preprocessing) -> int:
        """The length of the backbone's pooled features, measured: timm's families name it differently."""
        size = (preprocessing.height, preprocessing.width)
        try:
            self.backbone.eval()
            pooled, _ = self._features(torch.zeros((1, *size, 3), dtype=torch.uint8))
            _one, count = pooled.shape
        except Exception as error:  # timm's models raise all kinds
            raise RecipeError(
                f"the backbone ({type(self.backbone).__name__}) can't turn images of {size[0]}x{size[1]} "
                f"pixels into features ({error}): change input.size, or model.options "
                "(vision transformers take img_size)"
            ) from None
        self.backbone.train()
        return int(count)


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
    if "checkpoint_path" in options:  # timm would open any file there, a pickle too
        raise RecipeError(
            "model.options.checkpoint_path is not taken: give a safetensors file with --weights"
        )
    try:
        model = timm.create_model(name, pretrained=pretrained, num_classes=0, **options)
    except Exception as error:  # timm's models and the hub raise all kinds
        if pretrained and not isinstance(error, TypeError):
            raise RecipeError(
                f"the weights of {name} can't be fetched from the hub ({error}): "
                "give a local file with --weights FILE, or leave --weights out to start afresh"
            ) from None
        given = f" with model.options {dict(options)}" if options else ""
        raise RecipeError(f"the backbone {name} can't be built{given}: {error}") from None
    assert isinstance(model, nn.Module)
    return model


def load_weights(backbone: nn.Module, path: Path) -> WeightsReport:
    """Fill a backbone from a safetensors file; what does not fit (another head) is left and reported.

    The file may be timm's, or the `model.safetensors` of a model folder.

    Raises:
        ModelError: The file is missing, is not safetensors (a pickle is never opened), or is of another
            backbone.
    """
    if not path.is_file():
        raise ModelError(f"the weights file {path} does not exist")
    try:
        stored = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        if _looks_like_pickle(path):
            raise ModelError(
                f"{path} is a pickle, which can run code when it is opened, so it is refused: convert it to "
                "safetensors where you trust it "
                "(safetensors.torch.save_file(state_dict, 'weights.safetensors'))"
            ) from None
        raise ModelError(f"{path} can't be read as safetensors ({error}): get the file again") from None
    stored = {name.removeprefix("backbone."): value for name, value in stored.items()}
    own = backbone.state_dict()
    fitting = {
        name: value for name, value in stored.items() if name in own and value.shape == own[name].shape
    }
    needed = {name for name, value in own.items() if value.is_floating_point()}  # counters may lack
    filled = needed & fitting.keys()
    if len(filled) < LEAST_FIT * len(needed):
        raise ModelError(
            f"only {len(filled)} of the {len(needed)} tensors of {type(backbone).__name__} are in {path}: "
            "these weights are of another backbone; set model.backbone (and model.options) to theirs"
        )
    backbone.load_state_dict(
        {name: value.to(own[name].dtype) for name, value in fitting.items()}, strict=False
    )
    return WeightsReport(
        sorted(fitting), sorted(own.keys() - fitting.keys()), sorted(stored.keys() - fitting.keys())
    )


def _looks_like_pickle(path: Path) -> bool:
    """Does a file start as torch's zip of a pickle does, or as a bare pickle?"""
    with path.open("rb") as file:
        start = file.read(4)
    return start == b"PK\x03\x04" or (start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05")


def backbone_preprocessing(backbone: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The mean and standard deviation (0..1) that a timm backbone's weights were trained with."""
    config = backbone.pretrained_cfg
    return tuple(config["mean"]), tuple(config["std"])  # type: ignore[index]
