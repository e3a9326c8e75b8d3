"""Classify: cross-entropy over cells in all its forms."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from lostfound.errors import RecipeError
from lostfound.geo.sphere import haversine_km, unit_vectors
from lostfound.training.settings import Classify, Haversine
from lostfound.training.tasks.classify import ClassifyObjective, balanced_weights, haversine_targets

# Three countries of 4, 2 and 2 images
POINTS = [
    [48.8, 2.3], [45.7, 4.8], [43.3, 5.4], [47.2, -1.5], [50.8, 4.3], [50.5, 5.5], [52.5, 13.4], [48.1, 11.5],
]  # fmt: skip
CODES = ["FR"] * 4 + ["BE"] * 2 + ["DE"] * 2


class Given(torch.nn.Module):
    """A head whose outputs are the features."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


def outputs(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def by_definition(
    points: np.ndarray, centroids: np.ndarray, cells: np.ndarray, tau: float, reference: str, normalize: bool
) -> np.ndarray:
    """exp(-(hav(g_i, x) - hav(g_n, x)) / tau), in plain loops."""
    targets = np.zeros((len(points), len(centroids)))
    for row, point in enumerate(points):
        away = [float(haversine_km(centroid, point)) for centroid in centroids]
        least = away[cells[row]] if reference == "own" else min(away)
        for cell, km in enumerate(away):
            targets[row, cell] = math.exp(-(km - least) / tau)
        if normalize:
            targets[row] /= targets[row].sum()
    return targets


@pytest.mark.parametrize(
    ("reference", "normalize", "tau"),
    list(itertools.product(["own", "nearest"], [True, False], [75.0, 400.0])),
)
def test_haversine_smoothing_is_its_definition(reference: str, normalize: bool, tau: float) -> None:
    generator = np.random.default_rng(0)
    points = np.column_stack([generator.uniform(44, 56, 30), generator.uniform(-5, 15, 30)])
    centroids = np.column_stack([generator.uniform(44, 56, 12), generator.uniform(-5, 15, 12)])
    cells = generator.integers(0, 12, 30)  # the own cell is often not the nearest
    if not normalize and reference == "own":
        cells = np.array([haversine_km(centroids, point).argsort()[1] for point in points])
    settings = Haversine(tau_km=tau, reference=reference, normalize=normalize)
    found = haversine_targets(
        torch.from_numpy(unit_vectors(points)).float(),
        torch.from_numpy(unit_vectors(centroids)).float(),
        torch.from_numpy(cells),
        settings,
    ).numpy()
    expected = by_definition(points, centroids, cells, tau, reference, normalize)
    assert found == pytest.approx(expected, rel=2e-3, abs=1e-6)
    if normalize:
        assert found.sum(axis=1) == pytest.approx(1)
    elif reference == "own":
        assert found[np.arange(30), cells] == pytest.approx(1)
    else:
        assert found.max(axis=1) == pytest.approx(1)


def test_a_photo_at_its_cells_point_keeps_close_cells_apart() -> None:
    """Where the angle is small, single precision must not lose it: 1 km at a tau of 1 km."""
    points, centroids = np.array([[51.5, -0.1]]), np.array([[51.5, -0.1], [51.509, -0.1]])
    found = haversine_targets(
        *(torch.from_numpy(unit_vectors(each)).float() for each in (points, centroids)),
        torch.zeros(1, dtype=torch.int64),
        Haversine(tau_km=1.0, normalize=False),
    )
    km = float(haversine_km(*centroids))
    assert found[0].tolist() == pytest.approx([1.0, math.exp(-km)], rel=0.01)


def test_plain_cross_entropy(images_at, model) -> None:
    task = ClassifyObjective(Classify(), model, images_at(POINTS, CODES))
    rows = torch.tensor([[0], [5], [7]])
    logits = outputs(3, 1, 3)
    expected = cross_entropy(logits[:, 0], torch.from_numpy(task.classes)[rows[:, 0]])
    assert float(task.loss(Given(), logits, rows)) == pytest.approx(float(expected))


def test_label_smoothing_spreads_its_share_evenly(images_at, model) -> None:
    task = ClassifyObjective(Classify(label_smoothing=0.3), model, images_at(POINTS, CODES))
    rows, logits = torch.tensor([[0], [5]]), outputs(2, 1, 3)
    targets = 0.7 * np.eye(3)[task.classes[[0, 5]]] + 0.1
    logs = torch.log_softmax(logits[:, 0], dim=1).numpy()
    assert float(task.loss(Given(), logits, rows)) == pytest.approx(
        -(targets * logs).sum(axis=1).mean(), rel=1e-5
    )


def test_balanced_weights_make_every_class_count_as_much() -> None:
    cells = np.array([0, 0, 0, 0, 1, 1, 2])
    weights = balanced_weights(cells).numpy()
    assert np.bincount(cells, weights[cells]) == pytest.approx([7 / 3] * 3)
    assert weights[cells].mean() == pytest.approx(1)


def test_class_weights_are_in_the_loss(images_at, model) -> None:
    task = ClassifyObjective(Classify(class_weights="balanced"), model, images_at(POINTS, CODES))
    rows, logits = torch.tensor([[0], [1], [5]]), outputs(3, 1, 3)
    losses = -torch.log_softmax(logits[:, 0], dim=1).numpy()[np.arange(3), task.classes[[0, 1, 5]]]
    weights = np.array([8 / 3 / 4, 8 / 3 / 4, 8 / 3 / 2])
    expected = (weights * losses).sum() / weights.sum()
    assert float(task.loss(Given(), logits, rows)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("normalize", [True, False])
def test_the_haversine_loss_is_cross_entropy_with_its_targets(images_at, model, normalize: bool) -> None:
    settings = Classify(haversine=Haversine(tau_km=300, normalize=normalize))
    task = ClassifyObjective(settings, model, images_at(POINTS, CODES))
    rows, logits = torch.tensor([[0], [5], [6]]), outputs(3, 1, 3)
    chosen = rows[:, 0].numpy()
    targets = by_definition(
        task.images.points[chosen], task.partition.centroids, task.classes[chosen], 300, "own", normalize
    )
    logs = torch.log_softmax(logits[:, 0], dim=1).numpy()
    expected = -(targets * logs).sum(axis=1).mean()
    assert float(task.loss(Given(), logits, rows)) == pytest.approx(expected, rel=1e-3)


def test_the_views_of_a_place_are_averaged_before_the_loss(images_at, model) -> None:
    task = ClassifyObjective(Classify(), model, images_at(POINTS, CODES))
    rows, logits = torch.tensor([[0, 1, 2], [6, 7, 6]]), outputs(2, 3, 3)
    expected = cross_entropy(logits.mean(dim=1), torch.from_numpy(task.classes)[rows[:, 0]])
    assert float(task.loss(Given(), logits, rows)) == pytest.approx(float(expected))


def test_haversine_smoothing_needs_coordinates(images_at, model) -> None:
    nowhere = images_at([*POINTS, [float("nan")] * 2], [*CODES, "FR"])
    with pytest.raises(RecipeError, match=r"which haversine smoothing needs: .*data\.located=true"):
        ClassifyObjective(Classify(haversine=Haversine()), model, nowhere)
    assert len(ClassifyObjective(Classify(), model, nowhere).images) == 9  # countries alone do for the rest


def test_targets_go_where_the_network_goes_and_not_into_checkpoints(images_at, model) -> None:
    task = ClassifyObjective(Classify(haversine=Haversine()), model, images_at(POINTS, CODES))
    assert not task.state_dict()
    assert {name for name, _ in task.named_buffers()} >= {"cells", "vectors", "centroids"}
