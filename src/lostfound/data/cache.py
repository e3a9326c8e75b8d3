"""Decoded pixels kept on disk, so that repeated runs with the same images and settings start at once."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import features

from lostfound.data.dataset import Dataset, StoredImages
from lostfound.data.images import Preprocessing
from lostfound.data.writing import writing
from lostfound.errors import DiskFullError
from lostfound.files import cache_folder, digest, write_atomic
from lostfound.parallel.blocks import Blocks
from lostfound.progress import note

_BLOCK = 512
_PIXELS = "pixels.npy"
_KEY = re.compile("[0-9a-f]{32}")
_SPARE = 1 << 30
"""So many bytes of the disk stay free."""


def cached_pixels(
    dataset: Dataset,
    preprocessing: Preprocessing,
    *,
    jobs: int | None = None,
    folder: str | Path | None = None,
) -> NDArray[np.uint8]:
    """What the preprocessing makes of every image, decoded once on all cores and then read from disk.

    The pixels are known by the images' hashes in their order and by what changes them: size, crop and
    filter, and the version of the decoder. A run that was stopped goes on; older pixels make room for new
    ones where the disk is too small for both.

    Args:
        dataset: The images, in this order.
        preprocessing: How they become a model's input.
        jobs: Processes; all cores if None.
        folder: Where the pixels are kept; `pixels` in the user's cache (`$LOSTFOUND_CACHE`) if None.

    Returns:
        A read-only array (n, height, width, 3) of uint8, mapped from the file: what is not looked at takes
        no memory, and processes share what is.

    Raises:
        DiskFullError: The pixels don't fit on the disk; work without the cache then.
        DatasetError: The data set is damaged, or another process is making the same pixels.
        ImageError: An image can't be decoded.
    """
    start = time.monotonic()
    folder = cache_folder() / "pixels" if folder is None else Path(folder)
    key = _key(dataset, preprocessing)
    path = folder / f"{key}.npy"
    if not path.is_file():
        with writing(folder / f".{key}"):
            if not path.is_file():
                _build(dataset, preprocessing, path, jobs)
                _write_about(path, time.monotonic() - start, len(dataset))
        shutil.rmtree(folder / f".{key}", ignore_errors=True)
        return _open(path)
    pixels = _open(path)
    os.utime(path)  # the one used longest ago makes room first
    took, now = _seconds_taken(path), time.monotonic() - start
    note(f"{len(pixels)} decoded images from the cache in {now:.1f} s; decoding them took {took:.1f} s")
    return pixels


def _key(dataset: Dataset, preprocessing: Preprocessing) -> str:
    settings = {name: value for name, value in preprocessing.as_dict().items() if name not in ("mean", "std")}
    decoder = [PIL.__version__, features.version("libjpeg_turbo") or features.version("jpg")]
    images = digest("\n".join(dataset.records["sha256"].to_pylist()).encode())
    return digest(json.dumps([1, images, settings, decoder], sort_keys=True).encode())[:32]


def _open(path: Path) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    return pixels


def _build(dataset: Dataset, preprocessing: Preprocessing, path: Path, jobs: int | None) -> None:
    """Decode all images into a file, block by block; the checksums of finished blocks lie beside it."""
    blocks = Blocks(len(dataset), _BLOCK)
    work = path.with_name(f".{path.stem}")
    shape = (len(dataset), preprocessing.height, preprocessing.width, 3)
    pixels, checksums = _unfinished(work, shape, len(blocks))
    missing = [
        number
        for number in range(len(blocks))
        if not checksums[number] or int(checksums[number]) != _checksum(pixels[blocks.rows(number)])
    ]
    images = StoredImages(dataset)
    blocks.do(
        missing,
        lambda number: _Block(images[blocks.rows(number)], blocks.rows(number).start),
        partial(_decode_block, preprocessing=preprocessing, path=work / _PIXELS),
        title="Decoding",
        jobs=jobs,
        finished=checksums.__setitem__,
    )
    pixels.flush()
    (work / _PIXELS).replace(path)


def _unfinished(
    work: Path, shape: tuple[int, ...], blocks: int
) -> tuple[np.memmap[Any, np.dtype[np.uint8]], np.memmap[Any, np.dtype[np.uint64]]]:
    """The pixels to be, and the checksum of each block that is done, mapped: of an earlier run, or new."""
    pixels, checksums = work / _PIXELS, work / "done.npy"
    if pixels.is_file() and checksums.is_file():
        return np.lib.format.open_memmap(pixels, "r+"), np.lib.format.open_memmap(checksums, "r+")
    _make_room(work.parent, int(np.prod(shape)), keep=work)
    done = np.lib.format.open_memmap(checksums, "w+", np.uint64, (blocks,))
    return np.lib.format.open_memmap(pixels, "w+", np.uint8, shape), done


@dataclass(frozen=True)
class _Block:
    """Some images of the data set, from a row on."""

    images: StoredImages
    start: int


def _decode_block(block: _Block, *, preprocessing: Preprocessing, path: Path) -> int:
    """Decode one block into its place in the file; gives its checksum."""
    pixels = np.empty((len(block.images), preprocessing.height, preprocessing.width, 3), np.uint8)
    for row, image in enumerate(block.images):
        pixels[row] = preprocessing(image.read())
    with path.open("r+b") as file:  # written, not mapped: a full disk is an error and not a crash
        version = np.lib.format.read_magic(file)
        assert version == (1, 0)
        np.lib.format.read_array_header_1_0(file)
        file.seek(block.start * pixels[0].nbytes, os.SEEK_CUR)
        file.write(pixels.tobytes())
    return _checksum(pixels)


def _checksum(pixels: NDArray[np.uint8]) -> int:
    """A checksum that is never 0, which stands for a block that is not done."""
    return zlib.crc32(np.ascontiguousarray(pixels).data) | 1 << 32


def _make_room(folder: Path, size: int, keep: Path) -> None:
    """Remove the pixels used longest ago until so many bytes fit.

    Raises:
        DiskFullError: They would not fit even then.
    """
    ours = (path for path in folder.glob("*.npy") if _KEY.fullmatch(path.stem))
    old = sorted(ours, key=lambda path: path.stat().st_mtime)
    free = shutil.disk_usage(folder).free - _SPARE
    if free + sum(path.stat().st_size for path in old) < size:
        shutil.rmtree(keep, ignore_errors=True)
        raise DiskFullError(
            f"the decoded images need {-(-size // 10**6)} MB, and {folder} has room for "
            f"{max(free, 0) // 10**6} MB: free some, or set LOSTFOUND_CACHE to a folder on a larger disk"
        )
    while free < size:
        path = old.pop(0)
        free += path.stat().st_size
        path.unlink()
        path.with_suffix(".json").unlink(missing_ok=True)


def _write_about(path: Path, seconds: float, images: int) -> None:
    about = {"images": images, "seconds": round(seconds, 3)}
    write_atomic(path.with_suffix(".json"), (json.dumps(about) + "\n").encode())


def _seconds_taken(path: Path) -> float:
    try:
        return float(json.loads(path.with_suffix(".json").read_text())["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0  # it was stopped before it said so
