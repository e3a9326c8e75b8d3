"""The words and tables around what `storage.py` measures."""

import os
import platform
import statistics
import textwrap
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from storage_candidates import BASES, STORES, TarIndex

ROUNDS, READS, BATCH, WORKERS = 3, 20_000, 64, 4
Row = dict[str, Any]

SPEED = {
    "container": "container",
    "random images/s": "random_per_s",
    "(range)": "range",
    "in batches": "batch_per_s",
    "4 processes": "workers_per_s",
    "CPU µs a random read": "random_cpu_us",
    "sequential images/s": "scan_per_s",
    "write s": "write_s",
    "import ms": "import_ms",
    "first image ms": "open_ms",
}
SIZE = {
    "container": "container",
    "size / payload": "size_ratio",
    "files": "files",
    "own, imported": "own_import_mb",
    "own, opened": "own_open_mb",
    "own, after reads": "own_read_mb",
    "private, opened": "uss_open_mb",
    "private, after reads": "uss_read_mb",
    "resident, opened": "rss_open_mb",
    "resident, after reads": "rss_read_mb",
}
USE = {
    "container": "container",
    "packages added": "packages",
    "MB added": "package_mb",
    "lines of code": "lines",
    "last file cut in half": "torn",
    "append and resume": "append",
    "readable with": "readable",
}
RATIOS = {
    "tar + index against": "container",
    "random": "random_per_s",
    "in batches": "batch_per_s",
    "4 processes": "workers_per_s",
    "sequential": "scan_per_s",
    "CPU a random read": "random_cpu_us",
    "write time": "write_s",
    "own memory": "own_read_mb",
    "size": "size_ratio",
}

METHOD = """{count:,} distinct JPEGs of 256x256, {payload:,.0f} MB in all, {each:.1f} KB on average: {bases}
noise textures, every copy made distinct by a JPEG comment of random bytes. Medians of {rounds} rounds; in a
round every container is written, read in fresh processes, checked against the images and deleted, and each
round starts at another container. Reads give `bytes` (nothing is decoded) from a **warm page cache**, so they
compare the work of the containers, not disks. Other work ran on the machine at the same time: load average
 {load:.1f} (median); where the range is wide, trust the processor time."""
SPEED_NOTES = """- Random: {reads:,} reads in a shuffled order, one at a time; in batches of {batch}; and by
  {workers} processes at once that each read {reads:,}, one at a time. CPU: processor time, of all threads.
  The rounds of the column with 4 processes differ most when other work takes cores: see the CSV.
- \\* webdataset has no random access: it shuffles shards, and images in a buffer of 5000.
- Writing goes to the page cache, without fsync; making the images is not counted. For Hugging Face datasets
  it includes the first load, which copies the Parquet files into an Arrow cache.
- First image: from opening (after the imports) to the first image's bytes."""
SIZE_NOTES = """- Own: what the process itself allocated (RSS less its file-backed pages). Private (USS) and
  resident (RSS) memory also count the pages of a mapped file that the process touched: page cache, which the
  system takes back when it needs it, and which readers by system call use without being charged for it.
- For Hugging Face datasets the size counts the Parquet files and their Arrow cache."""
USE_NOTES = """- Added: to the light install of lostfound, which already has pyarrow and numpy.
- Lines of code: of the candidate's class in `storage_candidates.py`, that writes and reads.
- A cut file is what a crash or a full disk leaves. The reader of the tar shards finds it by comparing each
  shard's size with the index, one `stat` a shard; the readers of Arrow and Parquet miss the footer. A changed
  bit inside an image is another matter: the image id, a hash of the content, finds it in any container."""
FOLLOWS = """At random, one image at a time, tar shards + Parquet index read {random} times as many images a
second as the best of the others ({best_random}); in batches {batch} times ({best_batch}); with {workers}
processes {four} times ({best_four}); in sequence {scan} times ({best_scan}). Decoding one of these JPEGs with
Pillow takes {decode:,.0f} µs of processor time and reading it this way {cpu:.1f} µs: {share:.1f} % of the two
together, against {best_share:.1f} % for {best_random}. Containers whose reads stay under a tenth of the
decoding: {cheap}. Among these, speed does not decide for training. Those that add no package and refuse to
open with a torn file: {sound}. Between these the last table decides: what opens the files without us, and
what a crash leaves."""
READ_RATIOS = """Each figure of tar shards + Parquet index divided by the other container's: more is better in
the first four columns, less in the others."""


def medians(rows: list[Row]) -> dict[str, Row]:
    """The median of every figure over the rounds, by container; words are kept from the last round."""
    result = {}
    for store in STORES:
        mine = [row for row in rows if row["container"] == store.label]
        middle = {
            key: statistics.median(row[key] for row in mine) if isinstance(value, int | float) else value
            for key, value in mine[-1].items()
        }
        seen = [row["random_per_s"] for row in mine]
        words = {"append": store.append, "readable": store.readable}
        result[store.label] = middle | words | {"range": f"{min(seen):,.0f} to {max(seen):,.0f}"}
        if not store.random_access:
            result[store.label]["range"] += "*"
    return result


def cell(value: Any) -> str:
    """A figure with the digits it can bear."""
    if value is None:
        return "none*"
    if not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or value >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def table(columns: dict[str, str], rows: list[Row]) -> str:
    """A Markdown table of these columns (heading to key)."""
    lines = [list(columns), [":---", *["---:"] * (len(columns) - 1)]]
    lines += [[cell(row[key]) for key in columns.values()] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine(folder: Path) -> str:
    """Processor, memory, system, file system of the folder, and versions, in words."""
    psutil = import_module("psutil")
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    mounts = [p for p in psutil.disk_partitions(all=True) if folder.is_relative_to(p.mountpoint)]
    kind = max(mounts, key=lambda p: len(p.mountpoint)).fstype if mounts else "unknown"
    names = ("pyarrow", "datasets", "webdataset", "pylance", "numpy", "pillow", "psutil")
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        system = platform.system()
    return (
        f"{(models or [platform.processor()])[0]}, {os.cpu_count()} cores, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB memory; {system}, {platform.system()} "
        f"{platform.release().split('-')[0]}, {kind} file system; Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in names)
    )


def follows(by_label: dict[str, Row], decode_us: float) -> str:
    """The favourite against the best of the others, and against each."""
    ours = by_label[TarIndex.label]
    others = [row for row in by_label.values() if row is not ours]
    words: dict[str, Any] = {"workers": WORKERS, "decode": decode_us, "cpu": ours["random_cpu_us"]}
    keys = {"random": "random_per_s", "batch": "batch_per_s", "four": "workers_per_s", "scan": "scan_per_s"}
    for name, key in keys.items():
        best = max(others, key=lambda row: row[key] or 0)
        words |= {name: f"{ours[key] / best[key]:.2f}", f"best_{name}": best["container"]}
    words["share"] = percent(ours["random_cpu_us"], decode_us)
    words["best_share"] = percent(by_label[words["best_random"]]["random_cpu_us"], decode_us)
    cheap = [row for row in by_label.values() if row["random_cpu_us"] < decode_us / 10]
    sound = [row for row in cheap if not row["packages"] and row["torn"].startswith("refuses")]
    words["cheap"] = "; ".join(row["container"] for row in cheap)
    words["sound"] = "; ".join(row["container"] for row in sound)
    ratios = [
        {"container": row["container"]}
        | {key: ours[key] / row[key] if row[key] else None for key in list(RATIOS.values())[1:]}
        for row in others
    ]
    return "\n\n".join([wrap(FOLLOWS.format(**words)), wrap(READ_RATIOS), table(RATIOS, ratios)])


def wrap(text: str) -> str:
    """The paragraph with even lines, whatever was filled in."""
    return textwrap.fill(" ".join(text.split()), 110, break_on_hyphens=False)


def percent(part: float, rest: float) -> float:
    """The share of `part` in both."""
    return 100 * part / (part + rest)


def report(rows: list[Row], count: int, decode_us: float, where: str) -> str:
    """The Markdown file."""
    by_label = medians(rows)
    best = list(by_label.values())
    payload = best[0]["payload_mb"]
    load = statistics.median(row["load"] for row in rows)
    method = METHOD.format(
        count=count, payload=payload, each=payload * 1e3 / count, bases=BASES, rounds=ROUNDS, load=load
    )
    parts = [
        "# Containers for images, measured",
        "Written by `benchmarks/storage.py`; every round is in `storage.csv`.",
        wrap(method),
        wrap(f"Machine: {where}."),
        "## Speed",
        table(SPEED, best),
        SPEED_NOTES.format(reads=min(READS, count), batch=BATCH, workers=WORKERS),
        "## Size and memory (MB)",
        table(SIZE, best),
        SIZE_NOTES,
        "## Use",
        table(USE, best),
        USE_NOTES,
        "## What follows",
        follows(by_label, decode_us),
    ]
    return "\n\n".join(parts) + "\n"
