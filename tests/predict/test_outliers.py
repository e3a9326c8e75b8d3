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
