"""The server's processes: how it starts and ends, and what hostile or unlucky senders do to it."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mutants import image_mutants
from running_server import WAIT_S, RunningServer

pytest.importorskip("fastapi", reason="the server is not installed: extra 'serve'")
httpx2 = pytest.importorskip("httpx2", reason="httpx2 is not installed: extra 'client'")


@pytest.fixture
def started(begin: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Start servers of a test's own, cold or forked."""
    servers = []

    def start(*options: object, cold: bool = False) -> Any:
        servers.append(RunningServer(partial(begin, cold=cold), *options))
        return servers[-1].wait()

    yield start
    for server in servers:
        server.process.send_signal(signal.SIGTERM)
        server.kill()


def wait_until(true: Callable[[], object]) -> None:
    end = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def located(url: str, photo: Path) -> int:
    return httpx2.post(f"{url}/v1/locate", files={"photos": photo.read_bytes()}, timeout=WAIT_S).status_code


@pytest.mark.slow
def test_it_says_where_it_is_and_what_it_listens_to(started, begin):
    server = started("--host", "0.0.0.0")
    server.process.send_signal(signal.SIGTERM)
    printed, said = server.process.communicate(timeout=WAIT_S)
    assert f"Serving starter at {server.url} (Ctrl-C ends it)" in printed
    assert "listens beyond this machine: whoever reaches this machine may ask it" in said
    assert "--token-file" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--model", "nowhere"), "nowhere is not a model folder"),
        (("--model", "a/b=starter"), "can't stand in an address"),
        (("--model", "a=starter", "--model", "a=starter"), "two models are called 'a'"),
        (("--token-file", "nowhere"), "can't be read"),
        (("--cors", "example.org"), "give an origin"),
        (("--tiles", "https://t.example/"), "{z}"),
        (("--max-photos", "300", "--queue", "299"), "can't hold one request"),
        (("--host", "203.0.113.1"), "can't be listened on"),
    ],
)
@pytest.mark.slow
def test_wrong_options_end_it_before_it_begins(lostfound, words, said, tmp_path):
    done = lostfound("serve", *words, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert said in done.stderr


@pytest.mark.slow
def test_a_port_that_is_taken_is_said(started, lostfound):
    server = started()
    done = lostfound("serve", "--port", server.port)
    assert done.returncode == 2
    assert "choose another --host or --port" in done.stderr


@pytest.mark.slow
def test_what_is_being_answered_when_it_ends_is_answered(started, pictures):
    server = started("--batch", 1)
    photos = [("photos", path.read_bytes()) for path in pictures] * 10
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx2.post, f"{server.url}/v1/locate", files=photos, timeout=WAIT_S)
        with httpx2.Client(base_url=server.url) as client:
            wait_until(lambda: "lostfound_waiting_photos 0.0" not in client.get("/metrics").text)
        server.process.send_signal(signal.SIGTERM)
        assert len(answer.result().json()["guesses"]) == 60
    server.process.communicate(timeout=WAIT_S)
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(server.url)


@pytest.mark.slow
def test_senders_of_nothing_are_cut_off_and_cost_others_nothing(started, pictures):
    server = started("--upload-time", 1.5)
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(40)]
    for number, each in enumerate(slow):
        each.settimeout(WAIT_S)
        if number % 4 == 1:
            each.sendall(b"POST /v1/locate HTTP/1.1\r\nHost: a\r\n")
        elif number % 4 == 2:
            each.sendall(
                b"POST /v1/locate HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\n"
                b"Content-Length: 999\r\n\r\n\xff"
            )
        elif number % 4 == 3:
            each.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = b""
            while not answer.endswith(b"}"):
                answer += each.recv(65536)
            each.sendall(b"GET /hea")
    assert located(server.url, pictures[0]) == 200
    for number, each in enumerate(slow):
        received = b""
        while piece := each.recv(65536):
            received += piece
        if number % 4 == 2:
            assert received.startswith(b"HTTP/1.1 408")
        else:
            assert received == b""
        each.close()


@pytest.mark.slow
def test_endless_headers_are_cut_off(started):
    server = started()
    with socket.create_connection(("127.0.0.1", server.port)) as sender:
        sender.settimeout(WAIT_S)
        sender.sendall(b"GET / HTTP/1.1\r\n")
        with suppress(ConnectionError):  # a reset, or a broken pipe
            for number in range(100_000):
                sender.sendall(b"X-%d: %s\r\n" % (number, b"a" * 1000))
            pytest.fail("a hundred megabytes of headers were taken")
    assert httpx2.get(f"{server.url}/healthz").status_code == 200


@pytest.mark.slow
def test_senders_that_go_leave_nothing_behind(started, pictures):
    server = started("--memory", 64)
    photo = pictures[0].read_bytes()
    head = (
        b"POST /v1/locate HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
        % len(photo)
    )
    for number in range(60):
        with socket.create_connection(("127.0.0.1", server.port)) as sender:
            sender.sendall((head + photo)[: len(head) + number * len(photo) // 59])
    with httpx2.Client(base_url=server.url) as client:
        wait_until(lambda: "lostfound_requests_underway 1.0" in client.get("/metrics").text)  # that one
    assert located(server.url, pictures[0]) == 200


@pytest.mark.slow
def test_the_memory_for_bodies_is_bounded(started):
    server = started("--max-bytes", 1, "--memory", 1)
    head = (
        b"POST /v1/locate HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\nContent-Length: 1000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as holder:
        holder.sendall(head + b"x" * 999_999)
        wait_until(
            lambda: (
                httpx2.post(
                    f"{server.url}/v1/locate", content=b"x" * 900_000, headers={"Content-Type": "image/jpeg"}
                ).status_code
                == 429
            )
        )
    wait_until(
        lambda: (
            httpx2.post(
                f"{server.url}/v1/locate", content=b"x" * 900_000, headers={"Content-Type": "image/jpeg"}
            ).status_code
            == 422
        )
    )


@pytest.mark.slow
def test_damaged_photos_get_a_reason(start_server):
    server = start_server("--max-photos", 64)
    answered = 0
    with httpx2.Client(base_url=server.url, timeout=WAIT_S) as client:
        for start in range(0, 320, 64):
            files = [("photos", mutant) for mutant in image_mutants(start + 64, 19)][start:]
            answer = client.post("/v1/locate", files=files)
            assert answer.status_code in (200, 422)
            for each in answer.json().get("guesses", []):
                assert "unexpected" not in each.get("error", "")
                answered += "candidates" in each
        assert client.get("/readyz").status_code == 200
    assert answered > 20


@pytest.mark.slow
def test_one_of_several_processes_dies_and_comes_back(started, pictures):
    server = started("--workers", 2, cold=True)
    children = _children(server.process.pid)
    wait_until(lambda: len(_children(server.process.pid)) >= 2)
    statuses: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                statuses.append(located(server.url, pictures[0]))
            except httpx2.HTTPError:
                statuses.append(0)

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        wait_until(lambda: len(statuses) > 8)
        children = _children(server.process.pid)
        os.kill(children[-1], signal.SIGKILL)
        before = len(statuses)
        wait_until(lambda: len(statuses) > before + 20)
        wait_until(lambda: set(_children(server.process.pid)) - set(children))
        stop.set()
        for each in asking:
            each.result()
    assert set(statuses) <= {0, 200}
    assert statuses.count(0) <= 4  # those that the dead one had
    text = httpx2.get(f"{server.url}/metrics").text
    assert 'route="/v1/locate",status="200"' in text
    server.process.send_signal(signal.SIGTERM)
    server.process.communicate(timeout=WAIT_S)


def _children(process: int) -> list[int]:
    """The server processes below one, without what multiprocessing needs beside them."""
    found = []
    for each in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        words = Path(f"/proc/{each}/cmdline").read_bytes()
        if b"spawn_main" in words:
            found.append(int(each))
    return found


def test_photos_are_neither_written_nor_logged(begin, pictures, tmp_path):
    """Where a temporary file could be is a folder of the test's own; names are in no output."""
    server = RunningServer(partial(begin, cold=True, cwd=tmp_path, env={"TMPDIR": str(tmp_path)}))
    try:
        server.wait()
        before = _files(tmp_path)  # what libraries write when they are loaded
        large = pictures[0].read_bytes() + b"\0" * 3_000_000
        for name in ("secret-name.jpg", "secret-notes.txt"):
            data = large if name.endswith("jpg") else b"secret"
            httpx2.post(f"{server.url}/v1/locate", files={"photos": (name, data)}, timeout=WAIT_S)
        opened = [str(each.readlink()) for each in Path(f"/proc/{server.process.pid}/fd").iterdir()]
        assert not [each for each in opened if str(tmp_path) in each]
        assert _files(tmp_path) == before
    finally:
        server.process.send_signal(signal.SIGTERM)
        printed, said = server.process.communicate(timeout=WAIT_S)
    assert "secret" not in printed + said


def _files(folder: Path) -> dict[Path, bytes]:
    return {each: each.read_bytes() for each in folder.rglob("*") if each.is_file()}
