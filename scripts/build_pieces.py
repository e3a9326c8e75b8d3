"""Cuts the packed countries into the small pieces that points are tested against.

Run it again whenever `scripts/build_boundaries.py` has made other countries:

    python scripts/build_pieces.py

It writes ``src/lostfound/geo/data/country_pieces.parquet``: ``country`` (row of ``countries.parquet``) and
``geometry`` (WKB). Cutting takes longer than all else that the first look-up of a country needs.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from lostfound.geo.index import cut_small

DATA = Path(__file__).resolve().parent.parent / "src" / "lostfound" / "geo" / "data"


def pieces() -> pa.Table:
    """The pieces of the packed countries."""
    countries = pq.read_table(DATA / "countries.parquet")
    cut, country = cut_small(shapely.from_wkb(countries["geometry"].to_numpy()))
    return pa.table({"country": country.astype(np.int16), "geometry": shapely.to_wkb(cut)})


if __name__ == "__main__":
    path = DATA / "country_pieces.parquet"
    pq.write_table(pieces(), path, compression="zstd", compression_level=22)
    print(f"{path.name}: {path.stat().st_size} bytes")
