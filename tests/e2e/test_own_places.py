"""`lostfound import` and `stats --leaks`: files' own places, and exchanged columns."""

import json

import numpy as np
import pytest
from PIL import Image

PARIS = {1: "N", 2: (48.0, 51.0, 30.0), 3: "E", 4: (2.0, 17.0, 40.0)}


@pytest.fixture
def photo(tmp_path):
    """`photo(name, number, gps)` writes a picture below `photos`, with or without GPS."""

    def write(name, number, gps=None):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        exif.get_ifd(0x8825).update(gps or {})
        pixels = np.random.default_rng(number).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((64, 48), Image.Resampling.BICUBIC).save(path, exif=exif)
        return path

    return write


def table(source, text):
    (source / "table.csv").write_text(text)


@pytest.mark.slow
def test_photos_of_one_spot_in_country_folders_share_a_split(lostfound, photo, tmp_path):
    for number in range(20):
        photo(f"France/{number}.jpg", number, PARIS)
        photo(f"Spain/{number}.jpg", 100 + number, PARIS)
    photo("Spain/none.jpg", 200)

    done = lostfound("import", "photos", "--to", "data", "--size", 32, "--json", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    elsewhere = json.loads(done.stdout)["in_another_country"]
    assert len(elsewhere) == 20
    assert {(each["stated"], each["at"]) for each in elsewhere} == {("ES", "FR")}
    assert "photos/Spain/7.jpg,ES,FR" in (tmp_path / "data" / "other_country.csv").read_text()
    stats = json.loads(lostfound("stats", "data", "--json", cwd=tmp_path).stdout)
    assert (stats["images"], stats["located"], stats["countries"]) == (41, 40, {"ES": 21, "FR": 20})
    assert max(stats["splits"].values()) >= 40


@pytest.mark.slow
def test_leaks_among_images_without_coordinates_are_not_denied(lostfound, photo, tmp_path):
    for number in range(40):
        photo(f"France/{number}.jpg", number)

    lostfound("import", "photos", "--to", "data", "--size", 32, cwd=tmp_path)

    said = lostfound("stats", "data", "--leaks", cwd=tmp_path).stdout
    assert "No leaks:" not in said
    assert "40 images of the data set have no coordinates" in " ".join(said.split())


@pytest.mark.slow
def test_a_table_with_exchanged_columns_is_refused_though_its_mirror_is_land(lostfound, photo, tmp_path):
    rows = []
    for number in range(12):
        photo(f"{number}.jpg", number)
        rows.append(f"{number}.jpg,{8 + number * 0.3:.2f},{47 + number * 0.2:.2f}")
    table(tmp_path / "photos", "path,latitude,longitude\n" + "\n".join(rows))

    done = lostfound("import", "photos", "--to", "data", "--size", 32, cwd=tmp_path)

    assert done.returncode == 1
    assert "latitude and longitude seem to be swapped" in done.stderr
    table(
        tmp_path / "photos", "path,latitude,longitude,country\n" + "\n".join(f"{row},Somalia" for row in rows)
    )
    assert lostfound("import", "photos", "--to", "data", "--size", 32, cwd=tmp_path).returncode == 0


@pytest.mark.slow
def test_sidecars_and_what_lacks_a_direction(lostfound, photo, tmp_path):
    photo("a.jpg", 1).with_name("a.jpg.supplemental-metadata.json").write_text(
        json.dumps({"title": "a.jpg", "geoData": {"latitude": 41.9, "longitude": 12.5}})
    )
    photo("b.jpg", 2, {2: PARIS[2], 4: PARIS[4]})

    done = lostfound("import", "photos", "--to", "data", "--size", 32, "--json", cwd=tmp_path)

    assert json.loads(done.stdout)["skipped"] == {
        "no location: the file has GPS, but lacks N or S, and E or W": 1
    }
    stats = json.loads(lostfound("stats", "data", "--json", cwd=tmp_path).stdout)
    assert stats["countries"] == {"IT": 1}


@pytest.mark.slow
def test_geojson_beside_photos_is_longitude_first(lostfound, photo, tmp_path):
    photo("p.jpg", 1).with_suffix(".json").write_text('{"type": "Point", "coordinates": [8.7, 50.1]}')

    lostfound("import", "photos", "--to", "data", "--size", 32, cwd=tmp_path)

    stats = json.loads(lostfound("stats", "data", "--json", cwd=tmp_path).stdout)
    assert stats["countries"] == {"DE": 1}
