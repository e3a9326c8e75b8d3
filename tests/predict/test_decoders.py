"""What outputs mean: ranked cells with probabilities, and points on the Earth."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from lostfound.geo.sphere import haversine_km, offsets_km
from lostfound.partitions import Partition, build_partition
from lostfound.predict.decoders import CellDecoder, HybridDecoder, PointDecoder, build_decoder

POINTS = np.array([[48.8, 2.3], [45.7, 4.8], [35.6, 139.7], [-1.3, 36.8], [-2.0, 37.5]])
CODES = ["FR", "FR", "JP", "KE", "KE"]
CELLS = ["FR", "JP", "KE"]


@pytest.fixture(scope="module")
def partition() -> Partition:
    return build_partition("countries", POINTS, CODES)


# --- cells


def test_cells_are_ranked_by_their_probability(partition: Partition) -> None:
    outputs = np.array([[0.0, 2.0, 1.0], [3.0, -1.0, 0.0]], dtype=np.float32)
    ranked = CellDecoder(partition, temperature=2.0).decode(outputs, 2)
    assert ranked.cells.tolist() == [[CELLS[1], CELLS[2]], [CELLS[0], CELLS[2]]]
    shares = softmax(outputs.astype(np.float64) / 2, axis=1)
    assert ranked.probabilities == pytest.approx(np.array([shares[0, [1, 2]], shares[1, [0, 2]]]))
    assert np.array_equal(ranked.points, partition.centroids[[1, 0]])
    assert ranked.ids.tolist() == ["0", "1"]


@pytest.mark.parametrize(("top", "expected"), [(0, 1), (1, 1), (3, 3), (9, 3)])
def test_there_is_one_answer_at_least_and_no_more_than_cells(
    partition: Partition, top: int, expected: int
) -> None:
    ranked = CellDecoder(partition).decode(np.zeros((4, 3)), top)
    assert ranked.cells.shape == ranked.probabilities.shape == (4, expected)
    assert ranked.points.shape == (4, 2)


def test_the_temperature_changes_no_rank(partition: Partition) -> None:
    outputs = np.random.default_rng(0).normal(size=(50, 3))
    one, other = (CellDecoder(partition, heat).decode(outputs, 3) for heat in (0.3, 7.0))
    assert np.array_equal(one.cells, other.cells)
    assert (one.probabilities[:, 0] > other.probabilities[:, 0]).all()


# --- a cell and the offset in it


@pytest.fixture(scope="module")
def hybrid(partition: Partition) -> HybridDecoder:
    return HybridDecoder(partition, np.array([300.0, 50.0, 200.0]), temperature=2.0)


def test_without_an_offset_the_answer_is_the_cells_point(hybrid: HybridDecoder) -> None:
    assert hybrid.width == 9
    outputs = np.concatenate([np.array([[1.0, 3.0, 2.0]]), np.zeros((1, 6))], axis=1)
    ranked = hybrid.decode(outputs, 3)
    plain = CellDecoder(hybrid.partition, 2.0).decode(outputs[:, :3], 3)
    assert ranked.cells.tolist() == [[CELLS[1], CELLS[2], CELLS[0]]]
    assert np.array_equal(ranked.probabilities, plain.probabilities)
    assert ranked.points == pytest.approx(plain.points)
    assert ranked.cell_points[0] == pytest.approx(hybrid.partition.centroids[[1, 2, 0]])


def test_each_cell_is_left_to_the_north_and_east(hybrid: HybridDecoder) -> None:
    """tanh(z) of the cell's radius: half of 300 km to the north, all of 50 km to the west."""
    offsets = np.array([[np.arctanh(0.5), 0.0], [0.0, -50.0], [0.0, 0.0]])
    outputs = np.concatenate([[3.0, 2.0, 1.0], offsets.ravel()])[None]
    ranked = hybrid.decode(outputs, 3)
    assert ranked.cells.tolist() == [CELLS]
    found = offsets_km(hybrid.partition.centroids, ranked.cell_points[0])
    assert found == pytest.approx(np.array([[150, 0], [0, -50], [0, 0]]), abs=1e-6)


@given(st.lists(st.floats(-30, 30), min_size=9, max_size=9))
def test_a_point_stays_in_reach_of_its_cell(outputs: list[float]) -> None:
    cells = build_partition("countries", POINTS, CODES)
    radii = np.array([300.0, 50.0, 200.0])
    ranked = HybridDecoder(cells, radii).decode(np.array([outputs]), 3)
    numbers = [cells.cell_ids.index(each) for each in ranked.cells[0]]
    km = haversine_km(cells.centroids[numbers], ranked.cell_points[0])
    assert (km <= 2**0.5 * radii[numbers] + 1e-6).all()


# --- bare points

SCALINGS = [
    PointDecoder(),
    PointDecoder("bounds", (40.0, -10.0), (30.0, 50.0)),
    PointDecoder("bounds", (-20.0, 170.0), (20.0, 40.0)),  # over the date line
    PointDecoder("origin", (50.0, 10.0), (10.0, 10.0)),
    PointDecoder("origin", (0.0, 179.0), (10.0, 10.0)),
]


@pytest.mark.parametrize("answers", SCALINGS, ids=lambda each: f"{each.scaling} {each.corner}")
@given(share=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_scaled_point_is_read_as_itself(answers: PointDecoder, share: tuple[float, float]) -> None:
    """Anywhere within the bounds, on both sides of the date line."""
    south, west = answers.corner if answers.scaling != "unit_vector" else (-89.0, -180.0)
    span = answers.span if answers.scaling != "unit_vector" else (178.0, 360.0)
    longitude = west + share[1] * span[1]
    point = np.array([[south + share[0] * span[0], (longitude + 180) % 360 - 180]])
    outputs = answers.scale(point)
    assert outputs.shape == (1, answers.width)
    ranked = answers.decode(outputs, 5)
    assert float(haversine_km(ranked.points[0], point[0])) < 1e-3
    assert (ranked.points[..., 1] >= -180).all()
    assert (ranked.points[..., 1] < 180).all()
    if answers.scaling == "bounds":
        assert (outputs > -1e-9).all()
        assert (outputs < 1 + 1e-9).all()


def test_a_bare_point_has_no_cell_and_no_probability() -> None:
    ranked = PointDecoder().decode(np.array([[0.0, 0.0, 3.0], [0.2, 0.0, 0.0]]), 5)
    assert ranked.cells is None
    assert ranked.probabilities is None
    assert ranked.points == pytest.approx(np.array([[90.0, 0.0], [0.0, 0.0]]))


def test_an_answer_beyond_the_pole_is_the_pole_and_longitudes_go_round() -> None:
    points = (
        PointDecoder("origin", (50.0, 170.0), (10.0, 10.0))
        .decode(np.array([[5.0, 2.0], [-20, -40]]), 1)
        .points
    )
    assert points.tolist() == [[90.0, -170.0], [-90.0, 130.0]]


def test_one_scaled_degree_is_what_the_recipe_says() -> None:
    """GeoTrainr: the origin at 50° N 10° E, an output of 1 for 10 degrees."""
    answers = PointDecoder("origin", (50.0, 10.0), (10.0, 10.0))
    assert answers.scale(np.array([[60.0, 5.0]])).tolist() == [[1.0, -0.5]]


# --- written and read again


def test_answers_survive_being_written(partition: Partition, hybrid: HybridDecoder) -> None:
    outputs = np.random.default_rng(0).normal(size=(6, 9))
    for answers in (CellDecoder(partition, 2.0), hybrid, *SCALINGS):
        stored = json.loads(json.dumps(answers.as_dict()))
        again = build_decoder(stored, answers.partition, 2.0)
        assert type(again) is type(answers)
        assert again.width == answers.width
        one, other = (each.decode(outputs[:, : answers.width], 2) for each in (answers, again))
        assert np.array_equal(one.points, other.points)
        assert (one.probabilities is None) == (other.probabilities is None)
        if one.probabilities is not None:
            assert np.array_equal(one.probabilities, other.probabilities)


@pytest.mark.parametrize(
    ("values", "with_cells", "error"),
    [
        ({"kind": "cells"}, False, "needs its partition"),
        ({"kind": "hybrid", "radii_km": [1.0]}, True, "a radius for each"),
        ({"kind": "oracle"}, True, "unknown kind 'oracle': update"),
    ],
)
def test_what_cannot_be_read_says_why(
    partition: Partition, values: dict[str, object], with_cells: bool, error: str
) -> None:
    with pytest.raises(ValueError, match=error):
        build_decoder(values, partition if with_cells else None, 1.0)
