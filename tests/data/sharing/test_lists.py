from itertools import pairwise

import numpy as np
import pytest

from lostfound.data.dataset import Dataset
from lostfound.data.importers.importing import import_images
from lostfound.data.records import set_column
from lostfound.data.sharing.lists import DataList, limit, pin, write_list
from lostfound.errors import DatasetError, UsageError


@pytest.fixture
def dataset(dataset_folder):
    return Dataset.open(dataset_folder)


def ids(dataset):
    return dataset.records["image_id"].to_pylist()


def part(dataset, rows):
    return dataset.with_records(dataset.records.take(np.asarray(rows)))


def test_a_list_is_a_text_file_of_ids_and_hashes_below_its_own_hash(dataset, tmp_path):
    DataList.of(part(dataset, [3, 1])).write(tmp_path / "list.txt")

    header, *lines = (tmp_path / "list.txt").read_text().splitlines()
    records = dataset.records.select(["image_id", "sha256"]).to_pylist()
    assert lines == [f"{records[row]['image_id']} {records[row]['sha256']}" for row in (3, 1)]
    assert header.startswith("# lostfound list 1: 2 images, sha256 ")


@pytest.mark.parametrize("rows", [[], [5], range(96)])
def test_a_list_is_read_as_it_was_written(dataset, tmp_path, rows):
    written = DataList.of(part(dataset, np.array(rows, dtype=np.int64)))
    written.write(tmp_path / "list.txt")
    read = DataList.read(tmp_path / "list.txt")
    assert list(read.images.items()) == list(written.images.items())
    assert read.sha256 == written.sha256


def test_line_ends_of_windows_do_no_harm(dataset, tmp_path):
    DataList.of(dataset).write(tmp_path / "list.txt")
    text = (tmp_path / "list.txt").read_bytes()
    (tmp_path / "list.txt").write_bytes(text.replace(b"\n", b"\r\n"))
    assert len(DataList.read(tmp_path / "list.txt")) == 96


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], "holds 95 images of 96"),
        (lambda lines: [*lines, lines[-1]], "holds 96 images of 96, or others"),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "its hash differs"),
        (lambda lines: [*lines[:5], lines[5][:-1] + "g", *lines[6:]], "line 6 is no image's id and hash"),
    ],
)
def test_a_changed_list_is_refused(dataset, tmp_path, change, message):
    path = tmp_path / "list.txt"
    DataList.of(dataset).write(path)
    path.write_text("".join(f"{line}\n" for line in change(path.read_text().splitlines())))
    with pytest.raises(DatasetError, match=message):
        DataList.read(path)


@pytest.mark.parametrize("text", ["", "image_id,sha256\n", "# lostfound list 2: 0 images\n"])
def test_another_file_is_no_list(tmp_path, text):
    (tmp_path / "other.txt").write_text(text)
    with pytest.raises(UsageError, match="is no data list"):
        DataList.read(tmp_path / "other.txt")


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match="can't be read as a data list"):
        DataList.read(tmp_path / "gone.txt")


def test_pinned_rows_are_those_of_the_list_in_its_order(dataset):
    pinned = pin(dataset, DataList.of(part(dataset, [7, 2, 90])))
    assert ids(pinned) == [ids(dataset)[row] for row in (7, 2, 90)]
    assert pinned.read(0) == dataset.read(7)


def test_what_is_pinned_is_known_by_its_images_and_not_by_the_rest_of_the_data_set(dataset):
    chosen = DataList.of(part(dataset, [7, 2]))
    here, there = pin(dataset, chosen), pin(part(dataset, [2, 5, 7]), chosen)
    assert here.info["records_sha256"] == there.info["records_sha256"] != dataset.info["records_sha256"]
    assert here.info["list_sha256"] == chosen.sha256


def test_images_that_the_data_set_lacks_are_named(dataset):
    with pytest.raises(DatasetError, match=f"lacks 2 images \\({ids(dataset)[4]}, {ids(dataset)[9]}\\)"):
        pin(part(dataset, [1, 2]), DataList.of(part(dataset, [1, 4, 9])))


def test_a_list_of_another_preparation_is_refused(dataset):
    changed = list(dataset.records["sha256"].to_pylist())
    changed[3] = "0" * 64
    other = dataset.with_records(set_column(dataset.records, "sha256", changed))
    with pytest.raises(DatasetError, match=f"other bytes than the list for 1 image \\({ids(dataset)[3]}\\)"):
        pin(other, DataList.of(dataset))


class TestLimit:
    def test_a_larger_one_begins_with_the_smaller_one(self, dataset):
        assert ids(limit(dataset, 60))[:25] == ids(limit(dataset, 25))

    def test_it_is_the_same_in_any_order_and_under_other_names_of_places(self, dataset):
        turned = part(dataset, np.arange(96)[::-1])
        renamed = [f"elsewhere/{name}" for name in turned.records["place_id"].to_pylist()]
        moved = turned.with_records(set_column(turned.records, "place_id", renamed))
        assert ids(limit(moved, 30)) == ids(limit(dataset, 30))

    def test_what_is_added_keeps_the_order_of_the_others(self, dataset):
        few = set(ids(part(dataset, range(48))))
        assert [name for name in ids(limit(dataset)) if name in few] == ids(limit(part(dataset, range(48))))

    def test_another_seed_gives_another_order(self, dataset):
        assert ids(limit(dataset, seed=1)) != ids(limit(dataset, seed=2))
        assert sorted(ids(limit(dataset, seed=1))) == sorted(ids(dataset))

    def test_views_of_a_place_stay_together(self, dataset):
        places = limit(dataset).records["place_id"].to_pylist()
        assert sum(one != other for one, other in pairwise(places)) == 47

    def test_it_is_frozen(self, dataset):
        """Another order would give other images to everybody who wrote down a number and a seed."""
        names = [f"{number:032x}" for number in range(6)]
        rows = part(dataset, range(6))
        records = set_column(set_column(rows.records, "image_id", names), "place_id", names)
        assert [names.index(name) for name in ids(limit(rows.with_records(records)))] == FROZEN

    def test_nothing_is_no_limit(self, dataset):
        with pytest.raises(UsageError, match="leaves nothing"):
            limit(dataset, 0)


FROZEN = [3, 2, 0, 1, 4, 5]


def test_a_list_that_grows_keeps_its_images_first(tmp_path, write_picture):
    for number in range(6):
        write_picture(tmp_path / "one" / "France" / f"{number}.jpg", number)
        write_picture(tmp_path / "two" / "Japan" / f"{number}.jpg", 50 + number)
    path = tmp_path / "list.txt"
    first = import_images([tmp_path / "one"], tmp_path / "data", size=32, jobs=1).dataset
    before = list(write_list(first, path).images)
    second = import_images([tmp_path / "two"], tmp_path / "data", size=32, jobs=1).dataset

    after = list(write_list(second, path).images)

    assert after[:6] == before
    assert sorted(after) == sorted(ids(second))
    assert list(DataList.read(path).images) == after


@pytest.mark.parametrize(("limits", "length"), [([10], 10), ([10, 20], 20), ([20, 10], 20), ([10, None], 96)])
def test_a_list_is_never_cut(dataset, tmp_path, limits, length):
    written = [list(write_list(dataset, tmp_path / "list.txt", n).images) for n in limits]
    assert len(written[-1]) == length
    assert written[-1][: len(written[0])] == written[0]
