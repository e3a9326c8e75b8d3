"""Files of answers, whoever wrote them, beside a truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lostfound.data.labels import parse_names, read_labels
from lostfound.errors import DatasetError, UsageError
from lostfound.evaluation.answer_files import beside, read_answers
from lostfound.evaluation.evaluate import score
from lostfound.predict.predictions import Predictions

CITIES = {
    "a": (48.86, 2.35),
    "b": (52.52, 13.4),
    "c": (40.4, -3.7),
    "d": (41.9, 12.5),
    "e": (-22.6, 17.1),
    "f": (35.7, 139.7),
}


def write(path: Path, header: str, rows: dict[str, tuple[float, float]], *more: str) -> Path:
    lines = [
        header,
        *(f"{name},{latitude},{longitude}" for name, (latitude, longitude) in rows.items()),
        *more,
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def truth(tmp_path: Path):
    return read_labels(
        write(tmp_path / "truth.csv", "id,lat,lon", {f"{name}.jpg": at for name, at in CITIES.items()})
    )


def test_a_summary_below_the_rows_is_skipped(tmp_path: Path) -> None:
    for more in (["", "acc (1km),acc,x", "0.1,0.2,0.3"], ["mean,1.0,2.0"], ["", "Average,,3"]):
        answers = read_answers(
            write(tmp_path / "p.csv", "img_id,predicted_lat,predicted_long", CITIES, *more)
        )
        assert answers.predictions.ids.tolist() == list(CITIES)
        assert "no rows but a summary" in answers.notes[0]


def test_answers_are_put_beside_the_truth_by_stem(tmp_path: Path, truth) -> None:
    found, left_out = beside(
        read_answers(write(tmp_path / "p.csv", "photo,latitude,longitude", CITIES)), truth
    )
    assert left_out is None
    assert score(found, truth).metrics["mean_distance_km"].value == 0


def test_what_is_of_no_image_is_left_out_and_said(tmp_path: Path, truth) -> None:
    path = write(
        tmp_path / "p.csv",
        "id,lat,lon",
        {**{f"{name}.jpg": at for name, at in CITIES.items()}, "z.jpg": (1, 2)},
    )
    found, left_out = beside(read_answers(path), truth)
    assert len(found) == len(CITIES)
    assert left_out is not None
    assert "1 of 7 predictions are of none of the images" in left_out
    with pytest.raises(DatasetError, match="6 of 6 predictions are of none of the 6 images of truth"):
        beside(
            read_answers(
                write(tmp_path / "o.csv", "id,lat,lon", {f"other-{name}": at for name, at in CITIES.items()})
            ),
            truth,
        )


def test_images_without_an_answer_are_counted(tmp_path: Path, truth) -> None:
    some = {name: CITIES[name] for name in "abc"}
    found, _ = beside(read_answers(write(tmp_path / "p.csv", "id,lat,lon", some)), truth)
    assert score(found, truth).about["images_without_an_answer"] == 3


def test_radians_are_refused(tmp_path: Path, truth) -> None:
    radians = {name: tuple(np.radians(at)) for name, at in CITIES.items()}
    with pytest.raises(DatasetError, match=r"the coordinates are radians .* multiply them by 180/pi"):
        beside(read_answers(write(tmp_path / "p.csv", "id,lat,lon", radians)), truth)


def test_truth_may_stand_beside_the_answers(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(
        "id,pred_lat,pred_lon,true_lat,true_lon,pred_lat_b,pred_lon_b,pred_country\nx,1,2,1,2,3,4,FR\n"
    )
    answers = read_answers(path)
    assert answers.truth is not None
    assert score(answers.predictions, answers.truth).metrics["mean_distance_km"].value == 0
    other = read_answers(path, parse_names("latitude=pred_lat_b,longitude=pred_lon_b")).predictions
    assert other.points.tolist() == [[3, 4]]
    assert other.countries is None, "the country by name is the other model's"


def test_our_own_files_keep_all_they_say(tmp_path: Path) -> None:
    ids = np.array(["a"], dtype=object)
    own = Predictions(
        ids,
        np.array([[48.9, 2.4]]),
        np.array([["FR"]], object),
        np.array([[0.9]]),
        radius_50_km=np.array([7.0]),
    )
    found = read_answers(own.save(tmp_path / "p.csv")).predictions
    assert found.probabilities is not None
    assert found.radius_50_km is not None


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_answers(tmp_path / "p.csv")
