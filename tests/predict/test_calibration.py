"""Calibration: a known temperature is found again."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from lostfound.predict.calibration import fit_temperature


def drawn(temperature: float, n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and cells drawn with the probabilities that the logits mean at a temperature."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 3, (n, 5))
    shares = softmax(logits / temperature, axis=1)
    cells = (shares.cumsum(axis=1) < generator.random((n, 1))).sum(axis=1)
    return logits, cells


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 8.0])
def test_a_known_temperature_is_found(temperature: float) -> None:
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.12)


def test_images_outside_every_cell_have_no_say() -> None:
    logits, cells = drawn(2.0)
    expected = fit_temperature(logits, cells)
    with_others = np.concatenate([logits, 100 * np.eye(5)]), np.concatenate([cells, np.full(5, -1)])
    assert fit_temperature(*with_others) == expected


def test_without_images_nothing_is_changed() -> None:
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, dtype=np.int64)) == 1.0
    assert fit_temperature(np.ones((2, 3)), np.array([-1, -1])) == 1.0


@pytest.mark.parametrize(("cells", "limit"), [([0, 1, 2], 0.05), ([1, 2, 0], 20)])
def test_it_stays_within_bounds(cells: list[int], limit: float) -> None:
    """Always right would ask for zero, always wrong for infinity."""
    assert fit_temperature(np.eye(3), np.array(cells)) == pytest.approx(limit, rel=0.01)


def test_huge_logits_do_no_harm() -> None:
    assert np.isfinite(fit_temperature(1e5 * np.eye(3), np.array([0, 1, 0])))
