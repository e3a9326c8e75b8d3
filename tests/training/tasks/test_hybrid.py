"""Hybrid: a cell, and the way from its point."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, smooth_l1_loss

from lostfound.errors import RecipeError
from lostfound.geo.sphere import haversine_km
from lostfound.training.settings import Hybrid
from lostfound.training.tasks.hybrid import LEAST_RADIUS_KM, HybridObjective

POINTS = [
    [48.8, 2.3], [45.7, 4.8], [43.3, 5.4], [-17.7, 178.1], [-16.5, -179.9], [52.5, 13.4], [52.5, 13.4],
]  # fmt: skip
CODES = ["FR"] * 3 + ["FJ"] * 2 + ["DE"] * 2  # Fiji lies on both sides of the date line; DE is one spot


class Given(torch.nn.Module):
    """A head whose outputs are the features."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


def objective(images_at, model, **settings: object) -> HybridObjective:
    return HybridObjective(Hybrid(kind="hybrid", **settings), model, images_at(POINTS, CODES))  # type: ignore[arg-type]


def perfect(task: HybridObjective) -> np.ndarray:
    """The outputs that answer with each image's cell and the way to it."""
    n, cells = len(task.images), task.count
    offsets = np.zeros((n, cells, 2))
    offsets[np.arange(n), task.classes] = np.arctanh(np.clip(task.offsets.numpy(), -0.99999, 0.99999))
    return np.concatenate([20 * np.eye(cells)[task.classes], offsets.reshape(n, -1)], axis=1)


def test_the_offsets_lead_from_the_cells_to_the_images(images_at, model) -> None:
    task = objective(images_at, model)
    ranked = task.decoder.decode(perfect(task), 1)
    assert ranked.cells[:, 0].tolist() == [task.decoder.partition.cell_ids[each] for each in task.classes]
    assert (haversine_km(ranked.points, task.images.points) < 0.1).all()


def test_a_cell_reaches_to_its_farthest_image(images_at, model) -> None:
    task = objective(images_at, model)
    partition = task.decoder.partition
    assert partition is not None
    radii = dict(zip(partition.cell_ids, task.decoder.radii_km, strict=True))  # type: ignore[attr-defined]
    for code in ("FR", "FJ"):
        own = [point for point, each in zip(POINTS, CODES, strict=True) if each == code]
        middle = partition.centroids[partition.cell_ids.index(code)]
        assert radii[code] == pytest.approx(haversine_km(middle, own).max())
    assert radii["FJ"] < 250  # not round the Earth
    assert radii["DE"] == LEAST_RADIUS_KM
    assert np.isfinite(task.offsets.numpy()).all()
    assert (np.abs(task.offsets.numpy()) <= 1.0001).all()


def test_the_loss_is_the_cells_and_the_offsets(images_at, model) -> None:
    task = objective(images_at, model, offset_weight=2.5, label_smoothing=0.1)
    rows = torch.tensor([[0], [4], [5]])
    outputs = torch.randn(3, 1, 9, generator=torch.Generator().manual_seed(0))
    cells = torch.from_numpy(task.classes)[rows[:, 0]]
    offsets = outputs[:, 0, 3:].reshape(3, 3, 2)[torch.arange(3), cells].tanh()
    expected = cross_entropy(outputs[:, 0, :3], cells, label_smoothing=0.1)
    expected = expected + 2.5 * smooth_l1_loss(offsets, task.offsets[rows[:, 0]])
    assert float(task.loss(Given(), outputs, rows)) == pytest.approx(float(expected), rel=1e-5)


def test_the_right_answer_costs_almost_nothing(images_at, model) -> None:
    task = objective(images_at, model)
    outputs = torch.from_numpy(perfect(task)).float()[:, None]
    assert float(task.loss(Given(), outputs, torch.arange(7)[:, None])) < 1e-4


def test_the_head_answers_for_every_cell(images_at, model) -> None:
    assert objective(images_at, model).build_head(5)(torch.zeros(2, 5)).shape == (2, 9)


def test_images_without_coordinates_are_refused(images_at, model) -> None:
    nowhere = images_at([*POINTS, [float("nan")] * 2], [*CODES, "FR"])
    with pytest.raises(RecipeError, match=r"which the hybrid task needs: .*data\.located=true"):
        HybridObjective(Hybrid(kind="hybrid"), model, nowhere)
