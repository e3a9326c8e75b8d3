"""The starter model's card, from the records of its making."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from lostfound.evaluation.bootstrap import Score
from lostfound.evaluation.card import describe
from lostfound.geo.countries import country_name

CONSTANTS = ("known", "told")  # which countries are guessed each time
COLUMNS = ("answered", "no_place", "doubtful", "right_where_answered")
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
    away, before, home, cambridge = (record[name] for name in ("away", "before", "home", "cambridge"))
    metrics = away["image"]["metrics"]
    images = ", ".join(f"{count} of `{name}`" for name, count in training["sources"].items())
    names, unseen = record["training"]["names"], set(record["unseen"])
    seen = [name for name in names if name not in unseen]
    collections = away["macro"]["collections"]["top_1_accuracy"]["places"]
    constants = {name: away["constant"][name] for name in CONSTANTS}
    shares = lines(
        away,
        lambda over, metric: [
            *(right(each, over, metric) for each in (away, before)),
            *(each[over][metric] for each in constants.values()),
        ],
        share,
    )
    more = [away["constant"][f"more than {name}"] for name in CONSTANTS]
    gains = lines(away, lambda over, metric: [each[over][metric] for each in more], points)
    return f"""---
library_name: lostfound
pipeline_tag: image-classification
tags: [image-geolocation, image-classification, onnx]
---

# The starter model

Names the country that a photo may be from, out of all {len(names)}, and a coordinate: the middle of the training images of
that country. It comes with the package so that `lostfound locate photo.jpg` answers at once, on a machine without a
network. **It is a small starter, not an oracle**: on photos of collections that they were not trained on, the first answer of
models made like it is right for {share(metrics["top_1_accuracy"])}, and the right one is among the first five for
{share(metrics["top_5_accuracy"])}. Believe the probability that it gives with each answer. Train a model on your own
photos, or take a larger one, where that is not enough.

## What it was measured to do

### On collections that models made like it were not trained on

What to expect of your photos. Of 110 collections (travel, street and guide pictures), {collections} were dealt to two halves, and
two models were trained that are the same otherwise but lack one half each. They are judged on that half
here: {away["image"]["images"]} photos of {len(away["image"]["guesses"])} countries, also those
that none of the models can name ({", ".join(away["image"]["countries_outside_all_cells"]) or "none"}). The first half also told how sure the model may be, and how it was to be trained.

| | made like this model | the one before it | the same guess each time: what is most frequent in its training | what is most frequent here |
|---|---|---|---|---|
{shares}

How much more that is than the same guess each time, in points, photo by photo:

| | than what is most frequent in its training | than what is most frequent here |
|---|---|---|
{gains}

(In a mean over collections, or countries, each counts as much as any other; intervals are over them. What is most frequent
here nobody knows beforehand. The one before it had learnt from street views alone.)

{table({"single photos": away["image"]})}

### On new places of its own collections

On places (at least 1 km away) that it has not seen, of the collections that it learnt from. Photos of the same cameras and
seasons, so this is easier than yours:

{table({"single photos": home["image"], "by place": home["place"]})}

## Do its probabilities mean what they say?

How sure it may be was found with the first of those two models: on validation places of its own collections and, each kind
counting as much, on photos of {len(record["calibrated_on"])} collections that it never saw. It is the less sure, the less a photo is like those that
it learnt from. What that comes to with the second model on {len(record["judged_on"])} further collections, and on new places of its
own, is measured in the project's `docs/trust.md`.

It says "I don't know" to pictures that look like no photo of a place, and below the probability from which on that first model
is right three times in ten. To tell rooms, food, faces and paper it was shown {record["placeless"]["photos"]} of its training pictures that were picked out
by hand, and {record["placeless"]["drawn"]} drawn by a program; the models made like it were shown none of the half that they lack
(picked by the same hand among what ImageNet's network takes for rooms, food, animals and paper; there may be more):

| | n | answered | not: looks like no place | not: in doubt | right where it answers |
|---|---|---|---|---|---|
{doubts(record["unknown"])}

## Where it fails

By country, single photos of those collections, by the two models that were not trained on them (countries with at least
{LEAST} photos; how often the first answer is right):

{recalls(away["image"]["guesses"])}

Most frequent mistakes there: {mistakes(away["image"]["guesses"])}.

A city centre that nothing in its training looks like: of {cambridge["image"]["images"]} photos of the colleges and lanes of Cambridge (United
Kingdom) the model in the package places {share(cambridge["image"]["metrics"]["top_1_accuracy"])} in the United Kingdom
({share(cambridge["image"]["metrics"]["top_5_accuracy"])} among its first five), and most in other countries:
{mistakes(cambridge["image"]["guesses"], 4)}. Its photos of the United Kingdom are mostly of roads.

Of many countries it has seen only a handful of photos, of {len(unseen)} one at most to learn from: these it names by what it has learnt of the countries
around them, seldom first, and rightly only where `--countries` or a prior says that it may be one of them. Neighbours that look
alike are mixed up.

## What it was trained on

{training["train_images"]} images: {images}. They are street-level images of public research collections, and travel, street and
guide pictures; not all have a licence for republication: none is in this package. The list of the street-level images' ids and
hashes is `benchmarks/lists/streets.txt` of the project. The network is
EfficientNet-Lite2 twice, from Google's ImageNet weights (Apache-2.0), and answers with the mean of both: in the training of one
countries were drawn as often as they have images, in that of the other by the square root of that; in both, collections by their
number of images to 0.75. Each was 20 epochs, on a GPU. The last layer was then fitted again to
the whole images, without the five directions in which collections differ most, and averaged with what it was. The filters are stored in 8 bits, and computed in 32; it answers at 160
pixels, the size of the crops that it learnt from, in the time that one such network takes at 224. The recipe is `starter`; the
script `scripts/build_starter.py`.

Countries that it has learnt from two photos or more: {", ".join(seen)}.

By their neighbours alone: {", ".join(name for name in names if name in unseen)}.

What was tried for it, and for the one before: `docs/studies.md` of the project.

## What it is for, and what not

For a first idea of where a photo without a location may be from, by someone who checks it; for play, teaching and research;
for trying this package out. An answer is an estimate: never evidence, never a measurement. It must not be used to track, stalk
or identify people, nor to decide about anyone's rights (asylum, insurance, police work), nor where a wrong place can harm
someone.
"""


def right(record: dict[str, Any], over: str, metric: str) -> dict[str, Any]:
    """An accuracy over photos, or in which each collection, or country, counts as much as any other."""
    found: dict[str, Any] = (record["image"]["metrics"] if over == "photos" else record["macro"][over])[
        metric
    ]
    return found


def lines(
    away: dict[str, Any],
    cells: Callable[[str, str], Iterable[dict[str, Any]]],
    said: Callable[[dict[str, Any]], str],
) -> str:
    """A line for each accuracy, over photos, collections and countries."""
    return "\n".join(
        f"| {name}, {'by photo' if over == 'photos' else f'mean over {number} {over}'} | "
        f"{' | '.join(map(said, cells(over, metric)))} |"
        for over in ("photos", "collections", "countries")
        for name, metric in (("top-1", "top_1_accuracy"), ("top-5", "top_5_accuracy"))
        for number in [right(away, over, metric)["places"]]
    )


def share(metric: dict[str, Any]) -> str:
    """A share with its interval, in words."""
    value, low, high = (100 * metric[name] for name in ("value", "low", "high"))
    return f"{value:.1f} % ({low:.1f} to {high:.1f} %)"


def doubts(unknown: dict[str, dict[str, Any]]) -> str:
    """What is not answered, a line for each kind of photo."""
    home = unknown["home"]
    rows = {
        **{f"{kind}, collections that it lacks": unknown["judging"][kind] for kind in unknown["judging"]},
        "no place, both halves": unknown["away"]["no place"],
        **{
            f"{kind}, new places at home": home[kind] for kind in home if kind != "no place"
        },  # it was shown those
        "Cambridge, which it never saw": unknown["cambridge"]["street"],
    }
    return "\n".join(
        f"| {name} | {each['images']} | "
        + " | ".join(share(each[column]) if column in each else "-" for column in COLUMNS)
        + " |"
        for name, each in rows.items()
    )


def points(metric: dict[str, Any]) -> str:
    """A difference of shares with its interval, in points."""
    value, low, high = (100 * metric[name] for name in ("value", "low", "high"))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


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
