"""What stands before every request: who may ask, what browsers may do with the answers, and counting."""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
import traceback
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lostfound.serve.metrics import Metrics
from lostfound.serve.page import content_security_policy
from lostfound.serve.problems import Problem
from lostfound.serve.settings import ServeSettings

OPEN = ("/healthz", "/readyz", "/openapi.json", "/v2/health/live", "/v2/health/ready")
"""Asked by balancers and by people who don't have a token yet; nothing of photos is there."""


_LOG = logging.getLogger(__name__)
_GONE = 499  # as nginx says of senders that have gone
_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})


class Guard:
    """Asks for the token, adds headers, counts. The innermost layer that sees every answer."""

    def __init__(self, app: ASGIApp, settings: ServeSettings, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics
        self._tokens = [_hash(token) for token in settings.tokens]
        policy = content_security_policy(settings.tiles)
        cross = "cross-origin" if settings.origins else "same-origin"
        self._headers = [
            (name.encode(), value.encode())
            for name, value in {
                "x-content-type-options": "nosniff",
                "x-frame-options": "DENY",
                "referrer-policy": "no-referrer",
                "content-security-policy": policy,
                "permissions-policy": "geolocation=(), microphone=(), payment=(), usb=()",
                "cross-origin-opener-policy": "same-origin",
                "cross-origin-resource-policy": cross,
            }.items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, if it may."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        status = _GONE

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = message.setdefault("headers", [])
                own.extend(self._headers)
                if not any(name == b"cache-control" for name, _ in own):
                    own.append((b"cache-control", b"no-store"))
            await send(message)

        self.metrics.underway(1)
        try:
            if self._may(scope):
                await self.app(scope, receive, answer)
            else:
                problem = Problem(401, "the server asks for a token: send it as Authorization: Bearer TOKEN")
                await problem.response()(scope, receive, answer)
        except Exception as error:  # of whatever kind: a message without anything of the request
            _LOG.error("unexpected %s at %s", type(error).__name__, _where(error))
            if status == _GONE:
                problem = Problem(500, f"unexpected {type(error).__name__} (please report it)")
                await problem.response()(scope, receive, answer)
        finally:
            self.metrics.underway(-1)
            route = _route(scope)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self.metrics.request(route, method, status, time.perf_counter() - start)

    def _may(self, scope: Scope) -> bool:
        path = scope["path"]
        if scope["method"] == "OPTIONS":  # browsers ask so without a token, and get nothing but headers
            return True
        if not self._tokens or path in OPEN or path == "/" or path.startswith("/static/"):
            return True
        given = b""
        for name, value in scope["headers"]:
            if name == b"authorization" and value[:7].lower() == b"bearer ":
                given = value[7:].strip()
        # all are compared, in constant time: how long it takes says nothing of them
        found = [secrets.compare_digest(_hash(given), token) for token in self._tokens]
        return any(found)


def _hash(token: str | bytes) -> bytes:
    return hashlib.sha256(token.encode() if isinstance(token, str) else token).digest()


def _route(scope: MutableMapping[str, Any]) -> str:
    """The pattern of a request's address: never what a stranger wrote into it."""
    return getattr(scope.get("route"), "path", "none")


def _where(error: Exception) -> str:
    """The lines of code that raised it, without what they worked on."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))
