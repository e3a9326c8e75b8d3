"""What is validated is what is measured: the numbers by hand, and against an evaluation of the same split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lostfound.data.dataset import Dataset
from lostfound.errors import RecipeError
from lostfound.evaluation.evaluate import evaluate
from lostfound.geo.sphere import haversine_km
from lostfound.partitions import OUTSIDE, build_partition
from lostfound.predict.decoders import CellDecoder, PointDecoder
from lostfound.predict.locator import Locator
from lostfound.training.fit import fit
from lostfound.training.images import LabelledImages
from lostfound.training.recipe import load_recipe
from lostfound.training.validation import Validation

NAN = float("nan")
PARTITION = build_partition("countries", np.array([[48.8, 2.3], [35.6, 139.7]]), ["FR", "JP"])
FR, JP = 0, 1
IN_NO_CELL, NO_COORDINATES = "none of them lies in one of the 2 cells", "none of them has coordinates"


def images(points: list[list[float]], countries: list[str | None]) -> LabelledImages:
    located, names = np.array(points, dtype=np.float64), [f"p{row}" for row in range(len(points))]
    columns: dict[str, Any] = {
        "image_id": names,
        "place_id": names,
        "country": pa.array(countries, pa.string()),
    }
    for axis, name in enumerate(("latitude", "longitude")):
        columns[name] = pa.array(located[:, axis], from_pandas=True)
    return LabelledImages.of(Dataset(Path("data"), pa.table(columns), {}))


def validation(
    answers: Any, points: list[list[float]], countries: list[str | None], monitor: Any
) -> Validation:
    return Validation.of(answers, images(points, countries), np.arange(len(points)), monitor)


def test_cells_by_hand() -> None:
    """Images in no cell count as wrong; the loss is of those that have a cell."""
    points = [[48.8, 2.3], [43.3, 5.4], [35.6, 139.7], [64.1, -21.9]]
    truth = validation(CellDecoder(PARTITION), points, ["FR", "FR", "JP", "IS"], "top_1_accuracy")
    assert truth.cells.tolist() == [FR, FR, JP, OUTSIDE]
    outputs = np.array([[2.0, 0.0], [0.0, 2.0], [0.0, 2.0], [0.0, 2.0]])
    found = truth.measure(outputs)
    assert found["top_1_accuracy"] == pytest.approx(2 / 4)
    assert found["balanced_accuracy"] == pytest.approx((1 / 2 + 1 + 0) / 3)  # Iceland is a class too
    assert found["country_accuracy"] == pytest.approx(2 / 4)
    right = np.log1p(np.exp(-2.0))
    assert found["loss"] == pytest.approx((2 * right + right + 2) / 3)
    km = haversine_km(truth.truth.points, PARTITION.centroids[[0, 1, 1, 1]])
    assert (found["mean_distance_km"], found["median_distance_km"]) == pytest.approx(
        (km.mean(), np.median(km))
    )


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all probabilities would be too many at once, images are measured block by block."""
    points = [[48.8, 2.3], [43.3, 5.4], [35.6, 139.7], [34.7, 135.5], [45.8, 4.8]]
    outputs = np.array([[2.0, 0.0], [0.0, 2.0], [0.0, 2.0], [1.0, 0.0], [3.0, 1.0]])
    countries = ["FR", "FR", "JP", "JP", "FR"]
    whole = validation(CellDecoder(PARTITION), points, countries, "top_1_accuracy").measure(outputs)
    monkeypatch.setattr("lostfound.training.validation.MOST_NUMBERS", 4)
    in_blocks = validation(CellDecoder(PARTITION), points, countries, "top_1_accuracy").measure(outputs)
    assert in_blocks == pytest.approx(whole)


def test_bare_points_by_hand() -> None:
    answers = PointDecoder()
    truth = validation(
        answers, [[48.8, 2.3], [35.6, 139.7], [NAN, NAN]], ["FR", "JP", "KE"], "median_distance_km"
    )
    found = truth.measure(answers.scale(np.array([[50.8, 4.3], [35.6, 139.7], [-1.3, 36.8]])))
    assert found.keys() == {"country_accuracy", "median_distance_km", "mean_distance_km"}
    assert found["country_accuracy"] == pytest.approx(2 / 3)  # Brussels is not in France
    km = haversine_km(truth.truth.points[0], [50.8, 4.3])
    assert found["mean_distance_km"] == pytest.approx(km / 2, abs=1e-3)


def test_the_temperature_changes_no_loss() -> None:
    """It is fitted after the training."""
    places: tuple[Any, ...] = ([[48.8, 2.3], [35.6, 139.7]], ["FR", "JP"], "loss")
    outputs = np.array([[2.0, 0.0], [1.0, 0.0]])
    one, other = (validation(CellDecoder(PARTITION, heat), *places).measure(outputs) for heat in (1.0, 9.0))
    assert one == other


@pytest.mark.parametrize(
    ("answers", "points", "countries", "monitor", "says"),
    [
        (CellDecoder(PARTITION), [[NAN, NAN]], ["FR"], "median_distance_km", NO_COORDINATES),
        (PointDecoder(), [[NAN, NAN]], ["FR"], "mean_distance_km", NO_COORDINATES),
        (PointDecoder(), [[1.0, 2.0]], ["FR"], "top_1_accuracy", "coordinates, not cells: choose"),
        (CellDecoder(PARTITION), [[1.0, 2.0]], ["IS"], "top_1_accuracy", IN_NO_CELL),
        (CellDecoder(PARTITION), [[1.0, 2.0]], ["IS"], "loss", IN_NO_CELL),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused_before_the_training(
    answers: Any, points: list[list[float]], countries: list[str | None], monitor: str, says: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        validation(answers, points, countries, monitor)
    assert str(caught.value).startswith(
        f"trainer.monitor={monitor} can't be measured on the 1 validation images"
    )
    assert says in str(caught.value)


SMALL = [
    *("task.min_images=2", "input.size=[32, 32]", "trainer.epochs=1", "trainer.batch_size=16"),
    *("trainer.workers=0", "trainer.device=cpu", "model.backbone=lostfound:cnn5", "model.options={width: 8}"),
]


@pytest.mark.parametrize(
    "overrides",
    [
        ["model.views=2"],
        ["task.partition=square", "task.settings={cells: 8}"],
        ["task={kind: hybrid, partition: countries, min_images: 2}"],
        ["task={kind: coordinates, scaling: unit_vector}"],
        ["task={kind: distance}", "data.located=true"],
    ],
    ids=["views", "square", "hybrid", "coordinates", "distance"],
)
@pytest.mark.slow
def test_what_is_validated_is_what_is_measured(
    dataset_folder: Path, tmp_path: Path, overrides: list[str]
) -> None:
    """Training's numbers of the best epoch, in torch, against the finished model's, in ONNX Runtime."""
    settings = [
        each for each in SMALL if not (each.startswith("task.") and overrides[0].startswith("task={"))
    ]
    dataset = Dataset.open(dataset_folder)
    result = fit(load_recipe("demo", [*settings, *overrides]), dataset, tmp_path / "model")
    validated = result.folder.config["training"]["validation"]
    evaluation = evaluate(Locator(result.folder), dataset, "val")
    measured = {name: metric.value for name, metric in evaluation.metrics.items()}
    both = validated.keys() & measured.keys()
    assert {"median_distance_km", "mean_distance_km"} < both
    for name in both:
        assert validated[name] == pytest.approx(measured[name], rel=1e-3), name
    assert validated[result.monitor.removeprefix("val_")] == pytest.approx(result.best_score)
    assert evaluation.about["unit"] == ("place" if "model.views=2" in overrides else "image")
