"""Thinning: cameras take a picture every few metres, and neighbours teach a model nothing new."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lostfound.collect.ledger import Ledger
from lostfound.geo.sphere import haversine_km


class Thinning:
    """Says which images of a sequence are kept, those of earlier searches counted in."""

    def __init__(self, ledger: Ledger, spacing_m: float, per_sequence: int | None) -> None:
        self._ledger = ledger
        self._spacing_km = spacing_m / 1000
        self._per_sequence = per_sequence
        self._kept: dict[str, list[tuple[float, float]]] = {}

    def keeps(self, image: Mapping[str, Any]) -> bool:
        """Is an image far enough from all that are kept of its sequence, and are they few enough?"""
        sequence = image["sequence"]
        if sequence not in self._kept:
            earlier = self._ledger.payloads("image", sequence)
            self._kept[sequence] = [(each["latitude"], each["longitude"]) for each in earlier]
        kept = self._kept[sequence]
        if self._per_sequence is not None and len(kept) >= self._per_sequence:
            return False
        place = (image["latitude"], image["longitude"])
        if kept and float(haversine_km(kept, place).min()) < self._spacing_km:
            return False
        kept.append(place)
        return True
