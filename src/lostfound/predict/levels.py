"""From coarse to fine: continents, countries, regions and cities, as probable as their cells together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lostfound.geo.continents import CONTINENTS, continent
from lostfound.geo.countries import country_name
from lostfound.geo.sphere import chord, unit_vectors
from lostfound.partitions import Partition
from lostfound.predict.belief import Belief
from lostfound.predict.support import Support

Level = Literal["continents", "countries", "regions", "cities"]
LEVELS: tuple[Level, ...] = get_args(Level)
WITHIN = 0.8
"""A cell lies in one region or city if so much of its support does."""
CITY_KM = 30.0
"""A point lies in the largest city within this distance, of those of 15 000 people and more."""


@dataclass(frozen=True)
class Area:
    """A continent, country, region or city that a photo may be from.

    Attributes:
        area_id: Its code: of continents GeoNames', of countries ISO 3166-1 alpha-2, else the partition's.
        name: Its name.
        probability: The sum of its cells', 0 to 1.

    Examples:
        >>> import lostfound
        >>> guess = lostfound.load().locate("photo.jpg")
        >>> guess.areas["countries"][0].area_id == guess.country
        True
    """

    area_id: str
    name: str
    probability: float


@dataclass(frozen=True)
class Members:
    """How much of each cell lies in each of some areas; most cells lie in one or few.

    Attributes:
        cells: The cell of each pair of a cell and an area that overlap, (pairs,), in order.
        areas: The area of each pair, (pairs,), in order within a cell.
        weights: How much of the cell lies in the area, (pairs,), 0 to 1.
        shape: How many cells and areas there are.
    """

    cells: NDArray[np.int64]
    areas: NDArray[np.int64]
    weights: NDArray[np.float64]
    shape: tuple[int, int]

    @classmethod
    def of(
        cls,
        cells: NDArray[np.int64],
        areas: NDArray[np.int64],
        weights: NDArray[np.float64],
        shape: tuple[int, int],
    ) -> Members:
        """Add up what weights of points there are of each pair of a cell and an area."""
        pairs, index = np.unique(cells * shape[1] + areas, return_inverse=True)
        summed = np.bincount(index, weights=weights, minlength=len(pairs))
        width = max(shape[1], 1)
        return cls(pairs // width, pairs % width, np.asarray(summed, dtype=np.float64), shape)

    def sums(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probabilities of the areas, (n, areas), by those of the cells, (n, cells)."""
        parts = probabilities[:, self.cells] * self.weights
        return np.array(
            [np.bincount(self.areas, weights=row, minlength=self.shape[1]) for row in parts]
        ).reshape(len(parts), self.shape[1])

    def shares(self) -> NDArray[np.float64]:
        """How much of each cell lies in each area, (cells, areas)."""
        whole = np.zeros(self.shape)
        whole[self.cells, self.areas] = self.weights
        return whole

    def largest(self) -> NDArray[np.float64]:
        """How much of each cell lies in the area that holds most of it, (cells,); 0 where none holds any."""
        most = np.zeros(self.shape[0])
        np.maximum.at(most, self.cells, self.weights)
        return most


@dataclass(frozen=True)
class Levels:
    """The areas that a partition's cells lie in.

    Attributes:
        ids: The areas of each level that the cells allow.
        names: Their names.
        members: How much of each cell lies in each area.
    """

    ids: Mapping[Level, NDArray[np.object_]]
    names: Mapping[Level, Sequence[str]]
    members: Mapping[Level, Members]

    @classmethod
    def of(cls, partition: Partition, support: Support | None) -> Levels:
        """Find the areas of a partition.

        A cell with a country lies in it; one without lies in the countries of the points that stand for it.
        Regions and cities are those of partitions into regions and cities; of other cells than countries
        those of the points that stand for them, if half of the cells lie in one each (see `WITHIN`).

        Args:
            partition: The cells.
            support: Where in them photos are.
        """
        fine = support is not None and partition.kind not in ("countries", "regions", "cities")
        support = support or Support.of(partition)
        stated = np.array(partition.countries, dtype=object)[support.cells]
        countries = _countries(support.points, stated)
        areas: dict[Level, NDArray[np.object_]] = {
            "continents": np.array([continent(code) for code in countries], dtype=object),
            "countries": countries,
        }
        names: dict[Level, Mapping[str, str]] = {"continents": CONTINENTS}
        for kind in ("regions", "cities"):
            if partition.kind == kind:
                areas[kind] = np.array(partition.cell_ids, dtype=object)[support.cells]
                names[kind] = dict(zip(partition.cell_ids, partition.names, strict=True))
        if fine:
            areas["regions"], names["regions"] = _regions(support.points)
            areas["cities"], names["cities"] = _cities(support.points)
        ids, members = {}, {}
        for level, of in areas.items():
            known = np.array([each is not None for each in of], dtype=bool)
            found, area = np.unique(of[known].astype(str), return_inverse=True)
            shape = (len(partition), len(found))
            own = Members.of(support.cells[known], area, support.weights[known], shape)
            if not fine or level in ("continents", "countries") or _mostly_within_one(own):
                ids[level], members[level] = found, own
        return cls(
            ids,
            {
                level: [names[level][each] if level in names else country_name(each) for each in ids[level]]
                for level in ids
            },
            members,
        )

    def probabilities(self, belief: Belief, level: Level) -> NDArray[np.float64]:
        """The probabilities of a level's areas, (n, areas)."""
        found = self.members[level].sums(belief.probabilities)
        return np.minimum(found, 1.0)  # rounding may make a sum more than all

    def best_countries(self, belief: Belief) -> NDArray[np.object_]:
        """The country that is most probable by the sum of its cells, (n,)."""
        best = np.argmax(self.probabilities(belief, "countries"), axis=1)
        return np.asarray(self.ids["countries"].astype(object)[best])

    def ranked(self, belief: Belief, top: int) -> list[dict[Level, tuple[Area, ...]]]:
        """The most probable areas of each level, for each of n samples."""
        found: list[dict[Level, tuple[Area, ...]]] = [{} for _ in range(len(belief))]
        for level, ids in self.ids.items():
            probabilities = self.probabilities(belief, level)
            order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
            for row, areas in enumerate(order):
                found[row][level] = tuple(
                    Area(str(ids[each]), self.names[level][each], float(probabilities[row, each]))
                    for each in areas
                )
        return found


def _countries(points: NDArray[np.float64], stated: NDArray[np.object_]) -> NDArray[np.object_]:
    """The countries of points (n, 2): as stated, (n,), or where nothing is, by the borders."""
    if all(code is not None for code in stated):
        return stated  # the borders take longer to load than a photo takes to locate
    from lostfound.geo.boundaries import label_countries

    return label_countries(points, stated)


def _mostly_within_one(members: Members) -> bool:
    """Whether half of the cells lie, by `WITHIN`, in one area each."""
    return members.shape[1] > 0 and bool(np.mean(members.largest() >= WITHIN) >= 0.5)


def _regions(points: NDArray[np.float64]) -> tuple[NDArray[np.object_], Mapping[str, str]]:
    """The regions of points (n, 2), by the nearest populated place, and their names by id."""
    from lostfound.geo.regions import Regions  # large tables, that cells as large as countries don't need

    regions = Regions.nearest_place()
    return regions.region_at(points), dict(zip(regions.ids, regions.names, strict=True))


def _cities(points: NDArray[np.float64]) -> tuple[NDArray[np.object_], Mapping[str, str]]:
    """The largest city near each of points (n, 2), or None, and their names by id: country, region and name.

    Not the nearest, for large cities' districts are in the table too.
    """
    from scipy.spatial import cKDTree

    from lostfound.geo.cities import city_table

    table = city_table().sort_by([("population", "descending")])
    places = np.column_stack([table["latitude"].to_numpy(), table["longitude"].to_numpy()])
    near = cKDTree(unit_vectors(places)).query_ball_point(unit_vectors(points), chord(CITY_KM))
    countries, regions, names = (table[name].to_pylist() for name in ("country", "admin1", "name"))
    largest = [min(rows, default=None) for rows in near]
    ids = [None if row is None else f"{countries[row]}.{regions[row]}/{names[row]}" for row in largest]
    return np.array(ids, dtype=object), {each: each.partition("/")[2] for each in ids if each is not None}
