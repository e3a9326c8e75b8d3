"""Doing what a profile says on a page, and reading values from it; every wait is for something to happen."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lostfound.collect.browser.profile import Reading, Step, filled
from lostfound.collect.browser.window import BrowserDownError, Window
from lostfound.collect.http import RequestFailed

POLL_S = 0.1
"""How often the page is looked at while waiting for what it has no event for."""

_VARIABLE = "path => path.split('.').reduce((at, name) => at == null ? null : at[name], globalThis)"


class StepError(Exception):
    """A step that the page does not allow any more.

    Attributes:
        step: Its name in the profile.
        detail: What happened, without secrets.
        screenshot: What the page looked like; None if it could not be taken.
    """

    def __init__(self, step: str, detail: str, screenshot: Path | None) -> None:
        seen = f"; what the page looked like: {screenshot}" if screenshot else ""
        super().__init__(f"step {step}: {detail}{seen}")
        self.step = step
        self.detail = detail
        self.screenshot = screenshot


@asynccontextmanager
async def doing(window: Window, step: str) -> AsyncIterator[None]:
    """Name the step that fails, with a screenshot.

    Raises:
        StepError: What was done failed, though the browser is well.
        BrowserDownError: The browser is not.
    """
    from playwright.async_api import Error

    window.beat()
    try:
        yield
    except (Error, TimeoutError, ValueError) as error:
        await window.check()
        detail = window.settings.hide((str(error).splitlines() or ["no answer"])[0])
        if isinstance(error, TimeoutError) or "Timeout" in detail:
            detail = f"not possible within {window.settings.timeout_s:g} s"
        raise StepError(step, detail, await evidence(window, step)) from None


async def evidence(window: Window, step: str) -> Path | None:
    """A screenshot of the page as it is, in the work folder; a later one of the same step replaces it."""
    from playwright.async_api import Error

    name = re.sub(r"[^a-z0-9]+", "-", step.lower()).strip("-")[:60]
    path = window.settings.work / f"{window.settings.profile.source}-failed-{name}.png"
    try:
        await window.page.screenshot(path=path, timeout=5000)
    except (Error, OSError):
        return None
    return path


async def open_page(window: Window, address: str, name: str) -> None:
    """Open an address.

    Raises:
        RequestFailed: The site is not there, or fails.
        BrowserDownError: Nothing came in time, or the browser is gone.
    """
    from playwright.async_api import Error
    from playwright.async_api import TimeoutError as Late

    try:
        response = await window.page.goto(address, wait_until="domcontentloaded")
    except Late:
        raise BrowserDownError(f"{name}: the page did not come in time") from None
    except Error as error:
        await window.check()
        said = str(error).splitlines()[0].removeprefix("Page.goto: ")
        raise RequestFailed("unreachable", window.settings.hide(f"{name}: {said}")) from None
    if response is not None and (response.status == 429 or response.status >= 500):
        raise RequestFailed("retried", f"{name}: the site failed ({response.status})")
    if response is not None and response.status >= 400:
        shot = await evidence(window, name)
        raise StepError(name, f"the site refuses the page ({response.status})", shot)


async def do_steps(window: Window, steps: Sequence[Step], name: str, game: str = "") -> None:
    """Do steps one after the other.

    Args:
        window: Where.
        steps: What.
        name: Of the steps in the profile.
        game: Stands for {game}.
    """
    profile = window.settings.profile
    values = {"site": profile.site, "game": game}
    values |= {key: secret.value for key, secret in window.settings.secrets.items()}
    for number, step in enumerate(steps, 1):
        where = f"{name}.{number} ({step})"
        if step.goto:
            await open_page(window, filled(step.goto, values), where)
            continue
        async with doing(window, where):
            await _do(window, step, filled(step.value, values))


async def _do(window: Window, step: Step, value: str) -> None:
    page = window.page
    if step.press:
        await page.keyboard.press(step.press)
        return
    element = page.locator(step.click or step.fill or step.shown or step.hidden or "").first
    if step.optional and not await element.is_visible():
        return
    if step.click:
        await element.wait_for(state="visible")
        box = await element.bounding_box() or {"width": 1, "height": 1}
        await element.click(position={"x": step.at[0] * box["width"], "y": step.at[1] * box["height"]})
    elif step.fill:
        await element.fill(value)
    elif step.shown:
        await element.wait_for(state="visible")
    else:
        await element.wait_for(state="hidden")


async def dismiss_consent(window: Window) -> list[str]:
    """Click the profile's consent dialogs away where they are visible; gives those that were."""
    clicked = []
    for selector in window.settings.profile.consent:
        element = window.page.locator(selector).first
        if await visible(window, selector):
            async with doing(window, f"consent ({selector})"):
                await element.click()
                await element.wait_for(state="hidden")
            clicked.append(selector)
    return clicked


async def visible(window: Window, selector: str | None) -> bool:
    """Is such an element to be seen at this moment?"""
    return selector is not None and await window.page.locator(selector).first.is_visible()


async def first_visible(window: Window, name: str, *selectors: str | None) -> int:
    """Wait until one of some elements is visible; gives which, the first if there are several.

    Consent dialogs are clicked away meanwhile.
    """
    wanted = " or ".join(selector for selector in selectors if selector)

    async def look() -> int | None:
        await dismiss_consent(window)
        for number, selector in enumerate(selectors):
            if await visible(window, selector):
                # The page may have shown an earlier one together with this one, after it was looked at.
                shown = [each for each in range(number) if await visible(window, selectors[each])]
                return min([*shown, number])
        return None

    async with doing(window, f"{name} ({wanted})"):
        return int(await until(window, look))
    raise AssertionError


async def until(window: Window, look: Callable[[], Awaitable[Any]], limit_s: float | None = None) -> Any:
    """Look until there is something.

    Raises:
        TimeoutError: Nothing came in time.
    """
    async with asyncio.timeout(limit_s or window.settings.timeout_s):
        while True:
            found = await look()
            if found is not None:
                return found
            await asyncio.sleep(POLL_S)


async def read(window: Window, reading: Reading, name: str) -> str:
    """Read a value as soon as it is there.

    Raises:
        StepError: It does not appear, or the regular expression finds nothing in it.
    """
    seen: list[str] = []

    async def look() -> str | None:
        text = await _look(window, reading)
        if text is None or reading.regex is None:
            return text
        seen[:] = [text[:80]]
        match = re.search(reading.regex, text)
        return match[1] if match else None

    async with doing(window, f"{name} ({reading})"):
        try:
            return str(await until(window, look))
        except TimeoutError:
            if seen:
                raise ValueError(f"{reading.regex!r} finds nothing in {seen[0]!r}") from None
            raise
    raise AssertionError


async def _look(window: Window, reading: Reading) -> str | None:
    """The raw value, or None if it is not there yet."""
    page = window.page
    value: Any
    if reading.url:
        value = page.url
    elif reading.text:
        element = page.locator(reading.text).first
        value = (await element.inner_text()).strip() if await element.is_visible() else None
    elif reading.attribute:
        element = page.locator(reading.of or "").first
        value = await element.get_attribute(reading.attribute) if await element.count() else None
    elif reading.variable:
        value = await page.evaluate(_VARIABLE, reading.variable)
    else:
        value = window.traffic.json_from(reading.response or "")
        for part in (reading.path or "").split("."):
            value = _inside(value, part)
    return None if value is None or isinstance(value, (dict, list)) or value == "" else str(value)


def _inside(value: Any, part: str) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list) and part.isdigit() and int(part) < len(value):
        return value[int(part)]
    return None
