"""Training, evaluation and locating see the same pixels, and torch and ONNX Runtime answer alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from agreement import assert_agreement

from lostfound.data.dataset import Dataset
from lostfound.data.images import ImageSource
from lostfound.evaluation.evaluate import evaluate
from lostfound.models.network import Network
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import ModelFolder
from lostfound.training.fit import fit
from lostfound.training.recipe import load_recipe
from lostfound.training.settings import Recipe


class Watching(Locator):
    """A locator that keeps what it gives to the network."""

    def __init__(self, model: ModelFolder) -> None:
        super().__init__(model, threads=1)
        self.seen: list[np.ndarray] = []

    def run(self, images: np.ndarray) -> np.ndarray:
        self.seen.extend(images)
        return super().run(images)


def network_inputs(
    recipe: Recipe, dataset: Dataset, to: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What the network is given while it is trained, and while it is validated."""
    trained: list[np.ndarray] = []
    validated: list[np.ndarray] = []

    embed = Network.embed

    def watch(network: Network, images: torch.Tensor) -> torch.Tensor:
        (trained if network.training else validated).extend(images.numpy())
        return embed(network, images)

    monkeypatch.setattr(Network, "embed", watch)
    fit(recipe, dataset, to)
    monkeypatch.undo()
    return trained, validated


@pytest.mark.parametrize(
    "overrides",
    [
        ["input.size=[32, 32]"],
        ["input.size=[24, 40]", "input.crop_fraction=0.8", "input.interpolation=lanczos"],
        ["input.size=[80, 80]", "input.interpolation=bilinear"],  # larger than what is stored
    ],
    ids=["as stored", "cropped", "enlarged"],
)
@pytest.mark.slow
def test_the_same_image_is_the_same_tensor_everywhere(
    dataset: Dataset, tmp_path: Path, tiny: list[str], overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe("demo", [*tiny, "trainer.epochs=1", "trainer.batch_size=10", *overrides])
    trained, validated = network_inputs(recipe, dataset, tmp_path / "model", monkeypatch)
    model = ModelFolder.open(tmp_path / "model")
    train, val = dataset.split("train"), dataset.split("val")

    evaluating = Watching(model)
    evaluate(evaluating, dataset, "val")
    assert [each.tobytes() for each in evaluating.seen] == [each.tobytes() for each in validated[: len(val)]]

    evaluating.seen.clear()
    evaluate(evaluating, dataset, "train")
    assert {each.tobytes() for each in trained} == {each.tobytes() for each in evaluating.seen}

    for part, seen in ((train, evaluating.seen), (val, validated)):
        for index in (0, 3):
            data = part.read(index)
            (tmp_path / "photo.jpg").write_bytes(data)
            forms: Sequence[ImageSource] = [data, tmp_path / "photo.jpg", str(tmp_path / "photo.jpg")]
            for form in forms:
                locating = Watching(model)
                locating.locate(form)
                assert locating.seen[0].tobytes() == seen[index].tobytes()


def test_the_stored_weights_answer_as_the_graph_does(model_folder: Path, world: Path) -> None:
    assert_agreement(model_folder, sorted((world / "images").iterdir()))
