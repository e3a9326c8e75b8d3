"""From uploaded photos to the answer of a request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from lostfound.errors import ImageError, ModelError
from lostfound.predict.engine import Seen
from lostfound.predict.guess import Guess
from lostfound.predict.locator import Locator
from lostfound.predict.outputs import LocatedPhoto, written_name
from lostfound.serve.batching import Ask, Batcher, Result
from lostfound.serve.heat_maps import HeatMaps
from lostfound.serve.metrics import Metrics
from lostfound.serve.options import AS_USUAL, Answering
from lostfound.serve.problems import Problem
from lostfound.serve.settings import ServeSettings
from lostfound.serve.shelf import Shelf
from lostfound.serve.uploads import Memory, Upload


class Service:
    """All that one process answers with.

    Attributes:
        settings: What it was told at the start.
        metrics: What it counts.
        shelf: Its models.
        memory: What holds the bodies of its requests.
        batcher: What runs the network.
        heat_maps: What explains.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self.settings = settings
        self.metrics = Metrics(settings.metrics)
        self.shelf = Shelf(settings.models, settings.lanes, settings.device)
        self.memory = Memory(settings.limits)
        self.batcher = Batcher(settings.limits, settings.lanes, self.metrics, self.shelf.for_one)
        self.heat_maps = HeatMaps()

    async def locator(self, model: str, answering: Answering) -> Locator:
        """A model that answers as asked; made in another thread, as it may take a while the first time.

        Raises:
            Problem: It can't answer so.
        """
        if answering == AS_USUAL:
            return self.shelf.models[model]
        return await asyncio.to_thread(self.shelf.locator, model, answering)

    async def guesses(self, photos: Sequence[Upload], ask: Ask) -> list[LocatedPhoto]:
        """What each photo's answer is, in order; one that can't be read has an error.

        Raises:
            Problem: None of them can be read, too many wait, or it took too long.
        """
        located = [
            _located(photo, result)
            for photo, result in zip(
                photos, await self.batcher.results([each.data for each in photos], ask), strict=True
            )
        ]
        self._count(ask.model, located)
        _some_must_be_readable(located)
        return located

    async def place(self, photos: Sequence[Upload], ask: Ask) -> list[LocatedPhoto]:
        """The answer of all photos together, and the errors of those that can't be read.

        Raises:
            Problem: As of `guesses`.
        """
        look = Ask(ask.model, ask.locator, ask.top, only_look=True)
        results = await self.batcher.results([each.data for each in photos], look)
        for result in results:
            if isinstance(result, Problem):
                raise result
        seen = [each for each in results if isinstance(each, Seen)]
        failed = [
            _located(photo, result)
            for photo, result in zip(photos, results, strict=True)
            if not isinstance(result, Seen)
        ]
        located = list(failed)
        if seen:
            guess = await asyncio.to_thread(ask.locator.guess_place, seen, top=ask.top)
            located.insert(0, LocatedPhoto("", guess))
        self._count(ask.model, located)
        _some_must_be_readable(located)
        return located

    def _count(self, model: str, located: Sequence[LocatedPhoto]) -> None:
        for each in located:
            outcome = (
                "unreadable" if each.guess is None else "abstained" if each.guess.abstained else "answered"
            )
            self.metrics.photo(model, outcome)


def as_values(each: LocatedPhoto, names: Sequence[str] | None = None) -> dict[str, Any]:
    """What an answer says of a photo, or of the photos of a place."""
    if each.guess is None:
        return {"photo": written_name(each.photo), "error": each.error}
    if names is not None:
        return {"photos": [written_name(name) for name in names], **each.guess.as_dict()}
    return {"photo": written_name(each.photo), **each.guess.as_dict()}


def _located(photo: Upload, result: Result) -> LocatedPhoto:
    if isinstance(result, Guess):
        return LocatedPhoto(photo.name, result)
    if isinstance(result, Problem):
        raise result
    assert isinstance(result, ImageError | ModelError)
    return LocatedPhoto(photo.name, None, str(result).removeprefix("image: "))


def _some_must_be_readable(located: Sequence[LocatedPhoto]) -> None:
    if all(each.guess is None for each in located):
        first = located[0]
        which = "the photo" if len(located) == 1 else f"none of {len(located)} photos can be read; the first"
        raise Problem(422, f"{which}: {first.error}")
