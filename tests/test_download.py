import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lostfound.download import cache_folder, fetch
from lostfound.errors import DatasetError, UsageError

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT; breaks off in the middle as often as the server is told to."""

    def do_GET(self):
        self.server.asked.append(self.headers.get("Range"))
        if self.path.startswith("/missing"):
            self.send_error(404)
            return
        begin = int((self.headers.get("Range") or "bytes=0-")[6:-1]) if self.server.ranges else 0
        if begin >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(CONTENT) - begin))
        self.end_headers()
        end = len(CONTENT)
        if self.server.breaks > 0:
            self.server.breaks -= 1
            end = begin + (len(CONTENT) - begin) // 2
        self.wfile.write(CONTENT[begin:end])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.breaks, server.ranges = [], 0, True
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
    path = fetch(server.address, SHA256)
    assert path.read_bytes() == CONTENT
    assert path.name == "regions.json"
    assert fetch(server.address, SHA256.upper()) == path
    assert len(server.asked) == 1
    assert files(cache) == ["regions.json"]


def test_broken_download_is_taken_up_again(server, cache):
    server.breaks = 1
    with pytest.raises(DatasetError, match="Try again"):
        fetch(server.address, SHA256)
    assert files(cache) == [".regions.json.partial"]
    assert fetch(server.address, SHA256).read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={len(CONTENT) // 2}-"]
    assert files(cache) == ["regions.json"]


def test_server_without_ranges_starts_anew(server):
    server.breaks, server.ranges = 1, False
    with pytest.raises(DatasetError):
        fetch(server.address, SHA256)
    assert fetch(server.address, SHA256).read_bytes() == CONTENT


def test_whole_partial_file_needs_only_its_check(server, cache):
    folder = cache / "files" / SHA256[:16]
    folder.mkdir(parents=True)
    (folder / ".regions.json.partial").write_bytes(CONTENT)
    assert fetch(server.address, SHA256).read_bytes() == CONTENT
    assert files(cache) == ["regions.json"]


def test_wrong_content_is_refused_and_not_kept(server, cache):
    with pytest.raises(DatasetError, match=f"sha256 is {SHA256}, not 0000"):
        fetch(server.address, "0" * 64)
    assert files(cache) == []


def test_missing_file_is_told(server):
    with pytest.raises(DatasetError, match="Not Found"):
        fetch(server.address.replace("regions", "missing").replace("/missing", "/missing/"), SHA256)


def test_no_server_is_told():
    with pytest.raises(DatasetError, match="can't be downloaded"):
        fetch("http://127.0.0.1:9/regions.json", SHA256)


def test_address_needs_a_checksum():
    with pytest.raises(UsageError, match="needs a sha256"):
        fetch("https://example.org/regions.json")


@pytest.mark.parametrize("sha256", ["", "abc", "g" * 64, SHA256 + "0"])
def test_checksum_has_a_form(sha256):
    with pytest.raises(UsageError, match="64 hexadecimal"):
        fetch("https://example.org/regions.json", sha256)


def test_local_file_is_itself(tmp_path, cache):
    path = tmp_path / "mine.json"
    path.write_bytes(CONTENT)
    assert fetch(path) == path
    assert fetch(str(path), SHA256) == path
    with pytest.raises(DatasetError, match="not the expected file"):
        fetch(path, "0" * 64)
    assert not cache.exists()


def test_missing_local_file_is_told(tmp_path):
    with pytest.raises(DatasetError, match="is not there"):
        fetch(tmp_path / "none.json")


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("LOSTFOUND_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("LOSTFOUND_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "lostfound"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder().name == "lostfound"
    assert cache_folder().is_relative_to(Path.home())
