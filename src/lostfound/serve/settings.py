"""What a server is told when it starts."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from lostfound.errors import UsageError
from lostfound.hub import Repository, is_on_hub
from lostfound.predict.model_folder import STARTER, ModelFolder

STARTER_NAME = "starter"
DEFAULT_PORT = 8000


@dataclass(frozen=True)
class ServerLimits:
    """How much a server takes on. What is beyond is refused at once, so that what was accepted is answered.

    Attributes:
        max_photos: Photos of one request.
        max_bytes: Bytes of one request's body.
        max_pixels: Pixels of one photo, decoded; JPEGs are decoded at a reduced scale.
        queue: Photos that wait for the network.
        memory: Bytes of all bodies that are held at once.
        batch: Photos that go through the network together, at most.
        deadline_s: Seconds in which a request is answered, from when its body is there.
        body_s: Seconds in which a request's body must have arrived; its headers have a third of that.
        connections: Connections of one process.
    """

    max_photos: int = 64
    max_bytes: int = 64 * 2**20
    max_pixels: int = 50_000_000
    queue: int = 256
    memory: int = 256 * 2**20
    batch: int = 8
    deadline_s: float = 30.0
    body_s: float = 60.0
    connections: int = 1000

    def __post_init__(self) -> None:
        if self.queue < self.max_photos:
            raise UsageError(
                f"a queue of {self.queue} photos can't hold one request of {self.max_photos}: "
                "raise --queue, or lower --max-photos"
            )
        if self.memory < self.max_bytes:
            raise UsageError(
                f"{self.memory} bytes for all requests can't hold one of {self.max_bytes}: "
                "raise --memory, or lower --max-bytes"
            )


@dataclass(frozen=True)
class ServeSettings:
    """All that a server's processes need to know; it can be pickled.

    Attributes:
        models: Folders by the names that requests give them; the first answers where none is named.
        tokens: Who may ask: one of these, as a bearer token; none: whoever reaches it.
        origins: Web pages of other origins that may ask from a browser.
        tiles: Address of map tiles for the page, with {z}, {x} and {y}; None: the map in the package alone.
        lanes: Photos (or batches) that are worked on at once in each process.
        metrics: Folder in which processes sum up their metrics; None: there is one process.
        limits: How much it takes on.
        device: What networks are computed on, one of `lostfound.predict.devices.DEVICES`.
    """

    models: tuple[tuple[str, Path], ...] = ((STARTER_NAME, STARTER),)
    tokens: tuple[str, ...] = field(default=(), repr=False)
    origins: tuple[str, ...] = ()
    tiles: str | None = None
    lanes: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    metrics: Path | None = None
    limits: ServerLimits = field(default_factory=ServerLimits)
    device: str = "cpu"


def parse_models(given: list[str]) -> tuple[tuple[str, Path], ...]:
    """The models that `--model` names: NAME=PATH or PATH, or a name on the hub; the starter if none.

    Raises:
        UsageError: A name is given twice, or can't stand in an address.
        ModelError: A folder is no model.
    """
    found: dict[str, Path] = {}
    for each in given or [STARTER_NAME]:
        name, named, path = each.partition("=")
        if not named:
            path = each
            name = STARTER_NAME if each == STARTER_NAME else _own_name(each)
        folder = STARTER if path == STARTER_NAME and not Path(path).exists() else path
        if not name or not all(letter.isalnum() or letter in "-_." for letter in name):
            raise UsageError(
                f"--model {each}: {name!r} can't stand in an address: give NAME=PATH, the name of letters, "
                "digits, '-', '_' and '.'"
            )
        if name in found:
            raise UsageError(f"two models are called {name!r}: give them names, as in --model better={path}")
        found[name] = ModelFolder.open(folder).path.resolve()
    return tuple(found.items())


def _own_name(model: str) -> str:
    """The folder's, or that on the hub without its owner and revision."""
    return Repository.parse(model).name.partition("/")[2] if is_on_hub(model) else Path(model).resolve().name


def read_tokens(path: Path) -> tuple[str, ...]:
    """The tokens of a file, one a line; empty lines and those with # are passed over.

    Raises:
        UsageError: It can't be read, or holds none, or one that a header can't hold.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--token-file {path} can't be read: {error}") from None
    tokens = tuple(line for line in lines if line and not line.startswith("#"))
    if not tokens:
        raise UsageError(f"--token-file {path} holds no token: write one a line")
    if any(not token.isascii() or " " in token for token in tokens):
        raise UsageError(f"--token-file {path}: a token is letters, digits and signs without spaces")
    return tokens
