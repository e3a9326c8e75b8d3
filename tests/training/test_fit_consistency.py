"""Training, evaluation and locating see the same pixels, and torch and ONNX Runtime answer alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lostfound.data.dataset import Dataset
from lostfound.data.images import ImageSource
from lostfound.evaluation.evaluate import evaluate
from lostfound.models.backbones import build_backbone
from lostfound.models.heads import linear_head
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


# --- torch and ONNX Runtime


def rebuilt(model: ModelFolder) -> Network:
    """The torch network of a model folder, from its settings and weights."""
    recipe = Recipe.model_validate(model.config["recipe"])
    backbone = build_backbone(recipe.model.backbone, recipe.model.options, pretrained=False)
    network = Network(
        backbone, model.preprocessing, lambda features: linear_head(features, model.decoder.width)
    )
    network.load_state_dict(load_file(model.path / "model.safetensors"))
    return network.eval()


def assert_agreement(folder: Path, photos: Iterable[Path]) -> None:
    """To 1e-4 on every logit, whatever the batch."""
    locator = Locator.load(folder, threads=1)
    network = rebuilt(locator.model)
    photos = list(photos)
    found = np.stack([each for each in locator.outputs(photos) if not isinstance(each, Exception)])
    assert len(found) == len(photos)
    tensors = np.stack([locator.model.preprocessing(photo) for photo in photos])
    with torch.no_grad():
        expected = network(torch.from_numpy(tensors))[0].numpy()
    assert np.ptp(expected, axis=0).max() > 0.01  # the photos are told apart
    assert np.abs(found - expected).max() <= 1e-4
    for photo, row in zip(photos[:3], expected, strict=False):
        (alone,) = locator.outputs([photo])
        assert np.abs(alone - row).max() <= 1e-4


def test_the_stored_weights_answer_as_the_graph_does(model_folder: Path, world: Path) -> None:
    assert_agreement(model_folder, sorted((world / "images").iterdir()))


@pytest.mark.slow
@pytest.mark.data
def test_the_stored_weights_answer_as_the_graph_does_on_real_photos(
    dataset: Dataset, real_data: Path, tmp_path: Path
) -> None:
    """The first recipe's network, started from ImageNet weights, on photos of streets."""
    recipe = load_recipe(
        "countries",
        ["input.size=[96, 96]", "trainer.epochs=1", "trainer.batch_size=16", "trainer.workers=0",
         "trainer.device=cpu", "task.min_images=2"],
    )  # fmt: skip
    weights = real_data / "weights" / "mobilenetv2_100.in1k.safetensors"
    fit(recipe, dataset, tmp_path / "model", weights=weights)
    folders = sorted((real_data / "street-countries").iterdir())
    photos = [next(iter(sorted(each.iterdir()))) for each in folders if each.is_dir()]
    assert len(photos) > 50
    assert_agreement(tmp_path / "model", photos)
