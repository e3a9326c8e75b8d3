"""Names of countries in folders and tables, through the real command line."""

import csv
import io
import json

import pytest
from PIL import Image

from lostfound.data.dataset import Dataset


def photo(path, number, place=None):
    """A photo of its own; with a place, as a camera writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.radial_gradient("L").rotate(17 * number).resize((64, 64)).convert("RGB")
    exif = Image.Exif()
    if place is not None:
        latitude, longitude = place
        block = exif.get_ifd(0x8825)
        block[1], block[2] = "N" if latitude >= 0 else "S", (abs(latitude), 0.0, 0.0)
        block[3], block[4] = "E" if longitude >= 0 else "W", (abs(longitude), 0.0, 0.0)
        exif[0x8825] = block
    picture.save(path, exif=exif)


def countries(folder):
    rows = Dataset.open(folder).records.to_pylist()
    return {row["original"]: row["country"] for row in rows}


@pytest.mark.slow
def test_albums_named_by_places_get_the_country_of_their_gps(tmp_path, lostfound):
    places = {"Tasmania": (-42.9, 147.3), "Almería": (36.84, -2.46), "Tirana": (41.33, 19.82)}
    for number, (name, place) in enumerate(places.items()):
        photo(tmp_path / "albums" / name / "1.jpg", number, place)

    for layout in ([], ["--layout", "folders"]):
        target = tmp_path / f"data{len(layout)}"
        lostfound("import", tmp_path / "albums", "--to", target, *layout)
        assert sorted(countries(target).values()) == ["AL", "AU", "ES"]


@pytest.mark.slow
def test_a_misspelt_folder_goes_after_its_photos_own_places(tmp_path, lostfound):
    photo(tmp_path / "photos" / "Germny" / "here.jpg", 1, (52.5, 13.4))
    photo(tmp_path / "photos" / "Germny" / "elsewhere.jpg", 2, (48.86, 2.35))
    photo(tmp_path / "photos" / "Germny" / "unknown.jpg", 3)
    photo(tmp_path / "photos" / "France" / "1.jpg", 4)

    said = lostfound("import", tmp_path / "photos", "--to", tmp_path / "data").stdout

    assert countries(tmp_path / "data") == {
        "Germny/here.jpg": "DE",
        "Germny/elsewhere.jpg": "FR",
        "Germny/unknown.jpg": "DE",
        "France/1.jpg": "FR",
    }
    assert "'Germny' was taken for the first of Germany (DE)" in " ".join(said.split())


@pytest.fixture
def table(tmp_path):
    """A table of photos; one name of many names no country."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["path", "country"])
    names = ["Cayman Is.", "Lao PDR", "Egypt, Arab Rep.", "Atlantis", "Korea, Rep.", "Taiwan, China"]
    for number, name in enumerate(names):
        photo(tmp_path / "photos" / f"{number}.jpg", number)
        rows.writerow([f"{number}.jpg", name])
    (tmp_path / "photos" / "table.csv").write_text(text.getvalue(), encoding="utf-8")
    return tmp_path / "photos"


@pytest.mark.slow
def test_one_unknown_name_skips_its_rows_and_the_rest_go_on(tmp_path, table, lostfound):
    said = lostfound("import", table, "--to", tmp_path / "data", "--json").stdout

    assert sorted(countries(tmp_path / "data").values()) == ["EG", "KR", "KY", "LA", "TW"]
    assert json.loads(said)["skipped"] == {"country can't be told: 'Atlantis'": 1}
    skipped = (tmp_path / "data" / "skipped.csv").read_text(encoding="utf-8")
    assert "(table.csv row 5)" in skipped


@pytest.mark.slow
def test_strict_stops_at_an_unknown_name(tmp_path, table, lostfound):
    failed = lostfound("import", table, "--to", tmp_path / "data", "--strict")
    assert failed.returncode != 0

    assert "1 name(s) can't be told to be one country" in failed.stderr
    assert "'Atlantis'" in failed.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.slow
def test_a_collection_asks_about_a_misspelt_country(tmp_path, lostfound):
    command = ["collect", "streetview", "--to", tmp_path / "sv", "--country", "Germny", "--places", "5"]
    failed = lostfound(*command, "--dry-run")
    assert failed.returncode != 0

    assert "The nearest names are DE (Germany)" in " ".join(failed.stderr.split())
