"""What is known of an image's place besides its coordinates: country, region and city."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lostfound.data.preparing.corrections import Corrections, correct
from lostfound.data.records import coordinates, set_column, strings
from lostfound.data.tables import resolve_countries
from lostfound.geo.boundaries import label_countries
from lostfound.geo.countries import country_codes, country_name
from lostfound.geo.regions import Regions, nearest_places

CITY_WITHIN_KM = 25.0
"""A photo farther from the nearest populated place is in no city."""

CountryRule = Literal["keep", "fill", "replace"]


@dataclass(frozen=True)
class Enriched:
    """How many images got what.

    Attributes:
        corrected: Images that the lookup table names.
        moved: Those of them that it gives coordinates.
        unused: Ids of the lookup table that no image has.
        country: Images whose country was read from their coordinates.
        named: Images whose country was a name and is now a code.
        region: Images whose region was found.
        city: Images whose city was found.
    """

    corrected: int = 0
    moved: int = 0
    unused: int = 0
    country: int = 0
    named: int = 0
    region: int = 0
    city: int = 0


def enrich(
    records: pa.Table,
    *,
    corrections: Corrections | None = None,
    country: CountryRule = "fill",
    regions: Regions | None = None,
    city: bool = False,
) -> tuple[pa.Table, Enriched]:
    """Correct image records and fill in what their coordinates say.

    Args:
        records: Image records.
        corrections: A lookup table of what was collected wrongly (see `correct`).
        country: The country at the coordinates: "fill" takes it where none is known, "replace" also where
            one was stated, "keep" never.
        regions: Where regions come from; None leaves them. A region is called "name, country (id)", since
            names repeat, also within a country (Lost & Found).
        city: Name the nearest populated place within `CITY_WITHIN_KM`.

    Raises:
        CountryNameError: Records whose country is a name that can't be told.
        UsageError: The corrections name none of the images.
    """
    found: dict[str, int] = {}
    records, found["named"] = name_countries(records)
    if corrections is not None:
        done = correct(records, corrections)
        records = done.records
        found |= {"corrected": done.named, "moved": int(done.moved.sum()), "unused": done.unused}
    points = coordinates(records)
    located: NDArray[np.bool_] = np.asarray(np.isfinite(points).all(axis=1))
    if country != "keep":
        stated = strings(records, "country") if country == "fill" else None
        labels = label_countries(points, stated)
        records, found["country"] = _fill(records, "country", located, labels[located])
    if regions is not None:
        wanted = located & _missing(strings(records, "region"))
        number = regions.index_at(points[wanted])
        names = np.array([*_region_names(regions), None], dtype=object)
        records, found["region"] = _fill(records, "region", wanted, names[number])
    if city:
        wanted = located & _missing(strings(records, "city"))
        nearest = nearest_places(points[wanted])
        names = nearest.names.copy()
        names[nearest.distance_km > CITY_WITHIN_KM] = None
        records, found["city"] = _fill(records, "city", wanted, names)
    return records, Enriched(**found)


def name_countries(records: pa.Table) -> tuple[pa.Table, int]:
    """Turn countries' names into codes, exact names and then similar ones (`find_country`).

    Returns:
        The records, and how many of them bore a name.

    Raises:
        CountryNameError: Names that can't be told; the message lists all of them with their candidates.
    """
    old = strings(records, "country")
    names = set(old) - {None} - set(country_codes())
    if not names:
        return records, 0
    codes = resolve_countries(names, "the records' country")
    new = np.array([codes.get(each, each) for each in old], dtype=object)
    return set_column(records, "country", new), sum(each in codes for each in old)


def _missing(values: NDArray[np.object_]) -> NDArray[np.bool_]:
    return np.array([value is None for value in values], dtype=np.bool_)


def _fill(
    records: pa.Table, name: str, wanted: NDArray[np.bool_], values: NDArray[np.object_]
) -> tuple[pa.Table, int]:
    """Put values, where there are any, into the wanted rows of a column; counts those that changed."""
    old = strings(records, name)
    new = old.copy()
    new[wanted] = np.where(_missing(values), new[wanted], values)
    return set_column(records, name, new), int((new != old).sum())


def _region_names(regions: Regions) -> list[str]:
    return [
        f"{name} ({id_})" if code is None else f"{name}, {country_name(code)} ({id_})"
        for id_, name, code in zip(regions.ids, regions.names, regions.countries, strict=True)
    ]
