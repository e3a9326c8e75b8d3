from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from lostfound import progress as module
from lostfound.progress import progress

WORK = """
from lostfound.progress import progress
with progress("Counting", 20, done=5) as advance:
    print("result")
    for _ in range(15):
        advance(1)
"""


def on_a_terminal(code: str, **variables: str) -> tuple[str, str]:
    """What a program prints on standard output, and what a terminal gets on standard error."""
    leader, follower = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=follower,
        text=True,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "80"} | variables,
    ) as process:
        os.close(follower)
        shown = b""
        while True:
            try:
                data = os.read(leader, 65536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            shown += data
        assert process.stdout is not None
        printed = process.stdout.read()
    os.close(leader)
    assert process.returncode == 0
    return printed, shown.decode()


def test_a_pipe_gets_a_line_at_the_end(capsys: pytest.CaptureFixture[str]):
    with progress("Importing", 3) as advance:
        advance(1)
        advance(2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"Importing: 3/3 in \d+\.\d s\n", captured.err)


def test_a_pipe_gets_lines_in_between(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.0)
    with progress("Importing", 3) as advance:
        for _ in range(3):
            advance(1)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" ")[1] for line in lines] == ["1/3", "2/3", "3/3"]


def test_few_lines_for_fast_work(capsys: pytest.CaptureFixture[str]):
    with progress("Importing", 10_000) as advance:
        for _ in range(10_000):
            advance(1)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_what_was_done_before_counts(capsys: pytest.CaptureFixture[str]):
    with progress("Importing", 10, done=4) as advance:
        advance(6)
    assert capsys.readouterr().err.startswith("Importing: 10/10 ")


def test_nothing_to_do_is_fine(capsys: pytest.CaptureFixture[str]):
    with progress("Importing", 0):
        pass
    assert capsys.readouterr().err.startswith("Importing: 0/0 ")


def test_failed_work_is_not_called_done(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(ValueError, match="broken"), progress("Importing", 10):
        raise ValueError("broken")
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_and_standard_output_stays_clean():
    printed, shown = on_a_terminal(WORK)
    assert printed == "result\n"
    assert "━" in shown
    assert "20/20" in shown


def test_a_bar_tells_no_rate_of_a_moment():
    at_once = WORK.replace("advance(1)", "pass").replace('print("result")', "advance(15)")
    _, shown = on_a_terminal(at_once)
    assert "20/20" in shown
    assert "/s" not in shown


def test_a_bar_tells_the_rate_since_it_began():
    """Also where all of it comes in one go, after a while."""
    code = f"""
from lostfound import progress as module
import time
module.SECONDS_BEFORE_A_RATE = 0.1
{WORK.replace("advance(1)", "pass").replace('print("result")', "time.sleep(0.5); advance(5); advance(10)")}
"""
    _, shown = on_a_terminal(code)
    rates = [int(rate) for rate in re.findall(r"(\d+)/s", shown)]
    assert rates
    assert rates[-1] <= 30


def test_a_terminal_that_cannot_move_its_cursor_gets_lines():
    _, shown = on_a_terminal(WORK, TERM="dumb")
    assert re.fullmatch(r"Counting: 20/20 in \d+\.\d s\r\n", shown)
