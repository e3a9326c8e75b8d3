"""The photos of a data set that look most alike to a model, and where they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.records import coordinates
from lostfound.errors import DatasetError, ModelError
from lostfound.files import cache_folder, digest, writing_atomically
from lostfound.geo.sphere import haversine_km
from lostfound.predict.engine import Seen
from lostfound.predict.features import unit_length
from lostfound.predict.guess import Guess
from lostfound.predict.model_folder import GRAPH, GRAPH_WEIGHTS
from lostfound.progress import note, progress

if TYPE_CHECKING:
    from lostfound.predict.locator import Locator

SHOWN = 8
_BLOCK = 1024


@dataclass(frozen=True)
class SimilarPhoto:
    """A photo of a data set that looks alike to a model.

    Attributes:
        image_id: In the data set.
        original: What it was called when it was imported.
        similarity: Cosine of the angle between both photos' features, -1 to 1.
        latitude: Where it was taken, degrees; None if only its country is known.
        longitude: The same.
        country: Its country's code, if known.
        distance_km: From there to the answer; None without coordinates.
        image: The stored bytes.

    Examples:
        >>> import lostfound
        >>> streets = lostfound.Dataset.open("data/streets")
        >>> explanation = lostfound.load("models/mine").explain("photo.jpg", method="occlusion", like=streets)
        >>> first = explanation.similar[0]
        >>> -1 <= first.similarity <= 1.01, first.distance_km >= 0
        (True, True)
    """

    image_id: str
    original: str
    similarity: float
    latitude: float | None
    longitude: float | None
    country: str | None
    distance_km: float | None
    image: bytes = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """All but the picture, as plain values."""
        return {name: value for name, value in vars(self).items() if name != "image"}


def similar_photos(
    locator: Locator, image: NDArray[np.uint8], dataset: Dataset, guess: Guess, *, count: int = SHOWN
) -> tuple[SimilarPhoto, ...]:
    """The most similar photos of a data set, one a place, most similar first.

    Args:
        locator: The model.
        image: As `Preprocessing` gives it, (height, width, 3), uint8.
        dataset: Where to look; its features are computed once, and kept in the user's cache.
        guess: What distances are taken from.
        count: At most so many.

    Raises:
        DatasetError: The data set is empty or damaged, or none of its images can be read.
        ModelError: The model's graph gives no features.
    """
    if not len(dataset):
        raise DatasetError(f"{dataset.folder} has no images to compare with")
    if not locator.gives_features:
        raise ModelError(
            f"{locator.model.graph} gives no features to compare photos by: convert or train the model again"
        )
    own = unit_length(locator.embed(image[None])[1][0])
    similarity = dataset_features(locator, dataset).astype(np.float32) @ own
    places, points = dataset.records["place_id"].to_pylist(), coordinates(dataset.records)
    chosen: dict[str, int] = {}
    for row in np.argsort(-np.nan_to_num(similarity, nan=-2.0), kind="stable"):
        if np.isnan(similarity[row]) or len(chosen) == count:
            break
        chosen.setdefault(places[row], int(row))
    if not chosen:
        raise DatasetError(f"no image of {dataset.folder} can be read: import again")
    return tuple(
        _similar(dataset, row, float(similarity[row]), points[row], guess) for row in chosen.values()
    )


def _similar(
    dataset: Dataset, row: int, similarity: float, point: NDArray[np.float64], guess: Guess
) -> SimilarPhoto:
    record = {name: dataset.records[name][row].as_py() for name in ("image_id", "original", "country")}
    known = not np.isnan(point).any()
    return SimilarPhoto(
        **record,
        similarity=round(similarity, 4),
        latitude=float(point[0]) if known else None,
        longitude=float(point[1]) if known else None,
        distance_km=float(haversine_km(point, (guess.latitude, guess.longitude))) if known else None,
        image=dataset.read(row),
    )


def dataset_features(
    locator: Locator, dataset: Dataset, *, folder: str | Path | None = None
) -> NDArray[np.float16]:
    """The features of every image of a data set, as unit vectors, computed once and then read from disk.

    They are known by the graph's hash, the preprocessing, and the images' hashes in their order. A run that
    was stopped goes on with the blocks that are missing.

    Args:
        locator: The model.
        dataset: The images, n of them.
        folder: Where features are kept; `similar` in the user's cache (`$LOSTFOUND_CACHE`) if None.

    Returns:
        (n, channels), float16; NaN for an image that can't be read.

    Raises:
        DatasetError: The data set is damaged.
        ModelError: The model's graph gives no features.
    """
    folder = (cache_folder() / "similar" if folder is None else Path(folder)) / _key(locator, dataset)
    starts = range(0, len(dataset), _BLOCK)
    blocks = [_read_block(folder / f"{start}.npy", min(_BLOCK, len(dataset) - start)) for start in starts]
    missing = [number for number, block in enumerate(blocks) if block is None]
    if missing:
        done = sum(len(block) for block in blocks if block is not None)
        with progress(f"Looking at {dataset.name}", len(dataset), done=done) as advance:
            for number in missing:
                start = starts[number]
                found = []
                for features in _embedded(locator, dataset, range(start, min(start + _BLOCK, len(dataset)))):
                    found.append(features)
                    advance(1)
                blocks[number] = block = np.stack(found)
                with writing_atomically(folder / f"{start}.npy") as partial, partial.open("wb") as file:
                    np.save(file, block, allow_pickle=False)
    whole = np.concatenate([block for block in blocks if block is not None])
    unreadable = int(np.isnan(whole).any(axis=1).sum())
    if unreadable:
        note(f"{unreadable} of {len(dataset)} images of {dataset.name} can't be read, and are left out")
    return whole


def _embedded(locator: Locator, dataset: Dataset, rows: range) -> Iterator[NDArray[np.float16]]:
    """The features (channels,) of each of some images; NaN for one that can't be read."""
    size = (locator.model.preprocessing.height, locator.model.preprocessing.width)
    unknown = np.full_like(locator.embed(np.zeros((1, *size, 3), dtype=np.uint8))[1][0], np.nan)
    for seen in locator.look((dataset.read(row) for row in rows), features=True):
        features = seen.features if isinstance(seen, Seen) else None
        yield unit_length(unknown if features is None else features).astype(np.float16)


def _read_block(path: Path, count: int) -> NDArray[np.float16] | None:
    """A block of an earlier run; None if there is none that is whole."""
    try:
        block: NDArray[np.float16] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return block if block.ndim == 2 and len(block) == count and block.dtype == np.float16 else None


def _key(locator: Locator, dataset: Dataset) -> str:
    files = locator.model.config["files"]
    model = [files[GRAPH], files.get(GRAPH_WEIGHTS), locator.model.preprocessing.as_dict()]
    images = digest("\n".join(dataset.records["sha256"].to_pylist()).encode())
    return digest(json.dumps([1, model, images], sort_keys=True).encode())[:32]
