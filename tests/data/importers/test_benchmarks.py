"""Benchmarks as they are published: label files in their forms, with images or without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from lostfound.data.importers.benchmarks import BENCHMARKS, benchmark_of, read_benchmark, write_labels
from lostfound.data.importers.importing import import_images
from lostfound.errors import UsageError


def photo(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.effect_noise((64, 64), 10 + level).convert("RGB").save(path)


def test_osv5m_keeps_sequences_and_namibia(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text(
        "id,latitude,longitude,country,sequence\n1,-22.6,17.1,NA,s\n2,-22.7,17.2,NA,s\n3,48.9,2.4,FR,t\n"
    )
    for row in (1, 2, 3):
        photo(tmp_path / "images" / "test" / "00" / f"{row}.jpg", 20 * row)
    made = import_images([tmp_path], tmp_path / "out", benchmark="osv5m", size=64, jobs=1).dataset
    rows = made.records.to_pylist()
    assert sorted(row["country"] for row in rows) == ["FR", "NA", "NA"]
    assert {row["split"] for row in rows} == {"test"}
    assert {row["license"] for row in rows} == {"CC-BY-SA-4.0"}
    assert len({row["place_id"] for row in rows}) == 2


def test_images_that_the_labels_name_and_are_missing_are_listed(tmp_path: Path) -> None:
    (tmp_path / "gws15k.csv").write_text("path,lat,lon\nimg/a.jpg,48.9,2.4\nimg/b.jpg,35.7,139.7\n")
    photo(tmp_path / "img" / "a.jpg", 3)
    made = import_images([tmp_path], tmp_path / "out", benchmark="gws15k", size=64, jobs=1)
    assert made.imported == 1
    assert "img/b.jpg" in made.skipped[0][0]
    assert "missing" in made.skipped[0][1]


def test_labels_in_the_form_of_others(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "info.json").write_text(
        json.dumps({"x.jpg": ["owner: 1", "latitude: 48.9", "longitude: 2.4", "b", "c"]})
    )
    line = [""] * 14
    line[1], line[12], line[13] = "77", "2.4", "48.9"
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "info.txt").write_text("\t".join(line) + "\n")
    for name, folder, own in (("im2gps", "a", "x.jpg"), ("yfcc4k", "b", "77")):
        labels = read_benchmark(BENCHMARKS[name], tmp_path / folder)
        (row,) = labels.stored.to_pylist()
        assert (row["image_id"], row["latitude"], row["longitude"]) == (own, 48.9, 2.4)
        assert f"where {name} as it is published has {BENCHMARKS[name].images}" in labels.notes[-1]


def test_labels_alone_are_kept_to_score_by(tmp_path: Path) -> None:
    (tmp_path / "gws15k.csv").write_text("path,lat,lon\na.jpg,48.9,2.4\n")
    labels = read_benchmark(benchmark_of("gws15k"), tmp_path)
    assert write_labels(labels, tmp_path / "out").read_text().splitlines()[1].startswith("a.jpg,48.9,2.4,,")
    with pytest.raises(UsageError, match="holds something else"):
        write_labels(labels, tmp_path)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no labels of im2gps "):
        read_benchmark(BENCHMARKS["im2gps"], tmp_path)
    with pytest.raises(UsageError, match="no benchmark 'im2gps4k': choose of im2gps"):
        benchmark_of("im2gps4k")
