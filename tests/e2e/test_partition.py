"""`lostfound partition` through the real command line."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from lostfound.data.dataset import Dataset, write_dataset
from lostfound.data.records import coordinates, strings
from lostfound.geo.sphere import from_unit_vectors, haversine_km, unit_vectors
from lostfound.partitions import Partition


@pytest.fixture(scope="session")
def partition(lostfound) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `lostfound partition ...`."""
    return functools.partial(lostfound, "partition")


def refused(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The message of a command that failed as it should: one line, no traceback, nothing printed."""
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("lostfound: ")
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture(scope="session")
def countries(partition, dataset_folder: Path, made_once) -> Path:
    def build(folder: Path) -> None:
        done = partition("build", dataset_folder, "--kind", "countries", "--to", folder / "countries.parquet")
        assert done.returncode == 0, done.stderr

    return made_once("countries-partition", build) / "countries.parquet"


def only_split(dataset_folder: Path, split: str, target: Path) -> Path:
    """The data set's images of one split, as a data set."""
    shutil.copytree(dataset_folder, target)
    dataset = Dataset.open(target)
    write_dataset(target, dataset.split(split).records, dict(dataset.info))
    return target


class TestBuild:
    @pytest.mark.parametrize(
        ("kind", "settings"),
        [
            ("countries", []),
            ("regions", []),
            ("cities", ["cities=[Paris, Tokyo]", "radius_km=3000"]),
            ("square", ["cell_km=1500"]),
            ("voronoi", ["cells=8", "seed=3"]),
            ("s2", ["min_images=1", "max_images=12"]),
            ("quadtree", ["split_at=20"]),
        ],
    )
    @pytest.mark.slow
    def test_every_kind_counts_the_training_images_alone(
        self, partition, dataset_folder, tmp_path, kind, settings
    ):
        file = tmp_path / "cells.parquet"
        options = [part for setting in settings for part in ("--set", setting)]
        done = partition("build", dataset_folder, "--kind", kind, *options, "--to", file, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        said, built = json.loads(done.stdout), Partition.load(file)
        assert (said["kind"], said["cells"]) == (kind, len(built))
        train = Dataset.open(dataset_folder).split("train").records
        assigned = built.assign(coordinates(train), strings(train, "country"))
        inside = assigned[assigned >= 0]
        assert np.array_equal(np.bincount(inside, minlength=len(built)), built.counts)
        assert said["images"] == len(inside) > 0

    @pytest.mark.slow
    def test_the_same_command_writes_the_same_bytes(self, partition, dataset_folder, tmp_path):
        files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
        for file in files:
            options = ["--kind", "voronoi", "--set", "spacing_km=900", "--to", file]
            assert partition("build", dataset_folder, *options).returncode == 0
        assert files[0].read_bytes() == files[1].read_bytes()

    @pytest.mark.slow
    def test_polygons_of_the_user(self, partition, dataset_folder, tmp_path):
        ring = [[-180, -89], [180, -89], [180, 0], [-180, 0], [-180, -89]]
        feature = {
            "type": "Feature",
            "properties": {"name": "the south"},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }
        source, file = tmp_path / "halves.geojson", tmp_path / "halves.parquet"
        source.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
        done = partition(
            "build", dataset_folder, "--kind", "polygons", "--set", f"files={source}", "--to", file
        )
        assert done.returncode == 0, done.stderr
        assert "the south" in done.stdout

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (["--kind", "hexagons"], "no partition 'hexagons': choose one of countries, regions, cities"),
            (["--kind", "s2", "--set", "max_image=5"], "did you mean 'max_images'"),
            (["--kind", "s2", "--set", "max_images"], "write a setting as key=value"),
            (["--kind", "s2", "--set", "max_images=[1"], "not valid YAML"),
            (["--kind", "cities", "--set", "cities=[NO]"], "no city 'NO' is known"),  # YAML 1.2: no 'false'
            (["--kind", "square"], "give either cell_km or cells"),
            (["--kind", "countries", "--set", "min_images=5000"], "lower min_images"),
        ],
    )
    @pytest.mark.slow
    def test_wrong_requests_are_wrong_usage(self, partition, dataset_folder, tmp_path, options, says):
        done = partition("build", dataset_folder, *options, "--to", tmp_path / "cells.parquet")
        assert says in refused(done, 2)
        assert not list(tmp_path.iterdir())

    @pytest.mark.slow
    def test_no_training_image(self, partition, dataset_folder, tmp_path):
        tested = only_split(dataset_folder, "test", tmp_path / "tested")
        done = partition("build", tested, "--kind", "countries", "--to", tmp_path / "cells.parquet")
        assert "the training split has no images" in refused(done, 2)

    def test_no_data_set(self, partition, tmp_path):
        done = partition("build", tmp_path / "none", "--kind", "countries", "--to", tmp_path / "a.parquet")
        assert "is not a data set" in refused(done, 1)


class TestShow:
    @pytest.mark.slow
    def test_says_what_it_holds(self, partition, countries):
        done = partition("show", countries)
        assert done.returncode == 0
        assert "countries, 4 cells" in done.stdout
        assert all(name in done.stdout for name in ("France", "Japan", "Brazil", "Kenya"))

    @pytest.mark.slow
    def test_draws_a_picture_and_a_page(self, partition, countries, tmp_path):
        picture, page = tmp_path / "new" / "cells.png", tmp_path / "cells.html"
        done = partition("show", countries, "--to", picture, "--to", page, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["fullest"].keys() == {"France", "Japan", "Brazil", "Kenya"}
        assert done.stderr == f"Drawn: {picture}\nDrawn: {page}\n"
        with Image.open(picture) as drawn:
            assert drawn.format == "PNG"
            assert len(drawn.convert("RGB").getcolors(1 << 20)) > 20
        assert "<title>countries</title>" in page.read_text(encoding="utf-8")

    @pytest.mark.slow
    def test_a_file_of_another_sort_is_refused_before_anything_is_written(
        self, partition, countries, tmp_path
    ):
        done = partition("show", countries, "--to", tmp_path / "a.png", "--to", tmp_path / "cells.pdf")
        assert "a picture (.png) or a page (.html)" in refused(done, 2)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("content", [None, b"no Parquet", "other table"])
    def test_what_is_no_partition(self, partition, tmp_path, content):
        file = tmp_path / "cells.parquet"
        if content == "other table":
            pq.write_table(pa.table({"a": [1]}), file)
        elif content is not None:
            file.write_bytes(content)
        message = refused(partition("show", file), 1)
        assert str(file) in message
        assert "lostfound partition build" in message


class TestCompare:
    @pytest.mark.slow
    def test_a_perfect_classifier_still_errs_by_the_cells(self, partition, dataset_folder, countries):
        """The oracle of countries: from each test place to the mean of its country's training images."""
        done = partition("compare", dataset_folder, countries, "square:cells=20,min_images=2", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        said = json.loads(done.stdout)
        dataset = Dataset.open(dataset_folder)
        train, test = dataset.split("train").records, dataset.split("test").records
        assert (said["split"], said["images"]) == ("test", test.num_rows)
        assert list(said["partitions"]) == [str(countries), "square:cells=20,min_images=2"]
        labels = strings(train, "country")
        vectors = unit_vectors(coordinates(train))
        middle = {code: from_unit_vectors(vectors[labels == code].mean(axis=0)) for code in set(labels)}
        expected = haversine_km(
            coordinates(test), np.array([middle[code] for code in strings(test, "country")])
        )
        report = said["partitions"][str(countries)]
        assert report["oracle_median_km"] == pytest.approx(np.median(expected))
        assert report["oracle_mean_km"] == pytest.approx(np.mean(expected))
        assert report["oracle_score"] == pytest.approx(np.mean(5000 * np.exp(-expected / 1492.7)))
        assert said["partitions"]["square:cells=20,min_images=2"]["images_min"] >= 2

    @pytest.mark.slow
    def test_prints_a_row_for_each(self, partition, dataset_folder):
        done = partition("compare", dataset_folder, "countries", "quadtree:split_at=20", "--split", "all")
        assert (done.returncode, done.stderr) == (0, "")
        assert "judged by 96 images (all)" in done.stdout
        rows = [line.split("│")[1].strip() for line in done.stdout.splitlines() if line.startswith("│")]
        assert rows == ["countries", "quadtree:split_at=20"]

    @pytest.mark.slow
    def test_a_list_is_one_setting(self, partition, dataset_folder):
        text = "cities:cities=[Paris, Tokyo],radius_km=5000"
        done = partition("compare", dataset_folder, text, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["partitions"][text]["cells"] == 2

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["hexagons"], "neither a file nor a kind of partition: countries"),
            (["square:cels=5"], "did you mean 'cells'"),
            (["square:5"], "write a setting as key=value"),
            (["countries", "--split", "tests"], "choose test, val, train or all"),
        ],
    )
    @pytest.mark.slow
    def test_wrong_requests_are_wrong_usage(self, partition, dataset_folder, arguments, says):
        assert says in refused(partition("compare", dataset_folder, *arguments), 2)

    @pytest.mark.slow
    def test_no_image_to_judge_by(self, partition, dataset_folder, tmp_path):
        trained = only_split(dataset_folder, "train", tmp_path / "trained")
        message = refused(partition("compare", trained, "countries"), 1)
        assert "no test images with coordinates: choose another --split" in message


class TestHelp:
    @pytest.mark.parametrize("command", ["build", "show", "compare"])
    def test_has_an_example(self, partition, command):
        done = partition(command, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"lostfound partition {command}" in " ".join(done.stdout.split())

    def test_loads_nothing_heavy(self):
        code = (
            "import sys, lostfound.cli; "
            "print(*{'numpy', 'shapely', 'pyarrow', 'matplotlib', 'pydantic'} & set(sys.modules))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
        assert (done.stdout.strip(), done.stderr) == ("", "")
