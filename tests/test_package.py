from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import pytest

import lostfound as package
from lostfound import errors

REPOSITORY = Path(__file__).parent.parent

HEAVY = {
    *("torch", "torchvision", "timm", "lightning", "onnx", "onnxruntime", "safetensors", "tensorboard"),
    *("matplotlib", "numpy", "pandas", "PIL", "pillow_heif", "pyarrow", "pycountry", "rapidfuzz", "scipy"),
    *("babel", "rich", "shapely", "yaml", "fastapi", "httpx2", "uvicorn"),
}
COMMANDS = (
    "demo",
    "import",
    "prepare",
    "stats",
    "collect",
    "train",
    "evaluate",
    "locate",
    "explain",
    "serve",
)


def loaded(code: str) -> set[str]:
    """The top-level modules that a fresh Python holds after some code."""
    report = "import json, sys; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_all_is_sorted():
    assert package.__all__ == sorted(package.__all__)


@pytest.mark.parametrize("name", package.__all__)
def test_all_names_exist(name: str):
    assert getattr(package, name) is not None


def test_all_is_complete():
    """What is defined here, what is loaded when it is asked for, and every error."""
    own = {name for name, value in vars(package).items() if getattr(value, "__module__", "") == "lostfound"}
    raised = {
        each.__name__
        for each in vars(errors).values()
        if inspect.isclass(each) and issubclass(each, Exception)
    }
    public = {name for name in own if not name.startswith("_")} | raised | set(package._MODULES)
    assert public | {"__version__"} == set(package.__all__)
    assert dir(package) == package.__all__


@pytest.mark.parametrize("name", sorted({*package.__all__} - {"__version__"}))
def test_a_public_name_is_documented(name: str):
    """With an example that runs (tests/test_api_examples.py), and on the page of the API."""
    value = getattr(package, name)
    assert (value.__doc__ or "").strip()
    if not (isinstance(value, type) and issubclass(value, Exception)):
        assert ">>> " in value.__doc__
    assert f"`{name}`" in (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")


def test_public_names_are_those_of_their_modules():
    for name, module in package._MODULES.items():
        assert getattr(package, name) is getattr(import_module(f"lostfound.{module}"), name)


def test_no_class_has_the_name_of_another():
    """But those of the server's schema, which are what is sent of the same things."""
    package_folder = REPOSITORY / "src" / "lostfound"
    found: dict[str, list[str]] = {}
    for path in package_folder.rglob("*.py"):
        if path != package_folder / "serve" / "schema.py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    found.setdefault(node.name, []).append(str(path.relative_to(package_folder)))
    assert {name: where for name, where in found.items() if len(where) > 1} == {}


def test_version_is_that_of_the_installed_package():
    assert package.__version__ == version("lostfound")


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'locat'"):
        package.locat  # noqa: B018


def test_the_package_says_that_it_is_typed():
    assert (files("lostfound") / "py.typed").is_file()


def test_import_loads_nothing_heavy():
    assert loaded("import lostfound") & HEAVY == set()


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_loads_nothing_heavy(command: str | None):
    arguments = ["lostfound", *([command] if command else []), "--help"]
    code = f"""
import contextlib, sys
from lostfound.cli import main
sys.argv = {arguments!r}
with contextlib.suppress(SystemExit):
    main()
"""
    assert loaded(code) & HEAVY == set()


def test_a_photo_is_located_in_three_lines(model_folder: Path, world: Path):
    photo = next((world / "images").iterdir())
    model = package.load(model_folder)
    guess = model.locate(photo)
    assert guess.country == guess.candidates[0].cell_id


def test_locating_a_photo_loads_neither_scipy_nor_pandas(world: Path):
    """Each takes longer to load than the photo takes to locate."""
    photo = next((world / "images").iterdir())
    code = f"import lostfound; lostfound.load().locate({str(photo)!r})"
    assert loaded(code) & {"scipy", "pandas", "torch"} == set()
