"""Bad input: one clear message that holds the remedy, exit code 1 or 2, and nothing half-written."""

from __future__ import annotations

import csv
import json
import os
import pickle
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

Make = Callable[["Bad"], None]


@dataclass
class Bad:
    """A folder to spoil: `photos` (a good source of two countries), `data` and `model` are copies in it."""

    folder: Path
    world: Path
    dataset: Path
    model: Path

    def photos(self, *countries: str) -> None:
        """A source in the folders layout, with a few images a country."""
        images = sorted((self.world / "images").iterdir())
        for number, country in enumerate(countries):
            (self.folder / "photos" / country).mkdir(parents=True)
            for image in images[2 * number : 2 * number + 2]:
                shutil.copy(image, self.folder / "photos" / country)

    def only(self, name: str, data: bytes) -> None:
        """A source with this one file."""
        (self.folder / "photos" / "France").mkdir(parents=True)
        (self.folder / "photos" / "France" / name).write_bytes(data)

    def copies(self) -> None:
        """A good data set and a good model."""
        shutil.copytree(self.dataset, self.folder / "data")
        shutil.copytree(self.model, self.folder / "model", ignore=shutil.ignore_patterns("run"))

    def edit(self, name: str, change: Callable[[bytes], bytes]) -> None:
        """Spoil one file."""
        path = self.folder / name
        path.write_bytes(change(path.read_bytes()))

    def edit_json(self, name: str, **values: object) -> None:
        """Change values in a JSON file."""
        path = self.folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    def shard(self) -> str:
        """The largest shard of the data set."""
        shards = (self.folder / "data" / "images").iterdir()
        return str(max(shards, key=lambda path: path.stat().st_size).relative_to(self.folder))


@pytest.fixture
def bad(tmp_path: Path, world: Path, dataset_folder: Path, model_folder: Path) -> Bad:
    return Bad(tmp_path, world, dataset_folder, model_folder)


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            chunk(b"IDAT", zlib.compress(b"")),
            chunk(b"IEND", b""),
        )
    )


class Intruder:
    """Makes a folder `pwned` when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("pwned",)


def write_zipped_pickle(path: Path) -> None:
    """The form of torch.save."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Intruder()))


def make_folder(name: str) -> Make:
    return lambda bad: (bad.folder / name).mkdir()


def make_file(name: str, data: bytes = b"hello") -> Make:
    def make(bad: Bad) -> None:
        (bad.folder / name).parent.mkdir(exist_ok=True, parents=True)
        (bad.folder / name).write_bytes(data)

    return make


def spoil(name: str, change: Callable[[bytes], bytes]) -> Make:
    def make(bad: Bad) -> None:
        bad.copies()
        bad.edit(name, change)

    return make


def lose(name: str) -> Make:
    def make(bad: Bad) -> None:
        bad.copies()
        (bad.folder / name).unlink()

    return make


def say(name: str, **values: object) -> Make:
    def make(bad: Bad) -> None:
        bad.copies()
        bad.edit_json(name, **values)

    return make


def two(*makes: Make) -> Make:
    def make(bad: Bad) -> None:
        for each in makes:
            each(bad)

    return make


def truncated(bad: Bad) -> None:
    photo = next((bad.world / "images").iterdir()).read_bytes()
    bad.only("half.jpg", photo[: len(photo) // 2])


def flip_a_pixel(data: bytes) -> bytes:
    middle = data.index(b"\xff\xd8") + 700  # within the first image of the shard
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


IMPORT = ("import", "photos", "--to", "new")
STATS = ("stats", "data")
EVALUATE = ("evaluate", "model", "data", "--split", "all", "--to", "report")
LOCATE = ("locate", "photos", "--model", "model", "--output", "answers.json")
TRAIN = ("train", "demo", "--data", "data", "--to", "new", "--set", "trainer.device=cpu")

CASES = {
    # what is imported
    "missing folder": (lambda bad: None, IMPORT, 2, ["photos does not exist", "give a folder of images"]),
    "empty folder": (make_folder("photos"), IMPORT, 2, ["photos holds no images", "looked for .jpg"]),
    "folder with no images": (make_file("photos/a.txt"), IMPORT, 2, ["photos holds no images"]),
    "file that is no table": (make_file("photos"), IMPORT, 2, ["photos is not a table", "give a folder"]),
    "unreadable image": (lambda bad: bad.only("a.jpg", b"text"), IMPORT, 1, ["no image", "unreadable"]),
    "truncated image": (truncated, IMPORT, 1, ["no image could be imported", "half.jpg", "damaged"]),
    "decompression bomb": (
        lambda bad: bad.only("b.png", bomb(50_000, 50_000)),
        IMPORT,
        1,
        ["b.png", "unsafe"],
    ),
    "unknown country": (
        lambda bad: bad.photos("France", "Japan", "Xanaduu"),
        (*IMPORT, "--strict"),
        1,
        ["'Xanaduu'", "like no country known", "rename"],
    ),
    "ambiguous country": (
        lambda bad: bad.photos("France", "Japan", "Korea"),
        (*IMPORT, "--strict"),
        1,
        ["'Korea'", "could be", "South Korea (KR)", "rename"],
    ),
    "unknown layout": (
        lambda bad: bad.photos("France"),
        (*IMPORT, "--layout", "folder"),
        2,
        ["'folder'", "choose one of table, panoramas"],
    ),
    "data set is a file": (
        two(lambda bad: bad.photos("France"), make_file("new")),
        IMPORT,
        2,
        ["new is a file", "give the folder"],
    ),
    "data set of another size": (
        two(lambda bad: bad.photos("France"), Bad.copies),
        ("import", "photos", "--to", "data", "--size", "32"),
        2,
        ["data was made with", "use the same settings"],
    ),
    "shares above one": (
        lambda bad: bad.photos("France"),
        (*IMPORT, "--val", "0.9", "--test", "0.5"),
        2,
        ["0.9", "leave something for training"],
    ),
    # the data set
    "no data set": (make_folder("data"), STATS, 1, ["data is not a data set", "lostfound import"]),
    "no table": (lose("data/records.parquet"), STATS, 1, ["records.parquet is missing", "import"]),
    "another table": (
        spoil("data/records.parquet", lambda data: data + b" "),
        STATS,
        1,
        ["records.parquet", "hash differs", "restore both"],
    ),
    "spoilt description": (spoil("data/dataset.json", lambda data: data[:50]), STATS, 1, ["dataset.json"]),
    "newer data set": (say("data/dataset.json", format=99), STATS, 1, ["format 99", "update"]),
    "files gone": (
        two(Bad.copies, lambda bad: (bad.folder / bad.shard()).unlink()),
        STATS,
        1,
        [".tar is missing", "restore them or import again"],
    ),
    "image changed": (
        two(Bad.copies, lambda bad: bad.edit(bad.shard(), flip_a_pixel)),
        EVALUATE,
        1,
        [".tar", "hash differs", "import again"],
    ),
    "shard cut short": (
        two(Bad.copies, lambda bad: bad.edit(bad.shard(), lambda data: data[:4096])),
        EVALUATE,
        1,
        [".tar", "import"],
    ),
    "unknown split": (
        Bad.copies,
        ("evaluate", "model", "data", "--split", "tset", "--to", "report"),
        2,
        ["'tset'", "choose one of train, val, test, all"],
    ),
    "prepare over a data set": (
        Bad.copies,
        ("prepare", "data", "--to", "data"),
        2,
        ["data holds a data set", "another folder"],
    ),
    # the model folder
    "no model": (Bad.copies, ("evaluate", "modell", "data"), 1, ["modell is not a model", "lostfound train"]),
    "unfinished model": (
        two(Bad.copies, make_file("new/run/run.json")),
        ("evaluate", "new", "data"),
        1,
        ["new: the training did not finish", "--resume"],
    ),
    "model without its graph": (
        lose("model/model.onnx"),
        EVALUATE,
        1,
        ["model.onnx is missing", "train again"],
    ),
    "model without its partition": (
        lose("model/partition.parquet"),
        EVALUATE,
        1,
        ["partition.parquet is miss"],
    ),
    "model without its calibration": (
        lose("model/calibration.json"),
        EVALUATE,
        1,
        ["calibration.json is miss"],
    ),
    "model with a foreign graph": (
        spoil("model/model.onnx", lambda data: data + b" "),
        EVALUATE,
        1,
        ["model.onnx is not this model's own", "copy the folder whole"],
    ),
    "model with a foreign partition": (
        spoil("model/partition.parquet", lambda data: data[::-1]),
        EVALUATE,
        1,
        ["partition.parquet is not this model's own"],
    ),
    "model of nothing": (say("model/config.json", files={}), EVALUATE, 1, ["config.json does not describe"]),
    "spoilt model": (spoil("model/config.json", lambda data: data[:99]), EVALUATE, 1, ["does not describe"]),
    "newer model": (say("model/config.json", format=99), EVALUATE, 1, ["format 99", "update"]),
    # photos to be located
    "missing photo": (Bad.copies, LOCATE, 2, ["photos does not exist", "give a photo"]),
    "no photos": (two(Bad.copies, make_folder("photos")), LOCATE, 2, ["photos holds no images"]),
    "no model to locate with": (lambda bad: bad.photos("France"), LOCATE, 1, ["model is not a model folder"]),
    "output is a folder": (
        two(Bad.copies, make_folder("out")),
        ("locate", "data", "--model", "model", "--output", "out"),
        2,
        ["out is a folder", "name of a file"],
    ),
    "output of no known format": (
        Bad.copies,
        ("locate", "data", "--model", "model", "--output", "out.xyz"),
        2,
        ["out.xyz", "--format"],
    ),
    "picture is a folder": (
        Bad.copies,
        ("stats", "data", "--to", "model"),
        2,
        ["model is a folder", "name of a file"],
    ),
    # the recipe
    "unknown recipe": (Bad.copies, ("train", "demoo", *TRAIN[2:]), 2, ["'demoo'", "countries, demo"]),
    "missing recipe file": (Bad.copies, ("train", "my.yaml", *TRAIN[2:]), 2, ["my.yaml does not exist"]),
    "recipe that is no YAML": (
        two(Bad.copies, make_file("my.yaml", b"a: [")),
        ("train", "my.yaml", *TRAIN[2:]),
        2,
        ["my.yaml is not valid YAML"],
    ),
    "unknown recipe key": (
        Bad.copies,
        (*TRAIN, "--set", "trainer.epoch=3"),
        2,
        ["unknown key 'trainer.epoch'", "did you mean 'trainer.epochs'?"],
    ),
    "wrong recipe value": (
        Bad.copies,
        (*TRAIN, "--set", "trainer.epochs=many"),
        2,
        ["trainer.epochs", "many"],
    ),
    "setting without a value": (Bad.copies, (*TRAIN, "--set", "seed"), 2, ["'seed'", "key=value"]),
    "no data to train on": (lambda bad: None, TRAIN, 1, ["data is not a data set", "lostfound import"]),
    "unknown backbone": (
        Bad.copies,
        (*TRAIN, "--set", "model.backbone=resnet81"),
        2,
        ["no model 'resnet81'", "did you mean"],
    ),
    "weights are a pickle": (
        two(Bad.copies, lambda bad: write_zipped_pickle(bad.folder / "weights.pth")),
        (*TRAIN, "--weights", "weights.pth"),
        1,
        ["weights.pth can't be opened", "refused", "safetensors"],
    ),
    "weights are a pickle in disguise": (
        two(Bad.copies, make_file("weights.safetensors", pickle.dumps(Intruder()))),
        (*TRAIN, "--weights", "weights.safetensors"),
        1,
        ["weights.safetensors can't be opened", "refused"],
    ),
    "weights are missing": (
        Bad.copies,
        (*TRAIN, "--weights", "w.safetensors"),
        1,
        ["w.safetensors does not exist"],
    ),
    "folder of something else": (
        two(Bad.copies, make_file("new/thesis.txt")),
        TRAIN,
        2,
        ["new exists and is not a model folder", "choose another folder"],
    ),
}


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    } | {str(path.relative_to(folder)): (0, 0) for path in folder.rglob("*") if path.is_dir()}


@pytest.mark.parametrize(("make", "command", "code", "parts"), CASES.values(), ids=CASES.keys())
def test_bad_input(lostfound, bad: Bad, make: Make, command: tuple[str, ...], code: int, parts: list[str]):
    make(bad)
    before = contents(bad.folder)
    done = lostfound(*command, cwd=bad.folder)
    message = done.stderr[done.stderr.find("lostfound: ") :]
    assert done.returncode == code, done.stderr
    assert [part for part in parts if part not in message] == [], message
    assert "Traceback" not in done.stderr
    assert "unexpected" not in message
    assert done.stdout == ""
    assert contents(bad.folder) == before


@pytest.mark.slow
def test_a_country_with_one_image(lostfound, bad: Bad):
    images = sorted((bad.world / "images").iterdir())
    for country, some in {"France": images[:20], "Japan": images[20:40], "Kenya": images[40:41]}.items():
        (bad.folder / "photos" / country).mkdir(parents=True)
        for image in some:
            shutil.copy(image, bad.folder / "photos" / country)
    lostfound("import", "photos", "--to", "data", "--val", 0.2, "--test", 0, "--seed", 1, cwd=bad.folder)
    before = contents(bad.folder)
    done = lostfound(*TRAIN, "--set", "task.min_images=1", cwd=bad.folder)
    assert done.returncode == 2
    assert "single training image" in done.stderr
    assert "Kenya" in done.stderr
    assert "task.min_images=2" in done.stderr
    assert contents(bad.folder) == before


@pytest.mark.slow
def test_bad_images_among_good_ones_are_skipped_and_listed(lostfound, bad: Bad):
    bad.photos("France", "Japan")
    for name, data in {"a.jpg": b"text", "b.png": bomb(50_000, 50_000), "c.jpg": b""}.items():
        (bad.folder / "photos" / "France" / name).write_bytes(data)
    done = lostfound(*IMPORT, "--json", cwd=bad.folder)
    assert done.returncode == 0
    summary = json.loads(done.stdout)
    assert (summary["imported"], summary["skipped"]) == (4, {"unreadable": 3})
    rows = list(csv.DictReader((bad.folder / "new" / "skipped.csv").read_text().splitlines()))
    assert [row["path"] for row in rows] == [f"photos/France/{name}" for name in ("a.jpg", "b.png", "c.jpg")]
    shown = lostfound("import", "photos", "--to", "shown", cwd=bad.folder).stdout
    assert "skipped: unreadable" in shown
    assert "shown/skipped.csv" in shown


def test_a_path_through_a_file_names_it(lostfound, bad: Bad):
    bad.photos("France")
    (bad.folder / "file").write_text("hello")
    done = lostfound("import", "photos", "--to", "file/data", cwd=bad.folder)
    assert done.returncode == 1
    assert done.stderr.endswith("Not a directory\n")
    assert "lostfound: file/data" in done.stderr
