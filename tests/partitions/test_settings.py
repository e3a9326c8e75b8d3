"""The settings of partitions, by themselves and in a recipe."""

import pytest

from lostfound.errors import RecipeError, UsageError
from lostfound.partitions import PARTITION_KINDS, build_partition
from lostfound.partitions.registry import KINDS
from lostfound.partitions.settings import SETTINGS, check_settings
from lostfound.training.recipe import load_recipe


def test_every_kind_has_settings_and_a_rule():
    assert tuple(SETTINGS) == PARTITION_KINDS
    assert tuple(KINDS) == (*PARTITION_KINDS, "gallery"), "galleries are no recipe's"


def test_every_setting_names_itself():
    assert all(SETTINGS[kind].__doc__ for kind in PARTITION_KINDS)


@pytest.mark.parametrize(
    ("kind", "values", "says"),
    [
        ("hexagons", {}, "no partition 'hexagons': choose one of countries, regions"),
        ("s2", {"max_image": 3}, "unknown setting 'max_image'; did you mean 'max_images'"),
        ("s2", {"zzz": 3}, "unknown setting 'zzz'; known: centroid, max_images, max_level, min_images"),
        ("s2", {"max_images": "many"}, "max_images: input should be a valid integer"),
        ("s2", {"max_level": 31}, "max_level: input should be less than or equal to 30"),
        ("quadtree", {}, "split_at is missing"),
        ("countries", {"centroid": "median"}, "centroid: input should be 'mean' or 'geometric'"),
        ("regions", {"centroid": "geometric"}, "centroid: input should be 'mean'"),
        (
            "square",
            {"min_images": -1, "cell_km": 1},
            "min_images: input should be greater than or equal to 0",
        ),
        ("polygons", {"files": []}, "files: .*at least 1 item"),
    ],
)
def test_wrong_settings(kind, values, says):
    with pytest.raises(UsageError, match=says):
        check_settings(kind, values)
    with pytest.raises(UsageError, match=says):
        build_partition(kind, [[48.0, 2.0]], **values)


def test_a_recipe_takes_any_kind():
    task = load_recipe("demo", ["task.partition=s2", "task.settings.max_images=200"]).task
    assert (task.partition, task.settings) == ("s2", {"max_images": 200})
    assert load_recipe("demo").task.settings == {}


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["task.partition=s2", "task.settings.max_image=3"], "task.settings: .*did you mean 'max_images'"),
        (["task.partition=square"], "give either cell_km or cells"),
        (["task.partition=hexagons"], "task.partition: input should be 'countries', 'regions'"),
        (["task.settings.min_images=3"], "min_images is task.min_images"),
        # A cell of S2 is dropped with min_images, so that it must not split before it holds more.
        (["task.partition=s2", "task.min_images=50", "task.settings.max_images=20"], "more than min_images"),
    ],
)
def test_a_recipe_with_wrong_settings(overrides, says):
    with pytest.raises(RecipeError, match=says):
        load_recipe("demo", overrides)
