"""The five published systems, and the tasks of their variants: an epoch each on a generated world."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import ModelFolder

# What a recipe can't have on a generated world of 36 places, and what would take more than seconds.
TINY = (
    "model.backbone=lostfound:cnn5",
    "model.options={width: 8}",
    "input.size=[32, 48]",
    "trainer.epochs=1",
    "trainer.batch_size=16",
    "trainer.workers=0",
    "trainer.device=cpu",
)
PLACES = {
    "london": ["task.settings.cells=8"],
    "cities": ["task.settings={cities: [Paris, Berlin, Tokyo], radius_km: 1200}"],
}
SLOW = pytest.mark.slow
SOURCES = [
    ("lost-and-found", "source"),
    pytest.param("geotrainr", "source", marks=SLOW),
    pytest.param("london", "source", marks=SLOW),
    ("cities", "source"),
    pytest.param("euguess", "source", marks=SLOW),
]
OTHERS = [
    ("lost-and-found", "regions"),
    pytest.param("geotrainr", "coordinates", marks=SLOW),
    pytest.param("geotrainr", "discriminator", marks=SLOW),
]


@pytest.fixture(scope="session")
def places(made_once) -> Path:
    """Four views each of 36 places, half of them in Europe; a data set with splits."""
    from lostfound.data.importers.importing import import_images
    from lostfound.data.splits import SplitSettings
    from lostfound.world import write_world

    countries = ["FR", "DE", "JP", "FR", "DE", "BR"]
    world = made_once(
        "recipes-world",
        lambda folder: write_world(folder, places=36, views=4, size=48, countries=countries),
    )
    splits = SplitSettings(val=0.25, test=0.25)
    return made_once(
        "recipes-data", lambda folder: import_images([world], folder, size=48, splits=splits, jobs=1)
    )


@pytest.fixture(scope="session")
def trained(made_once, lostfound, places: Path):
    """The folder where `model` is what the command made of a recipe's variant, and what it said."""

    def train(name: str, variant: str) -> Path:
        changes = [*TINY, *(PLACES.get(name, []) if "coordinates" not in variant else [])]

        def build(folder: Path) -> None:
            folder.mkdir()
            command = ["train", name, "--variant", variant, "--data", places, "--to", "model"]
            for change in changes:
                command += ["--set", change]
            done = lostfound(*command, cwd=folder)
            assert done.returncode == 0, done.stderr
            (folder / "said.txt").write_text(done.stdout)

        return made_once(f"recipe-{name}-{variant}", build)

    return train


@pytest.mark.parametrize(("name", "variant"), SOURCES)
@pytest.mark.slow
def test_a_recipe_trains_is_measured_and_locates(
    trained, lostfound, places: Path, name: str, variant: str
) -> None:
    folder = trained(name, variant)
    said = (folder / "said.txt").read_text()
    measured = json.loads(lostfound("evaluate", "model", places, "--json", cwd=folder).stdout)
    assert measured["images"] > 0
    assert {"top_1_accuracy", "median_distance_km", "geoguessr_score"} <= measured["metrics"].keys()
    assert "top-1 accuracy" in said
    photos = sorted((places.parent / "recipes-world" / "images").iterdir())[:3]
    answer = json.loads(
        lostfound("locate", *photos, "--model", "model", "--format", "json", cwd=folder).stdout
    )
    model = ModelFolder.open(folder / "model")
    assert model.partition is not None
    for photo in answer["photos"]:
        assert {each["cell_id"] for each in photo["candidates"]} <= set(model.partition.cell_ids)
    assert model.config["recipe"]["name"] == name


@pytest.mark.parametrize(("name", "variant"), OTHERS)
@pytest.mark.slow
def test_a_variant_trains_and_answers_with_its_task(
    trained, lostfound, places: Path, name: str, variant: str
) -> None:
    folder = trained(name, variant)
    model = ModelFolder.open(folder / "model")
    photo = min((places.parent / "recipes-world" / "images").iterdir())
    options = ("--model", "model", "--format", "json", "--always-answer")
    answer = json.loads(lostfound("locate", photo, *options, cwd=folder).stdout)
    (found,) = answer["photos"]
    assert -90 <= found["latitude"] <= 90
    assert -180 <= found["longitude"] < 180
    if variant == "coordinates":
        assert model.partition is None
        assert found["probability"] is None
        assert [each["cell_id"] for each in found["candidates"]] == [None]
    else:
        assert model.partition is not None
        assert 0 < found["probability"] <= 1
    card = (folder / "model" / "README.md").read_text()
    assert "median distance" in card


@pytest.mark.slow
def test_several_photos_of_one_place_are_answered_together(trained, lostfound, places: Path) -> None:
    folder = trained("cities", "source")
    photos = sorted((places.parent / "recipes-world" / "images").iterdir())[:3]
    done = lostfound(
        *("locate", *photos, "--same-place", "--model", "model", "--top", 9, "--format", "json"), cwd=folder
    )
    answers = json.loads(done.stdout)["photos"]
    assert [each["photo"] for each in answers] == [str(photo) for photo in photos]
    assert answers[0]["candidates"] == answers[1]["candidates"] == answers[2]["candidates"]
    expected = Locator.load(folder / "model").locate_place(photos, top=9)
    found = answers[0]["candidates"]
    assert [each["cell_id"] for each in found] == [each.cell_id for each in expected.candidates]
    assert [each["probability"] for each in found] == pytest.approx(
        [each.probability for each in expected.candidates], rel=1e-4
    )
    alone = json.loads(
        lostfound("locate", *photos, "--model", "model", "--format", "json", cwd=folder).stdout
    )
    assert len({json.dumps(each["candidates"]) for each in alone["photos"]}) == 3


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("cities", None, "place"),
        ("cities", "image", "image"),
        pytest.param("euguess", None, "image", marks=SLOW),
        pytest.param("euguess", "place", "place", marks=SLOW),
    ],
)
def test_a_place_is_scored_once_or_each_of_its_images(
    trained, lostfound, places: Path, name: str, unit: str | None, expected: str
) -> None:
    """As the model was trained, or as asked for; and the table says which."""
    folder = trained(name, "source")
    option = () if unit is None else ("--unit", unit)
    measured = json.loads(lostfound("evaluate", "model", places, *option, "--json", cwd=folder).stdout)
    assert measured["unit"] == expected
    n = measured["metrics"]["top_1_accuracy"]["n"]
    assert measured["images"] == 4 * measured["places"]
    assert n == (measured["places"] if expected == "place" else measured["images"])
    if unit is None:
        said = (folder / "said.txt").read_text()
        assert bool(re.search(r"\d+ places, by the mean of their \d+ images", said)) == (expected == "place")
