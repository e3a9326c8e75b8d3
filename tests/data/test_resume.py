"""Imports that are stopped: by kill -9 at several moments, by Ctrl-C, between any two writes."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from fork_server import Started

from lostfound.data.dataset import Dataset
from lostfound.data.importers.importing import import_images
from lostfound.errors import DatasetError

# Imports, and waits after so many chunks for a file beside the data set: no machine is so quick, or so busy,
# that the import is done before it is stopped.
IMPORT = """
import sys, time
from pathlib import Path
from lostfound.data.importers.importing import import_images
from lostfound.parallel.processes import Processes

source, to, chunks = sys.argv[1:]
spread = Processes.spread

def held(self, work, items):
    for done, result in enumerate(spread(self, work, items), 1):
        yield result
        while done == int(chunks) and not Path(to + ".go").exists():
            time.sleep(0.01)

if __name__ == "__main__":
    Processes.spread = held
    import_images([source], to, size=64, jobs=2)
"""
SLOW = pytest.mark.slow
CHUNKS = 12
TIMEOUT = 300


@pytest.fixture(scope="module")
def source(made_once, write_picture) -> Path:
    """So many images that they make twelve chunks of work, one of them unreadable, some of them equal."""

    def build(folder: Path) -> None:
        for number in range(16 * CHUNKS):
            write_picture(folder / "photos" / "France" / f"{number:03}.jpg", number % 180, 640, 480)
        (folder / "photos" / "France" / "050.jpg").write_text("no image")

    return made_once("resume-source", build) / "photos"


@pytest.fixture(scope="module")
def undisturbed(made_once, source) -> Path:
    return made_once("resume-undisturbed", lambda to: import_images([source], to, size=64, jobs=1))


@pytest.fixture
def start(begin, source, tmp_path):
    """`start(to, held=n)` imports in a process group of its own, and waits after n chunks; 0: nowhere.

    Its processes are ended with the test.
    """
    script = tmp_path / "run.py"
    script.write_text(IMPORT)
    started = []

    def run(to: Path, held: int = 0) -> Started | subprocess.Popen[str]:
        process = begin(source, to, held, script=script, start_new_session=True)
        started.append(process)
        return process

    yield run
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # and with it what it may have left behind
        process.communicate()


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def wait_until(true):
    deadline = time.monotonic() + TIMEOUT
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


def parts(to: Path) -> int:
    return len(list(to.glob(".import-*/*.parquet")))


def group_members(group: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue  # it ended just now
        if int(its_group) == group and state != "Z":
            found.append(int(stat.parent.name))
    return found


def workers(group: int) -> list[int]:
    """The processes of a group that encode images."""
    return [pid for pid in group_members(group) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.parametrize("done", [0, pytest.param(1, marks=SLOW), 5, pytest.param(CHUNKS - 1, marks=SLOW)])
@pytest.mark.slow
def test_a_killed_import_goes_on_and_ends_with_the_same_bytes(start, source, undisturbed, tmp_path, done):
    to = tmp_path / "data"
    process = start(to, held=done)
    wait_until(lambda: (to / "images").is_dir() and parts(to) >= done)
    process.kill()
    process.wait()
    assert not (to / "dataset.json").exists()
    with pytest.raises(DatasetError, match="did not finish; run the same command again to go on"):
        Dataset.open(to)

    kept = parts(to)
    import_images([source], to, size=64, jobs=1)

    assert kept >= done
    assert contents(to) == contents(undisturbed)


@pytest.mark.slow
def test_finished_work_is_not_done_again(start, source, undisturbed, tmp_path):
    to = tmp_path / "data"
    process = start(to, held=3)
    wait_until(lambda: parts(to) >= 3)
    process.kill()
    process.wait()
    wait_until(lambda: not group_members(process.pid))
    finished = {path.stem: path.stat().st_ino for path in to.glob(".import-*/*.parquet")}
    shards = {
        path: path.stat().st_ino for path in (to / "images").glob("*.tar") if path.stem[-5:] in finished
    }

    import_images([source], to, size=64, jobs=1)

    assert len(shards) >= 3
    assert {path: path.stat().st_ino for path in shards} == shards


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads the processes from /proc, as Linux has it")
@pytest.mark.slow
def test_a_killed_import_leaves_no_process_behind(start, tmp_path):
    process = start(tmp_path / "data", held=1)
    wait_until(lambda: parts(tmp_path / "data") >= 1)
    assert len(group_members(process.pid)) >= 3  # it and two workers

    process.kill()
    process.wait()

    wait_until(lambda: not group_members(process.pid))


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads the processes from /proc, as Linux has it")
@pytest.mark.slow
def test_a_killed_worker_gives_a_clear_error_and_the_import_goes_on(start, source, undisturbed, tmp_path):
    to = tmp_path / "data"
    process = start(to, held=1)
    wait_until(lambda: parts(to) >= 1)
    os.kill(workers(process.pid)[0], signal.SIGKILL)
    Path(f"{to}.go").touch()

    _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1
    assert "LostFoundError: a process that was working on images ended abruptly" in errors
    assert "run the same command again with fewer --jobs" in errors

    import_images([source], to, size=64, jobs=1)
    assert contents(to) == contents(undisturbed)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads the processes from /proc, as Linux has it")
@pytest.mark.parametrize(
    "done", [pytest.param(0, marks=SLOW), 2]
)  # while the workers start, and while they work
def test_ctrl_c_ends_an_import_that_then_goes_on(start, source, undisturbed, tmp_path, done):
    to = tmp_path / "data"
    process = start(to, held=done)
    wait_until(lambda: parts(to) >= done and len(group_members(process.pid)) >= 3)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it: to all processes

    _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode != 0
    chained = errors.count("During handling of the above exception")
    assert errors.count("Traceback") == 1 + chained, errors  # the workers keep silent
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert not (to / "dataset.json").exists()
    assert parts(to) >= done

    import_images([source], to, size=64, jobs=1)
    assert contents(to) == contents(undisturbed)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads the processes from /proc, as Linux has it")
def test_workers_never_see_ctrl_c(start, tmp_path):
    process = start(tmp_path / "data", held=1)
    wait_until(lambda: len(workers(process.pid)) == 2)

    for pid in workers(process.pid):
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        assert int(status["SigBlk"], 16) >> (signal.SIGINT - 1) & 1


@pytest.mark.slow
def test_a_shard_that_vanished_before_the_import_went_on_is_made_again(start, source, undisturbed, tmp_path):
    to = tmp_path / "data"
    process = start(to, held=2)
    wait_until(lambda: parts(to) >= 2)
    process.kill()
    process.wait()
    number = min(to.glob(".import-*/*.parquet")).stem
    next(to.glob(f"images/*-{number}.tar")).unlink()

    import_images([source], to, size=64, jobs=1)

    assert contents(to) == contents(undisturbed)


@pytest.mark.slow
def test_what_was_given_up_is_cleared_away_by_the_next_import(start, undisturbed, tmp_path, write_picture):
    to = tmp_path / "data"
    process = start(to, held=2)
    wait_until(lambda: parts(to) >= 2)
    process.kill()
    process.wait()
    wait_until(lambda: not group_members(process.pid))
    write_picture(tmp_path / "other" / "Japan" / "1.jpg")

    import_images([tmp_path / "other"], to, size=64, jobs=1)

    assert len(list((to / "images").iterdir())) == 1
    assert not list(to.glob(".*"))


@pytest.fixture
def two_states(tmp_path, write_picture):
    """A data set before and after images were added to it."""
    write_picture(tmp_path / "one" / "France" / "1.jpg", 1)
    write_picture(tmp_path / "two" / "Japan" / "2.jpg", 2)
    import_images([tmp_path / "one"], tmp_path / "before", size=32, jobs=1)
    shutil.copytree(tmp_path / "before", tmp_path / "after")
    import_images([tmp_path / "two"], tmp_path / "after", size=32, jobs=1)
    return tmp_path / "before", tmp_path / "after"


def test_adding_stopped_before_the_description_is_written_leaves_the_data_set_as_it_was(two_states, tmp_path):
    before, after = two_states
    shutil.copy(after / "records.parquet", before / ".records.parquet.next")

    assert len(Dataset.open(before)) == 1
    assert len(import_images([tmp_path / "two"], before, size=32, jobs=1).dataset) == 2
    assert contents(before) == contents(after)


def test_adding_stopped_after_the_description_is_written_is_finished_on_opening(two_states):
    before, after = two_states
    shutil.move(after / "records.parquet", after / ".records.parquet.next")
    shutil.copy(before / "records.parquet", after / "records.parquet")

    assert len(Dataset.open(after)) == 2
    assert not (after / ".records.parquet.next").exists()
