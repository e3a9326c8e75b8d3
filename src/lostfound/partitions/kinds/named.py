"""Cells that have names of their own: countries and regions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray

from lostfound.errors import DatasetError
from lostfound.geo import regions
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.countries import country_name
from lostfound.geo.nearest import NearestSearch
from lostfound.geo.shapes import read_features
from lostfound.partitions.base import OUTSIDE, Find, Partition, TrainingPlaces
from lostfound.partitions.build import CandidateCells, build_cells

if TYPE_CHECKING:
    from lostfound.partitions.settings import CountriesSettings, RegionsSettings


def build_countries(training: TrainingPlaces, settings: CountriesSettings) -> Partition:
    """One cell for each country that has training images, by their labels."""
    codes = sorted({code for code in training.countries if code is not None})
    numbers = _numbered(training.countries, codes)

    def shapes(kept: NDArray[np.intp]) -> NDArray[np.object_]:
        return country_shapes([codes[row] for row in kept])

    names = [country_name(code) for code in codes]
    return build_cells(
        "countries", training, CandidateCells(codes, numbers, shapes, names, codes), settings, {}
    )


def country_shapes(codes: Sequence[str]) -> NDArray[np.object_]:
    """The shapes of countries, (n,); None for one without."""
    boundaries = Boundaries.packed()
    drawn = np.full(len(codes), None, dtype=object)
    for place, code in enumerate(codes):
        if code in boundaries.codes:
            drawn[place] = boundaries.geometry(code)
    return drawn


def country_finder(partition: Partition) -> Find:
    """Search by exact polygons, the nearest one off a coast."""
    boundaries = Boundaries.packed()
    number = _renumbering(boundaries.codes, partition.cell_ids)
    return lambda places: number[boundaries.index_at(places)]


def build_regions(training: TrainingPlaces, settings: RegionsSettings) -> Partition:
    """One cell for each admin-1 region that has training images.

    Raises:
        DatasetError: The file of label points is missing or another.
    """
    if settings.file is None:
        source, rule = regions.Regions.nearest_place(), {}
    else:
        source = regions.Regions.natural_earth(Path(settings.file))
        rule = _labels(Path(settings.file))
    numbers = np.full(len(training.places), OUTSIDE, dtype=np.int64)
    numbers[training.known] = source.index_at(training.located)
    # Names of regions repeat, also within a country.
    names = [
        name if country is None else f"{name}, {country_name(country)}"
        for name, country in zip(source.names, source.countries, strict=True)
    ]
    candidates = CandidateCells(source.ids, numbers, None, names, source.countries, source.countries)
    return build_cells("regions", training, candidates, settings, rule)


def region_finder(partition: Partition) -> Find:
    """Search by the nearest populated place, or the nearest label point."""
    if not partition.rule:
        source = regions.Regions.nearest_place()
        number = _renumbering(source.ids, partition.cell_ids)
        return lambda places: number[source.index_at(places)]
    labels = NearestSearch(np.array(partition.rule["labels"]))
    number = _renumbering(partition.rule["regions"], partition.cell_ids)
    return lambda places: number[labels.rows(places)]


def _labels(path: Path) -> dict[str, list[object]]:
    """Natural Earth's label points, so that the partition needs its file no more."""
    properties, geometries = read_features(path)
    if any(geometry.geom_type != "Point" for geometry in geometries):
        raise DatasetError(
            f"{path} holds no label points: regions by polygon are a partition of the kind polygons"
        )
    return {
        "labels": shapely.get_coordinates(geometries)[:, ::-1].tolist(),
        "regions": [str(own["adm1_code"]) for own in properties],
    }


def _renumbering(known: Sequence[str], cell_ids: Sequence[str]) -> NDArray[np.int64]:
    """From numbers of known ids, -1 for none, to numbers of cells."""
    number = {cell_id: index for index, cell_id in enumerate(cell_ids)}
    return np.array([*(number.get(each, OUTSIDE) for each in known), OUTSIDE], dtype=np.int64)


def _numbered(labels: NDArray[np.object_], ids: Sequence[str]) -> NDArray[np.int64]:
    number = {label: index for index, label in enumerate(ids)}
    return np.array([number.get(label, OUTSIDE) for label in labels], dtype=np.int64)
