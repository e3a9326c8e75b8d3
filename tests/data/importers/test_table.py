import hashlib
import unicodedata
from collections import Counter

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from lostfound.data.dataset import Dataset
from lostfound.data.importers import table
from lostfound.data.importers.importing import import_images
from lostfound.data.stats import dataset_stats
from lostfound.errors import UsageError


@pytest.fixture
def source(tmp_path, write_picture):
    for number in (1, 2):
        write_picture(tmp_path / "images" / f"{number}.jpg", number)
    return tmp_path


def read(source, text, name="table.csv"):
    """The listing of a table of that text."""
    data = text if isinstance(text, bytes) else text.encode()
    (source / name).write_bytes(data)
    return table.read(source)


def places(listing):
    return [(image.original, image.latitude, image.longitude, image.country) for image in listing.images]


TWO = [("images/1.jpg", 48.85, 2.35, "FR"), ("images/2.jpg", 52.5, 13.4, "DE")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "path,latitude,longitude,country\nimages/1.jpg,48.85,2.35,FR\nimages/2.jpg,52.5,13.4,DE\n"),
        ("t.csv", "path;lat;lon;country\nimages/1.jpg;48.85;2.35;France\nimages/2.jpg;52.5;13.4;DE\n"),
        ("t.tsv", "path\tlat\tlng\tcountry\nimages/1.jpg\t48.85\t2.35\tFR\nimages/2.jpg\t52.5\t13.4\tDE\n"),
        ("t.csv", "\ufeffpath,lat,lng,country\r\nimages/1.jpg,48.85,2.35,FR\r\nimages/2.jpg,52.5,13.4,DE\r"),
        (
            "t.csv",
            '"path","note, with a comma","lat","lng","country"\n'
            '"images/1.jpg","a, b",48.85,2.35,"France"\n"images/2.jpg","c\nd",52.5,13.4,"Germany"\n',
        ),
        ("t.csv", " Path , Lat , Lng ,Country\n images/1.jpg , 48.85 ,2.35 , FR \nimages/2.jpg,52.5,13.4,DE"),
        ("t.csv", "path,lat,lng,country\nimages\\1.jpg,48.85,2.35,FR\nimages\\2.jpg,52.5,13.4,DE\n"),
        ("t.csv", "id,lat,lng,country\n1,48.85,2.35,FR\n2,52.5,13.4,DE\n"),
        ("t.csv", "filename,lat,lng,country\n1.jpg,48.85,2.35,FR\n2.jpg,52.5,13.4,DE\n"),
        ("t.csv", "id,uuid,lat,lng,country\n101,1,48.85,2.35,FR\n102,2,52.5,13.4,DE\n"),  # id is no file
        ("t.csv", "path,lat,lng,country\n\nimages/1.jpg,48.85,2.35,FR\nimages/2.jpg,52.5,13.4,DE,more\n"),
        ("T.CSV", "PATH,LAT,LNG,COUNTRY\nimages/1.jpg,48.85,2.35,FR\nimages/2.jpg,52.5,13.4,DE"),
    ],
    ids=[
        "plain", "semicolons", "tabs", "BOM and CRLF", "quoted", "spaces", "Windows paths", "ids",
        "names in images/", "the column that names files", "blank and long lines", "upper case",
    ],
)  # fmt: skip
def test_tables_as_programs_write_them(source, name, text):
    listing = read(source, text, name)

    assert places(listing) == TWO
    assert listing.skipped == []


def test_a_parquet_table_is_read(source):
    columns = {
        "image_id": [1, 2, 3],
        "image": [{"bytes": b"x" * 5000}] * 3,  # the form in which some keep the picture itself
        "latitude": [48.85, float("nan"), None],
        "longitude": [2.35, float("nan"), None],
        "country": pa.array(["FR", "DE", None]).dictionary_encode(),
    }
    pq.write_table(pa.table(columns), source / "t.parquet")

    listing = table.read(source)

    assert places(listing) == [("images/1.jpg", 48.85, 2.35, "FR"), ("images/2.jpg", None, None, "DE")]
    assert listing.skipped == [("t.parquet row 4 (3)", "no location: no coordinates")]


@pytest.mark.parametrize("nothing", ["", " ", "NaN", "nan", "null", "None", "NA"])
def test_empty_coordinates_leave_a_stated_country(source, nothing):
    listing = read(source, f"path,lat,lng,country\nimages/1.jpg,{nothing},{nothing},France\n")

    assert places(listing) == [("images/1.jpg", None, None, "FR")]


def test_empty_countries_leave_the_coordinates(source):
    listing = read(source, "path,lat,lng,country\nimages/1.jpg,48.85,2.35,NaN\nimages/2.jpg,-22.5,17, NA \n")

    assert places(listing) == [("images/1.jpg", 48.85, 2.35, None), ("images/2.jpg", -22.5, 17, "NA")]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (",,", "no location: no coordinates"),
        ("NaN,null,", "no location: no coordinates"),
        ("48.85,,", "no location: only half of the coordinates"),
        ("48.85,NaN,France", "no location: only half of the coordinates"),
        ("0,0,France", "no location: both coordinates are zero"),
        ("148,2,", "no location: coordinates out of range (148.0, 2.0)"),
        ("inf,2,", "no location: coordinates out of range (inf, 2.0)"),
        ("48°E,2,", "no location: coordinates are no numbers ('48°E' is no angle in degrees)"),
        ("48°61'N,2,", 'no location: coordinates are no numbers ("48°61\'N" is no angle in degrees)'),
    ],
)
def test_a_row_without_a_location_is_named(source, cells, reason):
    listing = read(source, f"path,lat,lng,country\nimages/1.jpg,{cells}\n")

    (image,) = listing.images
    where = "" if reason == "no location: no coordinates" else " (table.csv row 2)"
    assert (image.latitude, image.longitude, image.missing) == (None, None, reason + where)


@pytest.mark.parametrize("name", ["gone.jpg", "", "x" * 5000, "a\0b"])
def test_a_row_whose_file_is_missing_is_named(source, name):
    listing = read(source, f"path,country\nimages/1.jpg,France\n{name},France\n")

    assert len(listing.images) == 1
    assert listing.skipped == [
        (f"table.csv row 3 ({name})", "the file that the table names is missing"),
        ("images/2.jpg", "no table names it"),
    ]


def test_place_and_heading_columns_are_kept(source):
    text = "place,path,heading,lat,lng\n7,images/1.jpg,-90,48.85,2.35\n7,images/2.jpg,,48.85,2.35\n"

    images = read(source, text).images

    assert [(image.place, image.heading) for image in images] == [("7", 270), ("7", None)]


def test_an_odd_heading_does_not_lose_the_photo(source):
    text = "path,heading,lat,lng\nimages/1.jpg,north,48.85,2.35\nimages/2.jpg,inf,48.85,2.35\n"

    assert [image.heading for image in read(source, text).images] == [None, None]


def test_a_folder_of_headings_is_one_place(tmp_path, write_picture):
    for number, heading in enumerate((0, 90, 180, 270)):
        write_picture(tmp_path / "images" / "abc" / f"{heading}.jpg", number)

    images = read(tmp_path, "uuid,latitude,longitude\nabc,45.5,14.5\n").images

    assert [(image.place, image.heading) for image in images] == [
        ("abc", 0),
        ("abc", 90),
        ("abc", 180),
        ("abc", 270),
    ]


def test_tables_one_folder_down_keep_their_places_apart(tmp_path, write_picture):
    for number, folder in enumerate(("one", "two")):
        write_picture(tmp_path / folder / "images" / "1.jpg", number)
        (tmp_path / folder / "data.csv").write_text("id,latitude,longitude\n1,45.5,14.5\n")

    images = table.read(tmp_path).images

    assert [(image.original, image.place) for image in images] == [
        ("one/images/1.jpg", "one/data.csv:1"),
        ("two/images/1.jpg", "two/data.csv:1"),
    ]


def test_a_table_of_something_else_is_left_out(source):
    (source / "countries.csv").write_text("id,country\n101,France\n102,Atlantis\n")

    assert places(read(source, "path,country\nimages/1.jpg,France\n")) == [("images/1.jpg", None, None, "FR")]


def test_a_table_by_itself_is_read_with_the_files_beside_it(source):
    (source / "list.csv").write_text("path,country\nimages/2.jpg,France\n")

    assert places(table.read(source / "list.csv")) == [("images/2.jpg", None, None, "FR")]


def test_rows_whose_country_can_t_be_told_count_for_nothing_and_the_rest_go_on(source):
    text = "path,country,lat,lon\nimages/1.jpg,Congo,1,2\nimages/2.jpg,France,,\nimages/1.jpg,Atlantis,,\n"
    congo, france, atlantis = read(source, text).images

    assert france[3:6] == (None, None, "FR")
    assert {image[3:6] for image in (congo, atlantis)} == {(None, None, None)}
    assert congo.missing.startswith("country can't be told: 'Congo' (could be DR Congo (CD)")
    assert congo.missing.endswith("(table.csv row 2)")
    assert atlantis.missing.startswith("country can't be told: 'Atlantis' (")


def test_a_folder_without_a_usable_table_says_which_columns_are_needed(source):
    with pytest.raises(UsageError, match="no table with a column for the file"):
        read(source, "name,capital\nFrance,Paris\n")


def test_a_table_in_another_encoding_says_so(source):
    text = "path,country\nimages/1.jpg,France\nimages/2.jpg,Réunion\n".encode("latin-1")

    with pytest.raises(UsageError, match=r"can't be read as a table \(CSV must be UTF-8\)"):
        read(source, text)


@pytest.mark.data
@pytest.mark.slow
def test_the_real_folders_of_headings_are_200_places_with_four_views(real_data, made_once):
    source = real_data / "street-croatia"
    folder = made_once("real-croatia", lambda to: import_images([source], to, size=64, jobs=1))

    records = Dataset.open(folder).records
    headings = Counter(zip(records["place_id"].to_pylist(), records["heading"].to_pylist(), strict=True))

    assert records.num_rows == 800
    assert len({place for place, _ in headings}) == 200
    assert {heading for _, heading in headings} == {0, 90, 180, 270}
    assert set(headings.values()) == {1}
    assert Counter(records["country"].to_pylist())["HR"] > 780


@pytest.mark.data
def test_the_real_table_of_one_city_is_1024_places_with_four_headings(real_data):
    listing = table.read(real_data / "street-cambridge")

    views = Counter(image.place for image in listing.images)
    assert len(views) == 1024
    assert set(views.values()) == {4}
    assert {image.heading for image in listing.images} == {0, 90, 180, 270}
    assert listing.skipped == []


@pytest.mark.slow
@pytest.mark.data
def test_equal_pictures_in_the_real_table_are_imported_once(real_data, tmp_path):
    """Its places that have equal pictures, and some that have none: all 4096 pictures take half a minute."""
    source, part = real_data / "street-cambridge", tmp_path / "part"
    rows = pa_csv.read_csv(source / "table.csv").to_pylist()
    digests = [hashlib.sha256((source / row["path"]).read_bytes()).digest() for row in rows]
    times = Counter(digests)
    assert sum(number - 1 for number in times.values()) == 36
    equal = {row["place"] for row, digest in zip(rows, digests, strict=True) if times[digest] > 1}
    rows = [row for row in rows if row["place"] in equal or row["place"] % 32 == 0]
    (part / "images").mkdir(parents=True)
    for row in rows:
        (part / row["path"]).symlink_to(source / row["path"])
    pa_csv.write_csv(pa.Table.from_pylist(rows), part / "table.csv")

    summary = import_images([part], tmp_path / "data", size=64, jobs=1)

    assert len(rows) > 36 + 100
    assert (summary.imported, summary.duplicates, summary.other_label) == (len(rows) - 36, 36, 36)
    dataset = summary.dataset
    assert len(dataset) == len(rows) - 36
    assert set(dataset.records["country"].to_pylist()) == {"GB"}
    assert len(set(dataset.records["split"].to_pylist())) == 1  # a square of 0.8 km is one group


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("out.csv", "SourceFile,GPSLatitude,GPSLongitude\nimages/1.jpg,48.85,2.35\n"),
        (
            "out.csv",
            "SourceFile,GPSLatitude,GPSLongitude\n"
            './images/1.jpg,"48 deg 51\' 0.00"" N","2 deg 21\' 0.00"" E"\n',
        ),
        ("out.csv", "SourceFile,EXIF:GPSLatitude,EXIF:GPSLongitude\nimages/1.jpg,48.85,2.35\n"),
        (
            "out.csv",
            'SourceFile,GPSPosition\nimages/1.jpg,"48 deg 51\' 0.00"" N, 2 deg 21\' 0.00"" E"\n',
        ),
        ("out.csv", "SourceFile,GPSPosition\nimages/1.jpg,48.85 2.35\n"),
        ("out.json", '[{"SourceFile": "images/1.jpg", "GPSLatitude": 48.85, "GPSLongitude": 2.35}]'),
        ("out.json", '[{"SourceFile": "/x/{here}/images/1.jpg", "GPSPosition": "48.85 N, 2.35 E"}]'),
        ("out.csv", "SourceFile,GPSLatitude,GPSLongitude\n{here}/images/1.jpg,48.85,2.35\n"),
    ],
)
def test_what_exiftool_exports_is_read(source, name, text):
    (image,) = read(source, text.replace("{here}", source.name), name).images

    assert image.original == "images/1.jpg"
    assert (image.latitude, image.longitude) == pytest.approx((48.85, 2.35))


def test_exiftool_s_south_and_west_are_negative_and_its_dash_is_nothing(source):
    header = "SourceFile,GPSLatitudeRef,GPSLatitude,GPSLongitudeRef,GPSLongitude\n"
    listing = read(source, header + "images/1.jpg,South,33.5,W,70.25\nimages/2.jpg,-,-,-,-\n")

    south, nothing = listing.images
    assert (south.latitude, south.longitude) == (-33.5, -70.25)
    assert (nothing.latitude, nothing.missing) == (None, "no location: no coordinates")


@pytest.mark.parametrize(("stored", "written"), [("NFC", "NFD"), ("NFD", "NFC")])
@pytest.mark.parametrize("name", ["images/Öjendorf.jpg", "Öjendorf.jpg", "Öjendorf", "images\\öjendorf.JPG"])
def test_a_file_s_name_is_one_in_every_unicode_form_and_case(tmp_path, write_picture, name, stored, written):
    real = write_picture(tmp_path / "images" / unicodedata.normalize(stored, "Öjendorf.jpg"), 1)
    (tmp_path / "t.csv").write_text(f"path,lat,lng\n{unicodedata.normalize(written, name)},53.5,10.1\n")

    assert table.recognise(tmp_path, [])
    listing = table.read(tmp_path)

    assert [image.path for image in listing.images] == [real]
    assert listing.skipped == []


def test_of_two_files_that_differ_in_case_none_is_guessed(tmp_path, write_picture):
    for number, name in enumerate(("IMG.jpg", "img.jpg")):
        write_picture(tmp_path / name, number)
    (tmp_path / "t.csv").write_text("path,lat,lng\nimg.jpg,53.5,10.1\nImg.jpg,1,2\n")

    listing = table.read(tmp_path)

    assert [image.original for image in listing.images] == ["img.jpg"]
    assert listing.skipped == [
        ("t.csv row 3 (Img.jpg)", "the file that the table names is missing"),
        ("IMG.jpg", "no table names it"),
    ]


@pytest.mark.parametrize("ending", ["jfif", "jpe", "gif", "JPG", "Tiff"])
def test_an_id_names_a_file_of_any_ending(tmp_path, write_picture, ending):
    write_picture(tmp_path / "a.jpg", 1).rename(tmp_path / f"a.{ending}")
    (tmp_path / "t.csv").write_text("id,lat,lng\na,53.5,10.1\n")

    assert [image.original for image in table.read(tmp_path).images] == [f"a.{ending}"]


def test_a_collection_within_the_source_is_kept(source, tmp_path_factory):
    (source / "t.csv").write_text(
        "path,country,collection\nimages/1.jpg,FR,walks\nimages/2.jpg,DE,\n", encoding="utf-8"
    )
    folder = tmp_path_factory.mktemp("to") / "data"
    import_images([source], folder)
    imported = Dataset.open(folder)
    found = dict(zip(*(imported.records[name].to_pylist() for name in ("original", "source")), strict=True))
    assert found == {"images/1.jpg": f"{source.name}/walks", "images/2.jpg": source.name}
    assert dataset_stats(imported).sources == {source.name: 2}
