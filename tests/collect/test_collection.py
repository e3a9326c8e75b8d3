from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from lostfound.collect.collection import FOLDER, open_collection
from lostfound.errors import CollectError, UsageError

HOLD = """
import sys, time
from pathlib import Path
from lostfound.collect.collection import open_collection
with open_collection(Path(sys.argv[1]), "streetview", {}, size=48):
    Path(sys.argv[2]).touch()
    time.sleep(600)
"""


@pytest.mark.slow
def test_one_process_alone_collects_and_a_killed_one_keeps_nobody_out(tmp_path: Path):
    ready = tmp_path / "ready"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "data", ready])
    try:
        while not ready.exists():
            assert holder.poll() is None
            time.sleep(0.01)
        with (
            pytest.raises(CollectError, match=r"another process is collecting into .*data: wait for it"),
            open_collection(tmp_path / "data", "mapillary", {}, size=48),
        ):
            pass
    finally:
        holder.kill()
        holder.wait()
    with open_collection(tmp_path / "data", "mapillary", {}, size=48) as collection:
        assert collection.images() == 0


def test_it_can_be_opened_again_once_it_was_closed(tmp_path: Path):
    for _ in range(2):
        with open_collection(tmp_path / "data", "streetview", {}, size=48):
            pass


def test_the_lock_of_an_earlier_version_does_not_disturb(tmp_path: Path):
    (tmp_path / "data" / FOLDER).mkdir(parents=True)
    (tmp_path / "data" / FOLDER / "lock.sqlite").write_bytes(b"")
    with open_collection(tmp_path / "data", "streetview", {}, size=48):
        pass


def test_a_file_is_no_data_set(tmp_path: Path):
    (tmp_path / "data").write_text("")
    with (
        pytest.raises(UsageError, match="is a file: give the folder of a data set"),
        open_collection(tmp_path / "data", "streetview", {}, size=48),
    ):
        pass
