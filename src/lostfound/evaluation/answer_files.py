"""Files of answers, whoever wrote them: read as predictions, and put beside a truth by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.labels import (
    ID_COLUMNS,
    LABELS,
    TRUE_COLUMNS,
    Labels,
    Names,
    Role,
    label_records,
    read_labels,
    read_rows,
    same_names,
)
from lostfound.errors import DatasetError, UsageError
from lostfound.geo.names import listed_codes
from lostfound.geo.sphere import haversine_km
from lostfound.partitions import Partition
from lostfound.predict.predictions import Predictions

_PREDICTED: Names = {
    "id": ID_COLUMNS,
    "latitude": (
        *("guess_latitude", "predicted_lat", "pred_lat", "predicted_latitude", "pred_latitude", "lat_pred"),
        *("latitude_pred", "lat_predicted", "latitude_predicted", "guess_lat", "latitude", "lat"),
    ),
    "longitude": (
        *("guess_longitude", "predicted_long", "predicted_lon", "predicted_lng", "pred_lon", "pred_lng"),
        *("pred_long", "predicted_longitude", "pred_longitude", "lon_pred", "lng_pred", "longitude_pred"),
        *(
            "lon_predicted",
            "longitude_predicted",
            "guess_lon",
            "guess_lng",
            "longitude",
            "lng",
            "lon",
            "long",
        ),
    ),
    "country": ("guess_country", "predicted_country", "pred_country", "country_pred"),
    "confidence": ("confidence", "probability", "prob"),
}
_TRUE_BESIDE: Names = {
    "id": ID_COLUMNS,
    "latitude": tuple(name for name in TRUE_COLUMNS["latitude"] if name not in ("latitude", "lat")),
    "longitude": tuple(
        name for name in TRUE_COLUMNS["longitude"] if name not in ("longitude", "lng", "lon", "long")
    ),
    "place": TRUE_COLUMNS["place"],
}
"""Truth that stands beside the answers; what it calls latitude is an answer's."""
_FEWEST, _FALLS_TO = 5, 0.5


@dataclass(frozen=True)
class AnswerFile:
    """What a file of answers holds.

    Attributes:
        path: The file.
        predictions: Under the names that the file has.
        truth: Where the samples really are, if the file says so too.
        notes: What was done to read it, for people.
    """

    path: Path
    predictions: Predictions
    truth: Labels | None
    notes: tuple[str, ...] = ()


def read_answers(
    path: Path, columns: Mapping[Role, str] | None = None, partition: Partition | None = None
) -> AnswerFile:
    """Read answers as anybody keeps them: our own files, or a table with a name and coordinates in each row.

    Args:
        path: CSV or Parquet.
        columns: Which column has which role, where its name does not say so.
        partition: What the candidates of our own files are; without it only countries count.

    Raises:
        UsageError: It is no such table.
        DatasetError: A row is wrong.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist: give a file of predictions, CSV or Parquet")
    rows = read_rows(path, _PREDICTED, columns)
    if not columns and {"image_id", "guess_latitude", "guess_longitude"} <= set(rows.columns):
        ours = Predictions.load(path, partition)
        return AnswerFile(path, ours if partition else _of_countries(ours), None, tuple(rows.notes))
    confidence = rows.numbers("confidence")
    if confidence is not None and not ((confidence >= 0) & (confidence <= 1) | np.isnan(confidence)).all():
        confidence = None
        rows.notes.append(f"{path}: {rows.roles['confidence']!r} is no probability and was left aside")
    predictions = Predictions(rows.ids, rows.points, countries=rows.countries(), confidence=confidence)
    truth = None
    if any(name in rows.columns for name in _TRUE_BESIDE["latitude"]):
        beside = read_rows(path, _TRUE_BESIDE)
        records = label_records(beside.ids, beside.points, None, beside.texts("place"))
        truth = Labels(path, records)
    return AnswerFile(path, predictions, truth, tuple(rows.notes))


def open_truth(path: Path, columns: Mapping[Role, str] | None = None) -> Dataset | Labels:
    """Open what says where images are: a data set, the labels that an import left, or a table.

    Raises:
        UsageError: It is none of them.
        DatasetError: It is damaged, or a row is wrong.
    """
    if path.is_dir():
        return read_labels(path / LABELS) if (path / LABELS).is_file() else Dataset.open(path)
    return read_labels(path, columns)


def beside(answers: AnswerFile, truth: Dataset | Labels) -> tuple[Predictions, str | None]:
    """The predictions under the truth's ids, and what is to be said of those that are of none of it.

    Raises:
        DatasetError: None of the names, or not most of them, are the truth's; or the numbers are no degrees.
    """
    records = truth.stored.select(
        [
            name
            for name in ("image_id", "original", "latitude", "longitude")
            if name in truth.stored.schema.names
        ]
    )
    ids = same_names(answers.predictions.ids.tolist(), records)
    known = set(records["image_id"].to_pylist())
    found = np.array([each in known for each in ids], dtype=bool)
    if found.sum() * 2 <= len(ids):
        other = answers.predictions.ids[int(np.argmin(found))]
        raise DatasetError(
            f"{answers.path}: {len(ids) - int(found.sum())} of {len(ids)} predictions are of none of the "
            f"{len(records)} images of {truth.name} (such as {other!r}; there they are called "
            f"{records['image_id'][0].as_py()!r}): give the truth of the same images"
        )
    predictions = replace(_rows_of(answers.predictions, found), ids=ids[found])
    _refuse_radians(answers.path, predictions, records)
    if found.all():
        return predictions, None
    left = answers.predictions.ids[~found]
    return predictions, (
        f"{answers.path}: {len(left)} of {len(ids)} predictions are of none of the images of {truth.name}, "
        f"and were left out (such as {left[0]!r})"
    )


def _of_countries(predictions: Predictions) -> Predictions:
    """The predictions without cells that are no countries: what they are is not in the file."""
    if predictions.cells is None:
        return predictions
    cells = {cell for cell in predictions.cells.ravel() if cell is not None}
    if cells <= listed_codes():
        return predictions
    return replace(predictions, cells=None, probabilities=None, cell_points=None)


def _rows_of(predictions: Predictions, rows: NDArray[np.bool_]) -> Predictions:
    """Some of the predictions."""
    if rows.all():
        return predictions
    table = predictions.to_table().take(np.flatnonzero(rows))
    return Predictions.from_table(table, predictions.partition)


def _refuse_radians(path: Path, predictions: Predictions, records: object) -> None:
    """Refuse answers in radians: read so they would lie much nearer to the truth."""
    points = predictions.points
    answered = predictions.answered
    small = (np.abs(points[answered, 0]) <= np.pi / 2) & (np.abs(points[answered, 1]) <= np.pi)
    if answered.sum() < _FEWEST or not small.all():
        return
    row = {own: index for index, own in enumerate(records["image_id"].to_pylist())}  # type: ignore[index]
    which = [row[own] for own in predictions.ids[answered]]
    truth = np.column_stack(
        [
            records[axis].to_numpy(zero_copy_only=False).astype(np.float64)[which]  # type: ignore[index]
            for axis in ("latitude", "longitude")
        ]
    )
    known = np.isfinite(truth).all(axis=1)
    as_is, turned = (
        (
            float(np.median(haversine_km(each[known], truth[known])))
            for each in (points[answered], np.degrees(points[answered]))
        )
        if known.any()
        else (0.0, 0.0)
    )
    if turned < _FALLS_TO * as_is:
        raise DatasetError(
            f"{path}: the coordinates are radians (as degrees they lie {as_is:,.0f} km from the truth, the "
            f"middle of all; as radians {turned:,.0f} km): multiply them by 180/pi"
        )
