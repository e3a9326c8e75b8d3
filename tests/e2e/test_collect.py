"""The collectors as a user runs them: killed, stopped, out of disk or network, and never telling a key."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lostfound.data.dataset import Dataset

spec = importlib.util.spec_from_file_location(
    "collect_services", Path(__file__).parent.parent / "collect" / "services.py"
)
assert spec is not None
assert spec.loader is not None
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
Services, KEY, TOKEN = module.Services, module.KEY, module.TOKEN

SMALL = ("--pixels", "64x48", "--rate", 500, "--jobs", 1, "--timeout", 10, "--patience", 5)
STREET = ("collect", "streetview", "--to", "data", "--country", "France", *SMALL)
GRAPH = (
    *("collect", "mapillary", "--to", "data", "--box", "48.00,2.00,48.08,2.08", "--size", 48),
    *("--rate", 500, "--jobs", 1, "--timeout", 10, "--patience", 5),
)

DELAY_S = 0.02  # before an answer, where a command is killed


@pytest.fixture
def serve(begin: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[..., Services]]:
    started: list[Services] = []

    def start(**settings: object) -> Services:
        started.append(Services(tmp_path / f"services-{len(started)}", begin=begin, **settings))
        return started[-1]

    yield start
    for services in started:
        services.stop()


def originals(folder: Path) -> list[str]:
    dataset = Dataset.open(folder)
    assert all(dataset.read(index) for index in range(len(dataset)))
    return sorted(dataset.records["original"].to_pylist())


def lines(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.is_file() else 0


def killed_at_random(begin, command: tuple, services: Services, cwd: Path, times: int) -> int:
    """Run a command and kill it after some more requests, so many times; then let it finish. Gives the kills.

    After requests, not seconds: a command that starts quickly would be done before its last kill.
    """
    dice, kills = random.Random(7), 0
    environment = services.environment()
    log = services.folder / "requests.jsonl"
    while kills < times:
        before = lines(log)
        running = begin(*command, cwd=cwd, env=environment, stderr=subprocess.DEVNULL)
        wanted = before + (1 if kills % 5 == 4 else dice.randint(1, 8))
        while running.poll() is None and lines(log) < wanted:
            time.sleep(0.001)
        time.sleep(dice.uniform(0, 1.5 * DELAY_S))  # before, while and after it is answered
        running.kill()
        running.communicate()
        if running.returncode != -signal.SIGKILL:
            break
        kills += 1
    last = begin(*command, cwd=cwd, env=environment)
    _, said = last.communicate()
    assert last.returncode == 0, said
    return kills


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "kinds", "parallel", "times"),
    [
        ((*STREET, "--places", 25, "--headings", 3), ("metadata", "view"), 4, 7),
        (GRAPH, ("search", "picture"), 4, 5),
    ],
)
def test_kill_9_twelve_times_in_all_loses_nothing_and_stores_nothing_twice(
    lostfound, begin, serve, tmp_path: Path, command: tuple, kinds: tuple, parallel: int, times: int
):
    calm = serve()
    (tmp_path / "calm").mkdir()
    done = lostfound(*command, cwd=tmp_path / "calm", **calm.environment())
    assert done.returncode == 0, done.stderr
    services = serve(delay=DELAY_S)
    kills = killed_at_random(begin, command, services, tmp_path, times)
    assert kills == times
    collected = originals(tmp_path / "data")
    assert len(set(collected)) == len(collected)
    assert collected == originals(tmp_path / "calm" / "data")
    asked = services.questions(*kinds)
    assert asked.keys() >= calm.questions(*kinds).keys()
    # At each kill, what was in flight, and that alone, is asked once more.
    assert sum(asked.values()) - len(asked) <= kills * parallel


@pytest.mark.slow
def test_killed_while_packing_goes_on_with_the_packing(lostfound, serve, tmp_path: Path, start):
    services = serve()
    command = (*STREET, "--places", 100)
    os.environ.update(services.environment())
    try:
        running = start(*command, cwd=tmp_path)
        running.wait_until(lambda: list(tmp_path.glob("data/.import-*/*.parquet")))
        running.process.kill()
        running.process.wait()
    finally:
        for name in services.environment():
            del os.environ[name]
    asked = services.questions()
    finished = [path.stem for path in tmp_path.glob("data/.import-*/*.parquet")]
    shards = {path: path.stat().st_mtime_ns for path in tmp_path.glob("data/images/*.tar")}
    shards = {path: time for path, time in shards.items() if path.stem.rpartition("-")[2] in finished}
    assert shards
    done = lostfound(*command, cwd=tmp_path, **services.environment())
    assert done.returncode == 0, done.stderr
    assert services.questions() == asked
    assert len(originals(tmp_path / "data")) == 100
    assert {path: path.stat().st_mtime_ns for path in shards} == shards


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_politely_it_finishes_what_is_under_way(
    lostfound, serve, start, tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
):
    services = serve(delay=0.05)
    for name, value in services.environment().items():
        monkeypatch.setenv(name, value)
    command = (*STREET, "--places", 30)
    running = start(*command, cwd=tmp_path)
    running.wait_until(lambda: len(services.requests("view")) > 5 if running_log(services) else False)
    os.kill(running.process.pid, number)
    _, said = running.wait()
    assert running.process.returncode == 130
    assert "stopped; what was finished is kept, and the same command goes on" in said
    done = lostfound(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert max(services.questions().values()) == 1
    assert len(originals(tmp_path / "data")) == 30


def running_log(services: Services) -> bool:
    return (services.folder / "requests.jsonl").is_file()


@pytest.mark.slow
def test_a_second_process_is_kept_out(
    lostfound, serve, start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    services = serve(delay=0.05)
    for name, value in services.environment().items():
        monkeypatch.setenv(name, value)
    running = start(*STREET, "--places", 500, cwd=tmp_path)
    running.wait_until(lambda: running_log(services) and services.requests("view"))
    done = lostfound(*STREET, "--places", 500, cwd=tmp_path)
    assert done.returncode == 1
    assert "another process is collecting into data" in done.stderr


@pytest.mark.slow
class TestDisk:
    @pytest.fixture
    def small_disk(self, tmp_path: Path) -> Iterator[Path]:
        disk = tmp_path / "disk"
        disk.mkdir()
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", disk], capture_output=True)
        if made.returncode:
            pytest.skip("a small disk can't be mounted here")
        yield disk
        subprocess.run(["umount", disk], check=True)

    def test_that_fills_up_stops_it_before_anything_is_asked_in_vain(
        self, lostfound, serve, small_disk: Path
    ):
        services = serve()
        command = (*STREET, "--places", 60, "--headings", 2)
        (small_disk / "other").write_bytes(bytes(7_600_000))
        full = lostfound(*command, cwd=small_disk, **services.environment())
        assert full.returncode == 1
        assert "make room on the disk, then run the same command again" in full.stderr
        assert "Traceback" not in full.stderr
        assert 0 < len(services.requests("view")) < 120
        (small_disk / "other").unlink()
        done = lostfound(*command, cwd=small_disk, **services.environment())
        assert done.returncode == 0, done.stderr
        assert max(services.questions().values()) == 1
        assert len(originals(small_disk / "data")) == 120

    def test_that_is_full_when_packing_loses_nothing(self, lostfound, serve, small_disk: Path):
        services = serve()
        command = (*STREET, "--places", 60)
        done = lostfound(*command, cwd=small_disk, **services.environment())
        assert done.returncode == 0, done.stderr
        stored = originals(small_disk / "data")
        with (small_disk / "other").open("wb") as other:
            for _ in range(40):
                try:
                    other.write(bytes(1 << 20))
                    other.flush()
                except OSError:
                    break
        full = lostfound(*(*command[:-1], 70), cwd=small_disk, **services.environment())
        assert full.returncode == 1
        assert "Traceback" not in full.stderr
        (small_disk / "other").unlink()
        assert originals(small_disk / "data") == stored
        done = lostfound(*(*command[:-1], 70), cwd=small_disk, **services.environment())
        assert done.returncode == 0, done.stderr
        assert set(originals(small_disk / "data")) > set(stored)
        assert max(services.questions("view").values()) == 1


@pytest.mark.slow
def test_a_network_that_goes_and_comes_back(
    begin: Callable[..., Any], lostfound, serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    services = serve()
    command = (*STREET, "--places", 40, "--patience", 1)
    environment = services.environment()
    assert lostfound(*command, "--max-requests", 30, cwd=tmp_path, **environment).returncode == 0
    services.stop()
    gone = lostfound(*command, cwd=tmp_path, **environment)
    assert gone.returncode == 1
    assert "no connection" in gone.stderr
    assert "run the same command again later" in gone.stderr
    assert "Traceback" not in gone.stderr
    monkeypatch.setenv("PORT", services.base.rpartition(":")[2])
    again = Services(services.folder, begin=begin)
    try:
        done = lostfound(*command, cwd=tmp_path, **environment)
    finally:
        again.stop()
    assert done.returncode == 0, done.stderr
    assert max(services.questions().values()) == 1
    assert len(originals(tmp_path / "data")) == 40


@pytest.mark.slow
def test_the_key_is_nowhere(lostfound, serve, tmp_path: Path):
    faults = {"500": 0.1, "truncate": 0.1, "UNKNOWN_ERROR": 0.1, "code2": 0.1, "grey": 0.05}
    services = serve(faults=faults)
    here = tmp_path / "here"
    here.mkdir()
    secret = {"LOSTFOUND_STREETVIEW_SECRET": "vNIXE0xscrmjlyV-12Nj_BvUPaw="}
    commands = (
        (*STREET, "--places", 10),
        ("--debug", *STREET, "--places", 20, "--max-cost", 0.2),
        (*GRAPH[:3], "other", *GRAPH[4:], "--per-box", 20),
    )
    said = [lostfound(*command, cwd=here, **services.environment(), **secret) for command in commands]
    for always in ("REQUEST_DENIED", "truncate"):
        services.change(always=always)
        command = ("--debug", *STREET, "--places", 50, "--patience", 0.2, "--max-cost", 5)
        said.append(lostfound(*command, cwd=here, **services.environment()))
    wrong = {"LOSTFOUND_STREETVIEW_KEY": KEY + "x", "LOSTFOUND_MAPILLARY_TOKEN": TOKEN + "x"}
    services.change()
    said.append(lostfound(*STREET, "--places", 60, cwd=here, **services.environment() | wrong))
    said.append(lostfound(*GRAPH, "--per-box", 3, cwd=here, **services.environment() | wrong))
    assert [done.returncode for done in said[:3]] == [0, 0, 0], said[0].stderr
    assert {done.returncode for done in said[3:]} == {1}
    text = "".join(done.stdout + done.stderr for done in said).encode()
    text += b"".join(path.read_bytes() for path in here.rglob("*") if path.is_file())
    assert len(text) > 100_000
    for part in (
        "AIzaSy",
        "test/key",
        "test%2Fkey",
        "7242424242424247",
        "0123456789abcdef",
        "vNIXE0xs",
        "signature",
    ):
        assert part.encode() not in text, part


@pytest.mark.slow
def test_a_dry_run_asks_nothing_needs_no_key_and_makes_nothing(lostfound, serve, tmp_path: Path):
    services = serve()
    where = {name: value for name, value in services.environment().items() if name.endswith("URL")}
    command = (*STREET, "--places", 100, "--headings", 3, "--json", "--dry-run")
    done = lostfound(*command, cwd=tmp_path, **where)
    assert done.returncode == 0, done.stderr
    estimate = json.loads(done.stdout)
    assert (estimate["places"], estimate["images"], estimate["requests"]) == (100, 300, 400)
    assert estimate["cost"] == pytest.approx(2.1)
    assert estimate["within_budget"]
    assert services.requests() == []
    assert not (tmp_path / "data").exists()
    lostfound(*STREET, "--places", 10, "--headings", 3, cwd=tmp_path, **services.environment())
    later = json.loads(lostfound(*command, cwd=tmp_path, **where).stdout)
    assert (later["done"], later["images_held"], later["requests"]) == (10, 30, 360)
    assert later["cost"] == pytest.approx(1.89)
    assert later["spent"] == pytest.approx(0.21)


@pytest.mark.slow
def test_the_summary_as_json(lostfound, serve, tmp_path: Path):
    services = serve(bare=[[30, -32, 44, -4]])
    command = (*STREET, "--country", "Portugal", "--places", 10, "--max-misses", 20, "--json")
    done = lostfound(*command, cwd=tmp_path, **services.environment())
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    kinds = Counter(line["kind"] for line in services.requests())
    assert said["hits"] == said["images_collected"] == said["images_in_the_data_set"] == kinds["view"] == 10
    assert said["hits"] + said["misses"] + said["duplicates"] == kinds["metadata"]
    assert said["requests"] == sum(kinds.values())
    assert said["cost_usd"] == pytest.approx(0.07)
    assert list(said["no_coverage"]) == ["PT"]
    printed = lostfound(*command[:-1], cwd=tmp_path, **services.environment()).stdout
    assert "No coverage in Portugal (PT): given up after 2" in printed


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ((*STREET, "--places", 5), "LOSTFOUND_STREETVIEW_KEY is not set"),
        (GRAPH, "LOSTFOUND_MAPILLARY_TOKEN is not set"),
        (STREET, "--places 100"),
        ((*STREET, "--places", 5, "--pixels", "big"), "--pixels big"),
        ((*STREET, "--places", 5, "--headings", 99), "99 headings"),
        ((*STREET, "--places", 5, "--sampler", "roads"), "'roads' is not one of"),
        ((*GRAPH, "--places", 5), "not both"),
        ((*GRAPH, "--since", "soon"), "no day"),
    ],
)
@pytest.mark.slow
def test_wrong_usage_is_exit_code_2_and_makes_nothing(
    lostfound, tmp_path: Path, command: tuple, message: str
):
    done = lostfound(*command, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_stats_prepare_and_train_take_what_was_collected(lostfound, serve, tiny: list[str], tmp_path: Path):
    services = serve(side=64)
    street = (*STREET, "--country", "Japan", "--places", 24)
    assert lostfound(*street, cwd=tmp_path, **services.environment()).returncode == 0
    assert lostfound(*GRAPH, cwd=tmp_path, **services.environment()).returncode == 0
    stats = json.loads(lostfound("stats", "data", "--json", cwd=tmp_path).stdout)
    assert stats["sources"].keys() == {"streetview", "mapillary"}
    assert lostfound("prepare", "data", "--to", "small", "--size", 32, cwd=tmp_path).returncode == 0
    tiny = [*tiny, "trainer.epochs=1"]
    changed = [word for each in tiny for word in ("--set", each)]
    trained = lostfound("train", "demo", "--data", "small", "--to", "model", *changed, cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert (tmp_path / "model" / "model.onnx").is_file()
