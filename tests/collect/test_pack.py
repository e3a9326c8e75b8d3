from __future__ import annotations

import json
from pathlib import Path

import pytest

from lostfound.collect.inbox import Inbox
from lostfound.collect.ledger import Ledger
from lostfound.collect.pack import pack
from lostfound.data.dataset import Dataset
from lostfound.data.importers.importing import import_images
from lostfound.errors import UsageError


def test_batches_are_packed_on_the_way(serve, street, tmp_path: Path):
    serve()
    summary = street(places=20, pack_at=7)
    dataset = Dataset.open(tmp_path / "data")
    assert len(dataset) == summary.totals.stored == 20
    assert len(dataset.info["imports"]) == 3
    assert all(dataset.read(index) for index in range(20))
    assert list((tmp_path / "data" / "collect" / "streetview-inbox").iterdir()) == []


@pytest.mark.slow
def test_an_imported_data_set_can_be_added_to_and_the_other_way_round(
    serve, street, tmp_path: Path, world: Path
):
    serve()
    folder = tmp_path / "data"
    import_images([world], folder, size=48, jobs=1)
    imported = Dataset.open(folder).records
    street(folder, places=5)
    both = Dataset.open(folder)
    assert len(both) == imported.num_rows + 5
    assert both.records.slice(0, imported.num_rows).equals(imported)
    again = import_images([world], folder, size=48, jobs=1)
    assert again.imported == 0
    assert len(Dataset.open(folder)) == len(both)


def test_another_size_is_refused_before_anything_is_asked(serve, street, tmp_path: Path, world: Path):
    services = serve()
    import_images([world], tmp_path / "data", size=64, jobs=1)
    with pytest.raises(UsageError, match="--size 64"):
        street()
    assert services.requests() == []


def test_a_packing_that_was_killed_after_the_data_set_was_written_stores_nothing_twice(
    serve, street, tmp_path: Path
):
    serve()
    street(places=6)
    folder = tmp_path / "data"
    before = Dataset.open(folder).records
    ledger = Ledger(folder / "collect" / "streetview.sqlite")
    ledger._db.execute("UPDATE image SET stored = 0")  # as if it had not got so far
    pack(folder, ledger, Inbox(folder / "collect" / "streetview-inbox"), source="streetview", size=48, jobs=1)
    assert ledger.waiting() == 0
    ledger.close()
    assert Dataset.open(folder).records.equals(before)


def test_an_image_that_the_disk_lost_is_asked_for_again(serve, street, tmp_path: Path):
    services = serve()
    street(places=6)
    folder = tmp_path / "data"
    (folder / "dataset.json").unlink()  # as if the disk had lost the inbox too
    ledger = Ledger(folder / "collect" / "streetview.sqlite")
    ledger._db.execute("UPDATE image SET stored = 0")
    ledger.close()
    street(places=6)
    assert len(Dataset.open(folder)) == 6
    assert sorted(services.questions("view").values()) == [2] * 6


def test_ids_are_the_hash_of_what_came(serve, street, tmp_path: Path):
    serve()
    street(tmp_path / "one", places=4)
    street(tmp_path / "two", places=4)
    first, second = (Dataset.open(tmp_path / name).records["image_id"].to_pylist() for name in ("one", "two"))
    assert sorted(first) == sorted(second)


def test_how_it_was_made_is_told(serve, street, tmp_path: Path):
    serve()
    street(places=4)
    info = json.loads((tmp_path / "data" / "dataset.json").read_text())
    assert info["made_by"] == "lostfound collect"
    assert info["imports"][0]["sources"] == [{"name": "streetview", "layout": "collected", "files": 4}]
