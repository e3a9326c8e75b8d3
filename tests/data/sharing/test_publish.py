import io
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from lostfound.data.dataset import Dataset
from lostfound.data.records import set_column
from lostfound.data.sharing import publish as module
from lostfound.data.sharing.publish import may_be_published, publish
from lostfound.errors import DatasetError, UsageError
from lostfound.files import digest


@pytest.fixture
def dataset(dataset_folder):
    """The first 40 images under an open licence, the next under one that forbids it, the last without one."""
    dataset = Dataset.open(dataset_folder)
    names = ["CC-BY-4.0"] * 40 + ["all rights reserved"] * 10 + [None] * 46
    return dataset.with_records(set_column(dataset.records, "license", names))


@pytest.fixture
def open_part(dataset):
    return dataset.with_records(dataset.records.slice(0, 40))


def rows(folder, split="*"):
    found = []
    for path in sorted(folder.glob(f"data/{split}-*.parquet")):
        found += pq.read_table(path).to_pylist()
    return found


def test_every_image_is_there_with_its_bytes_and_its_record(open_part, tmp_path):
    where, number = publish(open_part, str(tmp_path / "hub"))

    assert (where, number) == (str(tmp_path / "hub"), 40)
    published = {row["image_id"]: row for row in rows(tmp_path / "hub")}
    for index, record in enumerate(open_part.records.to_pylist()):
        row = published[record["image_id"]]
        image = row.pop("image")
        assert image == {"bytes": open_part.read(index), "path": f"{record['image_id']}.jpg"}
        assert row == {name: record[name] for name in row}
        assert {"latitude", "country", "place_id", "license", "sha256"} <= set(row)


@pytest.mark.parametrize(("ours", "theirs"), [("train", "train"), ("val", "validation"), ("test", "test")])
def test_splits_have_the_hubs_names(open_part, tmp_path, ours, theirs):
    publish(open_part, str(tmp_path / "hub"))
    expected = open_part.split(ours).records["image_id"].to_pylist()
    assert [row["image_id"] for row in rows(tmp_path / "hub", theirs)] == expected


def test_the_card_has_the_header_that_the_hub_reads(open_part, tmp_path):
    publish(open_part, str(tmp_path / "hub"))
    _, header, text = (tmp_path / "hub" / "README.md").read_text().split("---\n", 2)
    header = yaml.safe_load(header)
    assert header["license"] == "cc-by-4.0"
    assert header["size_categories"] == ["n<1K"]
    listed = [path for each in header["configs"][0]["data_files"] for path in each["path"]]
    assert sorted(listed) == sorted(f"data/{path.name}" for path in (tmp_path / "hub" / "data").iterdir())
    assert "40 images" in text
    assert "What it is not for" in text


def test_the_files_say_that_the_column_holds_images(open_part, tmp_path):
    publish(open_part, str(tmp_path / "hub"))
    for path in (tmp_path / "hub" / "data").iterdir():
        assert b'"image": {"_type": "Image"}' in pq.read_schema(path).metadata[b"huggingface"]
    pixels = rows(tmp_path / "hub")[0]["image"]["bytes"]
    assert Image.open(io.BytesIO(pixels)).size == (64, 64)


def test_a_large_split_is_cut_into_files(open_part, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_FILE_BYTES", 10_000)
    publish(open_part, str(tmp_path / "hub"))
    names = sorted(path.name for path in (tmp_path / "hub" / "data").glob("train-*"))
    assert len(names) > 2
    assert names[0] == f"train-00000-of-{len(names):05d}.parquet"
    assert len(rows(tmp_path / "hub")) == 40


def test_images_that_may_not_be_published_are_refused_by_licence_and_source(dataset, tmp_path):
    with pytest.raises(DatasetError) as error:
        publish(dataset, str(tmp_path / "hub"))
    source = dataset.records["source"][0].as_py()
    assert "56 of 96 images may not be published" in str(error.value)
    assert f"46 of {source}: no licence known ({dataset.records['image_id'][50].as_py()}, " in str(
        error.value
    )
    assert f"10 of {source}: licence 'all rights reserved' (" in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "number"),
    [
        ({"leave_out": True}, 40),
        ({"leave_out": True, "unknown_as": "CC0-1.0"}, 86),
        ({"unknown_as": "CC0-1.0", "licenses": ["All rights reserved"]}, 96),
    ],
)
def test_what_is_said_explicitly_is_published(dataset, tmp_path, settings, number):
    assert publish(dataset, str(tmp_path / "hub"), **settings)[1] == number
    published = rows(tmp_path / "hub")
    assert len(published) == number
    assert None not in {row["license"] for row in published}


def test_an_unknown_licence_said_to_be_a_closed_one_stays_refused(dataset, tmp_path):
    with pytest.raises(DatasetError, match="56 of 96"):
        publish(dataset, str(tmp_path / "hub"), unknown_as="all rights reserved")


def test_leaving_out_everything_is_refused(dataset, tmp_path):
    closed = dataset.with_records(dataset.records.slice(40))
    with pytest.raises(DatasetError, match="56 of 56"):
        publish(closed, str(tmp_path / "hub"), leave_out=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CC-BY-4.0", True),
        ("cc_by_sa_3.0", True),
        ("CC BY-NC 4.0", True),
        ("CC0-1.0", True),
        ("CC0", True),
        ("public domain", True),
        ("BSD-2-Clause", True),
        ("ODbL-1.0", True),
        ("CC-BY-ND-4.0", False),
        ("CC-BY-NC-ND-4.0", False),
        ("all rights reserved", False),
        ("Google", False),
        ("mittens", False),
        ("", False),
    ],
)
def test_licences(name, expected):
    assert may_be_published(name) is expected


def test_a_target_that_holds_something_is_refused(open_part, tmp_path):
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        publish(open_part, str(tmp_path / "hub"))


def test_a_name_that_the_hub_would_not_take_is_refused(open_part):
    with pytest.raises(UsageError, match=r"give hf://datasets/OWNER/NAME"):
        publish(open_part, "hf://datasets/streets")


def test_a_damaged_image_leaves_nothing_at_the_target(dataset_folder, tmp_path):
    dataset = Dataset.open(shutil.copytree(dataset_folder, tmp_path / "data"))
    for shard in (tmp_path / "data" / "images").iterdir():
        shard.write_bytes(bytes(shard.stat().st_size))
    with pytest.raises(DatasetError, match="its hash differs"):
        publish(dataset, str(tmp_path / "hub"), unknown_as="CC0-1.0")
    assert not (tmp_path / "hub").exists()


def test_published_hashes_are_those_of_the_bytes(open_part, tmp_path):
    publish(open_part, str(tmp_path / "hub"))
    assert np.all([digest(row["image"]["bytes"]) == row["sha256"] for row in rows(tmp_path / "hub")])


def test_what_a_killed_publication_left_half_written_is_not_published(open_part, tmp_path):
    (tmp_path / ".hub.partial").mkdir()
    (tmp_path / ".hub.partial" / ".README.md.1-0123abcd.partial").write_text("half")

    publish(open_part, str(tmp_path / "hub"))

    assert sorted(path.name for path in (tmp_path / "hub").iterdir()) == ["README.md", "data"]
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]


@pytest.mark.parametrize("theirs", [["data/mine.txt"], ["README.md"], ["notes.txt"]])
def test_a_folder_that_only_looks_like_a_killed_publication_stays(open_part, tmp_path, theirs):
    for name in theirs:
        (tmp_path / ".hub.partial" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ".hub.partial" / name).write_text("mine")

    with pytest.raises(UsageError, match="holds something else than a publication"):
        publish(open_part, str(tmp_path / "hub"))

    for name in theirs:
        assert (tmp_path / ".hub.partial" / name).read_text() == "mine"
