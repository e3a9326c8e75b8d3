"""Work on a Ray cluster: the same work and the same bytes as on one machine."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from lostfound.errors import LostFoundError, MissingExtraError, UsageError
from lostfound.parallel.processes import Item, Result

_TRIES_AFTER_A_KILL = 10
"""A worker may be killed so often while it does one chunk; then it is likely to be the chunk's fault."""


class RayEngine(AbstractContextManager["RayEngine"]):
    """Does work on the workers of a Ray cluster.

    The cluster's machines must see the source and the data set's folder under the same paths, as on a
    network file system. A chunk whose worker was killed is done again by another one.

    Args:
        address: The cluster's address, as `ray start` prints it; a cluster of this machine alone if None.

    Raises:
        MissingExtraError: Ray is not installed.
        UsageError: No cluster answers at the address.
    """

    def __init__(self, address: str | None = None) -> None:
        try:
            import ray
        except ImportError:
            raise MissingExtraError(
                "work on a cluster needs an extra: pip install 'lostfound[cluster]'"
            ) from None
        self._ray = ray
        self._started = not ray.is_initialized()
        if self._started:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
            try:
                _knock(address)
                ray.init(address or "local", logging_level=logging.ERROR)
            except (OSError, ValueError, RuntimeError) as error:
                raise UsageError(
                    f"no Ray cluster answers at {address}: {str(error).splitlines()[0]} "
                    "(start one with `ray start --head`, and give the address that it prints)"
                ) from None

    def spread(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Do the work of every item.

        Args:
            work: A module-level function, or a partial of one.
            items: What to do; at most two items a processor wait at a time, so that memory stays flat.

        Yields:
            The results, in the order in which they are done.

        Raises:
            LostFoundError: Workers were killed again and again, or don't see the files.
        """
        ray = self._ray
        remote = ray.remote(num_cpus=1, max_retries=_TRIES_AFTER_A_KILL)(_do)
        waiting: list[Any] = []
        try:
            for item in items:
                room = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
                while len(waiting) >= room:
                    done, waiting = ray.wait(waiting)
                    yield from ray.get(done)
                waiting.append(remote.remote(work, item, str(Path.cwd())))
            while waiting:
                done, waiting = ray.wait(waiting)
                yield from ray.get(done)
        except ray.exceptions.RayTaskError as error:
            raise error.cause if isinstance(error.cause, Exception) else error from None
        except ray.exceptions.RayError as error:
            reason = str(error).strip().splitlines()[0]
            raise LostFoundError(
                f"the cluster gave up a piece of the work ({type(error).__name__}: {reason}): "
                "run the same command again; what was finished is kept"
            ) from None
        finally:
            for each in waiting:
                ray.cancel(each, force=False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._started:
            self._ray.shutdown()


def _knock(address: str | None) -> None:
    """Fail at once where nobody listens; Ray would try for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def _do(work: Callable[[Item], Result], item: Item, folder: str) -> Result:
    """One piece of work on a worker, in the folder where the command was given."""
    try:
        os.chdir(folder)
    except OSError:
        raise LostFoundError(
            f"a machine of the cluster does not see {folder}: work where all of them see the same files"
        ) from None
    return work(item)
