"""Remotes: folders, a real web server, in memory; whole, broken, gone, serving other bytes."""

import functools
import http.server
import json
import shutil
import threading

import fsspec
import numpy as np
import pytest

from lostfound.data import chunks
from lostfound.data.dataset import Dataset
from lostfound.data.sharing.lists import DataList
from lostfound.data.sharing.remote import fetch_list
from lostfound.errors import DatasetError, UsageError
from lostfound.files import digest


@pytest.fixture
def kept(dataset_folder, tmp_path):
    """A copy of the data set, as it is kept somewhere else."""
    return Dataset.open(shutil.copytree(dataset_folder, tmp_path / "kept"))


@pytest.fixture
def wanted(kept):
    return DataList.of(kept.with_records(kept.records.take(np.arange(95, 0, -3))))


@pytest.fixture
def serve():
    """Serve a folder by HTTP; gives its address."""
    servers = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    def start(folder):
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def damage(folder, dataset, row):
    """Change one byte of one image."""
    record = dataset.records.slice(row, 1).to_pylist()[0]
    with (folder / "images" / record["shard"]).open("r+b") as file:
        file.seek(record["offset"] + record["size"] // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 255]))
    return record["image_id"]


@pytest.mark.parametrize("kind", ["folder", "http", "memory"])
def test_a_list_and_a_remote_are_enough(kept, wanted, tmp_path, serve, kind):
    if kind == "folder":
        url = str(kept.folder)
    elif kind == "http":
        url = serve(kept.folder)
    else:
        url = "memory://kept"
        fsspec.filesystem("memory").put(str(kept.folder), "/kept", recursive=True)

    fetched = fetch_list(tmp_path / "new", wanted, url, jobs=1)

    assert list(DataList.of(fetched).images.items()) == list(wanted.images.items())
    assert [digest(fetched.read(row)) for row in range(len(fetched))] == list(wanted.images.values())
    assert len(Dataset.open(tmp_path / "new")) == len(wanted)
    assert not list((tmp_path / "new").glob(".*"))


@pytest.fixture
def half(kept, tmp_path):
    """A data set of every second image, which knows its remote."""
    some = DataList.of(kept.with_records(kept.records.take(np.arange(0, 96, 2))))
    fetch_list(tmp_path / "half", some, str(kept.folder), jobs=1)
    return tmp_path / "half"


def test_only_what_is_missing_is_fetched_from_the_remote_that_the_data_set_knows(half, wanted):
    before = contents(half)

    fetched = fetch_list(half, wanted, jobs=1)

    assert list(DataList.of(fetched).images) == list(wanted.images)
    assert len(Dataset.open(half)) == 48 + 16  # 16 of the 32 wanted were there
    after = contents(half)
    assert all(after[name] == data for name, data in before.items() if name.startswith("images/"))


def test_nothing_is_read_from_the_remote_where_nothing_is_missing(half, kept, tmp_path):
    mine = DataList.of(Dataset.open(half))
    shutil.rmtree(kept.folder)
    assert len(fetch_list(half, mine)) == 48


def gone(kept, half):
    shutil.rmtree(kept.folder)


def other_table(kept, half):
    data = bytearray((kept.folder / "records.parquet").read_bytes())
    data[100] ^= 255
    (kept.folder / "records.parquet").write_bytes(data)


def not_json(kept, half):
    (kept.folder / "dataset.json").write_text("<html>404</html>")


def newer(kept, half):
    info = json.loads((kept.folder / "dataset.json").read_text())
    (kept.folder / "dataset.json").write_text(json.dumps({**info, "format": 99}))


def no_shards(kept, half):
    shutil.rmtree(kept.folder / "images")


def other_bytes(kept, half):
    damage(kept.folder, kept, 5)


@pytest.mark.parametrize(
    ("happens", "message"),
    [
        (gone, "dataset.json can't be read"),
        (other_table, "serves another records.parquet than its dataset.json was written with"),
        (not_json, "no data set's description"),
        (newer, "newer format"),
        (no_shards, r"does not give 16 images \([0-9a-f]{32}, .*can't be read"),
        (other_bytes, r"does not give 1 image \([0-9a-f]{32}\): .*serves other bytes"),
    ],
)
def test_a_remote_that_fails_leaves_the_data_set_as_it_was(half, kept, wanted, happens, message):
    happens(kept, half)
    before = contents(half)

    with pytest.raises(DatasetError, match=message):
        fetch_list(half, wanted, jobs=1)

    now = contents(half)
    assert {name: now.get(name) for name in before} == before
    assert len(Dataset.open(half)) == 48


def test_a_server_that_is_gone_is_a_clear_error(wanted, tmp_path, serve, kept):
    with pytest.raises(DatasetError, match=r"dataset\.json can't be read"):
        fetch_list(tmp_path / "new", wanted, "http://127.0.0.1:9", jobs=1)
    assert not (tmp_path / "new").exists()


def test_images_that_the_remote_lacks_are_named(half, kept):
    unknown = DataList({"f" * 32: "0" * 64})
    with pytest.raises(DatasetError, match=f"does not give 1 image \\({'f' * 32}\\): the remote has no such"):
        fetch_list(half, unknown)


def test_images_that_the_remote_holds_otherwise_are_named(half, kept):
    image_id = kept.records["image_id"][1].as_py()
    with pytest.raises(DatasetError, match=f"1 image \\({image_id}\\): the remote has it with other bytes"):
        fetch_list(half, DataList({image_id: "0" * 64}))


def test_what_came_is_not_fetched_again(kept, tmp_path, monkeypatch):
    monkeypatch.setattr("lostfound.data.sharing.remote._SPAN", 0)  # each image by itself ...
    monkeypatch.setattr(chunks, "MIN_CHUNK", 8)  # ... and twelve chunks of them
    everything = DataList.of(kept)
    whole = contents(kept.folder)
    damage(kept.folder, kept, 5)
    with pytest.raises(DatasetError, match="serves other bytes"):
        fetch_list(tmp_path / "new", everything, str(kept.folder), jobs=1)
    finished = {path: path.stat().st_mtime_ns for path in (tmp_path / "new").glob(".import-*/*.parquet")}
    for name, data in whole.items():
        (kept.folder / name).write_bytes(data)

    read = []
    monkeypatch.setattr("lostfound.data.sharing.remote._fetch_span", counted(read))
    fetched = fetch_list(tmp_path / "new", everything, str(kept.folder), jobs=1)

    assert len(finished) == 11
    assert sum(read) == 8
    assert list(DataList.of(fetched).images) == list(everything.images)


def counted(read):
    from lostfound.data.sharing.remote import _fetch_span

    def fetch(span, *, url):
        read.append(len(span.records))
        return _fetch_span(span, url=url)

    return fetch


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (None, "no remote is known"),
        ("nowhere://bucket/streets", "is no address of a remote"),
        ("simplecache::http://example.org/streets", "chained addresses are not taken"),
    ],
)
def test_what_is_no_remote_is_wrong_usage(wanted, tmp_path, url, message):
    with pytest.raises(UsageError, match=message):
        fetch_list(tmp_path / "new", wanted, url, jobs=1)
    assert not (tmp_path / "new").exists()
