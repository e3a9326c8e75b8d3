"""What commands print: tables for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from lostfound.data.dataset import Dataset
from lostfound.data.importing import ImportSummary
from lostfound.data.records import SPLITS
from lostfound.evaluation.card import describe
from lostfound.evaluation.evaluate import Evaluation
from lostfound.geo.countries import country_name
from lostfound.locate.outputs import NOTE, Located

if TYPE_CHECKING:
    from lostfound.training.fit import FitResult

_SHOWN = 15


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=120)


def _json(values: dict[str, Any]) -> None:
    print(json.dumps(values, indent=2, ensure_ascii=False))


def print_import(summary: ImportSummary, to: Path, *, as_json: bool = False) -> None:
    """Say what an import did."""
    reasons = dict(summary.reasons.most_common())
    if as_json:
        _json(
            {
                "imported": summary.imported,
                "duplicates": summary.duplicates,
                "duplicates_with_another_label": summary.other_label,
                "skipped": reasons,
                "layouts": summary.layouts,
                "images": len(summary.dataset),
                "dataset": str(to),
            }
        )
        return
    table = Table(title=f"Imported into {to}", title_justify="left")
    table.add_column("what")
    table.add_column("images", justify="right")
    table.add_row("imported", str(summary.imported))
    with_other = f" ({summary.other_label} of them with another label)" if summary.other_label else ""
    table.add_row(f"duplicates, left out{with_other}", str(summary.duplicates))
    for reason, count in reasons.items():
        table.add_row(f"skipped: {reason}", str(count))
    table.add_row("now in the data set", str(len(summary.dataset)), style="bold")
    console = _console()
    for source, layout in summary.layouts.items():
        console.print(f"{source}: layout [bold]{layout}[/bold]", highlight=False)
    console.print(table)
    if reasons:
        console.print(f"Skipped files, one by one: {to / 'skipped.csv'}", highlight=False)


def print_stats(dataset: Dataset, *, as_json: bool = False) -> None:
    """Say what a data set holds."""
    from lostfound.data.stats import dataset_stats

    stats = dataset_stats(dataset)
    if as_json:
        _json(asdict(stats))
        return
    console = _console()
    console.print(
        f"[bold]{dataset.name}[/bold]: {stats.images} images of {stats.places} places, "
        f"{stats.located} with coordinates, {len(stats.countries)} countries",
        highlight=False,
    )
    splits = Table("split", "images", "places")
    for name in SPLITS:
        splits.add_row(name, str(stats.splits.get(name, 0)), str(stats.places_by_split.get(name, 0)))
    views = Table("views", "places")
    for number, places in stats.views.items():
        views.add_row(str(number), str(places))
    sources = Table("source", "images")
    for name, count in stats.sources.items():
        sources.add_row(name, str(count))
    countries = Table("country", "images")
    for code, count in list(stats.countries.items())[:_SHOWN]:
        countries.add_row(code if code == "unknown" else f"{country_name(code)} ({code})", str(count))
    rest = list(stats.countries.values())[_SHOWN:]
    if rest:
        countries.add_row(f"{len(rest)} more", str(sum(rest)), style="dim")
    for table in (splits, sources, views, countries):
        table.columns[-1].justify = "right"
        console.print(table)


def print_fit(result: FitResult) -> None:
    """Say how a training went."""
    console = _console()
    if result.weights:
        loaded, fresh, unused = (
            len(part) for part in (result.weights.loaded, result.weights.fresh, result.weights.unused)
        )
        console.print(
            f"Weights: {loaded} tensors loaded, {fresh} of the backbone not in the file, "
            f"{unused} of the file not used (such as another head)",
            highlight=False,
        )
    if result.left_out:
        names = ", ".join(f"{name} ({count})" for name, count in result.left_out)
        console.print(f"Left out, too few training images: {names}", highlight=False)
    console.print(
        f"Trained in {result.seconds:.0f} s; best epoch {result.best_epoch}, validation accuracy "
        f"{100 * result.val_accuracy:.1f} %",
        highlight=False,
    )


def print_evaluation(measured: Evaluation, *, as_json: bool = False) -> None:
    """Print an evaluation's numbers with their intervals."""
    if as_json:
        _json(measured.as_dict())
        return
    table = Table(title=measured.title, title_justify="left")
    for name in ("metric", "value", "95 % interval", "images", "places"):
        table.add_column(name, justify="left" if name == "metric" else "right")
    for name, metric in measured.metrics.items():
        table.add_row(*describe(name, metric), str(metric.n), str(metric.places))
    console = _console()
    console.print(table)
    console.print(f"Expected calibration error: {measured.calibration_error:.3f}", highlight=False)
    outside = measured.about["images_outside_all_cells"]
    if outside:
        where = ", ".join(measured.about["countries_outside_all_cells"])
        console.print(
            f"{outside} images lie in no cell of the model and count as wrong: {where}", highlight=False
        )


def print_located(results: Sequence[Located]) -> None:
    """Print where photos were taken, as far as their pixels tell."""
    console = _console()
    table = Table("photo", "candidates", "best coordinate")
    for each in results:
        if each.guess is None:
            table.add_row(each.photo, f"[red]{each.error}[/red]", "")
            continue
        listed = "\n".join(f"{100 * one.probability:5.1f} %  {one.name}" for one in each.guess.candidates)
        table.add_row(each.photo, listed, f"{each.guess.latitude:.3f}, {each.guess.longitude:.3f}")
    console.print(table)
    console.print(f"These are {NOTE}.", style="dim")
