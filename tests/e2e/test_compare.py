"""`lostfound compare` and `tune` through the real command line: stopped, killed, and side by side."""

from __future__ import annotations

import csv
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

TINY = {
    "model.backbone": "lostfound:cnn5",
    "model.options": {"width": 8},
    "task.min_images": 2,
    "input.size": [32, 32],
    "trainer.epochs": 1,
    "trainer.batch_size": 16,
    "trainer.workers": 0,
    "trainer.device": "cpu",
    "trainer.loggers": ["csv"],
}
SET = [word for key, value in TINY.items() for word in ("--set", f"{key}={json.dumps(value)}")]
needs_optuna = pytest.mark.skipif(find_spec("optuna") is None, reason="the extra 'tune' is not installed")


@pytest.fixture
def study(tmp_path) -> Path:
    values = {
        "name": "tiny",
        "recipe": "demo",
        "seeds": [0],
        "set": TINY,
        "baseline": "plain",
        "variants": {"plain": {}, "broken": {"weights": "broken.safetensors"}, "started": {"from": "plain"}},
    }
    (tmp_path / "broken.safetensors").write_text("no weights")
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(values, sort_keys=False))
    return file


@pytest.fixture
def space(tmp_path) -> Path:
    file = tmp_path / "space.yaml"
    file.write_text("space: {optimizer.learning_rate: [0.01, 0.001]}\n")
    return file


def is_judged(folder: Path, entry: str) -> bool:
    return (folder / entry / "seed-0" / "judged-with.json").is_file()


@pytest.mark.slow
def test_a_study_that_is_stopped_and_then_killed_goes_on(lostfound, start, study, dataset_folder, tmp_path):
    out = tmp_path / "out"
    command = ("compare", study, "--data", dataset_folder, "--to", out)
    listed = lostfound(*command, "--dry-run")
    assert listed.returncode == 0, listed.stderr
    assert "0 of 3 runs are done." in listed.stdout
    assert not out.exists()

    running = start(*command, cwd=tmp_path)
    running.wait_until(lambda: is_judged(out, "plain"))
    code, printed, said = running.press_ctrl_c("all")
    assert (code, printed) == (130, "")
    assert "the same command goes on" in said
    model = out / "plain" / "seed-0" / "model" / "model.onnx"
    before = model.stat().st_mtime_ns

    running = start(*command, cwd=tmp_path)
    running.wait_until((out / "started" / "seed-0" / "model" / "run" / "checkpoints" / "last.ckpt").is_file)
    os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait()

    done = lostfound(*command, "--json")
    assert done.returncode == 1  # one of its runs fails
    assert "[1/3]" not in done.stderr
    assert "broken, seed 0 failed: " in done.stderr
    assert "[3/3] started, seed 0, going on" in done.stderr
    assert "1 of 3 runs failed; the same command tries them again" in done.stderr
    assert model.stat().st_mtime_ns == before
    found = json.loads(done.stdout)
    assert [each["entry"] for each in found["failed"]] == ["broken"]
    judged = {row["entry"] for row in found["results"] if row["estimate"]}
    assert judged == {"plain", "started"}
    assert json.loads((out / "results.json").read_text()) == found
    assert {"results.md", "results.csv", "results.png"} <= {path.name for path in out.iterdir()}
    assert "2 of 3 runs are done." in lostfound(*command, "--dry-run").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no study 'nothing': give a YAML file, or one of cities"),
        (["cities"], "one-view names no data set: give one with --data"),
        (["cities", "--set", "trainer.epoch=1"], "did you mean 'trainer.epochs'?"),
        (["cities", "--variant", "fast"], "has no variant 'fast'"),
    ],
)
@pytest.mark.slow
def test_wrong_usage_of_compare(lostfound, tmp_path, arguments, message):
    done = lostfound("compare", *arguments, "--to", tmp_path / "out")
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


def trials(folder: Path) -> list[dict[str, str]]:
    with (folder / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def begun(said: str) -> list[str]:
    return [line.partition("/")[0] for line in said.splitlines() if line.startswith("[")]


@pytest.mark.slow
@needs_optuna
def test_a_search_that_is_stopped_and_then_killed_goes_on(lostfound, start, space, dataset_folder, tmp_path):
    out = tmp_path / "out"
    command = ("tune", "demo", "--space", space, "--data", dataset_folder, "--to", out, *SET)
    running = start(*command, cwd=tmp_path)
    running.wait_until((out / "trials.csv").is_file)
    code, _, said = running.press_ctrl_c("all")
    assert code == 130
    assert "the same command goes on" in said
    running = start(*command, cwd=tmp_path)
    running.wait_until((out / "trials" / "0001" / "run" / "checkpoints" / "last.ckpt").is_file)
    os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait()
    done = lostfound(*command)
    assert done.returncode == 0, done.stderr
    assert begun(done.stderr) == ["[2"]  # the first was done, the second is repeated
    assert [row["state"] for row in trials(out)] == ["done"] * 2
    assert "Train with the best:" in done.stdout
    again = lostfound(*command)
    assert (again.stdout, begun(again.stderr)) == (done.stdout, [])


def run_two(begin, command: tuple[object, ...], folders: tuple[Path, Path]) -> None:
    """Two processes at once; each trial is run by one of them, and both end with the same table."""
    running = [begin(*command, "--to", folder) for folder in folders]
    printed = [process.communicate(timeout=240) for process in running]
    assert [process.returncode for process in running] == [0, 0], printed
    assert sorted(begun(printed[0][1]) + begun(printed[1][1])) == ["[1", "[2"]
    assert [row["state"] for row in trials(folders[0])] == ["done"] * 2
    assert trials(folders[0]) == trials(folders[1])


@pytest.mark.slow
@needs_optuna
def test_two_processes_share_a_search(begin, space, dataset_folder, tmp_path):
    command = ("tune", "demo", "--space", space, "--data", dataset_folder, *SET)
    run_two(begin, command, (tmp_path / "out", tmp_path / "out"))


@pytest.fixture
def postgresql() -> Iterator[str]:
    """The URL of a database of a server of our own."""
    pytest.importorskip("psycopg")
    tools = [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    if found := shutil.which("initdb"):
        tools.append(Path(found).resolve().parent)
    if not tools:
        pytest.skip("PostgreSQL is not installed")
    # The server refuses to run as root, and its socket's path must be short.
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="lf"))
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)

    def run(tool: str, *arguments: object) -> None:
        command = [str(tools[-1] / tool), *map(str, arguments)]
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user is not None else {}
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=300, **who)

    data = folder / "data"
    run("initdb", "-D", data, "-A", "trust", "-U", "lostfound")
    run("pg_ctl", "-D", data, "-o", f"-k {folder} -c listen_addresses=", "-l", folder / "log", "-w", "start")
    try:
        yield f"postgresql+psycopg://lostfound@/postgres?host={folder}"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


@pytest.mark.slow
@needs_optuna
def test_two_machines_share_a_search_on_a_server(begin, space, dataset_folder, tmp_path, postgresql):
    command = ("tune", "demo", "--space", space, "--data", dataset_folder, "--storage", postgresql, *SET)
    run_two(begin, command, (tmp_path / "one", tmp_path / "other"))


@needs_optuna
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--space", "nothing"], "no space 'nothing': give a YAML file, or one of lost-and-found, rates"),
        (
            ["--space", "rates", "--sampler", "grid"],
            "a grid takes a list of values for optimizer.learning_rate",
        ),
        (["--trials", "3"], "this grid has 15 trials"),
        (["--metric", "top1"], "no metric 'top1'"),
        (["--storage", "nonsense"], "not the URL of a database"),
        (["--weights", "nothing.safetensors"], "the weights nothing.safetensors do not exist"),
    ],
)
@pytest.mark.slow
def test_wrong_usage_of_tune(lostfound, dataset_folder, tmp_path, arguments, message):
    done = lostfound("tune", "demo", "--data", dataset_folder, "--to", tmp_path / "out", *arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
