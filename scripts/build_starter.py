"""Train the starter model, measure it where it was not trained, and put it into the package.

    python scripts/build_starter.py DATA WEIGHTS --work FOLDER

DATA holds street-panoramas, street-countries, street-croatia, street-cambridge and world-photos; WEIGHTS is
MobileNetV2's file. What the work folder holds already is not done again.

1. `elsewhere`: the average of the recipe's three trainings on everything but the panoramas, judged on them.
   Half of their places chose the settings; the card reports the other half.
2. `starter`: the same on everything, calibrated also on half of the collections of world-photos, none of
   which it learns from; benchmarks/trust.py judges it on the other half.

Reports of other trainings, such as with other settings, that lie in FOLDER/tried (NAME/metrics.json from
`lostfound evaluate --to`, and the model's config.json beside it) are listed in the card as well.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from starter_card import card

from lostfound.data.dataset import Dataset
from lostfound.data.records import strings
from lostfound.evaluation.bootstrap import bootstrap
from lostfound.evaluation.evaluate import Unit, evaluate, metric_samples
from lostfound.evaluation.matching import Matched, Truth
from lostfound.files import digest, write_atomic
from lostfound.predict.calibrate import calibrate
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import CALIBRATION, CARD, CONFIG, STARTER, WEIGHTS, ModelFolder
from lostfound.predict.predictions import Predictions
from lostfound.studies.holding_out import deal_folds

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "benchmarks" / "results" / "starter.json"
LOSTFOUND = Path(sys.executable).with_name("lostfound")

# Name, source folders, options of the import
SETS: list[tuple[str, list[str], list[str]]] = [
    (
        "everything",
        ["street-panoramas", "street-countries", "street-croatia"],
        ["--val", "0.06", "--test", "0.12"],
    ),
    ("but-panoramas", ["street-countries", "street-croatia"], ["--val", "0.08", "--test", "0"]),
    ("panoramas", ["street-panoramas"], ["--val", "0.49", "--test", "0.49"]),
    ("cambridge", ["street-cambridge"], ["--split-distance", "0", "--val", "0", "--test", "0"]),
    ("world", ["world-photos"], []),
]

VARIANTS: dict[str, list[str]] = {
    "base": [],
    "mixed": ["--variant", "mixed"],
    "plain": ["--variant", "plain"],
}


def main() -> None:
    """Read the arguments and do what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="such as trainer.workers=2"
    )
    arguments = parser.parse_args()
    work: Path = arguments.work
    for name, sources, options in SETS:
        if not (work / name / "dataset.json").is_file():
            run(
                "import",
                *(arguments.data / each for each in sources),
                "--to",
                work / name,
                *options,
            )
    sets = {name: Dataset.open(work / name) for name, _, _ in SETS}
    changes = [part for each in arguments.set for part in ("--set", each)]
    for name, data in (("elsewhere", "but-panoramas"), ("starter", "everything")):
        parts = []
        for variant, options in VARIANTS.items():
            to = work / "models" / f"{name}-{variant}"
            if not (to / CONFIG).is_file():
                options = [*options, *changes, *(["--resume"] if to.exists() else [])]
                run(
                    "train",
                    "starter",
                    "--data",
                    work / data,
                    "--to",
                    to,
                    "--weights",
                    arguments.weights,
                    *options,
                )
            parts.append(to)
        if not (work / "models" / name / CONFIG).is_file():
            run("average", *parts, "--data", work / data, "--to", work / "models" / name)
    elsewhere, starter = copied(work, "elsewhere"), copied(work, "starter")
    calibrating, _ = deal_folds(sets["world"], 2)
    calibrate(starter, sets["everything"], elsewhere=calibrating.held_out(sets["world"]))
    keep = work / "reports"
    record: dict[str, Any] = {
        "tried": tried(work, sets["panoramas"], keep),
        "elsewhere": measured(elsewhere, sets["panoramas"], "test", keep),
        "starter": measured(starter, sets["everything"], "test", keep),
    }
    record["cambridge"] = measured(starter, sets["cambridge"], "all", keep)
    config = ModelFolder.open(starter).config
    record["training"] = {key: config[key] for key in ("training", "recipe", "names")}
    write_atomic(RECORD, (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
    ship(starter)
    write_atomic(STARTER / CARD, card(record).encode())


def run(*words: str | Path) -> None:
    """Run a command of lostfound."""
    print("lostfound", *words, flush=True)
    subprocess.run([LOSTFOUND, *words], check=True)


def copied(work: Path, name: str) -> Path:
    """A copy to calibrate; the model stays as it was trained."""
    to = work / "calibrated" / name
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(work / "models" / name, to, ignore=shutil.ignore_patterns("run"))
    return to


def measured(model: Path, dataset: Dataset, split: str, keep: Path) -> dict[str, Any]:
    """What `lostfound evaluate` says, by image and by place; with how single countries fare."""
    calibrated = digest((model / CALIBRATION).read_bytes())[:8]
    kept = keep / f"{model.name}-{dataset.name}-{split}-{calibrated}.json"
    if kept.is_file():
        found: dict[str, Any] = json.loads(kept.read_bytes())
        return found
    locator, found = Locator.load(model), {}
    units: tuple[Unit, Unit] = ("image", "place")
    for unit in units:
        evaluation = evaluate(locator, dataset, split, unit=unit)
        rows = evaluation.predictions
        pairs = zip(*(strings(rows, name) for name in ("country", "guess_country")), strict=True)
        guesses: dict[str, dict[str, int]] = {}
        for truth, guess in pairs:
            guesses.setdefault(str(truth), {}).setdefault(str(guess), 0)
            guesses[str(truth)][str(guess)] += 1
        found[unit] = {**evaluation.as_dict(), "known": known(rows, locator), "guesses": guesses}
    write_atomic(kept, json.dumps(found, ensure_ascii=False).encode())
    return found


def known(rows: pa.Table, locator: Locator) -> dict[str, Any]:
    """The accuracies over the countries that a model can name, from a report's predictions."""
    partition = locator.model.partition
    assert partition is not None
    inside = rows.filter(pc.is_in(rows["country"], pa.array(partition.cell_ids)))
    matched = Matched(Predictions.from_table(inside, partition), Truth(inside))
    samples = metric_samples(matched, ["top_1_accuracy", "top_5_accuracy"])
    metrics = {name: asdict(bootstrap(each)) for name, each in samples.items()}
    return {"countries": len(pc.unique(inside["country"])), "metrics": metrics}


def tried(work: Path, panoramas: Dataset, keep: Path) -> list[dict[str, Any]]:
    """What single trainings and averages reach on the places that chose, and what else was tried."""
    found = []
    for name in (*(f"elsewhere-{variant}" for variant in VARIANTS), "elsewhere"):
        metrics = measured(work / "models" / name, panoramas, "val", keep)
        config = ModelFolder.open(work / "models" / name).config
        found.append(
            {"name": name, "recipe": config["recipe"], "trained_on": config["training"]["sources"], **metrics}
        )
    for report in sorted((work / "tried").glob("*/metrics.json")):
        config = json.loads((report.parent / "config.json").read_bytes())
        metrics = {"image": json.loads(report.read_bytes())}
        sources = config["training"]["sources"]
        found.append(
            {"name": report.parent.name, "recipe": config["recipe"], "trained_on": sources, **metrics}
        )
    return found


def ship(model: Path) -> None:
    """Put the model into the package, without the weights for further training."""
    shutil.rmtree(STARTER, ignore_errors=True)
    shutil.copytree(model, STARTER, ignore=shutil.ignore_patterns("run", WEIGHTS, CARD))
    config = json.loads((STARTER / CONFIG).read_bytes())
    del config["files"][WEIGHTS]
    write_atomic(STARTER / CONFIG, (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode())
    ModelFolder.open(STARTER)


if __name__ == "__main__":
    main()
