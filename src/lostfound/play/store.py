"""The records of a study: players, their games, and every guess as one row, in SQLite.

A guess is on the disk before the player is told anything of it, and a round has one at most: whatever is sent
twice, from two tabs, or again after the server was killed, is the guess that came first.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

from lostfound.claims import refuse_other_settings
from lostfound.errors import DatasetError, refused_as
from lostfound.play.answers import Answer
from lostfound.play.games import Game, PlayerGuess, Round

DATABASE = "play.sqlite"
FORMAT = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS study (format INTEGER NOT NULL, settings TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS games (
  id TEXT PRIMARY KEY, player TEXT NOT NULL COLLATE NOCASE, number INTEGER NOT NULL, began_at REAL NOT NULL,
  UNIQUE (player, number));
CREATE TABLE IF NOT EXISTS rounds (
  game TEXT NOT NULL REFERENCES games, round INTEGER NOT NULL, practice INTEGER NOT NULL,
  image_id TEXT NOT NULL, shown_at REAL, PRIMARY KEY (game, round), UNIQUE (game, image_id));
CREATE TABLE IF NOT EXISTS guesses (
  game TEXT NOT NULL, round INTEGER NOT NULL, player TEXT NOT NULL, image_id TEXT NOT NULL,
  practice INTEGER NOT NULL, ranked TEXT NOT NULL, latitude REAL, longitude REAL, skipped INTEGER NOT NULL,
  late INTEGER NOT NULL, known INTEGER NOT NULL, clues TEXT NOT NULL, seconds REAL NOT NULL,
  answered_at REAL NOT NULL, mode TEXT NOT NULL, pixels TEXT, lostfound TEXT NOT NULL,
  PRIMARY KEY (game, round), FOREIGN KEY (game, round) REFERENCES rounds);
"""
_GAMES = "SELECT id, player, number FROM games"
_COLUMNS = (
    "SELECT game, round, player, image_id, practice, ranked, latitude, longitude, skipped, late, known, "
    "clues, seconds, answered_at FROM guesses"
)
_ORDER = "ORDER BY answered_at, rowid"


class NameTakenError(Exception):
    """Another player is called so."""


DrawRounds = Callable[[str, int], Sequence[Round]]
"""From a player's pseudonym and the game's number, from 0, to its rounds."""


class Store:
    """The records of one study. Safe to use from several threads."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection, self._lock = connection, Lock()

    @classmethod
    def open(cls, folder: Path, settings: Mapping[str, Any]) -> Store:
        """Open the records of a folder, or begin them.

        Args:
            folder: Where they lie.
            settings: Of the study, plain JSON values.

        Raises:
            UsageError: The folder holds a study with other settings.
            DatasetError: What is there is no study.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / DATABASE
        with refused_as(DatasetError, f"{path} can't be used as a study's records"):
            connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")  # a guess outlives also a power cut
            connection.execute("PRAGMA foreign_keys=ON")
            connection.executescript(_TABLES)
            before = _settings(connection, path)
            if before is None:
                connection.execute("INSERT INTO study VALUES (?, ?)", (FORMAT, json.dumps(settings)))
        if before is not None:
            refuse_other_settings(
                before,
                json.loads(json.dumps(settings)),
                f"the study in {folder}",
                "give the same ones, or another folder with --to",
            )
        return cls(connection)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def begin(self, key: str, player: str | None, rounds: DrawRounds, number: int = 0) -> Game:
        """Begin a game of a player; the one of that key, if it was begun already.

        Args:
            key: The game's id: random, of whoever begins it, so that what is sent twice begins one game.
            player: A pseudonym; None gives one that is free.
            rounds: From the pseudonym and the game's number to its rounds.
            number: Which of the player's games it is, from 0.

        Raises:
            NameTakenError: Another player is called so, or this game was begun already.
        """
        with self._writing() as connection:
            begun = connection.execute(f"{_GAMES} WHERE id = ?", (key,)).fetchone()
            if begun is not None:
                return Game(*begun)
            if player is None:
                player = _free_name(connection)
            game = Game(key, player, number)
            try:
                connection.execute(
                    "INSERT INTO games VALUES (?, ?, ?, ?)", (game.id, player, number, time.time())
                )
            except sqlite3.IntegrityError:
                raise NameTakenError(player) from None
            connection.executemany(
                "INSERT INTO rounds (game, round, practice, image_id) VALUES (?, ?, ?, ?)",
                [(game.id, each.number, each.practice, each.image_id) for each in rounds(player, number)],
            )
        return game

    def game(self, game: str) -> Game | None:
        """A game by its id."""
        rows = self._read(f"{_GAMES} WHERE id = ?", game)
        return Game(*rows[0]) if rows else None

    def last_game(self, player: str) -> Game | None:
        """The latest game of a player."""
        rows = self._read(f"{_GAMES} WHERE player = ? ORDER BY number DESC LIMIT 1", player)
        return Game(*rows[0]) if rows else None

    def games(self) -> list[Game]:
        """All games, in the order in which they began."""
        return [Game(*row) for row in self._read(f"{_GAMES} ORDER BY began_at")]

    def rounds(self, game: str) -> list[Round]:
        """The rounds of a game, in order."""
        rows = self._read("SELECT round, practice, image_id FROM rounds WHERE game = ? ORDER BY round", game)
        return [Round(number, bool(practice), image) for number, practice, image in rows]

    def show(self, game: str, number: int) -> float:
        """Note that a round is shown, if it is for the first time; gives the seconds since then."""
        now = time.time()
        with self._writing() as connection:
            connection.execute(
                "UPDATE rounds SET shown_at = ? WHERE game = ? AND round = ? AND shown_at IS NULL",
                (now, game, number),
            )
            (shown,) = connection.execute(
                "SELECT shown_at FROM rounds WHERE game = ? AND round = ?", (game, number)
            ).fetchone()
        return max(0.0, now - float(shown))

    def guess(
        self, game: Game, round_: Round, answer: Answer, *, mode: str, pixels: str | None
    ) -> tuple[PlayerGuess, bool]:
        """Keep an answer, unless the round has one.

        Returns:
            What the round's answer is, and whether it is this one, kept now.
        """
        seconds, now = self.show(game.id, round_.number), time.time()
        latitude, longitude = answer.point or (None, None)
        with self._writing() as connection:
            done = connection.execute(
                f"INSERT INTO guesses VALUES ({', '.join('?' * 17)}) ON CONFLICT DO NOTHING",  # noqa: S608
                (
                    *(game.id, round_.number, game.player, round_.image_id, round_.practice),
                    *(json.dumps(answer.ranked), latitude, longitude, answer.skipped, answer.late),
                    *(answer.known, json.dumps(answer.clues), seconds, now, mode, pixels),
                    version("lostfound"),
                ),
            )
        (kept,) = self.guesses(game.id, round_.number)
        return kept, done.rowcount == 1

    def guesses(self, game: str | None = None, number: int | None = None) -> list[PlayerGuess]:
        """The guesses of a game, or of one of its rounds, or of all, as they were made."""
        return _guesses(
            self._read(
                f"{_COLUMNS} WHERE (?1 IS NULL OR game = ?1) AND (?2 IS NULL OR round = ?2) {_ORDER}",
                game,
                number,
            )
        )

    def _read(self, query: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


def read_study(folder: Path) -> tuple[dict[str, Any], list[PlayerGuess]]:
    """The settings and all guesses of a study, also while it is being played.

    Raises:
        DatasetError: The folder holds none, or a damaged one.
    """
    path = folder / DATABASE
    if not path.is_file():
        raise DatasetError(f"{folder} holds no study ({DATABASE}): play one with `lostfound play DATASET`")
    with (
        refused_as(DatasetError, f"{path} can't be read as a study's records"),
        closing(sqlite3.connect(path, timeout=30)) as connection,
    ):
        settings = _settings(connection, path)
        if settings is None:
            raise ValueError("it holds no study")
        return settings, _guesses(connection.execute(f"{_COLUMNS} {_ORDER}").fetchall())


def _settings(connection: sqlite3.Connection, path: Path) -> dict[str, Any] | None:
    row = connection.execute("SELECT format, settings FROM study").fetchone()
    if row is None:
        return None
    if row[0] > FORMAT:
        raise DatasetError(f"{path} is of format {row[0]}, newer than this lostfound reads: update")
    settings: dict[str, Any] = json.loads(row[1])
    return settings


def _guesses(rows: Sequence[Any]) -> list[PlayerGuess]:
    found = []
    for row in rows:
        game, number, player, image, practice, ranked, latitude, longitude, *rest = row
        skipped, late, known, clues, seconds, at = rest
        answer = Answer(
            tuple(json.loads(ranked)),
            None if latitude is None else (latitude, longitude),
            bool(skipped),
            bool(known),
            tuple(json.loads(clues)),
            bool(late),
        )
        found.append(PlayerGuess(game, number, player, image, bool(practice), answer, seconds, at))
    return found


def _free_name(connection: sqlite3.Connection) -> str:
    taken = {name.casefold() for (name,) in connection.execute("SELECT player FROM games")}
    return next(f"Player {number}" for number in range(1, len(taken) + 2) if f"player {number}" not in taken)
