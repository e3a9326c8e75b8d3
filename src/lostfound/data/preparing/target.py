"""The distribution of countries that a data set should have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from lostfound.data.dataset import Dataset
from lostfound.data.records import strings
from lostfound.data.tables import parse_number, parse_text, read_columns, resolve_countries
from lostfound.errors import UsageError

_SHARE_COLUMNS = ("share", "weight", "images", "count", "number")


def country_counts(records: pa.Table) -> dict[str, int]:
    """Images by country, those of unknown countries left out."""
    return dict(sorted(Counter(code for code in strings(records, "country") if code is not None).items()))


def read_target(source: str, counts: Mapping[str, int], power: float = 1.0) -> dict[str, float]:
    """A target distribution.

    Args:
        source: "uniform", "natural" (that of the data), the folder of a data set, or a CSV or Parquet file
            with a column `country` (names or codes) and one of share, weight, images, count or number.
        counts: Images by country in the data.
        power: Each share is raised to this power: 1 leaves it, 0 makes it uniform, 0.5 is between.

    Raises:
        UsageError: There is no such file or folder, or it is no such table.
        DatasetError: The data set is damaged.
        CountryNameError: Names that can't be told to be one country.
    """
    if source == "uniform":
        shares = dict.fromkeys(counts, 1.0)
    elif source == "natural":
        shares = {code: float(count) for code, count in counts.items()}
    elif Path(source).is_dir():
        other = country_counts(Dataset.open(source).records)
        shares = {code: float(count) for code, count in other.items()}
    else:
        shares = _read_shares(Path(source))
    return {code: share**power for code, share in shares.items() if share > 0}


def _read_shares(path: Path) -> dict[str, float]:
    if not path.is_file():
        raise UsageError(
            f"rebalance.target {str(path)!r} is neither uniform nor natural, "
            "nor a table or the folder of a data set"
        )
    columns = read_columns(path)
    share = next((name for name in _SHARE_COLUMNS if name in columns), None)
    if "country" not in columns or share is None:
        raise UsageError(
            f"{path} is no distribution: it needs a column country and one of {', '.join(_SHARE_COLUMNS)}; "
            f"it has {', '.join(columns) or 'none'}"
        )
    names = [parse_text(cell) for cell in columns["country"]]
    codes = resolve_countries(filter(None, names), str(path))
    shares: dict[str, float] = {}
    for row, (name, cell) in enumerate(zip(names, columns[share], strict=True), start=2):
        if name is None:
            continue
        try:
            value = parse_number(str(cell).removesuffix("%"))
        except ValueError:
            value = None
        if value is None or not 0 <= value < np.inf:
            raise UsageError(f"{path} row {row}: the {share} of {name} is {cell!r}, not a number from 0 on")
        if codes[name] in shares:
            raise UsageError(f"{path} row {row}: {name} ({codes[name]}) is there twice")
        shares[codes[name]] = value
    if not sum(shares.values()) > 0:
        raise UsageError(f"{path} gives no country a share")
    return shares
