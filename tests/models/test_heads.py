"""Heads: linear ones, and the distance to anchors."""

from __future__ import annotations

import pytest
import torch

from lostfound.models.heads import DistanceHead, linear_head

METHODS = ["euclidean", "discriminator"]


def distance_head(method: str, **options: object) -> DistanceHead:
    torch.manual_seed(0)
    settings = {"hidden": 16, "clip_degrees": 10.0, **options}
    return DistanceHead(8, 3, method=method, **settings)  # type: ignore[arg-type]


def test_a_linear_head_is_one_layer_or_two() -> None:
    features = torch.rand(4, 8)
    assert linear_head(8, 3)(features).shape == (4, 3)
    deep = linear_head(8, 3, hidden=5)
    assert deep(features).shape == (4, 3)
    assert [tuple(each.shape) for each in deep.parameters()] == [(5, 8), (5,), (3, 5), (3,)]
    assert sum(isinstance(each, torch.nn.ReLU) for each in deep) == 1  # type: ignore[arg-type]


def test_a_head_takes_views_at_once() -> None:
    head, features = linear_head(8, 3, hidden=5), torch.rand(4, 2, 8)
    assert torch.allclose(head(features)[:, 1], head(features[:, 1]), atol=1e-6)


def test_dropout_is_for_training_alone() -> None:
    head, features = linear_head(8, 3, dropout=0.5), torch.rand(4, 8)
    assert not torch.equal(head(features), head(features))
    head.eval()
    assert torch.equal(head(features), head(features))


@pytest.mark.parametrize("method", METHODS)
def test_a_distance_lies_between_nothing_and_the_clip(method: str) -> None:
    head = distance_head(method).eval()
    for spread in (0.01, 1.0, 100.0):
        a, b = spread * torch.randn(50, 8), spread * torch.randn(50, 8)
        with torch.no_grad():
            found = head.distance(a, b)
        assert found.shape == (50,)
        assert (found >= 0).all()
        assert (found <= 10).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_distance_is_the_same_both_ways(method: str) -> None:
    head = distance_head(method).eval()
    a, b = torch.randn(20, 8), torch.randn(20, 8)
    assert torch.allclose(head.distance(a, b), head.distance(b, a), atol=1e-5)


def test_features_that_are_one_are_at_no_euclidean_distance() -> None:
    a = torch.randn(20, 8)
    assert (distance_head("euclidean").distance(a, a) < 0.01).all()


@pytest.mark.parametrize("method", METHODS)
def test_the_slope_is_a_number_where_an_image_meets_itself(method: str) -> None:
    head, a = distance_head(method), torch.randn(5, 8, requires_grad=True)
    head.distance(a, a).square().mean().backward()
    assert a.grad is not None
    assert torch.isfinite(a.grad).all()
    assert all(torch.isfinite(each.grad).all() for each in head.parameters() if each.grad is not None)


@pytest.mark.parametrize("method", METHODS)
def test_outputs_are_minus_the_distances_to_the_anchors(method: str) -> None:
    head = distance_head(method).eval()
    head.anchors.normal_()
    features = torch.randn(4, 8)
    with torch.no_grad():
        outputs = head(features)
        expected = -torch.stack([head.distance(features, anchor.expand(4, -1)) for anchor in head.anchors], 1)
        places = head(features.reshape(2, 2, 8))
    assert torch.allclose(outputs, expected, atol=1e-5)
    assert torch.allclose(places.reshape(4, 3), outputs, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_the_anchors_are_kept_with_the_weights(method: str) -> None:
    assert "anchors" in distance_head(method).state_dict()
