"""What the commands about models print: how a training went, what a model is worth, where photos are."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from lostfound.cli.common import say, show
from lostfound.cli.output.tables import counted, make_console, make_table, print_json
from lostfound.texts import shown_name

if TYPE_CHECKING:
    from lostfound.data.dataset import Dataset
    from lostfound.evaluation.evaluate import Evaluation
    from lostfound.evaluation.report.versus import Comparison
    from lostfound.predict.calibration import Calibration
    from lostfound.predict.guess import Guess
    from lostfound.predict.model_folder import ModelFolder
    from lostfound.predict.outputs import LocatedPhoto
    from lostfound.training.fit import FitResult
    from lostfound.training.settings import Data

_ANSWER_WIDTH = 22  # leaves room for names in 80 columns


def print_fit(result: FitResult) -> None:
    """Say how a training went."""
    from lostfound.evaluation.card import describe_monitor

    if result.weights:
        loaded, fresh, unused = (
            len(part) for part in (result.weights.loaded, result.weights.fresh, result.weights.unused)
        )
        show(
            f"Weights: {loaded} tensors loaded, {fresh} of the backbone not in the file, "
            f"{unused} of the file not used (such as another head)"
        )
    if result.left_out:
        names = ", ".join(f"{name} ({count})" for name, count in result.left_out)
        show(f"Left out, too few training images: {names}")
    if result.places_left_out:
        show(f"Left out, too few views: {counted(result.places_left_out, 'place')}")
    if result.locked:
        show(f"Locked: {counted(len(result.locked), 'layer')}, {result.locked[0]} to {result.locked[-1]}")
    name, value = describe_monitor(result.monitor, result.best_score)
    show(f"Trained in {result.seconds:.0f} s; best epoch {result.best_epoch}, validation {name} {value}")


def print_evaluation(measured: Evaluation, *, as_json: bool = False) -> None:
    """Print an evaluation's numbers with their intervals."""
    from lostfound.evaluation.card import describe

    if as_json:
        print_json(measured.as_dict())
        return
    numbers = ("value", "95 % interval", "images", "places")
    show(f"{measured.title}:\n")
    table = make_table("metric", *numbers, numbers=numbers)
    for name, metric in measured.metrics.items():
        table.add_row(*describe(name, metric), str(metric.n), str(metric.places))
    make_console().print(table)
    if "rules" in measured.about:
        show(f"\nDistances by the rules of {measured.about['rules']}.")
    if unanswered := measured.about.get("images_without_an_answer"):
        show(f"\n{counted(unanswered, 'image')} without an answer, left out of every number.")
    if measured.calibration_error is not None:
        show(f"\nExpected calibration error: {measured.calibration_error:.3f}")
    outside = measured.about["images_outside_all_cells"]
    if outside:
        where = ", ".join(measured.about["countries_outside_all_cells"])
        show(f"{counted(outside, 'image')} in no cell of the model, counted as wrong: {where}")


def say_left_out(dataset: Dataset, split: str, settings: Data) -> None:
    """Say which images of a split a recipe leaves out, where another count of them may surprise.

    Args:
        dataset: With all of its images.
        split: That was measured on.
        settings: What the recipe says of its images.
    """
    from lostfound.training.images import left_out

    part = dataset if split == "all" else dataset.split(split)
    reasons = left_out(part, settings)
    if reasons:
        why = "; ".join(f"{count} {reason}" for reason, count in reasons.items())
        kept = len(part) - sum(reasons.values())
        which = "all" if split == "all" else split
        say(
            f"The recipe is about {kept} of the {len(part)} {which} images, and `lostfound train` counts "
            f"those alone; `lostfound evaluate` counts all ({why})"
        )


def print_calibration(model: ModelFolder, *, as_json: bool = False) -> None:
    """Say what calibrating a model found."""
    found = model.calibration
    if as_json:
        print_json(found.as_dict())
        return
    about = found.about
    table = make_table("what", "value", numbers=["value"])
    table.add_row("images, places", f"{about['images']}, {about['places']}")
    table.add_row("places with coordinates", str(about["places_with_coordinates"]))
    if "images_elsewhere" in about:
        table.add_row("images from elsewhere", str(about["images_elsewhere"]))
    if "pictures_of_no_place" in about:
        table.add_row("pictures of no place", str(about["pictures_of_no_place"]))
    if model.partition is not None:
        heat = f" times strangeness^{found.strangeness_power:.2f}" if found.strangeness_power else ""
        table.add_row("temperature", f"{found.temperature:.3f}{heat}")
        table.add_row("several views", f"{found.pooling}, times views^{found.view_exponent:.2f}")
        table.add_row("answers from", f"{100 * (found.doubtful_below or 0):.1f} %")
        table.add_row("... so many of these images", f"{100 * about['answered']:.1f} %")
        table.add_row("... which are right for", f"{100 * about['accuracy_of_answers']:.1f} %")
    for views, rules in found.radius_factors.items():
        half, most = rules["best"]
        table.add_row(f"its own 50 and 90 % radii, {views}", f"x {half:.2f}, x {most:.2f}")
    if found.strange_above is not None:
        table.add_row("strange from", f"{found.strange_above:.2f}")
    make_console().print(table)
    if missed := missed_accuracy(found):
        show(f"\n{missed}")


def missed_accuracy(calibration: Calibration) -> str | None:
    """What to say where a model is right less often than was asked, for all its "I don't know"; else None."""
    about = calibration.about
    if about.get("accuracy_of_answers", 1) >= about.get("accuracy_asked", 0):
        return None
    images = counted(about["images"] + about.get("images_elsewhere", 0), "image")
    asked, answered, right = (
        f"{100 * about[name]:.0f} %" for name in ("accuracy_asked", "answered", "accuracy_of_answers")
    )
    return (
        f'No threshold of "I don\'t know" makes it right for {asked} of what it answers. With the nearest it '
        f"answers {answered} of the {images} that calibrated it, and is right for {right} of those."
    )


def print_comparison(comparison: Comparison, *, as_json: bool = False) -> None:
    """Print several answers to the same images, beside each other."""
    from lostfound.evaluation.metrics import METRICS
    from lostfound.evaluation.report.versus_page import NOTE, cells, shared, warnings

    if as_json:
        print_json(comparison.as_dict())
        return
    show(f"On {shared(comparison)}:\n")
    numbers = ("value", "95 % interval", "difference", "its 95 % interval", "p")
    table = make_table("metric", "who", *numbers, numbers=numbers)
    last = None
    for row in comparison.rows:
        heading = METRICS[row.metric].heading if row.metric != last else ""
        table.add_row(heading, row.name, *cells(row))
        last = row.metric
    make_console().print(table)
    for text in (*warnings(comparison), NOTE):
        show(f"\n{text}")


def print_located(results: Sequence[LocatedPhoto]) -> None:
    """Print where photos were taken, as far as their pixels tell."""
    _show_located(make_console(), results)


def located_text(results: Sequence[LocatedPhoto]) -> str:
    """What `print_located` prints, as plain text."""
    text = io.StringIO()
    _show_located(make_console(text), results)
    return text.getvalue()


def _show_located(console: Console, results: Sequence[LocatedPhoto]) -> None:
    from lostfound.predict.outputs import NOTE

    table = make_table("photo", "answer", "candidates")
    # Photos of one place share their guess, and then their row
    for _, group in groupby(results, key=lambda each: each.guess and id(each.guess)):
        together = list(group)
        guess = together[0].guess
        if guess is None:
            for each in together:
                table.add_row(
                    shown_name(each.photo), "", Text(str(each.error), style="red"), end_section=True
                )
            continue
        names = "\n".join(shown_name(each.photo) for each in together)
        candidates = Text(_candidates(guess), style="dim" if guess.abstained else "")
        answer = "\n".join([_answer(guess), *_positions(together)])
        table.add_row(names, answer, candidates, end_section=True)
    console.print(table)
    if any(each.guess and each.guess.abstained for each in results):
        console.print("\n`lostfound locate --always-answer` names a place all the same.", style="dim")
    console.print(f"\nThese are {NOTE}.", style="dim")


def _positions(photos: Sequence[LocatedPhoto]) -> list[str]:
    """What the files themselves say of their place, and how far from it the answer is; in narrow lines."""
    lines: list[str] = []
    for each in photos:
        if each.gps is not None:
            lines.append(f"GPS: {each.gps[0]:.3f}, {each.gps[1]:.3f}")
            if each.km_from_gps is not None:
                lines.append(f"  {each.km_from_gps:,.{each.km_from_gps < 10:d}f} km from the answer")
    return lines


def _answer(guess: Guess) -> str:
    """The best coordinate, how far off it may be, and why it is worth little; in narrow lines."""
    from lostfound.predict.outputs import written_radius

    if guess.abstained:
        lines = ["I don't know"]
    else:
        lines = [f"{guess.latitude:.3f}, {guess.longitude:.3f}"]
        lines += [f"{share} % within {written_radius(radius)}" for share, radius in guess.radii_km.items()]
    if guess.left_out is not None:
        lines.append(f"left out: {100 * guess.left_out:.0f} %")
    if guess.warning:
        why = guess.warning if guess.abstained else f"beware: {guess.warning}"
        lines += wrap(why, _ANSWER_WIDTH)
    return "\n".join(lines)


def _candidates(guess: Guess) -> str:
    return "\n".join(
        one.name if one.probability is None else f"{100 * one.probability:5.1f} %  {one.name}"
        for one in guess.candidates
    )
