"""The field's benchmarks: their label files as they are published, with the images or without."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lostfound.data.importers.source import Listing, SourceImage, files_below
from lostfound.data.labels import LABELS, TRUE_COLUMNS, Labels, label_records, read_labels
from lostfound.errors import DatasetError, UsageError, refused_as
from lostfound.files import write_atomic
from lostfound.progress import note
from lostfound.texts import csv_text

_YFCC_ID, _YFCC_LONGITUDE, _YFCC_LATITUDE = 1, 12, 13
"""Columns of the tab-separated table of revisiting-im2gps, from 0 (OSV-5M's loader reads them so)."""


@dataclass(frozen=True)
class Benchmark:
    """A published set of test images.

    Attributes:
        name: As the command line has it.
        images: How many it has.
        tables: What its label file is called, the likeliest first; the folder is searched through.
        license: Under which licence all of its images are, where that is one.
        place: The column that says which images are of one place or drive, for honest intervals.
    """

    name: str
    images: int
    tables: tuple[str, ...]
    license: str | None = None
    place: str | None = None


BENCHMARKS: Mapping[str, Benchmark] = {
    each.name: each
    for each in (
        Benchmark(
            "im2gps", 237, ("im2gps_places365.csv", "img2gps_dataset_237.csv", "im2gps.csv", "info.json")
        ),
        Benchmark(
            "im2gps3k",
            2997,
            ("im2gps3k_places365.csv", "img2gps3k_dataset_2997.csv", "im2gps3k.csv", "info.json"),
        ),
        Benchmark("yfcc4k", 4536, ("yfcc4k_places365.csv", "yfcc4k.csv", "info.txt")),
        Benchmark("yfcc26k", 25600, ("yfcc25600_places365.csv", "yfcc26k_places365.csv", "yfcc26k.csv")),
        Benchmark("gws15k", 14955, ("gws15k.csv",)),
        Benchmark("osv5m", 210122, ("test.csv",), "CC-BY-SA-4.0", "sequence"),
    )
}
"""By name."""


def benchmark_of(name: str) -> Benchmark:
    """The benchmark of that name.

    Raises:
        UsageError: There is none.
    """
    if name not in BENCHMARKS:
        raise UsageError(f"no benchmark {name!r}: choose of {', '.join(BENCHMARKS)}")
    return BENCHMARKS[name]


def read_benchmark(benchmark: Benchmark, folder: Path) -> Labels:
    """Read where a benchmark's images are; what was done to read it is noted.

    Args:
        benchmark: Which.
        folder: Where its label file lies, or that file.

    Raises:
        UsageError: There is no label file.
        DatasetError: It is damaged, or of something else.
    """
    path = _table(benchmark, folder)
    readers: dict[str, Callable[[Path], Labels]] = {".json": _read_info, ".txt": _read_yfcc}
    if path.suffix in readers:
        with refused_as(DatasetError, f"{path} can't be read as labels of {benchmark.name}"):
            labels = readers[path.suffix](path)
    else:
        names = {**TRUE_COLUMNS, "place": (benchmark.place,) if benchmark.place else TRUE_COLUMNS["place"]}
        labels = read_labels(path, names=names)
    notes = list(labels.notes)
    if len(labels) != benchmark.images:
        notes.append(
            f"{path} has {len(labels)} images, where {benchmark.name} as it is published has "
            f"{benchmark.images}: its numbers can't be set beside published ones"
        )
    return Labels(path, labels.stored, notes)


def list_benchmark(name: str, folder: Path) -> Listing:
    """List the images of a benchmark that are there, with their places.

    Raises:
        UsageError: There is no label file, or none of the images.
        DatasetError: The labels are damaged.
    """
    labels = read_benchmark(benchmark_of(name), folder)
    for text in labels.notes:
        note(text)
    listing = Listing()
    root = folder if folder.is_dir() else folder.parent
    files = list(files_below(root, listing))
    by_name = {key: file for file in files for key in (file.original.rpartition("/")[2], file.stem)}
    by_path = {file.original: file for file in files}
    for row in labels.stored.to_pylist():
        own = row["image_id"]
        file = by_path.get(own) or by_name.get(own.rpartition("/")[2])
        if file is None:
            listing.skip(own, "the file that the labels name is missing")
            continue
        where = row["latitude"], row["longitude"]
        listing.images.append(SourceImage(file.file, file.original, row["place_id"], *where, row["country"]))
    return listing


def has_images(folder: Path) -> bool:
    """Whether there is an image below a folder at all."""
    return folder.is_dir() and next(files_below(folder, Listing()), None) is not None


def write_labels(labels: Labels, folder: Path) -> Path:
    """Write where a benchmark's images are, for `lostfound evaluate --truth`, of one without its images.

    Raises:
        UsageError: The folder holds something else.
    """
    path = folder / LABELS
    if folder.is_dir() and not path.is_file() and any(folder.iterdir()):
        raise UsageError(f"{folder} holds something else than labels: choose another folder, or an empty one")
    names = ("image_id", "latitude", "longitude", "country", "place_id")
    rows = [
        tuple("" if row[name] is None else row[name] for name in names) for row in labels.stored.to_pylist()
    ]
    write_atomic(path, csv_text([names, *rows], raw=True).encode())
    return path


def _table(benchmark: Benchmark, folder: Path) -> Path:
    if folder.is_file():
        return folder
    for name in benchmark.tables:
        if found := sorted(folder.rglob(name)):
            return found[0]
    raise UsageError(
        f"{folder} has no labels of {benchmark.name} (looked for {', '.join(benchmark.tables)}): give the "
        "folder that holds them, or the file itself"
    )


def _read_info(path: Path) -> Labels:
    """OSV-5M's form of im2gps: a list of texts for each name, of which two end with the coordinates."""
    ids, points = [], []
    for name, texts in json.loads(path.read_bytes()).items():
        ids.append(name)
        points.append([float(texts[-4].rpartition(":")[2]), float(texts[-3].rpartition(":")[2])])
    return Labels(path, label_records(np.array(ids, dtype=object), np.array(points), None, None))


def _read_yfcc(path: Path) -> Labels:
    """The table of revisiting-im2gps: tab-separated, without names of columns."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line]
    ids = np.array([row[_YFCC_ID] for row in rows], dtype=object)
    points = np.array([[float(row[_YFCC_LATITUDE]), float(row[_YFCC_LONGITUDE])] for row in rows])
    return Labels(path, label_records(ids, points, None, None))
