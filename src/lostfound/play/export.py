"""A study's guesses as files of predictions, one for each player, which `lostfound evaluate` reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lostfound.errors import DatasetError, UsageError
from lostfound.files import write_atomic
from lostfound.partitions import Partition
from lostfound.play.answers import to_predictions
from lostfound.play.games import PlayerGuess
from lostfound.play.settings import GameSettings
from lostfound.play.store import read_study
from lostfound.predict.cells import read_cells
from lostfound.predict.predictions import Predictions

CELLS = "cells.parquet"
"""The cells of a study of cities, beside its records."""


def keep_cells(folder: Path, partition: Partition | None) -> None:
    """Keep the cells of a study beside its records."""
    if partition is not None and not (folder / CELLS).is_file():
        write_atomic(folder / CELLS, partition.to_parquet())


def study_cells(folder: Path) -> Partition | None:
    """The cells of a study; None if it has none."""
    return read_cells(folder / CELLS) if (folder / CELLS).is_file() else None


def players_predictions(folder: Path, *, without_known: bool = False) -> dict[str, Predictions]:
    """What each player answered in the rounds that count, by pseudonym.

    Args:
        folder: The study's, also while it is being played.
        without_known: Leave out the places that a player knew.

    Raises:
        DatasetError: There is no study, or nothing was answered yet.
    """
    values, guesses = read_study(folder)
    settings, partition = GameSettings.from_dict(values), study_cells(folder)
    by_player: dict[str, list[PlayerGuess]] = {}
    for each in guesses:
        if not each.practice and not (without_known and each.answer.known):
            by_player.setdefault(each.player, []).append(each)
    if not by_player:
        raise DatasetError(f"nobody has answered a round that counts in {folder} yet: export later")
    return {
        player: to_predictions(
            [each.image_id for each in own], [each.answer for each in own], settings.mode, partition
        )
        for player, own in by_player.items()
    }


def export(
    folder: Path, file: Path, players: Sequence[str] = (), *, without_known: bool = False
) -> dict[str, Path]:
    """Write the guesses of players as predictions, Parquet or CSV.

    Args:
        folder: The study's.
        file: Of one player; of several, each has a file with the name added.
        players: Which; all of them if none is named.
        without_known: Leave out the places that a player knew.

    Returns:
        The files, by player.

    Raises:
        UsageError: There is no such player.
        DatasetError: There is no study, or nothing was answered yet.
    """
    found = players_predictions(folder, without_known=without_known)
    unknown = [each for each in players if each not in found]
    if unknown:
        raise UsageError(f"no player {unknown[0]!r} has answered: choose of {', '.join(sorted(found))}")
    chosen = {name: found[name] for name in players} or found
    names = dict.fromkeys(chosen, file) if len(chosen) == 1 else _file_names(file, list(chosen))
    return {name: predictions.save(names[name]) for name, predictions in chosen.items()}


def _file_names(file: Path, players: Sequence[str]) -> dict[str, Path]:
    """A file for each player, unlike the others' also where a disk tells no case apart."""
    names: dict[str, Path] = {}
    taken: set[str] = set()
    for player in players:
        plain = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in player)
        name, count = f"{file.stem}-{plain}", 1
        while name.casefold() in taken:
            count += 1
            name = f"{file.stem}-{plain}-{count}"
        taken.add(name.casefold())
        names[player] = file.with_name(name + file.suffix)
    return names
