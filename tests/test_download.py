import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lostfound.download import fetch, resolve_weights
from lostfound.errors import DatasetError, UsageError

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves the server's content; breaks off in the middle as often as the server is told to."""

    def do_GET(self):
        self.server.asked.append(self.headers.get("Range"))
        if self.path.startswith("/missing"):
            self.send_error(404)
            return
        begin = int((self.headers.get("Range") or "bytes=0-")[6:-1]) if self.server.ranges else 0
        if begin >= len(self.server.content):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(self.server.content) - begin))
        self.end_headers()
        end = len(self.server.content)
        if self.server.breaks > 0:
            self.server.breaks -= 1
            end = begin + (len(self.server.content) - begin) // 2
        self.wfile.write(self.server.content[begin:end])

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    """A server on a port that is free."""

    request_queue_size = 128  # where the machine is busy, many may wait

    def __init__(self, bind_and_activate=True):
        super().__init__(("127.0.0.1", 0), Handler, bind_and_activate)
        self.content, self.asked, self.breaks, self.ranges = CONTENT, [], 0, True


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        server.address = f"http://127.0.0.1:{server.server_port}/regions.json"
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSTFOUND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_file_is_fetched_once(server, cache):
    path = fetch(f"{server.address}#sha256={SHA256}")
    assert path.read_bytes() == CONTENT
    assert path.name == "regions.json"
    assert fetch(f"{server.address}#sha256={SHA256.upper()}") == path
    assert len(server.asked) == 1
    assert files(cache) == ["regions.json"]


def test_broken_download_is_taken_up_again(server, cache):
    server.breaks = 1
    with pytest.raises(DatasetError, match="Try again"):
        fetch(f"{server.address}#sha256={SHA256}")
    assert files(cache) == [".regions.json.partial"]
    assert fetch(f"{server.address}#sha256={SHA256}").read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={len(CONTENT) // 2}-"]
    assert files(cache) == ["regions.json"]


def test_server_without_ranges_starts_anew(server):
    server.breaks, server.ranges = 1, False
    with pytest.raises(DatasetError):
        fetch(f"{server.address}#sha256={SHA256}")
    assert fetch(f"{server.address}#sha256={SHA256}").read_bytes() == CONTENT


def test_whole_partial_file_needs_only_its_check(server, cache):
    folder = cache / "files" / SHA256[:16]
    folder.mkdir(parents=True)
    (folder / ".regions.json.partial").write_bytes(CONTENT)
    assert fetch(f"{server.address}#sha256={SHA256}").read_bytes() == CONTENT
    assert files(cache) == ["regions.json"]


def test_wrong_content_is_refused_and_not_kept(server, cache):
    with pytest.raises(DatasetError, match=f"sha256 is {SHA256}, not 0000"):
        fetch(f"{server.address}#sha256={64 * '0'}")
    assert files(cache) == []


def test_missing_file_is_told(server):
    with pytest.raises(DatasetError, match="Not Found"):
        fetch(f"{server.address.replace('regions', 'missing/regions')}#sha256={SHA256}")


def test_no_server_is_told():
    with pytest.raises(DatasetError, match="can't be downloaded"):
        fetch(f"http://127.0.0.1:9/regions.json#sha256={SHA256}")


def test_a_server_that_refuses_at_first_is_asked_again(server):
    """As one that has just been started."""
    with Server(bind_and_activate=False) as late:
        late.server_bind()  # a port of its own, at which nobody listens yet
        address = f"http://127.0.0.1:{late.server_address[1]}/late.json#sha256={SHA256}"
        start = threading.Timer(0.1, lambda: (late.server_activate(), late.serve_forever()))
        start.start()
        assert fetch(address).read_bytes() == CONTENT
        late.shutdown()
        start.join()


@pytest.mark.parametrize(
    "fragment", ["", "#", "#sha256=", "#sha256=abc", f"#md5={SHA256}", f"#sha256={SHA256}0"]
)
def test_address_needs_a_checksum(fragment):
    with pytest.raises(UsageError, match=r"write https://example.org/regions.json#sha256=HEX"):
        fetch(f"https://example.org/regions.json{fragment}")


def test_weights_of_an_address_are_fetched_and_others_are_left(server, cache):
    assert [resolve_weights(each) for each in (None, "hub", "a.safetensors")] == [
        None,
        "hub",
        "a.safetensors",
    ]
    fetched = resolve_weights(f"{server.address}#sha256={SHA256}")
    assert fetched is not None
    assert Path(fetched).read_bytes() == CONTENT
    assert files(cache) == ["regions.json"]


@pytest.mark.slow
def test_a_training_fetches_its_weights_once(
    lostfound, dataset_folder: Path, model_folder: Path, tiny: list[str], server, cache, tmp_path
):
    server.content = (model_folder / "model.safetensors").read_bytes()
    address = server.address.replace("regions.json", "start.safetensors")
    start = ["train", "demo", "--data", dataset_folder, "--set", "trainer.epochs=1"]
    start += [word for each in tiny for word in ("--set", each)]
    refused = lostfound(*start, "--to", tmp_path / "none", "--weights", address)
    assert refused.returncode == 2
    assert f"write {address}#sha256=HEX" in refused.stderr
    assert not (tmp_path / "none").exists()
    named = f"{address}#sha256={hashlib.sha256(server.content).hexdigest()}"
    for name in ("one", "two"):
        done = lostfound(*start, "--to", tmp_path / name, "--weights", named)
        assert done.returncode == 0, done.stderr
        config = json.loads((tmp_path / name / "config.json").read_text())
        assert config["training"]["weights"] == "start.safetensors"
    assert len(server.asked) == 1
    assert files(cache) == ["start.safetensors"]
