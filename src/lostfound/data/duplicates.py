"""Near-duplicates by perceptual hash: the same picture after another resize or JPEG quality."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dct

from lostfound.data.graph import Rows, components, star_pairs

HASH_BITS = 64
MAX_DISTANCE = 4
"""Bits of 64 that may differ. Re-encoded copies stay within it; other views of a street do not."""

_COSINES = dct(np.eye(32), axis=0, norm="ortho")[:8]  # the eight lowest rows of the DCT's matrix
_MAX_HELD = 4_000_000


def perceptual_hash(image: Image.Image) -> int:
    """The 64-bit DCT hash of an image (pHash, Zauner 2010).

    The grey image at 32x32 is transformed by a DCT; each of the 8x8 lowest frequencies gives one bit:
    is it above their median (the constant term left out of the median).
    """
    small = image.resize((32, 32), Image.Resampling.BILINEAR, reducing_gap=2.0).convert("L")
    low = (_COSINES @ np.asarray(small, dtype=np.float64) @ _COSINES.T).ravel()
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def near_duplicates(hashes: NDArray[np.uint64], max_distance: int = MAX_DISTANCE) -> Rows:
    """Pairs of images whose hashes differ in few bits.

    Two hashes that differ in at most d bits agree exactly in at least one of d + 1 bands of their bits
    (pigeonhole), so only images that share a band are compared.

    Args:
        hashes: Perceptual hashes, (n,).
        max_distance: The largest Hamming distance of a pair, 0 to 15.

    Returns:
        Row numbers, (m, 2). The pairs connect all images that a chain of near-duplicates connects. Each
        stands for two near-duplicates, but where images are equal or pairs are very many, for two images
        of one such chain, so that a fixed camera's 100 000 frames don't fill the memory.
    """
    unique, first, group = np.unique(hashes, return_index=True, return_inverse=True)
    return np.concatenate([star_pairs(group), first[_band_pairs(unique, max_distance)]])


def _band_pairs(hashes: NDArray[np.uint64], max_distance: int) -> Rows:
    found, held = [np.empty((0, 2), dtype=np.int64)], 0
    bounds = np.linspace(0, HASH_BITS, max_distance + 2).astype(int)
    for low, high in pairwise(bounds):
        band = (hashes >> np.uint64(low)) & np.uint64((1 << int(high - low)) - 1)
        order = np.argsort(band, kind="stable")
        ranked = band[order]
        start = np.arange(len(order))  # positions that still have a partner `shift` further on
        for shift in range(1, len(order)):
            start = start[start < len(order) - shift]
            start = start[ranked[start] == ranked[start + shift]]
            if not len(start):
                break
            left, right = order[start], order[start + shift]
            close = np.bitwise_count(hashes[left] ^ hashes[right]) <= max_distance
            found.append(np.stack([left[close], right[close]], axis=1))
            held += int(close.sum())
            if held > _MAX_HELD:
                found = [star_pairs(components(len(hashes), np.concatenate(found)))]
                held = 0
    return np.concatenate(found)
