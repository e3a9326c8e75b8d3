"""A gallery of one's own: a data set's places, as a model sees their photos, or those of a list."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.labels import TRUE_COLUMNS, Names, Role, Rows, read_rows
from lostfound.data.records import coordinates, strings
from lostfound.errors import DatasetError, ModelError, UsageError
from lostfound.geo.points import check_points
from lostfound.partitions import Partition
from lostfound.partitions.build import near_cities
from lostfound.partitions.kinds.gallery import gallery_partition
from lostfound.predict.features import unit_length
from lostfound.predict.gallery import GalleryDecoder
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import CARD, GRAPH, GRAPH_WEIGHTS, ModelFolder, write_folder
from lostfound.predict.model_source import whole_folder
from lostfound.predict.place_tower import PLACE_TOWER
from lostfound.predict.views import grouped_means
from lostfound.progress import note

_COLUMNS: Names = {**TRUE_COLUMNS, "id": ("name", "title", "label", "place", "city", "town", "address", "id")}


def build_gallery(model: str | Path, dataset: Dataset, to: str | Path) -> ModelFolder:
    """Make a model that answers with the places of a data set, in the place of its own gallery.

    Each place is one entry, by the mean of its photos' embeddings; places without coordinates are left out.

    Args:
        model: A model folder that answers by a gallery.
        dataset: Photos with places.
        to: The new model's folder.

    Raises:
        ModelError: It is no complete model folder, or answers otherwise.
        DatasetError: No photo has coordinates, or one can't be read.
        UsageError: The folder is there already.
    """
    to = _new(to)
    opened = ModelFolder.open(whole_folder(model))
    decoder = _decoder(opened)
    located = np.isfinite(coordinates(dataset.records)).all(axis=1)
    if not located.any():
        raise DatasetError(f"{dataset.folder} has no photos with coordinates: a gallery needs them")
    dataset = dataset.with_records(dataset.records.filter(located))
    locator = Locator(opened)
    seen = [each.outputs for each in locator.see_each(dataset, doing="Looking at the gallery's photos")]
    means, first, _ = grouped_means(unit_length(np.stack(seen)), strings(dataset.records, "place_id"))
    countries = strings(dataset.records, "country")[first]
    partition = gallery_partition(coordinates(dataset.records)[first], countries=countries, merge=False)
    about = {"dataset": dataset.name, "images": len(dataset), "places": len(partition)}
    return _write(opened, _over(decoder, partition, means), about, to)


def build_listed_gallery(
    model: str | Path, places: Path, to: str | Path, *, columns: Mapping[Role, str] | None = None
) -> ModelFolder:
    """Make a model that answers with the places of a list, in the place of its own gallery.

    No photo of them is needed: the model's place tower tells from their coordinates what they look like.
    Places that stand there several times become one, which counts as often.

    Args:
        model: A model folder that answers by a gallery and has a place tower, as GeoCLIP's.
        places: CSV or Parquet, a latitude and a longitude in each row; also a name, and a country.
        to: The new model's folder.
        columns: The columns that are not known by their name, by role.

    Raises:
        ModelError: It is no complete model folder, or has no place tower.
        DatasetError: A row is wrong, or the coordinates are exchanged, or radians.
        UsageError: It is no such table, or the folder is there already.
    """
    to = _new(to)
    opened = ModelFolder.open(whole_folder(model))
    decoder, tower = _decoder(opened), opened.place_tower
    if tower is None:
        raise ModelError(
            f"{opened.path} has no place tower, which makes embeddings of coordinates: use one such as "
            "`lostfound convert geoclip` makes, or a data set of photos in the list's place"
        )
    if tower.width != decoder.width:
        raise ModelError(
            f"{opened.path}: its place tower gives {tower.width} numbers, its gallery has {decoder.width}: "
            "it is of another model"
        )
    rows = read_rows(places, _COLUMNS, columns, named=False)
    partition = _listed(rows)
    for text in rows.notes:
        note(text)
    own = _over(decoder, partition, tower.embed(partition.centroids))
    about = {"list": places.name, "rows": len(rows.points), "places": len(partition)}
    return _write(opened, own, about, to)


def _new(to: str | Path) -> Path:
    to = Path(to)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} is there already: give a new folder")
    return to


def _decoder(model: ModelFolder) -> GalleryDecoder:
    if not isinstance(model.decoder, GalleryDecoder):
        raise ModelError(
            f"{model.path} answers by {model.decoder.as_dict()['kind']}, not by a gallery, and gives no "
            "embeddings: use one such as `lostfound convert geoclip` makes"
        )
    return model.decoder


def _listed(rows: Rows) -> Partition:
    """The places of a list; rows without coordinates are left out."""
    located = np.isfinite(rows.points).all(axis=1)
    points = rows.points[located]
    if not len(points):
        raise DatasetError(f"{rows.path} has no row with coordinates: a gallery needs them")
    countries = rows.countries()
    stated = None if countries is None else countries[located]
    _refuse_radians(rows.path, points)
    check_points(points, str(rows.path), countries=None if stated is None else list(stated))
    names = rows.ids[located]
    if any(name is None for name in names):
        nearest = near_cities(points)
        names = np.array([own or near for own, near in zip(names, nearest, strict=True)], dtype=object)
    return gallery_partition(points, list(names), stated)


def _refuse_radians(path: Path, points: NDArray[np.float64]) -> None:
    """Refuse a list in radians: read as degrees, all of it would be open sea in the Gulf of Guinea."""
    if (np.abs(points) <= (np.pi / 2, np.pi)).all():
        raise DatasetError(
            f"{path}: the coordinates are radians, or all of them lie in the sea around 0, 0: multiply them "
            "by 180/pi"
        )


def _over(decoder: GalleryDecoder, partition: Partition, embeddings: NDArray[Any]) -> GalleryDecoder:
    return GalleryDecoder(partition, unit_length(embeddings).astype(decoder.embeddings.dtype), decoder.scale)


def _write(model: ModelFolder, decoder: GalleryDecoder, about: Mapping[str, Any], to: Path) -> ModelFolder:
    """The model under another gallery, whole or not at all."""
    left = {"answer", "labels", "names", "files", "format", "lostfound"}
    config = {name: value for name, value in model.config.items() if name not in left}
    to.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=to.parent, prefix=f".{to.name}-") as work:
        parts, folder = Path(work) / "parts", Path(work) / "model"
        parts.mkdir()
        folder.mkdir()
        for name in {GRAPH, GRAPH_WEIGHTS, PLACE_TOWER} & model.config["files"].keys():
            shutil.copyfile(model.path / name, parts / name)
        write_folder(folder, parts, decoder, 1.0, {**config, "own_gallery": dict(about)})
        if (model.path / CARD).is_file():
            shutil.copyfile(model.path / CARD, folder / CARD)
        if to.is_dir():
            to.rmdir()
        folder.rename(to)
    return ModelFolder.open(to)
