"""The light install: what is declared, and no torch, is enough to import, prepare, evaluate and locate."""

from __future__ import annotations

import json
import subprocess
import sysconfig
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image

import lostfound as package

requirements = pytest.importorskip("packaging.requirements")
utils = pytest.importorskip("packaging.utils")

TRAINING = {"torch", "torchvision", "timm", "lightning", "onnx", "onnxscript", "safetensors", "tensorboard"}


def closure(name: str) -> dict[str, Distribution]:
    """The installed distributions that one needs, extras left out, by normalised name."""
    found: dict[str, Distribution] = {}
    waiting: list[tuple[str, frozenset[str]]] = [(name, frozenset())]
    seen = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found[name] = distribution(name)
        for line in found[name].requires or ():
            needed = requirements.Requirement(line)
            wanted = extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in wanted):
                waiting.append((utils.canonicalize_name(needed.name), frozenset(needed.extras)))
    return found


def link_distribution(installed: Distribution, site: Path) -> None:
    """Link a distribution's folders and files into another site-packages."""
    assert installed.files is not None
    base = Path(str(installed.locate_file("")))
    for top in {file.parts[0] for file in installed.files} - {"..", "__pycache__"}:
        if not (site / top).exists():
            (site / top).symlink_to(base / top)


@pytest.fixture(scope="session")
def light_python(made_once) -> Path:
    """The Python of an environment that holds the light install alone."""

    def build(folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        site = Path(sysconfig.get_path("purelib", "venv", vars={"base": str(folder)}))
        for installed in closure("lostfound").values():
            link_distribution(installed, site)
        source = Path(package.__file__).parent
        if not (site / "lostfound").exists():  # an editable install lists no files of the package
            (site / "lostfound").symlink_to(source)

    return made_once("light", build) / "bin" / "python"


@pytest.fixture
def light(lostfound, light_python: Path):
    def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        return lostfound(*arguments, python=light_python, cwd=cwd, PYTHONPATH="")

    return run


@pytest.mark.parametrize("name", sorted(TRAINING))
def test_nothing_for_training_is_there(light_python: Path, name: str):
    done = subprocess.run([light_python, "-c", f"import {name}"], capture_output=True, text=True, check=False)
    assert f"ModuleNotFoundError: No module named '{name}'" in done.stderr


@pytest.mark.slow
def test_the_whole_package_but_training_and_serving_can_be_imported(light_python: Path):
    code = """
import importlib, pkgutil, lostfound
of_extras = ("training", "models", "serve.", "play.app", "play.start", "cli.demo_training", "__main__")
for module in pkgutil.walk_packages(lostfound.__path__, "lostfound."):
    if not module.name.removeprefix("lostfound.").startswith(of_extras):
        importlib.import_module(module.name)
import lostfound.predict.model_folder, lostfound.training.recipe
"""
    done = subprocess.run(
        [light_python, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_import_stats_and_prepare_give_the_same_data_set(lostfound, light, world: Path, tmp_path: Path):
    said = {}
    for name, run in {"light": light, "full": lostfound}.items():
        folder = tmp_path / name
        folder.mkdir()
        said[name] = [
            run(*command, cwd=folder)
            for command in (
                ("import", world, "--to", "data", "--size", 48, "--json"),
                ("stats", "data", "--json", "--to", "data.png"),
                ("prepare", "data", "--to", "small", "--size", 32, "--json"),
            )
        ]
        assert [done.returncode for done in said[name]] == [0, 0, 0], said[name]
    assert [done.stdout for done in said["light"]] == [done.stdout for done in said["full"]]
    for file in ("data/records.parquet", "small/records.parquet", "data.png"):
        assert (tmp_path / "light" / file).read_bytes() == (tmp_path / "full" / file).read_bytes()


@pytest.mark.slow
def test_evaluate_gives_the_same_numbers(
    lostfound, light, dataset_folder: Path, model_folder: Path, tmp_path: Path
):
    command = ("evaluate", model_folder, dataset_folder, "--json", "--to", "report")
    found, expected = light(*command, cwd=tmp_path), lostfound(*command, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout) == json.loads(expected.stdout)


@pytest.mark.slow
def test_locate_gives_the_same_answers(lostfound, light, world: Path, model_folder: Path, tmp_path: Path):
    command = ("locate", world / "images", "--model", model_folder, "--format", "json")
    found, expected = light(*command, cwd=tmp_path), lostfound(*command, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout) == json.loads(expected.stdout)


@pytest.mark.slow
def test_locate_needs_no_model_of_one_s_own(light, world: Path, tmp_path: Path):
    done = light("locate", world / "images", "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Model: the starter in the package" in done.stderr
    assert all(len(photo["candidates"]) == 5 for photo in json.loads(done.stdout)["photos"])


def test_several_photos_of_a_place_have_one_answer_of_the_starter(light, world: Path, tmp_path: Path):
    photos = sorted((world / "images").iterdir())[:3]
    done = light("locate", *photos, "--same-place", "--format", "json", cwd=tmp_path)
    answers = [photo["candidates"] for photo in json.loads(done.stdout)["photos"]]
    assert answers[0] == answers[1] == answers[2]


def test_the_three_lines_of_python(light_python: Path, world: Path, model_folder: Path):
    photo = next((world / "images").iterdir())
    code = f"""
import lostfound
model = lostfound.load({str(model_folder)!r})
print(model.locate({str(photo)!r}).country)
"""
    done = subprocess.run([light_python, "-c", code], capture_output=True, text=True, check=False)
    expected = package.load(model_folder).locate(photo).country
    assert done.stdout == f"{expected}\n", done.stderr


@pytest.mark.parametrize(
    "command", [("train", "demo", "--data", "data", "--to", "model"), ("demo", "--train")]
)
def test_training_names_the_extra_to_install(light, tmp_path: Path, command: tuple[str, ...]):
    done = light(*command, cwd=tmp_path)
    assert done.returncode == 1
    assert "pip install 'lostfound[train]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_collecting_names_the_extra_to_install(light, tmp_path: Path):
    done = light("collect", "streetview", "--to", "data", "--places", 5, cwd=tmp_path)
    assert done.returncode == 1
    assert "pip install 'lostfound[collect]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_demo_runs_to_its_end(light, tmp_path: Path):
    done = light("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "lostfound-demo" / "map.html").is_file()


def test_photos_of_iphones_are_located(light, world: Path, tmp_path: Path):
    pillow_heif.from_pillow(Image.open(next((world / "images").iterdir()))).save(tmp_path / "photo.heic")
    done = light("locate", "photo.heic", "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["photos"][0]["candidates"]
