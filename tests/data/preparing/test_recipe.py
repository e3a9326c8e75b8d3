from importlib.resources import files

import pytest

from lostfound.data.preparing.quality import Threshold
from lostfound.data.preparing.recipe import PrepareRecipe, load_prepare_recipe
from lostfound.errors import RecipeError
from lostfound.geo.sampling import EUGUESS_CLASSES
from lostfound.settings import packaged_names


@pytest.mark.parametrize("name", packaged_names(files("lostfound") / "recipes" / "preparing"))
def test_every_recipe_in_the_package_is_valid(name):
    assert load_prepare_recipe(name).name == name


def test_lost_and_found_has_its_source_s_values():
    recipe = load_prepare_recipe("lost-and-found")

    assert recipe.sizes == (180,)  # 320x180
    assert recipe.quality.thresholds() == [Threshold("color_variance", 300), Threshold("sharpness", 30)]
    assert recipe.quality.size == 180
    assert (recipe.duplicates.coordinates, recipe.duplicates.distance) == (True, None)
    assert (recipe.rebalance.min_share, recipe.rebalance.slack) == (0.0075, 0.75)


def test_the_wider_variant_differs_in_two_numbers():
    wide = load_prepare_recipe("lost-and-found-wide")

    assert (wide.rebalance.min_share, wide.rebalance.slack) == (0.005, 0.5)
    overrides = ["name=lost-and-found-wide", "rebalance.min_share=0.005", "rebalance.slack=0.5"]
    assert wide == load_prepare_recipe("lost-and-found", overrides)


def test_euguess_has_its_source_s_values():
    recipe = load_prepare_recipe("euguess")

    assert tuple(recipe.rebalance.classes()) == EUGUESS_CLASSES
    assert len(recipe.rebalance.countries) == 32
    assert recipe.sizes == (64,)


def test_without_a_recipe_nothing_is_done():
    assert load_prepare_recipe(None) == PrepareRecipe()
    assert load_prepare_recipe(None, ["sizes=[64]"]).sizes == (64,)
    assert load_prepare_recipe("clean", ["sizes=[64]"]).duplicates.bytes


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("qualty={}", "unknown key 'qualty'; did you mean 'quality'?"),
        (
            "quality.min_sharpnes=3",
            "unknown key 'quality.min_sharpnes'; did you mean 'quality.min_sharpness'?",
        ),
        ("rebalance.slck=1", "did you mean 'rebalance.slack'?"),
        ("min_share=0.1", "did you mean 'rebalance.min_share'?"),
        ("duplicates.zzz=1", "known: bytes, coordinates, distance"),
        ("quality={min_sharpness: 3, sharpness_quantile: 0.1}", "give min_sharpness or sharpness_quantile"),
        ("quality.color_variance_quantile=1", "quality.color_variance_quantile: input should be less than 1"),
        ("quality.min_sharpness=-1", "quality.min_sharpness: input should be greater than or equal to 0"),
        ("quality.min_sharpness=.nan", "quality.min_sharpness: input should be a finite number"),
        ("duplicates.distance=16", "duplicates.distance: input should be less than or equal to 15"),
        ("rebalance={target: uniform, slack: 0}", "rebalance.slack: input should be greater than 0"),
        ("rebalance={target: uniform, size_classes: []}", "give a target or size_classes, not both"),
        ("rebalance={slack: 0.5}", "slack needs a target"),
        ("rebalance={countries: [Atlantis]}", '"Atlantis" names no known country'),
        ("rebalance.max_images=0", "rebalance.max_images: input should be greater than or equal to 1"),
        ("enrich.country=guess", "enrich.country: input should be 'keep', 'fill' or 'replace'"),
        ("split={val: 0.5, test: 0.5}", "leave something for training"),
        ("split.by=country", "split.by: input should be 'place' or 'image'"),
        ("sizes=[15]", "sizes.0: input should be greater than or equal to 16"),
        ("sizes=[]", "sizes: tuple should have at least 1 item"),
        ("sizes=[64, 64]", "sizes: a size comes twice"),
    ],
)
def test_a_wrong_recipe_is_explained(override, says):
    with pytest.raises(RecipeError) as caught:
        load_prepare_recipe(None, [override])

    assert says in str(caught.value)


def test_countries_are_named_as_people_name_them():
    recipe = load_prepare_recipe(None, ["rebalance.countries=[NO, UK, Czechia]"])

    assert recipe.rebalance.countries == ("NO", "GB", "CZ")
