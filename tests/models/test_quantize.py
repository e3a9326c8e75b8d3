"""Models of eight bits: ordinary model folders, measured, and refused where they lose too much."""

import shutil

import pytest

from lostfound.data.dataset import Dataset
from lostfound.errors import ModelError, UsageError
from lostfound.evaluation.evaluate import evaluate
from lostfound.models.quantize import loss, quantize
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import CARD, ModelFolder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def eight(calibrated_model_folder, dataset_folder, tmp_path_factory):
    """The tiny model in eight bits."""
    to = tmp_path_factory.mktemp("eight") / "model"
    return quantize(calibrated_model_folder, Dataset.open(dataset_folder), to, max_loss=1.0)


def test_it_computes_in_eight_bits_and_answers_much_as_before(eight, calibrated_model_folder, dataset_folder):
    about = eight.config["quantized"]
    assert about["precision"] == "int8"
    assert about["operations"]["Conv"] > 2
    assert eight.graph.stat().st_size < (calibrated_model_folder / "model.onnx").stat().st_size / 2
    dataset = Dataset.open(dataset_folder)
    before, after = (
        evaluate(Locator(ModelFolder.open(each)), dataset, "all")
        for each in (calibrated_model_folder, eight.path)
    )
    assert abs(loss(before, after).value) < 0.1
    assert Locator(eight).strangeness is not None


def test_it_keeps_all_but_the_graph_and_says_what_was_lost(eight, calibrated_model_folder):
    original = ModelFolder.open(calibrated_model_folder)
    kept = {
        name: sha
        for name, sha in original.config["files"].items()
        if name not in ("model.onnx", "model.safetensors")
    }
    assert kept.items() <= eight.config["files"].items()
    assert eight.fingerprint != original.fingerprint
    assert eight.config["quantized"]["of_sha256"] == original.fingerprint
    card = (eight.path / CARD).read_text(encoding="utf-8")
    assert card.startswith((original.path / CARD).read_text(encoding="utf-8").rstrip())
    assert f"loses {eight.config['quantized']['lost']:.2%} of right answers" in card


def test_one_that_loses_too_much_is_not_written(calibrated_model_folder, dataset_folder, tmp_path):
    with pytest.raises(ModelError, match=r"more than -100\.0%: nothing was written"):
        quantize(
            calibrated_model_folder, Dataset.open(dataset_folder), tmp_path / "to", max_loss=-1.0, images=16
        )
    assert not list(tmp_path.iterdir())


def test_what_it_refuses(eight, dataset_folder, tmp_path):
    dataset = Dataset.open(dataset_folder)
    with pytest.raises(ModelError, match="of eight bits already"):
        quantize(eight.path, dataset, tmp_path / "to")
    with pytest.raises(UsageError, match="is there already"):
        quantize(eight.path, dataset, eight.path)
    damaged = shutil.copytree(eight.path, tmp_path / "damaged")
    (damaged / "model.onnx").write_bytes(b"")
    with pytest.raises(ModelError, match="not this model's own"):
        quantize(damaged, dataset, tmp_path / "to")
