"""The dry run of a profile: one round of one game, saying what each step found; nothing is stored."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from lostfound.collect.browser.capture import PictureError, take_picture
from lostfound.collect.browser.game import begin, enter, guess, read_ground_truth
from lostfound.collect.browser.steps import StepError, first_visible, read
from lostfound.collect.browser.window import BrowserDownError, BrowserSettings, Window, open_window
from lostfound.collect.http import RequestFailed
from lostfound.errors import CollectError
from lostfound.files import write_atomic

Say = Callable[[str, str], None]


def check_profile(settings: BrowserSettings, say: Say) -> Path:
    """Try a profile on one round of one game.

    Args:
        settings: How the browser is started.
        say: Is told each step and what it found.

    Returns:
        The picture that would have been stored.

    Raises:
        CollectError: A step found nothing; the message names it.
    """
    try:
        return asyncio.run(_check(settings, say))
    except (StepError, BrowserDownError, PictureError) as error:
        raise CollectError(str(error)) from None
    except RequestFailed as failure:
        raise CollectError(failure.detail) from None


async def _check(settings: BrowserSettings, say: Say) -> Path:
    async with open_window(settings) as window:
        return await window.watch(_round(window, say))


async def _round(window: Window, say: Say) -> Path:
    settings, profile = window.settings, window.settings.profile
    browser = window.page.context.browser
    say("browser", f"{settings.executable}, version {browser.version if browser else 'unknown'}")
    did = await enter(window)
    say("start.url", f"opened {window.page.url}")
    say("login", did)
    game = await begin(window)
    say("game.id", game)
    await first_visible(window, "round.ready", profile.round.ready)
    say("round.ready", f"{profile.round.ready} is visible")
    say("round.number", await read(window, profile.round.number, "round.number"))
    picture = await take_picture(window)
    for selector in profile.picture.hide:
        number = await window.page.locator(selector).count()
        say("picture.hide", f"{selector}: {number} element{'s' * (number != 1)}")
    path = settings.work / f"{profile.source}-dry-run.png"
    write_atomic(path, picture.data)
    width, height = Image.open(io.BytesIO(picture.data)).size
    found = f"{width}x{height} pixels, {picture.images} images in it, screenshots: {picture.attempts}"
    say("picture", f"{found}; {path}")
    await guess(window, game)
    say("result.ready", f"{profile.result.ready} is visible")
    truth = await read_ground_truth(window, profile.result)
    for name in ("latitude", "longitude", "heading", "place", "captured_at"):
        if getattr(profile.result, name) is not None:
            say(f"result.{name}", str(getattr(truth, name)))
    for name, value in truth.notes.items():
        say(f"result.keep.{name}", value)
    return path
