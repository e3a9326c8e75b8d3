"""The demo that trains, small: stopped, gone on with, and run again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

COMMAND = ("demo", "--train", "--places", 50, "--epochs", 1)


@pytest.fixture(scope="session")
def demo(made_once, lostfound) -> Path:
    """The folder where a demo ran to its end; what it printed is in said.json."""

    def build(folder: Path) -> None:
        folder.mkdir()
        done = lostfound(*COMMAND, cwd=folder)
        assert done.returncode == 0, done.stderr
        (folder / "said.json").write_text(json.dumps([done.stdout, done.stderr]))

    return made_once("demo-trained", build)


def listed(said: str) -> dict[str, str]:
    """The paths that a demo prints at its end."""
    return dict(re.findall(r"^  (\w+) +(\S+)$", said.partition("Done in")[2], flags=re.MULTILINE))


@pytest.mark.slow
def test_it_leaves_a_model_a_report_and_a_map_and_prints_where(demo: Path):
    said, _ = json.loads((demo / "said.json").read_text())
    paths = listed(said)
    assert set(paths) == {"Model", "Report", "Map"}
    assert {path.name for path in (demo / paths["Report"]).parent.iterdir()} == {
        *("report.html", "metrics.json", "predictions.parquet", "confusion.png"),
    }
    assert (demo / paths["Model"] / "model.onnx").is_file()
    page = (demo / paths["Map"]).read_text()
    assert page.lower().startswith("<!doctype html>")
    assert "generated world" in page


@pytest.mark.slow
def test_it_tells_its_steps_and_that_it_is_synthetic(demo: Path):
    said, errors = json.loads((demo / "said.json").read_text())
    assert re.findall(r"^== (\d)/6", said, flags=re.MULTILINE) == ["1", "2", "3", "4", "5", "6"]
    assert "synthetic" in said
    assert "top-1 accuracy" in said
    assert "Traceback" not in errors


@pytest.mark.slow
def test_its_model_card_says_synthetic(demo: Path):
    assert "synthetic" in (demo / "lostfound-demo-trained" / "model" / "README.md").read_text()


@pytest.mark.slow
def test_its_new_photos_were_never_trained_on(demo: Path):
    folder = demo / "lostfound-demo-trained"
    trained, new = (
        {path.read_bytes() for path in (folder / name / "images").iterdir()}
        for name in ("generated-world", "new-photos")
    )
    assert new
    assert trained & new == set()


@pytest.mark.slow
def test_again_it_does_nothing_twice(demo: Path, lostfound):
    graph = demo / "lostfound-demo-trained" / "model" / "model.onnx"
    before = graph.stat().st_mtime_ns
    again = lostfound(*COMMAND, cwd=demo)
    assert again.returncode == 0, again.stderr
    assert "from an earlier run" in again.stdout
    assert graph.stat().st_mtime_ns == before
    assert listed(again.stdout) == listed(json.loads((demo / "said.json").read_text())[0])


@pytest.mark.slow
def test_other_settings_are_refused(demo: Path, lostfound):
    done = lostfound("demo", "--train", "--places", 70, "--epochs", 1, cwd=demo)
    assert done.returncode == 2
    assert "other settings" in done.stderr
    assert "--to" in done.stderr


def test_it_takes_no_photos(tmp_path: Path, lostfound):
    done = lostfound("demo", "--train", "--photos", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "leave --photos out" in done.stderr


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, lostfound):
    (tmp_path / "thesis.txt").write_text("years of work")
    done = lostfound("demo", "--train", "--to", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "choose another folder with --to" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.slow  # the steps go on one by one in test_interrupts
def test_it_goes_on_where_it_was_stopped(lostfound, start, demo: Path, tmp_path: Path):
    running = start(*COMMAND, cwd=tmp_path)
    running.wait_until((tmp_path / "lostfound-demo-trained" / "model" / "run" / "run.json").is_file)
    code, printed, said = running.press_ctrl_c("all")
    assert code == 130
    assert "the same command goes on" in said
    assert "Traceback" not in said
    assert "Done in" not in printed
    again = lostfound(*COMMAND, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    found, expected = (
        json.loads((folder / "lostfound-demo-trained" / "report" / "metrics.json").read_text())["metrics"]
        for folder in (tmp_path, demo)
    )
    assert found == expected
