"""The small game as a process, collections from it by the real command, and ways to break them."""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from fork_server import Started
from html_page import CHROMIUM
from PIL import Image

from lostfound.data.dataset import Dataset
from lostfound.world import render

GAME = Path(__file__).parent
USER, PASSWORD = "anna", "correct horse; battery staple"


class SmallGame:
    """The running site, and collections from it."""

    def __init__(self, folder: Path, settings: dict, begin: Callable[..., Started]) -> None:
        self.begin = begin
        self.folder = folder
        self.data = folder / "data"
        self.site = folder / "site"
        self.running: list[Started] = []
        self.server = begin(self.site, json.dumps(settings), script=GAME / "server.py")
        while not (self.site / "port").is_file():
            assert self.server.poll() is None
            time.sleep(0.01)
        address = f"http://127.0.0.1:{(self.site / 'port').read_text()}"
        self.profile = folder / "profile.yaml"
        self.profile.write_text((GAME / "profile.yaml").read_text().replace("SITE", address))

    def change(self, **settings: object) -> None:
        partial = self.site / "settings.partial"
        partial.write_text(json.dumps(settings))
        partial.replace(self.site / "settings.json")

    def start(self, *options: object, **variables: str) -> Started:
        command = ("collect", "browser", self.profile, "--to", self.data)
        options = ("--pace", 0, "--jobs", 1, *options)
        if "--browser" not in options:
            options = ("--browser", str(CHROMIUM), *options)
        if "--timeout" not in options:
            options = ("--timeout", 20, *options)
        secrets = {"SMALL_GAME_USER": USER, "SMALL_GAME_PASSWORD": PASSWORD}
        process = self.begin(*command, *options, env=secrets | variables)
        self.running.append(process)
        return process

    def collect(self, *options: object, **variables: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*options, **variables)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def summary(self, *options: object) -> dict:
        done = self.collect("--json", *options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def events(self, kind: str) -> list[dict]:
        lines = map(json.loads, (self.site / "events.jsonl").read_text().splitlines())
        return [line for line in lines if line["event"] == kind]

    def wait_for(self, kind: str, count: int, process: Started) -> None:
        while len(self.events(kind)) < count:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)

    def counts(self) -> dict:
        """The counts that the ledger holds now."""
        ledger = sqlite3.connect(self.data / "collect" / "browser-small-game.sqlite")
        (text,) = ledger.execute("SELECT value FROM meta WHERE key = 'browser_counts'").fetchone()
        ledger.close()
        return json.loads(text)

    def check(self, rounds: int) -> Dataset:
        """Every stored picture is that of its true place, whole; no round is stored twice, and none lost."""
        dataset = Dataset.open(self.data)
        assert len(dataset) == rounds
        rows = dataset.records.to_pylist()
        assert len({row["original"] for row in rows}) == len({row["image_id"] for row in rows}) == rounds
        for index, row in enumerate(rows):
            stored = np.asarray(Image.open(io.BytesIO(dataset.read(index))).convert("RGB"), dtype=np.int16)
            drawn = render(row["latitude"], row["longitude"], 0.0, size=256)
            assert stored.shape == drawn.shape
            assert np.abs(stored - drawn).mean() < 4, row["original"]
            game, number = row["original"].split("/")
            notes = self.data / "collect" / "browser-small-game-rounds" / f"{game}@{number}.json"
            assert json.loads(notes.read_text())["latitude"] == row["latitude"]
        assert list((self.data / "collect" / "browser-small-game-inbox").iterdir()) == []
        return dataset

    def stop(self) -> None:
        for process in (*self.running, self.server):
            process.kill()
            process.communicate()


def descendants(root: int) -> dict[int, str]:
    """The processes that a process started, directly or not, with their command lines."""
    parents, commands = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
                commands[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
            except OSError:  # it has ended
                continue
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found: dict[int, str] = {}
    front = {root}
    while front:
        front = {child for child, parent in parents.items() if parent in front}
        found |= {each: commands[each] for each in front}
    return found


def kill_one(root: int, *, renderer: bool) -> None:
    """Kill a whole browser, or only its pages' processes (one of them waits for a page to come)."""
    browsers = [
        number
        for number, command in descendants(root).items()
        if "--headless" in command
        and "--type=" not in command
        and not command.startswith("/bin/sh ")  # a script that starts it
    ]
    pages = [number for number, command in descendants(browsers[0]).items() if "--type=renderer" in command]
    assert pages
    for number in pages if renderer else browsers[:1]:
        os.kill(number, signal.SIGKILL)


def lives(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
