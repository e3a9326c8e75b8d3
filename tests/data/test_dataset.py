import json
import os
import shutil
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from lostfound.data.dataset import Dataset, write_dataset
from lostfound.data.records import SPLITS
from lostfound.errors import DatasetError
from lostfound.files import digest


@pytest.fixture
def folder(dataset_folder, tmp_path):
    """A data set that a test may damage."""
    return shutil.copytree(dataset_folder, tmp_path / "data")


def describe(folder, **changes):
    path = folder / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_data_set_is_opened_with_all_its_images(dataset_folder):
    dataset = Dataset.open(str(dataset_folder))

    assert (dataset.name, len(dataset), dataset.info["images"]) == ("dataset", 96, 96)
    assert all(digest(dataset.read(row)) == dataset.records["sha256"][row].as_py() for row in range(96))


def test_ordinary_tools_read_a_data_set(dataset_folder):
    table = pq.read_table(dataset_folder / "records.parquet")

    assert table.num_rows == 96
    shard, offset, size = (table[name][7].as_py() for name in ("shard", "offset", "size"))
    with (dataset_folder / "images" / shard).open("rb") as file:
        file.seek(offset)
        assert file.read(size)[:3] == b"\xff\xd8\xff"


def test_the_splits_divide_the_data_set(dataset_folder):
    dataset = Dataset.open(dataset_folder)
    parts = [dataset.split(name) for name in SPLITS]

    assert sum(map(len, parts)) == 96
    assert all(
        set(part.records["split"].to_pylist()) == {name} for name, part in zip(SPLITS, parts, strict=True)
    )
    assert all(len(part.read(0)) > 100 for part in parts)


@pytest.mark.parametrize("name", ["gone", "empty", "file"])
def test_what_is_no_data_set_says_how_to_make_one(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")

    with pytest.raises(
        DatasetError, match="is not a data set: make one with `lostfound import SOURCE --to DATASET`"
    ):
        Dataset.open(tmp_path / name)


def test_an_unfinished_import_says_how_to_go_on(tmp_path):
    (tmp_path / ".import-0123").mkdir()

    with pytest.raises(DatasetError, match="did not finish; run the same command again to go on"):
        Dataset.open(tmp_path)


def test_a_shard_that_is_gone_is_found_on_opening(folder):
    shard = min((folder / "images").iterdir())
    shard.unlink()

    with pytest.raises(DatasetError, match=f"{shard.name} is missing: the data set's files are gone"):
        Dataset.open(folder)


def test_a_shard_that_goes_later_is_found_on_reading(folder):
    dataset = Dataset.open(folder)
    shutil.rmtree(folder / "images")

    with pytest.raises(DatasetError, match="the data set's files are gone; restore them or import again"):
        dataset.read(0)


def test_one_changed_byte_of_an_image_is_found(folder):
    dataset = Dataset.open(folder)
    row = dataset.records.slice(3, 1).to_pylist()[0]
    with (folder / "images" / row["shard"]).open("r+b") as file:
        file.seek(row["offset"] + row["size"] // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))

    with pytest.raises(DatasetError, match=f"image {row['image_id']} in .* is not what was imported"):
        dataset.read(3)
    assert dataset.read(2)


def test_a_shard_cut_short_is_found(folder):
    dataset = Dataset.open(folder)
    last = max(
        range(96),
        key=lambda row: (dataset.records["shard"][row].as_py(), dataset.records["offset"][row].as_py()),
    )
    shard = folder / "images" / dataset.records["shard"][last].as_py()
    os.truncate(shard, dataset.records["offset"][last].as_py() + 1)

    with pytest.raises(DatasetError, match="cut short"):
        dataset.read(last)


def test_a_changed_table_is_found(folder):
    records = pq.read_table(folder / "records.parquet")
    pq.write_table(records.slice(0, 90), folder / "records.parquet")

    with pytest.raises(DatasetError, match=r"is not the table that dataset\.json was written with"):
        Dataset.open(folder)


def test_a_missing_table_is_found(folder):
    (folder / "records.parquet").unlink()

    with pytest.raises(DatasetError, match=r"records\.parquet is missing"):
        Dataset.open(folder)


def test_a_table_without_a_column_is_found(folder):
    table = pq.read_table(folder / "records.parquet").drop_columns(["heading", "phash"])
    pq.write_table(table, folder / "records.parquet")
    describe(folder, records_sha256=digest((folder / "records.parquet").read_bytes()))

    with pytest.raises(DatasetError, match="lacks the columns heading, phash: import the data set again"):
        Dataset.open(folder)


def test_a_newer_format_says_to_update(folder):
    describe(folder, format=99)

    with pytest.raises(DatasetError, match=r"is of format 99, newer than this lostfound reads \(1\): update"):
        Dataset.open(folder)


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{}", '{"format": 1}', '{"format": "x", "records_sha256": ""}']
)
def test_a_description_of_another_form_says_so(folder, text):
    (folder / "dataset.json").write_text(text)

    with pytest.raises(DatasetError, match=r"dataset\.json can't be read as a data set's description"):
        Dataset.open(folder)


def test_names_in_any_letters_survive(dataset_folder, tmp_path):
    dataset = Dataset.open(dataset_folder)
    folder = tmp_path / "写真"
    shutil.copytree(dataset_folder / "images", folder / "images")

    write_dataset(folder, dataset.records, {**dataset.info, "note": "Réunion 東京"})

    code = (
        "import sys; from lostfound.data.dataset import Dataset; "
        "print(ascii(Dataset.open(sys.argv[1]).info['note']))"
    )
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    run = subprocess.run(
        [sys.executable, "-c", code, folder], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == ascii("Réunion 東京")
