"""The network: a backbone and a new head. It takes images as they are and normalises them itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lostfound.data.images import Preprocessing
from lostfound.errors import RecipeError


class Network(nn.Module):
    """Images in, outputs and the last feature map out."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, backbone: nn.Module, preprocessing: Preprocessing, build_head: Callable[[int], nn.Module]
    ) -> None:
        """Put a new head on a backbone.

        Args:
            backbone: As `build_backbone` gives it.
            preprocessing: The images' size, and the mean and deviation to normalise by.
            build_head: Makes the head for features of some length.

        Raises:
            RecipeError: The backbone can't take images of the recipe's size.
        """
        super().__init__()
        self.backbone = backbone
        self.register_buffer("mean", 255 * torch.tensor(preprocessing.mean), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(preprocessing.std), persistent=False)
        self.head = build_head(self._feature_count(preprocessing))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Answer images.

        Args:
            images: (n, height, width, 3), uint8, RGB, as `Preprocessing` gives them.

        Returns:
            Outputs (n, width), as `lostfound.predict.decoders` reads them, and the backbone's last feature
            map, unpooled.
        """
        pooled, features = self._features(images)
        return self.head(pooled), features

    def embed(self, images: Tensor) -> Tensor:
        """The backbone's pooled features (n, length) of images."""
        return self._features(images)[0]

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


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; every part then has the mode that it had before."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
