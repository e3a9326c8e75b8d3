"""Several answers to the same images: what is compared, what is refused, what the page says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from html_page import ATTACK, Page

from lostfound.data.dataset import Dataset
from lostfound.data.records import strings
from lostfound.errors import DatasetError, UsageError
from lostfound.evaluation.comparison import difference
from lostfound.evaluation.evaluate import Evaluation
from lostfound.evaluation.metrics import METRICS
from lostfound.evaluation.report.versus import Comparison, compare_answers
from lostfound.evaluation.report.versus_page import render_comparison, warnings, write_comparison
from lostfound.predict.predictions import Predictions

Report = Callable[..., Path]


def row(comparison: Comparison, metric: str, name: str):
    (found,) = [each for each in comparison.rows if (each.metric, each.name) == (metric, name)]
    return found


def change(report: Path, **about: object) -> Path:
    """A report whose metrics.json says something else."""
    file = report / "metrics.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | about))
    return report


# --- what is compared


@pytest.mark.slow
def test_the_others_are_compared_with_the_first_by_place(report: Report) -> None:
    a, b, c = report("a"), report("b", seed=1, off=0.5), report("c", seed=2)
    found = compare_answers([a, b, c])
    assert [each.name for each in found.answers] == ["a", "b", "c"]
    assert (found.shared, found.places, found.unit) == (96, 48, "image")
    near = row(found, "median_distance_km", "b")
    first = row(found, "median_distance_km", "a")
    assert first.difference is None
    samples = [METRICS["median_distance_km"].samples(each.matched) for each in found.answers]
    expected = difference([samples[1]], [samples[0]])
    assert near.difference == expected
    assert near.difference.value == pytest.approx(near.score.value - first.score.value)
    assert near.p_holm is not None
    assert near.difference.p <= near.p_holm < 0.05
    assert {each.metric for each in found.rows} >= {
        "top_1_accuracy",
        "radius_90_coverage",
        "area_under_risk_coverage",
    }
    assert warnings(found) == []


@pytest.mark.slow
def test_only_the_images_that_all_answered_count(report: Report) -> None:
    a, b = report("a"), report("b", seed=1, rows=slice(0, 30))
    found = compare_answers([a, b])
    assert found.shared == 30
    assert row(found, "geoguessr_score", "a").score.n == 30
    assert warnings(found) == [
        "They were not given the same images: only those that all answered count (a 96)."
    ]


def test_where_cells_differ_their_metrics_are_left_out(report: Report) -> None:
    a, b = report("a"), change(report("b", seed=1), cells_are="s2 12345678")
    found = compare_answers([a, b])
    assert set(found.left_out) == {
        *("top_1_accuracy", "top_3_accuracy", "top_5_accuracy", "balanced_accuracy"),
        "area_under_risk_coverage",
    }
    assert not {each.metric for each in found.rows} & set(found.left_out)
    assert "country_accuracy" in {each.metric for each in found.rows}
    assert "metrics of cells are left out: top-1 accuracy" in warnings(found)[0]
    assert "Risk by coverage" not in render_comparison(found)


def test_an_old_report_does_not_say_what_its_cells_are(report: Report) -> None:
    a, b = report("a"), report("b", seed=1)
    for each in (a, b):
        about = json.loads((each / "metrics.json").read_text())
        del about["cells_are"]
        (each / "metrics.json").write_text(json.dumps(about | {"cells": 4}))
    assert "top_1_accuracy" in compare_answers([a, b]).left_out


def test_reports_of_the_same_name_are_told_apart_by_their_folders(report: Report) -> None:
    a, b = report("a", by="model"), report("b", by="model", seed=1)
    assert [each.name for each in compare_answers([a, b]).answers] == [f"model ({a})", f"model ({b})"]


def test_a_file_of_predictions_is_judged_by_the_data_set(
    report: Report, dataset: Dataset, tmp_path: Path
) -> None:
    a = report("a")
    ids = strings(dataset.records, "image_id")[:40]
    person = Predictions(ids, np.tile([48.9, 2.4], (40, 1))).save(tmp_path / "ana.csv")
    found = compare_answers([a, person], dataset)
    assert [each.name for each in found.answers] == ["a", "ana"]
    assert found.shared == 40
    assert "top_1_accuracy" in found.left_out
    with pytest.raises(UsageError, match=r"ana\.csv is a file of predictions.*add --data DATASET"):
        compare_answers([a, person])


def test_cells_of_a_file_that_are_no_countries_are_not_judged(
    report: Report, dataset: Dataset, tmp_path: Path
) -> None:
    ids = strings(dataset.records, "image_id")
    cells = np.full((len(ids), 1), "4a01", dtype=object)
    file = Predictions(ids, np.zeros((len(ids), 2)), cells).save(tmp_path / "other.parquet")
    assert "top_1_accuracy" in compare_answers([report("a"), file], dataset).left_out


# --- what is refused


def test_bad_folders_are_refused_with_the_remedy(report: Report, tmp_path: Path) -> None:
    a = report("a")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"empty is no report, it has no metrics\.json: give a folder"):
        compare_answers([a, tmp_path / "empty"])
    with pytest.raises(DatasetError, match="nowhere is no report"):
        compare_answers([a, tmp_path / "nowhere"])
    b = report("b")
    (b / "predictions.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DatasetError, match="b can't be read as a report: evaluate again"):
        compare_answers([a, b])


def test_a_table_that_holds_no_predictions(report: Report) -> None:
    a, b = report("a"), report("b", seed=1)
    table = pq.read_table(b / "predictions.parquet")
    pq.write_table(table.drop_columns(["guess_latitude"]), b / "predictions.parquet")
    with pytest.raises(DatasetError, match=r"can't be read as a report.*guess_latitude"):
        compare_answers([a, b])


def test_one_report_or_the_same_twice(report: Report, tmp_path: Path) -> None:
    a = report("a")
    with pytest.raises(UsageError, match="two reports or more"):
        compare_answers([a])
    with pytest.raises(UsageError, match="a is given twice"):
        compare_answers([a, tmp_path / "x" / ".." / "a"])


def test_no_image_in_common(report: Report) -> None:
    a, b = report("a", rows=slice(0, 30)), report("b", rows=slice(30, None))
    with pytest.raises(DatasetError, match=r"share none of their images \(a: 30, b: 66\)"):
        compare_answers([a, b])


def test_images_and_places_are_not_mixed(report: Report) -> None:
    a, b = report("a"), change(report("b", seed=1), unit="place")
    with pytest.raises(UsageError, match=r"a by image, b by place.*--unit"):
        compare_answers([a, b])


def test_another_truth(report: Report) -> None:
    a, b = report("a"), report("b", seed=1)
    table = pq.read_table(b / "predictions.parquet")
    moved = table.column("latitude").to_numpy() + 1
    index = table.column_names.index("latitude")
    pq.write_table(table.set_column(index, "latitude", [moved]), b / "predictions.parquet")
    with pytest.raises(DatasetError, match="a and b say different things of where 96 images are"):
        compare_answers([a, b])


# --- the page, and a report read again


@pytest.mark.slow
def test_the_page_has_the_numbers_and_the_curves(report: Report, tmp_path: Path) -> None:
    found = compare_answers([report("a"), report("b", seed=1), report("c", seed=2)])
    path = write_comparison(found, tmp_path / "out" / "comparison.html")
    page = Page(path.read_text())
    assert page.texts("title") == ["a / b / c"]
    sections = [has["id"] for tag, has, _ in page.elements if tag == "section"]
    assert sections == ["short", "distance", "calibration", "risk"]
    assert len([1 for tag, *_ in page.elements if tag == "tr"]) == len(found.rows) + 1


def test_names_stay_texts(report: Report) -> None:
    found = compare_answers([report("a", by=ATTACK), report("b", seed=1)])
    page = Page(render_comparison(found))
    assert not page.texts("img")
    assert ATTACK in {text for *_, text in page.elements}


def test_plain_values_are_json(report: Report) -> None:
    values = compare_answers([report("a"), report("b", seed=1)]).as_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert values["answers"] == [{"name": "a", "images": 96}, {"name": "b", "images": 96}]


def test_a_report_is_read_as_it_was_written(measured: Evaluation, tmp_path: Path) -> None:
    again = Evaluation.load(measured.save(tmp_path / "report"))
    assert again.as_dict() == measured.as_dict()
    assert again.predictions.equals(measured.predictions)
