"""The picture of a round: complete, without the page's other elements, and really a picture."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np

from lostfound.collect.browser.profile import Picture
from lostfound.collect.browser.steps import POLL_S, doing, until, visible
from lostfound.collect.browser.window import Window
from lostfound.collect.http import is_error_picture
from lostfound.data.images import open_image

_FROZEN = "*, *::before, *::after { caret-color: transparent !important; }"

# Of the images within an element that can be seen: null until all are there, then what became of them.
_IMAGES = """async root => {
    const images = [...root.querySelectorAll('img')].concat(root.matches('img') ? [root] : []);
    const far = image => {
        const box = image.getBoundingClientRect();
        return box.bottom < 0 || box.right < 0 || box.top > innerHeight || box.left > innerWidth;
    };
    const near = images.filter(image => !(image.loading === 'lazy' && far(image)));
    if (near.some(image => !image.complete)) return null;
    const decoded = await Promise.allSettled(near.map(image => image.decode()));
    return {
        broken: decoded.filter(each => each.status === 'rejected').length,
        addresses: near.map(image => image.currentSrc || image.src),
    };
}"""


class PictureError(Exception):
    """What the site showed is no picture of a place."""


@dataclass(frozen=True)
class Screenshot:
    """The picture of a round.

    Attributes:
        data: A PNG file.
        attempts: So many screenshots were taken until two in a row were equal.
        images: Image elements in it.
    """

    data: bytes
    attempts: int
    images: int


async def take_picture(window: Window) -> Screenshot:
    """Wait until the picture is complete, and take it.

    Complete: its element is visible, what announces it is there and what shows waiting is gone, its images
    are loaded and decoded, no request is under way, and two screenshots in a row are equal.

    Raises:
        PictureError: An error came instead of it, or of a part of it.
        StepError: It does not become complete.
    """
    picture = window.settings.profile.picture
    root = picture.element or "body"
    async with doing(window, f"picture.element ({root})"):
        await window.page.locator(root).first.wait_for(state="visible")
    images = await _complete(window, picture, root)
    async with doing(window, "picture (two equal screenshots in a row)"):
        data, attempts = await _still(window, picture)
    if is_error_picture(np.asarray(open_image(data))):
        raise PictureError("a flat picture came, such as sites show instead of an error")
    return Screenshot(data, attempts, images)


async def _complete(window: Window, picture: Picture, root: str) -> int:
    """Wait for what can be waited for; gives the number of images."""
    element = window.page.locator(root).first

    async def announced() -> bool | None:
        _check_sources(window)
        if picture.ready is not None and not await visible(window, picture.ready):
            return None
        return None if any([await visible(window, each) for each in picture.gone]) else True

    async def loaded() -> int | None:
        _check_sources(window)
        found = await element.evaluate(_IMAGES)
        if found is None:
            return None
        failed = [window.traffic.failed[each] for each in found["addresses"] if each in window.traffic.failed]
        if failed or found["broken"]:
            status = f" (status {failed[0]})" if failed else ""
            raise PictureError(f"an error page came instead of an image{status}")
        quiet = window.traffic.quiet_for_s() >= picture.quiet_s if picture.quiet_s else True
        return len(found["addresses"]) if quiet else None

    wanted = ", ".join([picture.ready or "", *picture.gone]).strip(", ") or "nothing"
    async with doing(window, f"picture.ready ({wanted})"):
        await until(window, announced)
    async with doing(window, "picture (its images, and no request under way)"):
        return int(await until(window, loaded))
    raise AssertionError


def _check_sources(window: Window) -> None:
    if window.traffic.wrong_sources:
        raise PictureError(f"an error page came instead of an image ({window.traffic.wrong_sources[0]})")


async def _still(window: Window, picture: Picture) -> tuple[bytes, int]:
    """The picture as soon as it stays the same, and how many screenshots that took."""
    attempts, before = 0, b""
    async with asyncio.timeout(window.settings.timeout_s):
        while True:
            data = await _screenshot(window, picture)
            attempts += 1
            if data == before:
                _check_sources(window)
                return data, attempts
            before = data
            await asyncio.sleep(POLL_S)


async def _screenshot(window: Window, picture: Picture) -> bytes:
    hidden = ", ".join(picture.hide)
    style = _FROZEN + (
        f"\n:is({hidden}) {{ opacity: 0 !important; visibility: hidden !important; }}" if hidden else ""
    )
    if picture.element:
        element = window.page.locator(picture.element).first
        return await element.screenshot(style=style, animations="disabled", scale="css")
    return await window.page.screenshot(style=style, animations="disabled", scale="css")
