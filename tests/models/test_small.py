"""Our small networks: as many convolutions as their names say, for images of any size."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lostfound.models.small import SMALL, cnn10

NAMES = sorted(SMALL)


def convolutions(network: nn.Module) -> list[nn.Conv2d]:
    """Those that are counted: the ones that fit a skip are 1x1."""
    found = [each for each in network.modules() if isinstance(each, nn.Conv2d)]
    return [each for each in found if each.kernel_size == (3, 3)]


@pytest.mark.parametrize(("name", "count"), [("cnn5", 5), ("cnn8", 8), ("cnn10", 10)])
def test_the_convolutions_are_as_many_as_the_name_says(name: str, count: int) -> None:
    network = SMALL[name](width=4)
    assert len(convolutions(network)) == count
    assert convolutions(network)[0].out_channels == 4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (33, 17), (80, 130)])
def test_images_of_any_size_are_taken(name: str, height: int, width: int) -> None:
    network = SMALL[name](width=4).eval()
    x = torch.rand(2, 3, height, width)
    features = network.forward_features(x)
    pooled = network.forward_head(features, pre_logits=True)
    stages = len(network.stages)
    assert features.shape == (2, pooled.shape[1], -(-height // 2**stages), -(-width // 2**stages))
    assert torch.allclose(pooled, features.mean(dim=(2, 3)), atol=1e-6)
    assert torch.equal(network(x), pooled)


def test_what_goes_into_a_stage_is_added_to_what_comes_out() -> None:
    """With its convolutions at nothing, a stage of one width hands its input on, pooled."""
    *_, stage = cnn10(width=4).eval().stages
    for parameter in stage.body.parameters():
        nn.init.zeros_(parameter)
    x = torch.rand(1, 32, 4, 4)
    assert torch.equal(stage(x), nn.functional.max_pool2d(x, 2))


@pytest.mark.parametrize("name", NAMES)
def test_a_network_can_learn(name: str) -> None:
    """Which of two halves of an image is the brighter?"""
    torch.manual_seed(0)
    images = torch.rand(16, 3, 16, 16)
    truth = torch.arange(16) % 2
    images[truth == 1, :, :, :8] += 1
    images[truth == 0, :, :, 8:] += 1
    backbone = SMALL[name](width=8)
    network = nn.Sequential(backbone, nn.Linear(backbone(images).shape[1], 2))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(30):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(images), truth)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
