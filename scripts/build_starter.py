"""Train the starter model, measure it on collections that it never saw, and put it into the package.

    python scripts/build_starter.py DATA WEIGHTS --work FOLDER [--recipe starter-large]

DATA holds street-panoramas, street-countries, street-croatia, street-cambridge and world-photos; WEIGHTS is
the file of EfficientNet-Lite2's ImageNet weights that `scripts/lite2_weights.py` writes. What the work folder
holds already is not done again; a training that was stopped goes on.

One fold in five of the collections of world-photos is held out. The model is trained on all else (`home`),
twice: countries as often as they have images, and by the square root of that. The head of the mean of the
weights of both then goes on (`further`) three times: with the held-out collections but one half, with all but
the other half, and with all of them, which is the starter. What that is worth on collections that it never
saw is told by the two others, each on its half; the first half also calibrates them, and by way of them the
starter. It is itself judged on its own test places and on Cambridge. A model of another recipe stays in the
work folder, beside a record of the same measurements.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from starter_card import card

from lostfound.data.dataset import Dataset
from lostfound.data.records import strings
from lostfound.evaluation.bootstrap import bootstrap
from lostfound.evaluation.evaluate import Evaluation, metric_samples, score
from lostfound.files import file_digest, write_atomic
from lostfound.models.averaging import average_weights
from lostfound.models.shrinking import shrink
from lostfound.partitions import Partition
from lostfound.predict.calibrate import calibrate
from lostfound.predict.locator import Locator, Unit
from lostfound.predict.model_folder import CARD, CONFIG, GRAPH, STARTER, WEIGHTS, ModelFolder
from lostfound.predict.predictions import Predictions
from lostfound.studies.holding_out import Fold, deal_folds
from lostfound.training.recipe import load_recipe
from lostfound.training.settings import Recipe
from lostfound.training.train import train_model

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "benchmarks" / "results" / "starter.json"
LOSTFOUND = Path(sys.executable).with_name("lostfound")
STREETS = ("street-panoramas", "street-countries", "street-croatia")
FOLDS, HELD_OUT = 5, 3
TRAININGS = {"": (), "-by-root": ("data.sampling_power=0.5",)}  # what each changes in the recipe
EARLIER = (  # models before it, and alone, in its record
    *("tried", "before", "countries_alone", "countries_by_root", "countries_as_they_are", "mean_of_both"),
)
NO_SPLITS = ("--val", "0", "--test", "0")


def main() -> None:
    """Read the arguments and do what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="such as trainer.workers=2"
    )
    parser.add_argument("--recipe", default="starter", help="starter-large is not put into the package")
    given = parser.parse_args()
    data, work = given.data, given.work
    streets = [data / name for name in STREETS]
    imported(work / "all", *streets, data / "world-photos", *NO_SPLITS)
    every = Dataset.open(work / "all")
    photos = [each for each in strings(every.records, "source") if "/" in each]
    fold = deal_folds(Fold(1, 1, tuple(set(photos))).held_out(every), FOLDS)[HELD_OUT - 1]
    without(fold, data / "world-photos", work / "world-train")
    imported(work / "home", *streets, work / "world-train", "--val", "0.06", "--test", "0.12")
    imported(work / "cambridge", data / "street-cambridge", "--split-distance", "0", *NO_SPLITS)
    home, cambridge = Dataset.open(work / "home"), Dataset.open(work / "cambridge")
    every = split_as(every, home)
    away = fold.held_out(every)
    shipped = given.recipe == "starter"
    name = "" if shipped else f"-{given.recipe}"
    trained = []
    for ending, own in TRAININGS.items():
        trained.append(work / f"trained{name}{ending}")
        if not (trained[-1] / CONFIG).is_file():
            changes = [part for each in (*own, *given.set) for part in ("--set", each)]
            options = ["--weights", given.weights, *changes, *(["--resume"] if trained[-1].exists() else [])]
            run("train", given.recipe, "--data", home.folder, "--to", trained[-1], *options)
    averaged = work / f"averaged{name}"
    if not (averaged / CONFIG).is_file():
        average_weights(trained, averaged)
    calibrating, judging = deal_folds(away, 2)
    recipe = load_recipe(given.recipe, given.set, variant="further")
    seen, unseen, starter = (
        halved(
            further(recipe, dataset, averaged, work / f"further{name}{ending}"),
            work / f"{given.recipe}{ending}",
        )
        for ending, dataset in (
            ("-calibrating", calibrating.others(every)),
            ("-judging", judging.others(every)),
            ("", every),
        )
    )
    calibrate(seen, calibrating.others(every), elsewhere=calibrating.held_out(away))
    calibrate(unseen, judging.others(every), like=seen)
    calibrate(starter, every, like=seen)
    halves = ((seen, calibrating.held_out(away)), (unseen, judging.held_out(away)))
    model, test = ModelFolder.open(starter), every.split("test")
    measured = {
        "away": judged(halves, away, model.partition),
        "judging": judged(halves[1:], halves[1][1], model.partition),
        "home": judged([(starter, test)], test, model.partition),
        "cambridge": judged([(starter, cambridge)], cambridge, model.partition),
    }
    kept = json.loads(RECORD.read_bytes())
    record = {
        **{name: kept[name] for name in EARLIER if name in kept},
        **measured,
        "calibrated_on": [Path(each).name for each in calibrating.sources],
        "judged_on": [Path(each).name for each in judging.sources],
        "training": {key: model.config[key] for key in ("training", "recipe", "names")},
    }
    to = RECORD if shipped else work / f"{given.recipe}.json"
    write_atomic(to, (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
    if not shipped:
        return
    ship(starter)
    write_atomic(STARTER / CARD, card(record).encode())


def run(*words: str | Path) -> None:
    """Run a command of lostfound."""
    print("lostfound", *words, flush=True)
    subprocess.run([LOSTFOUND, *words], check=True)


def imported(to: Path, *words: str | Path) -> None:
    """Import sources with options, unless that was done."""
    if not (to / "dataset.json").is_file():
        run("import", *words, "--to", to)


def without(fold: Fold, photos: Path, to: Path) -> None:
    """Write the table of the collections that are learnt from."""
    held_out = {Path(each).name for each in fold.sources}
    with (photos / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    to.mkdir(exist_ok=True)
    if not (to / "images").exists():
        (to / "images").symlink_to((photos / "images").resolve())
    with (to / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(row for row in rows if row["collection"] not in held_out)


def split_as(every: Dataset, home: Dataset) -> Dataset:
    """All images, split as those of home are; all others are to be learnt from."""
    known = dict(zip(*(strings(home.records, name) for name in ("image_id", "split")), strict=True))
    splits = pa.array([known.get(each, "train") for each in strings(every.records, "image_id")], pa.string())
    column = every.records.column_names.index("split")
    return every.with_records(every.records.set_column(column, "split", splits))


def further(recipe: Recipe, dataset: Dataset, averaged: Path, to: Path) -> Path:
    """A model whose head has gone on with a data set, unless that was done."""
    if not (to / CONFIG).is_file():
        train_model(recipe, dataset, to, weights=averaged, resume="or begin again")
    return to


def halved(trained: Path, to: Path) -> Path:
    """A copy whose weights lie in 16 bits, to calibrate; the model stays as it was trained."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(trained, to, ignore=shutil.ignore_patterns("run"))
    shrink(to / GRAPH, "fp16-weights")
    changed(to, lambda files: files.update({GRAPH: file_digest(to / GRAPH)}))
    return to


def judged(
    models: Sequence[tuple[Path, Dataset]], dataset: Dataset, cells: Partition | None
) -> dict[str, Any]:
    """What models say of their parts is worth, by image, place and collection; who is taken for whom."""
    found: dict[str, Any] = {}
    several = len(set(strings(dataset.records, "place_id"))) < len(dataset)
    units: tuple[Unit, ...] = ("image", "place") if several else ("image",)
    for unit in units:
        answers = [Locator.load(model).predict(part, unit=unit).to_table() for model, part in models]
        predictions = Predictions.from_table(pa.concat_tables(answers), cells)
        evaluation = score(predictions, dataset, by=models[-1][0].name)
        rows = evaluation.predictions
        truth, guess = (strings(rows, name) for name in ("country", "guess_country"))
        guesses: dict[str, dict[str, int]] = {}
        for own, guessed in zip(truth, guess, strict=True):
            guesses.setdefault(str(own), {}).setdefault(str(guessed), 0)
            guesses[str(own)][str(guessed)] += 1
        found[unit] = {**evaluation.as_dict(), "unit": unit, "guesses": guesses}
        if unit == "image":
            found["macro"] = macro(evaluation, dataset)
    return found


def macro(evaluation: Evaluation, dataset: Dataset) -> dict[str, Any]:
    """Accuracies in which each collection, or each country, counts as much as any other; with intervals."""
    records = dataset.records
    source = dict(zip(*(strings(records, name) for name in ("image_id", "source")), strict=True))
    matched = evaluation.matched()
    ids = strings(evaluation.predictions, "image_id")
    groups = {
        "collections": np.array([source[each] for each in ids], dtype=object),
        "countries": matched.truth.countries,
    }
    samples = metric_samples(matched, ["top_1_accuracy", "top_5_accuracy"])
    return {
        over: {
            name: asdict(bootstrap(replace(each, places=own, statistic="balanced", classes=own)))
            for name, each in samples.items()
        }
        for over, own in groups.items()
    }


def ship(model: Path) -> None:
    """Put the model into the package, without the weights for further training."""
    shutil.rmtree(STARTER, ignore_errors=True)
    shutil.copytree(model, STARTER, ignore=shutil.ignore_patterns("run", WEIGHTS, CARD))
    changed(STARTER, lambda files: files.pop(WEIGHTS))
    ModelFolder.open(STARTER)


def changed(model: Path, change: Callable[[dict[str, str]], object]) -> None:
    """Change which files a model folder says that it has."""
    config = json.loads((model / CONFIG).read_bytes())
    change(config["files"])
    write_atomic(model / CONFIG, (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode())


if __name__ == "__main__":
    main()
