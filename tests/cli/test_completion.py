"""Shells complete commands, options and recipes."""

from __future__ import annotations

import shlex
import subprocess
import sys

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


@pytest.mark.parametrize(
    ("shell", "word"), [("bash", "COMPREPLY"), ("zsh", "#compdef lostfound"), ("fish", "complete --command")]
)
def test_each_shell_has_a_script(lostfound, shell: str, word: str) -> None:
    done = lostfound(_LOSTFOUND_COMPLETE=f"source_{shell}", cold=True)
    assert done.returncode == 0
    assert word in done.stdout


def test_the_shell_that_asks_is_known() -> None:
    command = f"{shlex.quote(sys.executable)} -m lostfound --show-completion; exit $?"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "COMPREPLY" in done.stdout
