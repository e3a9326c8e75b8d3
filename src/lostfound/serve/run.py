"""Starting the server: its socket, its processes, and how it ends."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import sys
import tempfile
from asyncio import TimerHandle
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from lostfound.errors import MissingExtraError, UsageError
from lostfound.serve.settings import ServerLimits, ServeSettings

try:
    import fastapi  # noqa: F401
    import prometheus_client  # noqa: F401
    import python_multipart  # noqa: F401
    from uvicorn import Config, Server
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    from uvicorn.supervisors import Multiprocess
except ImportError as error:
    raise MissingExtraError(
        f"serving needs an extra (not installed: {error.name}): pip install 'lostfound[serve]'"
    ) from None

_MOST_HEADERS = 64 * 2**10  # bytes
_KEEP_ALIVE_S = 20
_MMAP_THRESHOLD, _LARGE = -3, 1_000_000  # of mallopt(3), and bytes
_GRACE_S = 5  # more than the deadline of the last request, until the end
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Protocol(HttpToolsProtocol):
    """HTTP whose headers must come within time and bounds, from the first request of a connection on."""

    limits = ServerLimits()

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for headers."""
        super().connection_made(transport)
        self._headers_size = 0
        self._headers_end: TimerHandle | None = None
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        """Count headers until they are complete."""
        if self._headers_end is None and (self.cycle is None or self.cycle.response_complete):
            self._await_headers()
        waiting = self._headers_end is not None
        if (
            waiting
            and len(data) + self._headers_size > _MOST_HEADERS
            and b"\r\n\r\n" not in data[:_MOST_HEADERS]
        ):
            self.transport.write(_TOO_LARGE)
            self.transport.close()
            return
        self._headers_size += len(data)
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_headers(self) -> None:
        self._headers_size = 0
        self._headers_end = self.loop.call_later(self.limits.body_s / 3, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._headers_end is not None:
            self._headers_end.cancel()
            self._headers_end = None


def bind(host: str, port: int) -> socket.socket:
    """The socket that listens; connections wait in it until the server is ready.

    Raises:
        UsageError: The address is taken, or none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        own = socket.socket(family)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.bind((host, port))
        own.listen(2048)
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"{host}:{port} can't be listened on ({said}): choose another --host or --port"
        ) from None
    own.set_inheritable(True)
    return own


def address(own: socket.socket) -> str:
    """Where a browser on this machine finds it."""
    host, port = own.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # what is asked, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(own: socket.socket) -> bool:
    """Whether none but this machine reaches it."""
    host = str(own.getsockname()[0])
    return host.startswith("127.") or host == "::1"


def run(settings: ServeSettings, own: socket.socket, *, workers: int = 1) -> None:
    """Serve until a signal ends it; what is being answered then is answered first.

    Args:
        settings: What the server is told.
        own: The socket, see `bind`.
        workers: Processes. Each loads the models; one that dies is started again.
    """
    _quiet_logs()
    Protocol.limits = settings.limits
    if workers == 1:
        run_app(partial(_build, settings), own, settings.limits)
        return
    folder = Path(tempfile.mkdtemp(prefix="lostfound-metrics-"))  # numbers alone
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    try:
        lanes = max(1, settings.lanes // workers)
        each = replace(settings, metrics=folder, lanes=lanes)
        config = _config(partial(_build, each), settings.limits, workers=workers)
        Multiprocess(config, sockets=[own]).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_app(build: Callable[[], Any], own: socket.socket, limits: ServerLimits) -> None:
    """Serve an application from this process until a signal ends it.

    Args:
        build: Makes the application.
        own: The socket, see `bind`.
        limits: How much it takes on.
    """
    _quiet_logs()
    Protocol.limits = limits
    config = _config(build, limits)
    config.load()
    Server(config).run(sockets=[own])


def _config(build: Callable[[], Any], limits: ServerLimits, *, workers: int = 1) -> Config:
    return Config(
        build,
        factory=True,
        http=Protocol,
        ws="none",
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        lifespan="on",
        workers=workers,
        log_config=None,
        access_log=False,  # nothing about who asked
        server_header=False,
        proxy_headers=False,
        backlog=2048,
        limit_concurrency=limits.connections,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=round(limits.deadline_s + _GRACE_S),
    )


def _build(settings: ServeSettings) -> Any:
    from lostfound.serve.app import build_app

    Protocol.limits = settings.limits
    _quiet_logs()
    _return_memory()
    return build_app(settings)


def _return_memory() -> None:
    """Have the C library give the room of each decoded photo back to the system.

    Else it raises its own bound with the first large photo, and keeps the later ones' room in pieces.
    """
    import ctypes

    with suppress(AttributeError, OSError):  # another library than glibc
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE)


def _quiet_logs() -> None:
    """What goes wrong with the server goes to standard error; nothing of requests or photos does.

    The root logger is left alone: through it Pillow would say what is odd in photos.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    for name in ("uvicorn", "lostfound"):
        own = logging.getLogger(name)
        own.handlers, own.propagate = [handler], False
        own.setLevel(logging.WARNING)
