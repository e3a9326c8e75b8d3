"""Processes that a command spawns, forked from what it was itself before it loaded anything of its own.

`multiprocessing` starts a Python for each worker, which loads torch or pyarrow for seconds. A command that
was forked from loaded libraries (see `fork_server`) forks a twin of itself first, which then does nothing but
fork again for each worker that is asked for. What `multiprocessing` would have run by `python -c` is run
there, with the descriptors, environment, folder, group and signals that it would have had; and the new
process is the command's child, as it would have been.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing import util
from pathlib import Path
from typing import Any

PR_SET_CHILD_SUBREAPER = 36
STARTS = ("from multiprocessing.spawn import", "from multiprocessing.forkserver import")
MOST_DESCRIPTORS, HIGH = 250, 500  # as many as the system hands over at once
# What lostfound sets before it loads what reads it, as the server has done.
SET_BY_ALL = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_WAIT_POLICY": "PASSIVE"}


def offer(at_start: Callable[[Mapping[str, str]], dict[str, str]]) -> dict[str, Any] | None:
    """Fork the twin, and have `multiprocessing` start its processes by it. Linux alone has what it takes.

    Args:
        at_start: The variables of an environment that matter when a process starts: with others, a process is
            started as ever.

    Returns:
        None in the command; in each process that is forked for it, what that is to do.
    """
    if sys.platform != "linux":
        return None
    ours, its = socket.socketpair()
    twin = os.fork()
    if twin == 0:
        ours.close()
        os.setpgid(0, 0)  # what is sent to the command's group is not for it
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # until a process has its own mask
        return _serve(its)
    its.close()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    known, started = at_start(SET_BY_ALL | os.environ), util.spawnv_passfds

    def start(path: bytes, arguments: Sequence[str], descriptors: Sequence[int]) -> int:
        code = arguments[arguments.index("-c") + 1] if "-c" in arguments else ""
        numbers = sorted(set(map(int, descriptors)))
        fits = at_start(SET_BY_ALL | os.environ) == known and len(numbers) <= MOST_DESCRIPTORS
        if not code.startswith(STARTS) or not fits:
            return int(started(path, arguments, descriptors))
        request = {
            **{"code": code, "arguments": list(map(os.fsdecode, arguments)), "descriptors": numbers},
            **{"environment": dict(os.environ), "folder": str(Path.cwd()), "group": os.getpgrp()},
            "blocked": [int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, ())],
            "ignored": [int(each) for each in _catchable() if signal.getsignal(each) is signal.SIG_IGN],
        }
        message = json.dumps(request).encode()
        socket.send_fds(ours, [len(message).to_bytes(4)], numbers)
        ours.sendall(message)
        pid = int.from_bytes(_receive(ours, 4))
        if not pid:
            raise ChildProcessError("what starts the processes has ended")
        return pid

    util.spawnv_passfds = start
    util.Finalize(None, _end, (ours, twin), exitpriority=-1000)
    return None


def _end(ours: socket.socket, twin: int) -> None:
    ours.close()
    with suppress(ChildProcessError):
        os.waitpid(twin, 0)


def _catchable() -> list[signal.Signals]:
    return [each for each in signal.valid_signals() if isinstance(each, signal.Signals)]


def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := connection.recv(size - len(data))):
        data += more
    return data


def _serve(connection: socket.socket) -> dict[str, Any]:
    """The twin: forks for each request, until the command has ended. Returns in what it forks."""
    while True:
        head, descriptors, *_ = socket.recv_fds(connection, 4, MOST_DESCRIPTORS)
        if not head:
            os._exit(0)
        request: dict[str, Any] = json.loads(_receive(connection, int.from_bytes(head)))
        reading, writing = os.pipe()
        between = os.fork()
        if between == 0:
            if pid := os.fork():
                os.write(writing, pid.to_bytes(4))
                os._exit(0)  # the command adopts what was forked
            return {**request, "came": descriptors}
        os.close(writing)
        pid = os.read(reading, 4)
        os.waitpid(between, 0)
        for each in (reading, *descriptors):
            os.close(each)
        connection.sendall(pid)


def become(request: Mapping[str, Any]) -> None:
    """Run what `python -c` was to run, as that would."""
    os.setpgid(0, request["group"])
    _take_descriptors(request["came"], request["descriptors"])
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    _show_arguments(request["arguments"])
    for each in _catchable():
        with suppress(OSError, ValueError):
            if each in request["ignored"]:
                signal.signal(each, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, request["blocked"])
    sys.argv = ["-c", *request["arguments"][request["arguments"].index("-c") + 2 :]]
    sys.path[0] = ""
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    exec(compile(request["code"], "<string>", "exec"), main.__dict__)


def _take_descriptors(came: Sequence[int], numbers: Sequence[int]) -> None:
    """Give descriptors their numbers, and close all else but the standard ones."""
    high = [fcntl.fcntl(each, fcntl.F_DUPFD, HIGH) for each in came]
    for each in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if each > 2 and each not in high:
            with suppress(OSError):  # it was that of the listing
                os.close(each)
    for each, number in zip(high, numbers, strict=True):
        os.dup2(each, number)
        os.close(each)


def _show_arguments(arguments: Sequence[str]) -> None:
    """Have `ps` and `/proc` show them, where the old ones lie."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    shown = "\0".join(arguments).encode()[: end - start - 1]
    ctypes.memmove(start, shown.ljust(end - start, b"\0"), end - start)
