"""`lostfound recipes` says what can be trained, and what can be set."""

from __future__ import annotations

import json

from lostfound.training.recipe import load_recipe, packaged_recipes


def test_all_recipes_are_listed_with_their_variants(lostfound) -> None:
    done = lostfound("recipes", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found) == [each.name for each in packaged_recipes()]
    assert {"lost-and-found", "geotrainr", "london", "cities", "euguess", "starter"} <= set(found)
    assert all(each["about"] for each in found.values())
    assert "laptop" in found["london"]["variants"]
    table = lostfound("recipes").stdout
    assert all(each["about"] in table for each in found.values())


def test_what_is_listed_of_a_recipe_can_be_set(lostfound) -> None:
    told = json.loads(lostfound("recipes", "london", "--variant", "square", "--json").stdout)
    assert told["task.partition"] == {"value": "square", "default": "countries"}
    again = load_recipe("countries", {key: each["value"] for key, each in told.items()})
    assert again == load_recipe("london", variant="square")


def test_the_table_shows_what_differs_from_the_defaults(lostfound) -> None:
    lines = lostfound("recipes", "demo").stdout.splitlines()
    (epochs,) = (line.split() for line in lines if line.startswith("trainer.epochs"))
    assert epochs[1:] == [str(load_recipe("demo").trainer.epochs), "required"]
    (seed,) = (line.split() for line in lines if line.startswith("seed"))
    assert seed == ["seed", "0"]


def test_a_recipe_that_is_none_is_refused(lostfound) -> None:
    done = lostfound("recipes", "londen")
    assert done.returncode == 2
    assert "no recipe 'londen'" in done.stderr
    assert lostfound("recipes", "--variant", "square").returncode != 0
