"""Which container to keep a dataset's images in: nine candidates, measured on the same images.

    pip install . datasets webdataset pylance psutil
    python benchmarks/storage.py --images 100000 --folder SCRATCH

Each round writes one candidate after the other, measures it in fresh processes and deletes it, so SCRATCH
needs about twice the images' size (5 GB at the default). Prints the tables and writes `results/storage.md`
(medians) and `results/storage.csv` (every round). All reads are from a warm page cache.
"""

import argparse
import csv
import inspect
import io
import os
import random
import shutil
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from importlib.metadata import distribution
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from storage_candidates import SEED, STORES, Store, images, textures
from storage_report import BATCH, READS, ROUNDS, WORKERS, Row, machine, report

CHECKED = 500
SPAWN = get_context("spawn")


def fresh(function: Callable[..., Any], *arguments: Any) -> Any:
    """Runs the function in a process of its own."""
    with ProcessPoolExecutor(1, SPAWN) as pool:
        return pool.submit(function, *arguments).result()


def shuffled_order(count: int, seed: int = SEED) -> list[int]:
    """At most READS distinct places out of `count`, in random order."""
    return random.Random(seed).sample(range(count), min(READS, count))


def write(store: type[Store], folder: Path, count: int) -> Row:
    """Writes the candidate; the time has the making of the images subtracted."""
    for module in store.modules:
        import_module(module)
    textures()
    start = time.perf_counter()
    payload = sum(len(content) for _, content in images(count))
    making = time.perf_counter() - start
    start = time.perf_counter()
    store.write(folder, images(count))
    return {"write_s": time.perf_counter() - start - making, "payload_mb": payload / 1e6}


def memory(when: str) -> Row:
    """This process's memory in MB: resident, private (unique to it), and its own without mapped files."""
    info = import_module("psutil").Process().memory_full_info()
    figures = {"rss": info.rss, "uss": info.uss, "own": info.rss - info.shared}
    return {f"{name}_{when}_mb": size / 1e6 for name, size in figures.items()}


def settle() -> None:
    """Ends what imports leave behind, so that it is not measured with the reads that follow.

    The threads of numpy's BLAS spin for a moment before they sleep. And glibc hands freed memory back to the
    system at once until the process has freed one large block, as any process that decodes images soon has.
    """
    time.sleep(0.5)
    bytearray(30 << 20)


def measure(store: type[Store], folder: Path, count: int) -> tuple[Row, list[int]]:
    """Opens and reads the candidate; returns the figures and the checksums of images that were read."""
    order = shuffled_order(count)
    start = time.perf_counter()
    for module in store.modules:
        import_module(module)
    row: Row = {"import_ms": (time.perf_counter() - start) * 1e3, **memory("import")}
    start = time.perf_counter()
    opened = store(folder)
    first = opened.read(0) if store.random_access else next(opened.scan())
    row |= {"open_ms": (time.perf_counter() - start) * 1e3, **memory("open")}

    settle()
    start, cpu = time.perf_counter(), time.process_time()
    total = sum(map(len, opened.shuffled(order)))
    row["random_per_s"] = len(order) / (time.perf_counter() - start)
    row["random_cpu_us"] = (time.process_time() - cpu) / len(order) * 1e6
    row |= memory("read")
    row["batch_per_s"] = None
    if store.random_access:
        batches = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
        start = time.perf_counter()
        again = sum(sum(map(len, opened.read_many(batch))) for batch in batches)
        row["batch_per_s"] = len(order) / (time.perf_counter() - start)
        if again != total:
            raise SystemExit(f"{store.label}: batches hold other images than single reads")
    start = time.perf_counter()
    sizes = [len(content) for content in opened.scan()]
    row["scan_per_s"] = len(sizes) / (time.perf_counter() - start)
    row["read_mb"] = sum(sizes) / 1e6

    picked = [opened.read(i) for i in order[:CHECKED]] if store.random_access else []
    return row, [zlib.crc32(content) for content in [first, *picked]]


def set_barrier(barrier: Any) -> None:
    """Keeps the barrier for `work`: a process pool can hand one over only when it starts its workers."""
    globals()["BARRIER"] = barrier


def work(store: type[Store], folder: Path, order: Sequence[int]) -> tuple[float, float]:
    """One of several readers at once: when it started and when it was done."""
    opened = store(folder)
    settle()
    globals()["BARRIER"].wait(300)
    start = time.monotonic()
    sum(map(len, opened.shuffled(order)))
    return start, time.monotonic()


def together(store: type[Store], folder: Path, count: int) -> float:
    """Images a second of WORKERS processes that each read their own shuffled order."""
    with ProcessPoolExecutor(WORKERS, SPAWN, set_barrier, (SPAWN.Barrier(WORKERS),)) as pool:
        orders = [shuffled_order(count, SEED + i) for i in range(WORKERS)]
        spans = list(pool.map(work, [store] * WORKERS, [folder] * WORKERS, orders))
    return sum(map(len, orders)) / (max(end for _, end in spans) - min(start for start, _ in spans))


def read_torn(store: type[Store], folder: Path, payload_mb: float) -> str:
    """Says when a reader notices that a data file ends too early."""
    try:
        opened = store(folder)
    except Exception as error:
        return f"refuses to open ({type(error).__name__})"
    try:
        total = sum(len(content) for content in opened.scan())
    except Exception as error:
        return f"stops when it gets there ({type(error).__name__})"
    return "silent" if total / 1e6 < payload_mb else "not noticed, not hurt"


def torn(store: type[Store], folder: Path, payload_mb: float) -> str:
    """Cuts the last data file to half its size, as a crash would, and reads."""
    last = max(folder.glob(store.pattern))
    os.truncate(last, last.stat().st_size // 2)
    try:
        return str(fresh(read_torn, store, folder, payload_mb))
    except BrokenProcessPool:
        return "kills the process"


def one_round(store: type[Store], folder: Path, count: int, expected: list[int]) -> Row:
    """Writes, reads, checks and deletes one candidate."""
    folder.mkdir(parents=True)
    try:
        row: Row = {"container": store.label, **fresh(write, store, folder, count), **weight(store)}
        files = [path for path in folder.rglob("*") if path.is_file()]
        os.sync()
        row["files"] = len(files)
        row["size_ratio"] = sum(path.stat().st_blocks * 512 for path in files) / 1e6 / row["payload_mb"]
        for path in files:
            path.read_bytes()  # warms the page cache
        figures, checksums = fresh(measure, store, folder, count)
        row |= figures
        if checksums != expected[: len(checksums)] or abs(row["read_mb"] - row["payload_mb"]) > 1e-9:
            raise SystemExit(f"{store.label}: what was read is not what was written")
        row["workers_per_s"] = together(store, folder, count)
        row["load"] = os.getloadavg()[0]
        row["torn"] = torn(store, folder, row["payload_mb"])
    finally:
        shutil.rmtree(folder)
    return row


def needs(name: str) -> set[str]:
    """The installed distribution and everything it requires, without extras."""
    parse = import_module("packaging.requirements").Requirement
    found, todo = set(), [name]
    while todo:
        name = todo.pop().lower().replace("_", "-")
        if name not in found:
            found.add(name)
            wanted = [parse(text) for text in distribution(name).requires or []]
            todo += [r.name for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    return found


def weight(store: type[Store]) -> Row:
    """What the reader costs: packages and MB on top of lostfound's light install, and lines of code here."""
    extra = needs(store.package) - needs("lostfound")
    files = [Path(str(path.locate())) for name in extra for path in distribution(name).files or []]
    return {
        "packages": len(extra),
        "package_mb": sum(path.stat().st_size for path in files if path.exists()) / 1e6,
        "lines": sum(
            len(inspect.getsource(c).splitlines()) for c in store.__mro__ if c not in (Store, object)
        ),
    }


def decode_us() -> float:
    """The microseconds of processor time that Pillow takes to decode one of the images."""
    image = import_module("PIL.Image")
    encoded = textures()
    start = time.process_time()
    for content in encoded:
        image.open(io.BytesIO(content)).load()
    return (time.process_time() - start) / len(encoded) * 1e6


def main() -> None:
    """Runs the rounds and writes the results."""
    parser = argparse.ArgumentParser(description="Measure containers for images.")
    parser.add_argument("--images", type=int, default=100_000, help="how many images (at least 500)")
    parser.add_argument("--folder", type=Path, required=True, help="scratch folder on the disk to measure")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    picked = [0, *shuffled_order(options.images)[:CHECKED]]
    wanted = set(picked)
    checksums = {i: zlib.crc32(image) for i, (_, image) in enumerate(images(options.images)) if i in wanted}
    rows = []
    for number in range(ROUNDS):
        for store in (*STORES[number * 2 :], *STORES[: number * 2]):
            scratch = options.folder / f"storage-{os.getpid()}"
            row = one_round(store, scratch, options.images, [checksums[i] for i in picked])
            rows.append({"round": number + 1, **row})
            print(
                f"round {number + 1}: {store.label}: {row['random_per_s']:,.0f} random images/s", flush=True
            )
    text = report(rows, options.images, decode_us(), machine(options.folder.resolve()))
    print(text)
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "storage.md").write_text(text)
    with (options.results / "storage.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), restval="")
        writer.writeheader()
        writer.writerows(
            {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows
        )


if __name__ == "__main__":
    main()
