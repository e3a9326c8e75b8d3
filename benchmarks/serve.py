"""How fast the server is: beside ONNX Runtime alone in one process, and beside LitServe with the same graph.

Photos are JPEGs of the generated world, 640x480. Load comes from the same cores: from wrk in a closed loop
(each client asks again as soon as it is answered), from `serve_load.py` in an open one (requests come at a
rate, whatever the answers do).

    python benchmarks/serve.py --seconds 120 > benchmarks/results/serve.md

LitServe may be installed elsewhere: --litserve-path FOLDER (pip install --target FOLDER litserve). wrk is a
package of most Linux distributions.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import psutil
from machine import machine, versions
from PIL import Image
from serve_load import rain

HERE = Path(__file__).parent
BATCH = 8


@dataclass
class Load:
    """What was measured under a load."""

    requests: int
    failures: int
    per_second: float
    p50: float
    p95: float
    p99: float

    def row(self, name: str, *more: str) -> str:
        """A line of the table."""
        cells = (name, f"{self.per_second:.1f}", f"{self.p50:.0f}", f"{self.p95:.0f}", f"{self.p99:.0f}")
        return f"| {' | '.join((*cells, str(self.requests), str(self.failures), *more))} |"


def main() -> None:
    """Measure all, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=20, help="of each load")
    parser.add_argument("--bare-seconds", type=int, default=10, help="of each loop of ONNX Runtime alone")
    parser.add_argument("--clients", default="1,8,64")
    parser.add_argument("--litserve-path", type=Path)
    parser.add_argument("--litserve-seconds", type=int, help="of each load on LitServe; as long if not given")
    parser.add_argument("--skip-litserve", action="store_true")
    parser.add_argument("--turns", type=int, help="only this often: ONNX Runtime alone and a load, in turn")
    given = parser.parse_args()
    clients = [int(each) for each in given.clients.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        photos = make_photos(Path(folder))
        if given.turns:
            in_turns(photos, max(clients), given)
            return
        print("# The server under load\n")
        print(f"`python benchmarks/serve.py --seconds {given.seconds}`: {machine()}; ", end="")
        print(versions("onnxruntime", "uvicorn", "fastapi", "pillow") + ".")
        sizes = [path.stat().st_size for path in photos.iterdir()]
        print(f"{len(sizes)} photos of the generated world, 640x480, {np.mean(sizes) / 1000:.0f} kB each.\n")
        before = bare(photos, given.bare_seconds)
        ours = {}
        print("## The server\n")
        with server() as (url, process):
            header("memory before, after (MB)")
            for number in clients:
                first = memory_mb(process)
                ours[number] = closed_loop(url, "/v1/locate", photos, number, given.seconds)
                print(
                    ours[number].row(
                        f"closed loop, {number} clients", f"{first:.0f}, {memory_mb(process):.0f}"
                    ),
                    flush=True,
                )
            for share in (0.5, 0.8):
                rate = share * ours[max(clients)].per_second
                first = memory_mb(process)
                measured = open_loop(url, "/v1/locate", photos, rate, given.seconds)
                name = f"open loop, {rate:.0f} requests a second"
                print(measured.row(name, f"{first:.0f}, {memory_mb(process):.0f}"), flush=True)
        after = bare(photos, given.bare_seconds, again=True)
        theirs = {} if given.skip_litserve else litserve(photos, clients, given)
        print("\n## Ratios\n")
        alone = max(before["photos"], after["photos"])
        network = max(before["network"], after["network"])
        for number in clients:
            said = f"- {number} clients: {ours[number].per_second / alone:.0%} of ONNX Runtime alone"
            said += f" from the photos' bytes, {ours[number].per_second / network:.0%} of the network alone"
            said += " on ready arrays"
            if number in theirs:
                said += f"; {ours[number].per_second / theirs[number].per_second:.2f} times LitServe"
            print(said)


def in_turns(photos: Path, clients: int, given: argparse.Namespace) -> None:
    """What the server does of ONNX Runtime alone where the machine's speed changes by the minute."""
    from lostfound.predict.model_folder import STARTER, ModelFolder

    model = ModelFolder.open(STARTER)
    data = [path.read_bytes() for path in sorted(photos.iterdir())]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the best way of `bare` on this class of machine
    session = onnxruntime.InferenceSession(model.graph, options, providers=["CPUExecutionProvider"])

    def whole(start: int) -> None:
        session.run(["outputs", "mean_features"], {"images": model.preprocessing(data[start])[None]})

    cores, ratios = len(os.sched_getaffinity(0)), []
    print(f"{machine()}; {versions('onnxruntime', 'uvicorn', 'fastapi', 'pillow')}.\n")
    with server() as (url, _):
        print(f"| ONNX Runtime alone | {clients} clients | ratio |\n|---|---|---|")
        for _ in range(given.turns):
            alone = rate_of(whole, cores, 1, given.bare_seconds)
            served = closed_loop(url, "/v1/locate", photos, clients, given.bare_seconds).per_second
            ratios.append(served / alone)
            print(f"| {alone:.1f} | {served:.1f} | {served / alone:.3f} |", flush=True)
    low, middle, high = np.quantile(ratios, [0, 0.5, 1])
    spread = f"{low:.1%} to {high:.1%}"
    print(f"\nMedian of {len(ratios)} turns of {given.bare_seconds} s: {middle:.1%} ({spread}).")


def make_photos(folder: Path) -> Path:
    """Streets of the generated world as a phone's messenger sends them."""
    from lostfound.world import write_world

    write_world(folder / "world", places=32, views=1, size=480)
    (folder / "photos").mkdir()
    for number, path in enumerate(sorted((folder / "world").rglob("*.jpg"))[:32]):
        image = Image.open(path).convert("RGB").resize((640, 480), Image.Resampling.LANCZOS)
        noise = np.random.default_rng(number).normal(0, 6, (480, 640, 3))  # grain, as photos have
        pixels = np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{number:02}.jpg", quality=85)
    return folder / "photos"


def bare(photos: Path, seconds: int, *, again: bool = False) -> dict[str, float]:
    """Photos a second of ONNX Runtime alone in this process, the best of several ways."""
    from lostfound.predict.model_folder import STARTER, ModelFolder

    model = ModelFolder.open(STARTER)
    data = [path.read_bytes() for path in sorted(photos.iterdir())]
    images = np.stack([model.preprocessing(each) for each in data])
    cores = len(os.sched_getaffinity(0))
    if not again:
        print("## ONNX Runtime alone\n\n| way | photos a second |\n|---|---|")
    found = {"network": 0.0, "photos": 0.0}
    for lanes, threads, batch in ((1, cores, 1), (1, cores, BATCH), (cores, 1, 1), (cores, 1, BATCH)):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(model.graph, options, providers=["CPUExecutionProvider"])

        def network(start: int, session=session, batch=batch) -> None:
            session.run(["outputs", "mean_features"], {"images": images[start : start + batch]})

        def whole(start: int, session=session, batch=batch) -> None:
            ready = np.stack([model.preprocessing(each) for each in data[start : start + batch]])
            session.run(["outputs", "mean_features"], {"images": ready})

        for name, work in (("network", network), ("photos", whole)):
            rate = rate_of(work, lanes, batch, seconds)
            found[name] = max(found[name], rate)
            what = "ready arrays" if name == "network" else "photos' bytes, decoded"
            when = " (again)" if again else ""
            if not again or rate == found[name]:
                way = f"{lanes} at once, {threads} threads each, batches of {batch}"
                print(f"| {what}: {way}{when} | {rate:.1f} |", flush=True)
    print()
    return found


def rate_of(work: Callable[[int], None], lanes: int, batch: int, seconds: int) -> float:
    """Photos a second."""
    end = time.perf_counter() + seconds
    turns = itertools.cycle(range(0, 32, batch))

    def lane() -> int:
        done = 0
        while time.perf_counter() < end:
            work(next(turns))
            done += batch
        return done

    with ThreadPoolExecutor(lanes) as pool:
        start = time.perf_counter()
        done = sum(each.result() for each in [pool.submit(lane) for _ in range(lanes)])
        return done / (time.perf_counter() - start)


def header(*more: str) -> None:
    """The first lines of a table."""
    names = ("load", "requests a second", "p50 ms", "p95 ms", "p99 ms", "requests", "failed", *more)
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}", flush=True)


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], url: str, ready: str, **environment: str) -> Iterator[psutil.Process]:
    """A server, until it is no longer needed."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | environment)
    try:
        end = time.monotonic() + 60
        while True:
            with suppress(OSError), urllib.request.urlopen(url + ready, timeout=5):
                break
            assert process.poll() is None, "it has ended"
            assert time.monotonic() < end, "it does not get ready"
            time.sleep(0.05)
        yield psutil.Process(process.pid)
    finally:
        below = []
        with suppress(psutil.NoSuchProcess):
            below = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        for each in below:
            with suppress(psutil.NoSuchProcess):
                each.kill()


@contextmanager
def server() -> Iterator[tuple[str, psutil.Process]]:
    """`lostfound serve` as it comes: its address and process."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    start = time.perf_counter()
    with running(
        [sys.executable, "-m", "lostfound", "serve", "--port", str(port)], url, "/readyz"
    ) as process:
        print(f"Answers {time.perf_counter() - start:.2f} s after its start.\n")
        yield url, process


def litserve(photos: Path, clients: list[int], given: argparse.Namespace) -> dict[int, Load]:
    """The better of two ways to set up LitServe, at each number of clients."""
    cores = len(os.sched_getaffinity(0))
    paths = {}
    if given.litserve_path:
        paths = {
            "PYTHONPATH": os.pathsep.join(
                filter(None, [os.environ.get("PYTHONPATH"), str(given.litserve_path)])
            )
        }
    best: dict[int, Load] = {}
    print("## LitServe\n")
    header()
    for workers, threads in ((1, cores), (cores, 1)):
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = [sys.executable, str(HERE / "serve_litserve.py"), "--port", str(port)]
        command += ["--workers", str(workers), "--threads", str(threads), "--batch", str(BATCH)]
        with running(command, url, "/health", **paths):
            for number in clients:
                found = closed_loop(url, "/predict", photos, number, given.litserve_seconds or given.seconds)
                print(found.row(f"{workers} workers of {threads} threads, {number} clients"), flush=True)
                if number not in best or found.per_second > best[number].per_second:
                    best[number] = found
    return best


def closed_loop(url: str, path: str, photos: Path, clients: int, seconds: int) -> Load:
    """Let wrk ask, after a moment to warm up."""
    command = ["wrk", "-t", "1", "-c", str(clients), "--timeout", "30s", "-s", str(HERE / "serve_load.lua")]
    for duration in (2, seconds):
        done = subprocess.run(
            [*command, "-d", f"{duration}s", url, "--", path, *map(str, sorted(photos.iterdir()))],
            check=True,
            capture_output=True,
            text=True,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    rate = found["requests"] / found.pop("seconds")
    return Load(per_second=rate, **found)


def open_loop(url: str, path: str, photos: Path, rate: float, seconds: int) -> Load:
    """Ask at a rate."""
    data = [each.read_bytes() for each in sorted(photos.iterdir())]
    found, failed = asyncio.run(rain(f"{url}{path}", data, rate, seconds))
    p50, p95, p99 = np.percentile(found, [50, 95, 99])
    return Load(len(found), failed, len(found) / seconds, p50, p95, p99)


def memory_mb(process: psutil.Process) -> float:
    """Resident memory of a server and its processes."""
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / 1e6


if __name__ == "__main__":
    main()
