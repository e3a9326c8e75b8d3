"""The settings of each kind of partition, checked before anything is built."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from lostfound.errors import UsageError
from lostfound.settings import Section, explain

Degrees = tuple[float, float]


class PartitionSettings(Section):
    """What all kinds share."""

    min_images: int = Field(
        1, ge=0, description="cells with fewer training images are dropped (s2: with this many or fewer)"
    )
    centroid: Literal["mean", "geometric"] = Field(
        "mean", description="what a cell decodes to: its training images' spherical mean, or its middle"
    )


class CountriesSettings(PartitionSettings):
    """One cell a country."""


class RegionsSettings(PartitionSettings):
    """One cell an admin-1 region: that of the nearest populated place, or label point."""

    centroid: Literal["mean"] = Field("mean", description="regions have no polygon, so no geometric middle")
    file: str | None = Field(None, description="Natural Earth's admin-1 label points; the packed places")


class CitySettings(Section):
    """A named place: a circle (looked up by name where it has no coordinate), or a box."""

    name: str
    latitude: float | None = Field(None, ge=-90, le=90)
    longitude: float | None = Field(None, ge=-180, le=180)
    radius_km: float | None = Field(None, gt=0, le=5000)
    box: tuple[float, float, float, float] | None = Field(None, description="south, west, north, east")

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("give both latitude and longitude, or none of them")
        if self.box is not None:
            if self.latitude is not None or self.radius_km is not None:
                raise ValueError("give a box or a circle, not both")
            south, west, north, east = self.box
            if not -90 <= south < north <= 90 or not all(-180 <= x <= 180 for x in (west, east)):
                raise ValueError("a box is [south, west, north, east] in degrees")
        return self


class CitiesSettings(PartitionSettings):
    """Named centres with a radius, or boxes."""

    cities: tuple[
        Annotated[CitySettings, BeforeValidator(lambda v: {"name": v} if isinstance(v, str) else v)], ...
    ] = Field(min_length=1, description="names, or mappings with latitude, longitude, radius_km or box")
    radius_km: float = Field(30.0, gt=0, le=5000, description="for cities that name none")


class _SizeOrNumber(PartitionSettings):
    """Cells of a size, or about so many of them."""

    cells: int | None = Field(None, ge=1, description="about how many cells; the size is searched for")

    @model_validator(mode="after")
    def _one(self) -> Self:
        size = next(name for name in ("cell_km", "spacing_km") if name in type(self).model_fields)
        if (getattr(self, size) is None) == (self.cells is None):
            raise ValueError(f"give either {size} or cells")
        return self


class SquareSettings(_SizeOrNumber):
    """Equal-area cells over the data's bounds."""

    cell_km: float | None = Field(None, gt=0, description="side of a cell")


class VoronoiSettings(_SizeOrNumber):
    """Cells around centres drawn by Poisson disc sampling."""

    spacing_km: float | None = Field(None, gt=0, description="least distance between two centres")
    boundary: str | tuple[Degrees, ...] | None = Field(
        None, description="a GeoJSON or GeoParquet file, or (latitude, longitude) corners; the data's bounds"
    )
    border: float = Field(1.0, ge=0, description="least distance to the border, in spacings")
    reach: float | None = Field(
        None, gt=1, description="a draw farther than this many spacings from centres and border is rejected"
    )
    misses: int = Field(1000, ge=1, description="stop after so many rejected draws in a row")
    seed: int = 0


class S2Settings(PartitionSettings):
    """Adaptive S2 cells."""

    max_images: int = Field(1000, ge=1, description="a cell with more splits into its four children")
    start_level: int = Field(2, ge=1, le=30)
    max_level: int = Field(30, ge=1, le=30)
    parent_level: int | None = Field(None, ge=1, le=30, description="level of the parents; the start level")

    @model_validator(mode="after")
    def _levels(self) -> Self:
        if self.max_level < self.start_level:
            raise ValueError("max_level must not be less than start_level")
        if self.max_images <= self.min_images:
            raise ValueError("max_images must be more than min_images")
        return self


class QuadtreeSettings(PartitionSettings):
    """Cells split at their midpoints."""

    split_at: int = Field(ge=2, description="a cell with this many images or more splits")
    max_depth: int = Field(10, ge=1, le=20)
    parent_depth: int = Field(1, ge=0, le=20, description="depth of the parents")
    bounds: Literal["data", "world"] = "data"


class PolygonsSettings(PartitionSettings):
    """The user's own polygons."""

    files: Annotated[
        tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)
    ] = Field(min_length=1, description="GeoJSON or GeoParquet")
    name: str = Field("name", description="the property that names a cell")


SETTINGS: dict[str, type[PartitionSettings]] = {
    "countries": CountriesSettings,
    "regions": RegionsSettings,
    "cities": CitiesSettings,
    "square": SquareSettings,
    "voronoi": VoronoiSettings,
    "s2": S2Settings,
    "quadtree": QuadtreeSettings,
    "polygons": PolygonsSettings,
}


def check_settings(kind: str, values: dict[str, Any]) -> PartitionSettings:
    """Validate the settings of a kind.

    Raises:
        UsageError: The kind or a key is unknown (the nearest known one is named), a value is wrong, or one
            is missing.
    """
    if kind not in SETTINGS:
        raise UsageError(f"no partition {kind!r}: choose one of {', '.join(SETTINGS)}")
    try:
        return SETTINGS[kind].model_validate(values)
    except ValidationError as error:
        problems = "; ".join(explain(error, SETTINGS[kind], "setting"))
        raise UsageError(f"partition {kind}: {problems}") from None
