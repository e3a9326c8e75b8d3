"""Recipes for `prepare`: what is done to a data set, as a validated YAML file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from lostfound.data.preparing.enrich import CountryRule
from lostfound.data.preparing.quality import MEASURES, Threshold
from lostfound.data.preparing.rebalance import Absent
from lostfound.data.splits import SplitBy, SplitSettings
from lostfound.errors import CountryNameError, UsageError
from lostfound.geo import sampling
from lostfound.geo.countries import parse_country
from lostfound.settings import Section, load_settings, override_settings

NEAREST_PLACE = "nearest-place"

MIN_SIZE = 16
"""Pixels of the shorter side; with fewer, an image shows no place."""

Side = Annotated[int, Field(ge=MIN_SIZE, description="pixels; less is too small to show a place")]
Share = Annotated[float, Field(ge=0, lt=1)]


class Enrich(Section):
    """What is corrected and filled in."""

    corrections: str | None = Field(None, description="a CSV or Parquet file with a column of ids")
    country: CountryRule = Field("fill", description="from the coordinates: where unknown, always, or never")
    region: str | None = Field(
        None, description=f"{NEAREST_PLACE} (GeoNames), or a file of Natural Earth's admin-1"
    )
    city: bool = Field(False, description="the nearest populated place within 25 km")


class Quality(Section):
    """Which images are too dark or too blurred; each threshold by value or by quantile."""

    min_color_variance: float | None = Field(None, ge=0)
    color_variance_quantile: Share | None = Field(None, description="this share of the images is dropped")
    min_sharpness: float | None = Field(None, ge=0)
    sharpness_quantile: Share | None = Field(None, description="this share of the images is dropped")
    size: Side | None = Field(None, description="shorter side at which images are measured; null: as stored")

    @model_validator(mode="after")
    def _one_of_two(self) -> Quality:
        for measure in MEASURES:
            if None not in (getattr(self, f"min_{measure}"), getattr(self, f"{measure}_quantile")):
                raise ValueError(f"give min_{measure} or {measure}_quantile, not both")
        return self

    def thresholds(self) -> list[Threshold]:
        """The thresholds that are set."""
        both = [
            Threshold(measure, getattr(self, f"min_{measure}"), getattr(self, f"{measure}_quantile"))
            for measure in MEASURES
        ]
        return [each for each in both if (each.value, each.quantile) != (None, None)]


class Duplicates(Section):
    """Which repeats are dropped; the first stays."""

    coordinates: bool = Field(False, description="images at exactly the coordinates of another place")
    bytes: bool = Field(False, description="images that are the same, byte for byte")
    distance: int | None = Field(
        None, ge=0, le=15, description="bits of 64 in which perceptual hashes of near-duplicates may differ"
    )


class SizeClassSettings(Section):
    """Countries of about one size."""

    name: str
    below_km2: float | None = Field(None, gt=0, description="null: no limit")
    places: int = Field(ge=1)


class Rebalance(Section):
    """How many images of each country stay."""

    target: str | None = Field(
        None, description="uniform, natural, a table of shares, or the folder of a data set"
    )
    power: float = Field(1.0, ge=0, description="each share of the target is raised to it; 0 is uniform")
    min_share: Share = Field(0.0, description="of all images, that a country needs to stay")
    slack: float = Field(1.0, gt=0, le=1, description="the share of its target that a country must have")
    size_classes: tuple[SizeClassSettings, ...] | None = None
    max_images: int | None = Field(None, ge=1, description="of a country")
    countries: tuple[str, ...] | None = Field(None, description="the others are dropped; null: all stay")
    absent: Absent = Field("refuse", description="countries asked for that the data lacks")
    seed: int = Field(0, ge=0, lt=2**32)

    @field_validator("countries")
    @classmethod
    def _codes(cls, countries: tuple[str, ...] | None) -> tuple[str, ...] | None:
        try:
            return countries and tuple(parse_country(each) for each in countries)
        except CountryNameError as error:
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _one_way(self) -> Rebalance:
        if self.target is not None and self.size_classes is not None:
            raise ValueError("give a target or size_classes, not both")
        for key in ("power", "min_share", "slack"):
            if self.target is None and key in self.model_fields_set:
                raise ValueError(f"{key} needs a target")
        return self

    def classes(self) -> list[sampling.SizeClass] | None:
        """The size classes as `lostfound.geo.sampling` takes them."""
        if self.size_classes is None:
            return None
        return [sampling.SizeClass(c.name, c.below_km2 or math.inf, c.places) for c in self.size_classes]


class Split(Section):
    """How the places are divided."""

    seed: int = 0
    val: float = 0.1
    test: float = 0.1
    distance_km: float = Field(1.0, description="places closer than this share a split")
    by: SplitBy = Field("place", description="image: divide images one by one, which leaks")

    @model_validator(mode="after")
    def _possible(self) -> Split:
        try:
            self.settings()
        except UsageError as error:
            raise ValueError(str(error)) from None
        return self

    def settings(self) -> SplitSettings:
        """The same for `assign_splits`."""
        return SplitSettings(self.seed, self.val, self.test, self.distance_km, self.by)


class PrepareRecipe(Section):
    """What `prepare` does, in this order; what is null or empty is left out."""

    name: str = Field("prepare", min_length=1)
    enrich: Enrich | None = None
    quality: Quality = Quality()
    duplicates: Duplicates = Duplicates()
    rebalance: Rebalance | None = None
    split: Split | None = Field(None, description="null: images keep their split")
    sizes: tuple[Side, ...] | None = Field(
        None, min_length=1, description="shorter sides; each gives a data set; null: as they are"
    )

    @field_validator("sizes")
    @classmethod
    def _once(cls, sizes: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if sizes and len(set(sizes)) < len(sizes):
            raise ValueError("a size comes twice")
        return sizes


def load_prepare_recipe(name: str | Path | None, overrides: Sequence[str] = ()) -> PrepareRecipe:
    """Read and validate a recipe for `prepare`.

    Args:
        name: The name of a recipe in the package, such as "lost-and-found", or the path of a YAML file; None
            for one that keeps everything.
        overrides: Settings to change, such as "rebalance.slack=0.5"; values are read as YAML.

    Raises:
        RecipeError: It is missing, is no YAML, or has an unknown key (the nearest known one is named)
            or a wrong value.
    """
    if name is None:
        return override_settings(PrepareRecipe, {}, overrides, "of the options")
    return load_settings(PrepareRecipe, name, files("lostfound") / "recipes" / "preparing", overrides)
