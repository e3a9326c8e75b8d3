"""Profiles of games and viewers: selectors and steps as text, in a validated YAML file; never code."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from lostfound.collect.keys import Secret
from lostfound.errors import UsageError
from lostfound.settings import Section, parse_settings, read_yaml

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_DOTTED = r"^[A-Za-z_$][\w$]*(\.[\w$]+)*$"


def _hides_only(selector: str) -> str:
    if not selector.strip() or re.search(r"[{}<;@]", selector):
        raise ValueError("a CSS selector has none of { } < ; @")
    return selector


def _compiles(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"not a regular expression ({error})") from None
    if groups != 1:
        raise ValueError("put what is to be read into one pair of parentheses")
    return pattern


Selector = Annotated[str, Field(min_length=1)]
Hidden = Annotated[str, AfterValidator(_hides_only)]
Regex = Annotated[str, AfterValidator(_compiles)]
Dotted = Annotated[str, Field(pattern=_DOTTED)]
Share = Annotated[float, Field(ge=0, le=1)]


class Step(Section):
    """One thing to do on the page: exactly one of goto, click, fill, press, shown and hidden."""

    goto: str | None = Field(None, description="open an address")
    click: Selector | None = Field(None, description="click an element once it can be clicked")
    at: tuple[Share, Share] = Field((0.5, 0.5), description="where in it, as shares of its width and height")
    fill: Selector | None = Field(None, description="put `value` into a field")
    value: str = Field("", description="for fill; {name} stands for a secret")
    press: str | None = Field(None, description="a key, such as Enter or Control+A")
    shown: Selector | None = Field(None, description="wait until an element is visible")
    hidden: Selector | None = Field(None, description="wait until no such element is visible")
    optional: bool = Field(False, description="left out if its element is not visible")

    @model_validator(mode="after")
    def _one_action(self) -> Step:
        given = [
            name for name in ("goto", "click", "fill", "press", "shown", "hidden") if getattr(self, name)
        ]
        if len(given) != 1:
            raise ValueError("a step is one of goto, click, fill, press, shown and hidden")
        if self.optional and not (self.click or self.fill):
            raise ValueError("only click and fill can be optional")
        return self

    def __str__(self) -> str:
        what = next(n for n in ("goto", "click", "fill", "press", "shown", "hidden") if getattr(self, n))
        return f"{what} {getattr(self, what)}"


class Reading(Section):
    """Where a value is read: exactly one of text, attribute, url, response and variable."""

    text: Selector | None = Field(None, description="the visible text of an element")
    attribute: str | None = Field(None, description="an attribute of the element `of`")
    of: Selector | None = None
    url: bool = Field(False, description="the page's address")
    response: str | None = Field(None, description="a JSON response to the page; its address, with * for any")
    path: Dotted | None = Field(None, description="where in the response, as a dotted name")
    variable: Dotted | None = Field(None, description="a variable of the page, as a dotted name")
    regex: Regex | None = Field(None, description="what of it, in one pair of parentheses")

    @model_validator(mode="after")
    def _one_source(self) -> Reading:
        given = [n for n in ("text", "attribute", "url", "response", "variable") if getattr(self, n)]
        if len(given) != 1:
            raise ValueError("a value is read from one of text, attribute, url, response and variable")
        if (self.attribute is None) != (self.of is None):
            raise ValueError("attribute goes with of, the element that has it")
        if (self.response is None) != (self.path is None):
            raise ValueError("response goes with path, where in the response the value is")
        return self

    def __str__(self) -> str:
        if self.response:
            return f"{self.path} of {self.response}"
        if self.attribute:
            return f"attribute {self.attribute} of {self.of}"
        return f"text of {self.text}" if self.text else self.variable or "the address"


class Viewport(Section):
    """The size of the page, in CSS pixels."""

    width: int = Field(1280, ge=64, le=8192)
    height: int = Field(720, ge=64, le=8192)


class Login(Section):
    """How to sign in, where that is needed."""

    when: Selector = Field(description="visible if one must sign in")
    steps: list[Step] = Field(min_length=1)
    done: Selector = Field(description="visible once one has signed in")
    refused: Selector | None = Field(None, description="visible if the site refuses")


class Start(Section):
    """How a game begins."""

    url: str
    steps: list[Step] = Field([], description="from the page to the first round")


class GameSteps(Section):
    """Which game it is, and when it is over."""

    id: Reading = Field(description="names the game, unlike any other of the site")
    over: Selector | None = Field(None, description="visible when the game is over")
    resume: str | None = Field(None, description="the address of a game; {game} stands for its id")


class RoundSteps(Section):
    """Which round it is, and when it has begun."""

    number: Reading
    ready: Selector = Field(description="visible when the round has begun")


class Picture(Section):
    """What is kept of the page, and when it is complete."""

    element: Selector | None = Field(None, description="the element to keep; null: the whole viewport")
    hide: list[Hidden] = Field([], description="elements that must not be in the picture")
    ready: Selector | None = Field(None, description="visible when the picture is complete")
    gone: list[Selector] = Field([], description="not visible when the picture is complete, such as a wheel")
    sources: list[str] = Field([], description="addresses of its parts, * for any: they must be images")
    quiet_s: float = Field(0.5, ge=0, le=10, description="seconds without a request under way; 0: not waited")


class Result(Section):
    """The true place, after the guess."""

    ready: Selector = Field(description="visible when the true place is shown")
    latitude: Reading
    longitude: Reading
    heading: Reading | None = None
    place: Reading | None = Field(None, description="an id of the place, such as that of a panorama")
    captured_at: Reading | None = None
    keep: dict[str, Reading] = Field({}, description="further values for the round's JSON file")


class Profile(Section):
    """A game or viewer."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", description="the records' source is browser-NAME")
    permission: str = Field(min_length=10, description="who allows this, and where that is written")
    license: str | None = Field(None, description="the records' licence")
    site: str = Field(pattern=r"^https?://[^/?#]+$", description="{site} stands for it in addresses")
    viewport: Viewport = Viewport()
    secrets: dict[str, str] = Field({}, description="name: the environment variable that holds it")
    consent: list[Selector] = Field([], description="clicked away wherever they are visible")
    login: Login | None = None
    start: Start
    game: GameSteps
    round: RoundSteps
    picture: Picture = Picture()
    guess: list[Step] = Field(min_length=1)
    result: Result
    next: list[Step] = Field(min_length=1, description="from the result to the next round")

    @model_validator(mode="after")
    def _placeholders(self) -> Profile:
        known = {"site", "game", *self.secrets}
        for text in self._templates():
            for name in _PLACEHOLDER.findall(text):
                if name not in known:
                    raise ValueError(
                        f"{{{name}}} in {text!r} is no secret; known: {', '.join(sorted(known))}"
                    )
        return self

    def _templates(self) -> Iterator[str]:
        yield self.start.url
        yield self.game.resume or ""
        for step in [*(self.login.steps if self.login else []), *self.start.steps, *self.guess, *self.next]:
            yield step.goto or ""
            yield step.value

    @property
    def source(self) -> str:
        """The `source` of the records."""
        return f"browser-{self.name}"

    def patterns(self) -> set[str]:
        """Addresses of the JSON responses that something is read from."""
        result = self.result
        extra = (result.heading, result.place, result.captured_at, *result.keep.values())
        readings = (self.game.id, self.round.number, result.latitude, result.longitude, *extra)
        return {reading.response for reading in readings if reading is not None and reading.response}

    def read_secrets(self) -> dict[str, Secret]:
        """The secrets, from the environment.

        Raises:
            UsageError: A variable is not set.
        """
        found = {
            name: Secret(variable, os.environ.get(variable, "")) for name, variable in self.secrets.items()
        }
        for name, secret in found.items():
            if not secret.value:
                raise UsageError(
                    f"{secret.variable} is not set: put the site's {name} into this environment variable"
                )
        return found


def filled(text: str, values: Mapping[str, str]) -> str:
    """A text with its {names} replaced."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


def load_profile(path: Path) -> Profile:
    """Read and validate a profile.

    Args:
        path: A YAML file, or the name of a profile in the package: lostfound-play.

    Raises:
        UsageError: It is missing, is no YAML, or has an unknown key (the nearest known one is named) or a
            wrong value.
    """
    packaged = resources.files("lostfound") / "recipes" / "collecting" / f"{path}.yaml"
    try:
        text = packaged.read_bytes() if not path.exists() and packaged.is_file() else path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}: give the YAML file that describes the site") from None
    values = read_yaml(text, str(path))
    if not isinstance(values, dict):
        raise UsageError(f"{path} is not a profile: it must be a mapping of settings")
    return parse_settings(Profile, values, str(path), "profile")
