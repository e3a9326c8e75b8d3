"""The places that a game asks about: which, in what order, what is shown of them, and where they are."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing, open_image
from lostfound.data.jpeg import encode_jpeg
from lostfound.data.records import SPLITS, strings
from lostfound.errors import DatasetError, UsageError
from lostfound.evaluation.matching import Truth
from lostfound.files import digest
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.countries import country_name
from lostfound.partitions import Partition
from lostfound.play.games import Round
from lostfound.play.settings import MOST_CELLS, GameSettings, Mode

_QUALITY = 92


@dataclass(frozen=True)
class TruePlace:
    """Where a picture was taken.

    Attributes:
        answer: What was to be answered: the country's code or the cell's id; None on the map.
        name: In words: the city that was asked for, else the country, if it is known.
        point: Where it is shown, degrees: its own coordinates, else the middle of its country.
        exact: Whether those are its own.
    """

    answer: str | None
    name: str
    point: tuple[float, float]
    exact: bool


class Places:
    """The places of a data set that can be asked about.

    Attributes:
        dataset: The part of the data set that they are of.
        settings: How the game is played.
        partition: The cells of `cities`; None of the other modes.
    """

    def __init__(self, dataset: Dataset, settings: GameSettings, partition: Partition | None = None) -> None:
        """Find them.

        Raises:
            DatasetError: The data set has no such split, or no image with the label that the mode needs.
            UsageError: They are too few for the rounds, or the mode's cells are missing or too many.
        """
        _check_cells(settings, partition)
        self.partition = partition if settings.mode is Mode.cities else None
        self.dataset, self.settings = _part(dataset, settings.split), settings
        self._truth = Truth(self.dataset.records)
        self._by_place = self._askable()
        if len(self._by_place) < self.each:
            raise UsageError(
                f"{len(self._by_place)} places in the {settings.split} split of {dataset.folder} can be "
                f"asked about, too few for {settings.practice} rounds of practice and {settings.rounds} that "
                "count: give fewer with --rounds and --practice, or --split all"
            )
        order = np.random.default_rng(settings.seed).permutation(len(self._by_place))
        self._order = [self._by_place[index] for index in order]

    @property
    def each(self) -> int:
        """Places of one game."""
        return self.settings.rounds + self.settings.practice

    @property
    def games(self) -> int:
        """How many games a player can play without meeting a place again."""
        return len(self._order) // self.each

    def rounds(self, player: str, number: int) -> list[Round]:
        """The rounds of a player's game: the places are the same for all, their order is the player's own.

        Args:
            player: The pseudonym, in any case.
            number: Which of the player's games it is, from 0.

        Raises:
            UsageError: The player has had all places.
        """
        if number >= self.games:
            raise UsageError("you have had all places of this game")
        block = self._order[number * self.each : (number + 1) * self.each]
        name = int(digest(player.casefold().encode())[:15], 16)
        draw = np.random.default_rng([self.settings.seed, number, name])
        first = self.settings.practice
        parts = (block[:first], block[first:])
        drawn = [part[index] for part in parts for index in draw.permutation(len(part))]
        return [
            Round(count, count <= first, str(self._ids[rows[0]])) for count, rows in enumerate(drawn, start=1)
        ]

    def views(self, image_id: str) -> list[int]:
        """The rows of the pictures that a round shows, by the id of the first."""
        return self._views[image_id]

    def shown(self, image_ids: list[str]) -> Dataset:
        """The images that rounds show, as a data set."""
        rows = [row for image_id in image_ids for row in self._views[image_id]]
        return self.dataset.with_records(self.dataset.records.take(pa.array(rows)))

    def asked(self, image_ids: list[str]) -> Dataset:
        """The images under whose ids rounds are answered, as a data set."""
        rows = [self._views[image_id][0] for image_id in image_ids]
        return self.dataset.with_records(self.dataset.records.take(pa.array(rows)))

    def picture(self, image_id: str, view: int) -> tuple[bytes, str]:
        """A picture as players get it, without name or metadata, and its type.

        Raises:
            IndexError: The place has no such view.
            DatasetError: It can't be read.
        """
        data = self.dataset.read(self._views[image_id][view])
        if self.settings.pixels is None:
            return encode_jpeg(open_image(data), _QUALITY), "image/jpeg"
        width, height = self.settings.pixels
        buffer = io.BytesIO()
        Image.fromarray(Preprocessing(height, width)(data)).save(buffer, "PNG")
        return buffer.getvalue(), "image/png"

    def truth(self, image_id: str) -> TruePlace:
        """Where a round's place is."""
        row = self._views[image_id][0]
        code, point = self._truth.countries[row], self._truth.points[row]
        exact = bool(np.isfinite(point).all())
        middle = point if exact else Boundaries.packed().centroid(code)
        answer, name = code, "" if code is None else country_name(code)
        if self.partition is not None:
            answer = self._truth.cells(self.partition)[row]
            name = self.partition.names[self.partition.numbers[answer]]
        return TruePlace(
            None if self.settings.mode is Mode.map else answer,
            name,
            (float(middle[0]), float(middle[1])),
            exact,
        )

    @cached_property
    def _ids(self) -> NDArray[np.object_]:
        return strings(self.dataset.records, "image_id")

    @cached_property
    def _views(self) -> Mapping[str, list[int]]:
        return {str(self._ids[rows[0]]): rows for rows in self._by_place}

    def _askable(self) -> list[list[int]]:
        """The rows that are shown of each place whose answer is known."""
        truth, mode = self._truth, self.settings.mode
        if mode is Mode.map:
            known, needs = truth.located, "coordinates"
        elif mode is Mode.countries:
            known, needs = np.array([code is not None for code in truth.countries], dtype=bool), "a country"
        else:
            cells = truth.cells(self.partition)
            known, needs = np.array([cell is not None for cell in cells], dtype=bool), "a place in the cities"
        if not known.any():
            raise DatasetError(
                f"no image of the {self.settings.split} split of {self.dataset.folder} has {needs}, which "
                f"--mode {mode.value} asks for: choose another mode, or another data set"
            )
        by_place: dict[str, list[int]] = {}
        for row in np.flatnonzero(known):
            by_place.setdefault(str(truth.places[row]), []).append(int(row))
        draw = np.random.default_rng([self.settings.seed, 1])
        return [
            sorted(draw.permutation(rows)[: self.settings.views].tolist())
            for _, rows in sorted(by_place.items())
        ]


def game_key(places: Places) -> dict[str, Any]:
    """What a study's records belong to: its settings, images and cells."""
    partition = places.partition
    return {
        **places.settings.as_dict(),
        "records_sha256": places.dataset.info["records_sha256"],
        "cells": None if partition is None else list(partition.cell_ids),
    }


def _check_cells(settings: GameSettings, partition: Partition | None) -> None:
    if settings.mode is not Mode.cities:
        return
    if partition is None:
        raise UsageError("--mode cities needs cells to choose from: give --cells, or a --model that has some")
    if len(partition) > MOST_CELLS:
        raise UsageError(
            f"{len(partition)} cells are too many to choose from ({MOST_CELLS} at most): give coarser "
            "--cells, or another --mode"
        )


def _part(dataset: Dataset, split: str) -> Dataset:
    if split not in (*SPLITS, "all"):
        raise UsageError(f"no split {split!r}: choose one of {', '.join(SPLITS)}, all")
    return dataset if split == "all" else dataset.split(split)
