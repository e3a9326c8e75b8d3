"""The whole way on a generated world: from nothing to a located photo, offline."""

from __future__ import annotations

import time
from pathlib import Path

from lostfound.data.dataset import Dataset
from lostfound.data.importing import import_sources
from lostfound.data.prepare import prepare_dataset
from lostfound.data.records import write_atomic
from lostfound.data.stats import draw_stats
from lostfound.data.world import SYNTHETIC_SOURCE, sample_places, write_world
from lostfound.errors import UsageError
from lostfound.evaluation.card import write_card
from lostfound.evaluation.evaluate import evaluate
from lostfound.geo.countries import country_name
from lostfound.locate.locator import Locator
from lostfound.locate.outputs import Located, write_page
from lostfound.progress import progress
from lostfound.tables import print_evaluation, print_import, print_located
from lostfound.training.fit import fit
from lostfound.training.recipe import load_recipe

WORLD_SIZE, PREPARED_SIZE, VIEWS, NEW_PHOTOS = 128, 96, 4, 12
NEW_WORLD_SEED = 2  # another world than the one trained on: none of its places was seen
MARKER = "demo.txt"


def run_demo(to: Path, *, places: int, epochs: int | None) -> None:
    """Generate, import, prepare, train, evaluate and locate; prints what it does and where it leaves it.

    Args:
        to: The folder for all of it; a demo that was stopped there goes on.
        places: Places of the generated world.
        epochs: Epochs of the training; the recipe's if None.

    Raises:
        UsageError: The folder holds something else.
    """
    start = time.monotonic()
    if to.exists() and any(to.iterdir()) and not (to / MARKER).is_file():
        raise UsageError(f"{to} exists and holds something else: choose another folder with --to")
    write_atomic(to / MARKER, b"Made by `lostfound demo`: a synthetic world, safe to delete.\n")
    _step("1/6  Generating a world of street scenes (synthetic)")
    world = _generate(to / SYNTHETIC_SOURCE, places=places, seed=1)
    _step("2/6  Importing")
    imported = import_sources([world], to / "dataset", size=WORLD_SIZE)
    print_import(imported, to / "dataset")
    _step("3/6  Preparing")
    prepared_folder = to / f"dataset-{PREPARED_SIZE}"
    if (prepared_folder / "dataset.json").is_file():
        prepared = Dataset.open(prepared_folder)
    else:
        prepared = prepare_dataset(imported.dataset, prepared_folder, size=PREPARED_SIZE)
    picture = to / "dataset.png"
    write_atomic(picture, draw_stats(prepared))
    _step("4/6  Training a country classifier from scratch")
    model = to / "model"
    overrides = [f"trainer.epochs={epochs}"] if epochs else []
    result = fit(
        load_recipe("demo", overrides),
        prepared,
        model,
        resume=not _finished(model),
        overwrite=_finished(model),
    )
    _step("5/6  Evaluating on places it never saw")
    locator = Locator(result.folder)
    measured = evaluate(locator, prepared, "test")
    write_card(result.folder, measured)
    report = measured.save(to / "report")
    print_evaluation(measured)
    _step("6/6  Locating new photos")
    results = _locate_new(locator, to / "new-photos")
    print_located(results[:4])
    page = write_page(results, to / "map.html", title="Photos of a generated world, located")
    print(
        f"\nDone in {time.monotonic() - start:.0f} s. All of it is synthetic: a drawn world, to show the way."
    )
    for what, path in (
        ("Data set ", picture),
        ("Model    ", model),
        ("Report   ", report / "confusion.png"),
        ("Map      ", page),
    ):
        print(f"  {what} {path}")
    print("Next: your own photos, `lostfound import --help`.")


def _step(text: str) -> None:
    print(f"\n== {text}", flush=True)


def _finished(model: Path) -> bool:
    return (model / "config.json").is_file()


def _generate(folder: Path, *, places: int, seed: int) -> Path:
    with progress("Drawing", places * VIEWS) as advance:
        return write_world(folder, places=places, views=VIEWS, size=WORLD_SIZE, seed=seed, progress=advance)


def _locate_new(locator: Locator, folder: Path) -> list[Located]:
    """Locate photos of another generated world, and keep their true places for the map."""
    write_world(folder, places=NEW_PHOTOS, views=1, size=WORLD_SIZE, seed=NEW_WORLD_SEED)
    places = {place.place_id: place for place in sample_places(NEW_PHOTOS, seed=NEW_WORLD_SEED)}
    photos = sorted((folder / "images").iterdir())
    results = []
    for photo, guess in zip(photos, locator.locate(list(photos)), strict=True):
        place = places[photo.stem.rpartition("_")[0]]
        truth = (place.latitude, place.longitude)
        results.append(Located(str(photo), guess, truth=truth, truth_name=country_name(place.country)))
    return results
