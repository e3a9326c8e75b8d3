import io
import shutil

import pytest
from PIL import Image

from lostfound.data.dataset import Dataset
from lostfound.data.importers.importing import import_images
from lostfound.data.preparing.prepare import prepare
from lostfound.data.preparing.recipe import load_prepare_recipe
from lostfound.data.splits import SplitSettings
from lostfound.errors import DatasetError, RecipeError, UsageError


@pytest.fixture
def dataset(dataset_folder):
    return Dataset.open(dataset_folder)


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


CHANGED = {"width", "height", "shard", "offset", "size", "sha256"}


def test_images_are_made_smaller_and_all_else_is_kept(dataset, tmp_path):
    prepare(dataset, tmp_path / "small", size=32, jobs=1)

    small = Dataset.open(tmp_path / "small")
    assert small.info["settings"]["size"] == 32
    assert (small.info["made_by"], small.info["prepared_from"]) == (
        "lostfound prepare",
        dataset.info["records_sha256"],
    )
    for column in set(small.records.column_names) - CHANGED:
        assert small.records[column].equals(dataset.records[column]), column
    for row in (0, 50, 95):
        image = Image.open(io.BytesIO(small.read(row)))
        assert image.size == (32, 32)
        assert (small.records["width"][row].as_py(), small.records["height"][row].as_py()) == (32, 32)


def test_images_are_not_enlarged_nor_encoded_again(dataset, tmp_path):
    prepared = prepare(dataset, tmp_path / "same", size=500, jobs=1).dataset

    assert [prepared.read(row) for row in range(96)] == [dataset.read(row) for row in range(96)]
    assert set(prepared.records["width"].to_pylist()) == {64}


def test_without_a_size_the_images_stay(dataset, tmp_path):
    prepared = prepare(dataset, tmp_path / "same", jobs=1).dataset

    assert prepared.read(7) == dataset.read(7)
    assert prepared.info["settings"] == dataset.info["settings"]


def test_the_places_can_be_divided_anew(dataset, tmp_path):
    settings = SplitSettings(seed=5, val=0.4, test=0.1)

    prepared = prepare(dataset, tmp_path / "new", splits=settings, jobs=1).dataset

    assert prepared.records["split"].to_pylist() != dataset.records["split"].to_pylist()
    assert prepared.info["splits"] == {"seed": 5, "val": 0.4, "test": 0.1, "distance_km": 1.0, "by": "place"}
    by_place = {(row["place_id"], row["split"]) for row in prepared.records.to_pylist()}
    assert len(by_place) == 48


def test_what_is_prepared_stays_as_it_was(dataset_folder, dataset, tmp_path):
    before = contents(dataset_folder)

    prepare(dataset, tmp_path / "small", size=32, splits=SplitSettings(seed=3), jobs=1)

    assert contents(dataset_folder) == before


@pytest.mark.slow
def test_any_number_of_processes_gives_the_same_bytes(dataset, tmp_path):
    for jobs in (1, 2):
        prepare(dataset, tmp_path / str(jobs), size=32, jobs=jobs)

    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_a_preparation_that_failed_goes_on_where_it_stopped(dataset_folder, tmp_path):
    damaged = shutil.copytree(dataset_folder, tmp_path / "damaged")
    dataset = Dataset.open(damaged)
    shard = max((damaged / "images").iterdir())
    whole = shard.read_bytes()
    shard.write_bytes(whole[:600])
    with pytest.raises(DatasetError, match="cut short"):
        prepare(dataset, tmp_path / "small", size=32, jobs=1)
    kept = {path: path.stat().st_ino for path in (tmp_path / "small" / "images").glob("*.tar")}
    assert kept
    with pytest.raises(DatasetError, match="run the same command again to go on"):
        Dataset.open(tmp_path / "small")
    shard.write_bytes(whole)

    prepare(Dataset.open(damaged), tmp_path / "small", size=32, jobs=1)

    assert {path: path.stat().st_ino for path in kept} == kept
    prepare(Dataset.open(dataset_folder), tmp_path / "undisturbed", size=32, jobs=1)
    assert contents(tmp_path / "small") == contents(tmp_path / "undisturbed")


def test_a_folder_that_holds_a_data_set_is_refused(dataset, tmp_path):
    prepare(dataset, tmp_path / "small", size=32, jobs=1)
    before = contents(tmp_path / "small")

    for again in (dataset, Dataset.open(tmp_path / "small")):
        with pytest.raises(UsageError, match="holds a data set: choose another folder"):
            prepare(again, tmp_path / "small", size=48, jobs=1)

    assert contents(tmp_path / "small") == before


def test_a_file_can_t_be_the_new_folder(dataset, tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match="is a file: give the folder of a data set"):
        prepare(dataset, tmp_path / "file", size=32, jobs=1)


def test_a_folder_that_is_no_data_set_is_refused_and_stays_as_it_is(dataset, tmp_path):
    for name in ("images/backup.tar", ".import-mine/a", "dropped.csv"):
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / name).write_text("mine")
    before = contents(tmp_path / "mine")

    with pytest.raises(UsageError, match="exists and is not a data set"):
        prepare(dataset, tmp_path / "mine", size=32, jobs=1)

    assert contents(tmp_path / "mine") == before


def test_what_others_put_beside_the_images_stays(dataset, tmp_path):
    prepare(dataset, tmp_path / "small", size=32, jobs=1)
    (tmp_path / "small" / "images" / "backup.tar").write_text("mine")
    before = contents(tmp_path / "small")

    prepare(dataset, tmp_path / "small", size=32, jobs=1)

    assert contents(tmp_path / "small") == before


@pytest.mark.parametrize("size", [15, 0, -3])
def test_a_size_that_shows_nothing_is_refused(dataset, tmp_path, size):
    with pytest.raises(UsageError, match="too small to show a place"):
        prepare(dataset, tmp_path / "small", size=size)


def test_images_can_be_added_to_what_was_prepared(dataset, world, tmp_path, write_picture):
    prepare(dataset, tmp_path / "small", size=32, jobs=1)
    write_picture(tmp_path / "photos" / "France" / "1.jpg")

    assert import_images([tmp_path / "photos"], tmp_path / "small", size=32, jobs=1).imported == 1
    assert len(Dataset.open(tmp_path / "small")) == 97


def test_a_recipe_is_named_or_given_and_the_size_is_the_one_asked_for(dataset, dataset_folder, tmp_path):
    recipe = load_prepare_recipe("clean", ["sizes=[32]"])

    named = prepare(dataset_folder, tmp_path / "named", "clean", size=32, jobs=1)
    given = prepare(dataset, tmp_path / "given", recipe, jobs=1)

    assert named.report == given.report
    assert contents(tmp_path / "named") == contents(tmp_path / "given")
    assert named.dataset.info["settings"]["size"] == 32
    (tmp_path / "own.yaml").write_text("name: own\nrebalance: {max_images: 5}\nsizes: [16, 24]\n")
    own = prepare(dataset, tmp_path / "own", tmp_path / "own.yaml", splits=SplitSettings(seed=9), jobs=1)
    assert [each.name for each in own.datasets] == ["own-16", "own-24"]
    assert (len(own.dataset), own.dataset.info["splits"]["seed"]) == (20, 9)


def test_a_recipe_that_is_not_there_is_refused(dataset, tmp_path):
    with pytest.raises(RecipeError, match="nothing-such"):
        prepare(dataset, tmp_path / "new", "nothing-such")
    assert not (tmp_path / "new").exists()
