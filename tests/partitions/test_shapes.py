"""Shapes of cells."""

import numpy as np
import pytest

from lostfound.partitions.shapes import westmost


@pytest.mark.parametrize(
    ("longitudes", "expected"),
    [
        ([10, 20, 30], (10, 20)),
        ([179, -179], (179, 2)),
        ([5], (5, 0)),
        ([-180, -90, 0, 80], (-180, 260)),
        ([-170, 0, 170], (0, 190)),
    ],
)
def test_the_smallest_arc_around_longitudes(longitudes, expected):
    assert westmost(np.array(longitudes, dtype=float)) == pytest.approx(expected)


def test_the_smallest_arc_around_intervals():
    starts, widths = np.array([170.0, -180.0, -100.0]), np.array([10.0, 5.0, 10.0])
    assert westmost(starts, widths) == pytest.approx((170, 100))
    assert westmost(np.array([-180.0]), np.array([360.0])) == (-180, 360)
