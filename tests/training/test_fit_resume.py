"""Training: the same run gives the same model, stops cleanly, and goes on as if nothing had happened."""

from __future__ import annotations

import csv
import gc
import json
import multiprocessing
import os
import pty
import select
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from best_weights import same_weights, train_to_weights
from fork_server import Started
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_torch

from lostfound.data.dataset import Dataset
from lostfound.errors import ModelError, UsageError
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import ModelFolder
from lostfound.training.fit import fit
from lostfound.training.lightning_module import TrainingModule
from lostfound.training.settings import Recipe

# Everything that draws random numbers is on.
RANDOM = [
    "model.dropout=0.3",
    "augmentation={crop_scale: [0.5, 1], rotation: 5, color_jitter: {brightness: 0.3, hue: 0.1}}",
]
pytestmark = pytest.mark.slow  # the trainings that most of them share take half a minute

EPOCHS, STOP_AFTER = 12, 3
PATIENCE = 300  # seconds until a process is held to hang

SCRIPT = """
if __name__ == "__main__":  # not in its workers, which would load all of it
    import resource, signal, sys
    from lostfound.data.dataset import Dataset
    from lostfound.errors import LostFoundError
    from lostfound.training.fit import fit_best_epoch
    from lostfound.training.recipe import load_recipe

    limit, dataset, to, *overrides = sys.argv[1:]
    if int(limit):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    try:
        fit_best_epoch(load_recipe("demo", overrides), Dataset.open(dataset), to, resume=True)
    except KeyboardInterrupt:
        print("stopped", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    except LostFoundError as error:
        print("failed", error)
"""


@pytest.fixture(scope="session")
def start(dataset_folder: Path, begin, tiny: list[str]) -> Callable[..., Started | subprocess.Popen[str]]:
    """Train in a process of its own, with a limit of what a file may hold, or without."""

    def run(
        to: Path, *overrides: str, limit: int = 0, stderr: int = subprocess.PIPE
    ) -> Started | subprocess.Popen[str]:
        to.parent.mkdir(parents=True, exist_ok=True)
        script = to.with_suffix(".py")
        script.write_text(SCRIPT)
        words = (limit, dataset_folder, to, *tiny, *overrides)
        shown = {"env": {"TERM": "xterm"}, "stderr": stderr}
        return begin(*words, script=script, trains=True, start_new_session=True, **shown)

    return run


@pytest.fixture(scope="session")
def undisturbed(dataset: Dataset, made_once, recipe: Callable[..., Recipe]) -> Path:
    """A run that nobody stopped."""
    long = recipe(*RANDOM, f"trainer.epochs={EPOCHS}")
    return made_once("run-undisturbed", lambda folder: fit(long, dataset, folder))


@pytest.fixture(scope="session")
def stopped(made_once, start) -> Path:
    """The same run with two workers, stopped by Ctrl-C in its fourth epoch; `said.json` is what it said."""

    def build(folder: Path) -> None:
        process = start(folder, *RANDOM, f"trainer.epochs={EPOCHS}", "trainer.workers=2")
        said = interrupt(process, times=1)
        (folder / "run" / "said.json").write_text(json.dumps(said))

    return made_once("stopped", build)


@pytest.fixture(scope="session")
def resumed(stopped: Path, dataset: Dataset, made_once, recipe: Callable[..., Recipe]) -> Path:
    """The stopped run, copied to another place and gone on with in this process, with one worker.

    `left.json` is how many of its processes were left when it had ended.
    """
    whole = recipe(*RANDOM, f"trainer.epochs={EPOCHS}", "trainer.workers=1")

    def build(folder: Path) -> None:
        shutil.copytree(stopped, folder)
        gc.collect()
        gc.disable()  # it would end a worker that was left behind, some day
        try:
            fit(whole, dataset, folder, resume=True)
            left = len(multiprocessing.active_children())
        finally:
            gc.enable()
        (folder / "run" / "left.json").write_text(json.dumps(left))

    return made_once("resumed", build)


def interrupt(process: Started | subprocess.Popen[str], times: int) -> dict[str, object]:
    """Press Ctrl-C after some epochs, as a terminal does: the workers get it too."""
    lines = []
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        if line.startswith(f"epoch {STOP_AFTER}/"):
            break
    for _ in range(times):
        os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    return {"out": out, "err": "".join(lines) + err, "code": process.returncode}


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def epochs(folder: Path) -> dict[int, tuple[str, str]]:
    """How each epoch was validated; a run that went on has several logs."""
    parts = sorted((folder / "run" / "csv").glob("*/metrics.csv"))
    return {
        int(row["epoch"]): (row["val_loss"], row["val_top_1_accuracy"])
        for part in parts
        for row in rows(part)
        if row["val_loss"]
    }


def training(folder: Path) -> dict[str, object]:
    return json.loads((folder / "config.json").read_bytes())["training"]


# --- no process outlives a training


def test_no_worker_is_left_behind_by_a_run_that_ends(resumed: Path) -> None:
    assert json.loads((resumed / "run" / "left.json").read_text()) == 0


def test_no_worker_is_left_behind_by_a_stop_while_validating(
    dataset: Dataset, tmp_path: Path, recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning ends the workers of the loop that it is in, not those of the training."""

    def press(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingModule, "validation_step", press)
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(recipe("trainer.workers=1"), dataset, tmp_path / "model")
    assert multiprocessing.active_children() == []
    assert caught.traceback  # what holds the loaders in memory


# --- stopping and going on


def test_ctrl_c_stops_without_noise(stopped: Path) -> None:
    said = json.loads((stopped / "run" / "said.json").read_text())
    assert said["out"] == "stopped True\n"  # and Ctrl-C works again after it
    assert said["code"] == 0
    lines = said["err"].splitlines()
    assert lines
    assert all(line.startswith("epoch ") for line in lines)


def test_on_a_terminal_it_shows_a_bar(start, tmp_path: Path) -> None:
    """Epochs are counted from 1 there too."""
    mine, its = pty.openpty()
    process = start(tmp_path / "model", "trainer.epochs=2", stderr=its)
    os.close(its)
    shown = b""
    while process.poll() is None or select.select([mine], [], [], 0)[0]:
        if select.select([mine], [], [], 1)[0]:
            try:
                shown += os.read(mine, 4096)
            except OSError:  # the other end is closed
                break
    os.close(mine)
    out, _ = process.communicate(timeout=PATIENCE)
    assert out == ""  # the bar is not in what a pipe would get
    assert b"Epoch 1/2" in shown
    assert b"epoch 2/2  train_loss" in shown
    assert b"Epoch 0" not in shown
    assert b"v_num" not in shown


def test_a_stopped_run_is_no_model(stopped: Path) -> None:
    with pytest.raises(ModelError, match="did not finish"):
        Locator.load(stopped)


def test_going_on_ends_as_if_nothing_had_happened(resumed: Path, undisturbed: Path) -> None:
    """Even with another number of workers, and with the folder moved to another place.

    So the same seed gives the same weights with any number of workers: two, then one, and none at all.
    """
    assert training(resumed) == training(undisturbed)
    assert weights(resumed) == weights(undisturbed)
    assert epochs(resumed) == epochs(undisturbed)
    assert ModelFolder.open(resumed).decoder.temperature == pytest.approx(  # type: ignore[union-attr]
        json.loads((undisturbed / "calibration.json").read_text())["temperature"]
    )


def test_going_on_starts_after_the_last_finished_epoch(stopped: Path) -> None:
    """Also if the best epoch was an earlier one."""
    said = json.loads((stopped / "run" / "said.json").read_text())["err"].splitlines()
    last = torch.load(stopped / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["epoch"] + 1 == len(said) >= STOP_AFTER


def test_going_on_keeps_the_log_of_the_first_part(stopped: Path, resumed: Path) -> None:
    parts = sorted((resumed / "run" / "csv").glob("*/metrics.csv"))
    assert len(parts) == 2
    assert parts[0].read_bytes() == (stopped / "run" / "csv" / "version_0" / "metrics.csv").read_bytes()
    assert epochs(resumed).keys() == set(range(EPOCHS))
    assert min(int(row["epoch"]) for row in rows(parts[1])) >= STOP_AFTER


def test_a_best_epoch_before_the_stop_survives_it(
    stopped: Path, dataset: Dataset, tmp_path: Path, recipe: Callable[..., Recipe]
) -> None:
    folder = shutil.copytree(stopped, tmp_path / "model")
    last = folder / "run" / "checkpoints" / "last.ckpt"
    state = torch.load(last, weights_only=True)
    state["callbacks"]["Checkpoints"]["best_score"] = 2.0  # better than any accuracy
    torch.save(state, last)
    before = torch.load(folder / "run" / "checkpoints" / "best.ckpt", weights_only=True)
    result = fit(recipe(*RANDOM, f"trainer.epochs={EPOCHS}"), dataset, folder, resume=True)
    assert result.best_epoch == before["epoch"] + 1 <= STOP_AFTER + 1
    kept = load_file(folder / "model.safetensors")
    assert np.array_equal(kept["head.1.weight"], before["state_dict"]["network.head.1.weight"])


def test_ctrl_c_twice_stops_as_cleanly(start, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    said = interrupt(start(folder, "trainer.epochs=200"), times=2)
    assert said["out"] == "stopped True\n"
    assert "Traceback" not in str(said["err"])
    assert (folder / "run" / "checkpoints" / "last.ckpt").is_file()


def test_a_full_disk_is_one_message_and_costs_no_checkpoint_and_without_one_it_starts_again(
    start,
    stopped: Path,
    undisturbed: Path,
    dataset: Dataset,
    tmp_path: Path,
    recipe: Callable[..., Recipe],
) -> None:
    folder = shutil.copytree(stopped, tmp_path / "model")
    checkpoints = {path.name: path.read_bytes() for path in (folder / "run" / "checkpoints").glob("*.ckpt")}
    assert checkpoints.keys() == {"best.ckpt", "last.ckpt"}
    process = start(folder, *RANDOM, f"trainer.epochs={EPOCHS}", limit=100_000)
    out, err = process.communicate(timeout=PATIENCE)
    assert out.startswith(f"failed the training in {folder / 'run'} stopped: File too large")
    assert "--resume" in out
    assert "Traceback" not in err
    for name, data in checkpoints.items():
        assert (folder / "run" / "checkpoints" / name).read_bytes() == data
    shutil.rmtree(folder / "run" / "checkpoints")  # as one that was stopped in its first epoch
    again = train_to_weights(recipe(*RANDOM, f"trainer.epochs={EPOCHS}"), dataset, folder, resume=True)
    assert same_weights(again, load_torch(undisturbed / "model.safetensors"))


# --- a run that did not finish


def test_an_unfinished_run_is_not_overwritten_by_chance(
    stopped: Path, dataset: Dataset, recipe: Callable[..., Recipe]
) -> None:
    with pytest.raises(UsageError, match=r"did not finish: go on with --resume, or --overwrite it"):
        fit(recipe(), dataset, stopped)


def test_an_unfinished_run_can_be_overwritten(
    stopped: Path, dataset: Dataset, tmp_path: Path, recipe: Callable[..., Recipe]
) -> None:
    folder = shutil.copytree(stopped, tmp_path / "model")
    fit(recipe(), dataset, folder, overwrite=True)
    assert training(folder)["best_epoch"] == 1
    assert not (folder / "run" / "csv" / "version_1").exists()


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("optimizer.learning_rate=1e-5", "recipe.optimizer.learning_rate"),
        ("trainer.epochs=7", "recipe.trainer.epochs"),
        ("seed=1", "recipe.seed"),
    ],
)
def test_a_run_does_not_go_on_with_another_recipe(
    stopped: Path, dataset: Dataset, override: str, key: str, recipe: Callable[..., Recipe]
) -> None:
    changed = recipe(*RANDOM, f"trainer.epochs={EPOCHS}", override)
    with pytest.raises(UsageError, match=rf"was begun with other settings \({key}\)"):
        fit(changed, dataset, stopped, resume=True)


def test_a_run_does_not_go_on_with_other_weights_or_data(
    stopped: Path, dataset: Dataset, recipe: Callable[..., Recipe]
) -> None:
    same = recipe(*RANDOM, f"trainer.epochs={EPOCHS}")
    with pytest.raises(UsageError, match=r"other settings \(weights\)"):
        fit(same, dataset, stopped, resume=True, weights="other.safetensors")
    other = Dataset(dataset.folder, dataset.records, {**dataset.info, "records_sha256": "0"})
    with pytest.raises(UsageError, match=r"other settings \(data\.records_sha256\)"):
        fit(same, other, stopped, resume=True)
