"""What a report draws, against slow and obvious ways to it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lostfound.evaluation.matching import Matched, Truth
from lostfound.evaluation.report import numbers
from lostfound.predict.predictions import Predictions


def matched(truth, guesses, sure=None, points=None, guessed_points=None) -> Matched:
    n = len(truth)
    at = np.full((n, 2), np.nan) if points is None else np.array(points, dtype=float)
    ids = [f"i{row}" for row in range(n)]
    records = pa.table(
        {
            "image_id": ids,
            "place_id": ids,
            "latitude": pa.array(at[:, 0], from_pandas=True),
            "longitude": pa.array(at[:, 1], from_pandas=True),
            "country": pa.array(truth, pa.string()),
        }
    )
    guessed = np.zeros((n, 2)) if guessed_points is None else np.array(guessed_points, dtype=float)
    predictions = Predictions(
        np.array(ids, dtype=object),
        guessed,
        np.array(guesses, dtype=object)[:, None],
        None if sure is None else np.array(sure, dtype=float)[:, None],
    )
    return Matched(predictions, Truth(records))


def test_the_share_of_answers_within_a_distance(measured) -> None:
    answers = measured.matched()
    curve = numbers.distance_curve(answers, 1.0)
    assert curve is not None
    shares = [(answers.distance_km <= limit).mean() for limit in curve.at]
    assert curve.value == pytest.approx(shares)
    assert (curve.low <= curve.value + 1e-9).all()
    assert (curve.value <= curve.high + 1e-9).all()
    assert (curve.at[0], curve.value[-1]) == (pytest.approx(1.0), 1.0)


def test_without_coordinates_there_is_no_curve_of_distances() -> None:
    assert numbers.distance_curve(matched(["FR"], ["FR"]), 1.0) is None


@pytest.mark.parametrize(("km", "start"), [(0.001, 0.01), (0.5, 0.1), (15, 10), (4000, 10)])
def test_the_axis_begins_where_answers_do(km: float, start: float) -> None:
    degrees = km / 111.195
    answers = matched(["FR"] * 3, ["FR"] * 3, points=[[0, 0]] * 3, guessed_points=[[degrees, 0]] * 3)
    assert numbers.nearest_km(answers) == pytest.approx(start)


def test_risk_among_the_surest_and_ties_are_answered_together() -> None:
    answers = matched(["FR", "JP", "BR", "KE"], ["FR", "FR", "BR", "FR"], [0.9, 0.6, 0.6, 0.1])
    curve = numbers.risk_curve(answers)
    assert curve is not None
    assert curve.tolist() == [[0.25, 0.0], [0.75, pytest.approx(1 / 3)], [1.0, 0.5]]
    assert numbers.risk_curve(matched(["FR"], ["FR"])) is None


def test_bins_of_reliability_are_those_of_the_calibration_error(measured) -> None:
    bins = numbers.reliability(measured.matched())
    assert len(bins) == numbers.BINS
    total = sum(each.images for each in bins)
    error = sum(each.images * abs(each.accuracy - each.confidence) for each in bins) / total
    assert error == pytest.approx(measured.calibration_error)
    assert numbers.reliability(matched(["FR"], ["FR"])) == []


def test_a_row_for_each_true_country(measured) -> None:
    rows = numbers.by_country(measured, measured.matched())
    truth = measured.predictions["country"].to_pylist()
    guess = measured.predictions["guess_country"].to_pylist()
    assert {row.country for row in rows} == set(truth)
    assert [row.images for row in rows] == sorted((row.images for row in rows), reverse=True)
    for row in rows:
        own = [guessed for true, guessed in zip(truth, guess, strict=True) if true == row.country]
        assert row.images == len(own)
        assert row.places * 2 == row.images
        score = row.scores["country_accuracy"]
        assert score.value == pytest.approx(own.count(row.country) / len(own))
        assert score.low <= score.value <= score.high
        assert {"median_distance_km", "radius_50_coverage", "radius_90_coverage"} <= row.scores.keys()
        assert dict(row.taken_for) == {code: own.count(code) for code in set(own) - {row.country}}


def test_countries_stand_by_continent_and_the_rare_ones_together() -> None:
    truth = ["FR", "FR", "DE", "JP", "JP", "BR"]
    guess = ["FR", "DE", "DE", "FR", "US", None]
    found, groups = numbers.country_confusion(matched(truth, guess), most=2)
    assert found.classes == ["JP", "FR", "others Europe", "others North America", "others South America",
        "others no country"]  # fmt: skip
    assert groups == [1, 2, 1, 1, 1]
    assert found.counts.sum() == 6
    assert found.counts[1].tolist() == [0, 1, 1, 0, 0, 0]
    assert found.shares[0].tolist() == [0, 0.5, 0, 0.5, 0, 0]
    assert found.shares[3].sum() == 0, "no photo was taken there"


def test_continents_taken_for_continents() -> None:
    found = numbers.continent_confusion(matched(["FR", "DE", "JP"], ["DE", "JP", "JP"]))
    assert found.classes == ["Asia", "Europe"]
    assert found.counts.tolist() == [[1, 0], [1, 1]]


def test_what_each_true_class_was_taken_for() -> None:
    answers = matched(["FR", "FR", "FR", "JP"], ["FR", "JP", "JP", "FR"])
    expected = [("FR", 3, [("JP", 2), ("FR", 1)]), ("JP", 1, [("FR", 1)])]
    assert numbers.guesses_by_class(answers, by_cells=False) == expected
    assert numbers.guesses_by_class(answers, by_cells=True) == expected
