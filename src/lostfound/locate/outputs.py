"""Guesses as files: JSON, CSV, GeoJSON, and the map page."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lostfound.data.images import open_image, shrink
from lostfound.data.jpeg import encode_jpeg
from lostfound.locate.guess import Guess
from lostfound.locate.page import Candidate, MapEntry, write_map

THUMBNAIL_SIDE = 240
NOTE = "estimates from pixels alone, not measurements"


@dataclass(frozen=True)
class Located:
    """One photo and what came of it: a guess, or the error that stopped it."""

    photo: str
    guess: Guess | None
    error: str | None = None
    truth: tuple[float, float] | None = None  # known (latitude, longitude), if any
    truth_name: str | None = None


def to_json(results: Sequence[Located]) -> str:
    """An object with the photos' guesses and those that could not be read."""
    photos = [_row(each) for each in results]
    return json.dumps({"note": NOTE, "photos": photos}, indent=2, ensure_ascii=False) + "\n"


def _row(each: Located) -> dict[str, Any]:
    if each.guess is None:
        return {"photo": _text(each.photo), "error": _text(each.error or "")}
    return {"photo": _text(each.photo), **each.guess.as_dict()}


def _text(name: str) -> str:
    """A name that can be written; a file's name may hold bytes that are no UTF-8."""
    return name.encode(errors="replace").decode()


def to_csv(results: Sequence[Located]) -> str:
    """One row a photo: the best coordinate, then the candidates; an error in the last column."""
    top = max((len(each.guess.candidates) for each in results if each.guess), default=0)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    ranks = [f"{name}_{rank}" for rank in range(1, top + 1) for name in ("candidate", "probability")]
    writer.writerow(["photo", "latitude", "longitude", "country", "probability", *ranks, "error"])
    for each in results:
        if each.guess is None:
            writer.writerow([_text(each.photo), *[""] * (4 + 2 * top), _text(each.error or "")])
            continue
        guess = each.guess
        cells = [value for one in guess.candidates for value in (one.name, _probability(one.probability))]
        best = [
            f"{guess.latitude:.6f}",
            f"{guess.longitude:.6f}",
            guess.country,
            _probability(guess.probability),
        ]
        writer.writerow([_text(each.photo), *best, *cells, *[""] * (2 * top - len(cells)), ""])
    return text.getvalue()


def _probability(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def to_geojson(results: Sequence[Located]) -> str:
    """A FeatureCollection (RFC 7946: longitude first) of the photos that were located."""
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [each.guess.longitude, each.guess.latitude]},
            "properties": {"photo": _text(each.photo), "estimate": NOTE, **each.guess.as_dict()},
        }
        for each in results
        if each.guess is not None
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False) + "\n"


def write_page(
    results: Sequence[Located], path: Path, *, title: str = "Located photos", note: str = ""
) -> Path:
    """Write the photos that were located as a map page that opens offline.

    Raises:
        LostFoundError: The file can't be written.
    """
    folders = [str(Path(each.photo).absolute().parent) for each in results]
    common = os.path.commonpath(folders) if folders else ""
    entries = [
        MapEntry(
            _text(os.path.relpath(each.photo, common)),
            each.guess.latitude,
            each.guess.longitude,
            [Candidate(one.name, one.probability, one.country) for one in each.guess.candidates],
            _thumbnail(Path(each.photo)),
            each.truth,
            each.truth_name,
        )
        for each in results
        if each.guess is not None
    ]
    failed = len(results) - len(entries)
    if failed:
        note = f"{note} {failed} photo(s) could not be read.".strip()
    return write_map(path, entries, title=title, note=note)


def _thumbnail(photo: Path) -> bytes:
    side = THUMBNAIL_SIDE
    return encode_jpeg(shrink(open_image(photo, at_least=side), side), quality=80)
