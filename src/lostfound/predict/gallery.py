"""Answers by a gallery: how alike a photo's embedding is to that of each of many places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostfound.partitions import Partition
from lostfound.predict.belief import Belief
from lostfound.predict.decoders import OutputDecoder, names_of, probabilities_of
from lostfound.predict.features import unit_length

GALLERY = "gallery.npy"
"""The places' embeddings, in a model folder."""
_WIDENED = 1 << 27
"""A gallery in half precision of so many numbers is turned into single precision once: half a gigabyte."""
_ROWS = 1 << 14  # of a larger one are turned at a time


@dataclass(frozen=True)
class GalleryDecoder(OutputDecoder):
    """Outputs are an embedding; a place's logit is its cosine with the place's embedding, times a scale.

    A place that stood in the gallery several times counts as often: the logarithm of the number is added,
    which gives the sum of the copies' probabilities.

    Attributes:
        partition: The places; `counts` says how often each stood in the gallery.
        embeddings: Of the places, of length 1, (places, width), float32 or float16; mapped into memory.
        scale: What cosines are multiplied by.
        temperature: What logits are divided by.

    Raises:
        ValueError: The embeddings are not of these places.
    """

    partition: Partition
    embeddings: NDArray[np.floating[Any]]
    scale: float
    temperature: float = 1.0

    def __post_init__(self) -> None:
        shape, kind = self.embeddings.shape, self.embeddings.dtype
        if len(shape) != 2 or shape[0] != len(self.partition) or kind not in (np.float32, np.float16):
            raise ValueError(
                f"embeddings of the shape {shape} ({kind}) for {len(self.partition)} places: they are of "
                "another gallery"
            )
        if not 0 < self.scale < np.inf:
            raise ValueError(f"a scale of {self.scale} (more than 0 is needed)")

    @property
    def width(self) -> int:  # type: ignore[override]
        """The length of an embedding."""
        return int(self.embeddings.shape[1])

    @property
    def logit_count(self) -> int:
        """None of the outputs is a logit."""
        return 0

    def logits(self, outputs: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """The scaled cosines with every place, (n, places), exactly, by a matrix product."""
        photos = np.ascontiguousarray(unit_length(outputs), dtype=np.float32)
        found = np.empty((len(photos), len(self.partition)))
        whole = self._whole
        embeddings = self.embeddings if whole is None else whole
        step = _ROWS if whole is None else len(self.partition)
        for start in range(0, len(self.partition), max(step, 1)):
            rows = embeddings[start : start + step]
            found[:, start : start + step] = photos @ rows.astype(np.float32, copy=False).T
        found *= self.scale
        if (self.partition.counts > 1).any():
            found += np.log(np.maximum(self.partition.counts, 1))
        return found

    @cached_property
    def _whole(self) -> NDArray[np.floating[Any]] | None:
        """The embeddings in single precision; None where they would take too much memory."""
        if self.embeddings.dtype == np.float32:
            return self.embeddings
        return self.embeddings.astype(np.float32) if self.embeddings.size <= _WIDENED else None

    def believe(
        self,
        outputs: NDArray[np.floating[Any]],
        ids: NDArray[np.object_] | None = None,
        sharpness: NDArray[np.float64] | float = 1.0,
    ) -> Belief:
        """The places' probabilities."""
        probabilities = probabilities_of(self.logits(outputs), self.temperature, sharpness)
        return Belief(names_of(ids, len(outputs)), self.partition, probabilities)

    @property
    def files(self) -> Mapping[str, NDArray[Any]]:
        """The embeddings."""
        return {GALLERY: self.embeddings}

    def as_dict(self) -> dict[str, Any]:
        """The kind and the scale."""
        return {"kind": "gallery", "scale": self.scale}
