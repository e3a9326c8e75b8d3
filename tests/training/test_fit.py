"""Training: the same run gives the same model, stops cleanly, goes on, and refuses what can't work."""

from __future__ import annotations

import csv
import gc
import json
import multiprocessing
import os
import pty
import resource
import select
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from safetensors.numpy import load_file

from lostfound.data.dataset import Dataset
from lostfound.errors import DatasetError, LostFoundError, ModelError, UsageError
from lostfound.evaluation.evaluate import evaluate
from lostfound.locate.locator import Locator
from lostfound.training.fit import FitResult, fit
from lostfound.training.recipe import load_recipe
from lostfound.training.settings import Recipe
from lostfound.training.units import Places

TINY = [
    "task.min_images=2",
    "input.size=[32, 32]",
    "trainer.batch_size=16",
    "trainer.device=cpu",
    "trainer.workers=0",
]
# Everything that draws random numbers is on.
RANDOM = [
    *TINY,
    "model.dropout=0.3",
    "augmentation={crop_scale: [0.5, 1], rotation: 5, color_jitter: {brightness: 0.3, hue: 0.1}}",
]
EPOCHS, STOP_AFTER = 12, 3
PATIENCE = 300  # seconds until a process is held to hang

SCRIPT = """
import signal, sys
from lostfound.data.dataset import Dataset
from lostfound.errors import LostFoundError
from lostfound.training.fit import fit
from lostfound.training.recipe import load_recipe

if __name__ == "__main__":
    dataset, to, *overrides = sys.argv[1:]
    try:
        fit(load_recipe("demo", overrides), Dataset.open(dataset), to, resume=True)
    except KeyboardInterrupt:
        print("stopped", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    except LostFoundError as error:
        print("failed", error)
"""


def recipe(*overrides: str) -> Recipe:
    return load_recipe("demo", [*TINY, "trainer.epochs=1", *overrides])


@pytest.fixture(scope="session")
def dataset(dataset_folder: Path) -> Dataset:
    return Dataset.open(dataset_folder)


@pytest.fixture(scope="session")
def undisturbed(dataset: Dataset, made_once) -> Path:
    """A run that nobody stopped."""
    long = load_recipe("demo", [*RANDOM, f"trainer.epochs={EPOCHS}"])
    return made_once("run-undisturbed", lambda folder: fit(long, dataset, folder))


@pytest.fixture(scope="session")
def stopped(dataset_folder: Path, made_once) -> Path:
    """The same run with two workers, stopped by Ctrl-C in its fourth epoch; `said.json` is what it said."""

    def build(folder: Path) -> None:
        process = start(dataset_folder, folder, *RANDOM, f"trainer.epochs={EPOCHS}", "trainer.workers=2")
        said = interrupt(process, times=1)
        (folder / "run" / "said.json").write_text(json.dumps(said))

    return made_once("stopped", build)


def start(
    dataset: Path, to: Path, *overrides: str, limit: int | None = None, stderr: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    to.parent.mkdir(parents=True, exist_ok=True)
    script = to.with_suffix(".py")
    script.write_text(SCRIPT)
    return subprocess.Popen(
        [sys.executable, script, dataset, to, *overrides],
        stdout=subprocess.PIPE,
        stderr=stderr,
        env={**os.environ, "TERM": "xterm"},
        text=True,
        start_new_session=True,
        preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) if limit else None,
    )


def interrupt(process: subprocess.Popen[str], times: int) -> dict[str, object]:
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


def copy(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to))


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def epochs(folder: Path) -> dict[int, tuple[str, str]]:
    """How each epoch was validated; a run that went on has several logs."""
    parts = sorted((folder / "run" / "csv").glob("*/metrics.csv"))
    return {
        int(row["epoch"]): (row["val_loss"], row["val_accuracy"])
        for part in parts
        for row in rows(part)
        if row["val_loss"]
    }


def training(folder: Path) -> dict[str, object]:
    return json.loads((folder / "config.json").read_bytes())["training"]


# --- the same run gives the same model


def test_the_same_seed_gives_the_same_weights_with_any_number_of_workers(
    dataset: Dataset, tmp_path: Path
) -> None:
    for workers in (0, 2):
        run = load_recipe("demo", [*RANDOM, "trainer.epochs=3", f"trainer.workers={workers}"])
        fit(run, dataset, tmp_path / str(workers))
    assert weights(tmp_path / "0") == weights(tmp_path / "2")
    assert epochs(tmp_path / "0") == epochs(tmp_path / "2")
    assert len(epochs(tmp_path / "0")) == 3


def test_another_seed_gives_other_weights(dataset: Dataset, tmp_path: Path) -> None:
    for seed in (0, 1):
        fit(recipe(f"seed={seed}"), dataset, tmp_path / str(seed))
    assert weights(tmp_path / "0") != weights(tmp_path / "1")


def test_no_worker_is_left_behind(dataset: Dataset, tmp_path: Path) -> None:
    """Nor is one left for the garbage collector to end some day."""
    gc.collect()
    gc.disable()
    try:
        fit(recipe("trainer.workers=2"), dataset, tmp_path / "model")
        assert multiprocessing.active_children() == []
    finally:
        gc.enable()


# --- stopping and going on


def test_ctrl_c_stops_without_noise(stopped: Path) -> None:
    said = json.loads((stopped / "run" / "said.json").read_text())
    assert said["out"] == "stopped True\n"  # and Ctrl-C works again after it
    assert said["code"] == 0
    lines = said["err"].splitlines()
    assert lines
    assert all(line.startswith("epoch ") for line in lines)


def test_on_a_terminal_it_shows_a_bar(dataset_folder: Path, tmp_path: Path) -> None:
    """Epochs are counted from 1 there too."""
    mine, its = pty.openpty()
    process = start(dataset_folder, tmp_path / "model", *TINY, "trainer.epochs=2", stderr=its)
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


def test_going_on_ends_as_if_nothing_had_happened(
    stopped: Path, undisturbed: Path, dataset: Dataset, tmp_path: Path
) -> None:
    """Even with another number of workers, and with the folder moved to another place."""
    folder = copy(stopped, tmp_path / "model")
    result = fit(load_recipe("demo", [*RANDOM, f"trainer.epochs={EPOCHS}"]), dataset, folder, resume=True)
    assert training(folder) == training(undisturbed)
    assert weights(folder) == weights(undisturbed)
    assert epochs(folder) == epochs(undisturbed)
    assert result.folder.answers.temperature == pytest.approx(
        json.loads((undisturbed / "calibration.json").read_text())["temperature"]
    )


def test_going_on_starts_after_the_last_finished_epoch(stopped: Path) -> None:
    """Also if the best epoch was an earlier one."""
    said = json.loads((stopped / "run" / "said.json").read_text())["err"].splitlines()
    last = torch.load(stopped / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["epoch"] + 1 == len(said) >= STOP_AFTER


def test_going_on_keeps_the_log_of_the_first_part(stopped: Path, dataset: Dataset, tmp_path: Path) -> None:
    folder = copy(stopped, tmp_path / "model")
    before = (folder / "run" / "csv" / "version_0" / "metrics.csv").read_bytes()
    fit(load_recipe("demo", [*RANDOM, f"trainer.epochs={EPOCHS}"]), dataset, folder, resume=True)
    parts = sorted((folder / "run" / "csv").glob("*/metrics.csv"))
    assert len(parts) == 2
    assert parts[0].read_bytes() == before
    assert epochs(folder).keys() == set(range(EPOCHS))
    assert min(int(row["epoch"]) for row in rows(parts[1])) >= STOP_AFTER


def test_a_best_epoch_before_the_stop_survives_it(stopped: Path, dataset: Dataset, tmp_path: Path) -> None:
    folder = copy(stopped, tmp_path / "model")
    last = folder / "run" / "checkpoints" / "last.ckpt"
    state = torch.load(last, weights_only=True)
    state["callbacks"]["Checkpoints"]["best_score"] = 2.0  # better than any accuracy
    torch.save(state, last)
    before = torch.load(folder / "run" / "checkpoints" / "best.ckpt", weights_only=True)
    result = fit(load_recipe("demo", [*RANDOM, f"trainer.epochs={EPOCHS}"]), dataset, folder, resume=True)
    assert result.best_epoch == before["epoch"] + 1 <= STOP_AFTER + 1
    kept = load_file(folder / "model.safetensors")
    assert np.array_equal(kept["head.1.weight"], before["state_dict"]["network.head.1.weight"])


def test_ctrl_c_twice_stops_as_cleanly(dataset_folder: Path, dataset: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    said = interrupt(start(dataset_folder, folder, *TINY, "trainer.epochs=200"), times=2)
    assert said["out"] == "stopped True\n"
    assert "Traceback" not in str(said["err"])
    assert (folder / "run" / "checkpoints" / "last.ckpt").is_file()


def test_a_run_stopped_in_its_first_epoch_starts_again(
    stopped: Path, undisturbed: Path, dataset: Dataset, tmp_path: Path
) -> None:
    folder = copy(stopped, tmp_path / "model")
    shutil.rmtree(folder / "run" / "checkpoints")
    fit(load_recipe("demo", [*RANDOM, f"trainer.epochs={EPOCHS}"]), dataset, folder, resume=True)
    assert weights(folder) == weights(undisturbed)


def test_a_full_disk_is_one_message_and_costs_no_checkpoint(
    stopped: Path, undisturbed: Path, dataset_folder: Path, dataset: Dataset, tmp_path: Path
) -> None:
    folder = copy(stopped, tmp_path / "model")
    checkpoints = {path.name: path.read_bytes() for path in (folder / "run" / "checkpoints").glob("*.ckpt")}
    assert checkpoints.keys() == {"best.ckpt", "last.ckpt"}
    process = start(dataset_folder, folder, *RANDOM, f"trainer.epochs={EPOCHS}", limit=100_000)
    out, err = process.communicate(timeout=PATIENCE)
    assert out.startswith(f"failed the training in {folder / 'run'} stopped: File too large")
    assert "--resume" in out
    assert "Traceback" not in err
    for name, data in checkpoints.items():
        assert (folder / "run" / "checkpoints" / name).read_bytes() == data
    fit(load_recipe("demo", [*RANDOM, f"trainer.epochs={EPOCHS}"]), dataset, folder, resume=True)
    assert weights(folder) == weights(undisturbed)


# --- a folder that is taken


def test_an_unfinished_run_is_not_overwritten_by_chance(stopped: Path, dataset: Dataset) -> None:
    with pytest.raises(UsageError, match=r"did not finish: go on with --resume, or --overwrite it"):
        fit(recipe(), dataset, stopped)


def test_an_unfinished_run_can_be_overwritten(stopped: Path, dataset: Dataset, tmp_path: Path) -> None:
    folder = copy(stopped, tmp_path / "model")
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
    stopped: Path, dataset: Dataset, override: str, key: str
) -> None:
    changed = load_recipe("demo", [*RANDOM, f"trainer.epochs={EPOCHS}", override])
    with pytest.raises(UsageError, match=rf"had other settings \({key}\)"):
        fit(changed, dataset, stopped, resume=True)


def test_a_run_does_not_go_on_with_other_weights_or_data(stopped: Path, dataset: Dataset) -> None:
    same = load_recipe("demo", [*RANDOM, f"trainer.epochs={EPOCHS}"])
    with pytest.raises(UsageError, match=r"other settings \(weights\)"):
        fit(same, dataset, stopped, resume=True, weights="other.safetensors")
    other = Dataset(dataset.folder, dataset.records, {**dataset.info, "records_sha256": "0"})
    with pytest.raises(UsageError, match=r"other settings \(data\.records_sha256\)"):
        fit(same, other, stopped, resume=True)


@pytest.mark.parametrize("resume", [False, True])
def test_a_finished_model_is_not_touched(model_folder: Path, dataset: Dataset, resume: bool) -> None:
    with pytest.raises(UsageError, match="holds a finished model: choose another folder, or --overwrite it"):
        fit(recipe(), dataset, model_folder, resume=resume)


def test_an_old_model_answers_until_the_new_one_is_finished(
    model_folder: Path, dataset_folder: Path, dataset: Dataset, tmp_path: Path
) -> None:
    folder = copy(model_folder, tmp_path / "model")
    before = weights(folder)
    with pytest.raises(LostFoundError, match="the loss became"):
        fit(recipe("optimizer.learning_rate=1e30"), dataset, folder, overwrite=True)
    assert weights(folder) == before
    Locator.load(folder)
    with pytest.raises(UsageError, match="--resume"):
        fit(recipe(), dataset, folder)
    fit(recipe("seed=5"), dataset, folder, overwrite=True)
    assert weights(folder) != before
    Locator.load(folder)


def test_resume_and_overwrite_exclude_each_other(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not both"):
        fit(recipe(), dataset, tmp_path / "model", resume=True, overwrite=True)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_something_else_is_never_taken(dataset: Dataset, tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="exists and is not a model folder"):
        fit(recipe(), dataset, tmp_path, overwrite=overwrite)
    assert (tmp_path / "run" / "thesis.txt").is_file()
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(UsageError, match="is a file"):
        fit(recipe(), dataset, file, overwrite=overwrite)


def test_an_empty_folder_is_taken(dataset: Dataset, tmp_path: Path) -> None:
    fit(recipe(), dataset, tmp_path)
    Locator.load(tmp_path)


# --- what goes wrong on the way


def test_a_loss_that_is_no_number_stops_with_the_step(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(
        LostFoundError, match=r"the loss became (nan|inf) at step \d+ \(epoch \d+\); .*: lower"
    ):
        fit(recipe("optimizer.learning_rate=1e30", "trainer.epochs=5"), dataset, tmp_path / "m")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_image_is_named_without_a_traceback(
    dataset_folder: Path, tmp_path: Path, workers: int
) -> None:
    folder = copy(dataset_folder, tmp_path / "data")
    train = Dataset.open(folder).split("train").records
    shard, offset = train["shard"][3].as_py(), train["offset"][3].as_py()
    with (folder / "images" / shard).open("r+b") as file:
        file.seek(offset + 50)
        file.write(b"damage")
    with pytest.raises(DatasetError) as caught:
        fit(recipe(f"trainer.workers={workers}"), Dataset.open(folder), tmp_path / "m")
    said = str(caught.value)
    assert said.startswith(f"image {train['image_id'][3].as_py()} in ")
    assert "\n" not in said
    assert multiprocessing.active_children() == []


# --- what a run leaves


@pytest.fixture(scope="session")
def finished(dataset: Dataset, made_once) -> Path:
    return made_once("finished", lambda folder: fit(recipe("trainer.epochs=3"), dataset, folder))


def test_the_folder_holds_the_model_the_recipe_and_the_logs(finished: Path) -> None:
    present = {path.relative_to(finished).parts[0] for path in finished.rglob("*") if path.is_file()}
    parts = {"model.onnx", "model.safetensors", "partition.parquet", "calibration.json", "config.json"}
    assert present == {*parts, "run"}
    kept = {"csv", "tensorboard", "recipe.yaml", "environment.json", "images.csv"}
    assert {each.name for each in (finished / "run").iterdir()} == kept


def test_the_recipe_beside_the_logs_trains_again(finished: Path) -> None:
    again = load_recipe(finished / "run" / "recipe.yaml")
    assert again == recipe("trainer.epochs=3")


def test_the_csv_log_has_every_epoch(finished: Path) -> None:
    log = rows(finished / "run" / "csv" / "version_0" / "metrics.csv")
    for column in ("train_loss_epoch", "val_loss", "val_accuracy"):
        assert [int(row["epoch"]) for row in log if row[column]] == [0, 1, 2], column
    accuracy = [float(row["val_accuracy"]) for row in log if row["val_accuracy"]]
    assert max(accuracy) == pytest.approx(float(str(training(finished)["best_score"])))
    assert accuracy.index(max(accuracy)) + 1 == training(finished)["best_epoch"]


def test_the_tensorboard_log_can_be_read(finished: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorBoard's own
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(finished / "run" / "tensorboard")).Reload()
    assert [event.value for event in events.Scalars("val_accuracy")]


def test_the_result_says_what_the_folder_says(dataset: Dataset, tmp_path: Path) -> None:
    result: FitResult = fit(recipe("name=mine"), dataset, tmp_path / "m")
    assert result.folder.path == tmp_path / "m"
    assert result.folder.config["name"] == "mine"
    assert result.weights is None
    assert result.left_out == []
    described = training(tmp_path / "m")
    assert described["records_sha256"] == dataset.info["records_sha256"]
    assert described["train_images"] == len(dataset.split("train"))
    assert described["val_images"] == len(dataset.split("val"))
    assert result.best_score == described["best_score"] == described["validation"]["accuracy"]
    assert described["onnx_logit_difference"] < 1e-4


def test_training_learns(dataset: Dataset, tmp_path: Path) -> None:
    """Ten epochs name the countries of the images that were trained on."""
    from lostfound.evaluation.evaluate import evaluate

    run = recipe("trainer.epochs=10", "schedule.warmup_epochs=1")
    fit(run, dataset, tmp_path / "m")
    log = rows(tmp_path / "m" / "run" / "csv" / "version_0" / "metrics.csv")
    losses = [float(row["train_loss_epoch"]) for row in log if row["train_loss_epoch"]]
    assert losses[-1] < losses[0] / 2
    assert evaluate(Locator.load(tmp_path / "m"), dataset, "train").metrics["top_1_accuracy"].n == 50


def test_the_score_that_chooses_is_what_evaluating_the_places_gives(dataset: Dataset, tmp_path: Path) -> None:
    views = dataset.split("val").records["place_id"].combine_chunks().value_counts().field("counts")
    assert pc.min(views).as_py() >= 2
    shuffled = np.random.default_rng(0).permutation(len(dataset))
    dataset = dataset.with_records(dataset.records.take(pa.array(shuffled)))
    result = fit(recipe("model.views=2", "trainer.epochs=3"), dataset, tmp_path / "m")
    measured = evaluate(Locator(result.folder), two_views(dataset), "val", unit="place")
    assert measured.metrics["top_1_accuracy"].value == pytest.approx(result.best_score)


def two_views(dataset: Dataset) -> Dataset:
    """The views that validation takes of each place."""
    places = Places.of(dataset.records["place_id"].to_numpy(zero_copy_only=False), 2)
    return dataset.with_records(dataset.records.take(pa.array(np.sort(places.first(2).ravel()))))


def test_a_run_from_weights_starts_from_them(dataset: Dataset, model_folder: Path, tmp_path: Path) -> None:
    start_from = model_folder / "model.safetensors"
    still = recipe("optimizer.pretrained_factor=0", "optimizer.weight_decay=0")
    result = fit(still, dataset, tmp_path / "m", weights=start_from)
    assert result.weights is not None
    assert result.weights.fresh == []
    before, after = load_file(start_from), load_file(tmp_path / "m" / "model.safetensors")
    assert np.array_equal(before["backbone.conv1.0.weight"], after["backbone.conv1.0.weight"])
    assert not np.array_equal(before["head.1.weight"], after["head.1.weight"])
    assert training(tmp_path / "m")["weights"] == "model.safetensors"


def test_a_last_batch_of_one_image_does_not_stop_the_training(dataset: Dataset, tmp_path: Path) -> None:
    """Batch normalisation can't take a single image at one pixel."""
    n = len(dataset.split("train"))
    fit(recipe(f"trainer.batch_size={n - 1}"), dataset, tmp_path / "m")
