"""Write docs/studies.md from the records of studies.

python scripts/write_studies.py                  # from the records in benchmarks/results/studies
python scripts/write_studies.py --keep studies/* # first keep what `lostfound compare` left in folders
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

from machine import machine, versions  # noqa: E402
from starter_card import points, share, tried  # noqa: E402

from lostfound.evaluation.metrics import METRICS  # noqa: E402

RECORDS = ROOT / "benchmarks" / "results" / "studies"
PICTURES = ROOT / "docs" / "images" / "studies"
ORDER = ("pixels", "views", "city", "regions", "pretraining")
STARTER = RECORDS.parent / "starter.json"


def keep(folder: Path) -> None:
    """Keep a finished study's results with its data, its versions and its picture."""
    record = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    trained = [json.loads(file.read_bytes()) for file in sorted(folder.glob("*/seed-*/trained-with.json"))]
    record["data"] = {each["data"]["dataset"]: each["data"]["records_sha256"] for each in trained}
    record["made_with"] = f"{machine()}; {versions('lostfound', 'torch', 'timm', 'onnxruntime')}"
    name = record["study"]["name"]
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    RECORDS.mkdir(parents=True, exist_ok=True)
    PICTURES.mkdir(parents=True, exist_ok=True)
    (RECORDS / f"{name}.json").write_text(text, encoding="utf-8")
    shutil.copyfile(folder / "results.png", PICTURES / f"{name}.png")


def section(record: dict[str, Any]) -> str:
    """One study: the question, the table, and what became of the claims."""
    study = record["study"]
    metrics = [
        m for m in study["metrics"] if any(r["metric"] == m and r["estimate"] for r in record["results"])
    ]
    rows = {(row["entry"], row["metric"]): row for row in record["results"]}
    lines = [f"## {study['name'].replace('-', ' ').capitalize()}", "", study["about"].strip(), ""]
    data = ", ".join(f"`{name}` (records {sha256[:12]})" for name, sha256 in record["data"].items())
    seeds = len(study["seeds"])
    lines += [
        f"[The study](../benchmarks/studies/{study['name']}.yaml): recipe `{study['recipe']}`, trained on"
        f" {data}, {seeds} seed{'s' if seeds > 1 else ''} each; \\* is what the others are compared with.",
        "",
        f"| variant | scored | {' | '.join(METRICS[name].heading for name in metrics)} |",
        f"|---|---|{'---|' * len(metrics)}",
    ]
    for entry in study["variants"]:
        first = next((rows[entry, m] for m in metrics if rows[entry, m]["estimate"]), None)
        if first is None:
            continue
        found = first["estimate"]
        scored = f"{found['places']} places"
        if first["unit"] == "image":
            scored = f"{found['n']} images of {scored}"
        star = " \\*" if entry == study["baseline"] else ""
        cells = [cell(rows[entry, metric]) for metric in metrics]
        lines.append(f"| {entry}{star} | {scored} | {' | '.join(cells)} |")
    lines += ["", f"![Each variant's metrics with intervals](images/studies/{study['name']}.png)", ""]
    for entry, claim in study.get("claims", {}).items():
        says = claim if isinstance(claim, str) else claim["says"]
        verdict = record["verdicts"].get(entry)
        lines.append(f"- **{entry}**: {says}" + (f" *{verdict.capitalize()}.*" if verdict else ""))
    for failed in record["failed"]:
        lines.append(f"- Failed: {failed['entry']}, seed {failed['seed']}: {failed['message']}")
    lines += ["", f"Made with: {record['made_with']}.", ""]
    return "\n".join(lines)


def cell(row: dict[str, Any]) -> str:
    """A value with its interval, and its difference with interval and p."""
    found, against, metric = row["estimate"], row["difference"], row["metric"]
    if found is None:
        return "-"
    value, low, high = (METRICS[metric].number(found[each]) for each in ("value", "low", "high"))
    text = f"{value} ({low} to {high})"
    if found["spread"] is not None:
        text += f", spread {METRICS[metric].number(found['spread'])}"
    if against is not None:
        low, high = (METRICS[metric].number(against[each], signed=True) for each in ("low", "high"))
        p = "< 0.001" if row["p_holm"] < 0.001 else f"{row['p_holm']:.3f}"
        text += f"; {METRICS[metric].number(against['value'], signed=True)} ({low} to {high}), p {p}"
    return text


def starter(record: dict[str, Any]) -> str:
    """What was tried for the starter model."""
    travel = "street views and 88 collections of travel pictures"
    half = "also half of those held out"
    both = f"{travel}, {half}"
    away, lite2 = record["away"], "EfficientNet-Lite2, one training"
    rows = "\n".join(
        f"| {name} | {learnt} | {share(found['image']['metrics']['top_1_accuracy'])} | "
        f"{share(found['image']['metrics']['top_5_accuracy'])} | "
        f"{share(found['macro']['collections']['top_5_accuracy'])} |"
        for name, learnt, found in (
            ("MobileNetV2, three trainings averaged (version 0.1.0)", "street views", record["before"]),
            (f"{lite2}, countries drawn by the root of their images", travel, record["countries_alone"]),
            (f"{lite2}, the same, and collections to 0.75", travel, record["countries_by_root"]),
            (f"{lite2}, countries as they are, collections to 0.75", travel, record["countries_as_they_are"]),
            ("the mean of the weights of the last two", travel, record["mean_of_both"]),
            ("that, its head gone on", f"{travel}; the head {half}", record["head_went_on"]["away"]),
            (
                "the mean of the weights of two trainings of 20 epochs",
                both,
                record["mean_of_weights"]["away"],
            ),
            (
                "the mean of their answers, at 160 pixels, naming every country",
                both,
                record["mean_of_answers"]["away"],
            ),
            ("that, its head fitted again", both, away),
        )
    )

    def above(which: str, over: str) -> str:
        return " and ".join(points(each) for each in away["constant"][f"more than {which}"][over].values())

    return f"""## The starter model

The model in the package ([its card](../src/lostfound/models/starter/README.md)) and those before it, on {away["image"]["images"]} photos of
{away["macro"]["collections"]["top_1_accuracy"]["places"]} collections that none had learnt from when it was judged on them:

| network | learnt from | top-1 | top-5 | top-5, mean over collections |
|---|---|---|---|---|
{rows}

Naming the same countries each time is what to be better than. In points, top-1 and top-5, the last is above what is most
frequent in its training by {above("known", "photos")} by photo and {above("known", "collections")} in the
mean of collections; and above what is most frequent among these very photos, which nobody knows beforehand, by
{above("told", "photos")} by photo, so in top-5 not clearly, and {above("told", "collections")} in the mean of collections.

How much of that is the photos' and how much the network's and its training's was told apart once: a plain script (MobileNetV2 at
160 pixels, eight epochs) that learns from the same photos is right on 12.9 / 32.5 % of the judging half, where the starter is on
19.4 / 40.3 % (+6.5, +3.3 to +9.6; +7.8, +3.7 to +11.8; [both, in other means and at home](../benchmarks/results/reference.md), by
`scripts/starter_reference.py`). So the photos make most of the difference to the first row, and the network half as much again at first, a quarter among five.
How collections are drawn was chosen with heads on locked features, [in this benchmark](../benchmarks/results/origins.md), in which all
collections are held out in turn, these among them.

**What the next images bring**, by the same benchmark (heads on locked features, one seed, 5416 pictures of 110 collections, all held
out in turn): twice as many collections add 4 to 5 points, of top-1 as of top-5, and that does not flatten yet (1/8, 1/4, 1/2 and
all of them: 5.0, 6.3, 10.7 and 14.6 % top-1; 16.1, 19.3, 24.6 and 29.1 % top-5; means of collections). Twice as many pictures of
the same collections add 1.9 and 0.6 points at the end of the curve. So the next thousand pictures should come from new
collections. Street views add nothing there (+0.4 and -0.2 without them), and are all that is known about streets.

**Parts of countries, added up.** Heads that tell regions or S2 cells apart, whose sums are the countries' probabilities, on the
same locked features ([measured](../benchmarks/results/origins_parts.md), two seeds): +0.5 to +1.1 points of top-1 in the mean of collections
(regions +0.2 to +1.4, S2 cells of level 5 +0.1 to +0.9) and none of top-5 (regions -1.9 to -0.1). There are
coordinates to learn parts from for 22 % of these pictures (and 55 % of the street views). The starter learns countries.

Countries drawn as they are make a model that is right more often by photo, at home and in Cambridge, and less often in the mean of
collections and of countries, which counts rare ones more. The mean of both models' weights is near the better one or ahead of
both, but for Cambridge (4.9 % between 2.8 and 10.7). It was chosen on the half of these collections that also calibrates it:
8.5 % by photo and 26.3 % in the mean of collections, against 8.3 and 17.4 of the one with countries as they are; on the other
half, 14.0 and 9.8 against 14.4 and 9.8.

**Longer, and on all collections.** What is held out for measuring is lost for answering, so the starter learns from all of them,
and two models made like it, each without one half of those held out, tell what that is worth. A GPU for half an hour allowed
some trainings without the half that may choose, judged on it (542 photos of 11 collections) and on new places at home (1890
photos); one training is a point or two off by chance:

| what is changed | held out, top-1 / top-5 | mean of its collections | home |
|---|---|---|---|
{ingredients(record["ingredients"])}

Twenty epochs instead of eight are what gains at home (three points, and rare countries most); abroad, all of it is within
chance. 20 epochs were chosen for what they gain at home, as the held-out half could not tell them from the starter before
(9.2 / 22.3 and 7.8 / 23.0).

**Answers, not weights.** The same two trainings, countries as they are and by the root, put together in other ways (`lostfound
average` with those options):

| what is put together | held out, top-1 / top-5 | mean of its collections | home | balanced at home |
|---|---|---|---|---|
{ingredients(record["answers"], "balanced")}

The mean of their answers is ahead of both at home by two points and more, and abroad it is not behind; the mean of their weights
is behind the better one. (The statistics of its batch norms were not the reason: measured again, it is worse at home.) And each
answers images of 160 pixels, the size of the crops that it learnt from, as well as those of 224, in half the time. So both
networks together take the time of one as it was, and with filters of 8 bits nearly its space.

**Distillation, of the head alone.** The backbones locked, the head of each going on for eight epochs (without changes to the
images, at 160 pixels), with the labels or with nine tenths of both models' mean answers:

| head | held out, top-1 / top-5 | home |
|---|---|---|
{heads(record["distilled_heads"])}

So the answers teach a head nothing that labels don't. A whole network that goes on for three epochs with the labels gains nothing
either ([measured](../benchmarks/results/further.md), `scripts/starter_further.py`: -0.2, -2.0 to +1.7, and -0.6, -2.4 to +1.3, on the calibrating half). One
that learns nine tenths of both networks' answers for as long (`task.teachers`) is, alone, right on 10.1 / 24.4 % of that half and 40.1 / 65.5 %
at home, where the labels made it 9.6 / 21.8 and 40.4 / 64.7; beside the other network 9.0 / 25.1 and 41.7 / 67.4, where both as they
were have 9.4 / 24.0 and 42.2 / 67.9. So it teaches one network more than labels do, of what both know (+2.6, +0.7 to +4.4, among five); both
together gain nothing clear over what they were. One that goes on with more of what photos go through when they are shared (strong
compression, borders, more grey) gains nothing there either: beside the other +0.0 (-1.3 to +1.3) and +0.4 (-1.3 to +2.2), at home
+0.3 (-0.6 to +1.2) and -0.2 (-1.1 to +0.6), to the labels as long.

**The head, fitted again.** A training moves a head along with all that lies below it, on crops, and stops; for the features that
come out, it is not the best there is. So a last layer is fitted to the features of the whole training images of both networks
(a logistic regression with a penalty on its squares), and what it says averaged with what the head says (`lostfound average --refit`).
Where one country has photos by several collections, these also tell how collections differ: the five directions in which they
do most are taken out first (nuisance attribute projection). It costs nothing when answering: it is one linear layer as before. The
penalty, the share and the five were chosen on the calibrating half, among some forty variants; the other one then judged it, with
styles and without:

| head | calibrating half, top-1 / top-5 | mean of its collections | judging half | mean of its collections | home (the twin of the first, of the other) | balanced at home |
|---|---|---|---|---|---|---|
{refitted(record["refitted"])}

The starter so made, in 8 bits and naming every country, is beside the one before it, on all 1083 photos of 22 collections, by +0.4
(-0.7 to +1.5) right at first and +2.3 (+0.9 to +3.7) among five. Half of these photos chose it, so that is too good: the half that did
not has +0.7 (-1.1 to +2.4) and **+1.7 (-0.4 to +3.7)**, which is not clear of chance, the one that did +0.0 (-1.3 to +1.3) and +3.0 (+1.1 to +4.8). At home it gains +1.3 (+0.3 to +2.3) and +0.0 (-1.0 to +1.0). What it costs is rare countries: in the mean of
those 55 countries -1.7 (-2.9 to +1.2) and +1.6 (+0.2 to +2.9).

A vote of all training images by the likeness of their features did as well on the calibrating half as the head itself (10.5 / 24.2
with both, 43.6 / 69.6 at home); it takes 1.4 MB more and a network of its own kind, and was not followed further.

**Every country.** {len(record["unseen"])} of the {len(record["training"]["names"])} countries have one training photo or none. The rows of the head are taken for a Gaussian
process over the Earth (kriging, `lostfound average --every-country`): each country's is estimated from its own, as sure as
it has photos, and from those near it. How good that is for one without photos [was
measured](../benchmarks/results/every_country.md) on those that have some, by leaving out the row of one at a time: 57 of 185 then come before
the right one, in the middle, on the judging half (92 by chance, 10 with its own row), 31 at home; one in a hundred is among the
first five. So it is seldom found by itself, and may be found among few. (The features had learnt from its photos: a country
that was truly never seen fares worse.) To the others it adds a little abroad and takes some from rare ones at home, which share
their places with new neighbours.

**No place.** How far a photo's features are from the training photos' (Mahalanobis) was to tell rooms and food. Of {record["unknown"]["away"]["no place"]["images"]} such pictures
in the collections that the twins never saw, picked by hand, it does not: they are no farther than streets (area under the ROC curve
45 %, [measured](../benchmarks/results/placeless.md)). A logistic regression in the same features, fitted to pictures of no place of the other
collections (of {record["placeless"]["photos"]} in all) and {record["placeless"]["drawn"]} drawn ones, does; the twins then refuse {share(record["unknown"]["away"]["no place"]["no_place"])} of them. It makes fewer false
alarms the more photos of places it is fitted beside: with 2000 of them (a third of world-photos) 10 to 12 % of the photos of unseen
collections, with all 3 to 6 %, most of them of halls and stalls. More pictures of no place find more: 220 found 81 and 91 % of the two
halves' own, 302 found 88 and 97 %.

Cambridge is where the model is weakest: {share(record["cambridge"]["image"]["metrics"]["top_5_accuracy"])} of its photos among five, where the mean of weights had
{share(record["mean_of_weights"]["cambridge"]["image"]["metrics"]["top_5_accuracy"])} and the model of 8 epochs {share(record["head_went_on"]["cambridge"]["image"]["metrics"]["top_5_accuracy"])}. It is one city, and so one country, which a
model either takes it for or not.

The head alone can go on for further photos (the variant `further`, half a minute once the features are there); the starter
before this one was made so.

Mirrored or cut photos beside the whole one hardly help ([measured](../benchmarks/results/views_of_one.md)): the squares at both
ends add 1.8 points (0.6 to 3.0) of top-5 for three times the time, and nothing at home.

What was tried for the one before, by accuracy on a collection that the training left out. One training each: a point or two
means little.

{tried(record["tried"])}

Averaging the weights of three trainings was the surest gain. Locking the layers at first, mixed and blanked images and
answering at 224 instead of 160 pixels gave about a point each, or none. Learning from the panoramas alone, most of which are
of four countries, gives a far worse model of the other collection, at 160 or 224 pixels and however evenly countries are drawn.

Written from [its record](../benchmarks/results/starter.json) by the scripts `build_starter.py` and `write_studies.py`.
"""


def ingredients(rows: list[dict[str, Any]], *further: str) -> str:
    """What single trainings and means of them are worth, a line each; further metrics are those at home."""
    lines = []
    for row in rows:
        half, home = row["held_out_half"], row["home"]
        at_home = f"{home['top_1']} / {home['top_5']}" if home else "-"
        rest = "".join(f" {home[name]} |" for name in further)
        lines.append(
            f"| {row['what']} | {half['top_1']} / {half['top_5']} | {half['top_1_collections']} / "
            f"{half['top_5_collections']} | {at_home} |{rest}"
        )
    return "\n".join(lines)


def refitted(rows: list[dict[str, Any]]) -> str:
    """What heads are worth on both halves, a line each."""
    lines = []
    for row in rows:
        halves = [row["calibrating_half"], row["judging_half"]]
        apart = [
            f"{half['top_1']} / {half['top_5']} | {half['top_1_collections']} / {half['top_5_collections']}"
            for half in halves
        ]
        home = ", ".join(f"{each['top_1']} / {each['top_5']}" for each in row["home"])
        balanced = ", ".join(str(each["balanced"]) for each in row["home"])
        lines.append(f"| {row['what']} | {apart[0]} | {apart[1]} | {home} | {balanced} |")
    return "\n".join(lines)


def heads(rows: list[dict[str, Any]]) -> str:
    """What heads are worth, a line each."""
    return "\n".join(
        f"| {row['what']} | {row['held_out_half']['top_1']} / {row['held_out_half']['top_5']} | "
        f"{row['home']['top_1']} / {row['home']['top_5']} |"
        for row in rows
    )


def main() -> None:
    """Read the arguments, keep, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--keep", nargs="*", type=Path, default=[], metavar="FOLDER", help="of finished studies"
    )
    for folder in parser.parse_args().keep:
        keep(folder)
    records = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in RECORDS.glob("*.json")}
    names = [name for name in ORDER if name in records] + sorted(records.keys() - set(ORDER))
    intro = (ROOT / "scripts" / "studies_intro.md").read_text(encoding="utf-8")
    text = "\n".join([intro, *(section(records[name]) for name in names)])
    if STARTER.is_file():
        text += starter(json.loads(STARTER.read_text(encoding="utf-8")))
    (ROOT / "docs" / "studies.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
