"""Guesses as files: JSON, CSV and GeoJSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from lostfound.geo.sphere import haversine_km
from lostfound.predict.guess import Guess
from lostfound.texts import csv_text, json_text

SCHEMA = "lostfound.located/1"
"""What JSON of located photos is: a new number where a field changes or goes."""
NOTE = "estimates from pixels alone, not measurements"

# What a table says of the answer's place, and how it is written.
_PLACE = {
    "latitude": ".6f",
    "longitude": ".6f",
    "radius_50_km": ".3f",
    "radius_90_km": ".3f",
    "country": "",
    "probability": ".6f",
}


@dataclass(frozen=True)
class LocatedPhoto:
    """One photo and what came of it: a guess, or the error that stopped it.

    Attributes:
        photo: Its name.
        guess: Where it may be.
        error: Why there is no guess.
        truth: The known (latitude, longitude), if any.
        truth_name: What is called so.
        gps: The (latitude, longitude) that the file itself states, if it does (see
            `lostfound.predict.photos.with_gps`).
    """

    photo: str
    guess: Guess | None
    error: str | None = None
    truth: tuple[float, float] | None = None
    truth_name: str | None = None
    gps: tuple[float, float] | None = None

    @property
    def km_from_gps(self) -> float | None:
        """How far the guess is from the position in the file; None without one of them."""
        if self.gps is None or self.guess is None or self.guess.abstained:
            return None
        return float(haversine_km((self.guess.latitude, self.guess.longitude), self.gps))


def to_json(results: Sequence[LocatedPhoto], model: Mapping[str, Any] | None = None) -> str:
    """An object with the photos' guesses and those that could not be read.

    Its fields are promised: of one `schema` they are only added to (docs/command-line.md).

    Args:
        results: The photos.
        model: Who answered: its name, and the hash of its files as far as that is known.
    """
    photos = [row(each) for each in results]
    about = {"schema": SCHEMA, "lostfound": version("lostfound"), "model": model, "note": NOTE}
    return json_text({**about, "photos": photos}) + "\n"


def row(each: LocatedPhoto) -> dict[str, Any]:
    """A photo and what came of it, as plain values."""
    if each.guess is None:
        return {"photo": written_name(each.photo), "error": written_name(each.error or "")}
    return {"photo": written_name(each.photo), **each.guess.as_dict(), **_own_position(each)}


def _own_position(each: LocatedPhoto) -> dict[str, Any]:
    """What the file itself says of its place, where it does."""
    if each.gps is None:
        return {}
    latitude, longitude = each.gps
    return {"gps": {"latitude": latitude, "longitude": longitude, "distance_km": each.km_from_gps}}


def written_name(name: str) -> str:
    """A name that can be written; a file's name may hold bytes that are no UTF-8."""
    return name.encode(errors="replace").decode()


def written_radius(radius_km: float) -> str:
    """A radius as people read it, such as 2,300 km or 940 m: an estimate has no more than two digits."""
    rounded = float(f"{radius_km:.2g}")
    if rounded < 1:
        return f"{1000 * rounded:,.0f} m"
    return f"{rounded:.1f} km" if rounded < 10 else f"{rounded:,.0f} km"


def to_csv(results: Sequence[LocatedPhoto], *, raw: bool = False) -> str:
    """One row a photo: the best coordinate and its radii, then the candidates; an error in the last column.

    A photo of which the model abstained has no coordinate; `warning`, a column that is there if a guess has
    one, says why.

    Args:
        results: The photos.
        raw: Leave names as they are that a spreadsheet would compute (see `lostfound.texts.csv_text`).
    """
    top = max((len(each.guess.candidates) for each in results if each.guess), default=0)
    ranks = [f"{name}_{rank}" for rank in range(1, top + 1) for name in ("candidate", "probability")]
    warned = ["warning"] if any(each.guess and each.guess.warning for each in results) else []
    rows: list[Sequence[object]] = [["photo", *_PLACE, "abstained", *ranks, *warned, "error"]]
    blank = [""] * (len(_PLACE) + 1 + 2 * top + len(warned))
    for each in results:
        if each.guess is None:
            rows.append([written_name(each.photo), *blank, written_name(each.error or "")])
            continue
        guess, values = each.guess, each.guess.as_dict()
        place = [_written(values[name], form) for name, form in _PLACE.items()]
        cells = [value for one in guess.candidates for value in (one.name, _written(one.probability, ".6f"))]
        cells += [""] * (2 * top - len(cells)) + [guess.warning or ""] * len(warned)
        rows.append([written_name(each.photo), *place, str(guess.abstained).lower(), *cells, ""])
    return csv_text(rows, raw=raw)


def _written(value: float | str | None, form: str) -> str:
    return "" if value is None else format(value, form)


def to_geojson(results: Sequence[LocatedPhoto]) -> str:
    """A FeatureCollection (RFC 7946: longitude first) of the photos that were located.

    A photo of which the model abstained has no geometry, as RFC 7946 has it for what is not located.
    """
    features = [
        {
            "type": "Feature",
            "geometry": None
            if each.guess.abstained
            else {"type": "Point", "coordinates": [each.guess.longitude, each.guess.latitude]},
            "properties": {"photo": written_name(each.photo), "estimate": NOTE, **each.guess.as_dict()},
        }
        for each in results
        if each.guess is not None
    ]
    return json_text({"type": "FeatureCollection", "features": features}, indent=None) + "\n"
