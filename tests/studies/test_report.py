from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lostfound.evaluation.comparison import Difference, Estimate
from lostfound.studies.report import markdown, verdict, write_report
from lostfound.studies.results import ResultRow, StudyResults
from lostfound.studies.study import Claim, load_study

PLAIN = Estimate(0.5, 0.4, 0.6, [0.45, 0.55], 0.0707, 30, 15)
FASTER = Estimate(0.625, 0.5, 0.7, [0.6, 0.65], 0.0354, 30, 15)


def outcome(write_study, **changes) -> StudyResults:
    study = load_study(
        write_study(
            metrics=["country_accuracy", "median_distance_km"],
            **{"claims": {"faster": "Faster is better."}, **changes},
        )
    )
    rows = [
        ResultRow("country_accuracy", "plain", [0, 1], PLAIN, None, None, "image"),
        ResultRow(
            "country_accuracy",
            "faster",
            [0, 1],
            FASTER,
            Difference(0.125, 0.05, 0.2, 0.0004, 15),
            0.0123,
            "place",
        ),
        ResultRow("median_distance_km", "plain", [0, 1], None, None, None, "image"),
        ResultRow("median_distance_km", "faster", [], None, None, None, None),
    ]
    return StudyResults(study, rows, {("faster", 2, None): "the loss\nbecame nan"}, [("plain", 2, None)])


def test_the_table(write_study):
    lines = markdown(outcome(write_study)).splitlines()
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    assert table[0] == [
        "metric", "entry", "value", "95 % interval", "spread", "difference", "its 95 % interval", "p",
        "p (Holm)", "seeds", "scored",
    ]  # fmt: skip
    assert table[1][:6] == ["country accuracy (%)", "plain", "50.0", "40.0 to 60.0", "7.1", "-"]
    assert table[1][-2:] == ["2", "30 images of 15 places"]
    assert table[2][2:9] == [
        "62.5", "50.0 to 70.0", "3.5", "+12.5", "+5.0 to +20.0", "< 0.001", "0.012",
    ]  # fmt: skip
    assert table[2][-1] == "15 places"
    assert set(table[3][2:9]) == {"-"}


@pytest.mark.parametrize(
    ("change", "p", "expects", "verdict_is"),
    [
        (0.1, 0.04, "better", "holds here, by country accuracy (%) on 15 places"),
        (0.1, 0.04, "worse", "the opposite holds here, by country accuracy (%) on 15 places"),
        (-0.1, 0.04, "worse", "holds here, by country accuracy (%) on 15 places"),
        (0.1, 0.05, "better", "not to be told here, by country accuracy (%) on 15 places"),
    ],
)
def test_whether_a_claim_holds(write_study, change, p, expects, verdict_is):
    found = outcome(write_study)
    row = replace(found.rows[1], difference=Difference(change, 0.0, 0.2, p, 15), p_holm=p)
    claim = Claim(says="x", expects=expects)
    assert verdict(replace(found, rows=[row]), "faster", claim) == verdict_is


def test_fewer_kilometres_are_better(write_study):
    nearer = ResultRow(
        "median_distance_km", "faster", [0], PLAIN, Difference(-9, -19, -1, 0.01, 15), 0.01, "image"
    )
    claim = Claim(says="x", expects="better", metric="median_distance_km")
    found = replace(outcome(write_study), rows=[nearer])
    assert verdict(found, "faster", claim) == "holds here, by median distance (km) on 15 places"


def test_a_claim_about_what_was_not_measured(write_study):
    claim = Claim(says="x", expects="better", metric="median_distance_km")
    assert verdict(outcome(write_study), "faster", claim) == "not measured by median distance (km)"


def test_the_verdict_stands_below_its_claim(write_study):
    text = markdown(outcome(write_study, claims={"faster": {"says": "Faster is good.", "expects": "better"}}))
    assert "- **faster**: Faster is good.\n  - Holds here, by country accuracy (%) on 15 places.\n" in text


def test_the_question_comes_first(write_study):
    text = markdown(outcome(write_study, about="Is faster better?"))
    assert text.split("\n\n")[1] == "Is faster better?"


def test_claims_stand_beside_what_was_measured(write_study):
    text = markdown(outcome(write_study))
    assert (
        "- **faster**: Faster is better.\n"
        "  - country accuracy (%): 62.5, +12.5 to plain [+5.0 to +20.0], p (Holm) 0.012\n" in text
    )


def test_what_failed_and_what_is_missing(write_study):
    text = markdown(outcome(write_study))
    assert "- faster, seed 2: the loss became nan\n" in text
    assert "Yet to be run: plain seed 2." in text


def test_the_files_agree(write_study, tmp_path):
    write_report(outcome(write_study), tmp_path / "out")
    written = json.loads((tmp_path / "out" / "results.json").read_text())
    assert written["results"][1]["difference"]["p"] == 0.0004
    assert written["failed"] == [{"entry": "faster", "seed": 2, "message": "the loss\nbecame nan"}]
    assert written["study"]["baseline"] == "plain"
    with (tmp_path / "out" / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["metric"], row["entry"]) for row in rows] == [
        (each["metric"], each["entry"]) for each in written["results"]
    ]
    assert rows[1]["difference"] == "0.125"
    assert rows[1]["p_holm"] == "0.0123"
    assert rows[3]["value"] == ""
    assert (tmp_path / "out" / "results.md").read_text() == markdown(outcome(write_study))


def test_the_picture_shows_each_entry(write_study, tmp_path):
    write_report(outcome(write_study), tmp_path / "out")
    with Image.open(tmp_path / "out" / "results.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    blue = (pixels[..., 2] - pixels[..., 0] > 100).sum()
    assert blue > 50  # the entry's point and bar; the baseline is grey


def test_no_picture_of_nothing(write_study, tmp_path):
    found = outcome(write_study)
    empty = StudyResults(found.study, found.rows[2:], found.failed, found.missing)
    write_report(empty, tmp_path / "out")
    assert not (tmp_path / "out" / "results.png").exists()
