"""The images that a recipe trains and validates on, and where they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.records import coordinates, strings
from lostfound.data.sharing.lists import limit
from lostfound.errors import RecipeError
from lostfound.geo.boundaries import label_countries
from lostfound.training.settings import Data


@dataclass(frozen=True)
class LabelledImages:
    """Images, and what is known of where they are.

    Attributes:
        dataset: The images, n of them.
        points: Degrees, (n, 2); NaN where unknown.
        countries: ISO alpha-2, (n,); the label, else the country that holds the point, else None.
        places: The place of each image, (n,).
    """

    dataset: Dataset
    points: NDArray[np.float64]
    countries: NDArray[np.object_]
    places: NDArray[np.object_]

    @classmethod
    def of(cls, dataset: Dataset) -> LabelledImages:
        """Read a data set's records."""
        points = coordinates(dataset.records)
        countries = label_countries(points, strings(dataset.records, "country"))
        return cls(dataset, points, countries, strings(dataset.records, "place_id"))

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def located(self) -> NDArray[np.bool_]:
        """Which have coordinates, (n,)."""
        return np.asarray(np.isfinite(self.points).all(axis=1))

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> LabelledImages:
        """Some of the images, by a mask or by their numbers."""
        numbers = np.flatnonzero(rows) if rows.dtype == bool else rows
        dataset = self.dataset.with_records(self.dataset.records.take(pa.array(numbers)))
        return LabelledImages(dataset, self.points[numbers], self.countries[numbers], self.places[numbers])


def select_images(dataset: Dataset, settings: Data) -> Dataset:
    """The images of any split that a recipe is about: of its countries, and with coordinates if it says so.

    Raises:
        RecipeError: None is left.
    """
    records = dataset.records
    wanted = ~_elsewhere(records, settings) & ~_without_coordinates(records, settings)
    if not wanted.any() and len(dataset):
        why = "; ".join(f"{count} {reason}" for reason, count in left_out(dataset, settings).items())
        raise RecipeError(
            f"none of the {len(dataset)} images of {dataset.folder} is what data.countries and data.located "
            f"ask for ({why}): change them, or use another data set"
        )
    return dataset.with_records(records.filter(pa.array(wanted)))


def left_out(dataset: Dataset, settings: Data) -> dict[str, int]:
    """Why images of a data set are none of a recipe's, in words, and how many for each reason; each once."""
    records = dataset.records
    elsewhere, nowhere = _elsewhere(records, settings), _without_coordinates(records, settings)
    no_country = np.asarray(pc.is_null(records["country"]).to_numpy(zero_copy_only=False), dtype=bool)
    no_place = np.asarray(~_located(records))
    reasons = {
        "have no country, and have no coordinates to tell it by": elsewhere & no_country & no_place,
        "have no country": elsewhere & no_country & ~no_place,
        "are in other countries than data.countries": elsewhere & ~no_country,
        "have no coordinates, which data.located asks for": nowhere & ~elsewhere,
    }
    return {reason: int(rows.sum()) for reason, rows in reasons.items() if rows.any()}


def _elsewhere(records: pa.Table, settings: Data) -> NDArray[np.bool_]:
    """Which records are in none of the recipe's countries, (n,)."""
    if settings.countries is None:
        return np.zeros(records.num_rows, dtype=bool)
    there = pc.is_in(records["country"], pa.array(settings.countries, pa.string()))
    return np.asarray(~there.to_numpy(zero_copy_only=False).astype(bool))


def _without_coordinates(records: pa.Table, settings: Data) -> NDArray[np.bool_]:
    """Which records lack the coordinates that the recipe asks for, (n,)."""
    return np.asarray(~_located(records)) if settings.located else np.zeros(records.num_rows, dtype=bool)


def _located(records: pa.Table) -> NDArray[np.bool_]:
    known = pc.and_(pc.is_valid(records["latitude"]), pc.is_valid(records["longitude"]))
    return np.asarray(known.to_numpy(zero_copy_only=False), dtype=bool)


def training_images(settings: Data, dataset: Dataset) -> tuple[LabelledImages, LabelledImages]:
    """The training and validation images that a recipe asks for.

    Raises:
        RecipeError: There is nothing to train on, or to validate on.
    """
    dataset = select_images(dataset, settings)
    train, val = dataset.split("train"), dataset.split("val")
    if not len(train) or not len(val):
        raise RecipeError(
            f"{dataset.folder} has {len(train)} training and {len(val)} validation images of those that the "
            "recipe asks for: training needs both; import more places, or change the shares with "
            "`lostfound prepare --resplit`"
        )
    images = LabelledImages.of(train)
    if settings.views_per_place is not None:
        images = images.take(_some_views(images, settings.views_per_place))
    if settings.limit is not None:
        images = LabelledImages.of(limit(images.dataset, settings.limit))
    return images, LabelledImages.of(val)


def _some_views(images: LabelledImages, count: int) -> NDArray[np.bool_]:
    """The first views of each place by their ids, which are hashes."""
    ids = strings(images.dataset.records, "image_id").astype(str)
    order = np.lexsort([ids, images.places.astype(str)])
    ranked = images.places.astype(str)[order]
    start = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    number = np.arange(len(order)) - np.repeat(start, np.diff(np.append(start, len(order))))
    kept = np.zeros(len(images), dtype=bool)
    kept[order[number < count]] = True
    return kept
