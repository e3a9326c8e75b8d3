"""The cells that images are told apart by."""

from __future__ import annotations

import numpy as np
import pytest

from lostfound.errors import RecipeError
from lostfound.training.settings import CellSettings
from lostfound.training.tasks.cells import build_cells, in_cells, need_coordinates

POINTS = [[48.8, 2.3], [45.7, 4.8], [35.6, 139.7], [34.7, 135.5], [-1.3, 36.8]]
CODES = ["FR", "FR", "JP", "JP", "KE"]
NAN = float("nan")


def test_cells_have_the_images_they_were_built_from(images_at) -> None:
    partition = build_cells(CellSettings(min_images=2), images_at(POINTS, CODES))
    assert sorted(zip(partition.cell_ids, partition.counts.tolist(), strict=True)) == [("FR", 2), ("JP", 2)]


def test_a_cell_with_one_image_is_named_with_the_remedy(images_at) -> None:
    with pytest.raises(RecipeError, match=r"1 cell\(s\) have a single .* \(Kenya\): .*task\.min_images=2"):
        build_cells(CellSettings(min_images=1), images_at(POINTS, CODES))


def test_many_cells_with_one_image_are_not_all_named(images_at) -> None:
    codes = ["AT", "BE", "CH", "CZ", "DE", "DK", "ES", "FI", "FR", "GB", "GR", "HU"]
    with pytest.raises(RecipeError, match=r"12 cell\(s\) have .* and 2 more\)"):
        build_cells(CellSettings(), images_at([[50.0, float(each)] for each in range(12)], codes))


def test_one_cell_is_nothing_to_tell_apart(images_at) -> None:
    with pytest.raises(RecipeError, match=r"only one cell \(France\) has 2 training images or more"):
        build_cells(CellSettings(min_images=2), images_at(POINTS[:3], CODES[:3]))


def test_the_settings_are_the_partitions(images_at) -> None:
    settings = CellSettings(
        partition="cities", settings={"cities": ["Paris", "Tokyo"], "radius_km": 500}, min_images=2
    )
    partition = build_cells(settings, images_at(POINTS, CODES))
    assert (partition.kind, partition.names) == ("cities", ("Paris", "Tokyo"))


def test_a_city_without_images_is_named_with_the_remedy(images_at) -> None:
    """It was asked for by name, so it must not vanish."""
    cities = {"cities": ["Paris", "Tokyo", "Nairobi", "Cairo"], "radius_km": 500}
    settings = CellSettings(partition="cities", settings=cities, min_images=2)
    with pytest.raises(
        RecipeError, match=r"2 of the 4 cities have fewer than 2 .* \(Nairobi, Cairo\): leave"
    ):
        build_cells(settings, images_at(POINTS, CODES))


def test_images_in_no_cell_are_left_out_and_counted_by_country(images_at) -> None:
    train = images_at([*POINTS, [-2.0, 37.0], [64.1, -21.9]], [*CODES, "KE", "IS"])
    partition = build_cells(CellSettings(min_images=2), images_at(POINTS[:4], CODES[:4]))
    kept, cells, left_out = in_cells(partition, train)
    assert kept.places.tolist() == ["p0", "p1", "p2", "p3"]
    assert [partition.cell_ids[cell] for cell in cells] == ["FR", "FR", "JP", "JP"]
    assert left_out == [("KE", 2), ("IS", 1)]


def test_images_without_coordinates_are_refused_with_the_remedy(images_at) -> None:
    some = images_at([*POINTS[:3], [NAN, NAN]], CODES[:4])
    with pytest.raises(RecipeError, match=r"1 of the 4 training images .* which magic needs: .*located=true"):
        need_coordinates(some, "magic")
    need_coordinates(some.take(np.arange(3)), "magic")
