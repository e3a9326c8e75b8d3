"""A server on this machine that speaks what is needed of the Hugging Face Hub's interface.

Files of repositories at commits, with ranges; making repositories, and commits with large files by Git LFS.
It can break connections off, and serve or take other bytes than it should.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

TOKEN = "hf_of-the-tests"
_REGULAR = (".md", ".json")


@dataclass
class Repo:
    """A repository: its commits, oldest first, each with all its files."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)

    @property
    def head(self) -> str:
        return next(reversed(self.commits))

    def commit(self, files: Mapping[str, bytes]) -> str:
        """Add files, as the newest commit; gives its name."""
        whole = {**(self.commits[self.head] if self.commits else {}), **files}
        said = repr([len(self.commits), sorted((name, data) for name, data in whole.items())])
        name = hashlib.sha1(said.encode()).hexdigest()
        self.commits[name] = whole
        return name


class HubServer(ThreadingHTTPServer):
    """The server; tests look at what was asked, and tell it what to do wrong."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos: dict[str, Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        """Method, path and range."""
        self.breaks: dict[str, int] = {}
        """How often the connection is to break off amid a file, by the end of its path."""
        self._connections: list[socket.socket] = []
        self.wrong: set[str] = set()
        """The files of which other bytes are served."""
        self.full: set[str] = set()
        """The hashes of large files for which there is no room; it says so when all others have come."""
        self.awaited: set[str] = set()
        """The hashes of large files that it was told of and does not have."""
        self.came = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, name: str, files: Mapping[str, bytes], *, private: bool = False) -> str:
        """Put files into a repository; gives the commit."""
        return self.repos.setdefault(name, Repo(private)).commit(files)

    def breaks_now(self, path: str) -> bool:
        for end, left in self.breaks.items():
            if path.endswith(end) and left > 0:
                self.breaks[end] -= 1
                return True
        return False

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.append(request)
        super().process_request(request, client_address)

    def go_away(self) -> None:
        """Be out of reach, also over connections that are open."""
        self.shutdown()
        self.server_close()
        for each in self._connections:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: object) -> None:
        """Whose connection breaks off is the tests' own doing."""


class _Handler(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._get(head=True)

    def do_GET(self) -> None:
        self._get(head=False)

    def do_POST(self) -> None:
        self._note()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif not self._is_member():
            self._refuse(401, "RepoNotFound", "Invalid username or password.")
        elif self.path == "/api/repos/create":
            self._create(json.loads(body))
        elif match := re.fullmatch(r"/api/(?:models|datasets)/([^/]+/[^/]+)/preupload/([^/]+)", self.path):
            files = [
                {
                    "path": each["path"],
                    "uploadMode": "regular" if each["path"].endswith(_REGULAR) else "lfs",
                    "shouldIgnore": False,
                    "oid": None,
                }
                for each in json.loads(body)["files"]
            ]
            self._json({"files": files})
        elif self.path.endswith(".git/info/lfs/objects/batch"):
            self._json({"transfer": "basic", "objects": list(map(self._action, json.loads(body)["objects"]))})
        elif match := re.fullmatch(r"/api/(?:models|datasets)/([^/]+/[^/]+)/commit/([^/]+)", self.path):
            self._commit(match[1], [json.loads(line) for line in body.splitlines() if line.strip()])
        else:
            self.send_error(404)

    def do_PUT(self) -> None:
        self._note()
        length, oid = int(self.headers["Content-Length"]), self.path.rpartition("/")[2]
        if self.server.breaks_now(self.path):
            self.rfile.read(length // 2)
            self.close_connection = True
            self.connection.close()
            return
        data = self.rfile.read(length)
        if oid in self.server.full:
            with self.server.came:
                self.server.came.wait_for(lambda: self.server.awaited <= self.server.full, timeout=60)
            self.send_error(413)
            return
        if hashlib.sha256(data).hexdigest() != oid:
            self.send_error(400)
            return
        with self.server.came:
            self.server.blobs[oid] = data
            self.server.awaited.discard(oid)
            self.server.came.notify_all()
        self._json({})

    def _get(self, *, head: bool) -> None:
        self._note()
        path = unquote(self.path.partition("?")[0])
        if match := re.fullmatch(r"/(?:datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._file(*match.groups(), head=head)
        elif match := re.fullmatch(r"/api/(?:models|datasets)/([^/]+/[^/]+)(?:/revision/([^/]+))?", path):
            if found := self._found(match[1], match[2] or "main"):
                repo, commit = found
                names = [{"rfilename": name} for name in repo.commits[commit]]
                self._json({"id": match[1], "sha": commit, "private": repo.private, "siblings": names})
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", path):
            if found := self._found(match[1], match[2]):
                repo, commit = found
                self._json(
                    [
                        {
                            "type": "file",
                            "path": name,
                            "size": len(data),
                            "oid": hashlib.sha1(data).hexdigest(),
                        }
                        for name, data in repo.commits[commit].items()
                    ]
                )
        else:
            self.send_error(404)

    def _found(self, name: str, revision: str) -> tuple[Repo, str] | None:
        """The repository and the commit, or what is wrong is answered."""
        repo = self.server.repos.get(name)
        if repo is None or (repo.private and not self._is_member()):
            self._refuse(401, "RepoNotFound", "Repository not found")
            return None
        commit = repo.head if revision == "main" and repo.commits else revision
        if commit not in repo.commits and repo.commits:
            self._refuse(404, "RevisionNotFound", "Invalid rev id")
            return None
        return repo, commit

    def _file(self, name: str, revision: str, path: str, *, head: bool) -> None:
        found = self._found(name, revision)
        if found is None:
            return
        repo, commit = found
        data = repo.commits[commit].get(path)
        if data is None:
            self._refuse(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": commit})
            return
        etag = hashlib.sha256(data).hexdigest()
        if path in self.server.wrong:
            data = bytes(len(data))
        start = int((self.headers.get("Range") or "bytes=0-")[6:].partition("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("ETag", f'"{etag}"')
        self.send_header("Accept-Ranges", "bytes")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if head:
            return
        if self.server.breaks_now(path):
            self.wfile.write(data[start : start + (len(data) - start) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(data[start:])

    def _create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted['organization']}/{wanted['name']}"
        if name in self.server.repos:
            self._json({"url": f"{self.server.url}/{name}", "error": "You already created this repo"}, 409)
            return
        private = wanted.get("private", False) or wanted.get("visibility") == "private"
        self.server.repos[name] = Repo(private)
        self.server.add(name, {".gitattributes": b"*.onnx filter=lfs diff=lfs merge=lfs -text\n"})
        self._json({"url": f"{self.server.url}/{name}", "id": name, "name": name})

    def _action(self, wanted: dict[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = {"oid": wanted["oid"], "size": wanted["size"]}
        if wanted["oid"] not in self.server.blobs:
            self.server.awaited.add(wanted["oid"])
            told["actions"] = {"upload": {"href": f"{self.server.url}/lfs/{wanted['oid']}", "header": {}}}
        return told

    def _commit(self, name: str, lines: list[dict[str, Any]]) -> None:
        files = {}
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.blobs[value["oid"]]
        commit = self.server.repos[name].commit(files)
        self._json(
            {"success": True, "commitUrl": f"{self.server.url}/{name}/commit/{commit}", "commitOid": commit}
        )

    def _is_member(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _note(self) -> None:
        self.server.asked.append((self.command, self.path, self.headers.get("Range")))

    def _json(self, value: object, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _refuse(self, status: int, code: str, message: str, headers: Mapping[str, str] = {}) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def hub_server() -> Iterator[HubServer]:
    """One that runs meanwhile."""
    with HubServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
