"""What a collection loses, and stores twice, when nearly everything goes wrong: the fault table.

    python benchmarks/collect.py [--places 2000] [--kills 20] [--service NAME] [--to FOLDER]

Street View and Mapillary are collected from services on loopback that speak as theirs do
(`tests/collect/services.py`), with misses, 429s, 5xx, answers cut short, error pages, grey pictures and
expired addresses drawn at random (seeded), by the real command, which is killed with -9 at random moments and
started again. The services' own log is the truth: every image that they ever gave whole must be in the data
set once. Then `stats`, `prepare` and `train` take the two data sets.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from machine import machine, versions

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "collect"))
from services import Services, chance

from lostfound.data.dataset import Dataset

COUNTRIES = ("France", "Japan", "Brazil", "Kenya", "Norway", "India", "Chile", "Poland", "Turkey", "Canada")
COMMON = {
    "429": 0.02,
    "500": 0.02,
    "truncate": 0.015,
    "cut-silently": 0.01,
    "html": 0.005,
    "broken": 0.005,
    "slow": 0.002,
}
SERVICES = {
    "streetview": {"view": {**COMMON, "UNKNOWN_ERROR": 0.01, "OVER_QUERY_LIMIT": 0.01, "grey": 0.005}},
    "mapillary": {"picture": {**COMMON, "code2": 0.01, "code4": 0.01, "grey": 0.005}},
}
PARALLEL = 8
IMAGE_KINDS, IMAGE_FAULTS = ("view", "picture"), ("grey",)
API_FAULTS = ("UNKNOWN_ERROR", "OVER_QUERY_LIMIT", "code2", "code4")
NAMES = {
    "429": "429, asks to slow down",
    "500": "503, the service fails",
    "truncate": "body cut short of its stated length",
    "cut-silently": "body cut short, no length stated",
    "html": "error page with status 200 in place of an answer",
    "broken": "bytes that are no image or JSON",
    "slow": "answer that trickles past the time limit",
    "UNKNOWN_ERROR": "status UNKNOWN_ERROR",
    "OVER_QUERY_LIMIT": "status OVER_QUERY_LIMIT",
    "code2": "error code 2, service unavailable",
    "code4": "error code 4, request limit",
    "grey": "grey picture in place of an image",
}


def collect(source: str, folder: Path, places: int, kills: int) -> dict[str, Any]:
    """Collect under fire; gives the counts of the fault table."""
    (kind, faults), *_ = SERVICES[source].items()
    services = Services(
        folder / "services", coverage=0.6, faults=faults, scenes=True, side=96, expired=0.1, delay=0.002
    )
    command = [sys.executable, "-m", "lostfound", "collect", source, "--to", "data", "--places", str(places)]
    command += [word for name in COUNTRIES for word in ("--country", name)]
    command += ["--rate", "500", "--parallel", str(PARALLEL), "--size", "96", "--jobs", "2", "--json"]
    command += ["--timeout", "2"]
    if source == "streetview":
        command += ["--pixels", "96x96", "--max-cost", "100"]
    environment = os.environ | services.environment()
    dice, log, killed = random.Random(1), services.folder / "requests.jsonl", 0
    # Kills spread over the whole collection: each after so many more requests.
    each = round(2.0 * len(COUNTRIES) * places / (kills + 1))
    with (folder / "said.txt").open("wb") as said:
        while killed < kills:
            before, wait = lines(log), dice.randrange(20, 2 * each)
            running = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=said)
            while running.poll() is None and lines(log) < before + wait:
                time.sleep(0.02)
            running.kill()
            if running.wait() >= 0:
                break
            killed += 1
        for _ in range(3):  # what failed for good, such as a grey picture, is tried again by the next run
            done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=said)
    services.stop()
    if done.returncode:
        raise SystemExit((folder / "said.txt").read_text()[-2000:])
    summary = json.loads(done.stdout)
    requests = services.requests()
    whole = Counter(
        line["question"] for line in requests if line["kind"] == kind and gives(line["kind"], line["fault"])
    )
    if source == "mapillary":  # an address that has expired gives no image
        whole = Counter({question: n for question, n in whole.items() if works(question)})
    dataset = Dataset.open(folder / "data")
    stored = dataset.records["original"].to_pylist()
    for index in range(len(dataset)):
        dataset.read(index)  # checks each image's hash
    wanted = {identity(question) for question in whole}
    held = {name if source == "streetview" else name.partition("/")[2] for name in stored}
    return {
        "places": summary["hits"],
        "misses": summary["misses"],
        "duplicates": summary["duplicates"],
        "errors": summary["errors"],
        "requests": len(requests),
        "images given": len(wanted),
        "images stored": len(stored),
        "lost": len(wanted - held),
        "stored twice": len(stored) - len(set(stored)),
        "given twice": sum(whole.values()) - len(whole),
        "kills": killed,
        "in flight at kills, at most": killed * PARALLEL,
        "faults": {name: lost_to(name, requests, held) for name in faults},
    }


def lost_to(fault: str, requests: list[dict[str, Any]], held: set[str]) -> tuple[int, int]:
    """How often a fault was injected, and how many of the questions it met were never answered or kept."""
    met = {(line["kind"], line["question"]) for line in requests if line["fault"] == fault}
    answered = {
        line["question"] for line in requests if line["fault"] != fault and gives(line["kind"], line["fault"])
    }
    lost = 0
    for kind, question in met:
        if kind in IMAGE_KINDS:  # whatever the request came to: is the image there?
            lost += identity(question) not in held
        else:
            lost += not (gives(kind, fault) or question in answered)
    return sum(line["fault"] == fault for line in requests), lost


def lines(path: Path) -> int:
    """How many requests a log holds."""
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def identity(question: str) -> str:
    """Which image was asked for, as the records' `original` says it."""
    path, _, text = question.partition("?")
    asked = json.loads(text)
    if "pano" in asked:
        return f"{asked['pano']}/{float(asked['heading']):.2f}"
    return path.removeprefix("/thumb/").partition("-")[0]


def gives(kind: str, fault: str | None) -> bool:
    """Is the answer a good one? What the APIs say does not touch pictures, and grey pictures only those."""
    harmless = IMAGE_FAULTS if kind not in IMAGE_KINDS else API_FAULTS
    return fault is None or fault in harmless


def works(question: str) -> bool:
    """Did a picture's address still work?"""
    name, _, generation = question.partition("?")[0].removeprefix("/thumb/").partition("-")
    return int(generation) > 0 or chance(0, "expired", name) >= 0.1


def accepted(folder: Path) -> list[str]:
    """Do `stats`, `prepare` and `train` take the data set?"""
    base = [sys.executable, "-m", "lostfound"]
    small = ["task.min_images=5", "input.size=[64, 64]", "trainer.epochs=2", "trainer.device=cpu"]
    commands = [
        ["stats", "data"],
        ["prepare", "data", "--to", "small", "--size", "64"],
        ["train", "demo", "--data", "small", "--to", "model", *(w for s in small for w in ("--set", s))],
    ]
    result = []
    for command in commands:
        done = subprocess.run([*base, *command], cwd=folder, capture_output=True, text=True, check=False)
        result.append(f"{command[0]} exit code {done.returncode}")
        if done.returncode:
            print(done.stderr, file=sys.stderr)
    return result


def main() -> None:
    """Run both and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--places", type=int, default=2000)
    parser.add_argument("--service", choices=SERVICES, help="one alone; both by default")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--to", type=Path)
    given_options = parser.parse_args()
    root = given_options.to or Path(tempfile.mkdtemp())
    for source in [given_options.service] if given_options.service else SERVICES:
        folder = root / source
        folder.mkdir(parents=True)
        start = time.monotonic()
        counts = collect(source, folder, given_options.places // len(COUNTRIES), given_options.kills)
        took = time.monotonic() - start
        print(f"\n{source}: {counts['places']} places, {took:.0f} s\n")
        print("| injected | times | answers or images lost |")
        print("|---|---:|---:|")
        for name, (times, lost) in counts.pop("faults").items():
            print(f"| {NAMES[name]} | {times} | {lost} |")
        print(f"| kill -9 of the command | {counts['kills']} | {counts['lost']} |\n")
        print(", ".join(f"{name} {number}" for name, number in counts.items()))
        print("; ".join(accepted(folder)), flush=True)
    print(f"\n{machine()}; {versions('httpx2', 'pyarrow', 'pillow')}")


if __name__ == "__main__":
    main()
