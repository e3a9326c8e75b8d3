"""The network: images in, outputs and features out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lostfound.data.images import Preprocessing
from lostfound.errors import RecipeError
from lostfound.models.backbones import build_backbone
from lostfound.models.heads import linear_head
from lostfound.models.network import Network

TINY = "test_resnet"
SMALL = Preprocessing(32, 32)


def tiny() -> torch.nn.Module:
    return build_backbone(TINY, {}, pretrained=False)


def three(features: int) -> torch.nn.Module:
    return linear_head(features, 3)


def test_it_normalises_the_pixels_itself() -> None:
    backbone = tiny().eval()
    preprocessing = Preprocessing(32, 32, mean=(0.1, 0.5, 0.9), std=(0.2, 0.3, 0.4))
    network = Network(backbone, preprocessing, three).eval()
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    by_hand = (images / 255 - [0.1, 0.5, 0.9]) / [0.2, 0.3, 0.4]
    with torch.no_grad():
        pooled = backbone(torch.tensor(by_hand, dtype=torch.float32).permute(0, 3, 1, 2))
        expected = network.head(pooled)
        outputs, features = network(torch.from_numpy(images))
        embedded = network.embed(torch.from_numpy(images))
    assert torch.allclose(outputs, expected, atol=1e-5)
    assert torch.allclose(embedded, pooled, atol=1e-5)
    assert features.ndim == 4


def test_a_new_network_is_ready_to_train() -> None:
    network = Network(tiny(), SMALL, three)
    assert all(module.training for module in network.modules())


def test_the_head_is_built_for_the_length_of_the_features() -> None:
    lengths = []

    def build(features: int) -> torch.nn.Module:
        lengths.append(features)
        return three(features)

    network = Network(tiny(), SMALL, build)
    pooled = network.embed(torch.zeros((2, 32, 32, 3), dtype=torch.uint8))
    assert lengths == [pooled.shape[1]]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("vit_tiny_patch16_224", {}),
        (TINY, {"features_only": True}),
        (TINY, {"in_chans": 1}),
        (TINY, {"global_pool": ""}),
    ],
)
def test_a_backbone_that_cannot_take_the_images_is_refused_before_training(
    name: str, options: dict[str, object]
) -> None:
    with pytest.raises(RecipeError, match=r"images of 32x32 pixels .*change input\.size, or model\.options"):
        Network(build_backbone(name, options, pretrained=False), SMALL, three)
