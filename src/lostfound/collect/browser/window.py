"""A browser of one worker: its own process, so that its crash takes no other worker down."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lostfound.collect.browser.profile import Profile
from lostfound.collect.browser.traffic import Traffic
from lostfound.collect.keys import Secret
from lostfound.errors import MissingExtraError, UsageError
from lostfound.files import writing_atomically

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""Looked for on PATH."""

HEADLESS = "chromium-headless-shell"
"""... after them, if no window is wanted: it has none."""

_FLAGS = (
    "--disable-dev-shm-usage",  # /dev/shm is tiny in containers
    "--disable-gpu",
    "--force-prefers-reduced-motion",
)
_CLOSE_S = 10.0

T = TypeVar("T")


class BrowserDownError(Exception):
    """The browser of a worker crashed, was killed, or does not answer."""


@dataclass(frozen=True)
class BrowserSettings:
    """How browsers are started.

    Attributes:
        profile: What to do with them.
        secrets: Names and passwords of the profile.
        executable: The browser.
        work: Where the session and screenshots of failed steps lie.
        show: With a window on the screen.
        timeout_s: How long one step may take, in seconds.
    """

    profile: Profile
    secrets: Mapping[str, Secret] = field(repr=False)
    executable: Path
    work: Path
    show: bool = False
    timeout_s: float = 30.0

    @property
    def session(self) -> Path:
        """The cookies, kept from run to run."""
        return self.work / f"{self.profile.source}-session.json"

    def hide(self, text: str) -> str:
        """The text without the secrets."""
        for secret in self.secrets.values():
            text = secret.hide(text)
        return text


def find_browser(given: Path | None, *, show: bool = False) -> Path:
    """The browser to start.

    Args:
        given: Its program; by default the first on PATH.
        show: Whether its window is to be seen.

    Raises:
        MissingExtraError: What drives browsers is not installed.
        UsageError: There is no browser.
    """
    try:
        import playwright  # noqa: F401
    except ImportError:
        raise MissingExtraError(
            "collecting with a browser needs the extra 'browser' (not installed: playwright): "
            "pip install 'lostfound[browser]'"
        ) from None
    known = BROWSERS if show else (*BROWSERS, HEADLESS)
    found = shutil.which(given) if given else next(filter(None, map(shutil.which, known)), None)
    if found is None:
        wanted = f"{given} is no program" if given else f"none of {', '.join(known)} is on PATH"
        raise UsageError(f"{wanted}: install Chromium, or say where it is with --browser")
    return Path(found)


class Window:
    """A page in a browser of its own."""

    def __init__(self, page: Page, settings: BrowserSettings) -> None:
        self.page = page
        self.settings = settings
        self.traffic = Traffic(page, settings.profile)
        self._beat_at = 0.0
        self._down: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        page.on("crash", lambda _: self._ended("the page crashed"))
        page.on("close", lambda _: self._ended("the page was closed"))
        if page.context.browser is not None:
            page.context.browser.on("disconnected", lambda _: self._ended("the browser ended"))
        page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.dismiss()))

    def beat(self) -> None:
        """Something went on: the watchdog waits anew."""
        self._beat_at = asyncio.get_running_loop().time()

    async def watch(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something with the page, for as long as that is there and something goes on.

        Raises:
            BrowserDownError: The page or the browser is gone, or hangs.
        """
        self.beat()
        task, limit_s = asyncio.ensure_future(work), 2 * self.settings.timeout_s + 5
        try:
            while not task.done():
                left_s = self._beat_at + limit_s - asyncio.get_running_loop().time()
                if left_s <= 0:
                    raise BrowserDownError(f"nothing went on for {limit_s:g} s")
                waited: set[asyncio.Future[Any]] = {task, self._down}
                await asyncio.wait(waited, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
                if self._down.done() and not (task.done() and task.exception() is None):
                    self._down.result()  # raises what happened
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def check(self) -> None:
        """Make sure that the browser answers, so that what failed was the step.

        Raises:
            BrowserDownError: It does not.
        """
        from playwright.async_api import Error

        try:
            async with asyncio.timeout(min(5.0, self.settings.timeout_s)):
                await self.page.evaluate("1")
        except TimeoutError:
            raise BrowserDownError("the browser does not answer") from None
        except Error as error:
            raise BrowserDownError(f"the browser ended ({_first_line(error)})") from None

    async def save_session(self) -> None:
        """Keep the cookies for the next run; they are for this user alone."""
        path = self.settings.session
        state = json.dumps(await self.page.context.storage_state())
        with suppress(FileNotFoundError):
            path.chmod(0o600)
        with writing_atomically(path) as partial:
            file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(file, "w") as opened:
                opened.write(state)

    def _ended(self, why: str) -> None:
        if not self._down.done():
            self._down.set_exception(BrowserDownError(why))
            self._down.exception()  # it is looked at only where something waits for the page


@asynccontextmanager
async def open_window(settings: BrowserSettings) -> AsyncIterator[Window]:
    """Start a browser with one page; it ends with the block, whatever state it is in.

    Raises:
        BrowserDownError: It does not start.
    """
    from playwright.async_api import Error, async_playwright

    manager = async_playwright()
    try:
        async with asyncio.timeout(settings.timeout_s + 30):
            driver = await manager.start()
    except TimeoutError:
        raise BrowserDownError("what drives the browser does not start") from None
    try:
        try:
            browser = await _launch(driver, settings)
            page = await _new_page(browser, settings)
        except Error as error:
            raise BrowserDownError(f"{settings.executable} does not start ({_first_line(error)})") from None
        try:
            yield Window(page, settings)
        finally:
            with suppress(Error, TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await browser.close()
    finally:  # its driver ends the browser, also one that hangs
        with suppress(Error, TimeoutError, OSError):
            async with asyncio.timeout(_CLOSE_S):
                await driver.stop()


async def _launch(driver: Playwright, settings: BrowserSettings) -> Browser:
    return await driver.chromium.launch(
        executable_path=settings.executable,
        headless=not settings.show,
        chromium_sandbox=not _is_root(),  # Chromium refuses to run as root with it
        args=list(_FLAGS),
        timeout=(settings.timeout_s + 30) * 1000,
        handle_sigint=False,  # Ctrl-C is ours: the round is finished first
        handle_sigterm=False,
        handle_sighup=False,
    )


async def _new_page(browser: Browser, settings: BrowserSettings) -> Page:
    viewport = settings.profile.viewport
    context = await browser.new_context(
        viewport={"width": viewport.width, "height": viewport.height},
        storage_state=_session(settings.session),
        service_workers="block",  # their requests would not be seen
        bypass_csp=True,  # else a page's policy could forbid hiding its elements
        accept_downloads=False,
    )
    context.set_default_timeout(settings.timeout_s * 1000)
    return await context.new_page()


def _session(path: Path) -> Path | None:
    """The kept cookies; without them, or where they are damaged, one signs in anew."""
    try:
        whole = isinstance(json.loads(path.read_bytes()), dict)
    except (OSError, ValueError):
        return None
    return path if whole else None


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
