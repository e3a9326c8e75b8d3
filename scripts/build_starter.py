"""Train the starter model, measure it on collections that it never saw, and put it into the package.

    python scripts/build_starter.py DATA WEIGHTS --work FOLDER [--recipe starter-large]

DATA holds street-panoramas, street-countries, street-croatia, street-cambridge and world-photos; WEIGHTS is
the file of EfficientNet-Lite2's ImageNet weights that `scripts/lite2_weights.py` writes. What the work folder
holds already is not done again; a training that was stopped goes on.

A model is the mean of the answers of two trainings: countries as often as they have images, and by the square
root of that. Their networks lie side by side in one, which answers at the size of the crops that they learnt
from, whose head is fitted again to the features of both, names every country, and has its filters stored in
eight bits. One fold in five of the collections of world-photos is dealt to two halves, and three models are
made: without one half, without the other, and of all collections, which is the starter. What that is worth on
collections that it never saw is told by the two others, each on the half that it lacks; the first half also
calibrates them, and by way of them the starter, which is itself judged on its own test places and on
Cambridge. Each is shown pictures of no place: drawn ones, and those in `placeless.txt` of the collections
that it learnt from. A model of another recipe stays in the work folder, beside a record of the same
measurements.

Each of the six trainings is 20 epochs: two hours on two cores of a processor. On a GPU (H200, 16 cores) five
at once took under eight minutes: `--at-once 5`.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from draw_placeless import draw
from starter_card import card
from starter_unknown import placeless, unknown

from lostfound.data.dataset import Dataset
from lostfound.data.records import strings
from lostfound.evaluation.bootstrap import Samples, bootstrap
from lostfound.evaluation.evaluate import Evaluation, metric_samples, score
from lostfound.files import file_digest, write_atomic
from lostfound.models.averaging import average
from lostfound.models.shrinking import shrink
from lostfound.partitions import Partition
from lostfound.predict.calibrate import calibrate
from lostfound.predict.locator import Locator, Unit
from lostfound.predict.model_folder import CARD, CONFIG, GRAPH, STARTER, WEIGHTS, ModelFolder
from lostfound.predict.predictions import Predictions
from lostfound.studies.holding_out import Fold, deal_folds
from lostfound.training.recipe import load_recipe
from lostfound.training.refit import Refit
from lostfound.training.train import train_model

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "benchmarks" / "results" / "starter.json"
LOSTFOUND = Path(sys.executable).with_name("lostfound")
STREETS = ("street-panoramas", "street-countries", "street-croatia")
FOLDS, HELD_OUT = 5, 3
ACCURACY = 0.3
"""How often what it answers is to be right, photos at home and abroad taken together."""
AMONG = {"top_1_accuracy": 1, "top_5_accuracy": 5}
TRAININGS = {"": (), "-by-root": ("data.sampling_power=0.5",)}  # what each changes in the recipe
EARLIER = (  # models before it, and alone, in its record
    *("tried", "before", "countries_alone", "countries_by_root", "countries_as_they_are", "mean_of_both"),
    *("head_went_on", "ingredients", "mean_of_weights", "answers", "mean_of_answers"),
    *("distilled_heads", "refitted"),
)
NO_SPLITS = ("--val", "0", "--test", "0")


@dataclass(frozen=True)
class Photos:
    """What is learnt from and judged on.

    Attributes:
        every: All photos but those of Cambridge, split by place; those of the fold are all to be learnt from.
        cambridge: One city, which nothing is learnt from.
        halves: The fold's collections, in two halves: the first calibrates, both judge.
        away: The fold's photos.
    """

    every: Dataset
    cambridge: Dataset
    halves: tuple[Fold, Fold]
    away: Dataset

    @property
    def learnt(self) -> dict[str, Dataset]:
        """What each model learns from, by the ending of its name."""
        calibrating, judging = self.halves
        parts = {"-calibrating": calibrating.others(self.every), "-judging": judging.others(self.every)}
        return {**parts, "": self.every}


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
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="trainings that run side by side")
    parser.add_argument("--only", type=Path, metavar="FOLDER", help="this training, and nothing else")
    given = parser.parse_args()
    photos = imported_photos(given.data, given.work)
    trainings = {
        given.work / f"trained-{given.recipe}{part}{ending}": (part, own)
        for part in photos.learnt
        for ending, own in TRAININGS.items()
    }
    if given.only:
        part, own = trainings[given.only]
        recipe = load_recipe(given.recipe, [*own, *given.set])
        train_model(recipe, photos.learnt[part], given.only, weights=given.weights, resume="or begin again")
        return
    recipe = load_recipe(given.recipe)
    size, _ = recipe.augmentation.crop_size or recipe.input.size
    missing = [to for to in trainings if not (to / CONFIG).is_file()]
    with ThreadPoolExecutor(given.at_once) as several:
        list(several.map(lambda to: run(sys.executable, *sys.argv, "--only", to), missing))
    models = {}
    for part in photos.learnt:
        joined = given.work / f"joined-{given.recipe}{part}"
        if not (joined / CONFIG).is_file():
            both = [to for to, (own, _) in trainings.items() if own == part]
            refit = Refit(photos.learnt[part])
            average(both, joined, answers=True, refit=refit, every_country=True, size=size)
        models[part] = small(joined, given.work / f"{given.recipe}{part}")
    record = measured(given.data, photos, draw(given.work / "drawn"), models)
    to = RECORD if given.recipe == "starter" else given.work / f"{given.recipe}.json"
    write_atomic(to, (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
    if given.recipe == "starter":
        ship(models[""])
        write_atomic(STARTER / CARD, card(record).encode())


def imported_photos(data: Path, work: Path) -> Photos:
    """All photos as data sets, and which of them are held out; what was imported before is opened."""
    streets = [data / name for name in STREETS]
    imported(work / "all", *streets, data / "world-photos", *NO_SPLITS)
    every = Dataset.open(work / "all")
    collections = tuple({each for each in strings(every.records, "source") if "/" in each})
    fold = deal_folds(Fold(1, 1, collections).held_out(every), FOLDS)[HELD_OUT - 1]
    without(fold, data / "world-photos", work / "world-train")
    imported(work / "home", *streets, work / "world-train", "--val", "0.06", "--test", "0.12")
    imported(work / "cambridge", data / "street-cambridge", "--split-distance", "0", *NO_SPLITS)
    every = split_as(every, Dataset.open(work / "home"))
    away = fold.held_out(every)
    first, second = deal_folds(away, 2)
    return Photos(every, Dataset.open(work / "cambridge"), (first, second), away)


def run(*words: str | Path) -> None:
    """Run a command, shown beforehand."""
    print(*words, flush=True)
    subprocess.run(words, check=True)


def imported(to: Path, *words: str | Path) -> None:
    """Import sources with options, unless that was done."""
    if not (to / "dataset.json").is_file():
        run(LOSTFOUND, "import", *words, "--to", to)


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


def measured(data: Path, photos: Photos, drawn: list[Path], models: dict[str, Path]) -> dict[str, Any]:
    """Calibrate the models, and the record of what they are worth."""
    seen, unseen, starter = (models[part] for part in photos.learnt)
    calibrating, judging = (half.held_out(photos.away) for half in photos.halves)
    own = [placeless(data, half.sources) + drawn for half in photos.halves]
    learnt = photos.learnt
    calibrate(seen, learnt["-calibrating"], elsewhere=calibrating, accuracy=ACCURACY, placeless=own[0])
    calibrate(unseen, learnt["-judging"], like=seen, placeless=own[1])
    calibrate(starter, photos.every, like=seen, placeless=placeless(data) + drawn)
    model, test = ModelFolder.open(starter), photos.every.split("test")
    assert model.partition is not None
    names = zip(model.partition.names, model.partition.counts, strict=True)
    kept = json.loads(RECORD.read_bytes())
    return {
        **{name: kept[name] for name in EARLIER if name in kept},
        "away": judged(
            [(seen, calibrating), (unseen, judging)], photos.away, model.partition, beside_constants=True
        ),
        "judging": judged([(unseen, judging)], judging, model.partition),
        "home": judged([(starter, test)], test, model.partition),
        "cambridge": judged([(starter, photos.cambridge)], photos.cambridge, model.partition),
        "unknown": {
            "home": unknown(data, [(starter, test)]),
            "judging": unknown(data, [(unseen, judging)]),
            "away": unknown(data, [(seen, calibrating), (unseen, judging)]),
            "cambridge": unknown(data, [(starter, photos.cambridge)]),
        },
        "placeless": {"photos": len(placeless(data)), "drawn": len(drawn)},
        "calibrated_on": [Path(each).name for each in photos.halves[0].sources],
        "judged_on": [Path(each).name for each in photos.halves[1].sources],
        "unseen": [name for name, images in names if not images],
        "training": {key: model.config[key] for key in ("training", "recipe", "names")},
    }


def small(trained: Path, to: Path) -> Path:
    """A copy whose filters lie in 8 bits, to calibrate; the model stays as it was trained."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(trained, to, ignore=shutil.ignore_patterns("run"))
    shrink(to / GRAPH, "int8-weights")
    changed(to, lambda files: files.update({GRAPH: file_digest(to / GRAPH)}))
    return to


def judged(
    models: Sequence[tuple[Path, Dataset]],
    dataset: Dataset,
    cells: Partition | None,
    *,
    beside_constants: bool = False,
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
            samples = metric_samples(evaluation.matched(), list(AMONG))
            found["macro"] = macro(samples, evaluation, dataset)
            if beside_constants:
                found["constant"] = constants(samples, evaluation, dataset, models)
    return found


def macro(
    samples: Mapping[str, Samples], evaluation: Evaluation, dataset: Dataset
) -> dict[str, dict[str, Any]]:
    """Accuracies in which each collection, or each country, counts as much as any other; with intervals."""
    records = dataset.records
    source = dict(zip(*(strings(records, name) for name in ("image_id", "source")), strict=True))
    ids = strings(evaluation.predictions, "image_id")
    groups = {
        "collections": np.array([source[each] for each in ids], dtype=object),
        "countries": evaluation.matched().truth.countries,
    }
    return {
        over: {
            name: asdict(bootstrap(replace(each, places=own, statistic="balanced", classes=own)))
            for name, each in samples.items()
        }
        for over, own in groups.items()
    }


def constants(
    samples: Mapping[str, Samples],
    evaluation: Evaluation,
    dataset: Dataset,
    models: Sequence[tuple[Path, Dataset]],
) -> dict[str, dict[str, Any]]:
    """What is right of the most frequent countries each time, and how much more the models are, by pairs.

    "known" are the countries that a model learnt from most often, "told" those of these photos, which nobody
    knows beforehand.
    """
    truth = evaluation.matched().truth.countries
    common = Counter(truth.tolist()).most_common(max(AMONG.values()))
    most = tuple(code for code, _ in common)
    told = dict.fromkeys(strings(dataset.records, "image_id"), most)
    known = {}
    for model, part in models:
        cells = ModelFolder.open(model).partition
        assert cells is not None
        most = tuple(cells.cell_ids[cell] for cell in np.argsort(-cells.counts, kind="stable"))
        known |= dict.fromkeys(strings(part.records, "image_id"), most)
    ids = strings(evaluation.predictions, "image_id")
    found: dict[str, dict[str, Any]] = {}
    for name, guesses in (("known", known), ("told", told)):
        own = {
            metric: np.array([code in guesses[id_][:k] for code, id_ in zip(truth, ids, strict=True)], float)
            for metric, k in AMONG.items()
        }
        for what, values in (
            (name, own),
            (f"more than {name}", {metric: samples[metric].values - own[metric] for metric in AMONG}),
        ):
            changed = {metric: replace(samples[metric], values=values[metric]) for metric in AMONG}
            found[what] = {
                "photos": {metric: asdict(bootstrap(each)) for metric, each in changed.items()},
                **macro(changed, evaluation, dataset),
            }
    return found


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
