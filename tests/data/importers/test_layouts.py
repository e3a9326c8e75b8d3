"""Which layout a source is taken for; a wrong one would mislabel or lose all its images."""

import json
import shutil
from pathlib import Path

import pytest

from lostfound.data.importers.layouts import LAYOUTS, list_source, recognise_layout
from lostfound.errors import UsageError


def table(folder: Path, text: str, name: str = "table.csv") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


@pytest.fixture
def place(tmp_path, write_picture):
    """`place(name, ...)` writes small pictures of those names below a source, and returns the source."""
    source = tmp_path / "source"

    def write(*names: str) -> Path:
        for number, name in enumerate(names):
            write_picture(source / name, number, 16, 16)
        return source

    return write


def test_the_simplest_form_of_each_layout_is_recognised(place, tmp_path):
    forms = {
        "folders": ["France/1.jpg", "Japan/2.png"],
        "panoramas": ["panorama_48.85_2.35_abc.jpg", "panorama_-1.5_36.25_d_e.jpg"],
        "coordinates": ["48.8584,2.2945.jpg", "-1.5,36.25.jpg"],
        "exif": ["DSCN0001.jpg", "sub/IMG_1234.jpg"],
    }
    for layout, names in forms.items():
        source = place(*names)
        assert recognise_layout(source) == layout
        shutil.rmtree(source)


def test_a_table_is_recognised_with_its_folder_and_by_itself(place):
    source = place("images/1.jpg")
    table(source, "path,latitude,longitude\nimages/1.jpg,48.8,2.3\n")

    assert recognise_layout(source) == "table"
    assert recognise_layout(source / "table.csv") == "table"


def test_pairs_are_recognised(place):
    source = place("1.jpg", "2.jpg")
    for number in (1, 2):
        (source / f"{number}.json").write_text('{"lat": 48.8, "lng": 2.3}')

    assert recognise_layout(source) == "pairs"


@pytest.mark.parametrize(
    "text",
    [
        "id,country,population\n1,France,68000000\n2,Japan,125000000\n",  # countries, not images
        "code,latitude,longitude\nFR,46.2,2.2\n",  # no column for a file
        "filename,latitude,longitude\nlost.jpg,46.2,2.2\n",  # files that are not there
        "a note without any columns",
        "",
    ],
)
def test_a_stray_table_in_a_tree_of_countries_is_no_image_table(place, text):
    source = place("France/1.jpg", "Japan/2.jpg")
    table(source, text)

    assert recognise_layout(source) == "folders"


def test_a_stray_binary_file_named_csv_is_no_image_table(place):
    source = place("France/1.jpg")
    (source / "table.csv").write_bytes(bytes(range(256)))
    (source / "table.parquet").write_bytes(b"PAR1 no parquet")

    assert recognise_layout(source) == "folders"


def test_a_table_in_one_country_s_folder_is_no_image_table(place):
    source = place("France/1.jpg", "Japan/2.jpg")
    table(source / "France", "id,country,latitude,longitude\n17,France,46.2,2.2\n")

    assert recognise_layout(source) == "folders"


@pytest.mark.parametrize(
    "metadata",
    [
        {"samples": [{"pano_id": "abc", "coordinates": [1.5, 2.5]}]},  # of other images
        {"samples": []},
        {"camera": "Nikon"},
        ["DSCN0001"],
        "text",
    ],
)
def test_camera_files_beside_a_metadata_json_stay_camera_files(place, metadata):
    source = place("DSCN0001.jpg", "DSCN0002.jpg")
    (source / "metadata.json").write_text(json.dumps(metadata))

    assert recognise_layout(source) == "exif"


@pytest.mark.parametrize(
    "names",
    [
        ["IMG_20190412_153012_1.jpg", "IMG_20190412_153012_HDR.jpg"],
        ["20190412_153012_001.jpg", "20190412_153013_001.jpg"],
        ["PXL_20230101_123456789_MP.jpg"],
        ["IMG_12_30_1.jpg", "IMG_12_31_1.jpg"],  # numbers in range, without decimals
        ["1,234.jpg", "1,235.jpg"],  # thousands
        ["12,5.jpg", "12,6.jpg"],  # a decimal comma
        ["Paris, France.jpg", "Rome, Italy.jpg"],
        ["2019.05,2020.06.jpg"],  # out of range
        ["Berlin/1.jpg", "Lund/2.jpg"],  # albums named by cities
        ["Paris/1.jpg", "Berlin/2.jpg", "Tokyo/3.jpg"],
        ["2019/1.jpg", "2020/2.jpg"],
        ["images/1.jpg"],
        ["holiday/France/1.jpg"],
    ],
    ids=lambda names: names[0],
)
def test_names_that_only_look_like_places_stay_camera_files(place, names):
    assert recognise_layout(place(*names)) == "exif"


def test_panoramas_in_folders_are_recognised(place):
    assert recognise_layout(place("a/pano_48.85_2.35_x.jpg", "b/c/pano_1.5_36.25_y.jpg")) == "panoramas"


def test_panoramas_named_by_metadata_alone_are_recognised(place):
    source = place("images/x.jpg", "images/y.jpg")
    samples = [{"pano_id": name, "coordinates": [48.85, 2.35]} for name in "xy"]
    (source / "metadata.json").write_text(json.dumps({"samples": samples}))

    assert recognise_layout(source) == "panoramas"


def test_odd_files_first_don_t_change_what_most_files_are(place):
    odd = [f"00{number}.jpg" for number in range(12)]

    assert recognise_layout(place(*odd, *[f"4{n % 10}.{n},2.5.jpg" for n in range(20)])) == "coordinates"


def test_hidden_files_and_folders_are_not_looked_at(place):
    assert (
        recognise_layout(place("1.jpg", "._2.25,3.5.jpg", "._3.25,3.5.jpg", ".trash/2.25,3.5.jpg")) == "exif"
    )


def test_most_folders_with_a_country_s_name_are_enough(place):
    assert recognise_layout(place("France/1.jpg", "Japan/1.jpg", "Atlantis/1.jpg")) == "folders"


def test_a_missing_source_says_what_to_give(tmp_path):
    with pytest.raises(UsageError, match="does not exist: give a folder of images, or a CSV"):
        recognise_layout(tmp_path / "gone")


def test_a_source_without_images_says_so(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")

    with pytest.raises(UsageError, match="holds no images"):
        recognise_layout(tmp_path)


def test_a_single_photo_is_no_source(write_picture, tmp_path):
    with pytest.raises(UsageError, match="is not a table"):
        recognise_layout(write_picture(tmp_path / "1.jpg"))


def test_a_layout_that_is_told_goes_before_what_is_recognised(place):
    source = place("France/1.jpg", "Japan/2.jpg")

    layout, listing = list_source(source, "exif")

    assert layout == "exif"
    assert all(image.missing and image.country is None for image in listing.images)


def test_an_unknown_layout_lists_the_known_ones(place):
    with pytest.raises(UsageError, match="no layout 'folder': choose one of table, panoramas"):
        list_source(place("1.jpg"), "folder")


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "table"])
def test_a_table_can_t_be_read_as_another_layout(place, layout):
    source = place("1.jpg")
    table(source, "path,country\n1.jpg,France\n")

    with pytest.raises(UsageError, match="needs a folder"):
        list_source(source / "table.csv", layout)


def test_a_layout_that_does_not_fit_says_what_the_source_looks_like(place):
    with pytest.raises(UsageError, match=r"(?s)no table with a column"):
        list_source(place("France/1.jpg"), "table")


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "layout"),
    [
        ("street-panoramas", "panoramas"),
        ("street-countries", "folders"),
        ("street-croatia", "table"),
        ("street-croatia/dataset_external_subset", "table"),
        ("street-cambridge", "table"),
        ("street-cambridge/table.csv", "table"),
        ("street-cambridge/images", "exif"),
        ("exif-samples", "exif"),
        ("exif-samples/exif-samples", "exif"),
        ("exif-samples/street", "exif"),
    ],
)
def test_the_real_folders_are_recognised(real_data, folder, layout):
    assert recognise_layout(real_data / folder) == layout
