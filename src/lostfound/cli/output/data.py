"""What the commands about data sets print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from lostfound.cli.common import show
from lostfound.cli.output.tables import counted, make_console, make_table, print_json

if TYPE_CHECKING:
    from lostfound.data.dataset import Dataset
    from lostfound.data.importers.importing import ImportSummary
    from lostfound.data.preparing.leaks import Leak
    from lostfound.data.preparing.prepare import Preparation

_SHOWN = 15


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
                "passed_over": dict(summary.passed_over.most_common()),
                "layouts": summary.layouts,
                "guessed_countries": summary.guessed,
                "in_another_country": [each._asdict() for each in summary.elsewhere],
                "warnings": summary.warnings,
                "images": len(summary.dataset),
                "dataset": str(to),
            }
        )
        return
    for source, layout in summary.layouts.items():
        show(f"{source}: layout {layout}")
    show(f"\nImported into {to}:")
    table = make_table("what", "number", numbers=["number"])
    table.add_row("images imported", str(summary.imported))
    table.add_row("duplicates, left out", str(summary.duplicates))
    if summary.other_label:
        table.add_row("  of them with another place or country", str(summary.other_label))
    if summary.elsewhere:
        table.add_row("coordinates in another country than stated", str(len(summary.elsewhere)))
    for reason, count in reasons.items():
        table.add_row(f"skipped: {reason}", str(count))
    for kind, count in summary.passed_over.most_common():
        table.add_row(f"other files: {kind}", str(count))
    table.add_row("images now in the data set", str(len(summary.dataset)), style="bold")
    make_console().print(table)
    for name, could_be in list(summary.guessed.items())[:_SHOWN]:
        show(f"{name!r} was taken for the first of {could_be}; the place of a photo went before it")
    for each in summary.elsewhere[:_SHOWN]:
        show(f"{each.path}: {each.stated} is stated and kept; its coordinates lie in {each.at}")
    if summary.elsewhere:
        show(f"All images in another country than stated: {to / 'other_country.csv'}")
    for warning in summary.warnings:
        show(f"Warning: {warning}")
    if reasons or summary.passed_over:
        show(f"Skipped files, one by one: {to / 'skipped.csv'}")


def print_preparation(made: Preparation, *, as_json: bool = False) -> None:
    """Say what each step of a preparation did, and what the new data sets hold."""
    from lostfound.data.preparing.prepare import DROPPED
    from lostfound.data.stats import dataset_stats

    if as_json:
        datasets = [str(each.folder) for each in made.datasets]
        stats = asdict(dataset_stats(made.datasets[0]))
        print_json({**stats, "datasets": datasets, "prepared": made.report})
        return
    steps = make_table("step", "reason", "dropped", "left", numbers=["dropped", "left"])
    steps.add_row("", "images to prepare", "", str(made.report["images"]))
    for each in made.report["steps"]:
        other = each.get("with_another_country", 0)
        note = f" ({other} with another country)" if other else ""
        steps.add_row(each["step"], each["reason"] + note, str(each["dropped"]), str(each["left"]))
    filled = {name: count for name, count in made.report.get("enriched", {}).items() if count}
    if filled:
        show("Enriched: " + ", ".join(f"{name} {count}" for name, count in filled.items()) + "\n")
    console = make_console()
    console.print(steps)
    if "balance" in made.report:
        console.print()
        _show_balance(console, made.report["balance"])
    show()
    print_stats(made.datasets[0])
    for other in made.datasets[1:]:
        show(f"\n{other.folder}: the same images, {other.info['settings']['size']} pixels")
    if made.report["steps"]:
        show(f"\nWhat was left out, one by one: {made.datasets[0].folder / DROPPED}")


def _show_balance(console: Console, balance: dict[str, Any]) -> None:
    countries = balance["countries"]
    kept = sum(each["kept"] for each in countries.values())
    table = make_table(
        "country", "images", "target", "kept", "share", numbers=["images", "target", "kept", "share"]
    )
    staying = {code: each for code, each in countries.items() if each["kept"]}
    for code, each in list(staying.items())[:_SHOWN]:
        target = "" if each["target"] is None else f"{100 * each['target']:.2f} %"
        share = f"{100 * each['kept'] / kept:.2f} %"
        table.add_row(code, str(each["images"]), target, str(each["kept"]), share)
    rest = list(staying.values())[_SHOWN:]
    if rest:
        images, staying_images = (str(sum(each[key] for each in rest)) for key in ("images", "kept"))
        table.add_row(f"{len(rest)} more", images, "", staying_images, style="dim")
    console.print(table)
    gone = len(countries) - len(staying)
    lost = sum(each["images"] for each in countries.values()) - kept
    said = f"Balanced: {counted(lost, 'image')} and {counted(gone, 'country')} dropped, "
    said += f"{counted(kept, 'image')} of {counted(len(staying), 'country')} kept"
    if balance["limited_by"]:
        said += f"; a larger total is not possible for want of images of {balance['limited_by']}"
    console.print(said)


def _show_leaks(console: Console, leaks: Sequence[Leak], unlocated: int) -> None:
    from lostfound.data.preparing.leaks import QUANTILES

    # Broken between words, so that the table fits 80 columns.
    shared = ("located", "no\ncoordinates", "too\nnear", "same\npanorama", "same\nbytes", "near\nduplicates")
    columns = ("split", "against", "images", *shared)
    table = make_table(*columns, numbers=columns[2:])
    for each in leaks:
        numbers = (
            each.images,
            each.located,
            each.unlocated,
            each.within,
            each.same_panorama,
            each.same_bytes,
            each.near_duplicates,
        )
        style = None if each.clean else "red"
        table.add_row(each.split, each.other, *map(str, numbers), style=style)
    console.print(table)
    distances = make_table("km to the nearest image", *QUANTILES, numbers=QUANTILES)
    for each in leaks:
        if each.distance_km:
            values = (f"{each.distance_km[name]:.3f}" for name in QUANTILES)
            distances.add_row(f"{each.split} against {each.other}", *values)
    if distances.row_count:
        console.print()
        console.print(distances)
    clean = all(each.clean for each in leaks)
    said = "No leaks: the splits share no place, no copy and no neighbourhood."
    if not all(each.known for each in leaks):
        said = (
            f"No leaks found, but they can't be ruled out: {counted(unlocated, 'image')} of the data set "
            f"{'has' if unlocated == 1 else 'have'} no coordinates, and what lies near such is not known."
        )
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
    show(
        f"{dataset.folder}: {counted(stats.images, 'image')} of {counted(stats.places, 'place')}, "
        f"{stats.located} with coordinates, {counted(len(stats.countries.keys() - {'unknown'}), 'country')}"
    )
    splits = make_table("split", "images", "places", numbers=["images", "places"])
    for name in SPLITS:
        splits.add_row(name, str(stats.splits.get(name, 0)), str(stats.places_by_split.get(name, 0)))
    sources = make_table("source", "images", numbers=["images"])
    for name, count in stats.sources.items():
        sources.add_row(name, str(count))
    views = make_table("views of a place", "places", numbers=["places"])
    for number, places in stats.views.items():
        views.add_row(str(number), str(places))
    countries = make_table("country", "images", numbers=["images"])
    for code, count in list(stats.countries.items())[:_SHOWN]:
        countries.add_row(code if code == "unknown" else f"{country_name(code)} ({code})", str(count))
    rest = list(stats.countries.values())[_SHOWN:]
    if rest:
        countries.add_row(f"{len(rest)} more", str(sum(rest)), style="dim")
    console = make_console()
    for table in (splits, sources, views, countries):
        console.print()
        console.print(table)
    if leaks is not None:
        console.print()
        _show_leaks(console, leaks, stats.images - stats.located)
