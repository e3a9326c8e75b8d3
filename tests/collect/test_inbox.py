from __future__ import annotations

from pathlib import Path

import pytest

import lostfound.collect.inbox as module
from lostfound.collect.inbox import Inbox
from lostfound.collect.ledger import Ledger
from lostfound.data.dataset import Dataset
from lostfound.errors import CollectError


def test_an_image_is_there_whole_or_not_at_all(tmp_path: Path):
    inbox = Inbox(tmp_path / "inbox")
    assert not inbox.has("view:1")
    inbox.write("view:1", b"first")
    assert inbox.path("view:1").read_bytes() == b"first"
    assert [file.suffix for file in inbox.folder.iterdir()] == [".image"]


@pytest.mark.parametrize("key", ["view:../../x", "image:" + "9" * 400, "a/b", "ключ"])
def test_any_key_is_a_file_in_the_inbox(tmp_path: Path, key: str):
    inbox = Inbox(tmp_path / "inbox")
    inbox.write(key, b"x")
    assert [file.parent for file in tmp_path.rglob("*.image")] == [inbox.folder]


def test_tidying_keeps_what_is_not_packed_and_what_no_one_wrote_down(tmp_path: Path):
    inbox = Inbox(tmp_path / "inbox")
    for key in ("packed", "waiting", "killed before it was written down"):
        inbox.write(key, b"x")
    (inbox.folder / f".{'0' * 32}.image.12-0123abcd.partial").write_bytes(b"x")
    (inbox.folder / f"{'0' * 32}.partial").write_bytes(b"x")
    (inbox.folder / "mine.partial").write_bytes(b"x")
    inbox.tidy(keep={"waiting"}, known={"packed", "waiting"})
    left = {key for key in ("packed", "waiting", "killed before it was written down") if inbox.has(key)}
    assert left == {"waiting", "killed before it was written down"}
    assert len(list(inbox.folder.iterdir())) == 3
    assert (inbox.folder / "mine.partial").exists()


@pytest.mark.slow
def test_an_image_of_a_killed_run_is_taken_up_without_asking(serve, street, tmp_path: Path):
    services = serve()
    street(places=4, max_cost=0)  # all panoramas are found, and no view is asked for
    assert services.requests("view") == []
    ledger = Ledger(tmp_path / "data" / "collect" / "streetview.sqlite")
    task = ledger.next_task()
    ledger.close()
    assert task is not None
    assert task.kind == "view"
    street(tmp_path / "other", places=4)  # the same panoramas, to have the image of the first
    other = Dataset.open(tmp_path / "other")
    index = other.records["original"].to_pylist().index(task.key.removeprefix("view:").replace(":", "/"))
    image = other.read(index)
    Inbox(tmp_path / "data" / "collect" / "streetview-inbox").write(task.key, image)
    before = services.questions("view")
    summary = street(places=4)
    assert summary.totals.images == len(Dataset.open(tmp_path / "data")) == 4
    assert sum((services.questions("view") - before).values()) == 3


@pytest.mark.slow
def test_nothing_is_asked_while_the_disk_is_all_but_full(
    serve, street, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    services = serve()
    monkeypatch.setattr(module, "MIN_FREE_BYTES", 1 << 60)
    with pytest.raises(CollectError, match="make room on the disk"):
        street()
    assert services.requests() == []
