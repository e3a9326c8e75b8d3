"""What a page asks for, and what comes back."""

from __future__ import annotations

import asyncio
import fnmatch
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lostfound.collect.browser.profile import Profile

if TYPE_CHECKING:
    from playwright.async_api import Page, Request, Response

_ENDLESS = frozenset({"eventsource", "manifest", "media", "ping", "websocket"})


class Traffic:
    """The requests of a page that are under way, and of the responses what tells of a round."""

    def __init__(self, page: Page, profile: Profile) -> None:
        self.failed: dict[str, int] = {}  # images' addresses and their status
        self.wrong_sources: list[str] = []  # parts of the picture that are no images
        self._json: dict[str, Any] = {}
        self._profile = profile
        self._under_way: set[Request] = set()
        self._changed_at = 0.0
        self._reading: set[asyncio.Task[None]] = set()
        page.on("request", self._begun)
        page.on("requestfinished", self._ended)
        page.on("requestfailed", self._ended)
        page.on("response", self._came)
        page.on("domcontentloaded", lambda _: self._under_way.clear())  # what the old page asked for is void

    def forget(self) -> None:
        """A new round begins: what came before says nothing about it."""
        self.failed.clear()
        self.wrong_sources.clear()

    def forget_responses(self) -> None:
        """The guess is made now: only responses that come from now on tell of the true place."""
        self._json.clear()

    def json_from(self, pattern: str) -> Any:
        """The newest JSON response from an address like the pattern, or None."""
        return self._json.get(pattern)

    def quiet_for_s(self) -> float:
        """For how long no request has been under way, in seconds."""
        if self._under_way:
            return 0.0
        return asyncio.get_running_loop().time() - self._changed_at

    def _begun(self, request: Request) -> None:
        self._changed_at = asyncio.get_running_loop().time()
        if request.resource_type not in _ENDLESS and not request.url.startswith("data:"):
            self._under_way.add(request)

    def _ended(self, request: Request) -> None:
        self._changed_at = asyncio.get_running_loop().time()
        self._under_way.discard(request)

    def _came(self, response: Response) -> None:
        kind = response.headers.get("content-type", "")
        if response.status >= 400 and response.request.resource_type == "image":
            self.failed[response.url] = response.status
        if any(fnmatch.fnmatchcase(response.url, each) for each in self._profile.picture.sources) and (
            response.status >= 400 or not kind.startswith("image/")
        ):
            self.wrong_sources.append(f"{kind or 'nothing known'}, status {response.status}")
        wanted = [each for each in self._profile.patterns() if fnmatch.fnmatchcase(response.url, each)]
        if wanted and response.status < 400:
            reading = asyncio.ensure_future(self._read(response, wanted))
            self._reading.add(reading)
            reading.add_done_callback(self._reading.discard)

    async def _read(self, response: Response, patterns: list[str]) -> None:
        from playwright.async_api import Error

        with suppress(Error, ValueError):  # the page went on meanwhile, or it is no JSON
            value = json.loads(await response.body())
            self._json.update(dict.fromkeys(patterns, value))
