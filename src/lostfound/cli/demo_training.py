"""The demo that trains: the whole way on a generated world, from nothing to a located photo, offline."""

from __future__ import annotations

import json
import time
from pathlib import Path

from lostfound.claims import claim_folder
from lostfound.cli.common import show
from lostfound.cli.output.data import print_import
from lostfound.cli.output.models import print_evaluation, print_fit, print_located
from lostfound.data.dataset import Dataset
from lostfound.data.importers.importing import import_images
from lostfound.data.preparing.prepare import prepare
from lostfound.data.stats_plot import draw_stats
from lostfound.evaluation.card import measure
from lostfound.evaluation.evaluate import Evaluation
from lostfound.evaluation.report.page import REPORT, write_report
from lostfound.files import write_atomic
from lostfound.geo.countries import country_name
from lostfound.pages.map import write_photo_map
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import CONFIG
from lostfound.predict.outputs import LocatedPhoto
from lostfound.progress import progress
from lostfound.training.fit import FitResult
from lostfound.training.recipe import load_recipe
from lostfound.training.settings import Recipe
from lostfound.training.train import train_model
from lostfound.world import SYNTHETIC_SOURCE, sample_places, write_world

WORLD_SIZE, PREPARED_SIZE, VIEWS, NEW_PHOTOS = 128, 96, 4, 12
NEW_WORLD_SEED = 2  # another world than the one trained on: none of its places was seen
SHOWN = 4
MARKER = "demo.json"


def run_training_demo(to: Path, *, places: int, epochs: int | None) -> None:
    """Generate, import, prepare, train, evaluate and locate; prints what it does and where it leaves it.

    Args:
        to: The folder for all of it; a demo that was stopped there goes on, and does nothing twice.
        places: Places of the generated world.
        epochs: Epochs of the training; the recipe's if None.

    Raises:
        UsageError: The folder holds something else, or a demo with other settings.
    """
    start = time.monotonic()
    recipe = load_recipe("demo", [f"trainer.epochs={epochs}"] if epochs else [])
    about = {"made_by": "lostfound demo --train: synthetic, safe to delete", "places": places}
    claim_folder(
        to,
        MARKER,
        json.dumps({**about, "epochs": recipe.trainer.epochs}) + "\n",
        made_by="a demo's",
        other="holds a demo with other settings",
    )
    _step("1/6  Drawing a world of street scenes (synthetic)")
    world = _generate(to / SYNTHETIC_SOURCE, places=places, seed=1)
    _step("2/6  Importing")
    imported = import_images([world], to / "dataset", size=WORLD_SIZE)
    print_import(imported, to / "dataset")
    _step(f"3/6  Preparing: {PREPARED_SIZE} pixels are enough for a small network")
    prepared = _prepare(imported.dataset, to / f"dataset-{PREPARED_SIZE}")
    picture = to / "dataset.png"
    write_atomic(picture, draw_stats(prepared))
    show(f"{len(prepared)} images; a picture of them: {picture}")
    _step("4/6  Training a country classifier from scratch")
    measured = _train_and_measure(recipe, prepared, to / "model")
    locator = Locator.load(to / "model")
    folder = measured.save(to / "report")
    report = write_report(measured, folder / REPORT, partition=locator.model.partition, dataset=prepared)
    print_evaluation(measured)
    _step("6/6  Locating new photos")
    results = _locate_new(locator, to / "new-photos")
    print_located(results[:SHOWN])
    show(f"({SHOWN} of {len(results)}; all of them, with the true places, are on the map)")
    page = write_photo_map(
        results,
        to / "map.html",
        title="Photos of a generated world, located",
        note="The photos are synthetic: drawings of a world that does not exist.",
    )
    show(f"\nDone in {time.monotonic() - start:.0f} s. All of it is synthetic: a drawn world.")
    for what, path in (("Model", to / "model"), ("Report", report), ("Map", page)):
        show(f"  {what:7} {path}")
    show("Open the report and the map in a browser. Next, your own photos: `lostfound import --help`.")


def _step(text: str) -> None:
    show(f"\n== {text}", flush=True)


def _prepare(dataset: Dataset, to: Path) -> Dataset:
    if (to / "dataset.json").is_file():
        return Dataset.open(to)
    return prepare(dataset, to, size=PREPARED_SIZE).dataset


def _train_and_measure(recipe: Recipe, dataset: Dataset, to: Path) -> Evaluation:
    def after_fit(result: FitResult | None) -> None:
        if result is None:
            show("The model is there, from an earlier run.")
        else:
            print_fit(result)
        _step("5/6  Evaluating on places it never saw")

    if (to / CONFIG).is_file():
        after_fit(None)
        return measure(to, dataset)
    return train_model(recipe, dataset, to, resume="always", after_fit=after_fit).evaluation


def _generate(folder: Path, *, places: int, seed: int) -> Path:
    with progress("Drawing", places * VIEWS) as advance:
        return write_world(folder, places=places, views=VIEWS, size=WORLD_SIZE, seed=seed, progress=advance)


def _locate_new(locator: Locator, folder: Path) -> list[LocatedPhoto]:
    """Locate photos of another generated world, and keep their true places for the map."""
    write_world(folder, places=NEW_PHOTOS, views=1, size=WORLD_SIZE, seed=NEW_WORLD_SEED)
    places = {place.place_id: place for place in sample_places(NEW_PHOTOS, seed=NEW_WORLD_SEED)}
    photos = sorted((folder / "images").glob("*.jpg"))
    results = []
    for photo, guess in zip(photos, locator.locate(list(photos)), strict=True):
        place = places[photo.stem.rpartition("_")[0]]
        truth = (place.latitude, place.longitude)
        results.append(LocatedPhoto(str(photo), guess, truth=truth, truth_name=country_name(place.country)))
    return results
