"""Locking: pretrained layers that stay as they are while the rest trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from lostfound.errors import RecipeError, nearest_names
from lostfound.models.network import evaluation_mode


@torch.no_grad()
def leaf_layers(backbone: nn.Module, height: int, width: int) -> list[str]:
    """The names of a backbone's leaf layers in the order of the forward pass.

    A leaf layer is a module that calls no other one. Each counts once, when it is first called, and
    `nn.Identity` does not count, since it does nothing.

    The London system counted otherwise: by torchsummary, which counts each call (a ResNet block's ReLU three
    times) and each block beside its layers, the classifier too. That makes 174 of torchvision's ResNet-50,
    where leaf layers are 125 and one for the head. Shares mean the same layers all the same, give or take
    two with weights: 70 % locks all weights up to `layer3.4.bn1` either way, in torchvision's ResNet-50 and
    in timm's.

    Args:
        backbone: As `build_backbone` gives it; its modes are left as they are.
        height: Rows of the images it is to take, in pixels.
        width: Columns of these images.
    """
    order: list[str] = []
    calling: list[bool] = []  # for each module that is being called: has it called another one?
    hooks = []

    def enter(_module: nn.Module, _inputs: Any) -> None:
        if calling:
            calling[-1] = True
        calling.append(False)

    for name, module in backbone.named_modules():
        if module is backbone or isinstance(module, nn.Identity):
            continue

        def leave(_module: nn.Module, _inputs: Any, _outputs: Any, name: str = name) -> None:
            if not calling.pop() and name not in order:
                order.append(name)

        hooks += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
    try:
        with evaluation_mode(backbone):
            image = torch.zeros((1, 3, height, width), device=next(backbone.parameters()).device)
            backbone.forward_head(backbone.forward_features(image), pre_logits=True)  # type: ignore[operator]
    finally:
        for hook in hooks:
            hook.remove()
    return order


class Locking:
    """Which layers of a backbone are locked, epoch by epoch.

    What belongs to no leaf layer goes with the first one inside its own module: class tokens and position
    embeddings with the first layer of all, the scale of a ConvNeXt block with the block's first layer.

    Attributes:
        layers: The backbone's leaf layers in the order of the forward pass.
        locked: Those that are locked now.
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        height: int,
        width: int,
        share: float = 0.0,
        names: Sequence[str] = (),
        unlock: Mapping[int, float] | None = None,
    ) -> None:
        """Lock a backbone as in its first epoch.

        Args:
            backbone: As `build_backbone` gives it.
            height: Rows of the images it is to take, in pixels.
            width: Columns of these images.
            share: Of n leaf layers, the head counting as one, those with i <= n * share are locked, i from
                0, as in the London system; 0 locks none.
            names: Modules or parameters locked in all epochs, with everything in them: names, or patterns of
                `fnmatch` such as `layer1.*`.
            unlock: From an epoch on, counted from 1, this share instead.

        Raises:
            RecipeError: A name fits nothing in the backbone.
        """
        self.backbone = backbone
        self.layers = leaf_layers(backbone, height, width)
        self.locked: list[str] = []
        self._share = share
        self._unlock = dict(unlock or {})
        self._first = {"": 0}  # the first leaf layer in each module
        for i, layer in enumerate(self.layers):
            for name in _with_parents(layer):
                self._first.setdefault(name, i)
        self._by_name = self._named(names)
        self._limit = -1.0
        self.set_epoch(1)

    @property
    def all_locked(self) -> bool:
        """Does nothing of the backbone train?"""
        return len(self.locked) == len(self.layers) and not any(
            parameter.requires_grad for parameter in self.backbone.parameters()
        )

    def set_epoch(self, epoch: int) -> None:
        """Lock what is locked in an epoch, counted from 1, and unlock the rest."""
        begun = [start for start in self._unlock if start <= epoch]
        share = self._unlock[max(begun)] if begun else self._share
        self._limit = (len(self.layers) + 1) * share if share > 0 else -1.0
        self.locked = [name for name in self.layers if self._is_locked(name)]
        for name, parameter in self.backbone.named_parameters():
            parameter.requires_grad = not self._is_locked(name)
        if self.backbone.training:  # what was unlocked: a trainer need not call `.train()` in each epoch
            self.backbone.train()
        self.hold()

    def hold(self) -> None:
        """Keep locked modules in evaluation mode; call it after each `.train()`.

        Their batch normalisation then neither uses nor moves the batch's statistics, and their dropout drops
        nothing.
        """
        for name, module in self.backbone.named_modules():
            if name and self._is_locked(name):
                module.training = False

    def _is_locked(self, name: str) -> bool:
        if name in self._by_name:
            return True
        while name not in self._first:  # parameters, and modules that are never called, such as fused ones
            name = name.rpartition(".")[0]
        return self._first[name] <= self._limit

    def _named(self, patterns: Sequence[str]) -> set[str]:
        """The modules and parameters that patterns name, with all that is in them."""
        modules = [name for name, _ in self.backbone.named_modules() if name]
        known = [*modules, *(name for name, _ in self.backbone.named_parameters())]
        found = set()
        for pattern in patterns:
            fitting = {
                name for name in known if any(fnmatchcase(each, pattern) for each in _with_parents(name))
            }
            if not fitting:
                near = nearest_names(pattern, known)
                top = dict.fromkeys(name.partition(".")[0] for name in known)
                hint = f"did you mean {', '.join(near)}?" if near else f"its parts are {', '.join(top)}"
                raise RecipeError(f"model.lock.names: nothing in the backbone is named {pattern!r}; {hint}")
            found |= fitting
        return found


def _with_parents(name: str) -> list[str]:
    """A dotted name and the names of all it is in, but the backbone itself."""
    parts = name.split(".")
    return [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
