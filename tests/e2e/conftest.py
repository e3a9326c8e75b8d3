"""What the end-to-end tests share: a command that runs while a test watches it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from fork_server import Started

WAIT_S = 300


class Running:
    """The command line in a process group of its own, as a shell starts it."""

    def __init__(self, process: Started | subprocess.Popen[str]) -> None:
        self.process = process

    def group(self) -> list[int]:
        """The running processes of the group, zombies left out."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    state, _, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
                except OSError:  # it has ended meanwhile
                    continue
                if int(group) == self.process.pid and state != "Z":
                    found.append(int(entry.name))
        return found

    def wait_until(self, true: Callable[[], object]) -> None:
        """Wait for something to happen before the command ends."""
        deadline = time.monotonic() + WAIT_S
        while not true():
            assert self.process.poll() is None, f"it ended too early: {self.process.communicate()}"
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def wait(self) -> tuple[str, str]:
        """Wait until it has ended; if it does not, fail with the stacks of its processes.

        Returns:
            What was printed on standard output and standard error.
        """
        try:
            return self.process.communicate(timeout=WAIT_S)
        except subprocess.TimeoutExpired:
            for process in self.group():
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGABRT)
                time.sleep(0.5)  # or they write at once
            pytest.fail(f"it did not end: {self.process.communicate()[1]}")

    def press_ctrl_c(self, whom: str) -> tuple[int, str, str]:
        """Interrupt "all" processes, as a terminal does, or the "parent"; nothing may go on running.

        Returns:
            The exit code, and what was printed on standard output and standard error.
        """
        if whom == "all":
            os.killpg(self.process.pid, signal.SIGINT)
        else:
            os.kill(self.process.pid, signal.SIGINT)
        printed, said = self.wait()
        self.leaves_nothing_running()
        return self.process.returncode, printed, said

    def leaves_nothing_running(self) -> None:
        """Its processes have ended, or do soon."""
        deadline = time.monotonic() + 60
        while self.group() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.group() == []


@pytest.fixture
def start(begin: Callable[..., Started | subprocess.Popen[str]]) -> Iterator[Callable[..., Running]]:
    """Start commands; none of their processes outlives the test."""
    started = []

    def run(*arguments: object, cwd: Path, cold: bool = False) -> Running:
        faults = {"PYTHONFAULTHANDLER": "1"}  # so that `wait` can ask where it is
        process = begin(*arguments, cwd=cwd, cold=cold, env=faults, start_new_session=True)
        started.append(Running(process))
        return started[-1]

    yield run
    for running in started:
        for process in running.group():
            os.kill(process, signal.SIGKILL)
        running.process.communicate()
