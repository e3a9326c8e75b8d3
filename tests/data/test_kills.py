"""Import and prepare, killed eight times at random moments: the same command ends with the same bytes."""

import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import suppress

import pytest

from lostfound.data.dataset import Dataset
from lostfound.data.importers.importing import import_images
from lostfound.data.preparing.prepare import prepare

pytestmark = pytest.mark.slow

KILLS = 8
IMPORT = """
import sys
from lostfound.data.importers.importing import import_images
if __name__ == "__main__":
    import_images([sys.argv[1]], sys.argv[2], size=64, jobs=2)
"""
PREPARE = """
import sys
from lostfound.data.dataset import Dataset
from lostfound.data.preparing.prepare import prepare
if __name__ == "__main__":
    prepare(Dataset.open(sys.argv[1]), sys.argv[2], size=48, jobs=2)
"""


@pytest.fixture(scope="module")
def source(made_once, write_picture):
    def build(folder):
        for number in range(200):
            write_picture(folder / "photos" / f"{40 + number / 100},{number / 100}.jpg", number, 640, 480)
        (folder / "photos" / "41.0,1.0.jpg").write_text("no image")

    return made_once("kills-source", build) / "photos"


@pytest.fixture(scope="module")
def imported(made_once, source):
    return made_once("kills-imported", lambda to: import_images([source], to, size=64, jobs=1))


@pytest.fixture(scope="module")
def prepared(made_once, imported):
    return made_once("kills-prepared", lambda to: prepare(Dataset.open(imported), to, size=48, jobs=1))


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("job", ["import", "prepare"])
def test_killed_eight_times_it_ends_with_the_same_bytes(job, begin, source, imported, prepared, tmp_path):
    script, given, undisturbed = (
        (IMPORT, source, imported) if job == "import" else (PREPARE, imported, prepared)
    )
    (tmp_path / "run.py").write_text(script)
    to, expected = tmp_path / "data", contents(undisturbed)

    def start():
        return begin(given, to, script=tmp_path / "run.py", start_new_session=True)

    def wait_until_it_writes(process):
        while not to.exists() and process.poll() is None:
            time.sleep(0.005)

    process = start()
    wait_until_it_writes(process)
    since = time.monotonic()
    process.communicate(timeout=300)
    whole = time.monotonic() - since
    assert process.returncode == 0
    assert contents(to) == expected
    shutil.rmtree(to)

    draw, kills = random.Random(job), 0
    while kills < KILLS:
        process = start()
        wait_until_it_writes(process)
        with suppress(subprocess.TimeoutExpired):
            process.wait(draw.uniform(0, 0.8) * whole)
        if process.poll() is None:
            kills += 1
            if draw.random() < 0.5:  # the whole group at once, as a machine that stops does
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        _, errors = process.communicate(timeout=300)
        if process.returncode == 0:
            assert contents(to) == expected
            shutil.rmtree(to)
        else:
            assert process.returncode == -signal.SIGKILL, errors
    process = start()
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert contents(to) == expected
