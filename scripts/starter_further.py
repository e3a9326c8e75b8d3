"""Whether a network of the starter gains by going on: with labels, both networks' answers, or shared photos.

    python scripts/starter_further.py DATA --work FOLDER [--only NAME ...]

FOLDER is where `build_starter.py` has worked. One network of the twin without the calibrating half (countries
as often as they have images) goes on for three epochs, all but its first layers: with the labels, which is
what the others are compared with; with both networks' mean answers beside them (`task.teachers`); and with
more of what photos go through that are shared. Each, alone and joined with the other network, answers the
calibrating half, which may choose, and new places at home. A training that was stopped goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from build_starter import ROOT, imported_photos
from starter_reference import UNITS, hits, samples, signed, text

from lostfound.files import write_atomic
from lostfound.models.averaging import average
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import CONFIG, ModelFolder
from lostfound.training.recipe import load_recipe
from lostfound.training.train import fit_model

RESULT = ROOT / "benchmarks" / "results" / "further.md"
GOES_ON = (
    *("model.keep_head=true", "model.lock={share: 0.35, unlock: {}}", "optimizer.learning_rate=0.0005"),
    *("schedule.warmup_epochs=0.1", "trainer.epochs=3", "trainer.precision=32-true"),
)
SHARED = ("augmentation.jpeg=0.3", "augmentation.border=0.2", "augmentation.grayscale=0.2")


def main() -> None:
    """Do what is missing, and write a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=("labels", "answers", "shared"), help="all by default")
    given = parser.parse_args()
    photos = imported_photos(given.data, given.work)
    begun = given.work / "trained-starter-calibrating"
    other = given.work / "trained-starter-calibrating-by-root"
    own = {
        "labels": (),
        "answers": (f"task.teachers=['{begun}', '{other}']", "task.teacher_share=0.9"),
        "shared": SHARED,
    }
    if given.only:
        own = {name: own[name] for name in given.only}
    for name in own:
        if not (given.work / f"further-{name}" / CONFIG).is_file():
            recipe = load_recipe("starter", [*GOES_ON, *own[name]])
            data, to = photos.learnt["-calibrating"], given.work / f"further-{name}"
            fit_model(recipe, data, to, weights=begun, resume="or begin again")
    alone = {"as it was": begun, **{name: given.work / f"further-{name}" for name in own}}
    models = {
        f"{name}, {with_what}": at_size(paths, given.work / f"{with_what.split()[0]}-{path.name}")
        for name, path in alone.items()
        for with_what, paths in {"alone": [path], "with the other": [path, other]}.items()
    }
    lines = [
        "# A network of the starter that goes on\n",
        "`python scripts/starter_further.py`: three epochs more: labels alone, beside nine tenths of both "
        "networks' mean answers, or with more grey, JPEG and borders (shared). Alone, and joined with "
        "the other network, at 160 pixels and naming every country. Right country, in percent, first "
        "answer and one of five, with 95 % bootstrap intervals by collection (at home by place); differences "
        "from the same that went on with the labels are paired.\n",
        "| photos | | network | right | difference from labels |",
        "|---|---|---|---|---|",
    ]
    parts = {
        "collections that none saw": photos.halves[0].held_out(photos.away),
        "new places at home": photos.every.split("test"),
    }
    for where, part in parts.items():
        right = {name: hits(Locator.load(model.path), part) for name, model in models.items()}
        for unit in UNITS:
            for name, each in right.items():
                labels = right.get(f"labels, {name.partition(', ')[2]}", each)
                both = (each, labels)
                rows = [[samples(part, of[:, k], unit, "saw" in where) for of in both] for k in (0, 1)]
                apart = "-" if each is labels else " / ".join(signed(*row) for row in rows)
                value = " / ".join(text(row[0]) for row in rows)
                lines.append(f"| {len(part)}, {where} | {unit} | {name} | {value} | {apart} |")
    write_atomic(RESULT, ("\n".join(lines) + "\n").encode())


def at_size(paths: list[Path], to: Path) -> ModelFolder:
    """The mean of their answers at 160 pixels, naming every country, as the starter's is."""
    if to.exists():
        return ModelFolder.open(to)
    return average(paths, to, answers=True, every_country=True, size=160)


if __name__ == "__main__":
    main()
