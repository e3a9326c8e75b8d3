"""A command that is forked from loaded libraries, as the tests start most, is the one a person starts.

That a training is, too, `test_repeat` shows.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fork_server import ForkServer


def without_times(text: str) -> str:
    """What was said, without how long it took."""
    return re.sub(r"\d+\.\d s|\d+ s\b|in \d+:\d+", "TIME", text)


@pytest.mark.parametrize(
    "command",
    [
        ("--help",),
        ("stats", "gone"),
        ("stats", "DATA", "--json"),
        ("locate", "PHOTOS", "--model", "MODEL"),
        ("import", "WORLD", "--to", "new", "--jobs", "2"),  # its workers too are forked, where they can be
        ("evaluate", "MODEL", "DATA", "--to", "report"),
    ],
    ids=lambda command: " ".join(command)[:40],
)
@pytest.mark.slow
def test_both_end_and_say_the_same(
    lostfound, dataset_folder: Path, model_folder: Path, world: Path, tmp_path: Path, command: tuple[str, ...]
):
    paths = {"DATA": dataset_folder, "MODEL": model_folder, "PHOTOS": world / "images", "WORLD": world}
    done = {}
    for cold in (True, False):
        folder = tmp_path / str(cold)
        folder.mkdir()
        done[cold] = lostfound(*(paths.get(word, word) for word in command), cwd=folder, cold=cold)
    assert done[False].returncode == done[True].returncode
    assert without_times(done[False].stdout) == without_times(done[True].stdout)
    assert without_times(done[False].stderr) == without_times(done[True].stderr)
    files = {
        cold: sorted(path.relative_to(tmp_path / str(cold)) for path in (tmp_path / str(cold)).rglob("*.*"))
        for cold in (True, False)
    }
    assert files[False] == files[True]


@pytest.mark.slow
def test_debug_shows_the_same_traceback(lostfound, tmp_path: Path):
    """From `main` on: what comes before it is how it was started."""
    cold, warm = (
        lostfound("--debug", "stats", "gone", cwd=tmp_path, cold=cold).stderr.partition("in main\n")
        for cold in (True, False)
    )
    assert warm[2] == cold[2] != ""


@pytest.mark.slow
def test_variables_reach_the_command(lostfound):
    narrow, wide = (lostfound("--help", COLUMNS=columns).stdout for columns in ("40", "120"))
    assert len(narrow.splitlines()) > len(wide.splitlines())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    server = ForkServer(["json"], dict(os.environ), tmp_path_factory.mktemp("server") / "address")
    yield server
    server.close()


def write_package(folder: Path, code: str) -> None:
    """A package of the same name, which comes first where it lies in the working directory."""
    (folder / "lostfound").mkdir()
    (folder / "lostfound" / "__init__.py").touch()
    (folder / "lostfound" / "__main__.py").write_text(f"import os, signal, sys, time\n{code}\n")


WAITING = """
print("up", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
print("end")
"""


class TestForkServer:
    def test_a_variable_that_is_read_at_the_start_needs_another(self, server):
        assert server.fits({**os.environ, "COLUMNS": "40"})
        assert not server.fits({**os.environ, "PYTHONHASHSEED": "1"})
        assert not server.fits({**os.environ, "OMP_NUM_THREADS": "7"})

    def test_what_training_sets_in_this_process_needs_no_other(self, server, point_model_folder):
        assert server.fits(os.environ)

    def test_nothing_of_the_package_is_loaded_before(self, server, tmp_path):
        write_package(tmp_path, "sys.exit(7)")
        done = server.run([], cwd=tmp_path, env=dict(os.environ), timeout=300)
        assert done.returncode == 7

    @pytest.mark.parametrize(
        ("code", "returncode", "stdout", "stderr"),
        [
            ("print('out'); print('err', file=sys.stderr)", 0, "out\n", "err\n"),
            ("sys.exit('no')", 1, "", "no\n"),
            ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, "", ""),
            ("import atexit; atexit.register(print, 'at the end')", 0, "at the end\n", ""),
            (
                "print(sys.stdin.read(), sys.stdout.isatty(), os.getcwd() == sys.path[0])",
                0,
                " False True\n",
                "",
            ),
            ("print(sys.argv[0] == __file__, sys.argv[1:], __name__)", 0, "True ['a', 'é'] __main__\n", ""),
            ("print('x' * 300_000)", 0, "x" * 300_000 + "\n", ""),
        ],
    )
    def test_it_is_a_process_as_any(self, server, tmp_path, code, returncode, stdout, stderr):
        write_package(tmp_path, code)
        warm = server.run(["a", "é"], cwd=tmp_path, env=dict(os.environ), timeout=300)
        cold = subprocess.run(
            [sys.executable, "-m", "lostfound", "a", "é"],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        for done in (warm, cold):
            assert (done.returncode, done.stdout, done.stderr) == (returncode, stdout, stderr)

    def test_several_run_at_once_and_end_one_by_one(self, server, tmp_path):
        write_package(tmp_path, WAITING)
        one, two = (
            server.start([name], cwd=tmp_path, env=dict(os.environ), start_new_session=True)
            for name in ("one", "two")
        )
        for each in (one, two):
            assert each.stdout.readline() == "up\n"
            assert os.getsid(each.pid) == os.getpgid(each.pid) == each.pid
        (tmp_path / "two").touch()
        assert two.wait(60) == 0
        assert two.communicate(60) == ("end\n", "")
        assert one.poll() is None
        os.killpg(one.pid, signal.SIGKILL)
        assert one.communicate(60) == ("", "")
        assert one.returncode == -signal.SIGKILL

    @pytest.mark.parametrize("ignored", [False, True])
    def test_ctrl_c_stops_it_unless_it_is_ignored_here(self, server, tmp_path, ignored):
        write_package(tmp_path, WAITING)
        before = signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.default_int_handler)
        try:
            started = server.start(["go"], cwd=tmp_path, env=dict(os.environ), start_new_session=True)
        finally:
            signal.signal(signal.SIGINT, before)
        assert started.stdout.readline() == "up\n"
        started.send_signal(signal.SIGINT)
        if ignored:
            (tmp_path / "go").touch()
        out, err = started.communicate(60)
        assert (out, "KeyboardInterrupt" in err) == (("end\n", False) if ignored else ("", True))

    def test_a_script_is_run_as_one(self, server, tmp_path):
        (tmp_path / "beside.py").write_text("NUMBER = 7")
        script = tmp_path / "script.py"
        script.write_text("import sys, beside\nprint(__name__, sys.argv, __file__)\nsys.exit(beside.NUMBER)")
        nowhere = {"stderr": subprocess.DEVNULL}
        started = server.start(["a"], script=script, cwd=None, env=dict(os.environ), **nowhere)
        assert started.communicate(60) == (f"__main__ {[str(script), 'a']} {script}\n", "")
        assert started.returncode == 7

    @pytest.mark.slow
    def test_one_that_hangs_is_killed(self, server, tmp_path):
        write_package(tmp_path, "open('pid', 'w').write(str(os.getpid())); time.sleep(600)")
        with pytest.raises(subprocess.TimeoutExpired):
            server.run([], cwd=tmp_path, env=dict(os.environ), timeout=3)
        assert not Path("/proc", (tmp_path / "pid").read_text()).exists()

    def test_two_clients_that_each_started_one_of_two_servers_end(self, tmp_path):
        """As test processes do: neither waits for the other."""
        code = """
import os, sys, time
from pathlib import Path
from fork_server import ForkServer
first, second = (ForkServer(["json"], dict(os.environ), Path(each)) for each in sys.argv[1:3])
Path(sys.argv[3]).touch()
while len(list(Path(sys.argv[3]).parent.glob("up-*"))) < 2:
    time.sleep(0.01)
for each in (first, second):
    each.leave()
for each in (first, second):
    each.close()
"""
        helpers = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent / "helpers")}
        places = [str(tmp_path / name) for name in ("one", "two")]
        clients = [
            subprocess.Popen(
                [sys.executable, "-c", code, *order, str(tmp_path / f"up-{number}")], env=helpers
            )
            for number, order in enumerate((places, places[::-1]))
        ]
        assert [client.wait(timeout=300) for client in clients] == [0, 0]

    def test_a_library_that_starts_a_thread_is_refused(self, tmp_path: Path):
        """A fork would lose the thread."""
        (tmp_path / "threaded.py").write_text(
            "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
        )
        server = ForkServer(["threaded"], os.environ | {"PYTHONPATH": str(tmp_path)}, tmp_path / "address")
        with pytest.raises(RuntimeError, match="the imports have started threads"):
            server.run(["--version"], cwd=None, env=dict(os.environ), timeout=300)
        server.close()
