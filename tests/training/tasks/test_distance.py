"""Distance: the anchors, the pairs, and the loss on them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lostfound.errors import RecipeError
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.sphere import haversine_km, pairwise_km
from lostfound.training.settings import Distance
from lostfound.training.tasks.distance import DistanceObjective, great_circle_degrees

COUNTRIES = {"FR": (46.5, 2.5), "DE": (51.0, 10.0), "ES": (40.0, -3.5), "FI": (63.0, 26.0)}


@pytest.fixture(scope="module")
def europe(images_at):
    """40 images of four countries, up to three degrees around their middles."""
    generator = np.random.default_rng(0)
    codes = np.repeat(list(COUNTRIES), 10)
    points = np.array([COUNTRIES[code] for code in codes]) + generator.uniform(-3, 3, (40, 2))
    return images_at(points.tolist(), codes.tolist())


def objective(europe, model, **settings: object) -> DistanceObjective:
    return DistanceObjective(Distance(kind="distance", **settings), model, europe)  # type: ignore[arg-type]


def degrees(task: DistanceObjective, pairs: np.ndarray) -> np.ndarray:
    points = task.images.points
    return haversine_km(points[pairs[:, 0]], points[pairs[:, 1]]) / 111.0


# --- anchors


def test_the_anchor_of_a_country_is_the_image_nearest_to_its_middle(europe, model) -> None:
    task = objective(europe, model)
    partition = task.decoder.partition
    assert partition is not None
    assert sorted(partition.countries) == sorted(COUNTRIES)
    for row, code in zip(task.anchors, partition.countries, strict=True):
        own = np.flatnonzero(europe.countries == code)
        km = haversine_km(europe.points[own], Boundaries.packed().centroid(code))
        assert row == own[np.argmin(km)]


def test_a_country_with_too_few_images_gets_no_anchor(europe, model) -> None:
    part = europe.take(np.arange(31))  # one of Finland
    task = objective(part, model, min_images=2)
    assert "FI" not in task.decoder.partition.countries  # type: ignore[union-attr]
    assert len(task.images) == 31  # its image trains all the same


def test_an_images_cell_is_that_of_the_nearest_anchor(europe, model) -> None:
    task = objective(europe, model)
    assert task.classes.tolist() == task.degrees.argmin(axis=1).tolist()
    assert task.decoder.partition.counts.tolist() == np.bincount(task.classes).tolist()  # type: ignore[union-attr]


@pytest.mark.parametrize("countries", [["FR"] * 40, [None] * 40])
def test_fewer_than_two_anchors_are_nothing_to_tell_apart(
    images_at, europe, model, countries: list[str]
) -> None:
    with pytest.raises(RecipeError, match="anchor"):
        objective(images_at(europe.points.tolist(), countries), model)


def test_images_without_coordinates_are_refused(images_at, model) -> None:
    with pytest.raises(RecipeError, match=r"which the distance task needs: .*data\.located=true"):
        objective(images_at([[48.0, 2.0], [float("nan")] * 2], ["FR", "FR"]), model)


# --- pairs


@pytest.mark.parametrize("anchors_only", [True, False])
def test_half_of_the_pairs_are_near_and_half_far(europe, model, anchors_only: bool) -> None:
    task = objective(europe, model, anchors_only=anchors_only, clip_degrees=6.0)
    for seed in range(5):
        pairs = task.pairs(np.random.default_rng(seed))
        near, has_both = degrees(task, pairs) < 6.0, np.ones(40, dtype=bool)
        if anchors_only:  # an anchor's own country has no other one
            has_both = ~np.isin(pairs[:, 0], task.anchors)
        assert has_both.sum() >= 36
        assert near[::2][has_both[::2]].all()
        assert not near[1::2].any()


@pytest.mark.parametrize("anchors_only", [True, False])
def test_every_image_has_a_partner_once_an_epoch_and_others_in_the_next(
    europe, model, anchors_only: bool
) -> None:
    task = objective(europe, model, anchors_only=anchors_only)
    one, other = (task.pairs(np.random.default_rng(seed)) for seed in (0, 1))
    assert sorted(one[:, 0]) == sorted(other[:, 0]) == list(range(40))
    assert not np.array_equal(one, other)
    assert np.array_equal(one, task.pairs(np.random.default_rng(0)))
    if anchors_only:
        assert set(one[:, 1]) <= set(task.anchors)
    else:
        assert len(set(one[:, 1])) > len(COUNTRIES)


@pytest.mark.parametrize("anchors_only", [True, False])
def test_no_image_is_its_own_near_partner(europe, model, anchors_only: bool) -> None:
    """The identity loss asks for that."""
    task = objective(europe, model, anchors_only=anchors_only, clip_degrees=40.0)
    for seed in range(5):
        pairs = task.pairs(np.random.default_rng(seed))
        assert (pairs[:, 0] != pairs[:, 1]).all()


@pytest.mark.parametrize("clip", [0.001, 170.0])
@pytest.mark.parametrize("anchors_only", [True, False])
def test_where_all_is_near_or_all_is_far_there_are_pairs_too(
    europe, model, clip: float, anchors_only: bool
) -> None:
    pairs = objective(europe, model, anchors_only=anchors_only, clip_degrees=clip).pairs(
        np.random.default_rng(0)
    )
    assert pairs.shape == (40, 2)


# --- the loss


def test_degrees_are_those_of_the_sphere() -> None:
    generator = np.random.default_rng(0)
    a, b = (
        np.column_stack([generator.uniform(-90, 90, 50), generator.uniform(-180, 180, 50)]) for _ in range(2)
    )
    found = great_circle_degrees(torch.from_numpy(a).float(), torch.from_numpy(b).float())
    assert found.numpy() == pytest.approx(haversine_km(a, b) / 111.0, rel=1e-3)
    assert great_circle_degrees(torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, -180.0]])).item() > 180


@pytest.mark.parametrize("identity", [0.0, 0.5])
@pytest.mark.parametrize("method", ["euclidean", "discriminator"])
def test_the_loss_is_the_squared_error_of_clipped_degrees_and_the_identity(
    europe, model, identity: float, method: str
) -> None:
    task = objective(europe, model, method=method, identity_weight=identity, clip_degrees=8.0)
    torch.manual_seed(0)
    head = task.build_head(6).eval()
    features = torch.randn(12, 2, 6)
    pairs = task.pairs(np.random.default_rng(0))[:12]
    with torch.no_grad():
        said = head.distance(features[:, 0], features[:, 1]).numpy()  # type: ignore[operator]
        itself = head.distance(features[:, 0], features[:, 0]).numpy()  # type: ignore[operator]
        found = float(task.loss(head, features, torch.from_numpy(pairs)))
    true = np.minimum(degrees(task, pairs), 8.0)
    expected = np.square(said - true).mean() + identity * np.square(itself).mean()
    assert found == pytest.approx(expected, rel=1e-3)


# --- anchors' features


class Mean(torch.nn.Module):
    """As much of a network as the anchors need."""

    def __init__(self, head: torch.nn.Module) -> None:
        super().__init__()
        self.head = head

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        return images.float().mean(dim=(1, 2))


def test_the_anchors_features_are_the_networks_own(europe, model) -> None:
    task = objective(europe, model)
    network = Mean(task.build_head(3))
    pixels = torch.arange(40, dtype=torch.uint8)[:, None, None, None].expand(-1, 4, 4, 3)
    task.set_up(lambda rows: pixels[torch.from_numpy(rows)])
    task.refresh(network)  # type: ignore[arg-type]
    assert network.head.anchors[:, 0].tolist() == task.anchors.tolist()  # type: ignore[index, union-attr]


def test_the_anchors_own_area_is_its_countrys_by_distance(europe, model) -> None:
    """What the model answers is judged by the nearest anchor, wherever borders run."""
    task = objective(europe, model)
    partition = task.decoder.partition
    assert partition is not None
    point = np.array([[50.6, 5.9]])
    nearest = pairwise_km(point, partition.centroids)[0].argmin()
    assert partition.assign(point).tolist() == [nearest]
