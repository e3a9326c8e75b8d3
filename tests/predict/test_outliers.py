"""How strange photos are by their features."""

from __future__ import annotations

import numpy as np
import pytest

from lostfound.predict.outliers import FEWEST, Outliers


def features(n: int, seed: int) -> np.ndarray:
    """Of photos that differ along three of forty channels."""
    generator = np.random.default_rng(seed)
    mixed = generator.normal(size=(n, 3)) @ np.random.default_rng(99).normal(size=(3, 40))
    return 5 + mixed + generator.normal(0, 0.1, (n, 40))


def test_the_like_are_about_one_and_others_far() -> None:
    outliers = Outliers.fit(features(500, 0), components=8)
    like = outliers.strangeness(features(200, 1))
    assert np.median(like) == pytest.approx(1, abs=0.3)
    other = features(50, 2) + np.random.default_rng(3).normal(0, 2, (50, 40))
    assert outliers.strangeness(other).min() > np.quantile(like, 0.99)


def test_it_does_not_depend_on_how_bright_the_features_are() -> None:
    outliers = Outliers.fit(features(100, 0))
    some = features(10, 1)
    assert outliers.strangeness(3 * some) == pytest.approx(outliers.strangeness(some))


def test_arrays_bring_it_back() -> None:
    outliers = Outliers.fit(features(300, 0))
    again = Outliers.of(outliers.as_arrays())
    assert again is not None
    some = features(20, 4)
    assert again.strangeness(some) == pytest.approx(outliers.strangeness(some), rel=0.05)
    assert Outliers.of({}) is None


def test_few_images_and_no_features_are_met() -> None:
    with pytest.raises(ValueError, match=f"{FEWEST} or more"):
        Outliers.fit(features(FEWEST - 1, 0))
    outliers = Outliers.fit(features(FEWEST, 0))
    assert np.isfinite(outliers.strangeness(np.zeros((1, 40)))).all()


def rooms(n: int, seed: int) -> np.ndarray:
    """Features no farther off than some photos' are, but all in one corner."""
    generator = np.random.default_rng(seed)
    along = np.array([1.8, -1.2, 0.9]) + generator.normal(0, 0.3, (n, 3))
    mixed = along @ np.random.default_rng(99).normal(size=(3, 40))
    return 5 + mixed + generator.normal(0, 0.1, (n, 40))


def test_pictures_of_no_place_are_told_from_photos_once_it_was_shown_some() -> None:
    blind = Outliers.fit(features(500, 0), components=8)
    shown = blind.shown(features(500, 0), rooms(60, 5))
    photos, others = features(300, 6), rooms(300, 7)
    bar = np.quantile(blind.strangeness(photos), 0.98)
    assert (blind.strangeness(others) > bar).mean() < 0.5
    assert (shown.strangeness(others) > bar).mean() > 0.9
    assert (shown.strangeness(photos) > bar).mean() < 0.1
    less = shown.strangeness(photos) < blind.strangeness(photos) - 1e-9
    assert not less.any()  # nobody becomes less strange by it


def test_what_was_shown_comes_back_from_arrays() -> None:
    shown = Outliers.fit(features(300, 0)).shown(features(300, 0), rooms(60, 5))
    again = Outliers.of(shown.as_arrays())
    assert again is not None
    some = rooms(40, 8)
    assert again.strangeness(some) == pytest.approx(shown.strangeness(some), rel=0.05)
    assert sum(each.nbytes for each in shown.as_arrays().values()) < 41 * 2 + 300 + 40 * 20 * 2


def test_it_still_knows_them_where_its_photos_are_others() -> None:
    shown = Outliers.fit(features(300, 0)).shown(features(300, 0), rooms(60, 5))
    other = Outliers.fit(features(200, 9) + 0.02)
    kept, some = other.as_shown(shown), rooms(40, 8)
    factor = kept.strangeness(some) / other.distance(some)
    assert factor == pytest.approx(shown.strangeness(some) / shown.distance(some), rel=1e-4)


def test_few_pictures_of_no_place_are_refused() -> None:
    with pytest.raises(ValueError, match=f"{FEWEST - 1} pictures of a kind"):
        Outliers.fit(features(100, 0)).shown(features(100, 0), rooms(FEWEST - 1, 1))


def test_which_are_many_counts_for_nothing() -> None:
    blind = Outliers.fit(features(400, 0))
    few = blind.shown(features(400, 0), rooms(40, 1))
    same = blind.shown(features(400, 0), np.concatenate([rooms(40, 1)] * 5))
    assert few.placeless is not None
    assert same.placeless is not None
    assert same.placeless == pytest.approx(few.placeless, abs=0.02 * float(np.abs(few.placeless).max()))
