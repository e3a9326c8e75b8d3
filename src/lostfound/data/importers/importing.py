"""Importing: from files as people keep them to a data set."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from lostfound.data.adding import add_records, existing_dataset, refuse_other, with_country
from lostfound.data.chunks import MIN_CHUNK, Skipped, run_chunks, tidy
from lostfound.data.dataset import Dataset
from lostfound.data.importers.benchmarks import benchmark_of, list_benchmark
from lostfound.data.importers.checks import Elsewhere, Stated, as_rows, check_order, elsewhere, stated_places
from lostfound.data.importers.encoding import JPEG_QUALITY, encode_source_image
from lostfound.data.importers.layouts import list_source
from lostfound.data.importers.sidecars import Sidecars
from lostfound.data.importers.source import SourceImage, image_files, readable
from lostfound.data.packed import Packed
from lostfound.data.records import SCHEMA
from lostfound.data.splits import SplitSettings
from lostfound.data.stored import StoredRecords
from lostfound.data.writing import writing
from lostfound.errors import DatasetError, UsageError
from lostfound.files import write_atomic
from lostfound.geo.boundaries import Boundaries
from lostfound.parallel.processes import Processes, WorkEngine
from lostfound.texts import csv_text

_ARROW_LOADS = ("pandas",) if find_spec("pandas") else ()
"""What Arrow loads for its first array, though no work needs it."""
OTHER_COUNTRY = "other_country.csv"
"""Lists, in the data set's folder, which images the last import found in another country than stated."""


@dataclass(frozen=True)
class ImportSummary:
    """What an import did.

    Attributes:
        imported: Images added to the data set.
        duplicates: Images left out because their bytes were there already.
        other_label: Those of the duplicates that came with another place or country.
        skipped: Files left out for other reasons: (path, reason).
        layouts: The layout of each source.
        dataset: The data set as it is now.
        guessed: The countries that names could mean which are misspelt, a city's, or a place's abroad too, by
            name; the first was taken.
        elsewhere: Images whose coordinates lie in another country than the one stated, which they keep;
            listed in `other_country.csv`.
        warnings: What is doubtful about the sources.
        passed_over: How many files are no photos, by their ending.
    """

    imported: int
    duplicates: int
    other_label: int
    skipped: list[Skipped]
    layouts: dict[str, str]
    dataset: Dataset
    guessed: dict[str, str] = field(default_factory=dict)
    elsewhere: list[Elsewhere] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def reasons(self) -> Counter[str]:
        """How many files were skipped for each reason, details left out."""
        return _reasons(self.skipped)


def import_images(
    sources: Sequence[str | Path],
    to: str | Path,
    *,
    layout: str | None = None,
    benchmark: str | None = None,
    strict: bool = False,
    size: int = 256,
    license: str | None = None,  # noqa: A002
    splits: SplitSettings | None = None,
    boundaries: str | Path | None = None,
    jobs: int | None = None,
    engine: WorkEngine | None = None,
) -> ImportSummary:
    """Import images with places into a data set, new or existing, on all cores.

    Images are decoded upright, shrunk to `size`, stored as JPEG without metadata; one that is such a JPEG
    already is kept to the byte. Unreadable files and files without a place are skipped and listed in
    `skipped.csv`. A run that was stopped goes on.

    Args:
        sources: Folders or tables (see `lostfound.data.importers.layouts`).
        to: The data set's folder; images are added if it exists.
        layout: The layout of the sources; recognised for each if None.
        benchmark: The sources are one of `lostfound.data.importers.benchmarks.BENCHMARKS`, as it is
            published; all of it is for the test then, whatever `splits` says.
        strict: Refuse sources with names of countries that can't be told; else what bears one is skipped.
        size: The shorter side of the stored images, in pixels; smaller images stay as they are.
        license: The licence of these images, such as "CC-BY-SA-4.0"; unknown if None.
        splits: How to divide the places into train, val and test.
        boundaries: A GeoJSON or GeoParquet file of countries that says which country a coordinate is in;
            the packed ones (Natural Earth 1:50m) if None.
        jobs: Processes; all cores if None.
        engine: Where images are encoded, such as `lostfound.parallel.cluster.RayEngine`; in processes of this
            machine if None.

    Raises:
        UsageError: A source is missing or empty, the data set was made with another size, or the folder is
            something else's.
        CountryNameError: Country names that can't be told, if `strict`.
        DatasetError: The existing data set is damaged, or being written by another process; a source's
            latitudes and longitudes are swapped; or no image could be imported.
        DiskFullError: The disk became full; the same import goes on.

    Examples:
        >>> import lostfound
        >>> summary = lostfound.import_images(["photos"], "dataset", size=128)
        >>> summary.imported == len(summary.dataset)
        True
    """
    to, splits = Path(to), splits or SplitSettings()
    if benchmark is not None:
        if layout is not None:
            raise UsageError("a benchmark has a layout of its own: give it without a layout")
        splits = SplitSettings(val=0, test=1)
        license = license or benchmark_of(benchmark).license  # noqa: A001
    if size < 16:
        raise UsageError(f"a shorter side of {size} pixels is too small to show a place: give 16 or more")
    refuse_other(to)
    settings = {"size": size, "quality": JPEG_QUALITY}
    early = (encode_source_image.__module__, *_ARROW_LOADS) if engine is None and _many(sources) else ()
    with Processes(jobs, start=early) as processes, ThreadPoolExecutor(1) as beside:
        land = beside.submit(_packed_countries)
        own = None if boundaries is None else Boundaries.read(Path(boundaries))
        listed = _list_sources(sources, layout, benchmark, strict=strict)
        countries = land.result()
        warnings = [told for source, each in listed.places for told in check_order(source, each, countries)]
        encode = partial(encode_source_image, size=size, license=license)
        key = _key(listed.items, size, license)
        with writing(to):
            existing = existing_dataset(to, settings)
            if existing and (images := _imported_before(existing, key)) is not None:
                tidy(to, existing.stored)
                unchanged = ImportSummary(0, images, 0, listed.skipped, listed.layouts, existing)
                return replace(
                    unchanged, guessed=listed.guessed, passed_over=listed.passed_over, warnings=warnings
                )
            where = engine or processes
            added, problems = run_chunks(
                listed.items, encode, folder=to, key=key, title="Importing", engine=where, mixed=True
            )
            listed.skipped.extend(problems)
            processes.close()
            other = elsewhere(added, own or countries)
            added = with_country(added, own or countries)
            del own, countries, land  # the memory that they took is enough for what is still to do
            pa.default_memory_pool().release_unused()
            summary = _add(to, existing, added, listed, key, settings, splits)
            if other or (to / OTHER_COUNTRY).exists():
                write_atomic(to / OTHER_COUNTRY, csv_text(as_rows(other)).encode())
            return replace(summary, elsewhere=other, warnings=warnings)


def _packed_countries() -> Boundaries:
    """The packed countries, made ready to answer while files are listed."""
    boundaries = Boundaries.packed(keep=False)
    boundaries.country_at([(0.0, 0.0)])  # at sea, which asks for the nearest coast too
    return boundaries


@dataclass(frozen=True)
class _Listed:
    """The files of all sources."""

    items: Packed[tuple[str, SourceImage]] = field(default_factory=Packed)  # the source's name, and the file
    places: list[tuple[str, Stated]] = field(default_factory=list)  # of each source, for its path
    skipped: list[Skipped] = field(default_factory=list)
    layouts: dict[str, str] = field(default_factory=dict)
    guessed: dict[str, str] = field(default_factory=dict)
    passed_over: Counter[str] = field(default_factory=Counter)
    no_photos: list[Skipped] = field(default_factory=list)  # a line for each ending
    described: list[dict[str, Any]] = field(default_factory=list)


def _many(sources: Sequence[str | Path]) -> bool:
    """Are there more files than one process does at a time? A table may well name many."""
    files = (path for source in sources for path in image_files(Path(source)))
    return (
        any(Path(source).is_file() for source in sources)
        or len(list(islice(files, 2 * MIN_CHUNK))) > MIN_CHUNK
    )


def _list_sources(
    sources: Sequence[str | Path], layout: str | None, benchmark: str | None, *, strict: bool
) -> _Listed:
    listed = _Listed()
    for source, name in zip(map(Path, sources), source_names(sources), strict=True):
        if benchmark is None:
            listed.layouts[str(source)], listing = list_source(source, layout, strict=strict)
        else:
            listed.layouts[str(source)], listing = benchmark, list_benchmark(benchmark, source)
        listed.places.append((str(source), stated_places(listing.images)))
        beside = Sidecars()
        listed.items.extend(
            (name, image if image.latitude is not None else image._replace(sidecars=beside.of(image.file)))
            for image in listing.images
        )
        listed.skipped.extend((f"{name}/{path}", reason) for path, reason in listing.skipped)
        listed.guessed.update(listing.countries.guessed)
        listed.passed_over.update(listing.passed_over)
        listed.no_photos.extend(
            (f"{name}/*{kind if kind[0] == '.' else f' ({kind})'}", f"no photo itself ({count} of them)")
            for kind, count in sorted(listing.passed_over.items())
        )
        listed.described.append(
            {"name": name, "layout": listed.layouts[str(source)], "files": len(listing.images)}
        )
    return listed


def _imported_before(dataset: Dataset, key: str) -> int | None:
    """How many images the same import gave when it was done before; None if it was not."""
    return next((done["images"] for done in dataset.info["imports"] if done["key"] == key), None)


def _add(
    to: Path,
    existing: Dataset | None,
    added: StoredRecords,
    listed: _Listed,
    key: str,
    settings: dict[str, Any],
    splits: SplitSettings,
) -> ImportSummary:
    """Write the data set with the records added."""
    if not (added.num_rows or existing):
        tidy(to, added)
        summary = "; ".join(f"{count} {reason}" for reason, count in _reasons(listed.skipped).most_common())
        first = ": ".join(listed.skipped[0])
        raise DatasetError(f"no image could be imported into {to}: {summary} (the first: {first})")
    info = {"made_by": "lostfound import", "settings": settings}
    done = {"key": key, "sources": listed.described, "images": added.num_rows}
    _write_skipped(to / "skipped.csv", [*listed.skipped, *listed.no_photos])
    result = add_records(to, existing, added, info=info, splits=splits, done=done)
    tidy(to, result.dataset.stored)
    before = len(existing) if existing else 0
    return ImportSummary(
        len(result.dataset) - before,
        result.duplicates,
        result.other_label,
        listed.skipped,
        listed.layouts,
        result.dataset,
        listed.guessed,
        passed_over=listed.passed_over,
    )


def source_names(sources: Sequence[str | Path]) -> list[str]:
    """What sources are called in a data set: their own names, with as many parents' as tell them apart."""
    paths = [Path(source).resolve() for source in sources]
    parts = [(*path.parts[:-1], path.stem if path.is_file() else path.name) for path in paths]
    length = 1
    while len({own[-length:] for own in parts}) < len(set(parts)):
        length += 1
    return [readable("/".join(own[-length:])) for own in parts]


def _key(items: Sequence[tuple[str, SourceImage]], size: int, license_name: str | None) -> str:
    """A hash of what is imported and how."""
    how = {"size": size, "quality": JPEG_QUALITY, "license": license_name, "schema": SCHEMA.names}
    key = hashlib.sha256(json.dumps(how).encode())
    for name, image in items:
        fields: list[object] = [*image._replace(file="", sidecars=())]  # all but the files
        for file in (image.file, *image.sidecars):
            with suppress(OSError):  # a file that can't be read is skipped later
                stat = os.stat(file)  # noqa: PTH116  # a Path for each takes as long again
                fields += [stat.st_size, stat.st_mtime_ns]
        key.update(f"\n{(name, *fields)!r}".encode())
    return key.hexdigest()


def _reasons(skipped: list[Skipped]) -> Counter[str]:
    return Counter(reason.split(" (")[0] for _, reason in skipped)


def _write_skipped(path: Path, skipped: list[Skipped]) -> None:
    write_atomic(path, csv_text([("path", "reason"), *skipped]).encode())
