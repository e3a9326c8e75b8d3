"""The demo: pictures located, measured, explained and put on a map, by the starter; no torch, offline."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from lostfound.claims import claim_folder
from lostfound.cli.common import say, show
from lostfound.cli.output.explanation import print_explanation
from lostfound.cli.output.models import print_evaluation, print_located
from lostfound.cli.output.tables import counted
from lostfound.data.dataset import Dataset
from lostfound.data.importers.importing import import_images
from lostfound.errors import DatasetError, UsageError
from lostfound.evaluation.evaluate import evaluate
from lostfound.evaluation.report.page import REPORT, write_report
from lostfound.files import write_atomic
from lostfound.geo.countries import country_name
from lostfound.pages.explanation import PAGE, write_explanation
from lostfound.pages.map import write_photo_map
from lostfound.predict.locator import Locator
from lostfound.predict.outputs import LocatedPhoto
from lostfound.predict.photos import find_photos, locate_photos, with_gps
from lostfound.progress import progress
from lostfound.world import SYNTHETIC_SOURCE, sample_places, write_world

PHOTOS = files("lostfound.cli") / "demo_photos"
"""The photos in the package; those that have GPS show a place."""
DRAWINGS, DRAWN_SIZE, WORLD_SEED = 4, 320, 7
KEPT_SIZE = 320
"""The shorter side of the demo's own pictures: smaller ones would be answered otherwise than in part 1."""
MARKER = "demo.json"
_FEW = 100
"""Fewer pictures than this measure nothing, and the demo says so."""


def run_demo(to: Path, photos: Path | None = None) -> None:
    """Locate, measure, explain and map photos; prints what it does and where it leaves it.

    Args:
        to: The folder for all of it; an earlier demo's is written anew.
        photos: A folder of photos in the place of those in the package and the drawings.

    Raises:
        UsageError: The folder holds something else, or there are no photos that can be read.
    """
    start = time.monotonic()
    given = None if photos is None else find_photos([photos])  # before anything is written
    _claim(to, photos)
    locator = Locator.load()
    drawn: dict[Path, LocatedPhoto] = {}
    if given is None:
        given, drawn = _packaged(to / "photos"), _draw(to / SYNTHETIC_SOURCE)
        sources = [to / "photos", to / SYNTHETIC_SOURCE]
    else:
        assert photos is not None
        sources = [photos]
    pictures = [*given, *drawn]
    _step(f"1/4  Locating {_what(given, drawn)}")
    located = with_gps(locate_photos(pictures, locator))
    print_located(located)
    if all(each.guess is None for each in located):
        raise UsageError(f"none of the photos in {photos} can be read")
    _step("2/4  Comparing the answers with where the pictures are")
    report = _measure(locator, sources, to, len(drawn))
    _step("3/4  Why? One answer explained")
    shown = _most_telling(located)
    explanation = locator.explain(shown, method="cam")
    write_explanation(to / "why", explanation, name=shown.name, note="Model: the starter.")
    show(f"{shown}:\n")
    print_explanation(explanation)
    _step("4/4  A map")
    page = _map(locator, located, drawn, to / "map.html")
    show(f"\nDone in {time.monotonic() - start:.0f} s. Open these in a browser:")
    for name, path in (("Map", page), ("Report", report), ("Why", to / "why" / PAGE)):
        if path is not None:
            show(f"  {name:7} {path}")
    _what_next(own=photos is not None)


def _claim(to: Path, photos: Path | None) -> None:
    about = {"made_by": "lostfound demo: safe to delete", "photos": None if photos is None else str(photos)}
    claim_folder(
        to,
        MARKER,
        json.dumps(about) + "\n",
        made_by="a demo's",
        other="holds another demo",
    )


def _step(text: str) -> None:
    show(f"\n== {text}", flush=True)


def _what(given: Sequence[Path], drawn: Sequence[Path] | dict[Path, LocatedPhoto]) -> str:
    photos = counted(len(given), "photo")
    return f"{photos} and {counted(len(drawn), 'drawing')} of streets" if drawn else photos


def _packaged(to: Path) -> list[Path]:
    """The package's photos as files that can be opened, with their notice."""
    to.mkdir(parents=True, exist_ok=True)
    for each in PHOTOS.iterdir():
        if each.name.endswith((".jpg", ".md")):
            write_atomic(to / each.name, each.read_bytes())
    return sorted(find_photos([to]), reverse=True)  # the one that shows a place comes first


def _draw(to: Path) -> dict[Path, LocatedPhoto]:
    """Drawn street scenes, each with the place that it was drawn for."""
    with progress("Drawing", DRAWINGS) as advance:
        write_world(to, places=DRAWINGS, views=1, size=DRAWN_SIZE, seed=WORLD_SEED, progress=advance)
    places = {each.place_id: each for each in sample_places(DRAWINGS, seed=WORLD_SEED)}
    found = {}
    for file in sorted((to / "images").glob("*.jpg")):
        place = places[file.stem.rpartition("_")[0]]
        name = f"{country_name(place.country)}, as drawn"
        truth = (place.latitude, place.longitude)
        found[file] = LocatedPhoto(str(file), None, truth=truth, truth_name=name)
    return found


def _measure(locator: Locator, sources: Sequence[Path], to: Path, drawings: int) -> Path | None:
    """Score the answers to pictures whose place is known; the report, or None where there is none."""
    folder = to / "dataset"
    if folder.is_dir():  # an earlier demo's, and its photos may be others by now
        shutil.rmtree(folder)
    try:
        dataset: Dataset = import_images(sources, folder, size=KEPT_SIZE, jobs=1).dataset
    except DatasetError as error:
        say(f"Nothing to compare with: {error}")
        return None
    measured = evaluate(locator, dataset, "all")
    print_evaluation(measured)
    if not drawings:
        show(
            f"\nMeasured on copies of {KEPT_SIZE} pixels, whose answers may differ a little from the files'."
        )
    if len(dataset) < _FEW:
        of_them = f", {drawings} of them drawings," if drawings else ""
        show(
            f"\nThis shows how a model is measured, and is no measurement: {counted(len(dataset), 'picture')}"
            f"{of_them} are far too few, as the intervals say."
        )
    saved = measured.save(to / "report")
    return write_report(measured, saved / REPORT, partition=locator.model.partition, dataset=dataset)


def _most_telling(located: Sequence[LocatedPhoto]) -> Path:
    """The photo to explain: a real one that has a place, and of those the one that the model is surest of."""

    def telling(each: LocatedPhoto) -> tuple[bool, bool, float]:
        assert each.guess is not None
        return each.gps is not None, not each.guess.abstained, each.guess.probability or 0.0

    return Path(max((each for each in located if each.guess), key=telling).photo)


def _map(
    locator: Locator, located: Sequence[LocatedPhoto], drawn: dict[Path, LocatedPhoto], to: Path
) -> Path:
    """A map of what has a place, answered also where the model would rather not; the rest stays as it is."""
    known = [each for each in located if each.gps or Path(each.photo) in drawn]
    show(
        'On the map the model answers also where it said "I don\'t know" (--always-answer), so that there is '
        "something to see; choose a picture to see where it really is."
    )
    answering = locator.using(always_answer=True)
    answered = locate_photos([Path(each.photo) for each in known], answering) if known else []
    anew = {each.photo: each.guess for each in answered}
    entries = []
    for each in located:
        truth = drawn.get(Path(each.photo), each)
        entries.append(
            replace(
                each,
                guess=anew.get(each.photo, each.guess),
                truth=truth.truth,
                truth_name=truth.truth_name,
            )
        )
    note = "Model: the starter, which is often wrong."
    if drawn:
        note += (
            " The street scenes are drawings of a world that does not exist. Photos: danielbuechele and "
            "vultilion on Flickr, CC BY 2.0 (photos/NOTICE.md)."
        )
    return write_photo_map(entries, to, title="Where was this? The demo's answers", note=note)


def _what_next(*, own: bool) -> None:
    show("\nThe starter in the package is small and often wrong; it says so where it can. Next:")
    nexts = [
        ("lostfound locate PHOTO...", "your own photos"),
        ("lostfound demo --photos FOLDER", "all of this with your own photos that have GPS"),
        ("lostfound demo --train", "a model trained and measured, in minutes (needs the extra 'train')"),
    ]
    for command, what in nexts[own * 2 :] if own else nexts:
        show(f"  {command:32} {what}")
