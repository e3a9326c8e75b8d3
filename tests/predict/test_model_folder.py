"""The model folder: read whole or refused, with the reason and the remedy."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from lostfound.errors import ModelError
from lostfound.predict.calibration import Calibration
from lostfound.predict.decoders import CellDecoder
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import ModelFolder, set_calibration

PARTS = ["model.onnx", "model.safetensors", "partition.parquet", "calibration.json"]


@pytest.fixture
def folder(model_folder: Path, tmp_path: Path) -> Path:
    """A model of one's own to break."""
    return Path(shutil.copytree(model_folder, tmp_path / "model", ignore=shutil.ignore_patterns("run")))


def edit_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def swap(folder: Path, name: str, data: bytes) -> None:
    """Put a file in, and its hash into config.json, as someone would who means harm."""
    (folder / name).write_bytes(data)
    files = json.loads((folder / "config.json").read_bytes())["files"]
    edit_config(folder, files={**files, name: hashlib.sha256(data).hexdigest()})


def test_a_finished_model_is_read(folder: Path) -> None:
    model = ModelFolder.open(folder)
    assert model.partition.kind == "countries"
    assert model.config["labels"] == list(model.partition.cell_ids)
    assert (model.preprocessing.height, model.preprocessing.width) == (32, 32)
    assert isinstance(model.decoder, CellDecoder)
    assert 0.05 <= model.decoder.temperature <= 20
    assert model.views == 1


def test_the_folder_says_what_is_in_it(folder: Path) -> None:
    present = {each.name for each in folder.iterdir()}
    assert present == {*PARTS, "config.json", "README.md"}


@pytest.mark.parametrize("name", [*PARTS, "config.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=name):
        ModelFolder.open(folder)


def test_a_model_without_a_card_still_answers(folder: Path) -> None:
    (folder / "README.md").unlink()
    ModelFolder.open(folder)


@pytest.mark.parametrize("name", ["model.onnx", "partition.parquet", "calibration.json"])
def test_a_file_of_another_model_is_refused(folder: Path, name: str) -> None:
    with (folder / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(ModelError, match=f"{name} is not this model's own .*copy the folder whole"):
        ModelFolder.open(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nothing is not a model folder .*lostfound train"):
        ModelFolder.open(tmp_path / "nothing")


def test_a_file_instead_of_the_folder_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match="is not a model folder"):
        ModelFolder.open(folder / "model.onnx")


def test_an_unfinished_run_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(ModelError, match=r"did not finish; go on .*--resume"):
        ModelFolder.open(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"architectures": ["ResNetForImageClassification"], "model_type": "resnet"}',
        b'{"format": 1}',
        b'{"format": "one", "files": {}}',
        b'{"format": 1, "files": []}',
        b'{"format": 1, "files": {"model.onnx": "0"}}',
    ],
)
def test_a_foreign_config_is_refused(folder: Path, content: bytes) -> None:
    (folder / "config.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"config\.json does not describe a lostfound model"):
        ModelFolder.open(folder)


def test_a_newer_format_asks_for_an_update(folder: Path) -> None:
    edit_config(folder, format=99)
    with pytest.raises(ModelError, match=r"format 99, newer than this lostfound reads .*update"):
        ModelFolder.open(folder)


@pytest.mark.parametrize(
    "preprocessing",
    [{}, {"mean": 1, "std": 2}, {"height": 32, "width": 32, "mean": [0] * 3, "std": [1] * 3, "bogus": 1}],
)
def test_a_config_without_its_preprocessing_is_refused(folder: Path, preprocessing: object) -> None:
    edit_config(folder, preprocessing=preprocessing)
    with pytest.raises(ModelError, match="can't be read as a model folder"):
        ModelFolder.open(folder)


def test_a_config_with_another_image_size_is_refused(folder: Path) -> None:
    preprocessing = json.loads((folder / "config.json").read_bytes())["preprocessing"]
    edit_config(folder, preprocessing={**preprocessing, "height": 64})
    with pytest.raises(ModelError, match=r"takes other images than config\.json says \(64x32 pixels\)"):
        Locator.load(folder)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("partition.parquet", b"not parquet"),
        ("calibration.json", b"{"),
        ("calibration.json", b"{}"),
        ("calibration.json", b'{"temperature": "warm"}'),
    ],
)
def test_a_damaged_file_with_the_right_hash_is_refused(folder: Path, name: str, data: bytes) -> None:
    swap(folder, name, data)
    with pytest.raises(ModelError, match="can't be read as a model folder"):
        ModelFolder.open(folder)


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_in_place_of_the_graph_is_refused_unopened(
    folder: Path, tmp_path: Path, zipped: bool
) -> None:
    buffer = io.BytesIO()
    torch.save({"w": Trap(tmp_path / "opened")}, buffer, _use_new_zipfile_serialization=zipped)
    swap(folder, "model.onnx", buffer.getvalue())
    with pytest.raises(ModelError, match=r"model\.onnx can't be run"):
        Locator.load(folder)
    assert not (tmp_path / "opened").exists()


def test_names_beyond_ascii_survive(folder: Path) -> None:
    text = (folder / "config.json").read_text(encoding="utf-8").replace('"demo"', '"Curaçao"')
    (folder / "config.json").write_bytes(text.encode())
    assert ModelFolder.open(folder).config["name"] == "Curaçao"


def test_another_temperature_changes_how_sure_it_is_not_what_it_says(folder: Path) -> None:
    before = ModelFolder.open(folder).decoder
    hotter = set_calibration(folder, Calibration(100.0)).decoder
    assert isinstance(before, CellDecoder)
    assert isinstance(hotter, CellDecoder)
    outputs = np.eye(before.width, dtype=np.float32)
    assert (hotter.decode(outputs, 1).cells == before.decode(outputs, 1).cells).all()
    assert (hotter.decode(outputs, 1).probabilities < before.decode(outputs, 1).probabilities).all()
    again = ModelFolder.open(folder).decoder
    assert isinstance(again, CellDecoder)
    assert again.temperature == 100
