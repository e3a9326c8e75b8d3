import json

import pytest

from lostfound.data.chunks import CHUNKS, MAX_CHUNK, MIN_CHUNK, Encoded, run_chunks
from lostfound.data.records import SCHEMA
from lostfound.errors import ImageError


def encode(number):
    """Two images of each number but the multiples of ten, which are skipped."""
    if number % 10 == 0:
        return [], [(str(number), "a multiple of ten")]
    return [
        Encoded(
            dict.fromkeys(SCHEMA.names) | {"image_id": f"{number}{view}", "phash": number},
            f"{number}{view}".encode(),
        )
        for view in "ab"
    ], []


def equal(number):
    return [Encoded(dict.fromkeys(SCHEMA.names) | {"image_id": "same", "country": str(number)}, b"same")], []


def fail(number):
    raise ImageError(f"item {number} fails")


def run(folder, items, encode=encode, key="0123456789abcdef0123"):
    records, skipped = run_chunks(items, encode, folder=folder, key=key, jobs=1, title="Testing")
    return records.to_table(), skipped


def test_results_come_in_the_order_of_the_items(tmp_path):
    records, skipped = run(tmp_path, range(50))

    assert records["phash"].to_pylist() == [n for n in range(50) if n % 10 for _ in "ab"]
    assert skipped == [(str(number), "a multiple of ten") for number in range(0, 50, 10)]
    assert records.schema.equals(SCHEMA, check_metadata=True)


def test_records_say_where_the_bytes_are(tmp_path):
    records, _ = run(tmp_path, range(40))

    for row in records.to_pylist():
        data = (tmp_path / "images" / row["shard"]).read_bytes()
        assert data[row["offset"] : row["offset"] + row["size"]] == row["image_id"].encode()


def test_equal_images_of_one_chunk_are_stored_once(tmp_path):
    records, _ = run(tmp_path, range(MIN_CHUNK), equal)

    assert records["country"].to_pylist() == [str(number) for number in range(MIN_CHUNK)]
    assert len(set(records["offset"].to_pylist())) == 1


def test_an_error_ends_the_run_and_what_was_finished_is_kept(tmp_path):
    run(tmp_path, range(40))
    kept = {path.name: path.stat().st_ino for path in tmp_path.glob(".import-*/*")}
    max(tmp_path.glob(".import-*/*")).unlink()

    with pytest.raises(ImageError, match="item 32 fails"):
        run(tmp_path, range(40), fail)

    left = {path.name: path.stat().st_ino for path in tmp_path.glob(".import-*/*")}
    assert len(left) == len(kept) - 1
    assert left.items() < kept.items()


def test_parts_of_another_key_are_not_used(tmp_path):
    run(tmp_path, range(20), key="a" * 20)

    with pytest.raises(ImageError, match="item 0 fails"):
        run(tmp_path, range(20), fail, key="b" * 20)


def test_nothing_to_do_gives_an_empty_table(tmp_path):
    records, skipped = run(tmp_path, [])

    assert (records.num_rows, records.schema, skipped) == (0, SCHEMA, [])


@pytest.mark.parametrize(
    ("items", "size"), [(10, MIN_CHUNK), (6400, 100), (10 * CHUNKS * MAX_CHUNK, MAX_CHUNK)]
)
def test_chunks_are_neither_tiny_nor_huge(tmp_path, items, size):
    class Items:
        def __len__(self):
            return items

        def __getitem__(self, index):
            raise LookupError(index.stop - index.start)

    with pytest.raises(LookupError, match=f"^{size}$"):
        run(tmp_path, Items())


def test_the_progress_counts_what_was_done_before(tmp_path, capsys):
    run(tmp_path, range(40))
    max(tmp_path.glob(".import-*/*")).unlink()
    capsys.readouterr()

    run(tmp_path, range(40))

    assert capsys.readouterr().err.startswith("Testing: 40/40 in ")


def test_skips_are_kept_with_the_part(tmp_path):
    run(tmp_path, [10])

    _, skipped = run(tmp_path, [10], fail)

    assert skipped == [("10", "a multiple of ten")]
    assert json.dumps(skipped)


def test_what_killed_processes_left_half_written_is_cleared_away(tmp_path):
    (tmp_path / "images").mkdir()
    left = [
        tmp_path / ".dataset.json.1-0123abcd.partial",
        tmp_path / "images" / ".01234567-00000.tar.1-0123abcd.partial",
    ]
    for path in left:
        path.write_bytes(b"half")

    run(tmp_path, range(20))

    assert not any(path.exists() for path in left)
