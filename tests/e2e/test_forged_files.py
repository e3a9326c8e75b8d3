"""A few hundred damaged images and forged folders from a fixed seed: nothing but our errors, in silence.

The long run is `benchmarks/hostile_files.py`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mutants import image_mutants, json_mutants, png_bomb, seeds

from lostfound.data.dataset import TABLE, Dataset
from lostfound.data.importers.importing import import_images
from lostfound.data.preparing.prepare import prepare
from lostfound.errors import DatasetError, ImageError, LostFoundError, ModelError
from lostfound.evaluation.evaluate import evaluate
from lostfound.files import digest
from lostfound.predict.guess import Guess
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import CALIBRATION, CONFIG, PARTITION
from lostfound.predict.photos import locate_photos

SEED = 20


@contextmanager
def quiet(path: Path) -> Iterator[None]:
    """What the libraries print on standard error, past Python, is nothing."""
    kept = os.dup(2)
    with path.open("wb+") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    assert path.read_bytes() == b""


def test_damaged_images_are_answered_or_refused_in_silence(model_folder: Path, tmp_path: Path) -> None:
    locator = Locator.load(model_folder, threads=2)
    images = [data for _, data in seeds()] + [data for _, data in image_mutants(400, SEED)]
    with quiet(tmp_path / "stderr"):
        answers = list(locator.guesses(images))

    assert [type(answer) for answer in answers[: len(seeds())]] == [Guess] * len(seeds())
    assert {type(answer) for answer in answers} == {Guess, ImageError}
    unexpected = [str(each) for each in answers if isinstance(each, ImageError) and "unexpected" in str(each)]
    assert unexpected == []


@pytest.mark.slow
def test_damaged_images_beside_good_ones_are_imported_or_listed(tmp_path: Path) -> None:
    folder = tmp_path / "photos" / "France"
    folder.mkdir(parents=True)
    mutants = list(image_mutants(200, SEED + 1))
    for number, (suffix, data) in enumerate(seeds()):
        (folder / f"good{number}.{suffix.lower()}").write_bytes(data)
    for name, data in mutants:
        (folder / name).write_bytes(data)
    with quiet(tmp_path / "stderr"):
        summary = import_images([tmp_path / "photos"], tmp_path / "data", size=16, jobs=1)

    assert summary.imported + summary.duplicates + len(summary.skipped) == len(mutants) + len(seeds())
    assert summary.imported >= len(seeds())
    assert all("unexpected" not in reason for _, reason in summary.skipped)
    assert len(Dataset.open(tmp_path / "data")) == summary.imported


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # ours are off, pytest's on
@pytest.mark.slow
def test_a_small_file_of_very_many_pixels_is_refused_before_it_takes_memory() -> None:
    bomb = png_bomb(15_000, 10_000)
    assert len(bomb) < 1_000_000
    with pytest.raises(ImageError, match=r"15000x10000 pixels .* LOSTFOUND_MAX_PIXELS"):
        Locator.load().locate(bomb)


# --- model folders


@pytest.fixture
def forged_model(model_folder: Path, tmp_path: Path) -> Callable[[str, bytes], Path]:
    """The model with other bytes in one of its files, whose hash says that they are its own."""
    folder = tmp_path / "forged"
    shutil.copytree(model_folder, folder)

    def forge(name: str, data: bytes) -> Path:
        config = json.loads((model_folder / CONFIG).read_bytes())
        (folder / name).write_bytes(data)
        if name != CONFIG:
            config["files"][name] = digest(data)
            (folder / CONFIG).write_text(json.dumps(config))
        return folder

    return forge


def use_model(folder: Path, dataset: Dataset) -> None:
    """Locate and evaluate: either works, or ends in an error of ours."""
    try:
        locator = Locator.load(folder, threads=1)
        guess = locator.locate(np.full((40, 40, 3), np.arange(40, dtype=np.uint8)[:, None, None]))
        assert np.isfinite([guess.latitude, guess.longitude, guess.probability or 0]).all()
        assert abs(guess.latitude) <= 90
        evaluate(locator, dataset, "test")
    except LostFoundError:
        pass


@pytest.mark.parametrize("name", [CONFIG, CALIBRATION])
@pytest.mark.slow
def test_a_forged_model_is_a_model_error_or_works(name, forged_model, model_folder, dataset_folder) -> None:
    dataset = Dataset.open(dataset_folder)
    text = (model_folder / name).read_text()
    for forged in json_mutants(text, 60 if name == CONFIG else 10, SEED):
        use_model(forged_model(name, forged), dataset)


@pytest.mark.parametrize("temperature", ["0", "-1", "NaN", "Infinity", "1e-400", '"warm"', "null", "[]"])
def test_a_temperature_is_a_positive_number(temperature, forged_model) -> None:
    folder = forged_model(CALIBRATION, f'{{"temperature": {temperature}}}'.encode())
    with pytest.raises(ModelError):
        Locator.load(folder)


def changed_cells(partition: Path, **columns: object) -> bytes:
    table = pq.read_table(partition)
    for name, value in columns.items():
        index = table.schema.get_field_index(name)
        values = [value, *table[name].to_pylist()[1:]]
        table = table.set_column(
            index, table.schema.field(index), pa.array(values, table.schema.field(index).type)
        )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    "columns",
    [
        {"latitude": 91.0}, {"latitude": float("nan")}, {"longitude": 400.0}, {"longitude": None},
        {"cell_id": None}, {"name": None}, {"count": -1}, {"geometry": b"\x01\x03"}, {"geometry": b""},
    ],
)  # fmt: skip
def test_forged_cells_are_a_model_error(columns, forged_model, model_folder) -> None:
    folder = forged_model(PARTITION, changed_cells(model_folder / PARTITION, **columns))
    with pytest.raises(ModelError, match="can't be read as a model folder"):
        Locator.load(folder)


def test_a_file_outside_of_the_model_folder_is_not_read(forged_model, model_folder) -> None:
    config = json.loads((model_folder / CONFIG).read_bytes())
    config["files"]["../secret"] = "0" * 64
    with pytest.raises(ModelError, match="does not describe"):
        Locator.load(forged_model(CONFIG, json.dumps(config).encode()))


def test_a_model_that_gives_no_numbers_is_refused(model_folder, tmp_path, monkeypatch) -> None:
    onnx = pytest.importorskip("onnx")
    folder = tmp_path / "nan"
    shutil.copytree(model_folder, folder)
    graph = onnx.load(folder / "model.onnx")
    for node in graph.graph.node:
        node.output[:] = ["numbers" if name == "outputs" else name for name in node.output]
    graph.graph.initializer.append(onnx.numpy_helper.from_array(np.array(np.nan, np.float32), "no_number"))
    graph.graph.node.append(onnx.helper.make_node("Add", ["numbers", "no_number"], ["outputs"]))
    data = graph.SerializeToString()
    (folder / "model.onnx").write_bytes(data)
    config = json.loads((folder / CONFIG).read_bytes())
    config["files"]["model.onnx"] = digest(data)
    (folder / CONFIG).write_text(json.dumps(config))
    with pytest.raises(ModelError, match="gives no numbers"):
        Locator.load(folder).locate(seeds()[0][1])
    (tmp_path / "photo.jpg").write_bytes(seeds()[0][1])
    (located,) = locate_photos([tmp_path / "photo.jpg"], Locator.load(folder))
    assert "gives no numbers" in str(located.error)


# --- data sets


@pytest.fixture
def forged_dataset(dataset_folder: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    shutil.copytree(dataset_folder, folder)
    return folder


def use_dataset(folder: Path) -> None:
    """Read and prepare: either works, or ends in an error of ours."""
    try:
        dataset = Dataset.open(folder)
        dataset.read(0)
        prepare(dataset, folder.parent / "prepared", "clean", jobs=1)
    except LostFoundError:
        pass
    shutil.rmtree(folder.parent / "prepared", ignore_errors=True)


@pytest.mark.slow
def test_a_forged_description_is_a_data_set_error_or_works(forged_dataset, dataset_folder) -> None:
    text = (dataset_folder / "dataset.json").read_text()
    for forged in json_mutants(text, 30, SEED):
        (forged_dataset / "dataset.json").write_bytes(forged)
        use_dataset(forged_dataset)


def with_records(folder: Path, table: pa.Table) -> Path:
    """The data set with another table, whose hash says that it is its own."""
    pq.write_table(table, folder / TABLE)
    info = json.loads((folder / "dataset.json").read_bytes())
    info["records_sha256"] = digest((folder / TABLE).read_bytes())
    (folder / "dataset.json").write_text(json.dumps(info))
    return folder


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("shard", "../../secret.tar"), ("shard", "/etc/passwd"), ("shard", ".."), ("shard", ""),
        ("shard", None), ("shard", "a\0b"), ("offset", -1), ("offset", 2**62), ("offset", None),
        ("size", -5), ("size", 2**31 - 1),
        ("latitude", 90.5), ("longitude", -1e308), ("latitude", float("inf")), ("image_id", None),
        ("width", None), ("sha256", None),
    ],
)  # fmt: skip
def test_a_forged_record_is_a_data_set_error(column, value, forged_dataset) -> None:
    table = pq.read_table(forged_dataset / TABLE)
    field = table.schema.field(column)
    values = [value, *table[column].to_pylist()[1:]]
    table = table.set_column(table.schema.get_field_index(column), field, pa.array(values, field.type))
    with_records(forged_dataset, table)
    with pytest.raises(DatasetError):
        Dataset.open(forged_dataset).read(0)


@pytest.mark.parametrize("column", ["latitude", "shard", "size", "phash", "image_id"])
def test_a_column_of_another_type_is_a_data_set_error(column, forged_dataset) -> None:
    table = pq.read_table(forged_dataset / TABLE)
    index = table.schema.get_field_index(column)
    other = pa.array([[1]] * len(table))
    with_records(forged_dataset, table.set_column(index, column, other))
    with pytest.raises(DatasetError, match=column):
        Dataset.open(forged_dataset)
