"""Predictions: one table for whoever answers, written and read again, and refused where it makes no sense."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lostfound.data.dataset import Dataset
from lostfound.errors import DatasetError
from lostfound.partitions import Partition, build_partition
from lostfound.predict.guess import guesses
from lostfound.predict.locator import Locator
from lostfound.predict.predictions import Predictions

PARIS, TOKYO, SEA, NOWHERE = [48.86, 2.35], [35.68, 139.69], [-48.9, -123.4], [np.nan, np.nan]


def named(*names: str | None) -> np.ndarray:
    return np.array(names, dtype=object)


def everything() -> Predictions:
    """Two answers with all that there can be."""
    return Predictions(
        named("a", "b"),
        np.array([PARIS, TOKYO]),
        np.array([["FR", "NA"], ["JP", None]], dtype=object),
        np.array([[0.75, 0.25], [0.5, np.nan]]),
        np.array([[PARIS, TOKYO], [TOKYO, NOWHERE]]),
        named("FR", None),
        np.array([10.0, 20.0]),
        np.array([np.nan, 200.0]),
        np.array([[0.5, 10.0, 3.0], [10.0, 0.25, 1.0]], dtype=np.float32),
        10.0,
    )


def equal(one: Predictions, other: Predictions, *names: str) -> bool:
    pairs = [(getattr(one, name), getattr(other, name)) for name in names]
    return all(
        (a is None and b is None) or a is b or np.array_equal(a, b, equal_nan=np.asarray(a).dtype != object)
        for a, b in pairs
    )


ALL = (
    *("ids", "points", "cells", "probabilities", "cell_points", "countries"),
    *("radius_50_km", "radius_90_km", "anchor_degrees", "clip_degrees"),
)
IN_CSV = ("ids", "points", "cells", "probabilities", "countries", "radius_50_km", "radius_90_km")


# --- the country of an answer


def test_a_cell_in_one_country_is_of_that_country() -> None:
    """Whatever holds the point it decodes to."""
    partition = build_partition("countries", np.array([PARIS, TOKYO]), ["JP", "FR"])
    ids = np.array(partition.cell_ids, dtype=object)
    found = Predictions(ids, partition.centroids, ids[:, None], partition=partition)
    assert found.guessed_countries.tolist() == list(partition.cell_ids)


def test_a_cell_without_a_country_goes_by_its_point() -> None:
    places = np.array([PARIS, PARIS, TOKYO, TOKYO])
    partition = build_partition("square", places, ["FR", "DE", "JP", "US"], cells=4)
    assert set(partition.countries) == {None}
    ids = np.array(partition.cell_ids, dtype=object)
    found = Predictions(ids, partition.centroids, ids[:, None], partition=partition)
    assert sorted(found.guessed_countries) == ["FR", "JP"]


def test_a_bare_point_is_of_the_country_that_holds_it() -> None:
    found = Predictions(named("a", "b", "c", "d"), np.array([PARIS, TOKYO, SEA, NOWHERE]))
    assert found.guessed_countries.tolist() == ["FR", "JP", None, None]
    assert found.answered.tolist() == [True, True, True, False]


def test_what_is_stated_goes_before() -> None:
    found = Predictions(named("a"), np.array([PARIS]), countries=named("BE"))
    assert found.guessed_countries.tolist() == ["BE"]


# --- written and read again


def test_a_table_says_everything() -> None:
    again = Predictions.from_table(everything().to_table())
    assert equal(again, everything(), *ALL)


@pytest.mark.parametrize("name", ["answers.parquet", "answers"])
def test_a_file_says_everything(tmp_path: Path, name: str) -> None:
    path = everything().save(tmp_path / "new" / name)
    assert equal(Predictions.load(path), everything(), *ALL)
    assert [each.name for each in path.parent.iterdir()] == [name]


def test_csv_has_a_column_for_each_rank_and_namibia_is_no_missing_value(tmp_path: Path) -> None:
    path = everything().save(tmp_path / "answers.csv")
    header = path.read_text().splitlines()[0].replace('"', "").split(",")
    assert header[4:8] == ["radius_50_km", "radius_90_km", "candidate_1", "probability_1"]
    assert pyarrow.csv.read_csv(path).num_rows == 2  # others read it too
    assert equal(Predictions.load(path), everything(), *IN_CSV)


@given(
    st.lists(
        st.tuples(st.floats(-90, 90), st.floats(-180, 179.999), st.sampled_from(["FR", "NA", None])),
        max_size=8,
    )
)
def test_any_bare_answers_survive(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple]) -> None:
    ids = np.array([f"0{row}" for row in range(len(rows))], dtype=object)  # no numbers
    points = np.array([row[:2] for row in rows], dtype=np.float64).reshape(-1, 2)
    answers = Predictions(ids, points, countries=np.array([row[2] for row in rows], dtype=object))
    folder = tmp_path_factory.mktemp("answers")
    for name in ("a.parquet", "a.csv"):
        again = Predictions.load(answers.save(folder / name))
        assert equal(again, answers, "ids", "points", "countries")


def test_columns_of_others_are_left_alone() -> None:
    table = everything().to_table().append_column("comment", pa.array(["good", "bad"]))
    assert equal(Predictions.from_table(table), everything(), *ALL)


# --- refusals


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"points": np.zeros((3, 2))}, r"points of shape \(3, 2\) for 2 predictions"),
        ({"ids": named("a", "a")}, "'a' is answered 2 times"),
        (
            {"points": np.array([PARIS, [139.69, 35.68]])},
            r"'b': \[139.69, 35.68\] is no latitude and longitude",
        ),
        ({"probabilities": np.zeros((2, 3))}, r"probabilities of shape \(2, 3\)"),
        ({"radius_90_km": np.zeros(1)}, "radius_90_km of shape"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, np.ndarray], says: str) -> None:
    values = {name: getattr(everything(), name) for name in ALL} | changes
    with pytest.raises(ValueError, match=says):
        Predictions(**values)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.csv", None, "does not exist"),
        ("no.parquet", b"PAR1 or not", "can't be read as predictions"),
        ("other.csv", b"image,lat\na,1\n", "the column image_id is missing .there are: image, lat"),
        ("twice.csv", b"image_id,guess_latitude,guess_longitude\na,1,2\na,1,2\n", "'a' is answered 2 times"),
        (
            "words.csv",
            b"image_id,guess_latitude,guess_longitude\na,north,2\n",
            "can't be read as predictions",
        ),
    ],
)
def test_a_file_that_holds_none_is_named(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=says) as caught:
        Predictions.load(tmp_path / name)
    assert name in str(caught.value)


# --- a model's


@pytest.fixture(scope="module")
def part(dataset_folder: Path) -> Dataset:
    return Dataset.open(dataset_folder).split("test")


@pytest.mark.parametrize("folder", ["model_folder", "point_model_folder"])
def test_a_model_predicts_what_it_locates(folder: str, part: Dataset, request: pytest.FixtureRequest) -> None:
    locator = Locator.load(request.getfixturevalue(folder), threads=1)
    predictions = locator.predict(part, unit="image", top=3)
    assert predictions.ids.tolist() == part.records["image_id"].to_pylist()
    located = locator.locate([part.read(row) for row in range(len(part))], top=3)
    for one, other in zip(guesses(predictions), located, strict=True):
        assert one.country == other.country
        assert one.latitude == pytest.approx(other.latitude, abs=1e-3)
        assert [each.cell_id for each in one.candidates] == [each.cell_id for each in other.candidates]


def test_one_prediction_a_place_bears_the_id_of_its_first_image(model_folder: Path, part: Dataset) -> None:
    predictions = Locator.load(model_folder, threads=1).predict(part, unit="place")
    places = part.records["place_id"].to_pylist()
    ids = part.records["image_id"].to_pylist()
    assert predictions.ids.tolist() == [ids[places.index(place)] for place in sorted(set(places))]


def test_no_images_are_refused(model_folder: Path, part: Dataset) -> None:
    with pytest.raises(DatasetError, match="no images to answer"):
        Locator.load(model_folder, threads=1).predict(part.split("train"))


def test_a_partition_goes_with_its_predictions(model_folder: Path, part: Dataset, tmp_path: Path) -> None:
    locator = Locator.load(model_folder, threads=1)
    predictions = locator.predict(part)
    path = predictions.save(tmp_path / "answers.parquet")
    partition: Partition | None = locator.model.partition
    assert guesses(Predictions.load(path, partition)) == guesses(predictions)
