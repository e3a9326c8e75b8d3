"""torchvision's classification models as backbones, with the methods that timm's have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

# Where the trunk ends: the children from here on pool its map and classify.
_HEAD = frozenset({"avgpool", "flatten", "dropout", "classifier", "fc", "head", "heads"})
_AUXILIARY = frozenset({"aux1", "aux2", "AuxLogits"})
# Ported from TensorFlow: torchvision's own option rescales their input from ImageNet's mean and deviation to
# 0.5, which the mean and deviation do here.
_PORTED = frozenset({"googlenet", "inception_v3"})


def torchvision_names() -> list[str]:
    """The names of torchvision's classification models."""
    names: list[str] = torchvision.models.list_models(module=torchvision.models)
    return names


def build_torchvision(name: str, options: Mapping[str, Any], *, pretrained: bool) -> TorchvisionBackbone:
    """A torchvision model without its classifiers.

    Dropout right before the classifier goes with it: that is the recipe's `model.dropout`.

    Args:
        name: One of `torchvision_names()`.
        options: Keyword arguments of the model.
        pretrained: Fetch torchvision's default weights.

    Raises:
        TypeError: The model has no such option.
        OSError: The weights can't be fetched.
    """
    weights = torchvision.models.get_model_weights(name).DEFAULT
    if name in _PORTED and not pretrained:
        options = {"init_weights": True, **options}  # unless told, it warns of a change to come
    model = torchvision.models.get_model(name, weights=weights if pretrained else None, **options)
    transforms = weights.transforms()
    mean, std = (tuple(transforms.mean), tuple(transforms.std)) if name not in _PORTED else ((0.5,) * 3,) * 2
    kind = _VisionTransformer if hasattr(model, "class_token") else TorchvisionBackbone
    return kind(model, mean, std)


class TorchvisionBackbone(nn.Module):
    """A torchvision model's trunk and pooling. Parameters keep their torchvision names."""

    def __init__(self, model: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.pretrained_cfg = {"mean": mean, "std": std}
        children = {name: child for name, child in model.named_children() if name not in _AUXILIARY}
        self._trunk = [name for name in children if name not in _HEAD]
        *_, classifier = children
        for name, child in children.items():
            self.add_module(name, _without_classifier(child) if name == classifier else child)
        self._classifier = classifier
        if isinstance(model, torchvision.models.DenseNet):  # its forward pass has a step without a module
            self.get_submodule("features").add_module("relu5", nn.ReLU(inplace=True))
        self._flattens = any(isinstance(module, nn.Flatten) for module in children[classifier].modules())

    def forward_features(self, x: Tensor) -> Tensor:
        """The last feature map: (n, 3, h, w) to (n, c, h', w')."""
        for name in self._trunk:
            child = self.get_submodule(name)
            for step in child if isinstance(child, nn.ModuleList) else (child,):
                x = step(x)
        return x

    def forward_head(self, x: Tensor, pre_logits: bool = True) -> Tensor:  # noqa: ARG002 (timm's signature)
        """What the classifier would see of a feature map, (n, d)."""
        pool = getattr(self, "avgpool", None)
        x = nn.functional.adaptive_avg_pool2d(x, 1) if pool is None else pool(x)
        if not self._flattens:
            x = x.flatten(1)
        pooled: Tensor = self.get_submodule(self._classifier)(x)
        return pooled

    def forward(self, x: Tensor) -> Tensor:
        """Pooled features (n, d)."""
        return self.forward_head(self.forward_features(x))


class _VisionTransformer(TorchvisionBackbone):
    """Its map is the sequence of tokens, of which the first stands for the image."""

    def __init__(self, model: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__(model, mean, std)
        self.class_token = model.class_token
        self.image_size = int(model.image_size)  # type: ignore[arg-type]

    def forward_features(self, x: Tensor) -> Tensor:
        if x.shape[2:] != (self.image_size, self.image_size):
            raise ValueError(f"it takes {self.image_size}x{self.image_size} pixels, its option image_size")
        patches = self.conv_proj(x).flatten(2).transpose(1, 2)  # type: ignore[operator]
        tokens: Tensor = self.encoder(torch.cat([self.class_token.expand(len(x), -1, -1), patches], dim=1))  # type: ignore[operator]
        return tokens

    def forward_head(self, x: Tensor, pre_logits: bool = True) -> Tensor:  # noqa: ARG002 (timm's signature)
        pooled: Tensor = self.get_submodule(self._classifier)(x[:, 0])
        return pooled


def _without_classifier(head: nn.Module) -> nn.Module:
    """The layers of a head up to its last linear one, and up to the dropout before that."""
    layers = list(head.children())
    while layers and not isinstance(layers.pop(), nn.Linear):
        pass
    while layers and isinstance(layers[-1], nn.Dropout):
        layers.pop()
    return nn.Sequential(*layers) if layers else nn.Identity()
