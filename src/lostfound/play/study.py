"""A study that is being played: who is where in the game, and what a player may be told."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lostfound.errors import UsageError
from lostfound.evaluation.metrics import METRICS
from lostfound.play.answers import Answer, check_answer, label
from lostfound.play.games import Game, PlayerGuess, Round
from lostfound.play.opponents import Opponent
from lostfound.play.places import Places
from lostfound.play.results import SCORED, as_values, end_of_game, judge, people_score
from lostfound.play.settings import CLUES, MOST_COUNTRIES, ShowTruth
from lostfound.play.store import NameTakenError, Store

GRACE_S = 3.0
"""So much later than the timer an answer may come: it was on its way."""
LONGEST_NAME = 40


class PlayStudy:
    """All that a server of the game answers with.

    Attributes:
        places: What is asked.
        store: What was answered.
        opponent: The model that plays too, if one does.
        join: The address that other devices reach, if they do.
    """

    def __init__(self, places: Places, store: Store, opponent: Opponent | None, join: str | None) -> None:
        self.places, self.store, self.opponent, self.join = places, store, opponent, join
        self._scores: dict[str, float] = {}

    def about(self) -> dict[str, Any]:
        """What the page must know to begin."""
        settings, partition = self.places.settings, self.places.partition
        ids, names = ((), ()) if partition is None else (partition.cell_ids, partition.names)
        cells = sorted(zip(ids, names, strict=True), key=lambda each: each[1].casefold())
        return {
            "mode": settings.mode.value,
            "rounds": settings.rounds,
            "practice": settings.practice,
            "views": settings.views,
            "pixels": settings.pixels,
            "timer_s": settings.timer_s,
            "always": settings.show_truth is ShowTruth.always,
            "most": MOST_COUNTRIES,
            "clues": CLUES,
            "cells": [{"id": id_, "name": name} for id_, name in cells],
            "model": None if self.opponent is None else self.opponent.name,
            "join": self.join,
        }

    def begin(self, key: str, name: str | None) -> Game:
        """Begin a player's first game.

        Args:
            key: The game's id, drawn by the player's browser.
            name: The pseudonym; None or blank gives one.

        Raises:
            UsageError: The name is too long.
            NameTakenError: Another player is called so.
        """
        name = " ".join((name or "").split())
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise UsageError(f"a name has {LONGEST_NAME} letters at most, and nothing that can't be seen")
        return self.store.begin(key, name or None, self.places.rounds)

    def again(self, game: Game) -> Game:
        """The player's next game, begun if it was not.

        Raises:
            UsageError: This one is not over, or the player has had all places.
        """
        if self.current(game) is not None:
            raise UsageError("finish this game first")
        self.places.rounds(game.player, game.number + 1)  # are there places left?
        try:
            return self.store.begin(secrets.token_hex(12), game.player, self.places.rounds, game.number + 1)
        except NameTakenError:
            last = self.store.last_game(game.player)
            assert last is not None
            return last

    def current(self, game: Game) -> Round | None:
        """The round that is to be answered; None once the game is over."""
        done = {each.round for each in self.store.guesses(game.id)}
        return next((each for each in self.store.rounds(game.id) if each.number not in done), None)

    def state(self, game: Game) -> dict[str, Any]:
        """Where a game is; the time of a round runs from here on."""
        settings, current = self.places.settings, self.current(game)
        about = {"player": game.player, "over": current is None}
        if current is None:
            return about
        seconds = self.store.show(game.id, current.number)
        offset = 0 if current.practice else settings.practice
        timer = settings.timer_s
        return {
            **about,
            "round": {
                "number": current.number,
                "practice": current.practice,
                "count": current.number - offset,
                "of": settings.practice if current.practice else settings.rounds,
                "views": len(self.places.views(current.image_id)),
                "left_s": None if timer is None else max(0.0, timer - seconds),
            },
        }

    def picture(self, game: Game, number: int, view: int) -> tuple[bytes, str]:
        """A picture of a round that has come.

        Raises:
            IndexError: There is none, or it has not come yet.
        """
        current = self.current(game)
        rounds = self.store.rounds(game.id)
        if not 1 <= number <= len(rounds) or view < 0 or (current and number > current.number):
            raise IndexError(number)
        return self.places.picture(rounds[number - 1].image_id, view)

    def guess(self, game: Game, number: int, answer: Answer) -> dict[str, Any]:
        """Keep an answer, and tell what may be told; the same again for a round that has one.

        Raises:
            UsageError: It is no answer, or the round has not come yet.
        """
        settings, partition = self.places.settings, self.places.partition
        rounds, current = self.store.rounds(game.id), self.current(game)
        if not 1 <= number <= len(rounds) or (current is not None and number > current.number):
            raise UsageError(f"round {number} has not come yet: load the page again")
        round_ = rounds[number - 1]
        answer = check_answer(answer, settings.mode, () if partition is None else partition.cell_ids)
        timer = settings.timer_s
        if timer is not None and self.store.show(game.id, number) > timer + GRACE_S:
            answer = replace(answer, ranked=(), point=None, skipped=True, late=True)
        pixels = None if settings.pixels is None else "{}x{}".format(*settings.pixels)
        kept, _ = self.store.guess(game, round_, answer, mode=settings.mode.value, pixels=pixels)
        shows = round_.practice or settings.show_truth is ShowTruth.always
        return {
            "other": label(kept.answer, partition) if kept.answer != answer else None,
            "over": self.current(game) is None,
            "truth": self._truth(kept) if shows else None,
        }

    def results(self, game: Game) -> dict[str, Any]:
        """What the last page tells.

        Raises:
            UsageError: The game is not over.
        """
        if self.current(game) is not None:
            raise UsageError("the game is not over yet")
        found = end_of_game(self.places, self._scored(game), self.opponent)
        return {
            **found,
            "player": game.player,
            "mode": self.places.settings.mode.value,
            "again": game.number + 1 < self.places.games,
            "leaders": self._leaders(game) if self.places.settings.leaderboard else None,
        }

    def _truth(self, guess: PlayerGuess) -> dict[str, Any]:
        truth = self.places.truth(guess.image_id)
        return {
            "name": truth.name,
            "point": truth.point,
            "exact": truth.exact,
            "own": as_values(judge(self.places, guess.image_id, guess.answer)),
        }

    def _scored(self, game: Game) -> Sequence[PlayerGuess]:
        return [each for each in self.store.guesses(game.id) if not each.practice]

    def _leaders(self, own: Game) -> list[dict[str, Any]]:
        """All players' first games that are over, the best first."""
        metric = SCORED[self.places.settings.mode][0]
        for game in self.store.games():
            if game.id not in self._scores and game.number == 0 and self.current(game) is None:
                metrics = people_score(self.places, self._scored(game), game.player).metrics
                self._scores[game.id] = metrics[metric].value if metric in metrics else 0.0
        rows = [
            {
                "player": game.player,
                "value": self._scores[game.id],
                "text": METRICS[metric].text(self._scores[game.id]),
                "own": game.player == own.player,
            }
            for game in self.store.games()
            if game.id in self._scores
        ]
        return sorted(rows, key=lambda row: -float(str(row["value"])))
