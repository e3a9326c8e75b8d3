"""What a model keeps of photos beside its network: where in its cells they are, and what they look like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.images import ImageSource
from lostfound.data.records import coordinates, strings
from lostfound.data.sharing.lists import limit
from lostfound.errors import UsageError
from lostfound.predict.engine import Seen
from lostfound.predict.head import find_head
from lostfound.predict.locator import Locator
from lostfound.predict.outliers import FEWEST, Outliers
from lostfound.predict.support import Support
from lostfound.progress import note

_TRAINING_IMAGES = 2000
_BESIDE_PLACELESS = 20_000  # the more kinds of photos, the fewer are taken for pictures of no place
_IMAGES_FOR_HEAD = 8


def features_of(seen: Iterable[Seen]) -> NDArray[np.float32]:
    """The features (n, channels) of photos, of a network that gives them."""
    return np.stack([each.features for each in seen if each.features is not None])


def features_of_placeless(locator: Locator, pictures: Sequence[ImageSource]) -> NDArray[np.float32]:
    """The features of pictures of no place, (n, channels).

    Raises:
        UsageError: The model gives no features, or too few pictures can be read.
    """
    if not locator.gives_features:
        raise UsageError(
            f"{locator.model.path} gives no features to tell pictures of no place by: leave them out"
        )
    seen: list[Seen] = []
    for number, each in enumerate(locator.look(pictures, features=True)):
        if isinstance(each, Seen):
            seen.append(each)
        else:
            which = pictures[number]
            name = which if isinstance(which, str | Path) else f"number {number + 1}"
            note(f"Left out of the pictures of no place: {name}: {each}")
    if len(seen) < FEWEST:
        raise UsageError(
            f"of the pictures of no place {len(seen)} can be read: {FEWEST} or more are needed, of many kinds"
        )
    return features_of(seen)


def statistics_of(
    locator: Locator, training: Dataset, placeless: NDArray[np.float32] | None
) -> tuple[Support | None, Outliers | None, dict[str, NDArray[Any]]]:
    """Where in the cells training photos are, what they look like, and both as arrays.

    Args:
        locator: The model.
        training: The photos.
        placeless: Features of pictures of no place, that it is to tell them from; if None, those that the
            model was shown before, if any.

    Raises:
        UsageError: There are such, but too few photos to tell them from.
    """
    partition, records = locator.model.partition, training.records
    arrays: dict[str, NDArray[Any]] = {}
    support, outliers = None, None
    if partition is not None and not locator.model.decoder.finds_points:
        support = Support.of(partition, coordinates(records), strings(records, "country"))
        arrays.update(support.as_arrays())
    if placeless is not None and len(training) < FEWEST:
        raise UsageError(
            f"{training.folder} has {len(training)} photos to tell pictures of no place from: {FEWEST} or "
            "more are needed"
        )
    if locator.gives_features and len(training) >= FEWEST:
        some = limit(training, _TRAINING_IMAGES if placeless is None else _BESIDE_PLACELESS)
        features = features_of(locator.see_each(some, features=True, doing="Looking at training photos"))
        outliers = Outliers.fit(features[:_TRAINING_IMAGES])
        before = Outliers.of(locator.model.statistics)
        if placeless is not None:
            outliers = outliers.shown(features, placeless)
        elif before is not None and before.placeless is not None:
            outliers = outliers.as_shown(before)
        arrays.update(outliers.as_arrays())
        outliers = Outliers.of(arrays)  # as it will be read
        images = [locator.model.preprocessing(training.read(row)) for row in range(_IMAGES_FOR_HEAD)]
        if head := find_head(locator, np.stack(images)):
            arrays.update(head.arrays())
    return support, outliers, arrays
