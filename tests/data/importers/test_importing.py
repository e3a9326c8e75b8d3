import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lostfound.data.dataset import Dataset
from lostfound.data.importers.importing import import_images, source_names
from lostfound.data.splits import SplitSettings
from lostfound.errors import DatasetError, UsageError


@pytest.fixture
def countries(tmp_path, write_picture):
    """A source of three countries with two pictures each."""
    source = tmp_path / "photos"
    for number, name in enumerate(["France/1", "France/2", "Japan/1", "Japan/2", "Kenya/1", "Kenya/2"]):
        write_picture(source / f"{name}.jpg", number, 96, 64)
    return source


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_what_is_imported_is_what_was_there(countries, tmp_path, picture):
    summary = import_images([countries], tmp_path / "data", size=32, jobs=1)

    dataset = Dataset.open(tmp_path / "data")
    rows = dataset.records.to_pylist()
    assert (summary.imported, summary.duplicates, summary.other_label, summary.skipped) == (6, 0, 0, [])
    assert summary.layouts == {str(countries): "folders"}
    assert [(row["original"], row["country"]) for row in rows][:3] == [
        ("France/1.jpg", "FR"),
        ("France/2.jpg", "FR"),
        ("Japan/1.jpg", "JP"),
    ]
    for number, row in enumerate(rows):
        assert (row["source"], row["place_id"]) == ("photos", f"photos/{row['original']}")
        assert (row["width"], row["height"]) == (48, 32)
        assert row["split"] in ("train", "val", "test")
        assert row["latitude"] is row["heading"] is row["region"] is None
        (tmp_path / "stored.jpg").write_bytes(dataset.read(number))
        stored = np.asarray(Image.open(tmp_path / "stored.jpg"), dtype=float)
        assert np.abs(stored - np.asarray(picture(number, 48, 32), dtype=float)).mean() < 6


def test_small_images_are_not_enlarged(countries, tmp_path):
    dataset = import_images([countries], tmp_path / "data", size=256, jobs=1).dataset

    assert set(dataset.records["width"].to_pylist()) == {96}


@pytest.mark.slow
def test_the_same_import_is_the_same_to_the_byte_with_any_number_of_processes(world, tmp_path):
    for jobs in (1, 3):
        import_images([world], tmp_path / f"data{jobs}", size=32, jobs=jobs)

    assert contents(tmp_path / "data1") == contents(tmp_path / "data3")


def test_unreadable_files_are_skipped_and_listed(countries, tmp_path):
    whole = (countries / "France" / "1.jpg").read_bytes()
    (countries / "France" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (countries / "Japan" / "text.png").write_text("no image")
    (countries / "Japan" / "dangling.jpg").symlink_to("nowhere.jpg")
    long = Image.new("RGB", (66_000, 3))
    long.save(countries / "Kenya" / "long.png")

    summary = import_images([countries], tmp_path / "data", jobs=1)

    assert summary.imported == 6
    assert summary.reasons == {"unreadable": 3, "a link to nothing": 1}
    with (tmp_path / "data" / "skipped.csv").open() as file:
        listed = list(csv.DictReader(file))
    assert [row["path"] for row in listed] == [
        "photos/Japan/dangling.jpg",
        "photos/France/cut.jpg",
        "photos/Japan/text.png",
        "photos/Kenya/long.png",
    ]
    assert listed[0]["reason"] == "a link to nothing"
    assert "damaged image" in listed[1]["reason"]
    assert "not an image" in listed[2]["reason"]
    assert "66000x3" in listed[3]["reason"]


@pytest.mark.parametrize("number", [40, 5])
def test_equal_files_are_imported_once_and_other_labels_counted(tmp_path, write_picture, number):
    """Whether they meet in one chunk of work or in two."""
    source = tmp_path / "photos"
    for each in range(number):
        write_picture(source / "France" / f"{each:02}.jpg", each)
    shutil.copy(source / "France" / "00.jpg", source / "France" / "99.jpg")
    (source / "Japan").mkdir()
    shutil.copy(source / "France" / "00.jpg", source / "Japan" / "00.jpg")

    summary = import_images([source], tmp_path / "data", jobs=1)

    assert (summary.imported, summary.duplicates, summary.other_label) == (number, 2, 1)
    first = summary.dataset.records.to_pylist()[0]
    assert (first["original"], first["country"]) == ("France/00.jpg", "FR")


def test_other_coordinates_are_another_label(tmp_path, write_picture):
    write_picture(tmp_path / "photos" / "48.85,2.35.jpg")
    shutil.copy(tmp_path / "photos" / "48.85,2.35.jpg", tmp_path / "photos" / "48.85,2.36.jpg")

    summary = import_images([tmp_path / "photos"], tmp_path / "data", jobs=1)

    assert (summary.imported, summary.duplicates, summary.other_label) == (1, 1, 1)


def test_images_can_be_added_and_the_first_keep_their_splits(countries, tmp_path, write_picture):
    before = import_images([countries], tmp_path / "data", jobs=1).dataset
    for number in range(30):
        write_picture(tmp_path / "more" / f"48.{number:02}5,2.35.jpg", 100 + number)
    shutil.copy(countries / "Japan" / "1.jpg", tmp_path / "more" / "48.5,2.5.jpg")

    summary = import_images(
        [tmp_path / "more"], tmp_path / "data", jobs=1, splits=SplitSettings(seed=7, val=0.3, test=0.3)
    )

    after = Dataset.open(tmp_path / "data")
    assert (summary.imported, summary.duplicates, summary.other_label) == (30, 1, 1)
    assert len(after) == 36
    assert after.records.slice(0, 6).equals(before.records)
    assert [len(after.read(number)) > 0 for number in range(36)] == [True] * 36
    assert [done["sources"][0]["name"] for done in after.info["imports"]] == ["photos", "more"]


def test_a_repeated_import_changes_nothing(countries, tmp_path):
    (countries / "France" / "bad.jpg").write_text("no image")
    import_images([countries], tmp_path / "data", jobs=1)
    before = contents(tmp_path / "data")

    summary = import_images([countries], tmp_path / "data", jobs=1)

    assert contents(tmp_path / "data") == before
    assert (summary.imported, summary.duplicates) == (0, 6)
    assert len(summary.dataset) == 6


def test_an_import_of_nothing_but_duplicates_leaves_no_files_behind(countries, tmp_path):
    import_images([countries], tmp_path / "data", jobs=1)
    shards = set((tmp_path / "data" / "images").iterdir())
    shutil.copytree(countries, tmp_path / "copy" / "photos")

    for name in countries.rglob("*.jpg"):
        os.utime(tmp_path / "copy" / "photos" / name.relative_to(countries), (1, 1))
    summary = import_images([tmp_path / "copy" / "photos"], tmp_path / "data", jobs=1)

    assert (summary.imported, summary.duplicates, summary.other_label) == (0, 6, 0)
    assert set((tmp_path / "data" / "images").iterdir()) == shards
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        "dataset.json",
        "images",
        "records.parquet",
        "skipped.csv",
    ]


def test_another_size_is_refused(countries, tmp_path):
    import_images([countries], tmp_path / "data", size=32, jobs=1)

    with pytest.raises(
        UsageError, match=r"was made with .*32.*not .*48.*use the same settings .* or another folder"
    ):
        import_images([countries], tmp_path / "data", size=48, jobs=1)


@pytest.mark.parametrize("size", [15, 0, -1])
def test_a_size_that_shows_nothing_is_refused(countries, tmp_path, size):
    with pytest.raises(UsageError, match="too small to show a place: give 16 or more"):
        import_images([countries], tmp_path / "data", size=size)

    assert not (tmp_path / "data").exists()


def test_a_file_can_t_be_the_data_set(countries, tmp_path):
    (tmp_path / "data").write_text("")

    with pytest.raises(UsageError, match="is a file: give the folder of a data set"):
        import_images([countries], tmp_path / "data")


def test_an_import_without_a_usable_image_says_why_and_leaves_nothing(tmp_path, write_picture):
    write_picture(tmp_path / "photos" / "1.jpg", 1)
    write_picture(tmp_path / "photos" / "2.jpg", 2)
    (tmp_path / "photos" / "3.jpg").write_text("no image")

    with pytest.raises(DatasetError) as error:
        import_images([tmp_path / "photos"], tmp_path / "data", jobs=1)

    assert str(error.value) == (
        f"no image could be imported into {tmp_path / 'data'}: "
        "2 no location: no GPS in the file; 1 unreadable "
        "(the first: photos/1.jpg: no location: no GPS in the file)"
    )
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("picture", ["1.jpg", "48.85,2.35.jpg"])  # without a place, and with one
@pytest.mark.parametrize(
    "theirs",
    [
        ["notes.txt"],
        [".import-mine/a.parquet", "images/backup.tar"],
        [".import/00000.parquet", ".import-0123/00000.parquet"],
        ["images/01234567-00000.tar"],
        ["records.parquet"],
        ["dataset.json", ".lock", "images/backup.tar"],
        ["collect/photo.jpg"],
        [".hidden"],
        [".x.partial"],
        ["photo.jpg"],
    ],
)
def test_a_folder_that_is_no_data_set_is_refused_and_stays_as_it_is(tmp_path, write_picture, picture, theirs):
    write_picture(tmp_path / "photos" / picture, 1)
    for name in theirs:
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text("mine")

    with pytest.raises((UsageError, DatasetError), match=r"not a data set|can't be read as a data set"):
        import_images([tmp_path / "photos"], tmp_path / "data", jobs=1)

    assert contents(tmp_path / "data") == dict.fromkeys(theirs, b"mine")


@pytest.mark.parametrize("left", [".DS_Store", ".lock", "Thumbs.db", "lost+found/"])
def test_a_folder_that_holds_only_what_systems_leave_is_free(tmp_path, write_picture, left):
    write_picture(tmp_path / "photos" / "48.85,2.35.jpg", 1)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / left).mkdir() if left.endswith("/") else (tmp_path / "data" / left).write_bytes(b"")

    assert import_images([tmp_path / "photos"], tmp_path / "data", jobs=1).imported == 1


def test_what_others_put_into_a_data_set_stays(tmp_path, write_picture):
    write_picture(tmp_path / "photos" / "48.85,2.35.jpg", 1)
    to = tmp_path / "data"
    import_images([tmp_path / "photos"], to, jobs=1)
    theirs = [
        "images/backup.tar",
        "images/01234567-00000.tar",
        ".import-mine/00000.parquet",
        ".import-0123456789abcdef/notes.txt",
        ".mine.partial",
        "images/.mine.partial",
        "copy/records.parquet",
    ]
    for name in theirs:
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        (to / name).write_text("mine")
    write_picture(tmp_path / "more" / "42.66,21.16.jpg", 2)
    (to / ".import-0123456789abcdef" / "00000.parquet").write_bytes(b"of a run that was given up")
    before = {name for name in contents(to) if name.endswith(".tar")}

    import_images([tmp_path / "more"], to, jobs=1)
    import_images([tmp_path / "more"], to, jobs=1)  # nothing is left to do
    with pytest.raises(UsageError):
        import_images([tmp_path / "nowhere"], to, jobs=1)

    after = contents(to)
    assert {name: after[name] for name in theirs if name in after} == {
        name: b"mine"
        for name in theirs
        if name != "images/01234567-00000.tar"  # the given-up run's, by its key
    }
    assert len(after.keys() - before) > 1
    assert ".import-0123456789abcdef/00000.parquet" not in after


def test_coordinates_give_the_country_where_none_is_stated(tmp_path, write_picture):
    write_picture(tmp_path / "photos" / "48.85,2.35.jpg", 1)
    write_picture(tmp_path / "photos" / "42.66,21.16.jpg", 2)
    write_picture(tmp_path / "photos" / "-48.87,-123.39.jpg", 3)  # the middle of the Pacific

    dataset = import_images([tmp_path / "photos"], tmp_path / "data", jobs=1).dataset

    assert dict(
        zip(*(dataset.records[name].to_pylist() for name in ("original", "country")), strict=True)
    ) == {
        "48.85,2.35.jpg": "FR",
        "42.66,21.16.jpg": "XK",
        "-48.87,-123.39.jpg": None,
    }


def test_a_stated_country_stays_where_the_coordinates_say_another(tmp_path, write_picture):
    write_picture(tmp_path / "photos" / "1.jpg")
    (tmp_path / "photos" / "t.csv").write_text("path,lat,lng,country\n1.jpg,48.85,2.35,Germany\n")

    (row,) = import_images([tmp_path / "photos"], tmp_path / "data", jobs=1).dataset.records.to_pylist()

    assert (row["country"], row["latitude"], row["longitude"]) == ("DE", 48.85, 2.35)


def test_longitude_180_is_stored_as_minus_180(tmp_path, write_picture):
    write_picture(tmp_path / "photos" / "-16.5,180.0.jpg")

    (row,) = import_images([tmp_path / "photos"], tmp_path / "data", jobs=1).dataset.records.to_pylist()

    assert row["longitude"] == -180
    assert row["country"] == "FJ"


def test_several_sources_with_their_layouts_are_imported_together(countries, world, tmp_path):
    summary = import_images([countries, world], tmp_path / "data", size=32, jobs=1)

    assert summary.layouts == {str(countries): "folders", str(world): "table"}
    assert summary.imported == 102
    assert [source["name"] for source in summary.dataset.info["imports"][0]["sources"]] == ["photos", "world"]


def test_sources_of_one_name_keep_their_places_apart(tmp_path, write_picture):
    for number, name in enumerate(["a/photos", "b/photos"]):
        write_picture(tmp_path / name / "France" / "1.jpg", number)

    dataset = import_images([tmp_path / "a/photos", tmp_path / "b/photos"], tmp_path / "data", jobs=1).dataset

    assert dataset.records["place_id"].to_pylist() == ["a/photos/France/1.jpg", "b/photos/France/1.jpg"]


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["photos"], ["photos"]),
        (["v1.0", "v1.1"], ["v1.0", "v1.1"]),
        (["a/photos", "b/photos", "c/other"], ["a/photos", "b/photos", "c/other"]),
        (["a/photos", "a/photos/"], ["photos", "photos"]),
        ([], []),
    ],
)
def test_sources_are_called_by_as_much_of_their_path_as_tells_them_apart(
    tmp_path, monkeypatch, sources, names
):
    monkeypatch.chdir(tmp_path)

    assert source_names(sources) == names


def test_a_table_is_called_by_its_name_without_the_suffix(tmp_path):
    (tmp_path / "list.csv").write_text("")

    assert source_names([tmp_path / "list.csv"]) == ["list"]


def test_names_that_are_no_text_are_written_out(tmp_path, picture):
    """Names from another system's code page: the photos are as good as any."""
    folder = os.fsencode(tmp_path / "photos") + b" caf\xe9"
    Path(os.fsdecode(folder + b"/France")).mkdir(parents=True)
    for number, name in enumerate([b"/France/caf\xe9.jpg", b"/France/caf\xc3\xa9.jpg", b"/stray \xe9.jpg"]):
        picture(number, 48, 40).save(os.fsdecode(folder + name))

    summary = import_images([os.fsdecode(folder)], tmp_path / "data", jobs=1)

    rows = summary.dataset.records.select(["original", "source", "country"]).to_pylist()
    assert rows == [
        {"original": name, "source": r"photos caf\xe9", "country": "FR"}
        for name in ("France/café.jpg", r"France/caf\xe9.jpg")
    ]
    skipped = (tmp_path / "data" / "skipped.csv").read_text(encoding="utf-8")
    assert r"photos caf\xe9/stray \xe9.jpg,not in a country's folder" in skipped


def test_a_small_plain_jpeg_is_kept_to_the_byte_and_nothing_else_is(tmp_path, picture):
    source = tmp_path / "photos" / "France"
    source.mkdir(parents=True)
    picture(1, 48, 40).save(source / "1 plain.jpg", quality=60)
    picture(2, 48, 40).save(source / "2 comment.jpg", quality=60, comment="at home")
    picture(3, 48, 40).save(source / "3 other.png")
    picture(4, 96, 80).save(source / "4 large.jpg", quality=60)

    dataset = import_images([source.parent], tmp_path / "data", size=40, jobs=1).dataset

    kept = {
        original: dataset.read(row) == (source.parent / original).read_bytes()
        for row, original in enumerate(dataset.records["original"].to_pylist())
    }
    assert kept == {
        "France/1 plain.jpg": True,
        "France/2 comment.jpg": False,
        "France/3 other.png": False,
        "France/4 large.jpg": False,
    }
    assert all(b"at home" not in dataset.read(row) for row in range(len(dataset)))


@pytest.mark.data
@pytest.mark.parametrize("size", [64, 4000])
@pytest.mark.slow
def test_no_stored_image_holds_metadata_of_a_camera_file(real_data, tmp_path, size):
    dataset = import_images([real_data / "exif-samples"], tmp_path / "data", size=size, jobs=2).dataset

    for index in range(len(dataset)):
        data = dataset.read(index)
        assert b"Exif" not in data
        assert b"ICC_PROFILE" not in data
        assert b"http://ns.adobe.com" not in data


def _places(source, points, write_picture):
    for number, (latitude, longitude) in enumerate(points):
        write_picture(source / f"{latitude:.4f},{longitude:.4f}.jpg", number, 48, 40)
    return source


def test_a_source_with_swapped_coordinates_is_refused(tmp_path, write_picture):
    brazil = [(-10.0 + number / 20, -50.0 + number / 20) for number in range(12)]
    swapped = [(longitude, latitude) for latitude, longitude in brazil]

    with pytest.raises(DatasetError, match="swapped"):
        import_images([_places(tmp_path / "swapped", swapped, write_picture)], tmp_path / "data", jobs=1)

    assert not (tmp_path / "data" / "dataset.json").exists()
    right = import_images([_places(tmp_path / "right", brazil, write_picture)], tmp_path / "data", jobs=1)
    assert set(right.dataset.records["country"].to_pylist()) == {"BR"}


def test_a_few_photos_at_sea_are_no_swapped_columns(tmp_path, write_picture):
    source = _places(tmp_path / "ship", [(-50.0, -10.0 - number / 10) for number in range(3)], write_picture)

    assert import_images([source], tmp_path / "data", jobs=1).imported == 3


def test_countries_are_labelled_by_the_boundaries_given(tmp_path, write_picture):
    square = [[[0, 0], [60, 0], [60, 60], [0, 60], [0, 0]]]
    feature = {
        "type": "Feature",
        "properties": {"code": "JP"},
        "geometry": {"type": "Polygon", "coordinates": square},
    }
    file = tmp_path / "mine.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    source = _places(tmp_path / "photos", [(48.85, 2.35), (48.86, 2.36)], write_picture)

    summary = import_images([source], tmp_path / "data", boundaries=file, jobs=1)

    assert summary.dataset.records["country"].to_pylist() == ["JP", "JP"]
