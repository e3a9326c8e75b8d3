"""Answers by questions in words, as StreetCLIP's: which country a photo is like, and which of its cities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostfound.predict.features import unit_length
from lostfound.predict.gallery import GalleryDecoder

COUNTRIES = "countries.npy"
"""The embeddings of the countries' prompts, in a model folder."""
_NEVER = -1e4


@dataclass(frozen=True)
class PromptDecoder(GalleryDecoder):
    """Outputs are an embedding; it is compared with prompts of countries, then with those of their cities.

    A city is as probable as its country among all, times itself among its country's: so countries are exactly
    as probable as the first question says.

    Attributes:
        countries: The embeddings of the countries' prompts, of length 1, (countries, width), in the order of
            their codes.
        one_city: Only the city of a country that is most alike may be it, as the original answers; that city
            then has all of its country's probability.
    """

    countries: NDArray[np.floating[Any]] = field(kw_only=True)
    one_city: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if None in self.partition.countries or self.countries.shape != (len(self._codes), self.width):
            raise ValueError(
                f"embeddings of the shape {self.countries.shape} for {len(self._codes)} countries: they are "
                "of other prompts"
            )

    @cached_property
    def _codes(self) -> list[str | None]:
        return sorted(set(self.partition.countries), key=str)

    @cached_property
    def _rows(self) -> NDArray[np.int64]:
        """The country of each city, by its number."""
        number = {code: row for row, code in enumerate(self._codes)}
        return np.array([number[code] for code in self.partition.countries], dtype=np.int64)

    def logits(self, outputs: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """The logarithms of the cities' probabilities, (n, cities)."""
        photos = np.ascontiguousarray(unit_length(outputs), dtype=np.float32)
        countries = photos @ self.countries.astype(np.float32, copy=False).T
        cities = super().logits(outputs)
        order = np.argsort(self._rows, kind="stable")
        starts = np.searchsorted(self._rows[order], np.arange(len(self._codes)))
        most = np.maximum.reduceat(cities[:, order], starts, axis=1)
        if self.one_city:
            within = np.where(cities == most[:, self._rows], 0.0, _NEVER)
        else:
            raised = np.exp(cities - most[:, self._rows])
            sums = np.add.reduceat(raised[:, order], starts, axis=1)
            within = cities - most[:, self._rows] - np.log(sums)[:, self._rows]
        return np.asarray(_log_softmax(self.scale * countries)[:, self._rows] + within)

    @property
    def files(self) -> Mapping[str, NDArray[Any]]:
        """The embeddings of the cities' and the countries' prompts."""
        return {**super().files, COUNTRIES: self.countries}

    def as_dict(self) -> dict[str, Any]:
        """The kind, the scale, and whether one city speaks for its country."""
        return {"kind": "prompts", "scale": self.scale, "one_city": self.one_city}


def _log_softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    values = np.asarray(logits, dtype=np.float64)
    values = values - values.max(axis=1, keepdims=True)
    return np.asarray(values - np.log(np.exp(values).sum(axis=1, keepdims=True)))
