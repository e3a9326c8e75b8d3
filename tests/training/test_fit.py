"""Training: what a run leaves, what folder it takes, and what goes wrong on the way."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import shutil
import signal
import warnings
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from safetensors.numpy import load_file

from lostfound.data.dataset import Dataset
from lostfound.errors import DatasetError, LostFoundError, ModelError, UsageError
from lostfound.evaluation.evaluate import evaluate
from lostfound.predict.locator import Locator
from lostfound.training.fit import FitResult, fit, fit_best_epoch
from lostfound.training.recipe import load_recipe
from lostfound.training.sampling import ViewsByPlace
from lostfound.training.settings import Recipe
from lostfound.training.train import fit_model, train_model


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def training(folder: Path) -> dict[str, object]:
    return json.loads((folder / "config.json").read_bytes())["training"]


def test_what_train_model_gives_is_the_calibrated_model(
    dataset: Dataset, tmp_path: Path, recipe: Callable[..., Recipe]
) -> None:
    trained = train_model(recipe(), dataset, tmp_path / "model")
    assert trained.model.calibration.about["accuracy_asked"] == 0.5
    assert trained.model.calibration.as_dict() == Locator.load(tmp_path / "model").model.calibration.as_dict()


# --- a folder that is taken


@pytest.mark.parametrize("resume", [False, True])
def test_a_finished_model_is_not_touched(
    model_folder: Path, dataset: Dataset, resume: bool, recipe: Callable[..., Recipe]
) -> None:
    with pytest.raises(UsageError, match="holds a finished model: choose another folder, or --overwrite it"):
        fit(recipe(), dataset, model_folder, resume=resume)


def put_beside(folder: Path) -> list[str]:
    """Files of somebody else in a model folder that is trained anew; their names."""
    theirs = ["notes.txt", "run/notes.txt", "run/checkpoints/epoch-5.ckpt", "run/.mine.partial"]
    for name in theirs:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    return theirs


def seed(folder: Path) -> int:
    return json.loads((folder / "config.json").read_bytes())["recipe"]["seed"]


@pytest.mark.slow
def test_an_old_model_answers_until_the_new_one_is_finished_which_leaves_what_others_put_there(
    model_folder: Path, dataset_folder: Path, dataset: Dataset, tmp_path: Path, recipe: Callable[..., Recipe]
) -> None:
    """And another seed gives other weights."""
    folder = shutil.copytree(model_folder, tmp_path / "model")
    theirs = put_beside(folder)
    before = weights(folder)
    assert seed(folder) == 0
    with pytest.raises(LostFoundError, match="the loss became"):
        fit(recipe("optimizer.learning_rate=1e30"), dataset, folder, overwrite=True)
    assert weights(folder) == before
    Locator.load(folder)
    with pytest.raises(UsageError, match="--resume"):
        fit(recipe(), dataset, folder)
    fit(recipe("seed=5"), dataset, folder, overwrite=True)
    assert seed(folder) == 5
    assert weights(folder) != before
    Locator.load(folder)
    assert not (folder / ".lock").exists()
    assert [name for name in theirs if (folder / name).read_text() == "mine"] == theirs


def test_resume_and_overwrite_exclude_each_other(
    dataset: Dataset, tmp_path: Path, recipe: Callable[..., Recipe]
) -> None:
    with pytest.raises(UsageError, match="not both"):
        fit(recipe(), dataset, tmp_path / "model", resume=True, overwrite=True)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_something_else_is_never_taken(
    dataset: Dataset, tmp_path: Path, overwrite: bool, recipe: Callable[..., Recipe]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="exists and is not a model folder"):
        fit(recipe(), dataset, tmp_path, overwrite=overwrite)
    assert (tmp_path / "run" / "thesis.txt").is_file()
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(UsageError, match="is a file"):
        fit(recipe(), dataset, file, overwrite=overwrite)


@pytest.mark.parametrize("name", ["config.json", "run/run.json"])
@pytest.mark.parametrize(
    "content", ["mine", "[]", '{"model_type": "bert", "files": ["a"]}', '{"recipe": "soup"}']
)
def test_a_file_of_a_model_s_name_makes_no_folder_ours(
    dataset: Dataset, tmp_path: Path, name: str, content: str, recipe: Callable[..., Recipe]
) -> None:
    theirs = {name: content, "run/thesis.txt": "years of work", "model.onnx": "theirs"}
    for each, text in theirs.items():
        (tmp_path / each).parent.mkdir(exist_ok=True)
        (tmp_path / each).write_text(text)
    with pytest.raises(UsageError, match="exists and is not a model folder"):
        fit(recipe(), dataset, tmp_path, overwrite=True)
    with pytest.raises(UsageError, match="exists and is not a model folder"):
        fit_model(recipe(), dataset, tmp_path, resume="or begin again")
    found = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*") if path.is_file()}
    assert {each: path.read_text() for each, path in found.items()} == theirs


TRAIN_ALONE = """
import sys, time
from pathlib import Path
from lostfound.training.run_folder import training_alone
with training_alone(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_a_training_beside_another_touches_nothing_until_that_was_killed(
    model_folder: Path,
    dataset: Dataset,
    tmp_path: Path,
    recipe: Callable[..., Recipe],
    begin: Callable[..., Any],
) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "model")
    theirs = put_beside(folder)
    (folder / "run" / "run.json").write_text("of the one that runs")

    def contents() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    script = tmp_path / "alone.py"
    script.write_text(TRAIN_ALONE)
    other = begin(folder, script=script, trains=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    before = contents()
    for options in ({"overwrite": True}, {"resume": True}, {}):
        with pytest.raises(ModelError, match="is being trained by another process: wait"):
            fit(recipe(), dataset, folder, **options)
    with pytest.raises(ModelError, match="is being trained by another process"):
        fit_model(recipe(), dataset, folder, resume="or begin again")
    assert contents() == before
    os.kill(other.pid, signal.SIGKILL)
    other.wait(timeout=60)
    with pytest.raises(LostFoundError, match="the loss became"):  # who was killed holds it no longer
        fit(recipe("optimizer.learning_rate=1e30"), dataset, folder, overwrite=True)
    assert not (folder / ".lock").exists()
    assert [name for name in theirs if (folder / name).read_text() == "mine"] == theirs


# --- what goes wrong on the way


def test_a_loss_that_is_no_number_stops_with_the_step(
    dataset: Dataset, tmp_path: Path, recipe: Callable[..., Recipe]
) -> None:
    with pytest.raises(
        LostFoundError, match=r"the loss became (nan|inf) at step \d+ \(epoch \d+\); .*: lower"
    ):
        fit(recipe("optimizer.learning_rate=1e30", "trainer.epochs=5"), dataset, tmp_path / "m")


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.slow
def test_a_damaged_image_is_named_without_a_traceback(
    dataset_folder: Path, tmp_path: Path, workers: int, recipe: Callable[..., Recipe]
) -> None:
    folder = shutil.copytree(dataset_folder, tmp_path / "data")
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
def finished(dataset: Dataset, made_once, recipe: Callable[..., Recipe]) -> Path:
    """A model in a folder that was there, and empty; `result.json` beside it is what the run returned."""

    def build(folder: Path) -> None:
        (folder / "model").mkdir(parents=True)
        result: FitResult = fit(recipe("name=mine", "trainer.epochs=3"), dataset, folder / "model")
        assert result.folder.path == folder / "model"
        said = {each.name: getattr(result, each.name) for each in fields(result) if each.name != "folder"}
        said["name"] = result.folder.config["name"]
        (folder / "result.json").write_text(json.dumps(said))

    return made_once("finished", build) / "model"


@pytest.mark.slow
def test_the_folder_holds_the_model_the_recipe_and_the_logs(finished: Path) -> None:
    present = {path.relative_to(finished).parts[0] for path in finished.rglob("*") if path.is_file()}
    parts = {"model.onnx", "model.safetensors", "partition.parquet", "calibration.json", "config.json"}
    assert present == {*parts, "run"}
    kept = {"csv", "tensorboard", "recipe.yaml", "environment.json", "images.csv"}
    assert {each.name for each in (finished / "run").iterdir()} == kept


@pytest.mark.slow
def test_the_recipe_beside_the_logs_trains_again(finished: Path, recipe: Callable[..., Recipe]) -> None:
    again = load_recipe(finished / "run" / "recipe.yaml")
    assert again == recipe("name=mine", "trainer.epochs=3")


@pytest.mark.slow
def test_the_csv_log_has_every_epoch(finished: Path) -> None:
    log = rows(finished / "run" / "csv" / "version_0" / "metrics.csv")
    for column in ("train_loss_epoch", "val_loss", "val_top_1_accuracy"):
        assert [int(row["epoch"]) for row in log if row[column]] == [0, 1, 2], column
    accuracy = [float(row["val_top_1_accuracy"]) for row in log if row["val_top_1_accuracy"]]
    assert max(accuracy) == pytest.approx(float(str(training(finished)["best_score"])))
    assert accuracy.index(max(accuracy)) + 1 == training(finished)["best_epoch"]


def test_the_tensorboard_log_can_be_read(finished: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorBoard's own
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(finished / "run" / "tensorboard")).Reload()
    assert [event.value for event in events.Scalars("val_top_1_accuracy")]


@pytest.mark.slow
def test_an_empty_folder_is_taken_and_the_result_says_what_it_says(finished: Path, dataset: Dataset) -> None:
    result = json.loads((finished.parent / "result.json").read_text())
    Locator.load(finished)
    assert result["name"] == "mine"
    assert result["weights"] is None
    assert result["left_out"] == []
    described = training(finished)
    assert described["records_sha256"] == dataset.info["records_sha256"]
    assert described["train_images"] == len(dataset.split("train"))
    assert described["val_images"] == len(dataset.split("val"))
    assert result["best_score"] == described["best_score"] == described["validation"]["top_1_accuracy"]
    assert result["best_epoch"] == described["best_epoch"]
    assert described["onnx_logit_difference"] < 1e-4


@pytest.mark.slow
def test_training_learns(dataset: Dataset, tmp_path: Path, recipe: Callable[..., Recipe]) -> None:
    """In ten epochs it learns the countries of the images that it is trained on."""
    run = recipe("trainer.epochs=10", "schedule.warmup_epochs=1")
    fit_best_epoch(run, dataset, tmp_path / "m")
    log = rows(tmp_path / "m" / "run" / "csv" / "version_0" / "metrics.csv")
    losses = [float(row["train_loss_epoch"]) for row in log if row["train_loss_epoch"]]
    assert losses[-1] < losses[0] / 2


@pytest.mark.slow
def test_the_score_that_chooses_is_what_evaluating_the_places_gives(
    dataset: Dataset, tmp_path: Path, recipe: Callable[..., Recipe]
) -> None:
    views = dataset.split("val").records["place_id"].combine_chunks().value_counts().field("counts")
    assert pc.min(views).as_py() >= 2
    shuffled = np.random.default_rng(0).permutation(len(dataset))
    dataset = dataset.with_records(dataset.records.take(pa.array(shuffled)))
    result = fit(recipe("model.views=2", "trainer.epochs=3"), dataset, tmp_path / "m")
    measured = evaluate(Locator(result.folder), two_views(dataset), "val", unit="place")
    assert measured.metrics["top_1_accuracy"].value == pytest.approx(result.best_score)
    assert evaluate(Locator(result.folder), dataset, "train", unit="image").metrics["top_1_accuracy"].n == 50


def two_views(dataset: Dataset) -> Dataset:
    """The views that validation takes of each place."""
    places = ViewsByPlace.of(dataset.records["place_id"].to_numpy(zero_copy_only=False), 2)
    return dataset.with_records(dataset.records.take(pa.array(np.sort(places.evenly_spread(2).ravel()))))


@pytest.mark.slow
def test_a_run_from_weights_starts_from_them(
    dataset: Dataset, model_folder: Path, tmp_path: Path, recipe: Callable[..., Recipe]
) -> None:
    start_from = model_folder / "model.safetensors"
    still = recipe("optimizer.pretrained_factor=0", "optimizer.weight_decay=0")
    result = fit(still, dataset, tmp_path / "m", weights=start_from)
    assert result.weights is not None
    assert result.weights.fresh == []
    before, after = load_file(start_from), load_file(tmp_path / "m" / "model.safetensors")
    assert np.array_equal(before["backbone.stages.0.0.weight"], after["backbone.stages.0.0.weight"])
    assert not np.array_equal(before["head.1.weight"], after["head.1.weight"])
    assert training(tmp_path / "m")["weights"] == "model.safetensors"


@pytest.mark.slow
def test_a_head_goes_on_from_where_it_was(
    dataset: Dataset, model_folder: Path, tmp_path: Path, recipe: Callable[..., Recipe]
) -> None:
    still = recipe("model.keep_head=true", "model.lock={share: 1.0}", "optimizer.learning_rate=1e-12")
    result = fit(still, dataset, tmp_path / "m", weights=model_folder)
    before, after = (load_file(each / "model.safetensors") for each in (model_folder, tmp_path / "m"))
    assert np.allclose(before["head.1.weight"], after["head.1.weight"], rtol=0, atol=1e-9)
    former = json.loads((model_folder / "config.json").read_bytes())["training"]
    assert result.best_score == pytest.approx(former["best_score"])


@pytest.mark.slow
def test_a_last_batch_of_one_image_does_not_stop_the_training(
    dataset: Dataset, tmp_path: Path, recipe: Callable[..., Recipe]
) -> None:
    """Batch normalisation can't take a single image at one pixel."""
    n = len(dataset.split("train"))
    fit_best_epoch(recipe(f"trainer.batch_size={n - 1}"), dataset, tmp_path / "m")
