"""Data sets that another process writes, and disks that become full."""

import errno
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import fork_server
import pytest

from lostfound.data.dataset import Dataset
from lostfound.data.importers.importing import import_images
from lostfound.data.preparing.prepare import prepare
from lostfound.data.writing import writing
from lostfound.errors import DatasetError, DiskFullError

HOLD = """
import sys
from pathlib import Path
from lostfound.data.writing import writing
with writing(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold():
    """Hold a folder for writing in a process of its own."""
    started = []

    def start(folder):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_an_import_into_a_data_set_that_is_being_written_is_refused(hold, world, dataset_folder, tmp_path):
    to = shutil.copytree(dataset_folder, tmp_path / "data")
    before = contents(to)
    hold(to)
    with pytest.raises(DatasetError, match=f"{to} is being written by another process: wait"):
        import_images([world], to, size=64, jobs=1)
    assert contents(to) == {**before, ".lock": b""}


def test_a_preparation_into_a_data_set_that_is_being_written_is_refused(hold, dataset_folder, tmp_path):
    hold(tmp_path / "new")
    with pytest.raises(DatasetError, match="is being written by another process"):
        prepare(Dataset.open(dataset_folder), tmp_path / "new", jobs=1)


def test_reading_goes_on_meanwhile(hold, dataset_folder, tmp_path):
    to = shutil.copytree(dataset_folder, tmp_path / "data")
    hold(to)
    assert len(Dataset.open(to)) == 96


def test_the_lock_of_a_killed_process_is_taken_over(hold, world, dataset_folder, tmp_path):
    to = tmp_path / "data"
    process = hold(to)
    process.kill()
    process.wait()
    assert (to / ".lock").exists()

    import_images([world], to, size=64, jobs=1)

    assert len(Dataset.open(to)) == 96
    assert not (to / ".lock").exists()


def test_nothing_is_left_of_a_folder_that_was_not_written_to(tmp_path):
    with writing(tmp_path / "data"), writing(tmp_path / "data"):
        assert (tmp_path / "data").is_dir()
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_says_where_and_what_to_do(tmp_path, number):
    said = f"no space is left on the disk of {tmp_path}: free some and run the same command again"
    with pytest.raises(DiskFullError, match=said), writing(tmp_path):
        raise OSError(number, os.strerror(number))


def test_other_errors_of_the_system_stay_what_they_are(tmp_path):
    with pytest.raises(PermissionError), writing(tmp_path):
        raise PermissionError(errno.EACCES, "no")


def small_disk(script, folder, *arguments):
    """Run a shell script where a folder is a disk of 2.5 MB."""
    command = f'mount -t tmpfs -o size=2500k none "$0" && {{ {script}; }}'
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", command, str(folder), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


# The commands are forked inside: processes from outside don't see that disk.
FULL = """
import os
import sys
from contextlib import suppress
from pathlib import Path
helpers, disk, world, more = sys.argv[1:]
sys.path.insert(0, helpers)
from fork_server import LIBRARIES, ForkServer
server = ForkServer(LIBRARIES, os.environ, Path(more).with_name("forks"))
def run(*arguments, shown=False):
    done = server.run(arguments, cwd=None, env=os.environ, timeout=300)
    sys.stderr.write(done.stderr)
    sys.stdout.write(done.stdout if shown else f"rc {done.returncode}\\n")
def write(command, source, to, *options):
    run(command, source, "--to", f"{disk}/{to}", *options, "--jobs", "2")
write("import", world, "data", "--size", "64")
with suppress(OSError), open(f"{disk}/fill", "wb", buffering=0) as fill:
    while True:
        fill.write(bytes(4096))
write("import", more, "data", "--size", "64")
write("prepare", f"{disk}/data", "small", "--size", "32")
print(*Path(disk).rglob("dataset.json"), sep="\\n", flush=True)
run("stats", f"{disk}/data", "--json", shown=True)
os.unlink(f"{disk}/fill")
write("import", more, "data", "--size", "64")
write("prepare", f"{disk}/data", "small", "--size", "32")
run("stats", f"{disk}/small", "--json", shown=True)
server.close()
"""


@pytest.mark.slow
def test_a_full_disk_leaves_the_data_set_as_it_was_and_the_command_goes_on(world, tmp_path, write_picture):
    for number in range(150):
        write_picture(tmp_path / "more" / "Japan" / f"{number}.jpg", number, 90, 80)
    (tmp_path / "disk").mkdir()
    if small_disk("true", tmp_path / "disk").returncode:
        pytest.skip("needs `unshare -rm` and a tmpfs of its own: not allowed on this machine")

    helpers = Path(fork_server.__file__).parent
    script = f'exec {shlex.quote(sys.executable)} -c {shlex.quote(FULL)} "$1" "$0" "$2" "$3"'
    done = small_disk(script, tmp_path / "disk", helpers, world, tmp_path / "more")

    lines = done.stdout.splitlines()
    codes = [line for line in lines if line.startswith("rc")]
    assert codes == ["rc 0", "rc 1", "rc 1", "rc 0", "rc 0"], done.stderr
    assert done.stderr.count("lostfound: no space is left on the disk of") == 2
    assert [line for line in lines if line.endswith("dataset.json")] == [f"{tmp_path}/disk/data/dataset.json"]
    assert "Traceback" not in done.stderr
    texts = "\n".join(line for line in lines if not line.startswith("rc") and "dataset.json" not in line)
    before, after = texts.split("}\n{")
    assert json.loads(before + "}")["images"] == 96
    assert json.loads("{" + after)["images"] == 96 + 150
