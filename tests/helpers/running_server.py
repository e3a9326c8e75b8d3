"""`lostfound serve` or `lostfound play`, started by a test."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

WAIT_S = 300


class RunningServer:
    """A server of ours on a port of its own, that can be killed and started again."""

    def __init__(self, begin: Callable[..., Any], *options: object, command: str = "serve") -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._start = lambda: begin(command, "--port", self.port, *options)
        self.process = self._start()

    def wait(self) -> RunningServer:
        """Until it is ready."""
        deadline = time.monotonic() + WAIT_S
        while not self._is_ready():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline, "it does not get ready"
            time.sleep(0.05)
        return self

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        """At once, whatever it is doing."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def again(self) -> None:
        """On the same port."""
        self.process = self._start()
        self.wait()


def ask(url: str, body: object = None) -> tuple[int, Any]:
    """What a server answers: status and JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
