"""From coarse to fine: continents, countries, regions and cities, as probable as their cells together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from lostfound.geo.boundaries import label_countries
from lostfound.geo.continents import CONTINENTS, continent
from lostfound.geo.countries import country_name
from lostfound.partitions import Partition
from lostfound.predict.belief import Belief
from lostfound.predict.support import Support

Level = Literal["continents", "countries", "regions", "cities"]
LEVELS: tuple[Level, ...] = get_args(Level)


@dataclass(frozen=True)
class Area:
    """A continent, country, region or city that a photo may be from.

    Attributes:
        area_id: Its code: of continents GeoNames', of countries ISO 3166-1 alpha-2, else the partition's.
        name: Its name.
        probability: The sum of its cells', 0 to 1.
    """

    area_id: str
    name: str
    probability: float


@dataclass(frozen=True)
class Levels:
    """The areas that a partition's cells lie in.

    Attributes:
        ids: The areas of each level that the cells allow.
        names: Their names.
        members: How much of each cell lies in each area, (cells, areas), sparse.
    """

    ids: Mapping[Level, NDArray[np.object_]]
    names: Mapping[Level, Sequence[str]]
    members: Mapping[Level, csr_array]

    @classmethod
    def of(cls, partition: Partition, support: Support | None) -> Levels:
        """Find the areas of a partition.

        A cell with a country lies in it; one without lies in the countries of the points that stand for it.
        Regions and cities are those of partitions into regions and cities.

        Args:
            partition: The cells.
            support: Where in them photos are.
        """
        support = support or Support.of(partition)
        stated = np.array(partition.countries, dtype=object)[support.cells]
        countries = label_countries(support.points, stated)
        areas: dict[Level, NDArray[np.object_]] = {
            "continents": np.array([continent(code) for code in countries], dtype=object),
            "countries": countries,
        }
        names: dict[Level, Mapping[str, str]] = {"continents": CONTINENTS}
        for kind in ("regions", "cities"):
            if partition.kind == kind:
                areas[kind] = np.array(partition.cell_ids, dtype=object)[support.cells]
                names[kind] = dict(zip(partition.cell_ids, partition.names, strict=True))
        ids, members = {}, {}
        for level, of in areas.items():
            known = np.array([each is not None for each in of], dtype=bool)
            ids[level], area = np.unique(of[known].astype(str), return_inverse=True)
            shape = (len(partition), len(ids[level]))
            members[level] = csr_array((support.weights[known], (support.cells[known], area)), shape=shape)
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
        return np.asarray(belief.probabilities @ self.members[level])

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
