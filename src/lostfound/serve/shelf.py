"""The models of a server, by name; each is loaded once in a process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from lostfound.errors import LostFoundError
from lostfound.predict.engine import Engine
from lostfound.predict.head import stored_head
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import CARD, STARTER
from lostfound.serve.options import Answering
from lostfound.serve.problems import Problem

_REMEMBERED = 256
"""Ways to answer that are kept ready: a restriction to an area takes a fifth of a second to prepare."""


_SMALL = 256 * 2**20
"""Bytes of a graph that may be in memory twice."""


class Shelf:
    """Models by name.

    Attributes:
        models: They themselves; the first answers where none is named. Each has one thread for its network:
            the lanes of the server share the cores.
        for_one: The small ones once more, with all cores, for a photo that comes alone.
    """

    def __init__(self, models: Sequence[tuple[str, Path]], lanes: int = 1, device: str = "cpu") -> None:
        self.models = {name: Locator.load(path, threads=1, device=device) for name, path in models}
        self.for_one = {
            name: Engine(locator.model, threads=lanes, device=device)
            for name, locator in self.models.items()
            if lanes > 1 and locator.model.graph_bytes <= _SMALL
        }
        self.default = models[0][0]
        self._ready = lru_cache(_REMEMBERED)(self._prepared)

    def name(self, given: str | None) -> str:
        """The model that is meant.

        Raises:
            Problem: There is none of that name.
        """
        if given is None:
            return self.default
        if given not in self.models:
            raise Problem(404, f"no model {given[:80]!r}: there are {', '.join(self.models)}")
        return given

    def locator(self, name: str, answering: Answering) -> Locator:
        """The model, answering as asked; it may take a while the first time.

        Raises:
            Problem: It can't.
        """
        return self._ready(name, answering)

    def _prepared(self, name: str, answering: Answering) -> Locator:
        model = self.models[name]
        try:
            return answering.locator(model)
        except LostFoundError as error:
            raise Problem(400, str(error).replace(str(model.model.path), name)) from None

    def about(self, name: str) -> dict[str, Any]:
        """What /v1/models says of a model."""
        model = self.models[name].model
        card = model.path / CARD
        return {
            "name": name,
            "default": name == self.default,
            "kind": model.config["task"]["kind"],
            "version": model.fingerprint[:12],
            "views": model.views,
            "explains": ["cam", "occlusion"] if self.has_class_activation(name) else ["occlusion"],
            "same_place": True,
            "license": "Apache-2.0" if model.path == STARTER else _license(card),
            "answers": None if model.partition is None else len(model.partition),
            "input": [model.preprocessing.height, model.preprocessing.width],
            "card": card.read_text(encoding="utf-8") if card.is_file() else None,
        }

    def has_class_activation(self, name: str) -> bool:
        """Whether heat maps of a model are exact and quick."""
        locator = self.models[name]
        return (
            locator.gives_features
            and locator.model.partition is not None
            and stored_head(locator.model.statistics) is not None
        )


def _license(card: Path) -> str | None:
    """What the card's first lines say of the licence."""
    if not card.is_file():
        return None
    for line in card.read_text(encoding="utf-8").splitlines()[:60]:
        key, _, value = line.partition(":")
        if key.strip() == "license":
            return value.strip() or None
    return None
