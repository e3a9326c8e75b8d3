"""The perceptual hash of an image; apart from what compares hashes, so that workers start quickly."""

from __future__ import annotations

import numpy as np
from PIL import Image

_SIDE, _KEPT = 32, 8
_ANGLES = np.outer(np.arange(_KEPT), 2 * np.arange(_SIDE) + 1) * (np.pi / (2 * _SIDE))
# The lowest rows of the orthonormal DCT-II's matrix.
_COSINES = np.cos(_ANGLES) * np.where(np.arange(_KEPT) == 0, 1 / _SIDE, 2 / _SIDE)[:, None] ** 0.5


def perceptual_hash(image: Image.Image) -> int:
    """The 64-bit DCT hash of an image (pHash, Zauner 2010).

    The grey image at 32x32 is transformed by a DCT; each of the 8x8 lowest frequencies gives one bit:
    is it above their median (the constant term left out of the median).
    """
    small = image.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0).convert("L")
    low = (_COSINES @ np.asarray(small, dtype=np.float64) @ _COSINES.T).ravel()
    ranked = np.sort(low[1:])
    bits = low > ranked[len(ranked) // 2]  # of 63 values, the middle one
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
