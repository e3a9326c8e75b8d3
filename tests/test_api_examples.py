"""The examples in the docstrings of the public names, in pages and in the README run as they stand."""

from __future__ import annotations

import doctest
import inspect
import re
import shutil
from pathlib import Path

import pytest

import lostfound

REPOSITORY = Path(__file__).parent.parent
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def docstring_examples() -> dict[str, doctest.DocTest]:
    """The examples of every public name, and of the public methods of the classes among them, by name."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = {"lostfound": lostfound.__doc__ and finder.find(lostfound, "lostfound", globs={})[0]}
    for name in lostfound.__all__:
        value = getattr(lostfound, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            found |= {test.name: test for test in finder.find(value, name, module=False, globs={})}
    return {name: test for name, test in found.items() if test and test.examples}


def page_examples() -> dict[str, str]:
    """The Python blocks of the README and of those pages that there are, by page and number."""
    return {
        f"{page}-{number}": block
        for page in ("README.md", "docs/api.md", "docs/priors.md")
        if (REPOSITORY / page).is_file()
        for number, block in enumerate(python_blocks((REPOSITORY / page).read_text(encoding="utf-8")), 1)
    }


def python_blocks(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def place(made_once, world: Path, dataset_folder: Path, model_folder: Path) -> Path:
    """What the examples speak of: photo.jpg, photos/ with their coordinates, data/streets and models/mine."""

    def build(folder: Path) -> None:
        folder.mkdir()
        shutil.copytree(world, folder / "photos")
        shutil.copy(min((world / "images").iterdir()), folder / "photo.jpg")
        shutil.copytree(dataset_folder, folder / "data" / "streets")
        shutil.copytree(model_folder, folder / "models" / "mine")

    return made_once("examples", build)


@pytest.fixture
def inside(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory is a copy of that place."""
    shutil.copytree(place, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")


DOCSTRINGS = docstring_examples()
PAGES = page_examples()


def run(test: doctest.DocTest) -> str:
    """Run examples; gives what went wrong."""
    said: list[str] = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=said.append)
    return "".join(said)


@pytest.mark.parametrize("name", DOCSTRINGS)
def test_the_example_of_a_docstring(inside, name: str):
    assert run(DOCSTRINGS[name]) == ""


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.slow
def test_the_example_of_a_page(inside, name: str):
    """A session of `>>>` shows what comes out; a program must run."""
    block = PAGES[name]
    if ">>>" in block:
        parsed = doctest.DocTestParser().get_doctest(block, {}, name, None, 0)
        assert run(parsed) == ""
    else:
        exec(compile(block, name, "exec"), {})


def test_the_readme_has_an_example():
    assert any(name.startswith("README.md") for name in PAGES)


def test_a_wrong_example_is_told():
    parsed = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    assert "Expected:\n    3\nGot:\n    2" in run(parsed)
