"""Where the model puts the photos of each cell."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import shapely

from lostfound.evaluation.matching import Matched, Truth
from lostfound.evaluation.report.neighbourhoods import neighbourhoods
from lostfound.partitions import Partition
from lostfound.predict.predictions import Predictions

IDS = ("west", "east", "far")


def cells() -> Partition:
    shapes = np.array([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), None], dtype=object)
    middles = np.array([[0.5, 0.5], [0.5, 1.5], [50.0, 50.0]])
    return Partition(
        "polygons", IDS, ("West", "East", "Far"), middles, np.ones(3, int), (None,) * 3, polygons=shapes
    )


def matched(true, ranked, probabilities) -> Matched:
    ids = [f"i{row}" for row in range(len(true))]
    unknown = pa.nulls(len(true), pa.float64())
    records = pa.table(
        {"image_id": ids, "place_id": ids, "latitude": unknown, "longitude": unknown,
         "country": pa.nulls(len(true), pa.string()), "cell": pa.array(true, pa.string())}
    )  # fmt: skip
    given = None if probabilities is None else np.array(probabilities, dtype=float)
    points = np.zeros((len(true), 2))
    return Matched(
        Predictions(np.array(ids, dtype=object), points, np.array(ranked, dtype=object), given),
        Truth(records),
    )


def test_the_mean_of_the_probabilities_of_a_cells_photos() -> None:
    answers = matched(
        ["west", "west", "east", None],
        [["west", "east"], ["east", "far"], ["east", None], ["west", "east"]],
        [[0.8, 0.2], [0.5, 0.1], [1.0, np.nan], [0.9, 0.1]],
    )
    west, east, far = neighbourhoods(answers, cells())
    assert (west["name"], west["n"], west["to"]) == ("West", 2, [[0, 0.4], [1, 0.35], [2, 0.05]])
    assert (east["n"], east["to"]) == (1, [[1, 1.0]])
    assert far["n"] == 0
    assert "to" not in far
    assert (far["shape"], far["at"]) == (None, [50.0, 50.0])
    assert shapely.Polygon(west["shape"][0][0]).equals(shapely.box(0, 0, 1, 1))  # type: ignore[index]


def test_without_probabilities_the_first_cell_counts() -> None:
    answers = matched(["west", "west"], [["west", "east"], ["far", "east"]], None)
    assert sorted(neighbourhoods(answers, cells())[0]["to"]) == [[0, 0.5], [2, 0.5]]  # type: ignore[call-overload]


def test_what_hardly_happens_is_left_out() -> None:
    answers = matched(["west"], [["west", "east"]], [[0.997, 0.003]])
    assert neighbourhoods(answers, cells())[0]["to"] == [[0, pytest.approx(0.997)]]
