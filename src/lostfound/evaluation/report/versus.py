"""Several answers to the same images compared: models, or models and people, by their reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lostfound.data.dataset import Dataset
from lostfound.data.labels import Labels
from lostfound.errors import DatasetError, UsageError
from lostfound.evaluation.answer_files import beside
from lostfound.evaluation.answer_files import read_answers as read_file
from lostfound.evaluation.bootstrap import Samples, Score, bootstrap
from lostfound.evaluation.comparison import Difference, difference, holm
from lostfound.evaluation.evaluate import Evaluation, score
from lostfound.evaluation.matching import Matched
from lostfound.evaluation.metrics import METRICS, SAMPLED

_TRUTH = ("latitude", "longitude", "country", "place_id")


@dataclass(frozen=True)
class Answers:
    """One of those that are compared.

    Attributes:
        name: What it is called, unlike the others.
        images: Images that it answered, shared or not.
        matched: Its answers to the shared images beside the truth.
    """

    name: str
    images: int
    matched: Matched


@dataclass(frozen=True)
class Compared:
    """One metric of one of them.

    Attributes:
        metric: Its name.
        name: Whose.
        score: On the shared images.
        difference: From the first; None for the first itself, and where it has no such number.
        p_holm: The difference's p-value, corrected for the metric's comparisons (Holm 1979).
    """

    metric: str
    name: str
    score: Score
    difference: Difference | None = None
    p_holm: float | None = None


@dataclass(frozen=True)
class Comparison:
    """Several answers to the same images.

    Attributes:
        answers: Who answered; the others are compared with the first.
        unit: What was answered: images, or places by their views together.
        shared: How many all of them answered.
        places: Places that these show.
        left_out: Metrics of cells that are left out, since the cells differ.
        rows: By metric, then in the order of the answers.
    """

    answers: Sequence[Answers]
    unit: str
    shared: int
    places: int
    left_out: Sequence[str]
    rows: Sequence[Compared]

    def as_dict(self) -> dict[str, Any]:
        """Everything but the answers themselves, as plain values."""
        return {
            "unit": self.unit,
            "shared": self.shared,
            "places": self.places,
            "answers": [{"name": each.name, "images": each.images} for each in self.answers],
            "metrics_left_out": list(self.left_out),
            "metrics": [asdict(row) for row in self.rows],
        }


def read_answers(path: Path, dataset: Dataset | Labels | None) -> Evaluation:
    """What somebody answered: a report's folder, or a file of predictions of a data set.

    Raises:
        DatasetError: It is neither, or the predictions are of other images.
        UsageError: It is a file, and there is no data set to say where the images are.
    """
    if path.is_dir() or not path.exists():
        return Evaluation.load(path)
    if dataset is None:
        raise UsageError(
            f"{path} is a file of predictions, which doesn't say where the images really are: add "
            "--data DATASET"
        )
    predictions, left_out = beside(read_file(path), dataset)
    if left_out is not None:
        raise DatasetError(left_out)
    return score(predictions, dataset, by=path.stem)


def compare_answers(paths: Sequence[Path], dataset: Dataset | Labels | None = None) -> Comparison:
    """Compare answers on the images that all of them are to, the others with the first.

    Args:
        paths: Two or more: folders of reports, or files of predictions.
        dataset: Where the images of such files really are.

    Raises:
        UsageError: Fewer than two, one of them twice, or answers that can't be compared.
        DatasetError: One holds no predictions, or they share no image.
    """
    if len(paths) < 2:
        raise UsageError("a comparison needs two reports or more: give another folder")
    twice = [path for path, times in Counter(path.resolve() for path in paths).items() if times > 1]
    if twice:
        raise UsageError(f"{twice[0]} is given twice: give each report once")
    read = [read_answers(path, dataset) for path in paths]
    names = _names(paths, read)
    if len(rules := sorted({evaluation.rules.name for evaluation in read})) > 1:
        raise UsageError(
            f"they were scored by different rules ({', '.join(rules)}): evaluate all with the same --rules"
        )
    units = {evaluation.about["unit"] for evaluation in read}
    if len(units) > 1:
        by = ", ".join(f"{name} by {each.about['unit']}" for name, each in zip(names, read, strict=True))
        raise UsageError(f"they were scored by different units ({by}): evaluate all with the same --unit")
    ids = _shared(names, read)
    answers = [
        Answers(name, each.predictions.num_rows, each.on(pc.index_in(ids, _ids(each)).to_numpy()))
        for name, each in zip(names, read, strict=True)
    ]
    _check_truth(answers)
    same_cells = len({_cells(name, each) for name, each in zip(names, read, strict=True)}) == 1
    samples = [{name: METRICS[name].samples(each.matched) for name in SAMPLED} for each in answers]
    told = [name for name in SAMPLED if METRICS[name].usual and any(each[name] for each in samples)]
    left_out = [] if same_cells else [name for name in told if METRICS[name].of_cells]
    rows = [
        row
        for metric in told
        if metric not in left_out
        for row in _rows(metric, names, [each[metric] for each in samples])
    ]
    places = len(set(answers[0].matched.truth.places))
    return Comparison(answers, units.pop(), len(ids), places, left_out, rows)


def _cells(name: str, evaluation: Evaluation) -> str | None:
    """What the cells are; those of a report before 0.3, which doesn't say it, are like no others."""
    about = evaluation.about
    return about.get("cells_are", None if about["cells"] is None else f"cells of {name}")


def _names(paths: Sequence[Path], read: Sequence[Evaluation]) -> list[str]:
    """Names unlike each other: the models', with their folders where two are called the same."""
    own = [str(each.about["model"]) for each in read]
    times = Counter(own)
    return [name if times[name] == 1 else f"{name} ({path})" for name, path in zip(own, paths, strict=True)]


def _ids(evaluation: Evaluation) -> pa.ChunkedArray:
    return evaluation.predictions["image_id"]


def _shared(names: Sequence[str], read: Sequence[Evaluation]) -> pa.Array:
    """The ids of the images that all of them answered, in the first one's order."""
    ids = _ids(read[0]).combine_chunks()
    for each in read[1:]:
        ids = ids.filter(pc.is_in(ids, _ids(each)))
    if not len(ids):
        said = ", ".join(
            f"{name}: {each.predictions.num_rows}" for name, each in zip(names, read, strict=True)
        )
        raise DatasetError(
            f"they share none of their images ({said}): evaluate all on the same data set and split"
        )
    return ids


def _check_truth(answers: Sequence[Answers]) -> None:
    """Do all reports say the same of where the images are?"""
    first = answers[0].matched.truth.records
    for each in answers[1:]:
        records = each.matched.truth.records
        for column in _TRUTH:
            same = pc.equal(first[column], records[column]).fill_null(False)
            both = pc.and_(pc.is_null(first[column]), pc.is_null(records[column]))
            other = np.flatnonzero(~pc.or_(same, both).to_numpy(zero_copy_only=False))
            if len(other):
                image = first["image_id"][int(other[0])].as_py()
                raise DatasetError(
                    f"{answers[0].name} and {each.name} say different things of where {len(other)} images "
                    f"are (the {column} of {image}): evaluate both on the same data set"
                )


def _rows(metric: str, names: Sequence[str], samples: Sequence[Samples | None]) -> list[Compared]:
    first = samples[0]
    rows = [
        Compared(
            metric,
            name,
            bootstrap(own),
            None if number == 0 or first is None else difference([own], [first]),
        )
        for number, (name, own) in enumerate(zip(names, samples, strict=True))
        if own is not None
    ]
    corrected = iter(holm([row.difference.p for row in rows if row.difference is not None]))
    return [row if row.difference is None else replace(row, p_holm=next(corrected)) for row in rows]
