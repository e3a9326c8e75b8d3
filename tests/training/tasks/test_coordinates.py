"""Coordinates: the scalings, and the losses on them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lostfound.errors import RecipeError
from lostfound.geo.sphere import EARTH_RADIUS_KM, haversine_km, unit_vectors
from lostfound.training.settings import Coordinates
from lostfound.training.tasks.coordinates import CoordinatesObjective, scaled

POINTS = [[48.8, 2.3], [45.7, 4.8], [52.5, 13.4], [38.7, -9.1]]
CODES = ["FR", "FR", "DE", "PT"]
latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180, exclude_max=True)


class Given(torch.nn.Module):
    """A head whose outputs are the features."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


def objective(images_at, model, points=POINTS, codes=None, **settings: object) -> CoordinatesObjective:
    task = Coordinates(kind="coordinates", **settings)  # type: ignore[arg-type]
    return CoordinatesObjective(task, model, images_at(points, codes or ["FR"] * len(points)))


@pytest.mark.parametrize("scaling", ["unit_vector", "bounds", "origin"])
@given(points=st.lists(st.tuples(latitudes, longitudes), min_size=1, max_size=8))
def test_scaled_training_points_are_read_as_themselves(
    scaling: str, points: list[tuple[float, float]]
) -> None:
    """The targets' own single precision costs metres, not more."""
    array = np.array(points)
    task = Coordinates(kind="coordinates", scaling=scaling, origin=(50, 10))  # type: ignore[arg-type]
    answers = scaled(task, array)
    targets = answers.scale(array)
    if scaling == "bounds":
        assert (targets >= 0).all()
        assert (targets <= 1 + 1e-6).all()
    found = answers.decode(targets.astype(np.float32), 1).points
    assert (haversine_km(found, array) < 0.05).all()


def test_bounds_run_over_the_date_line() -> None:
    """From Fiji to Samoa is 20 degrees, not 340."""
    answers = scaled(
        Coordinates(kind="coordinates", scaling="bounds"), np.array([[-18, 178], [-13, -172], [-15, 179.0]])
    )
    assert answers.corner == (-18.0, 178.0)
    assert answers.span == pytest.approx((5.0, 10.0))
    assert answers.scale(np.array([[-18.0, 180.0 - 360], [-13, -172]])) == pytest.approx(
        np.array([[0, 0.2], [1, 1]])
    )


def test_one_place_has_bounds_too(images_at, model) -> None:
    task = objective(images_at, model, [[48.8, 2.3], [48.8, 2.3]], scaling="bounds")
    assert torch.isfinite(task.targets).all()


# --- losses


@given(latitudes, longitudes, latitudes, longitudes)
def test_the_great_circle_loss_is_the_distance(
    images_at, model, a: float, b: float, c: float, d: float
) -> None:
    """To 20 m or a thousandth; near antipodes, where the slope ends, to 10 km."""
    task = objective(images_at, model, [[a, b]])
    outputs = torch.from_numpy(3.0 * unit_vectors([[[c, d]]])).float()  # of any length
    km = float(task.loss(Given(), outputs, torch.tensor([[0]]))) * EARTH_RADIUS_KM
    expected = float(haversine_km((a, b), (c, d)))
    assert km == pytest.approx(expected, rel=1e-3, abs=10 if expected > 19_900 else 0.02)


@pytest.mark.parametrize("direction", [1.0, -1.0, 0.999999, -0.999999])
def test_its_slope_is_a_number_everywhere(images_at, model, direction: float) -> None:
    """At the place itself, at its antipode, and beside them."""
    task = objective(images_at, model)
    start = torch.from_numpy(unit_vectors(POINTS)).float()
    beside = torch.roll(start, 1, dims=1)
    features = (direction * start + (1 - abs(direction)) * beside)[:, None].requires_grad_()
    task.loss(Given(), features, torch.arange(4)[:, None]).backward()
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()


def test_its_slope_leads_to_the_place(images_at, model) -> None:
    task = objective(images_at, model)
    outputs = torch.nn.Parameter(torch.tensor([[[1.0, 0.2, -0.5]]]))
    optimizer = torch.optim.SGD([outputs], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        task.loss(Given(), outputs, torch.tensor([[2]])).backward()
        optimizer.step()
    found = task.decoder.decode(outputs.detach().numpy()[:, 0], 1).points[0]
    assert float(haversine_km(found, POINTS[2])) < 800


@pytest.mark.parametrize("scaling", ["unit_vector", "bounds", "origin"])
def test_the_mean_squared_error_is_on_the_scaling(images_at, model, scaling: str) -> None:
    task = objective(images_at, model, scaling=scaling, loss="mse")
    width = task.decoder.width
    outputs = torch.randn(4, 2, width, generator=torch.Generator().manual_seed(0))
    expected = np.square(outputs.mean(dim=1).numpy() - task.decoder.scale(np.array(POINTS))).mean()
    found = task.loss(Given(), outputs, torch.arange(4)[:, None].expand(-1, 2))
    assert float(found) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("scaling", "great_circle"), [("unit_vector", True), ("bounds", False), ("origin", False)]
)
def test_the_loss_goes_with_the_scaling(images_at, model, scaling: str, great_circle: bool) -> None:
    assert objective(images_at, model, scaling=scaling).great_circle is great_circle


def test_classes_are_the_countries(images_at, model) -> None:
    assert objective(images_at, model, codes=CODES).classes.tolist() == [1, 1, 0, 2]


def test_images_without_coordinates_are_refused(images_at, model) -> None:
    with pytest.raises(RecipeError, match=r"which the coordinates task needs: .*data\.located=true"):
        objective(images_at, model, [*POINTS, [float("nan")] * 2])
