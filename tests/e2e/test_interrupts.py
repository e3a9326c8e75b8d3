"""Ctrl-C, sent as a terminal sends it (to all processes) and to the first process alone; then going on."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from PIL import Image

PHOTOS = 48


@pytest.fixture(scope="session")
def slow_photos(made_once) -> Path:
    """Photos that take a while to decode, named by their coordinates."""

    def build(folder: Path) -> None:
        folder.mkdir()
        Image.linear_gradient("L").resize((1800, 1200)).save(folder / "0.png")
        data = (folder / "0.png").read_bytes()
        (folder / "0.png").unlink()
        for number in range(PHOTOS):  # what follows the image's end makes them different files
            (folder / f"{number % 60}.5,{3 * number - 150}.5.png").write_bytes(data + bytes([number]))

    return made_once("slow_photos", build)


@pytest.fixture(scope="session")
def undisturbed(made_once, lostfound, slow_photos: Path) -> Path:
    """What an import of them gives that nobody stops."""

    def build(folder: Path) -> None:
        folder.mkdir()
        done = lostfound("import", slow_photos, "--to", "data", "--size", 64, cwd=folder)
        assert done.returncode == 0, done.stderr

    return made_once("import-undisturbed", build) / "data"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("whom", ["all", pytest.param("parent", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_import_goes_on_where_it_was_stopped(
    lostfound, start, tmp_path: Path, slow_photos: Path, undisturbed: Path, whom: str
):
    command = ("import", slow_photos, "--to", "data", "--size", 64, "--jobs", 2)
    running = start(*command, cwd=tmp_path)
    running.wait_until(lambda: len(list(tmp_path.glob("data/.import-*/*.parquet"))) >= 2)
    code, printed, said = running.press_ctrl_c(whom)
    assert code == 130
    assert "lostfound: stopped; what was finished is kept, and the same command goes on" in said
    assert "Traceback" not in said
    assert printed == ""

    unfinished = lostfound("stats", "data", cwd=tmp_path)
    assert unfinished.returncode == 1
    assert "did not finish; run the same" in unfinished.stderr

    parts = {path: path.stat().st_mtime_ns for path in tmp_path.glob("data/.import-*/*.parquet")}
    shards = {tmp_path / "data" / "images" / f"{path.parent.name[8:16]}-{path.stem}.tar" for path in parts}
    finished = {path: path.stat().st_mtime_ns for path in shards}
    again = lostfound(*command, cwd=tmp_path)
    assert again.returncode == 0
    assert "images imported" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in shards} == finished
    assert files(tmp_path / "data") == files(undisturbed)


SMALL = (
    *("--set", "input.size=[32, 32]", "--set", "trainer.batch_size=4", "--set", "task.min_images=2"),
    *("--set", "trainer.epochs=8", "--set", "trainer.device=cpu"),
    *("--set", "model.backbone=lostfound:cnn5", "--set", "model.options={width: 8}"),
)


def train(dataset: Path, workers: int) -> tuple[object, ...]:
    command = ("train", "demo", "--data", dataset, "--to", "model", *SMALL)
    return (*command, "--set", f"trainer.workers={workers}")


def stop_training(start, folder: Path, dataset: Path, whom: str) -> str:
    """Train until the first checkpoint; what it said."""
    running = start(*train(dataset, workers=1), cwd=folder)
    running.wait_until(lambda: list(folder.glob("model/run/**/last.ckpt")))
    code, _, said = running.press_ctrl_c(whom)
    assert code == 130
    assert "lostfound: stopped; the same command with --resume goes on" in said
    assert "Traceback" not in said
    assert "8/8" not in said
    return said


def epochs(said: str) -> list[int]:
    return [int(number) for number in re.findall(r"^epoch (\d+)/", said, flags=re.MULTILINE)]


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2])
def test_a_killed_training_takes_its_processes_along(
    start, tmp_path: Path, dataset_folder: Path, devices: int
):
    endless = ("--set", f"trainer.devices={devices}", "--set", "trainer.epochs=1000")
    command = (*train(dataset_folder, workers=1), *endless)
    here = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a script starts what it leaves in the background
    running = start(*command, cwd=tmp_path)
    signal.signal(signal.SIGINT, here)
    running.wait_until(lambda: list(tmp_path.glob("model/run/**/last.ckpt")))
    running.process.kill()
    running.wait()
    running.leaves_nothing_running()


def written(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["all", "parent"])
def test_train_that_was_stopped_is_left_alone_or_goes_on(
    lostfound, start, tmp_path: Path, dataset_folder: Path, whom: str
):
    said = stop_training(start, tmp_path, dataset_folder, whom)
    before = written(tmp_path)

    unfinished = lostfound("locate", dataset_folder, "--model", "model", cwd=tmp_path)
    assert unfinished.returncode == 1
    assert "the training did not finish" in unfinished.stderr
    assert "--resume" in unfinished.stderr
    again = lostfound(*train(dataset_folder, workers=1), cwd=tmp_path)
    assert again.returncode == 2
    assert "--resume" in again.stderr
    assert written(tmp_path) == before

    if whom == "all":  # what is left is the same
        again = lostfound(*train(dataset_folder, workers=1), "--resume", cwd=tmp_path)
        assert again.returncode == 0, again.stderr
        assert epochs(again.stderr)[-1] == 8
        last = (epochs(said) or [1])[-1]
        assert epochs(again.stderr)[0] in (last, last + 1)  # stopped while saying so
        assert (tmp_path / "model" / "README.md").is_file()
