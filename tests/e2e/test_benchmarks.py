"""Published predictions give the published lines, through the real command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

LIMITS = ("1_km_street", "25_km_city", "200_km_region", "750_km_country", "2500_km_continent")


@pytest.mark.data
@pytest.mark.parametrize(
    ("labels", "file", "line"),
    [
        ("im2gps_places365.csv", "im2gps/base_M-fstar.csv", "15.2/40.9/51.5/65.4/78.5"),
        ("im2gps_places365.csv", "im2gps/ISNs_M-fstar-S3.csv", "16.9/43.0/51.9/66.7/80.2"),
        ("im2gps3k_places365.csv", "im2gps3k/ISNs_M-fstar-S3.csv", "10.5/28.0/36.6/49.7/66.0"),
        ("im2gps3k_places365.csv", "im2gps3k/base_L-m.csv", "8.3/24.9/34.0/48.8/65.8"),
    ],
)
@pytest.mark.slow
def test_geoestimation(lostfound, real_data: Path, labels: str, file: str, line: str) -> None:
    folder = real_data / "benchmarks" / "geoestimation"
    run = lostfound(
        *("evaluate", "--predictions", folder / file, "--truth", folder / labels),
        *("--rules", "geoestimation", "--json"),
    )
    assert run.returncode == 0, run.stderr
    metrics = json.loads(run.stdout)["metrics"]
    assert "/".join(f"{100 * metrics[f'within_{limit}']['value']:.1f}" for limit in LIMITS) == line
    assert "bear each other's names" in run.stderr
    assert "no rows but a summary" in run.stderr


@pytest.mark.data
@pytest.mark.parametrize(
    ("columns", "score", "mean_km", "within", "countries", "regions"),
    [
        ([], 3290.73, 1456.37, [1, 6, 18, 33, 43], 33, 15),
        (
            ["--columns", "latitude=pred_lat_base,longitude=pred_lon_base"],
            1778.50,
            4195.74,
            [0, 0, 1, 13, 31],
            12,
            3,
        ),
    ],
)
@pytest.mark.slow
def test_fifty_images_of_osv5m(
    lostfound, real_data: Path, columns, score: float, mean_km: float, within, countries: int, regions: int
) -> None:
    file = real_data / "benchmarks" / "osv5m" / "select.csv"
    run = lostfound("evaluate", "--predictions", file, *columns, "--rules", "osv5m", "--json")
    assert run.returncode == 0, run.stderr
    metrics = json.loads(run.stdout)["metrics"]
    assert round(metrics["geoguessr_score"]["value"], 2) == score
    assert round(metrics["mean_distance_km"]["value"], 2) == mean_km
    assert [round(50 * metrics[f"within_{limit}"]["value"]) for limit in LIMITS] == within
    assert round(50 * metrics["country_accuracy_nearest_place"]["value"]) == countries
    # one more than was published: in the newer table of towns one point's nearest is another
    assert round(50 * metrics["region_accuracy_nearest_place"]["value"]) == regions


@pytest.mark.data
@pytest.mark.slow
def test_labels_alone_are_imported_and_scored_by(lostfound, real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "benchmarks" / "geoestimation"
    run = lostfound("import", folder, "--benchmark", "im2gps3k", "--to", tmp_path / "labels")
    assert run.returncode == 0, run.stderr
    assert "the labels of 2997 are kept" in run.stderr
    run = lostfound(
        *("evaluate", "--predictions", folder / "im2gps3k" / "base_M-fstar.csv"),
        *("--truth", tmp_path / "labels", "--to", tmp_path / "report"),
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "report" / "report.html").is_file()
    assert " 9.7 %" in run.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "nothing to measure"),
        (["model", "data", "--predictions", "p.csv"], "not both"),
        (["--predictions", "p.csv"], "add --truth"),
        (["--predictions", "p.csv", "--truth", "t.csv", "--rules", "mine"], "no rules 'mine'"),
        (["--predictions", "none.csv", "--truth", "t.csv"], "none.csv does not exist"),
    ],
)
@pytest.mark.slow
def test_wrong_usage_is_said(lostfound, tmp_path: Path, words: list[str], says: str) -> None:
    for name in ("p.csv", "t.csv"):
        (tmp_path / name).write_text("id,lat,lon\na,1.5,2.5\n")
    run = lostfound("evaluate", *words, cwd=tmp_path)
    assert run.returncode == 2
    assert says in run.stderr
    assert "Traceback" not in run.stderr
