"""Backbones by name: timm's, torchvision's as `torchvision:NAME`, our small ones as `lostfound:NAME`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import timm
from torch import nn

from lostfound.errors import RecipeError, nearest_names
from lostfound.models.joined import JoinedBackbone
from lostfound.models.small import SMALL
from lostfound.models.torchvision_models import build_torchvision, torchvision_names

TORCHVISION, OWN = "torchvision:", "lostfound:"
JOINED = f"{OWN}joined"
"""Several backbones side by side, as an average of answers has them."""

# In place of zeros around a feature map: ONNX Runtime would merge a padding by zeros into the max pooling
# that follows, which pads with minus infinity, and BiT's features would be others than torch's.
_ALMOST_ZERO = 1e-30

_NOT_TAKEN = {
    "checkpoint_path": "give the file with --weights FILE",  # timm would open any file there, a pickle too
    "pretrained_cfg": "give weights with --weights, and their mean and deviation as input.mean and input.std",
    "pretrained_cfg_overlay": "give weights with --weights, and their mean and deviation as input.mean and "
    "input.std",
    "weights": "give them with --weights",
    "num_classes": "the task says what is answered, and a new head gives it",
    "aux_logits": "auxiliary classifiers are left out",
}


def build_backbone(name: str, options: Mapping[str, Any], *, pretrained: bool) -> nn.Module:
    """A model without its classifier, that offers timm's methods.

    These are `forward_features(x)`, from normalised images (n, 3, h, w) to the last feature map (or sequence
    of tokens), and `forward_head(features, pre_logits=True)`, from that to pooled features (n, d);
    `pretrained_cfg` holds the `mean` and `std` of its weights.

    Args:
        name: A timm model's name; `torchvision:` and the name of one of torchvision's classification models;
            `lostfound:cnn5`, `lostfound:cnn8`, `lostfound:cnn10`; or `lostfound:joined`, which is `count`
            times the `backbone` with the `options` that its own options name.
        options: Keyword arguments of the model.
        pretrained: Fetch its weights from timm's hub or from torchvision (the one case that needs a network).

    Raises:
        RecipeError: There is no such model or option, or the weights can't be fetched.
    """
    _check_name(name)
    for option in _NOT_TAKEN.keys() & options.keys():
        raise RecipeError(f"model.options.{option} is not taken: {_NOT_TAKEN[option]}")
    if pretrained and name.startswith(OWN):
        raise RecipeError(f"{name} has no pretrained weights: leave --weights hub out to start afresh")
    try:
        return _build(name, options, pretrained)
    except Exception as error:  # timm's and torchvision's models, and the hub, raise all kinds
        if pretrained and not isinstance(error, TypeError):
            raise RecipeError(
                f"the weights of {name} can't be fetched from the hub ({error}): "
                "give a local file with --weights FILE, or leave --weights out to start afresh"
            ) from None
        given = f" with model.options {dict(options)}" if options else ""
        raise RecipeError(f"the backbone {name} can't be built{given}: {error}") from None


def backbone_preprocessing(backbone: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The mean and standard deviation (0..1) that a backbone's weights were trained with."""
    config = backbone.pretrained_cfg
    return tuple(config["mean"]), tuple(config["std"])  # type: ignore[index]


def _build(name: str, options: Mapping[str, Any], pretrained: bool) -> nn.Module:
    if name == JOINED:
        return _joined(**options)
    if name.startswith(OWN):
        return SMALL[name.removeprefix(OWN)](**options)
    if name.startswith(TORCHVISION):
        return build_torchvision(name.removeprefix(TORCHVISION), options, pretrained=pretrained)
    model = timm.create_model(name, pretrained=pretrained, num_classes=0, **options)
    assert isinstance(model, nn.Module)
    for module in model.modules():
        if isinstance(module, nn.ConstantPad2d) and module.value == 0:
            module.value = _ALMOST_ZERO
    return model


def _joined(backbone: str, count: int, options: Mapping[str, Any] | None = None) -> nn.Module:
    _check_name(backbone)
    return JoinedBackbone([_build(backbone, options or {}, False) for _ in range(count)])


def _check_name(name: str) -> None:
    """Is there such a model?

    Raises:
        RecipeError: No; the nearest names are given.
    """
    torchvision = {f"{TORCHVISION}{each}": each for each in torchvision_names()}
    own = {f"{OWN}{each}": each for each in (*SMALL, JOINED.removeprefix(OWN))}
    if name in torchvision or name in own or (":" not in name and timm.is_model(name)):
        return
    prefix, colon, bare = name.rpartition(":")
    if name.startswith((TORCHVISION, OWN)):
        known = torchvision if name.startswith(TORCHVISION) else own
    else:
        known = {**{each: each for each in timm.list_models()}, **torchvision, **own}
    near = nearest_names(bare, set(known.values()))
    hints = [full for each in near for full in known if known[full] == each][:3]
    if hints:
        raise RecipeError(f"model.backbone: no model {name!r}; did you mean {', '.join(hints)}?")
    listed = ", ".join(own) if prefix + colon == OWN else "timm.list_models() lists timm's"
    raise RecipeError(f"model.backbone: no model {name!r}; {listed}")
