"""The model card: what a model is, what it was measured to do, and what it must not be used for."""

from __future__ import annotations

from typing import Any

import yaml

from lostfound.evaluation.evaluate import Evaluation
from lostfound.evaluation.metrics import Metric
from lostfound.files import write_atomic
from lostfound.predict.model_folder import CARD, ModelFolder
from lostfound.world import SYNTHETIC_SOURCE

_PERCENT = ("accuracy", "within")


def describe(name: str, metric: Metric) -> tuple[str, str, str]:
    """A metric in words: its name, its value, and its interval."""
    label = name.replace("_", " ").replace("top ", "top-")
    if any(part in name for part in _PERCENT):
        return label, f"{100 * metric.value:.1f} %", f"{100 * metric.low:.1f} to {100 * metric.high:.1f} %"
    unit = " km" if name.endswith("_km") else "°" if name.endswith("_degrees") else ""
    label = label.removesuffix(" km").removesuffix(" degrees")
    if abs(metric.value) < 10:  # degrees, and the kilometres of one city
        return label, f"{metric.value:.2f}{unit}", f"{metric.low:.2f} to {metric.high:.2f}{unit}"
    return label, f"{metric.value:.0f}{unit}", f"{metric.low:.0f} to {metric.high:.0f}{unit}"


def describe_score(monitor: str, score: float) -> tuple[str, str]:
    """What chose the best epoch in words: its name, such as "accuracy", and its value."""
    name = monitor.removeprefix("val_").replace("_", " ")
    if name.endswith(" km"):
        return f"{name.removesuffix(' km')} distance", f"{score:.4g} km" if score < 100 else f"{score:.0f} km"
    return name, f"{100 * score:.1f} %" if "accuracy" in name else f"{score:.3f}"


def write_card(model: ModelFolder, evaluation: Evaluation) -> None:
    """Write the folder's README.md from its own settings and a measured evaluation."""
    write_atomic(model.path / CARD, card(model, evaluation).encode())


def card(model: ModelFolder, evaluation: Evaluation) -> str:
    """The card's text, with the `model-index` that model hubs read."""
    config, about = model.config, evaluation.about
    training = config["training"]
    header = {
        "library_name": "lostfound",
        "tags": ["image-geolocation", "image-classification", "onnx"],
        "pipeline_tag": "image-classification",
        "model-index": [
            {
                "name": config["name"],
                "results": [
                    {
                        "task": {"type": "image-classification", "name": "Image geolocation"},
                        "dataset": {
                            "type": about["dataset"],
                            "name": about["dataset"],
                            "split": about["split"],
                        },
                        "metrics": [
                            {"type": name, "name": describe(name, metric)[0], "value": metric.value}
                            for name, metric in evaluation.metrics.items()
                        ],
                    }
                ],
            }
        ],
    }
    rows = "\n".join(
        "| {} | {} | {} | {} images of {} places |".format(*describe(name, metric), metric.n, metric.places)
        for name, metric in evaluation.metrics.items()
    )
    partition = model.partition
    answers, trained_on = "answers with a latitude and a longitude", ""
    calibration = ""
    if partition is not None:
        answers = (
            f"ranks {len(partition)} cells\n({partition.kind}) and gives each a probability and a coordinate"
        )
        cells = zip(partition.names, partition.counts, strict=True)
        trained_on = f"Training images in each cell: {', '.join(f'{name} ({n})' for name, n in cells)}.\n\n"
        calibration = (
            "Expected calibration error (15 bins of equal mass): "
            f"{evaluation.calibration_error:.3f}. {_outside(about)}\n\n"
        )
    best = " ".join(describe_score(training["monitor"], training["best_score"]))
    views = (
        f"\nThe outputs of {model.views} views of a place are averaged; a single view is answered too.\n"
        if model.views > 1
        else ""
    )
    chosen = f"The checkpoint was chosen on the validation split ({best},\nepoch {training['best_epoch']})"
    if "averaged" in training:
        names = ", ".join(f"`{each['name']}`" for each in training["averaged"])
        chosen = (
            f"The weights are an average: {names},\neach chosen on the validation split (the first by {best})"
        )
    left_out = ", ".join(f"{code} ({count})" for code, count in training["left_out"].items()) or "none"
    front = yaml.safe_dump(header, sort_keys=False, allow_unicode=True)
    return f"""---
{front}---

# {config["name"]}

Estimates where a street-level photo was taken, from its pixels alone: it {answers}. Made with lostfound
{config["lostfound"]}.
{views}
## What it was measured to do

On the {about["split"]} split of `{about["dataset"]}`: {evaluation.scored} of {about["places"]} places.
Intervals are 95 % bootstrap intervals by place.

| metric | value | 95 % interval | over |
|---|---|---|---|
{rows}

{calibration}{chosen}; that number is not a measurement of quality.

## What it was trained on

{training["train_images"]} images of the data set `{training["dataset"]}`, backbone
`{config["recipe"]["model"]["backbone"]}`, weights to start from: {training["weights"] or "none"}.
{_sources(training)}

{trained_on}Left out, with too few images: {left_out}.

## What it is for, and what not

For finding a first idea of where a photo without a location may be from, by someone who checks it;
for research and play. An answer is an estimate: never evidence, never a measurement. It is wrong more
often where its training data are thin, and it can't say "none of these". It must not be used to track,
stalk or identify people, nor to decide about anyone's rights, and not where a wrong place can harm
someone.
"""


def _outside(about: dict[str, Any]) -> str:
    if not about["images_outside_all_cells"]:
        return "Every image lies in a cell of the model."
    countries = ", ".join(about["countries_outside_all_cells"])
    return (
        f"{about['images_outside_all_cells']} images lie in no cell of the model ({countries}) "
        "and count as wrong."
    )


def _sources(training: dict[str, Any]) -> str:
    sources = training["sources"]
    listed = ", ".join(f"`{name}` ({count})" for name, count in sources.items())
    text = f"Training images by source: {listed}."
    if SYNTHETIC_SOURCE in sources:
        text += (
            f"\n\n**`{SYNTHETIC_SOURCE}` is synthetic**: drawings of a generated world. What was learnt "
            "from them says nothing about real streets."
        )
    return text
