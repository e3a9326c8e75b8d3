"""The exact search of a gallery, in whichever precision it is kept."""

from __future__ import annotations

import numpy as np
import pytest

from lostfound.partitions import build_partition
from lostfound.predict.gallery import GalleryDecoder

POINTS = np.array([[48.8, 2.3], [35.6, 139.7], [-33.9, 151.2], [64.1, -21.9], [40.7, -74.0]])


@pytest.mark.parametrize("kind", [np.float32, np.float16])
@pytest.mark.parametrize("widened", [0, 1 << 20], ids=["in blocks", "at once"])
def test_logits_are_scaled_cosines(kind: type, widened: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lostfound.predict.gallery._WIDENED", widened)
    monkeypatch.setattr("lostfound.predict.gallery._ROWS", 2)
    embeddings = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    outputs = np.random.default_rng(1).normal(size=(3, 8))
    decoder = GalleryDecoder(
        build_partition("countries", POINTS, ["FR", "JP", "AU", "IS", "US"]), embeddings.astype(kind), 20.0
    )
    cosines = outputs @ embeddings.T / np.linalg.norm(outputs, axis=1, keepdims=True)
    assert decoder.logits(outputs) == pytest.approx(20 * cosines, abs=1e-5 if kind is np.float32 else 2e-2)
