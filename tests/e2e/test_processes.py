"""Several processes that train together, through the command line: as one would have, to rounding."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fork_server import Started
from safetensors.numpy import load_file

pytestmark = pytest.mark.slow

# Layer normalisation: batch normalisation sees each process's share of a batch alone.
SETTINGS = [
    "task.min_images=2",
    "input.size=[32, 32]",
    "model={backbone: test_vit, options: {img_size: 32}}",
    "augmentation={crop_scale: [0.5, 1], color_jitter: {hue: 0.1}}",
    "optimizer={name: sgd, learning_rate: 0.01, gradient_clip: 1}",
    "trainer={epochs: 2, batch_size: 16, device: cpu, workers: 0, ema: 0.9}",
]
PATIENCE = 300  # seconds until a process is held to hang


def options(*more: str) -> list[str]:
    return [part for each in (*SETTINGS, *more) for part in ("--set", each)]


def metrics(model: Path, name: str) -> list[float]:
    (file,) = (model / "run" / "csv").glob("*/metrics.csv")  # one process writes
    with file.open() as opened:
        return [float(row[name]) for row in csv.DictReader(opened) if row.get(name)]


def tensors(model: Path) -> dict[str, np.ndarray]:
    return dict(load_file(model / "model.safetensors"))


@pytest.fixture(scope="session")
def start(dataset_folder: Path, begin) -> Callable[..., Started | subprocess.Popen[str]]:
    """Train; as one of several nodes if it has a number."""

    def run(to: Path, *more: str, node: int | None = None, port: int = 0) -> Started | subprocess.Popen[str]:
        command = ["train", "demo", "--data", dataset_folder, "--to", to, *options(*more)]
        places = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NODE_RANK": str(node)}
        return begin(*command, env=places if node is not None else {}, start_new_session=True)

    return run


@pytest.fixture(scope="session")
def trained(dataset_folder: Path, made_once, start) -> Path:
    """The same recipe by one process, by two, and by two computers; `NAME.txt` is what each said."""

    def build(folder: Path) -> None:
        folder.mkdir(parents=True)
        port = free_port()
        started = {
            "one": start(folder / "one"),
            "two": start(folder / "two", "trainer.devices=2"),
            "node-0": start(folder / "nodes", "trainer.nodes=2", node=0, port=port),
            "node-1": start(folder / "nodes", "trainer.nodes=2", node=1, port=port),
        }
        for name, process in started.items():
            out, err = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, err
            (folder / f"{name}.txt").write_text(out + err)

    return made_once("processes", build)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize("name", ["two", "nodes"])
def test_several_processes_train_as_one_would(trained: Path, name: str) -> None:
    one, several = trained / "one", trained / name
    for metric in ("train_loss_epoch", "val_loss", "val_top_1_accuracy"):
        found, expected = metrics(several, metric), metrics(one, metric)
        assert len(found) == len(expected) == 2
        assert found == pytest.approx(expected, abs=1e-4), metric
    ours, theirs = tensors(one), tensors(several)
    assert ours.keys() == theirs.keys()
    assert max(float(np.abs(ours[each] - theirs[each]).max()) for each in ours) < 1e-5


def test_only_the_first_writes_and_speaks(trained: Path) -> None:
    for name in ("two", "nodes"):
        assert len(list((trained / name / "run" / "tensorboard").glob("events.*"))) == 1
    lines = (trained / "two.txt").read_text().splitlines()
    epochs = [line.partition("  ")[0] for line in lines if line.startswith("epoch")]
    assert epochs == ["epoch 1/2", "epoch 2/2"]
    assert len([line for line in lines if line.startswith("Model: ")]) == 1
    assert (trained / "node-1.txt").read_text() == "Loading torch\n"  # who started it sees that it goes on


def test_batch_normalisation_is_the_same_in_all_processes(
    dataset_folder: Path, tmp_path: Path, lostfound
) -> None:
    """What was validated during the training is what the finished model gives."""
    more = options("model={backbone: test_resnet}", "trainer.devices=2", "trainer.ema=null")
    said = lostfound("train", "demo", "--data", dataset_folder, "--to", tmp_path / "model", *more)
    assert said.returncode == 0, said.stderr
    about = json.loads((tmp_path / "model" / "config.json").read_text())["training"]
    losses = metrics(tmp_path / "model", "val_loss")
    assert about["validation"]["loss"] == pytest.approx(losses[about["best_epoch"] - 1], abs=1e-4)


def test_what_goes_wrong_in_a_process_is_said_once(dataset_folder: Path, tmp_path: Path, lostfound) -> None:
    more = options("trainer.devices=2", "optimizer.learning_rate=1e30", "optimizer.gradient_clip=null")
    said = lostfound("train", "demo", "--data", dataset_folder, "--to", tmp_path / "model", *more)
    assert said.returncode == 1
    assert said.stderr.count("the loss became nan at step ") == 1
    assert "Traceback" not in said.stderr


def children(process: Started | subprocess.Popen[str]) -> list[int]:
    """The processes that train for it."""
    every = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(each) for each in every if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()]


@pytest.mark.parametrize("stuck", [False, True])
def test_ctrl_c_ends_all_processes(start, tmp_path: Path, stuck: bool) -> None:
    """Even if it reaches the first one alone, and one of the others answers to nothing any more."""
    process = start(tmp_path / "model", "trainer.devices=2", "trainer.epochs=500")
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch 2/"):
            break
    if stuck:
        os.kill(children(process)[-1], signal.SIGSTOP)
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=PATIENCE)[1]  # ends when the last process closes it
    assert process.returncode == 130
    assert "stopped; the same command with --resume goes on" in rest
    assert "Traceback" not in rest
    assert (tmp_path / "model" / "run" / "checkpoints" / "last.ckpt").is_file()
