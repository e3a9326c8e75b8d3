"""What commands print: tables for people, JSON for machines."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from lostfound.data.dataset import Dataset
    from lostfound.data.importers.importing import ImportSummary
    from lostfound.data.preparing.leaks import Leak
    from lostfound.data.preparing.prepare import Preparation
    from lostfound.evaluation.evaluate import Evaluation
    from lostfound.predict.outputs import LocatedPhoto
    from lostfound.training.fit import FitResult

_SHOWN = 15
_WIDE = 1000  # a pipe or a file has no edge to break lines at


def _console(file: io.StringIO | None = None) -> Console:
    # Neither markup nor emoji: names of files and folders are shown as they are.
    console = Console(file=file, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = _WIDE
    return console


def _table(*columns: str, numbers: Iterable[str] = ()) -> Table:
    """A table whose long words are folded, never cut."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    numbers = set(numbers)
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    return table


def print_json(values: dict[str, Any]) -> None:
    """Print values for machines."""
    print(json.dumps(values, indent=2, ensure_ascii=False))


def print_import(summary: ImportSummary, to: Path, *, as_json: bool = False) -> None:
    """Say what an import did."""
    reasons = dict(summary.reasons.most_common())
    if as_json:
        print_json(
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
    for source, layout in summary.layouts.items():
        print(f"{source}: layout {layout}")
    print(f"\nImported into {to}:")
    table = _table("what", "number", numbers=["number"])
    table.add_row("images imported", str(summary.imported))
    table.add_row("duplicates, left out", str(summary.duplicates))
    if summary.other_label:
        table.add_row("  of them with another place or country", str(summary.other_label))
    for reason, count in reasons.items():
        table.add_row(f"skipped: {reason}", str(count))
    table.add_row("images now in the data set", str(len(summary.dataset)), style="bold")
    _console().print(table)
    if reasons:
        print(f"Skipped files, one by one: {to / 'skipped.csv'}")


def print_preparation(made: Preparation, *, as_json: bool = False) -> None:
    """Say what each step of a preparation did, and what the new data sets hold."""
    from lostfound.data.preparing.prepare import DROPPED
    from lostfound.data.stats import dataset_stats

    if as_json:
        datasets = [str(each.folder) for each in made.datasets]
        stats = asdict(dataset_stats(made.datasets[0]))
        print_json({**stats, "datasets": datasets, "prepared": made.report})
        return
    steps = _table("step", "reason", "dropped", "left", numbers=["dropped", "left"])
    steps.add_row("", "images to prepare", "", str(made.report["images"]))
    for each in made.report["steps"]:
        other = each.get("with_another_country", 0)
        note = f" ({other} with another country)" if other else ""
        steps.add_row(each["step"], each["reason"] + note, str(each["dropped"]), str(each["left"]))
    filled = {name: count for name, count in made.report.get("enriched", {}).items() if count}
    if filled:
        print("Enriched: " + ", ".join(f"{name} {count}" for name, count in filled.items()) + "\n")
    console = _console()
    console.print(steps)
    if "balance" in made.report:
        console.print()
        _show_balance(console, made.report["balance"])
    print()
    print_stats(made.datasets[0])
    for other in made.datasets[1:]:
        print(f"\n{other.folder}: the same images, {other.info['settings']['size']} pixels")
    if made.report["steps"]:
        print(f"\nWhat was left out, one by one: {made.datasets[0].folder / DROPPED}")


def _show_balance(console: Console, balance: dict[str, Any]) -> None:
    countries = balance["countries"]
    kept = sum(each["kept"] for each in countries.values())
    table = _table(
        "country", "images", "target", "kept", "share", numbers=["images", "target", "kept", "share"]
    )
    staying = {code: each for code, each in countries.items() if each["kept"]}
    for code, each in list(staying.items())[:_SHOWN]:
        target = "" if each["target"] is None else f"{100 * each['target']:.2f} %"
        share = f"{100 * each['kept'] / kept:.2f} %"
        table.add_row(code, str(each["images"]), target, str(each["kept"]), share)
    rest = list(staying.values())[_SHOWN:]
    if rest:
        counted = (str(sum(each[key] for each in rest)) for key in ("images", "kept"))
        table.add_row(f"{len(rest)} more", next(counted), "", next(counted), style="dim")
    console.print(table)
    gone = len(countries) - len(staying)
    lost = sum(each["images"] for each in countries.values()) - kept
    said = f"Balanced: {_count(lost, 'image')} and {_count(gone, 'country')} dropped, "
    said += f"{_count(kept, 'image')} of {_count(len(staying), 'country')} kept"
    if balance["limited_by"]:
        said += f"; a larger total is not possible for want of images of {balance['limited_by']}"
    console.print(said)


def _show_leaks(console: Console, leaks: Sequence[Leak]) -> None:
    from lostfound.data.preparing.leaks import QUANTILES

    counted = ("located", "too near", "same panorama", "same bytes", "near-duplicates")
    columns = ("split", "against", "images", *counted)
    table = _table(*columns, numbers=columns[2:])
    for each in leaks:
        numbers = (
            each.images,
            each.located,
            each.within,
            each.same_panorama,
            each.same_bytes,
            each.near_duplicates,
        )
        style = None if each.clean else "red"
        table.add_row(each.split, each.other, *map(str, numbers), style=style)
    console.print(table)
    distances = _table("km to the nearest image", *QUANTILES, numbers=QUANTILES)
    for each in leaks:
        if each.distance_km:
            values = (f"{each.distance_km[name]:.3f}" for name in QUANTILES)
            distances.add_row(f"{each.split} against {each.other}", *values)
    if distances.row_count:
        console.print()
        console.print(distances)
    clean = all(each.clean for each in leaks)
    said = "No leaks: the splits share no place, no copy and no neighbourhood."
    console.print(
        "\n" + (said if clean else "Leaks: what is tested on is not new. Divide anew with --resplit.")
    )


def print_stats(dataset: Dataset, *, leaks: Sequence[Leak] | None = None, as_json: bool = False) -> None:
    """Say what a data set holds, and what its splits share if that was asked for."""
    from lostfound.data.records import SPLITS
    from lostfound.data.stats import dataset_stats
    from lostfound.geo.countries import country_name

    stats = dataset_stats(dataset)
    if as_json:
        shared = {} if leaks is None else {"leaks": [asdict(each) for each in leaks]}
        print_json({**asdict(stats), **shared})
        return
    print(
        f"{dataset.folder}: {_count(stats.images, 'image')} of {_count(stats.places, 'place')}, "
        f"{stats.located} with coordinates, {_count(len(stats.countries.keys() - {'unknown'}), 'country')}"
    )
    splits = _table("split", "images", "places", numbers=["images", "places"])
    for name in SPLITS:
        splits.add_row(name, str(stats.splits.get(name, 0)), str(stats.places_by_split.get(name, 0)))
    sources = _table("source", "images", numbers=["images"])
    for name, count in stats.sources.items():
        sources.add_row(name, str(count))
    views = _table("views of a place", "places", numbers=["places"])
    for number, places in stats.views.items():
        views.add_row(str(number), str(places))
    countries = _table("country", "images", numbers=["images"])
    for code, count in list(stats.countries.items())[:_SHOWN]:
        countries.add_row(code if code == "unknown" else f"{country_name(code)} ({code})", str(count))
    rest = list(stats.countries.values())[_SHOWN:]
    if rest:
        countries.add_row(f"{len(rest)} more", str(sum(rest)), style="dim")
    console = _console()
    for table in (splits, sources, views, countries):
        console.print()
        console.print(table)
    if leaks is not None:
        console.print()
        _show_leaks(console, leaks)


def print_fit(result: FitResult) -> None:
    """Say how a training went."""
    from lostfound.evaluation.card import describe_score

    if result.weights:
        loaded, fresh, unused = (
            len(part) for part in (result.weights.loaded, result.weights.fresh, result.weights.unused)
        )
        print(
            f"Weights: {loaded} tensors loaded, {fresh} of the backbone not in the file, "
            f"{unused} of the file not used (such as another head)"
        )
    if result.left_out:
        names = ", ".join(f"{name} ({count})" for name, count in result.left_out)
        print(f"Left out, too few training images: {names}")
    if result.places_left_out:
        print(f"Left out, too few views: {_count(result.places_left_out, 'place')}")
    if result.locked:
        print(f"Locked: {_count(len(result.locked), 'layer')}, {result.locked[0]} to {result.locked[-1]}")
    name, value = describe_score(result.monitor, result.best_score)
    print(f"Trained in {result.seconds:.0f} s; best epoch {result.best_epoch}, validation {name} {value}")


def print_evaluation(measured: Evaluation, *, as_json: bool = False) -> None:
    """Print an evaluation's numbers with their intervals."""
    from lostfound.evaluation.card import describe

    if as_json:
        print_json(measured.as_dict())
        return
    numbers = ("value", "95 % interval", "images", "places")
    print(f"{measured.title}:\n")
    table = _table("metric", *numbers, numbers=numbers)
    for name, metric in measured.metrics.items():
        table.add_row(*describe(name, metric), str(metric.n), str(metric.places))
    _console().print(table)
    if measured.calibration_error is not None:
        print(f"\nExpected calibration error: {measured.calibration_error:.3f}")
    outside = measured.about["images_outside_all_cells"]
    if outside:
        where = ", ".join(measured.about["countries_outside_all_cells"])
        print(f"{_count(outside, 'image')} in no cell of the model, counted as wrong: {where}")


def print_located(results: Sequence[LocatedPhoto]) -> None:
    """Print where photos were taken, as far as their pixels tell."""
    _show_located(_console(), results)


def located_text(results: Sequence[LocatedPhoto]) -> str:
    """What `print_located` prints, as plain text."""
    text = io.StringIO()
    _show_located(_console(text), results)
    return text.getvalue()


def _show_located(console: Console, results: Sequence[LocatedPhoto]) -> None:
    from lostfound.predict.outputs import NOTE

    table = _table("photo", "best coordinate", "candidates", numbers=["best coordinate"])
    # Photos of one place share their guess, and then their row
    for _, group in groupby(results, key=lambda each: each.guess and id(each.guess)):
        together = list(group)
        if together[0].guess is None:
            for each in together:
                table.add_row(each.photo, "", Text(str(each.error), style="red"), end_section=True)
            continue
        guess = together[0].guess
        where = f"{guess.latitude:.3f}, {guess.longitude:.3f}"
        listed = "\n".join(
            one.name if one.probability is None else f"{100 * one.probability:5.1f} %  {one.name}"
            for one in guess.candidates
        )
        table.add_row("\n".join(each.photo for each in together), where, listed, end_section=True)
    console.print(table)
    console.print(f"\nThese are {NOTE}.", style="dim")


def _count(number: int, noun: str) -> str:
    plural = noun.removesuffix("y") + "ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
