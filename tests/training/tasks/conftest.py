"""What the tests of the tasks share: training images without files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lostfound.training.images import LabelledImages

Make = Callable[..., LabelledImages]


class Records:
    """A data set of records alone."""

    def __init__(self, records: pa.Table) -> None:
        self.records = records

    def __len__(self) -> int:
        return self.records.num_rows

    def with_records(self, records: pa.Table) -> Records:
        return Records(records)


@pytest.fixture(scope="session")
def images_at() -> Make:
    """Training images at points; of these countries, and each its own place."""

    def make(points: Sequence[Sequence[float]], countries: Sequence[str | None]) -> LabelledImages:
        names = np.array([f"p{number}" for number in range(len(points))], dtype=object)
        dataset: Any = Records(pa.table({"place_id": names.tolist()}))
        return LabelledImages(
            dataset, np.array(points, dtype=np.float64), np.array(countries, dtype=object), names
        )

    return make


@pytest.fixture(scope="session")
def model() -> Any:
    """A recipe's model section, as far as heads need it."""
    return SimpleNamespace(hidden=None, dropout=0.0)
