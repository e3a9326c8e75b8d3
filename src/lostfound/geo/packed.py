"""The tables that the package brings along."""

from importlib import resources
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def read_packed(name: str, columns: list[str] | None = None) -> pa.Table:
    """One of them, whole or some of its columns."""
    # The package is always installed as files (hatchling wheel or editable).
    file = Path(str(resources.files("lostfound.geo"))) / "data" / name
    # Unlike read_table it loads neither pyarrow.dataset nor pandas; and a few columns need no threads.
    return pq.ParquetFile(file, pre_buffer=False).read(columns=columns, use_threads=False)
