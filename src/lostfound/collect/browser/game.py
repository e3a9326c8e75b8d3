"""One game, from its start to its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from lostfound.collect.browser.capture import PictureError, Screenshot, take_picture
from lostfound.collect.browser.ledger import BrowserLedger
from lostfound.collect.browser.profile import Result, filled
from lostfound.collect.browser.steps import (
    StepError,
    do_steps,
    doing,
    evidence,
    first_visible,
    open_page,
    read,
    until,
    visible,
)
from lostfound.collect.browser.window import Window
from lostfound.errors import CollectError
from lostfound.geo.sphere import location_problem

_LONGEST_NAME = 100


class LoginRefusedError(CollectError):
    """The site does not let the user in."""


@dataclass(frozen=True)
class GroundTruth:
    """What the result of a round says.

    Attributes:
        latitude: Degrees.
        longitude: Degrees.
        heading: Degrees clockwise from north, if it is said.
        place: An id of the place, if there is one.
        captured_at: When the picture was taken, if it is said.
        notes: Further values that the profile names.
    """

    latitude: float
    longitude: float
    heading: float | None
    place: str | None
    captured_at: str | None
    notes: dict[str, str]


async def enter(window: Window) -> str:
    """Open the site and sign in where that is needed; gives what was done.

    Raises:
        LoginRefusedError: The site refuses.
    """
    profile = window.settings.profile
    await open_page(window, filled(profile.start.url, {"site": profile.site}), "start.url")
    login = profile.login
    if login is None:
        await first_visible(window, "start", "body")
        return "no login in the profile"
    if await first_visible(window, "login.when or login.done", login.when, login.done) == 1:
        return "signed in already"
    await do_steps(window, login.steps, "login.steps")
    try:
        came = await first_visible(window, "login.done", login.done, login.refused)
    except StepError as error:
        raise LoginRefusedError(_refused(window, "nothing says that it succeeded", error)) from None
    if came == 1:
        said = await window.page.locator(login.refused or "").first.inner_text()
        shot = await evidence(window, "login")
        raise LoginRefusedError(
            _refused(window, f"the site says {said.strip()[:200]!r}", StepError("", "", shot))
        )
    await window.save_session()
    return "signed in"


def _refused(window: Window, why: str, error: StepError) -> str:
    variables = ", ".join(secret.variable for secret in window.settings.secrets.values())
    seen = f"; what the page looked like: {error.screenshot}" if error.screenshot else ""
    return window.settings.hide(
        f"the login at {window.settings.profile.site} failed: {why}; check {variables or 'the profile'}{seen}"
    )


async def begin(window: Window) -> str:
    """Start a game; gives its id."""
    profile = window.settings.profile
    window.traffic.forget()
    await do_steps(window, profile.start.steps, "start.steps")
    return await _name(window, "game.id", profile.game.id)


async def reopen(window: Window, game: str) -> None:
    """Open a game that was begun earlier."""
    profile = window.settings.profile
    window.traffic.forget()
    address = filled(profile.game.resume or "", {"site": profile.site, "game": game})
    await open_page(window, address, "game.resume")


async def play(
    window: Window,
    ledger: BrowserLedger,
    game: str,
    may_begin: Callable[[], Awaitable[bool]],
    ended: Callable[[bool | None], None],
) -> bool:
    """Play the rounds of a game that is open.

    Args:
        window: Where.
        ledger: Where rounds are written down.
        game: Its id.
        may_begin: Waits until a round may begin; False if none may.
        ended: Is told of each round's end, and whether it was stored; None if it failed.

    Returns:
        True if the game is over, False if no further round may begin.
    """
    profile, number = window.settings.profile, None
    while True:
        state = await _next_state(window, number)
        if state == "over":
            return True
        if not await may_begin():
            return False
        stored: bool | None = None
        try:
            if state == "result":
                number, stored = await _late_result(window, ledger, game)
            else:
                number, stored = await _round(window, ledger, game)
        finally:
            ended(stored)
        window.traffic.forget()
        await do_steps(window, profile.next, "next", game)


async def _next_state(window: Window, before: str | None) -> str:
    """Wait for the next round, or the end; a game that was reopened may also show a result."""
    profile = window.settings.profile
    if before is None:
        names = (
            ("game.over", profile.game.over),
            ("result", profile.result.ready),
            ("round", profile.round.ready),
        )
        selectors = [selector for _, selector in names]
        number = await first_visible(window, "round.ready", *selectors)
        return ("over", "result", "round")[number]

    async def look() -> str | None:
        if await visible(window, profile.game.over):
            return "over"
        if await visible(window, profile.result.ready) or not await visible(window, profile.round.ready):
            return None
        return "round" if await _name(window, "round.number", profile.round.number) != before else None

    async with doing(window, f"round.ready ({profile.round.ready}, after round {before})"):
        return str(await until(window, look))
    raise AssertionError


async def _round(window: Window, ledger: BrowserLedger, game: str) -> tuple[str, bool]:
    """Take the picture, guess, and read the true place; gives the round's number and whether it is stored."""
    profile = window.settings.profile
    number = await _name(window, "round.number", profile.round.number)
    if ledger.has_ended(game, number):
        ledger.count("duplicate rounds")
        await guess(window, game)
        return number, False
    picture: Screenshot | None = None
    try:
        picture = await take_picture(window)
    except PictureError as error:
        ledger.count("error pictures")
        ledger.drop_round(game, number, "miss", str(error))
    if picture is not None and not ledger.keep_picture(game, number, picture.data):
        ledger.count("duplicate pictures")
        ledger.drop_round(game, number, "duplicate", "the picture of another round")
        picture = None
    await guess(window, game)
    if picture is None:
        return number, False
    truth = await read_ground_truth(window, profile.result)
    await _keep(window, ledger, game, number, truth)
    return number, True


async def _late_result(window: Window, ledger: BrowserLedger, game: str) -> tuple[str, bool]:
    """A round that an earlier run had guessed: its picture may be kept, without the true place."""
    number = await _name(window, "round.number", window.settings.profile.round.number)
    if ledger.has_ended(game, number):
        return number, False
    if not ledger.has_picture(game, number):
        ledger.drop_round(game, number, "miss", "guessed before its picture was taken")
        ledger.count("rounds without a picture")
        return number, False
    truth = await read_ground_truth(window, window.settings.profile.result)
    await _keep(window, ledger, game, number, truth)
    return number, True


async def guess(window: Window, game: str) -> None:
    """Guess, and wait for the result."""
    profile = window.settings.profile
    window.traffic.forget_responses()
    await do_steps(window, profile.guess, "guess", game)
    await first_visible(window, "result.ready", profile.result.ready)


async def read_ground_truth(window: Window, result: Result) -> GroundTruth:
    """Read the true place.

    Raises:
        StepError: It is not there, or no place on Earth.
    """
    heading = None if result.heading is None else await _number(window, "heading", result.heading, 360)
    extra = {}
    for name, reading in (("place", result.place), ("captured_at", result.captured_at)):
        extra[name] = None if reading is None else await read(window, reading, f"result.{name}")
    latitude = await _number(window, "latitude", result.latitude, 90)
    longitude = await _number(window, "longitude", result.longitude, 180)
    async with doing(window, f"result.latitude ({result.latitude})"):
        if problem := location_problem(latitude, longitude):
            raise ValueError(problem)
    return GroundTruth(
        latitude,
        longitude,
        heading if heading is None else heading % 360,
        extra["place"],
        extra["captured_at"],
        {name: await read(window, each, f"result.keep.{name}") for name, each in result.keep.items()},
    )


async def _number(window: Window, name: str, reading: Any, limit: float) -> float:
    text = await read(window, reading, f"result.{name}")
    async with doing(window, f"result.{name} ({reading})"):
        value = float(text.replace("\u2212", "-"))
        if not -limit <= value <= limit:
            raise ValueError(f"{text!r} is not within -{limit:g} and {limit:g}")
        return value
    raise AssertionError


async def _keep(window: Window, ledger: BrowserLedger, game: str, number: str, truth: GroundTruth) -> None:
    """Write a round down, if its result is really that of the picture."""
    profile = window.settings.profile
    now = await _name(window, "round.number", profile.round.number)
    if now != number:
        shot = await evidence(window, "round.number")
        raise StepError(
            "result", f"the page went from round {number} to {now} before its result was read", shot
        )
    place = truth.place or f"{truth.latitude:.6f},{truth.longitude:.6f}"
    record = {
        "place_id": f"{profile.source}/{place}",
        "heading": truth.heading,
        "latitude": truth.latitude,
        "longitude": truth.longitude,
        "captured_at": truth.captured_at,
        "license": profile.license,
        "original": f"{game}/{number}",
    }
    notes = {"address": window.page.url, "keep": truth.notes}
    ledger.keep_round(game, number, record, notes, window.settings.work / f"{profile.source}-rounds")


async def _name(window: Window, name: str, reading: Any) -> str:
    text = await read(window, reading, name)
    if len(text) > _LONGEST_NAME:
        raise StepError(name, f"{text[:40]!r}... is too long for a name", await evidence(window, name))
    return text
