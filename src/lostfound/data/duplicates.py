"""Near-duplicates by perceptual hash: the same picture after another resize or JPEG quality."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dct

HASH_BITS = 64
MAX_DISTANCE = 4
"""Bits of 64 that may differ. Re-encoded copies stay within it; other views of a street do not."""

_COSINES = dct(np.eye(32), axis=0, norm="ortho")[:8]  # the eight lowest rows of the DCT's matrix


def perceptual_hash(image: Image.Image) -> int:
    """The 64-bit DCT hash of an image (pHash, Zauner 2010).

    The grey image at 32x32 is transformed by a DCT; each of the 8x8 lowest frequencies gives one bit:
    is it above their median (the constant term left out of the median).
    """
    small = image.resize((32, 32), Image.Resampling.BILINEAR, reducing_gap=2.0).convert("L")
    low = (_COSINES @ np.asarray(small, dtype=np.float64) @ _COSINES.T).ravel()
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def near_duplicates(hashes: NDArray[np.uint64], max_distance: int = MAX_DISTANCE) -> NDArray[np.int64]:
    """Pairs of images whose hashes differ in few bits.

    Two hashes that differ in at most d bits agree exactly in at least one of d + 1 bands of their bits
    (pigeonhole), so only images that share a band are compared.

    Args:
        hashes: Perceptual hashes, (n,).
        max_distance: The largest Hamming distance of a pair, 0 to 15.

    Returns:
        Row numbers, (m, 2). Images with equal hashes are each paired with the first of them, so that
        the pairs connect every group without listing it squared.
    """
    unique, first, group = np.unique(hashes, return_index=True, return_inverse=True)
    representative = first[group]
    rows = np.arange(len(hashes))
    equal = np.stack([representative, rows], axis=1)[representative != rows]
    near = [first[pairs] for pairs in _band_pairs(unique, max_distance)]
    return np.concatenate([equal, *near]).astype(np.int64)


def _band_pairs(hashes: NDArray[np.uint64], max_distance: int) -> list[NDArray[np.int64]]:
    found = []
    bounds = np.linspace(0, HASH_BITS, max_distance + 2).astype(int)
    for low, high in pairwise(bounds):
        band = (hashes >> np.uint64(low)) & np.uint64((1 << int(high - low)) - 1)
        order = np.argsort(band, kind="stable")
        for shift in range(1, len(order)):
            same = band[order[shift:]] == band[order[:-shift]]
            if not same.any():
                break
            left, right = order[:-shift][same], order[shift:][same]
            close = np.bitwise_count(hashes[left] ^ hashes[right]) <= max_distance
            if close.any():
                found.append(np.stack([left[close], right[close]], axis=1))
    return found
