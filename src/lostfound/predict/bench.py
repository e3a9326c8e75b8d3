"""How quick a model answers on this machine, part by part: what `lostfound bench` measures."""

from __future__ import annotations

import io
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lostfound.data.images import decoded
from lostfound.predict.devices import devices_here
from lostfound.predict.engine import BATCH_SIZE, Seen
from lostfound.predict.locator import Locator

BATCHES = (1, 2, 4, 8, 16, 32, 64)
_SIZES = {"12 megapixels": (4000, 3000), "street view": (640, 480)}


@dataclass(frozen=True)
class Bench:
    """What was measured.

    Attributes:
        about: The model, the machine, the versions, and the photos.
        cold_s: Seconds that one photo takes in a new process, from the start of Python to the answer.
        open_ms: Milliseconds to open the model, once its libraries are loaded.
        one_ms: Milliseconds from a file to its answer, with the model open.
        parts_ms: Milliseconds a photo of each part, one thread for all but the network: `decode`,
            `preprocess` (decoding included), `network` in batches of 32, `answer`.
        batches: Photos a second of the network alone, by the batch's size.
        photos_per_second: Of the whole way, from files to answers.
        network_share: That over what the bare graph does in the same batches: 1 were no other work at all.
    """

    about: dict[str, Any]
    cold_s: float
    open_ms: float
    one_ms: float
    parts_ms: dict[str, float]
    batches: dict[int, float]
    photos_per_second: float
    network_share: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "batches": {str(size): rate for size, rate in self.batches.items()}}


def bench(
    model: Path,
    photos: Sequence[Path] | None = None,
    *,
    rounds: int = 5,
    count: int = 128,
    device: str = "cpu",
) -> Bench:
    """Measure a model on this machine.

    Args:
        model: Its folder.
        photos: What to locate; generated pictures of two sizes if None.
        rounds: How often each part is measured; the median counts.
        count: Photos of the whole way in each round; fewer are repeated.
        device: What the network is computed on.

    Raises:
        UsageError: There is no such device here.
        ModelError: It is no complete model folder.
    """
    locator = Locator.load(model, device=device)
    files: list[Path | bytes] = list(photos) if photos else list(generated_photos())
    some = list(islice(cycle(files), count))
    size = 2 * max(locator.model.preprocessing.height, locator.model.preprocessing.width)
    images = np.stack([locator.model.preprocessing(each) for each in some[:BATCH_SIZE]])
    seen = [each for each in locator.look(some[:BATCH_SIZE]) if isinstance(each, Seen)]

    def decode() -> None:
        for each in some[:BATCH_SIZE]:
            with decoded(each, at_least=size):
                pass

    parts = {
        "decode": decode,
        "preprocess": lambda: [locator.model.preprocessing(each) for each in some[:BATCH_SIZE]],
        "network": lambda: locator.run(images),
        "answer": lambda: locator.guess_each(seen),
    }
    parts_ms = {name: 1000 * _seconds(part, rounds) / len(images) for name, part in parts.items()}
    batches = {each: each / _seconds(lambda n=each: _run(locator, images, n), rounds) for each in BATCHES}  # type: ignore[misc]
    whole = len(some) / _seconds(lambda: list(locator.guesses(some)), rounds)
    bare = 1000 / parts_ms["network"]
    return Bench(
        _about(locator, photos, count, rounds),
        _cold(model, some[0], device),
        1000 * _seconds(lambda: Locator.load(model, device=device), rounds),
        1000 * _seconds(lambda: locator.locate(some[0]), rounds),
        parts_ms,
        batches,
        whole,
        whole / bare,
    )


def generated_photos() -> Iterator[bytes]:
    """JPEG files of the sizes that people have: smooth shapes with the noise of a camera."""
    random = np.random.default_rng(20)
    for size in _SIZES.values():
        coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        pixels = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), dtype=np.int16)
        noisy = np.clip(pixels + random.integers(-12, 13, pixels.shape, dtype=np.int16), 0, 255)
        buffer = io.BytesIO()
        Image.fromarray(noisy.astype(np.uint8)).save(buffer, "JPEG", quality=90)
        yield buffer.getvalue()


def _run(locator: Locator, images: np.ndarray[Any, np.dtype[np.uint8]], size: int) -> None:
    repeated = images[np.arange(size) % len(images)]
    locator.session.run(None, {"images": repeated})


def _seconds(work: Callable[[], object], rounds: int) -> float:
    """The median of some rounds, after one that does not count."""
    work()
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def _cold(model: Path, photo: Path | bytes, device: str) -> float:
    """The seconds of a new process that answers one photo, from the second one on: files are cached then."""
    source = photo if isinstance(photo, bytes) else photo.read_bytes()
    opened = f"lostfound.load({str(model)!r}, device={device!r})"  # no name can break it
    code = f"import sys, lostfound; {opened}.locate(sys.stdin.buffer.read())"
    took = []
    for _ in range(4):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], input=source, check=True)  # noqa: S603
        took.append(time.perf_counter() - start)
    return statistics.median(took[1:])


def _about(locator: Locator, photos: Sequence[Path] | None, count: int, rounds: int) -> dict[str, Any]:
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(errors="replace").splitlines()
        cpu = next((each.split(":")[1].strip() for each in lines if each.startswith("model name")), cpu)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "model": locator.model.name,
        "model_bytes": locator.model.graph_bytes,
        "input": [locator.model.preprocessing.height, locator.model.preprocessing.width],
        "provider": locator.session.get_providers()[0],
        "device": locator.device,
        "devices": devices_here(),
        "precision": locator.model.config.get("quantized", {}).get("precision", "fp32"),
        "processor": cpu,
        "cores": os.cpu_count(),
        "threads": locator.threads,
        "load": load,
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("lostfound", "onnxruntime", "pillow", "numpy")},
        "photos": f"{len(photos)} files" if photos else f"generated, JPEG: {', '.join(_SIZES)}",
        "count": count,
        "rounds": rounds,
    }
