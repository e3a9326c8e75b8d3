"""The starter model's card, from the records of its making."""

from __future__ import annotations

import json
from typing import Any

from lostfound.evaluation.bootstrap import Score
from lostfound.evaluation.card import describe
from lostfound.geo.countries import country_name

LEAST = 20  # images or places of a country, for a line of its own
SHOWN = (
    "top_1_accuracy",
    "top_3_accuracy",
    "top_5_accuracy",
    "balanced_accuracy",
    "median_distance_km",
    "mean_distance_km",
    "within_750_km_country",
    "within_2500_km_continent",
    "geoguessr_score",
)


def card(record: dict[str, Any]) -> str:
    """The card's text, Markdown."""
    training = record["training"]["training"]
    elsewhere, starter, cambridge = record["elsewhere"], record["starter"], record["cambridge"]
    top = elsewhere["image"]["metrics"]["top_1_accuracy"]
    place = elsewhere["place"]["metrics"]["top_1_accuracy"]
    images = ", ".join(f"{count} of `{name}`" for name, count in training["sources"].items())
    names = record["training"]["names"]
    return f"""---
library_name: lostfound
pipeline_tag: image-classification
tags: [image-geolocation, image-classification, onnx]
---

# The starter model

Names the country that a street-level photo may be from, out of {len(names)}, and a coordinate: the middle of the training
images of that country. It comes with the package so that `lostfound locate photo.jpg` answers at once, on a machine without
a network. **It is a small starter, not an oracle**: on photos from a collection that it was not trained on, its first answer
is right for {share(top)} of single photos and {share(place)} of places seen from four sides. Train a model on your own
photos, or take a larger one, where that is not enough.

## What it was measured to do

### On a collection it was not trained on

What to expect of photos from elsewhere. The recipe was trained on everything but `street-panoramas`, and judged on those:
{elsewhere["image"]["images"]} photos of {elsewhere["image"]["places"]} places, four views each, all of their countries, also
those that it can't name ({", ".join(elsewhere["image"]["countries_outside_all_cells"]) or "none"}). The recipe's settings
were chosen on other places of that collection. The shipped model itself has seen these places, so it can't be measured there.

{table({"single photos": elsewhere["image"], "the four views of a place together": elsewhere["place"]})}

**Most of it is the United States**: naming the most frequent country each time would be right for {most(elsewhere["image"]["guesses"])}
of these photos. What the model knows beyond that is in its top-5 and its distances. Over the {elsewhere["image"]["known"]["countries"]} of these countries that it can name: {knows(elsewhere["image"])} of single
photos, {knows(elsewhere["place"])} of places.

### On new places of its own collections

The shipped model, trained on all three collections, on places (at least 1 km away) that it has not seen. Photos of the same
cameras and seasons, so this is easier than yours:

{table({"single photos": starter["image"], "by place": starter["place"]})}

## Do its probabilities mean what they say?

It was calibrated on validation places of its own collections and, each kind counting as much, on photos of half of 110 other
collections that it never saw: it is the less sure, the less a photo is like those that it learnt from, and says "I don't know"
below the probability from which on it is right every other time. So it answers few photos of other origin. What that comes to on
the other half of those collections, and on new places of its own, is measured in the project's `docs/trust.md`.

## Where it fails

By country, single photos of the collection that it was not trained on (countries with at least {LEAST} photos; how often the
first answer is right):

{recalls(elsewhere["image"]["guesses"])}

Most frequent mistakes there: {mistakes(elsewhere["image"]["guesses"])}.

A city centre that nothing in its training looks like: of {cambridge["image"]["images"]} photos of the colleges and lanes of Cambridge (United
Kingdom) the model in the package places {share(cambridge["image"]["metrics"]["top_1_accuracy"])} in the United Kingdom
({share(cambridge["image"]["metrics"]["top_5_accuracy"])} among its first five), and most in other countries:
{mistakes(cambridge["image"]["guesses"], 4)}. Its photos of the United Kingdom are mostly of roads.

It has seen few photos of Africa, the Middle East, Central Asia and China, and none of most countries there; where it answers,
it names one of its {len(names)} countries. To photos that are not of streets (rooms, food, faces, drawings) it mostly says "I don't
know". Neighbours that look alike are mixed up.

## What it was trained on

{training["train_images"]} images: {images}. They are street-level images of public research collections, which have no licence
for republication: none is in this package. The list of their ids and hashes is `benchmarks/lists/streets.txt` of the
project; single photos had been encoded once more then, which importing no longer does. A quarter is of the
United States; countries are drawn by the square root of how many images they have. The network is MobileNetV2, from Google's
ImageNet weights (Apache-2.0); the recipe is `starter`, the script `scripts/build_starter.py`. The weights are the
average of three trainings, each of whose best epoch was chosen on the validation places.

Countries: {", ".join(names)}.

## What was tried

By the photos of half of the panoramas' places, trained without any panorama; the other half is reported above. Each line is one
training, so differences of a point or two mean little. The weights of several trainings averaged were the surest gain; a
quicker start of the head alone, mixed and blanked images and larger images gave a point each, or none. Learning from the
panoramas alone, most of them of four countries, gives a far worse model of the other collection.

{tried(record["tried"])}

## What it is for, and what not

For a first idea of where a photo without a location may be from, by someone who checks it; for play, teaching and research;
for trying this package out. An answer is an estimate: never evidence, never a measurement. It must not be used to track, stalk
or identify people, nor to decide about anyone's rights (asylum, insurance, police work), nor where a wrong place can harm
someone.
"""


def share(metric: dict[str, Any]) -> str:
    """A share with its interval, in words."""
    value, low, high = (100 * metric[name] for name in ("value", "low", "high"))
    return f"{value:.1f} % ({low:.1f} to {high:.1f} %)"


def knows(found: dict[str, Any]) -> str:
    """Accuracies over the countries that can be named, in words."""
    metrics = found["known"]["metrics"]
    return f"top-1 {share(metrics['top_1_accuracy'])} and top-5 {share(metrics['top_5_accuracy'])}"


def most(guesses: dict[str, dict[str, int]]) -> str:
    """The share of the most frequent country."""
    counts = [sum(found.values()) for found in guesses.values()]
    return f"{100 * max(counts) / sum(counts):.1f} %"


def table(columns: dict[str, dict[str, Any]]) -> str:
    """Metrics with intervals, a column for each evaluation."""
    head = [
        f"{title}, n = {each['images'] if each['unit'] == 'image' else each['places']}"
        for title, each in columns.items()
    ]
    lines = [f"| metric (95 % interval by place) | {' | '.join(head)} |", f"|---|{'---|' * len(head)}"]
    for name in SHOWN:
        if any(name in each["metrics"] for each in columns.values()):
            described = [describe(name, Score(**each["metrics"][name])) for each in columns.values()]
            cells = [f"{value} ({span})" for _, value, span in described]
            lines.append(f"| {described[0][0]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def recalls(guesses: dict[str, dict[str, int]]) -> str:
    """How often each country is named right, best first."""
    rows = [(sum(found.values()), found.get(code, 0), code) for code, found in guesses.items()]
    rows = [row for row in rows if row[0] >= LEAST]
    rows.sort(key=lambda row: (-row[1] / row[0], row[2]))
    said = [f"{country_name(code)} {100 * right / n:.0f} % of {n}" for n, right, code in rows]
    return ", ".join(said) + "."


def mistakes(guesses: dict[str, dict[str, int]], count: int = 12) -> str:
    """The most frequent confusions."""
    pairs = [
        (n, truth, guess) for truth, found in guesses.items() for guess, n in found.items() if truth != guess
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1:]))
    return ", ".join(f"{country_name(a)} taken for {country_name(b)} ({n})" for n, a, b in pairs[:count])


def tried(runs: list[dict[str, Any]]) -> str:
    """What single trainings reached, a line each: what they changed, and how good they were."""
    base = flat(runs[0]["recipe"])
    lines = [
        "| training | on | judged on | top-1, single photos | top-5 | top-1, by place |",
        "|---|---|---|---|---|---|",
    ]
    for run in runs:
        own = {**dict.fromkeys(base), **flat(run["recipe"])}
        changed = {key: value for key, value in own.items() if base.get(key) != value}
        changed = {
            key: value
            for key, value in changed.items()
            if not key.startswith(("trainer.workers", "trainer.loggers"))
        }
        said = "; ".join(f"`{key}={json.dumps(value)}`" for key, value in changed.items()) or "the recipe"
        if run["name"] == "elsewhere":
            said = "**the average of the three above**"
        image, place = run["image"], run.get("place")
        cells = [share(image["metrics"][f"top_{k}_accuracy"]) for k in (1, 5)]
        cells.append(share(place["metrics"]["top_1_accuracy"]) if place else "-")
        sources = " and ".join(f"`{name}`" for name in run["trained_on"])
        judged = f"`{image['dataset']}`, {image['places']} places"
        lines.append(f"| {said} | {sources} | {judged} | {' | '.join(cells)} |")
    return "\n".join(lines)


def flat(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Nested settings by dotted keys."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            found |= flat(value, f"{above}{key}.")
        else:
            found[f"{above}{key}"] = value
    return found
