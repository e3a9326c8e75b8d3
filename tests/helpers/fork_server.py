"""Runs `python -m lostfound` as a process of its own, without loading the libraries anew each time.

A server process loads libraries and what most commands load of lostfound, and then does nothing but fork. The
process that is forked for a command takes up the command's arguments, environment, folder, outputs and
session, and does what `python -m lostfound` does: it loads the rest, runs it, and ends. The server tells how
each ended, so that several may run at once. All processes of the tests share a server, by the address of a
socket; it ends with the last of them. A test needs a cold start (`cold=True`) if it is about what differs:
what is loaded, when, and how long that takes; the seed of Python's hashes; and how modules are taken apart at
the end.
"""

from __future__ import annotations

import atexit
import faulthandler
import gc
import importlib
import json
import os
import re
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, NoReturn

import warm_spawn
from exporter import quicken, read_functions
from filelock import FileLock, Timeout

# What most commands load, but prometheus_client, which reads where several processes count together.
LIBRARIES = (
    *("numpy", "pandas", "scipy.fft", "scipy.ndimage", "scipy.optimize", "scipy.sparse.csgraph"),
    *("scipy.spatial", "shapely", "pyarrow.compute", "pyarrow.csv", "pyarrow.dataset", "pyarrow.parquet"),
    *("pyarrow.pandas_compat", "matplotlib.backends.backend_agg", "matplotlib.figure", "PIL.ImageOps"),
    *("PIL.JpegImagePlugin", "PIL.PngImagePlugin", "pydantic.main", "pydantic.type_adapter", "typer", "yaml"),
    *("filelock", "fsspec", "rapidfuzz.fuzz", "rapidfuzz.process", "rich.console", "rich.table"),
    *("playwright.async_api", "rich.progress", "asyncio", "concurrent.futures.process"),
    "multiprocessing.popen_spawn_posix",
    # What those load only when something of them is asked for.
    *("annotated_types", "pydantic.fields", "pydantic.types", "pydantic._internal._validators"),
    *("pydantic.plugin._loader", "typer._adapters", "typer._click.decorators", "pyarrow.acero"),
    *("PIL.BmpImagePlugin", "PIL.GifImagePlugin", "PIL.PpmImagePlugin", "PIL.ImageDraw", "PIL._imagingft"),
    *("PIL.ImageFont", "PIL.ImageText", "importlib.resources.readers", "xml.etree.ElementTree"),
    *("xml.sax.saxutils", "sqlite3", "email.parser", "tomllib", "urllib.request"),
    *("fastapi", "fastapi.openapi.models", "segno", "uvicorn"),
)
# ONNX Runtime starts a thread at once, which waits for what no command asks for: a fork loses nothing by it.
ENGINE = "onnxruntime"
# Of lostfound what most commands load.
OWN = (
    ENGINE,
    *("lostfound.cli.output.data", "lostfound.cli.output.models", "lostfound.data.importers.importing"),
    *("lostfound.data.preparing.prepare", "lostfound.data.sharing.remote", "lostfound.data.stats"),
    *("lostfound.evaluation.confusion_plot", "lostfound.evaluation.report.neighbourhoods"),
    *("lostfound.pages.charts", "lostfound.pages.thumbnails", "lostfound.partitions.registry"),
    *("lostfound.predict.answerer", "lostfound.predict.outliers", "lostfound.predict.views"),
    *("lostfound.data.cache", "lostfound.evaluation.report.page", "lostfound.predict.calibrate"),
    *("lostfound.predict.gallery", "lostfound.predict.model_source", "lostfound.training.clearing"),
    *("lostfound.training.images", "lostfound.training.recipe", "lostfound.world"),
)
# What training adds, at the end of lostfound's own.
TRAINING = (
    *("torch", "torch.utils.data", "torch.utils.tensorboard", "torchvision.transforms.v2", "timm"),
    *("lightning", "lightning.pytorch.loggers", "tensorboard.plugins.hparams.api_pb2", "safetensors.torch"),
    *("onnx", "onnxscript", "onnxscript.function_libs.torch_lib.ops", "multiprocessing.popen_forkserver"),
    *("torch.onnx._internal.exporter._core", "torch.onnx._internal.exporter._torchlib.ops"),
    *("torch._inductor.fx_passes.reinplace", "torch.export._trace", "networkx", "sympy.tensor.tensor"),
    *("scipy.cluster.hierarchy", "optuna", "optuna.samplers._tpe.sampler", "sqlalchemy.dialects.sqlite"),
    *("sqlalchemy.orm", "optuna.storages._rdb.models", "alembic.command", "alembic.op"),
    *("lostfound.models.every_country", "lostfound.models.shrinking", "lostfound.training.batches"),
    *("lostfound.training.optim", "lostfound.training.train", "tensorboard.plugins.hparams.metadata"),
    *("torch.utils.serialization.config", "fsspec.implementations.chained"),
)
# How the names of variables begin that Python and its libraries read when they start.
READ_AT_START = (
    *("ARROW_", "CUDA_", "HOME", "KMP_", "LANG", "LC_", "LD_", "MALLOC_", "MKL_", "MPL", "OMP_", "OPENBLAS_"),
    *("PATH", "PYTHON", "TORCH_", "XDG_CONFIG_HOME"),
)
# Signals that a process may be started with ignored, and what Python does with them else.
IGNORABLE = (signal.SIGINT, signal.SIGTERM)
DEFAULT = {signal.SIGINT: signal.default_int_handler}


def at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that matter when a process starts, but the one that is seen to later."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(READ_AT_START) and name != "PYTHONFAULTHANDLER"
    }


class Started:
    """A command that was started: what tests use of `subprocess.Popen`, with its outputs as text."""

    def __init__(
        self, arguments: Sequence[str], status: int, outputs: tuple[int | None, int | None], pid: int
    ) -> None:
        self.args = list(arguments)
        self.pid = pid
        self.returncode: int | None = None
        self._status = status
        self._said = ["", ""]
        self._readers: list[threading.Thread] | None = None
        self.stdin = None
        self.stdout, self.stderr = (
            None if output is None else os.fdopen(output, encoding="utf-8") for output in outputs
        )

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended, for its exit code."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
            status = os.read(self._status, 4)
            os.close(self._status)
            self.returncode = os.waitstatus_to_exitcode(int.from_bytes(status))
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it says until all writers have closed its outputs, and it has ended."""
        deadline = None if timeout is None else time.monotonic() + timeout
        if self._readers is None:
            self._readers = [
                threading.Thread(target=self._read, args=(number, stream), daemon=True)
                for number, stream in enumerate((self.stdout, self.stderr))
                if stream is not None and not stream.closed
            ]
            for reader in self._readers:
                reader.start()
        for reader in self._readers:
            reader.join(left(deadline))
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.wait(left(deadline))
        return self._said[0], self._said[1]

    def _read(self, number: int, stream: IO[str]) -> None:
        with stream:
            self._said[number] = stream.read()

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def __del__(self) -> None:
        """Close outputs that nobody read: of a command that a test killed."""
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()


def left(deadline: float | None) -> float | None:
    """The seconds until then."""
    return None if deadline is None else max(deadline - time.monotonic(), 0)


class ForkServer:
    """The server, as its client sees it; started by the first client of its address."""

    def __init__(self, libraries: Sequence[str], environment: Mapping[str, str], address: Path) -> None:
        self._own = at_start(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._connection = socket.socket(socket.AF_UNIX)
        with lock_of(address):
            try:
                self._connection.connect(str(address))
            except (ConnectionRefusedError, FileNotFoundError):  # none, or killed
                address.unlink(missing_ok=True)
                self._process = self._started(libraries, environment, address)
                self._connection.connect(str(address))

    def _started(
        self, libraries: Sequence[str], environment: Mapping[str, str], address: Path
    ) -> subprocess.Popen[bytes]:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(address))
            listener.listen()
            return subprocess.Popen(
                [sys.executable, __file__, str(listener.fileno()), str(address), *libraries],
                env=dict(environment),
                pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,  # pipes, as the children's will be: Python asks once
                stderr=subprocess.PIPE,
            )

    def fits(self, environment: Mapping[str, str]) -> bool:
        """Whether a process with this environment would have started as the server has."""
        return at_start(environment) == self._own

    def start(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path | str | None,
        env: Mapping[str, str],
        script: Path | str | None = None,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        start_new_session: bool = False,
    ) -> Started:
        """Start a command, or a script, as `subprocess.Popen` does."""
        with ExitStack() as theirs:
            ends = [output_ends(output, theirs) for output in (stdout, stderr, subprocess.PIPE)]
            request = {
                "arguments": list(arguments),
                "script": None if script is None else str(script),
                "folder": str(cwd or Path.cwd()),
                "environment": dict(env),
                "session": start_new_session,
                "ignored": [each for each in IGNORABLE if signal.getsignal(each) is signal.SIG_IGN],
            }
            message = json.dumps(request).encode()
            with suppress(ConnectionError):  # then it has ended, as is found out below
                socket.send_fds(self._connection, [len(message).to_bytes(4)], [its for _, its in ends])
                self._connection.sendall(message)
        (out, _), (err, _), (status, _) = ends
        assert status is not None
        pid = os.read(status, 4)
        if not pid:
            said = "another process has seen it" if self._process is None else self._said()
            raise RuntimeError(f"the server that starts the commands has ended: {said}")
        return Started(arguments, status, (out, err), int.from_bytes(pid))

    def run(
        self, arguments: Sequence[str], *, cwd: Path | None, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, as `subprocess.run` does with `capture_output`.

        Raises:
            subprocess.TimeoutExpired: It took too long, and was killed.
        """
        started = self.start(arguments, cwd=cwd, env=env)
        try:
            out, err = started.communicate(timeout)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()
            raise
        return subprocess.CompletedProcess(started.args, started.wait(), out, err)

    def leave(self) -> None:
        """Ask for nothing more: the server ends when all have left it."""
        self._connection.close()

    def close(self) -> None:
        """Leave the server; who started it waits for its end, so leave all servers first."""
        self.leave()
        if self._process is not None:
            self._said()

    def _said(self) -> str:
        assert self._process is not None
        return self._process.communicate()[1].decode()


def lock_of(address: Path) -> FileLock:
    """Who holds it comes to a server, or the server ends."""
    return FileLock(f"{address}.lock")


def output_ends(output: int, theirs: ExitStack) -> tuple[int | None, int]:
    """Our end of an output, if we read it, and that of the process, which is closed with `theirs`."""
    if output == subprocess.PIPE:
        ours, its = os.pipe()
    elif output == subprocess.DEVNULL:
        ours, its = None, os.open(os.devnull, os.O_WRONLY)
    else:
        ours, its = None, os.dup(output)
    theirs.callback(os.close, its)
    return ours, its


def receive(connection: socket.socket, size: int) -> bytes:
    """That many bytes, or fewer if the other end has closed."""
    data = b""
    with suppress(ConnectionResetError):
        while len(data) < size and (more := connection.recv(size - len(data))):
            data += more
    return data


def serve(listener: socket.socket, address: Path) -> dict[str, Any] | None:
    """Fork for each request. Returns the request in the process for it, and None in the server at the end."""
    clients: list[socket.socket] = []
    running: dict[int, int] = {}  # processes, and where their ends are told
    ended, wakes = os.pipe()
    for each in (ended, wakes):
        os.set_blocking(each, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    while True:
        ready = select.select([listener, ended, *clients], [], [])[0]
        if ended in ready:
            os.read(ended, 4096)
            tell(running)
        elif listener in ready:
            clients.append(listener.accept()[0])
        else:
            head, outputs, *_ = socket.recv_fds(ready[0], 4, 3)
            if not head:
                clients.remove(ready[0])
                ready[0].close()
                if not clients and ends(listener, address):
                    return None
                continue
            request: dict[str, Any] = json.loads(receive(ready[0], int.from_bytes(head)))
            pid = start(outputs, request)
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for each in (listener, *clients):
                    each.close()
                for each in (ended, wakes, *running.values()):
                    os.close(each)
                return request
            running[pid] = outputs[2]


def tell(running: dict[int, int]) -> None:
    """Say of each process that has ended how it did."""
    with suppress(ChildProcessError):  # none is left
        while running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            told = running.pop(pid)
            with suppress(BrokenPipeError):
                os.write(told, status.to_bytes(4))
            os.close(told)


def ends(listener: socket.socket, address: Path) -> bool:
    """End the server, unless another client is coming to it."""
    try:
        with lock_of(address).acquire(timeout=0):
            if select.select([listener], [], [], 0)[0]:
                return False
            address.unlink(missing_ok=True)
            return True
    except Timeout:
        return False


def start(outputs: Sequence[int], request: dict[str, Any]) -> int:
    """Fork the process that is asked for, and tell which it is. Returns its number, and 0 in that process."""
    *both, status = outputs
    ready, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        if request["session"]:
            os.setsid()
        for number in IGNORABLE:
            ignored = number in request["ignored"]
            signal.signal(number, signal.SIG_IGN if ignored else DEFAULT.get(number, signal.SIG_DFL))
        for number, descriptor in enumerate(both, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        for descriptor in (status, ready, go):
            os.close(descriptor)
        return 0
    for descriptor in (*both, go):
        os.close(descriptor)
    os.read(ready, 1)  # it is in its session now, and takes signals as it will
    os.close(ready)
    with suppress(BrokenPipeError):
        os.write(status, pid.to_bytes(4))
    return pid


def become(request: dict[str, Any]) -> None:
    """Go on as `python -m lostfound`, or as a script, in the folder and environment that were asked for."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if "PYTHONFAULTHANDLER" in os.environ:
        faulthandler.enable()
    script = request["script"]
    if spawns(request["arguments"], script):
        asked = warm_spawn.offer(at_start)
        if asked is not None:
            ended_by(lambda: warm_spawn.become(asked))
    sys.path[0] = request["folder"] if script is None else str(Path(script).parent)
    sys.argv = [script or "lostfound", *request["arguments"]]
    if script is None:
        ended_by(lambda: runpy.run_module("lostfound", run_name="__main__", alter_sys=True))
    ended_by(lambda: runpy.run_path(script, run_name="__main__"))


def spawns(arguments: Sequence[str], script: str | None) -> bool:
    """Whether a command may start processes of its own: it is no matter if not, but for a moment's work."""
    if script is not None or any(re.search(r"(workers|devices|nodes)\W+[1-9]", word) for word in arguments):
        return True
    jobs = [after for word, after in pairwise(arguments) if word == "--jobs"]
    return arguments[:1] in (["import"], ["prepare"], ["demo"]) and jobs != ["1"]


def ended_by(run: Callable[[], object]) -> NoReturn:
    """Do what this process is for, and end."""
    try:
        run()
    except SystemExit as leaving:
        if not isinstance(leaving.code, int | None):
            raise
        leave(leaving.code or 0)
    leave(0)


def leave(code: int) -> NoReturn:
    """End as Python ends, but for taking its modules apart: that copies what is shared, for seconds."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def load(libraries: Sequence[str], graphs: Path) -> None:
    """Import libraries as the command line would, with no thread started: a fork would lose it.

    Those of training keep the `graphs` that they translate.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    waiting: set[str] = set()
    for name in libraries:
        before = threads().keys()
        with suppress(ImportError):  # in another version of it: the commands load what they need themselves
            importlib.import_module(name)
        if name == ENGINE:
            waiting = threads().keys() - before
    if "lostfound.data.importers.importing" in libraries:
        from lostfound.geo.boundaries import Boundaries
        from lostfound.geo.regions import nearest_places

        Boundaries.packed().country_at([(48.0, 2.0), (0.0, 0.0)])  # on land and at sea: all that this needs
        nearest_places([(48.0, 2.0)])
    if "torch" in libraries:
        from lostfound.training import provenance

        provenance._packages()
        quicken(graphs)
        read_functions()
    others = {name for each, name in threads().items() if each not in waiting}
    if others := others - {"jemalloc_bg_thd"}:  # jemalloc starts its own again
        raise RuntimeError(f"the imports have started threads, which a fork would lose: {others}")
    gc.collect()
    gc.freeze()  # or the children's collections would copy all that they share


def threads() -> dict[str, str]:
    """The names of this process's threads but the first, by their numbers, where the system tells them."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return {}
    return {
        task.name: (task / "comm").read_text().strip()
        for task in tasks.iterdir()
        if task.name != str(os.getpid())
    }


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as _listener:
        load(sys.argv[3:], Path(sys.argv[2]).with_name("graphs"))
        _request = serve(_listener, Path(sys.argv[2]))
    if _request is not None:
        become(_request)
