"""What the browser collector loses, and stores twice, when browsers crash and the command is killed.

    python benchmarks/collect_browser.py [--rounds 200] [--workers 4] [--to FOLDER]

Plays the game of `tests/collect/browser/game` in real Chromium by the real command. Every 17th round has an
error page (status 500) in place of a part of its picture, every 23rd is a picture that says so (status 200).
At a quarter of the rounds a page crashes, at a half a whole browser is killed, at three quarters the command
itself is killed with -9 and started again. The game's own log is the truth: every round that was guessed must
be in the data set once, with the picture of its own place. Then `stats`, `prepare` and `train` take it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from machine import machine, versions

from collect import accepted

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "collect" / "browser" / "game"))
from small_game import SmallGame, kill_one


def main() -> None:
    """Collect under fire and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--to", type=Path)
    options = parser.parse_args()
    folder = options.to or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    game = SmallGame(folder, {"tiles_fail": 17, "pictures_fail": 23, "places": 2 * options.rounds})
    arguments = ("--json", "--rounds", options.rounds, "--workers", options.workers)
    start = time.monotonic()
    try:
        process = game.start(*arguments)
        game.wait_for("guessed", options.rounds // 4, process)
        kill_one(process.pid, renderer=True)
        game.wait_for("guessed", options.rounds // 2, process)
        kill_one(process.pid, renderer=False)
        game.wait_for("guessed", options.rounds * 3 // 4, process)
        process.kill()
        process.communicate()
        restarts = game.counts()["restarts"]
        process = game.start(*arguments)
        out, err = process.communicate()
    finally:
        took = time.monotonic() - start
        game.stop()
    if process.returncode:
        raise SystemExit(err)
    summary = json.loads(out)
    dataset = game.check(options.rounds)
    guessed = Counter((each["game"], str(each["round"])) for each in game.events("guessed"))
    failed = {(each["game"], str(each["round"])) for each in game.events("failed")}
    stored = Counter(tuple(name.split("/")) for name in dataset.records["original"].to_pylist())
    lost = guessed.keys() - failed - stored.keys()
    print(f"\n{options.rounds} rounds, {options.workers} workers, {took:.0f} s\n")
    print("| injected | times |\n|---|---:|")
    print("| a page crashed (its process killed) | 1 |\n| a browser killed | 1 |")
    print("| the command killed with -9 | 1 |")
    print(f"| an error page in place of an image, or a picture that says so | {len(failed)} |")
    print("\n| what came of it | rounds |\n|---|---:|")
    print(f"| guessed | {len(guessed)} |\n| stored | {len(stored)} |")
    print(f"| errors told from pictures, and not stored | {summary['counts']['error pictures']} |")
    print(f"| lost | {len(lost)} |\n| stored twice | {sum(stored.values()) - len(stored)} |\n")
    print(f"counts: {summary['counts']}; restarts before the command was killed: {restarts}")
    games = Counter(each["game"] for each in game.events("given"))
    print(f"games given {len(games)}, given to more than one worker {sum(n > 1 for n in games.values())}")
    print("; ".join(accepted(folder)), flush=True)
    print(f"\n{machine()}; {versions('playwright', 'pyarrow')}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    main()
