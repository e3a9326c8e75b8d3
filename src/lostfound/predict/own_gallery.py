"""A gallery of one's own: the places of a data set, as a model of embeddings sees their photos."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from lostfound.data.dataset import Dataset
from lostfound.data.records import coordinates, strings
from lostfound.errors import DatasetError, ModelError, UsageError
from lostfound.partitions.kinds.gallery import gallery_partition
from lostfound.predict.features import unit_length
from lostfound.predict.gallery import GalleryDecoder
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import CARD, GRAPH, ModelFolder, write_folder
from lostfound.predict.views import grouped_means


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
    to = Path(to)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} is there already: give a new folder")
    locator = Locator.load(model)
    decoder = locator.model.decoder
    if not isinstance(decoder, GalleryDecoder):
        raise ModelError(
            f"{locator.model.path} answers by {decoder.as_dict()['kind']}, not by a gallery, and gives no "
            "embeddings: use one such as `lostfound convert geoclip` makes"
        )
    located = np.isfinite(coordinates(dataset.records)).all(axis=1)
    if not located.any():
        raise DatasetError(f"{dataset.folder} has no photos with coordinates: a gallery needs them")
    dataset = dataset.with_records(dataset.records.filter(located))
    seen = [each.outputs for each in locator.see_each(dataset, doing="Looking at the gallery's photos")]
    means, first, _ = grouped_means(unit_length(np.stack(seen)), strings(dataset.records, "place_id"))
    countries = strings(dataset.records, "country")[first]
    partition = gallery_partition(coordinates(dataset.records)[first], countries=countries, merge=False)
    kind = decoder.embeddings.dtype
    own = GalleryDecoder(partition, unit_length(means).astype(kind), decoder.scale)
    return _write(locator.model, own, dataset, to)


def _write(model: ModelFolder, decoder: GalleryDecoder, dataset: Dataset, to: Path) -> ModelFolder:
    """The model under another gallery, whole or not at all."""
    left = {"answer", "labels", "names", "files", "format", "lostfound"}
    config = {name: value for name, value in model.config.items() if name not in left}
    about = {"dataset": dataset.name, "images": len(dataset), "places": len(decoder.partition)}
    to.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=to.parent, prefix=f".{to.name}-") as work:
        parts, folder = Path(work) / "parts", Path(work) / "model"
        parts.mkdir()
        folder.mkdir()
        shutil.copyfile(model.graph, parts / GRAPH)
        write_folder(folder, parts, decoder, 1.0, {**config, "own_gallery": about})
        if (model.path / CARD).is_file():
            shutil.copyfile(model.path / CARD, folder / CARD)
        if to.is_dir():
            to.rmdir()
        folder.rename(to)
    return ModelFolder.open(to)
