"""Runs `python -m lostfound` as a process of its own, without loading the libraries anew each time.

A server process loads libraries, nothing of lostfound, and then does nothing but fork. The child that it
forks for a command takes up the command's arguments, environment, folder and outputs, and does what
`python -m lostfound` does: it loads lostfound, runs it, and ends. A test needs a cold start (`cold=True`) if
it is about what differs: what is loaded, when, and how long that takes; the seed of Python's hashes; and how
modules are taken apart at the end.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

# What most commands load, but ONNX Runtime, which starts a thread at once.
LIBRARIES = (
    *("numpy", "pandas", "scipy.fft", "scipy.ndimage", "scipy.optimize", "scipy.sparse.csgraph"),
    *("scipy.spatial", "shapely", "pyarrow.compute", "pyarrow.csv", "pyarrow.dataset", "pyarrow.parquet"),
    *("pyarrow.pandas_compat", "matplotlib.backends.backend_agg", "matplotlib.figure", "PIL.ImageOps"),
    *("PIL.JpegImagePlugin", "PIL.PngImagePlugin", "pydantic.main", "pydantic.type_adapter", "typer", "yaml"),
    *("filelock", "fsspec", "pycountry", "rapidfuzz.fuzz", "rapidfuzz.process", "rich.console", "rich.table"),
    *("rich.progress", "asyncio", "concurrent.futures.process", "multiprocessing.popen_spawn_posix"),
)
# What training adds.
TRAINING = (
    *("torch", "torch.utils.data", "torch.utils.tensorboard", "torchvision.transforms.v2", "timm"),
    *("lightning", "lightning.pytorch.loggers", "tensorboard.plugins.hparams.api_pb2", "safetensors.torch"),
    *("onnx", "onnxscript", "onnxscript.function_libs.torch_lib.ops", "multiprocessing.popen_forkserver"),
    *("torch.onnx._internal.exporter._core", "torch.onnx._internal.exporter._torchlib.ops"),
)
# How the names of variables begin that Python and its libraries read when they start.
READ_AT_START = (
    *("ARROW_", "CUDA_", "HOME", "KMP_", "LANG", "LC_", "LD_", "MALLOC_", "MKL_", "MPL", "OMP_", "OPENBLAS_"),
    *("PATH", "PYTHON", "TORCH_", "XDG_CONFIG_HOME"),
)


def at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that matter when a process starts."""
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}


class ForkServer:
    """The server, as its client sees it; one command at a time."""

    def __init__(self, libraries: Sequence[str], environment: Mapping[str, str]) -> None:
        self._own = at_start(environment)
        self._connection, other = socket.socketpair()
        with other:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(other.fileno()), *libraries],
                env=dict(environment),
                pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,  # pipes, as the children's will be: Python asks once
                stderr=subprocess.PIPE,
            )

    def fits(self, environment: Mapping[str, str]) -> bool:
        """Whether a process with this environment would have started as the server has."""
        return at_start(environment) == self._own

    def run(
        self, arguments: Sequence[str], *, cwd: Path | None, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, as `subprocess.run` does with `capture_output`.

        Raises:
            subprocess.TimeoutExpired: It took too long, and was killed.
        """
        deadline = time.monotonic() + timeout
        outputs, theirs = zip(os.pipe(), os.pipe(), strict=True)
        try:
            request = {
                "arguments": list(arguments),
                "folder": str(cwd or Path.cwd()),
                "environment": dict(env),
            }
            message = json.dumps(request).encode()
            socket.send_fds(self._connection, [len(message).to_bytes(4)], theirs)
            self._connection.sendall(message)
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        pid = int.from_bytes(self._receive(4))
        out, err = read_all(outputs, deadline)
        if out is None or err is None:
            os.kill(pid, signal.SIGKILL)
        status = int.from_bytes(self._receive(4))
        if out is None or err is None:
            raise subprocess.TimeoutExpired(list(arguments), timeout)
        return subprocess.CompletedProcess(
            list(arguments), os.waitstatus_to_exitcode(status), text(out), text(err)
        )

    def _receive(self, size: int) -> bytes:
        received = receive(self._connection, size)
        if len(received) < size:
            said = self._process.communicate()[1].decode()
            raise RuntimeError(f"the server that starts the commands has ended: {said}")
        return received

    def close(self) -> None:
        """End the server."""
        self._connection.close()
        self._process.communicate()


def read_all(descriptors: Sequence[int], deadline: float) -> list[bytes | None]:
    """What comes out of pipes until all writers have closed them; None if that is too late. Closes them."""
    found: dict[int, bytearray] = {descriptor: bytearray() for descriptor in descriptors}
    with selectors.DefaultSelector() as selector:
        for descriptor in descriptors:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                if data := os.read(key.fd, 1 << 16):
                    found[key.fd] += data
                else:
                    selector.unregister(key.fd)
        late = bool(selector.get_map())
    for descriptor in descriptors:
        os.close(descriptor)
    return [None if late else bytes(data) for data in found.values()]


def text(data: bytes) -> str:
    """Text as `subprocess.run` gives it."""
    return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")


def receive(connection: socket.socket, size: int) -> bytes:
    """That many bytes, or fewer if the other end has closed."""
    data = b""
    with suppress(ConnectionResetError):
        while len(data) < size and (more := connection.recv(size - len(data))):
            data += more
    return data


def serve(connection: socket.socket) -> dict[str, Any] | None:
    """Fork a child for each request. Returns the request in the child, and None in the server at the end."""
    while True:
        head, outputs, *_ = socket.recv_fds(connection, 4, 2)
        if not head:
            return None
        request: dict[str, Any] = json.loads(receive(connection, int.from_bytes(head)))
        pid = os.fork()
        if pid == 0:
            connection.close()
            for number, descriptor in enumerate(outputs, start=1):
                os.dup2(descriptor, number)
                os.close(descriptor)
            return request
        for descriptor in outputs:
            os.close(descriptor)
        connection.sendall(pid.to_bytes(4))
        connection.sendall(os.waitpid(pid, 0)[1].to_bytes(4))


def become(request: dict[str, Any]) -> None:
    """Go on as `python -m lostfound` in the folder and environment that were asked for."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[0] = request["folder"]
    sys.argv = ["lostfound", *request["arguments"]]
    try:
        runpy.run_module("lostfound", run_name="__main__", alter_sys=True)
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


def load(libraries: Sequence[str]) -> None:
    """Import libraries as the command line would, with no thread started: a fork would lose it."""
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    for name in libraries:
        with suppress(ImportError):  # in another version of it: the commands load what they need themselves
            importlib.import_module(name)
    if others := threads() - {"jemalloc_bg_thd"}:  # jemalloc starts its own again
        raise RuntimeError(f"the imports have started threads, which a fork would lose: {others}")
    gc.collect()
    gc.freeze()  # or the children's collections would copy all that they share


def threads() -> set[str]:
    """The names of this process's threads but the first, where the system tells them."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return set()
    return {(task / "comm").read_text().strip() for task in tasks.iterdir() if task.name != str(os.getpid())}


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as _connection:
        load(sys.argv[2:])
        _request = serve(_connection)
    if _request is not None:
        become(_request)
