"""The country of an answer: the cell's, or that of the point."""

from __future__ import annotations

import numpy as np

from lostfound.partitions import OUTSIDE, build_partition
from lostfound.predict.countries import guessed_countries, nearest_place_countries
from lostfound.predict.decoders import CellDecoder, PointDecoder, Ranked

PARIS, TOKYO, SEA = [48.86, 2.35], [35.68, 139.69], [-48.9, -123.4]


def test_a_cell_in_one_country_is_of_that_country() -> None:
    """Whatever holds the point it decodes to."""
    partition = build_partition("countries", np.array([PARIS, TOKYO]), ["JP", "FR"])
    ranked = CellDecoder(partition).read(np.eye(2), 2)
    found = guessed_countries(ranked, partition)
    assert found.tolist() == [partition.cell_ids[0], partition.cell_ids[1]]


def test_a_cell_without_a_country_goes_by_its_point() -> None:
    points = np.array([PARIS, PARIS, TOKYO, TOKYO])
    partition = build_partition("square", points, ["FR", "DE", "JP", "US"], cells=4)
    assert set(partition.countries) == {None}
    ranked = CellDecoder(partition).read(np.eye(len(partition)), 1)
    assert sorted(guessed_countries(ranked, partition)) == ["FR", "JP"]


def test_a_bare_point_is_of_the_country_that_holds_it() -> None:
    answers = PointDecoder()
    ranked = answers.read(answers.scale(np.array([PARIS, TOKYO, SEA])), 1)
    assert guessed_countries(ranked, None).tolist() == ["FR", "JP", None]


def test_what_has_neither_cell_nor_point_has_no_country() -> None:
    partition = build_partition("countries", np.array([PARIS]), ["FR"])
    ranked = Ranked(np.array([[OUTSIDE]]), np.array([[np.nan]]), np.full((1, 1, 2), np.nan))
    assert guessed_countries(ranked, partition).tolist() == [None]


def test_the_other_country_accuracy_goes_by_the_nearest_place() -> None:
    """Geneva's suburb in France: the polygon is France's, the nearest town Switzerland's."""
    points = np.array([PARIS, TOKYO, [46.200, 6.135]])
    assert nearest_place_countries(points).tolist() == ["FR", "JP", "CH"]
