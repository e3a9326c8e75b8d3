"""What a browser collection has: games claimed, rounds stored, pictures seen; written down in the ledger."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lostfound.collect.inbox import Inbox
from lostfound.collect.ledger import Ledger
from lostfound.collect.tasks import NewTask, Outcome
from lostfound.files import digest, write_atomic


class BrowserLedger:
    """The ledger of a collection, in games and rounds; one for all workers of a run.

    Attributes:
        counts: Of all runs: rounds, duplicate games, rounds and pictures, errors, restarts.
        this_run: The same of this run.
        joined: The games that workers play now.
    """

    def __init__(self, ledger: Ledger, inbox: Inbox) -> None:
        self._ledger = ledger
        self._inbox = inbox
        self.counts: Counter[str] = Counter(ledger.get("browser_counts") or {})
        self.this_run: Counter[str] = Counter()
        self.joined: set[str] = set()
        self._pictures = {payload.get("picture") for _, _, payload in ledger.outcomes("round")} - {None}

    @property
    def path(self) -> Path:
        """The ledger's file."""
        return self._ledger.path

    @property
    def inbox_folder(self) -> Path:
        """Where pictures are kept."""
        return self._inbox.folder

    def waiting(self) -> int:
        """How many pictures are not in the data set yet."""
        return self._ledger.waiting()

    def count(self, what: str) -> None:
        """Add one to a count."""
        self.counts[what] += 1
        self.this_run[what] += 1
        self._ledger.put("browser_counts", dict(self.counts))

    def rounds(self) -> int:
        """Rounds stored, all runs together."""
        return self._ledger.totals().images

    def unfinished_games(self) -> list[str]:
        """Games that were begun, are not over and no worker has joined."""
        games = [payload["game"] for _, outcome, payload in self._ledger.outcomes("game") if outcome is None]
        return [game for game in games if game not in self.joined]

    def claim_game(self, game: str) -> bool:
        """Join a game, which no other worker can do then; False if one has, or if it was played already."""
        if game in self.joined:
            self.count("duplicate games")
            return False
        with self._ledger.writing():
            self._ledger.add([NewTask("game", self._key(game), {"game": game})])
        found = self._ledger.find(self._key(game))
        if found is not None and found[1] is not None:
            self.count("duplicate games")
            return False
        self.joined.add(game)
        return True

    def leave_game(self, game: str) -> None:
        """Leave a game that is not over: it may be joined again."""
        self.joined.discard(game)

    def end_game(self, game: str, outcome: Outcome) -> None:
        """A game is over, or can't go on."""
        self._finish(self._key(game), outcome)
        self.joined.discard(game)

    def has_ended(self, game: str, number: str) -> bool:
        """Has a round come to its end already, whatever came of it?"""
        found = self._ledger.find(self._key(game, number))
        return found is not None and found[1] is not None

    def has_picture(self, game: str, number: str) -> bool:
        """Is the picture of a round kept, whose true place is not known yet?"""
        return self._inbox.has(self._key(game, number))

    def keep_picture(self, game: str, number: str, picture: bytes | None) -> bool:
        """Keep a round's picture before the guess; False if the same picture is held of another round."""
        key = self._key(game, number)
        hashed = None if picture is None else digest(picture)
        known = self._ledger.find(key)
        if known is not None and known[0].payload.get("picture") == hashed:
            twice = False  # taken once more after a restart
        else:
            twice = hashed in self._pictures
        if picture is not None and not twice:
            self._inbox.check_room()
            self._inbox.write(key, picture)
            self._pictures.add(hashed)
        payload = {"game": game, "round": number, "picture": hashed}
        with self._ledger.writing():
            if not self._ledger.add([NewTask("round", key, payload)]) and known is not None:
                self._ledger.finish(known[0], Outcome("", again=payload))
        return not twice

    def keep_round(
        self, game: str, number: str, record: dict[str, Any], notes: dict[str, Any], notes_in: Path
    ) -> None:
        """Write down a round whose picture is kept, now that its true place is known."""
        name = f"{quote(game, safe='')}@{quote(number, safe='')}"
        text = json.dumps({"game": game, "round": number, **record, **notes}, indent=2, ensure_ascii=False)
        write_atomic(notes_in / f"{name}.json", text.encode())
        if self._ledger.find(self._key(game, number)) is None:  # killed before it was written down
            with self._ledger.writing():
                payload = {"game": game, "round": number}
                self._ledger.add([NewTask("round", self._key(game, number), payload)])
        self._finish(self._key(game, number), Outcome("hit", record=record))
        self.count("rounds")

    def drop_round(self, game: str, number: str, outcome: str, detail: str) -> None:
        """Write down a round that gives no record: "duplicate" or "miss"."""
        key = self._key(game, number)
        self._inbox.remove([key])
        with self._ledger.writing():
            self._ledger.add([NewTask("round", key, {"game": game, "round": number})])
        self._finish(key, Outcome(outcome, detail=detail))

    def _finish(self, key: str, outcome: Outcome) -> None:
        found = self._ledger.find(key)
        if found is not None:
            with self._ledger.writing():
                self._ledger.finish(found[0], outcome)

    def _key(self, game: str, number: str | None = None) -> str:
        return f"game/{game}" if number is None else f"round/{quote(game, safe='')}/{quote(number, safe='')}"
