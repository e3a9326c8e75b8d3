import csv
import os

import pytest
from PIL import Image

from lostfound.errors import DatasetError, UsageError
from lostfound.world import sample_places, write, write_world


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_world(tmp_path_factory.mktemp("worlds") / "w", places=5, views=3, size=32, seed=2)


def test_the_table_names_every_image(world):
    with (world / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["place", "path", "heading", "latitude", "longitude", "country"]
    assert {row["path"] for row in rows} == {f"images/{path.name}" for path in (world / "images").iterdir()}
    assert len(rows) == 15
    places = sample_places(5, seed=2)
    assert [float(row["latitude"]) for row in rows[::3]] == [place.latitude for place in places]
    first = [int(row["heading"]) for row in rows[:3]]
    assert [(heading - first[0]) % 360 for heading in first] == pytest.approx([0, 120, 240], abs=1)


def test_images_have_the_size_asked_for(world):
    for path in (world / "images").iterdir():
        with Image.open(path) as image:
            assert (image.size, image.format) == ((32, 32), "JPEG")


def test_the_folder_says_that_it_is_synthetic(world):
    assert "SYNTHETIC" in (world / "README.md").read_text()


def test_the_same_settings_write_the_same_bytes(world, tmp_path):
    again = write_world(tmp_path / "again", places=5, views=3, size=32, seed=2)
    assert files(again) == files(world)


@pytest.mark.slow
def test_all_cores_write_the_same_bytes_as_one(world, tmp_path, monkeypatch):
    monkeypatch.setattr(write, "FEW", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert files(write_world(tmp_path / "cores", places=5, views=3, size=32, seed=2)) == files(world)


def test_progress_counts_images(tmp_path):
    done = []
    write_world(tmp_path, places=3, views=2, size=16, progress=done.append)
    assert sum(done) == 6


def test_a_stopped_run_goes_on_without_drawing_again(tmp_path):
    def stop_after_two(_):
        if len(list((tmp_path / "images").iterdir())) >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_world(tmp_path, places=4, views=2, size=16, progress=stop_after_two)
    assert not (tmp_path / "table.csv").exists()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "images").iterdir()}
    write_world(tmp_path, places=4, views=2, size=16)
    assert len(list((tmp_path / "images").iterdir())) == 8
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_a_world_can_grow(tmp_path):
    write_world(tmp_path, places=2, views=2, size=16)
    small = files(tmp_path / "images")
    write_world(tmp_path, places=4, views=2, size=16)
    grown = files(tmp_path / "images")
    assert len(grown) == 8
    assert {name: grown[name] for name in small} == small


def test_a_folder_of_other_settings_is_left_alone(tmp_path):
    write_world(tmp_path, places=1, views=1, size=16)
    before = files(tmp_path)
    with pytest.raises(DatasetError, match=r"other settings \(world.json: size\)"):
        write_world(tmp_path, places=1, views=1, size=32)
    assert files(tmp_path) == before


def test_damaged_settings_are_said_to_be_so(tmp_path):
    (tmp_path / "world.json").write_text("{")
    with pytest.raises(DatasetError, match=r"world.json is damaged"):
        write_world(tmp_path, places=1, views=1, size=16)


@pytest.mark.parametrize("views", [0, 37])
def test_wrong_number_of_views(tmp_path, views):
    with pytest.raises(UsageError, match="views"):
        write_world(tmp_path / "none", places=1, views=views)
    assert not (tmp_path / "none").exists()
