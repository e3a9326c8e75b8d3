"""Which images a recipe trains on, and where they are."""

from __future__ import annotations

import re

import numpy as np
import pytest

from lostfound.data.dataset import Dataset
from lostfound.data.records import set_column
from lostfound.errors import RecipeError
from lostfound.training.images import LabelledImages, left_out, select_images, training_images
from lostfound.training.settings import Data


def changed(dataset: Dataset, **columns: list[object]) -> Dataset:
    records = dataset.records
    for name, values in columns.items():
        records = set_column(records, name, values)
    return dataset.with_records(records)


def ids(images: LabelledImages | Dataset) -> list[str]:
    records = images.dataset.records if isinstance(images, LabelledImages) else images.records
    return records["image_id"].to_pylist()


def test_images_know_where_they_are(dataset: Dataset) -> None:
    images = LabelledImages.of(dataset)
    assert len(images) == len(dataset)
    assert images.points[:, 0].tolist() == dataset.records["latitude"].to_pylist()
    assert images.countries.tolist() == dataset.records["country"].to_pylist()
    assert images.places.tolist() == dataset.records["place_id"].to_pylist()
    assert images.located.all()


def test_a_country_comes_from_the_label_then_from_the_point(dataset: Dataset) -> None:
    n = len(dataset)
    labels: list[object] = ["IS", None, None, *[None] * (n - 3)]
    latitudes = dataset.records["latitude"].to_pylist()
    latitudes[2] = None
    images = LabelledImages.of(changed(dataset, country=labels, latitude=latitudes))
    assert images.countries[:3].tolist() == ["IS", dataset.records["country"][1].as_py(), None]
    assert images.located[:3].tolist() == [True, True, False]


@pytest.mark.parametrize("rows", [np.array([5, 2]), np.arange(96) % 7 == 3], ids=["numbers", "mask"])
def test_some_images_keep_what_is_known_of_them(dataset: Dataset, rows: np.ndarray) -> None:
    images = LabelledImages.of(dataset)
    part, numbers = images.take(rows), np.arange(96)[rows]
    assert ids(part) == [ids(images)[number] for number in numbers]
    assert np.array_equal(part.points, images.points[numbers])
    assert part.countries.tolist() == images.countries[numbers].tolist()
    assert part.places.tolist() == images.places[numbers].tolist()


def test_only_the_countries_asked_for(dataset: Dataset) -> None:
    part = select_images(dataset, Data(countries=["FR", "KE"]))
    assert set(part.records["country"].to_pylist()) == {"FR", "KE"}
    assert len(part) == 48


def test_only_images_with_coordinates(dataset: Dataset) -> None:
    latitudes = [
        each if row % 3 else None for row, each in enumerate(dataset.records["latitude"].to_pylist())
    ]
    part = select_images(changed(dataset, latitude=latitudes), Data(located=True))
    assert len(part) == 64
    assert part.records["latitude"].null_count == 0


@pytest.mark.parametrize("settings", [Data(countries=["IS"]), Data(countries=[])])
def test_a_choice_that_leaves_nothing_is_refused(dataset: Dataset, settings: Data) -> None:
    with pytest.raises(RecipeError, match=r"none of the 96 images of .* data\.countries and data\.located"):
        select_images(dataset, settings)


@pytest.mark.parametrize(
    ("lost", "settings", "why"),
    [
        ("latitude", Data(located=True), {"have no coordinates, which data.located asks for": 96}),
        ("country", Data(countries=["FR"]), {"have no country": 96}),
        (
            "latitude country",
            Data(countries=["FR"], located=True),
            {"have no country, and have no coordinates to tell it by": 96},
        ),
        ("", Data(countries=["IS"]), {"are in other countries than data.countries": 96}),
    ],
)
def test_images_that_are_left_out_are_told_by_why(
    dataset: Dataset, lost: str, settings: Data, why: dict[str, int]
) -> None:
    nothing: list[object] = [None] * len(dataset)
    without = changed(dataset, **dict.fromkeys(lost.split(), nothing))
    assert left_out(without, settings) == why
    with pytest.raises(RecipeError, match=re.escape(f"(96 {next(iter(why))}")):
        select_images(without, settings)


def test_each_image_is_left_out_once(dataset: Dataset) -> None:
    latitudes: list[object] = [
        each if row % 3 else None for row, each in enumerate(dataset.records["latitude"].to_pylist())
    ]
    some, settings = changed(dataset, latitude=latitudes), Data(countries=["FR", "KE"], located=True)
    assert sum(left_out(some, settings).values()) + len(select_images(some, settings)) == 96
    assert left_out(dataset, Data()) == {}


def test_training_and_validation_come_from_their_splits(dataset: Dataset) -> None:
    train, val = training_images(Data(), dataset)
    assert (ids(train), ids(val)) == (ids(dataset.split("train")), ids(dataset.split("val")))


@pytest.mark.parametrize("split", ["train", "val"])
def test_one_split_alone_is_refused(dataset: Dataset, split: str) -> None:
    with pytest.raises(RecipeError, match=r"training needs both; .*prepare --resplit"):
        training_images(Data(), dataset.split(split))


def test_a_limit_takes_the_same_images_whatever_else_there_is(dataset: Dataset) -> None:
    """Those of 20 are among those of 30; and those of half the places stay when the rest is added."""
    few, more = (set(ids(training_images(Data(limit=limit), dataset)[0])) for limit in (20, 30))
    assert len(few) == 20
    assert few < more
    places = dataset.records["place_id"].to_pylist()
    chosen = set(sorted(set(places))[::2])
    half = dataset.with_records(
        dataset.records.take([row for row, place in enumerate(places) if place in chosen])
    )
    in_half = set(ids(training_images(Data(limit=96), half)[0]))
    assert few & in_half <= set(ids(training_images(Data(limit=20), half)[0]))
    backwards = dataset.with_records(dataset.records.take(list(range(95, -1, -1))))
    assert set(ids(training_images(Data(limit=20), backwards)[0])) == few


def test_a_limit_is_of_the_training_images_alone(dataset: Dataset) -> None:
    train, val = training_images(Data(limit=3), dataset)
    assert (len(train), len(val)) == (3, len(dataset.split("val")))
    assert len(training_images(Data(limit=10**6), dataset)[0]) == len(dataset.split("train"))


def test_some_views_of_each_place_are_the_same_ones_whatever_else_there_is(dataset: Dataset) -> None:
    train, val = training_images(Data(views_per_place=1), dataset)
    assert len(train) == len(set(train.places)) == len(set(dataset.split("train").records["place_id"]))
    assert len(val) == len(dataset.split("val"))
    backwards = dataset.with_records(dataset.records.take(list(range(95, -1, -1))))
    assert set(ids(training_images(Data(views_per_place=1), backwards)[0])) == set(ids(train))
    assert ids(training_images(Data(views_per_place=2), dataset)[0]) == ids(dataset.split("train"))


def test_a_limit_is_of_the_views_that_are_left(dataset: Dataset) -> None:
    train, _ = training_images(Data(views_per_place=1, limit=10), dataset)
    assert len(set(train.places)) == 10
