"""Can a model's answers be trusted? Coverage, calibration, point rules, and when it says "I don't know".

    python benchmarks/trust.py MODEL DATASET:SPLIT ... [--unlike FOLDER]

Each data set is answered once; all rules and both units (photos, and places by several views together) are
decoded from that. FOLDER holds pictures that are no photos of places (food, faces, documents, drawings), of
which the model should say that it doesn't know.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from machine import machine, versions
from numpy.typing import NDArray
from parts import part_of

from lostfound.data.dataset import Dataset
from lostfound.data.records import strings
from lostfound.evaluation.bootstrap import Score
from lostfound.evaluation.evaluate import Evaluation, score
from lostfound.evaluation.metrics import METRICS, expected_calibration_error
from lostfound.predict.answering import DOUBTFUL, STRANGE
from lostfound.predict.distribution import POINT_RULES
from lostfound.predict.engine import Seen
from lostfound.predict.locator import Locator
from lostfound.predict.photos import find_photos
from lostfound.predict.predictions import Predictions

POINTS = ("mean_distance_km", "median_distance_km", "geoguessr_score")
TRUST = ("top_1_accuracy", "country_accuracy", "radius_50_coverage", "radius_90_coverage")
DRAWS = 200
LEAST = (0.1, 0.2, 0.3, 0.5, 0.7)  # how probable an answer may have to be


def main() -> None:
    """Measure and print a Markdown text."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("datasets", nargs="+", metavar="DATASET:SPLIT")
    parser.add_argument("--unlike", type=Path)
    arguments = parser.parse_args()
    locator = Locator.load(arguments.model)
    trust, surer, rules = [], [], []
    for text in arguments.datasets:
        images, part = part_of(text)
        for unit, answers in answered(locator, part).items():
            name = f"{images}, {unit}"
            found = score(answers["best"], part, metrics=TRUST)
            trust.append(f"| {name} | {trust_row(found, answers['best'])} |")
            if answers["best"].confidence is not None:
                surer.append(f"| {name} | {surer_row(found, answers['best'])} |")
            for rule, predictions in answers.items():
                numbers = score(predictions, part, metrics=POINTS).metrics
                if numbers:
                    rules.append(f"| {name} | {rule} | {values(numbers, POINTS)} |")
    print(f"# Can the answers of {locator.model.config['name']} be trusted?\n")
    print(f"`python benchmarks/trust.py MODEL {' '.join(Path(each).name for each in arguments.datasets)}`")
    print(f"on {machine()}; {versions('onnxruntime', 'numpy')}.")
    print("Intervals are 95 % bootstrap intervals by place.\n")
    labels = [
        *("what", "n, places", *(METRICS[name].label for name in TRUST), "sure of itself"),
        *("ECE (of a perfect one)", "doesn't know: doubtful, strange", "right where it answers"),
        "right, but not answered",
    ]
    print(f"| {' | '.join(labels)} |")
    print("|" + "---|" * (len(TRUST) + 8))
    print("\n".join(trust))
    print("\nOnly where the first answer is so probable (`--min-probability`): answered, right of these:\n")
    print("| what | " + " | ".join(f"{100 * least:.0f} %" for least in LEAST) + " |")
    print("|" + "---|" * (len(LEAST) + 1))
    print("\n".join(surer))
    print("\n| what | point | " + " | ".join(METRICS[name].heading for name in POINTS) + " |")
    print("|" + "---|" * (len(POINTS) + 2))
    print("\n".join(rules))
    if arguments.unlike:
        seen = [each for each in locator.look(find_photos([arguments.unlike])) if isinstance(each, Seen)]
        reasons = [locator.guess(each).warning for each in seen]
        unknown = sum(reason is not None for reason in reasons)
        print(f"\nOf {len(seen)} pictures that are no photos of places it doesn't know {unknown}.")


def answered(locator: Locator, part: Dataset) -> dict[str, dict[str, Predictions]]:
    """The predictions about photos, and about places of several views, by point rule."""
    seen, ids = locator.see(part), strings(part.records, "image_id")
    found = {}
    for unit, groups in (("photos", ids), ("places", strings(part.records, "place_id"))):
        belief, looks, _ = locator.believe(seen, groups, ids)
        if unit == "places":
            several = looks.views > 1
            if not several.any():
                continue
        else:
            several = looks.views > 0
        rules = POINT_RULES if belief.ranks_cells else POINT_RULES[:1]
        found[unit] = {
            rule: kept(locator.answerer.using(point=rule).predictions(belief, looks, 5), several)
            for rule in rules
        }
    return found


def kept(predictions: Predictions, rows: NDArray[np.bool_]) -> Predictions:
    """Some of the predictions."""
    return Predictions.from_table(predictions.to_table().filter(rows), predictions.partition)


def trust_row(found: Evaluation, predictions: Predictions) -> str:
    """How sure it is and how right, and when it doesn't answer."""
    rows = found.predictions
    confidence = predictions.confidence
    truth, guess = (strings(rows, name) for name in ("country", "guess_country"))
    right = truth == guess
    if confidence is None:
        sure, error = "", ""
    else:
        generator = np.random.default_rng(0)
        noise = [
            expected_calibration_error(confidence, generator.random(len(confidence)) < confidence)
            for _ in range(DRAWS)
        ]
        sure = f"{100 * confidence.mean():.1f} %"
        error = f"{found.calibration_error:.3f} ({np.mean(noise):.3f})"
    reasons = predictions.abstained
    assert reasons is not None
    known = np.array([reason is None for reason in reasons])
    strange = np.mean([reason == STRANGE for reason in reasons])
    doubtful = np.mean([str(reason).startswith(DOUBTFUL[:20]) for reason in reasons])
    n = next(iter(found.metrics.values()))
    return " | ".join(
        (
            f"{len(predictions)}, {n.places}",
            values(found.metrics, TRUST),
            sure,
            error,
            f"{100 * doubtful:.1f} %, {100 * strange:.1f} %",
            f"{100 * right[known].mean():.1f} %" if known.any() else "",
            f"{100 * (right & ~known).mean():.1f} %",
        )
    )


def surer_row(found: Evaluation, predictions: Predictions) -> str:
    """How many it answers, and how many of these are right, if answers must be more probable."""
    confidence, reasons = predictions.confidence, predictions.abstained
    assert confidence is not None
    assert reasons is not None
    truth, guess = (strings(found.predictions, name) for name in ("country", "guess_country"))
    place = np.array([why is None or str(why).startswith(DOUBTFUL[:20]) for why in reasons])
    cells = []
    for least in LEAST:
        kept = place & (confidence >= least)
        right = f"{100 * (truth == guess)[kept].mean():.0f} %" if kept.any() else "-"
        cells.append(f"{100 * kept.mean():.0f} %, {right}")
    return " | ".join(cells)


def values(numbers: Mapping[str, Score], names: tuple[str, ...]) -> str:
    """Numbers with their intervals."""
    cells = []
    for name in names:
        one, number = numbers.get(name), METRICS[name].number
        cells.append("" if one is None else f"{number(one.value)} ({number(one.low)} to {number(one.high)})")
    return " | ".join(cells)


if __name__ == "__main__":
    main()
