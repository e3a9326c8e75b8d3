"""Scripts and benchmarks are run seldom: what they need of the package must still be there."""

from __future__ import annotations

import ast
import importlib
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
SCRIPTS = sorted([*REPOSITORY.glob("benchmarks/*.py"), *REPOSITORY.glob("scripts/*.py")])


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_what_it_imports_of_the_package_is_there(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lostfound":
            module = importlib.import_module(node.module)
            for each in node.names:
                name = f"{node.module}.{each.name}"
                assert hasattr(module, each.name) or find_spec(name) is not None, name
