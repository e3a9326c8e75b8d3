"""Teachers: what finished models say of a batch's images, and that a network learns it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from torch.nn.functional import cross_entropy

from lostfound.data.dataset import Dataset
from lostfound.errors import RecipeError
from lostfound.partitions import build_partition
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import ModelFolder
from lostfound.training.batches import features_suffice
from lostfound.training.build import build_training
from lostfound.training.fit import fit
from lostfound.training.recipe import load_recipe
from lostfound.training.tasks.objective import mean_outputs
from lostfound.training.teachers import Teachers


def seen(locator: Locator, count: int) -> torch.Tensor:
    """Images (count, 1, height, width, 3) of noise, of the model's own input size."""
    shape = (count, 1, locator.model.preprocessing.height, locator.model.preprocessing.width, 3)
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


@pytest.fixture(scope="module")
def locator(model_folder: Path) -> Locator:
    return Locator.load(model_folder)


def test_they_answer_as_the_finished_model_does(locator: Locator, model_folder: Path) -> None:
    cells = ModelFolder.open(model_folder).partition
    assert cells is not None
    images = seen(locator, 3)
    found = Teachers([str(model_folder)], cells).answers(images)
    (outputs,) = locator.session.run(["outputs"], {"images": images[:, 0].numpy()})
    assert found.numpy() == pytest.approx(torch.from_numpy(outputs).softmax(dim=1).numpy(), abs=1e-5)
    twice = Teachers([str(model_folder), str(model_folder)], cells).answers(images)
    assert torch.allclose(twice, found)


def test_cells_that_a_teacher_lacks_are_nothing_to_it(locator: Locator, model_folder: Path) -> None:
    theirs = ModelFolder.open(model_folder).partition
    assert theirs is not None
    own = [*theirs.cell_ids[:0:-1], "AQ"]  # in another order, without the first, with one more
    cells = build_partition("countries", np.full((len(own), 2), np.nan), np.array(own, dtype=object))
    images = seen(locator, 2)
    found = Teachers([str(model_folder)], cells).answers(images)
    whole = Teachers([str(model_folder)], theirs).answers(images)
    assert found.sum(dim=1).numpy() == pytest.approx(1.0)
    assert (found[:, cells.numbers["AQ"]] == 0).all()
    for each in theirs.cell_ids[1:]:
        share = whole[:, theirs.numbers[each]] / (1 - whole[:, 0])
        assert found[:, cells.numbers[each]].numpy() == pytest.approx(share.numpy(), abs=1e-5)


def test_models_of_something_else_are_no_teachers(point_model_folder: Path, model_folder: Path) -> None:
    elsewhere = build_partition("countries", np.full((2, 2), np.nan), np.array(["AQ", "TV"], dtype=object))
    for path in (point_model_folder, model_folder):
        with pytest.raises(RecipeError, match="ranks none of the 2 countries to be learnt"):
            Teachers([str(path)], elsewhere)


def test_all_of_the_loss_can_be_theirs(dataset_folder: Path, model_folder: Path, tiny: list[str]) -> None:
    taught = [f"task.teachers=['{model_folder}']", "task.teacher_share=1.0", "augmentation.enabled=false"]
    training = build_training(load_recipe("demo", [*tiny, *taught]), Dataset.open(dataset_folder), None)
    module = training.module.eval()
    module.log = lambda *_, **__: None  # type: ignore[method-assign]  # there is no trainer
    images, rows = next(iter(training.batches.train))
    theirs = Teachers([str(model_folder)], module.objective.decoder.partition).answers(images)  # type: ignore[arg-type]
    with torch.no_grad():
        expected = float(cross_entropy(mean_outputs(module.network.head, module.embed(images)), theirs))
        for labels in (rows, rows.flip(0)):
            assert float(module.training_step([images, labels], 0)) == pytest.approx(expected, rel=1e-5)
    assert not [name for name in module.state_dict() if "teacher" in name]
    training.batches.close()


def test_they_look_at_the_images_of_a_locked_backbone(tiny: list[str], model_folder: Path) -> None:
    locked = ["model.lock.share=1.0", "model.lock.unlock={}", "augmentation.enabled=false"]
    for taught, suffice in ([], True), ([f"task.teachers=['{model_folder}']"], False):
        recipe = load_recipe("demo", [*tiny, *locked, *taught])
        training = type("Locking", (), {"all_locked": True})()
        preprocessing = ModelFolder.open(model_folder).preprocessing
        assert features_suffice(recipe, preprocessing, training) == suffice


@pytest.mark.slow
def test_a_model_learns_what_its_teachers_say_whatever_the_labels_are(
    dataset_folder: Path, model_folder: Path, tiny: list[str], tmp_path: Path
) -> None:
    dataset, partition = Dataset.open(dataset_folder), ModelFolder.open(model_folder).partition
    assert partition is not None
    contrary = tmp_path / "contrary"  # it says the opposite of what it learnt, and louder
    shutil.copytree(model_folder, contrary, ignore=shutil.ignore_patterns("run"))
    weights = load_file(contrary / "model.safetensors")
    louder = {name: -9 * value if name.startswith("head.") else value for name, value in weights.items()}
    save_file(louder, contrary / "model.safetensors")
    preprocessing = ModelFolder.open(model_folder).preprocessing
    images = torch.from_numpy(np.stack([[preprocessing(dataset.read(row))] for row in range(len(dataset))]))
    theirs = Teachers([str(contrary)], partition).answers(images)
    hurried = [
        "trainer.epochs=1",
        "trainer.batch_size=4",
        "optimizer.learning_rate=0.02",
    ]  # one epoch is best
    apart = {}
    for name, share in (("taught", 1.0), ("hardly", 0.01)):
        settings = [f"task.teachers=['{contrary}']", f"task.teacher_share={share}", *hurried]
        result = fit(load_recipe("demo", [*tiny, *settings]), dataset, tmp_path / name)
        assert result.folder.config["training"]["teachers"] == ["contrary"]
        apart[name] = float(
            (Teachers([str(tmp_path / name)], partition).answers(images) - theirs).abs().mean()
        )
    assert apart["taught"] < apart["hardly"] / 2, apart
