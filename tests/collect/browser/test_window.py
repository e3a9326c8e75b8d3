"""The browser that is found where none is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lostfound.collect.browser.window import BROWSERS, HEADLESS, find_browser
from lostfound.errors import UsageError

pytest.importorskip("playwright", reason="playwright is not installed: extra 'browser'")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only folder on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    yield tmp_path
    monkeypatch.undo()  # before it is looked whether a variable was left


def program(folder: Path, name: str) -> Path:
    (folder / name).touch(mode=0o755)
    return folder / name


def test_the_first_on_path_is_taken_and_one_without_windows_last(path: Path) -> None:
    for name in reversed([*BROWSERS, HEADLESS]):
        newest = program(path, name)
        assert find_browser(None) == newest


def test_one_without_windows_can_not_be_shown(path: Path) -> None:
    program(path, HEADLESS)
    with pytest.raises(UsageError, match=r"none of chromium, .* is on PATH"):
        find_browser(None, show=True)


def test_none_is_said(path: Path) -> None:
    with pytest.raises(UsageError, match=rf"none of .*{HEADLESS} is on PATH: install Chromium"):
        find_browser(None)
