"""What a server counts, in Prometheus' format. Numbers alone: nothing of photos, names or places."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_PHOTOS = (1, 2, 4, 8, 16, 32, 64)
TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """What one process counts; with a folder that its siblings share, `text` sums up all of them.

    Attributes:
        folder: That folder, if there is one. `PROMETHEUS_MULTIPROC_DIR` must have named it when this process
            started.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._registry = CollectorRegistry()
        registry = None if folder is not None else self._registry
        if folder is None:
            ProcessCollector(registry=self._registry)
        else:
            _forget_dead(folder)
        own: dict[str, Any] = {"registry": registry}
        self._requests = Counter(
            "lostfound_requests_total", "Requests answered.", ["route", "method", "status"], **own
        )
        self._seconds = Histogram(
            "lostfound_request_seconds",
            "From the first byte to the answer.",
            ["route"],
            buckets=_SECONDS,
            **own,
        )
        self._photos = Counter(
            "lostfound_photos_total", "Photos, by what came of them.", ["model", "outcome"], **own
        )
        self._batches = Histogram(
            "lostfound_batch_photos",
            "Photos that went through the network together.",
            ["model"],
            buckets=_PHOTOS,
            **own,
        )
        self._stages = Histogram(
            "lostfound_stage_seconds",
            "Of a photo's wait, and a batch's decoding, network and answer.",
            ["stage"],
            buckets=_SECONDS,
            **own,
        )
        self._waiting = Gauge(
            "lostfound_waiting_photos", "Photos in the queue.", multiprocess_mode="livesum", **own
        )
        self._underway = Gauge(
            "lostfound_requests_underway", "Requests being answered.", multiprocess_mode="livesum", **own
        )

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def photo(self, model: str, outcome: str, number: int = 1) -> None:
        """Photos were answered, abstained of, or could not be read."""
        self._photos.labels(model, outcome).inc(number)

    def batch(self, model: str, photos: int) -> None:
        """Photos went through the network together."""
        self._batches.labels(model).observe(photos)

    def stage(self, name: str, seconds: float) -> None:
        """How long something took."""
        self._stages.labels(name).observe(seconds)

    def waiting(self, photos: int) -> None:
        """How long the queue is now."""
        self._waiting.set(photos)

    def underway(self, change: int) -> None:
        """A request came, or was answered."""
        self._underway.inc(change)

    def text(self) -> bytes:
        """All of it, of all processes."""
        if self.folder is None:
            return bytes(generate_latest(self._registry))
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self.folder))  # type: ignore[no-untyped-call]
        return bytes(generate_latest(registry))


def _forget_dead(folder: Path) -> None:
    """Take gauges of processes that have died out of the sums."""
    for file in folder.glob("gauge_live*_*.db"):
        number = file.stem.rpartition("_")[2]
        if number.isdigit() and not _lives(int(number)):
            file.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    with suppress(PermissionError):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
    return True
