"""The model card: what a model is, what it was measured to do, and what it must not be used for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lostfound.data.dataset import Dataset
from lostfound.evaluation.bootstrap import Score
from lostfound.evaluation.evaluate import Evaluation, evaluate
from lostfound.evaluation.metrics import METRICS, metric_name
from lostfound.files import write_atomic
from lostfound.partitions import Partition
from lostfound.predict.locator import Locator, Unit
from lostfound.predict.model_folder import CARD, ModelFolder
from lostfound.world import SYNTHETIC_SOURCE

_TEXT = """\
---
{front}---

# {name}

Estimates where a street-level photo was taken, from its pixels alone: it {answers}. Made with lostfound
{version}.
{views}
## What it was measured to do

On {split} of `{dataset}`: {scored} of {places} places.
Intervals are 95 % bootstrap intervals by place.

| metric | value | 95 % interval | over |
|---|---|---|---|
{rows}

{calibration}{chosen}; that number is not a measurement of quality.

## What it was trained on

{train_images} images of the data set `{trained_on}`, backbone
`{backbone}`, weights to start from: {weights}.
{sources}

{cells}Left out, with too few images: {left_out}.

## What it is for, and what not

For finding a first idea of where a photo without a location may be from, by someone who checks it;
for research and play. An answer is an estimate: never evidence, never a measurement. It is wrong more
often where its training data are thin, and it can't say "none of these". It must not be used to track,
stalk or identify people, nor to decide about anyone's rights, and not where a wrong place can harm
someone.
"""


def describe(name: str, score: Score) -> tuple[str, str, str]:
    """A number in words: the metric's label, its value, and its interval."""
    metric = METRICS[name]
    return metric.label, metric.text(score.value), metric.text(score.low, score.high)


def describe_monitor(monitor: str, value: float) -> tuple[str, str]:
    """What chose the best epoch in words: its label, such as "top-1 accuracy", and its value."""
    metric = METRICS[metric_name(monitor.removeprefix("val_"))]
    return metric.label, metric.text(value)


def measure(
    folder: str | Path, dataset: Dataset, split: str = "test", *, unit: Unit | None = None
) -> Evaluation:
    """Measure a finished model, and write what it was measured to do into its card.

    Args:
        folder: The model's.
        dataset: The data set.
        split: train, val, test or all.
        unit: What is scored; by default as the model was trained.

    Raises:
        ModelError: It is no complete model folder.
        DatasetError: The split is empty, or an image can't be read.
    """
    locator = Locator.load(folder)
    measured = evaluate(locator, dataset, split, unit=unit)
    write_card(locator.model, measured)
    return measured


def write_card(model: ModelFolder, evaluation: Evaluation) -> None:
    """Write the folder's README.md from its own settings and a measured evaluation."""
    write_atomic(model.path / CARD, card(model, evaluation).encode())


def card(model: ModelFolder, evaluation: Evaluation) -> str:
    """The card's text, with the `model-index` that model hubs read."""
    config, about = model.config, evaluation.about
    training = config["training"]
    left_out = ", ".join(f"{code} ({count})" for code, count in training["left_out"].items())
    return _TEXT.format(
        front=yaml.safe_dump(_front(config["name"], evaluation), sort_keys=False, allow_unicode=True),
        name=config["name"],
        answers=_answers(model.partition),
        version=config["lostfound"],
        views=_views(model.views),
        split="all splits" if about["split"] == "all" else f"the {about['split']} split",
        dataset=about["dataset"],
        scored=evaluation.scored,
        places=about["places"],
        rows="\n".join(
            "| {} | {} | {} | {} images of {} places |".format(*describe(name, score), score.n, score.places)
            for name, score in evaluation.metrics.items()
        ),
        calibration=_calibration(evaluation),
        chosen=_chosen(training),
        train_images=training["train_images"],
        trained_on=training["dataset"],
        backbone=_backbone(config["recipe"]["model"]),
        weights=training["weights"] or "none",
        sources=_sources(training),
        cells=_cells(model.partition, every_country=training.get("every_country", False)),
        left_out=left_out or "none",
    )


def hub_result(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation as one of the results of a `model-index`, which hubs read."""
    about = evaluation.about
    return {
        "task": {"type": "image-classification", "name": "Image geolocation"},
        "dataset": {"type": about["dataset"], "name": about["dataset"], "split": about["split"]},
        "metrics": [
            {"type": metric, "name": METRICS[metric].label, "value": score.value}
            for metric, score in evaluation.metrics.items()
        ],
    }


HUB_HEADER = {
    "library_name": "lostfound",
    "tags": ["image-geolocation", "image-classification", "onnx"],
    "pipeline_tag": "image-classification",
}
"""What the header of each card says to hubs."""


def _front(name: str, evaluation: Evaluation) -> dict[str, Any]:
    """The header that hubs read."""
    return {**HUB_HEADER, "model-index": [{"name": name, "results": [hub_result(evaluation)]}]}


def _answers(partition: Partition | None) -> str:
    if partition is None:
        return "answers with a latitude and a longitude"
    return f"ranks {len(partition)} cells\n({partition.kind}) and gives each a probability and a coordinate"


def _views(views: int) -> str:
    if views == 1:
        return ""
    return f"\nThe outputs of {views} views of a place are averaged; a single view is answered too.\n"


def _calibration(evaluation: Evaluation) -> str:
    if evaluation.calibration_error is None:
        return ""
    return (
        "Expected calibration error (15 bins of equal mass): "
        f"{evaluation.calibration_error:.3f}. {_outside(evaluation.about)}\n\n"
    )


def _chosen(training: dict[str, Any]) -> str:
    """How the weights were chosen."""
    best = " ".join(describe_monitor(training["monitor"], training["best_score"]))
    if "averaged" in training:
        names = ", ".join(f"`{each['name']}`" for each in training["averaged"])
        what = training.get("averaged_what", "weights")
        text = (
            f"The {what} are an average: {names},\neach chosen on the validation split (the first by {best})"
        )
    else:
        text = f"The checkpoint was chosen on the validation split ({best},\nepoch {training['best_epoch']})"
    if refitted := training.get("refitted"):
        text += f".\nThe last layer was fitted again to {refitted['images']} training images"
        if refitted["styles"]:
            text += f", without the {refitted['styles']} directions\nin which their collections differ most"
    return text


def _backbone(settings: dict[str, Any]) -> str:
    if settings["backbone"] != "lostfound:joined":
        return str(settings["backbone"])
    return f"{settings['options']['count']} times {settings['options']['backbone']}"


def _cells(partition: Partition | None, *, every_country: bool) -> str:
    if partition is None or partition.of_points:  # whose counts are not those of training images
        return ""
    cells = list(zip(partition.names, partition.counts, strict=True))
    named = ", ".join(f"{name} ({n})" for name, n in cells if n or not every_country)
    text = f"Training images in each cell: {named}.\n\n"
    if every_country:
        without = ", ".join(name for name, n in cells if not n)
        text += f"Without training images, and named by what lies around them: {without}.\n\n"
    return text


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
    if teacher := training.get("teacher"):
        of = ", ".join(f"{each}" for each in (teacher["model"], teacher["license"]) if each)
        text += (
            f"\nIt learnt to meet what the place tower of `{teacher['name']}` makes of where they are"
            f"{f' ({of})' if of else ''}."
        )
    if teachers := training.get("teachers"):
        named = ", ".join(f"`{each}`" for each in teachers)
        text += f"\nBeside the labels it learnt the mean answers of {named}."
    if SYNTHETIC_SOURCE in sources:
        text += (
            f"\n\n**`{SYNTHETIC_SOURCE}` is synthetic**: drawings of a generated world. What was learnt "
            "from them says nothing about real streets."
        )
    return text
