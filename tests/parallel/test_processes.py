"""What processes leave that are killed."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

# Starts processes that wait, from a server or anew, and says so when they are there.
STARTS = """
import multiprocessing, sys, time
from lostfound.parallel.processes import end_with_parent, share_temporary_folder

def work(started):
    end_with_parent()
    started.set()
    time.sleep(600)

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    share_temporary_folder()
    events = [context.Event() for _ in range(2)]
    processes = [context.Process(target=work, args=(event,), daemon=True) for event in events]
    for process in processes:
        process.start()
    for event in events:
        event.wait()
    print(*(process.pid for process in processes), flush=True)
    sys.stdin.read()
"""


def until(done, seconds=60):
    for _ in range(10 * seconds):
        if done():
            return True
        time.sleep(0.1)
    return False


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def short_folder():
    """A folder of a short name: the server's socket lies in it, whose path has at most 107 letters."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize("how", ["spawn", "forkserver"])
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_leaves_no_workers_and_no_folder(tmp_path, short_folder, how, end):
    folder = short_folder
    (tmp_path / "starts.py").write_text(STARTS)
    command = [sys.executable, str(tmp_path / "starts.py"), how]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        workers = process.stdout.readline().split()
        assert len(workers) == 2
        assert any(folder.iterdir())
        process.send_signal(end)
        process.wait()

    assert until(lambda: not any(map(runs, workers)))
    assert until(lambda: not any(folder.iterdir()))
