from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lostfound.collect.boxes import Box
from lostfound.errors import UsageError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3", "SOUTH,WEST,NORTH,EAST"),
        ("a,b,c,d", "SOUTH,WEST,NORTH,EAST"),
        ("10,2,5,3", "SOUTH must lie below NORTH"),
        ("10,170,11,-170", "crosses the date line"),
        ("10,2,95,3", "within -90 to 90"),
        ("nan,2,3,4", "SOUTH must lie below NORTH"),
    ],
)
def test_what_is_no_box_is_refused(text: str, message: str):
    with pytest.raises(UsageError, match=message):
        Box.read(text)


def test_the_whole_world_is_too_much():
    with pytest.raises(UsageError, match="searches"):
        Box.read("-90,-180,90,180").tiles()


@given(st.floats(-80, 79), st.floats(-170, 168), st.floats(0.001, 1), st.floats(0.001, 1))
def test_tiles_cover_a_box_once_and_are_small_enough(south: float, west: float, high: float, wide: float):
    box = Box(south, west, south + high, west + wide)
    tiles = box.tiles()
    assert all((tile.north - tile.south) * (tile.east - tile.west) < 0.01 for tile in tiles)
    area = sum((tile.north - tile.south) * (tile.east - tile.west) for tile in tiles)
    assert area == pytest.approx(high * wide, rel=1e-6)
    assert min(tile.south for tile in tiles) == south
    assert max(tile.east for tile in tiles) == pytest.approx(west + wide)


@given(st.floats(-90, 90), st.floats(-180, 179.99), st.floats(0.01, 5))
def test_a_box_around_a_place_holds_it_and_is_small_enough(lat: float, lon: float, half_km: float):
    box = Box.around(lat, lon, half_km)
    assert box.south <= lat <= box.north
    assert box.west <= lon <= box.east
    assert (box.north - box.south) * (box.east - box.west) < 0.01
