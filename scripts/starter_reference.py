"""What a plain script makes of the same photos: the starter's yardstick, on collections that neither saw.

    python scripts/starter_reference.py DATA WEIGHTS --work FOLDER

FOLDER is where `build_starter.py` has worked, WEIGHTS are timm's mobilenetv2_100.in1k. The plain script is
what most would write first: MobileNetV2 from ImageNet at 160 pixels, its first third locked, AdamW, eight
epochs, random crops, images as they come. It learns from all photos but those of the judging half, as the
starter's twin did, and both answer that half, and the new places at home.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from build_starter import ROOT, imported_photos
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.records import strings
from lostfound.evaluation.bootstrap import Samples
from lostfound.evaluation.comparison import difference, estimate
from lostfound.files import write_atomic
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import CONFIG
from lostfound.training.recipe import load_recipe
from lostfound.training.train import fit_model

RESULT = ROOT / "benchmarks" / "results" / "reference.md"
PLAIN = (
    *("data.sampling_power=1.0", "data.source_power=1.0", "task.label_smoothing=0.0"),
    *("model.backbone=mobilenetv2_100", "model.dropout=0.2", "model.lock={share: 0.33, unlock: {}}"),
    *("input={size: [160, 160]}", "trainer.epochs=8", "trainer.ema=null", "trainer.precision=32-true"),
    "optimizer={name: adamw, learning_rate: 0.001, pretrained_factor: 0.3, weight_decay: 0.01}",
    "augmentation={crop_scale: [0.35, 1.0], flip: 0.5, "
    "color_jitter: {brightness: 0.2, contrast: 0.2, saturation: 0.2}}",
)
UNITS = ("by photo", "mean of collections", "mean of countries")


def main() -> None:
    """Train it, unless that was done, and write a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    given = parser.parse_args()
    photos, plain = imported_photos(given.data, given.work), given.work / "reference-judging"
    if not (plain / CONFIG).is_file():
        recipe = load_recipe("starter", PLAIN)
        fit_model(recipe, photos.learnt["-judging"], plain, weights=given.weights, resume="or begin again")
    parts = {
        "collections that neither saw": photos.halves[1].held_out(photos.away),
        "new places at home": photos.every.split("test"),
    }
    lines = [
        "# The starter beside a plain script\n",
        "`python scripts/starter_reference.py`: MobileNetV2 from ImageNet at 160 pixels, eight epochs, "
        "trained on the same photos as the starter's twin that is judged here. Right country, in percent, "
        "first answer and one of five, with 95 % bootstrap intervals by collection (at home by place); "
        "differences are paired.\n",
        "| photos | | the starter | a plain script | difference |",
        "|---|---|---|---|---|",
    ]
    for name, part in parts.items():
        both = [hits(Locator.load(model), part) for model in (given.work / "starter-judging", plain)]
        for unit in UNITS:
            rows = [[samples(part, each[:, k], unit, "saw" in name) for each in both] for k in (0, 1)]
            cells = [" / ".join(text(row[which]) for row in rows) for which in (0, 1)]
            apart = " / ".join(signed(*row) for row in rows)
            lines.append(f"| {len(part)}, {name} | {unit} | {' | '.join(cells)} | {apart} |")
    write_atomic(RESULT, ("\n".join(lines) + "\n").encode())


def hits(locator: Locator, dataset: Dataset) -> NDArray[np.bool_]:
    """Whether the first answer, and one of five, is right, (n, 2); all are to be answered."""
    cells = locator.using(always_answer=True).predict(dataset, unit="image", top=5).cells
    assert cells is not None
    right = cells[:, :5].astype(str) == strings(dataset.records, "country").astype(str)[:, None]
    return np.stack([right[:, 0], right.any(axis=1)], axis=1)


def samples(dataset: Dataset, right: NDArray[np.bool_], unit: str, away: bool) -> Samples:
    """The values of a metric, which are drawn by collection where that is what differs."""
    sources, places, countries = (
        strings(dataset.records, name) for name in ("source", "place_id", "country")
    )
    drawn = sources if away else places
    if unit == "by photo":
        return Samples(places, right.astype(float))
    return Samples(drawn, right.astype(float), "balanced", sources if "collections" in unit else countries)


def text(one: Samples) -> str:
    """A share with its interval."""
    found = estimate([one])
    assert found is not None
    return f"{100 * found.value:.1f} ({100 * found.low:.1f} to {100 * found.high:.1f})"


def signed(ours: Samples, theirs: Samples) -> str:
    """A difference with its interval."""
    found = difference([ours], [theirs])
    assert found is not None
    return f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


if __name__ == "__main__":
    main()
