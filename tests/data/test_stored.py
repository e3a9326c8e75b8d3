"""Records in files answer as a table in memory does."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lostfound.data.records import ROW_GROUP, SCHEMA, set_column, write_parquet
from lostfound.data.stored import StoredRecords, open_parquet


def table(first, rows):
    """So many records, told apart by their hash; every third has no country."""
    return pa.Table.from_pylist(
        [
            dict.fromkeys(SCHEMA.names)
            | {"image_id": f"{n:032x}", "phash": n, "latitude": n / 10, "country": None if n % 3 else "HR"}
            for n in range(first, first + rows)
        ],
        SCHEMA,
    )


@pytest.fixture(scope="module")
def held():
    return table(0, 30)


@pytest.fixture(scope="module")
def stored(held, tmp_path_factory):
    """The same in four files, of which one has nothing and one three row groups."""
    folder = tmp_path_factory.mktemp("stored")
    for number, (start, stop) in enumerate([(0, 7), (7, 7), (7, 22), (22, 30)]):
        part = held.slice(start, stop - start).replace_schema_metadata({"skipped": "[]"})
        pq.write_table(part, folder / f"{number}.parquet", row_group_size=5)
    paths = sorted(folder.iterdir())
    return StoredRecords.of([*paths[:2], open_parquet(paths[2]), paths[3]])


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("filter"), st.integers(0, 2**30 - 1)),
        st.tuples(st.just("set"), st.sampled_from(["country", "split", "phash"])),
    ),
    max_size=4,
)


def after(records, steps):
    """Records with rows left out and columns replaced."""
    for number, (step, what) in enumerate(steps):
        if step == "filter":
            bits = np.array([what >> bit & 1 for bit in range(30)], dtype=bool)
            records = records.filter(pa.array(bits[: records.num_rows]))
        else:
            new = [number] * records.num_rows if what == "phash" else [f"{number}"] * records.num_rows
            records = set_column(records, what, new)
    return records


@given(steps=STEPS, offset=st.integers(0, 40), length=st.integers(0, 40))
def test_it_answers_as_a_table_does(held, stored, steps, offset, length):
    ours, theirs = after(stored, steps), after(held, steps)

    assert (len(ours), ours.num_rows) == (len(theirs), theirs.num_rows)
    assert ours.to_table().equals(theirs, check_metadata=True)
    assert ours.slice(offset, length).equals(theirs.slice(offset, length), check_metadata=True)
    assert ours.select(["split", "phash"]).equals(theirs.select(["split", "phash"]))
    assert ours["country"].equals(theirs["country"])


@given(before=STEPS, then=STEPS)
@pytest.mark.slow
def test_one_follows_another(held, stored, before, then):
    ours = after(stored, before).followed_by(after(stored, then))

    assert ours.to_table().equals(pa.concat_tables([after(held, before), after(held, then)]))


def test_nothing_is_a_table_too():
    assert StoredRecords.of([]).to_table().equals(SCHEMA.empty_table())


def test_a_file_that_is_replaced_stays_what_it_was(tmp_path):
    path = tmp_path / "records.parquet"
    write_parquet(path, table(0, 3))
    opened = StoredRecords.of([open_parquet(path)])
    write_parquet(path, table(50, 9))

    assert opened.to_table().equals(table(0, 3))


def test_the_same_records_give_the_same_file(tmp_path):
    rows = ROW_GROUP + 100
    whole = table(0, rows)
    for start in range(0, rows, 1000):
        pq.write_table(whole.slice(start, 1000), tmp_path / f"part-{start:05}.parquet")
    parts = StoredRecords.of(sorted(tmp_path.glob("part-*")))

    assert write_parquet(tmp_path / "a.parquet", parts) == write_parquet(tmp_path / "b.parquet", whole)
    assert open_parquet(tmp_path / "a.parquet").read().equals(whole)
    assert open_parquet(tmp_path / "a.parquet").num_row_groups == 2
