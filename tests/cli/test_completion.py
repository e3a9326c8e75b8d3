"""Shells complete commands, options and recipes."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("words", "count", "expected"),
    [
        ("lostfound loc", 1, {"locate"}),
        ("lostfound locate --coun", 2, {"--countries"}),
        ("lostfound train lo", 2, {"london", "lost-and-found"}),
        ("lostfound recipes geo", 2, {"geotrainr"}),
    ],
)
@pytest.mark.slow
def test_bash_completes(lostfound, words: str, count: int, expected: set[str]) -> None:
    done = lostfound(_LOSTFOUND_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(count), cold=True)
    assert set(done.stdout.split()) == expected
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_its_script_can_be_shown(lostfound, shell: str) -> None:
    done = lostfound("--show-completion", shell, cold=True)
    assert done.returncode == 0
    assert "LOSTFOUND_COMPLETE" in done.stdout
