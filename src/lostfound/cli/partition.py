"""`lostfound partition`: build label spaces, look at them, and compare them."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lostfound.cli.common import AsJson, DatasetFolder, example, say
from lostfound.cli.common import show as show_line
from lostfound.errors import DatasetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lostfound.data.dataset import Dataset
    from lostfound.partitions import Partition, PartitionReport


partition = typer.Typer(
    help="Build, show and compare partitions of the Earth.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog=example("lostfound partition compare data/streets countries s2:max_images=200"),
)


# A comma ends a setting only where another one begins: values may be lists.
_NEXT_SETTING = re.compile(r",(?=\w+=)")
_LISTED = 5


@partition.command(
    epilog=example("lostfound partition build data/streets s2 --set max_images=200 --to s2.parquet")
)
def build(
    dataset: DatasetFolder,
    to: Annotated[Path, typer.Option(metavar="FILE", help="The partition (GeoParquet).", show_default=False)],
    named: Annotated[str | None, typer.Argument(metavar="KIND", hidden=True)] = None,
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="Kind of cells, if it isn't named above.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the kind.", show_default=False),
    ] = None,
    json: AsJson = False,
) -> None:
    """Build a partition from a data set's training split.

    DATASET is its folder, KIND that of the cells. The kinds, and their own settings: countries; regions;
    cities (cities=[Zagreb, Split], radius_km); square (cell_km or cells); voronoi (spacing_km or cells); s2
    (max_images); quadtree (split_at); polygons (files=regions.geojson). All take min_images, and
    centroid=mean or geometric.
    """
    from lostfound.data.dataset import Dataset
    from lostfound.files import STANDARD_OUTPUT, write_output

    built = _build(Dataset.open(dataset), _one_kind(named, kind), _settings(set_ or (), "--set "))
    write_output(to, built.to_parquet())
    if to != STANDARD_OUTPUT:
        _print_summary(built, to, as_json=json)


def _one_kind(named: str | None, kind: str | None) -> str:
    """The kind that was given, as an argument or as an option."""
    if named is not None and kind is not None and named != kind:
        raise UsageError(f"two kinds of cells, {named} and {kind}: give one")
    chosen = named or kind
    if chosen is None:
        from lostfound.partitions import PARTITION_KINDS

        raise UsageError(f"which kind of cells? Give one of {', '.join(PARTITION_KINDS)}")
    return chosen


@partition.command(epilog=example("lostfound partition show s2.parquet --to s2.png --to s2.html"))
def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", hidden=True)],
    to: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PNG_OR_HTML", help="Draw the cells: a picture, or a page with a map. May be repeated."
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Say what a partition holds, and draw it, coloured by images.

    The page works with no network: hover a cell for its name, id and number of images.
    """
    targets = to or []
    for target in targets:
        if target.suffix.lower() not in (".png", ".html"):
            raise UsageError(f"--to {target}: name a picture (.png) or a page (.html)")
    loaded = _load(file)
    _print_summary(loaded, file, as_json=json)
    for target in targets:
        _draw(loaded, file, target)


@partition.command(
    epilog=example("lostfound partition compare data/streets countries s2:max_images=200 mine.parquet")
)
def compare(
    dataset: DatasetFolder,
    partitions: Annotated[
        list[str],
        typer.Argument(metavar="KIND_OR_FILE...", hidden=True),
    ],
    split: Annotated[
        str, typer.Option(metavar="SPLIT", help="Judge by these images: test, val, train or all.")
    ] = "test",
    json: AsJson = False,
) -> None:
    """Compare partitions by the errors that they leave.

    Each is a kind, with its settings after a colon, built from the training split; or a file. The oracle is
    a classifier that always picks the right cell: its error is what the cells themselves cost. For an image
    outside all cells it picks the nearest.
    """
    import numpy as np

    from lostfound.data.dataset import Dataset
    from lostfound.data.records import SPLITS, coordinates, strings
    from lostfound.partitions import compare_partitions

    if split not in (*SPLITS, "all"):
        raise UsageError(f"no split {split!r}: choose test, val, train or all")
    opened = Dataset.open(dataset)
    records = (opened if split == "all" else opened.split(split)).records
    points = coordinates(records)
    located = int(np.isfinite(points).all(axis=1).sum())
    if not located:
        raise DatasetError(
            f"{dataset} has no {'' if split == 'all' else split + ' '}images with coordinates: "
            "choose another --split, or import images that have them"
        )
    built = {text: _from_text(opened, text) for text in dict.fromkeys(partitions)}
    reports = compare_partitions(built, points, strings(records, "country"))
    if json:
        values = {text: asdict(report) for text, report in reports.items()}
        _echo_json({"dataset": str(dataset), "split": split, "images": located, "partitions": values})
    else:
        _print_comparison(reports, split, f"{dataset}: judged by {located:,} images ({split})")


def _from_text(dataset: Dataset, text: str) -> Partition:
    """A partition from a file, or from a kind and its settings, such as "square:cells=200"."""
    from lostfound.partitions import PARTITION_KINDS

    kind, _, rest = text.partition(":")
    if kind in PARTITION_KINDS:
        return _build(dataset, kind, _settings(_NEXT_SETTING.split(rest) if rest else (), f"{text}: "))
    if Path(text).is_file():
        return _load(Path(text))
    raise UsageError(f"{text!r} is neither a file nor a kind of partition: {', '.join(PARTITION_KINDS)}")


def _build(dataset: Dataset, kind: str, settings: dict[str, Any]) -> Partition:
    from lostfound.data.records import coordinates, strings
    from lostfound.partitions import build_partition

    records = dataset.split("train").records
    return build_partition(kind, coordinates(records), strings(records, "country"), **settings)


def _settings(pairs: Iterable[str], where: str) -> dict[str, Any]:
    """Settings written as key=value, values as in recipes (YAML 1.2)."""
    from lostfound.settings import read_yaml

    values = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"{where}{pair!r}: write a setting as key=value, such as min_images=10")
        values[key.strip()] = read_yaml(text, f"{where}{pair!r}: the value")
    return values


def _load(file: Path) -> Partition:
    from lostfound.errors import refused_as
    from lostfound.partitions import Partition

    if not file.is_file():
        raise DatasetError(f"{file} is not there: make it with `lostfound partition build`")
    said = f"{file} is not a partition's file: make one with `lostfound partition build`"
    with refused_as(DatasetError, said):
        return Partition.load(file)


def _draw(drawn: Partition, file: Path, target: Path) -> None:
    settings = ", ".join(f"{key} {value}" for key, value in drawn.settings.items() if value is not None)
    if target.suffix.lower() == ".html":
        from lostfound.pages.partition import write_partition_page

        note = f"Partition of kind {drawn.kind} ({settings}), built from a training split by lostfound."
        write_partition_page(target, drawn, title=file.stem, note=note)
    else:
        from lostfound.files import write_output
        from lostfound.partitions.plot import draw_partition

        write_output(target, draw_partition(drawn, title=f"{file.stem}: {len(drawn):,} cells"))
    say(f"Drawn: {target}")


def _print_summary(shown: Partition, file: Path, *, as_json: bool) -> None:
    """A few numbers, and the fullest cells."""
    import numpy as np

    order = np.argsort(-shown.counts, kind="stable")
    fullest = [(shown.names[cell], int(shown.counts[cell])) for cell in order[:_LISTED]]
    summary: dict[str, Any] = {
        "file": str(file),
        "kind": shown.kind,
        "settings": dict(shown.settings),
        "cells": len(shown),
        "empty_cells": int((shown.counts == 0).sum()),
        "images": int(shown.counts.sum()),
        "images_per_cell": {
            "min": int(shown.counts.min()),
            "median": float(np.median(shown.counts)),
            "max": int(shown.counts.max()),
        },
        "fullest": dict(fullest),
    }
    if as_json:
        _echo_json(summary)
        return
    per_cell = summary["images_per_cell"]
    show_line(
        f"{file}: {shown.kind}, {len(shown):,} cells, {summary['images']:,} training images "
        f"({per_cell['min']:,} to {per_cell['max']:,} a cell, median {per_cell['median']:,.0f}; "
        f"{summary['empty_cells']:,} cells empty)"
    )
    show_line("Fullest: " + ", ".join(f"{name} {count:,}" for name, count in fullest))


def _print_comparison(reports: dict[str, PartitionReport], split: str, title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    from lostfound.texts import shown

    console = Console()
    console = console if console.is_terminal else Console(width=160)
    table = Table(title=shown(title), title_justify="left")
    table.add_column("partition", overflow="fold", min_width=20)
    columns = (
        "cells", f"no {split}\nimage", "images\noutside",
        "images\nmin", "images\nmedian", "images\nmax", "Gini",
        "radius km\nmedian", "radius km\n90 %", "oracle km\nmedian", "oracle km\nmean", "oracle\nscore",
    )  # fmt: skip
    for name in columns:
        table.add_column(name, justify="right")
    for name, each in reports.items():
        table.add_row(
            shown(name), f"{each.cells:,}", f"{each.empty_cells:,}", f"{each.outside:,}",
            f"{each.images_min:,}", f"{each.images_median:,.0f}", f"{each.images_max:,}",
            f"{each.images_gini:.2f}", _km(each.radius_km_median), _km(each.radius_km_p90),
            _km(each.oracle_median_km), _km(each.oracle_mean_km), f"{each.oracle_score:,.0f}",
        )  # fmt: skip
    console.print(table)


def _km(value: float) -> str:
    """Three digits, or a dash for what isn't known."""
    if value != value:  # NaN
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _echo_json(values: object) -> None:
    from lostfound.texts import json_text

    typer.echo(json_text(values))
