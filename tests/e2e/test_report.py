"""`lostfound evaluate --to` and `lostfound report`, through the real command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def reports(lostfound, model_folder: Path, dataset_folder: Path, made_once) -> list[Path]:
    """The model on its test images, and on all."""

    def build(folder: Path) -> None:
        for split in ("test", "all"):
            to = folder / split
            run = lostfound("evaluate", model_folder, dataset_folder, "--split", split, "--to", to)
            assert run.returncode == 0, run.stderr
            assert str(to / "report.html") in run.stderr

    folder = made_once("reports", build)
    return [folder / "test", folder / "all"]


@pytest.mark.slow
def test_a_report_is_a_page_beside_its_numbers(reports: list[Path]) -> None:
    for folder in reports:
        assert {each.name for each in folder.iterdir()} == {
            *("report.html", "metrics.json", "predictions.parquet", "confusion.png")
        }
    page = (reports[0] / "report.html").read_text(encoding="utf-8")
    assert 'http-equiv="Content-Security-Policy"' in page
    assert 'src="data:image/jpeg;base64,' in page


@pytest.mark.slow
def test_two_reports_are_compared(lostfound, reports: list[Path], tmp_path: Path) -> None:
    run = lostfound("report", *reports, "--to", tmp_path / "comparison")
    assert run.returncode == 0, run.stderr
    for name in ("test", "all"):
        assert f"model ({reports[0].parent / name})" in run.stdout
    assert "only those that all answered count" in run.stdout
    assert (tmp_path / "comparison" / "comparison.html").is_file()


@pytest.mark.slow
def test_json_for_machines(lostfound, reports: list[Path]) -> None:
    run = lostfound("report", *reports, "--json")
    values = json.loads(run.stdout)
    numbers = [each["difference"]["value"] for each in values["metrics"] if each["difference"]]
    assert numbers
    assert set(numbers) == {0.0}, "it is the same model on the same images"


@pytest.mark.parametrize(
    ("second", "code", "says"),
    [
        ("the same", 2, "is given twice"),
        ("nothing", 2, "needs two reports or more"),
        ("the data set", 1, "is no report, it has no metrics.json"),
    ],
)
@pytest.mark.slow
def test_what_is_refused(
    lostfound, reports: list[Path], dataset_folder: Path, second: str, code: int, says: str
) -> None:
    others = {"the same": [reports[0]], "nothing": [], "the data set": [dataset_folder]}
    run = lostfound("report", reports[0], *others[second])
    assert (run.returncode, run.stdout) == (code, "")
    assert says in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.slow
def test_a_persons_answers_beside_the_model(
    lostfound, reports: list[Path], dataset_folder: Path, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    ids = pq.read_table(reports[0] / "predictions.parquet")["image_id"].to_pylist()
    file = tmp_path / "ana.csv"
    lines = [f"{each},48.9,2.4" for each in ids]
    file.write_text("\n".join(["image_id,guess_latitude,guess_longitude", *lines]) + "\n")
    run = lostfound("report", reports[0], file, "--data", dataset_folder)
    assert run.returncode == 0, run.stderr
    assert "ana" in run.stdout
    assert "metrics of cells are left out" in run.stdout
