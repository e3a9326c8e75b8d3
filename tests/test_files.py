"""Files that are written whole or not at all, also where several write the same one."""

import errno
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lostfound.files import (
    cache_folder,
    digest,
    file_digest,
    remove_partials,
    write_atomic,
    write_json,
    write_output,
    writing_atomically,
)

# Writes a file again and again, each time all of one letter, until its input ends.
WRITER = """
import sys, threading
from pathlib import Path
from lostfound.files import write_atomic
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
print("ready", flush=True)
while not ended.is_set():
    write_atomic(Path(sys.argv[1]), sys.argv[2].encode() * 300_000)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_is_made_and_nothing_else_is_left(tmp_path):
    write_atomic(tmp_path / "new" / "deep" / "file", b"text")

    assert (tmp_path / "new" / "deep" / "file").read_bytes() == b"text"
    assert names(tmp_path / "new" / "deep") == ["file"]


def test_json_is_for_people_and_ends_with_a_line(tmp_path):
    write_json(tmp_path / "a.json", {"name": "Ærø", "numbers": [1, 2.5]})

    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text.startswith('{\n  "name": "Ærø",')
    assert text.endswith("}\n")
    assert json.loads(text) == {"name": "Ærø", "numbers": [1, 2.5]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "file").write_bytes(b"abc" * 100_000)

    assert file_digest(tmp_path / "file") == digest(b"abc" * 100_000)
    assert digest(b"abc").startswith("ba7816bf")


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_leaves_the_file_as_it_was(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def stopped():
        with writing_atomically(path) as partial:
            partial.write_bytes(b"half of what")
            assert names(tmp_path) == [partial.name, "file"]
            assert partial.match(".file.*.partial")
            raise error

    with pytest.raises(error):
        stopped()
    assert path.read_bytes() == b"before"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("name", ["a" * 255, "Ærø" * 51])
def test_a_name_may_be_as_long_as_the_system_lets_it(tmp_path, name):
    write_atomic(tmp_path / name, b"text")

    assert names(tmp_path) == [name]


def test_an_error_before_anything_is_written_is_the_one_that_is_raised(tmp_path):
    with pytest.raises(IsADirectoryError):
        write_atomic(tmp_path.parent / tmp_path.name, b"text")
    with pytest.raises(OSError, match="too long"):
        write_atomic(tmp_path / ("a" * 256), b"text")
    assert names(tmp_path) == []


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), writing_atomically(tmp_path / "file"):
        pass
    assert names(tmp_path) == []


@settings(max_examples=20, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=3), min_size=2, max_size=6, unique=True))
def test_threads_that_write_one_file_at_once_never_mix(tmp_path_factory, contents):
    path = tmp_path_factory.mktemp("threads") / "file"
    whole = [content * 40_000 for content in contents]
    write_atomic(path, whole[0])
    threads = [threading.Thread(target=write_atomic, args=(path, data)) for data in whole]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert path.read_bytes() in whole
    for thread in threads:
        thread.join()

    assert path.read_bytes() in whole
    assert names(path.parent) == ["file"]


@pytest.fixture
def writers(tmp_path):
    """Processes that write one file all the time."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "file")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    started = [subprocess.Popen([*command, letter], **pipes) for letter in "ab"]
    for process in started:
        assert process.stdout.readline() == b"ready\n"
    yield started
    for process in started:
        process.kill()
        process.communicate()


def read_often(path: Path, times: int) -> None:
    whole = {letter * 300_000 for letter in (b"a", b"b")}
    deadline = time.monotonic() + 300
    while not path.exists():
        assert time.monotonic() < deadline
    for _ in range(times):
        assert path.read_bytes() in whole


def test_processes_that_write_one_file_at_once_never_mix(tmp_path, writers):
    read_often(tmp_path / "file", 300)
    for process in writers:
        process.communicate(timeout=300)
        assert process.returncode == 0

    assert names(tmp_path) == ["file"]


def test_what_a_killed_process_leaves_does_not_harm(tmp_path, writers):
    read_often(tmp_path / "file", 20)
    os.kill(writers[0].pid, signal.SIGKILL)
    writers[0].wait()
    read_often(tmp_path / "file", 20)
    writers[1].communicate(timeout=300)
    assert writers[1].returncode == 0

    write_atomic(tmp_path / "file", b"after")

    assert (tmp_path / "file").read_bytes() == b"after"
    assert [name for name in names(tmp_path) if not name.endswith(".partial")] == ["file"]
    remove_partials(tmp_path)
    assert names(tmp_path) == ["file"]


def test_files_of_others_that_look_partial_stay(tmp_path):
    others = (".mine.partial", ".import.partial", "x.1-00000000.partial", ".notes.12-abc.partial")
    for name in others:
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / ".file.12-0123abcd.partial").write_bytes(b"ours")

    remove_partials(tmp_path)
    remove_partials(tmp_path / "missing")

    assert names(tmp_path) == sorted(others)


@pytest.mark.parametrize("length", [240, 255, 256, 300])
def test_a_name_of_any_length_is_written_or_named(tmp_path, length):
    path = tmp_path / ("x" * length)
    if length <= 255:
        write_atomic(path, b"whole")
        assert path.read_bytes() == b"whole"
        return

    with pytest.raises(OSError, match="too long") as caught:
        write_atomic(path, b"whole")

    assert (caught.value.filename, caught.value.filename2) == (str(path), None)
    assert names(tmp_path) == []


def test_a_file_that_has_no_room_is_named_and_nothing_of_it_stays(tmp_path):
    path = tmp_path / "o.csv"
    with pytest.raises(OSError, match="File too large") as caught, most_bytes_of_a_file(1000):
        write_atomic(path, bytes(10_000))
    assert caught.value.filename == str(path)

    with pytest.raises(OSError, match="No space left") as caught, writing_atomically(path) as partial:
        fill_the_disk(partial)
    assert caught.value.filename == str(path)

    assert names(tmp_path) == []


def test_an_error_about_another_file_stays_as_it_is(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, writing_atomically(tmp_path / "file"):
        (tmp_path / "source").read_bytes()

    assert caught.value.filename == str(tmp_path / "source")
    assert names(tmp_path) == []


def fill_the_disk(partial):
    partial.write_bytes(b"half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def most_bytes_of_a_file(limit):
    """The system refuses to write more, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# --- what can't be replaced, or must not be

OUTPUT = r"""
import sys
from pathlib import Path
from lostfound.files import write_output
print("before")
write_output(Path(sys.argv[1]), b"data\n")
print("after")
"""


@given(links=st.integers(1, 4), relative=st.booleans(), exists=st.booleans(), data=st.binary(max_size=9))
@settings(max_examples=25, deadline=None)
def test_links_stay_and_their_target_is_written(tmp_path_factory, links, relative, exists, data):
    folder = tmp_path_factory.mktemp("links")
    target = folder / "elsewhere" / "file"
    target.parent.mkdir()
    if exists:
        target.write_bytes(b"before")
    path = target
    for number in range(links):
        link = folder / f"link{number}"
        link.symlink_to(os.path.relpath(path, folder) if relative else path)
        path = link

    write_output(path, data)

    assert target.read_bytes() == data
    assert not target.is_symlink()
    assert all((folder / f"link{number}").is_symlink() for number in range(links))
    assert names(target.parent) == ["file"]
    assert len(names(folder)) == links + 1


def test_a_link_to_itself_is_an_error_and_stays(tmp_path):
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(OSError, match="loop"):
        write_output(tmp_path / "loop", b"data")
    assert (tmp_path / "loop").is_symlink()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o755])
def test_a_file_keeps_its_permissions(tmp_path, mode):
    (tmp_path / "file").write_bytes(b"before")
    (tmp_path / "file").chmod(mode)

    write_output(tmp_path / "file", b"after")

    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_a_device_is_written_and_not_replaced(tmp_path):
    (tmp_path / "link").symlink_to("/dev/null")

    write_output(tmp_path / "link", b"data")

    assert (tmp_path / "link").is_symlink()
    assert Path("/dev/null").is_char_device()


def test_a_pipe_gets_the_bytes(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()

    write_output(tmp_path / "pipe", b"data" * 50_000)
    reader.join(300)

    assert got == [b"data" * 50_000]
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("kind", ["pipe", "file", "appended"])
def test_standard_output_goes_on_where_it_was(tmp_path, name, kind):
    if name.startswith("/") and not os.path.exists(name):  # noqa: PTH110  # a link that leads nowhere
        pytest.skip(f"this system has no {name}")
    command = [sys.executable, "-c", OUTPUT, name]
    if kind == "pipe":
        done = subprocess.run(command, capture_output=True, check=True, cwd=tmp_path).stdout
    else:
        with (tmp_path / "output").open("ab" if kind == "appended" else "wb") as file:
            file.write(b"first\n")
            file.flush()
            subprocess.run(command, stdout=file, check=True, cwd=tmp_path)
        done = (tmp_path / "output").read_bytes().removeprefix(b"first\n")
        assert names(tmp_path) == ["output"]

    assert done == b"before\ndata\nafter\n"


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("LOSTFOUND_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("LOSTFOUND_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "lostfound"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder().name == "lostfound"
    assert cache_folder().is_relative_to(Path.home())
