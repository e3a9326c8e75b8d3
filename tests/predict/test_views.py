"""Averages of views: by hand, whatever order they come in."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lostfound.predict.views import mean_of_views


@given(st.lists(st.tuples(st.sampled_from("ABCD"), st.integers(-100, 100)), min_size=1, max_size=20))
def test_each_place_is_the_mean_of_its_views(rows: list[tuple[str, int]]) -> None:
    places = np.array([place for place, _ in rows], dtype=object)
    values = np.array([[value, -value] for _, value in rows], dtype=np.float32)
    means, first = mean_of_views(values, places)
    names = sorted(set(places))
    assert places[first].tolist() == names
    assert first.tolist() == [places.tolist().index(name) for name in names]
    for name, mean in zip(names, means, strict=True):
        assert np.allclose(mean, values[places == name].mean(axis=0), atol=1e-4)
