"""The server is killed while people play: no guess is lost, none counts twice."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from running_server import ask

from lostfound.play.store import read_study

pytest.importorskip("segno", reason="the game is not installed: extra 'play'")

CODES = ("FR", "JP", "BR", "KE")
PLAYERS, KILLS = 3, 8


def insist(url: str, body: object = None) -> Any:
    """As the page does: ask until the server answers."""
    while True:
        try:
            status, said = ask(url, body)
        except (HTTPException, OSError, ValueError):  # an answer that a kill cut off is none
            time.sleep(0.02)
            continue
        assert status in (200, 201), said
        return said


def play(server: str, number: int, told: dict[tuple[int, int], str], ends: threading.Event) -> None:
    """One player's games, one after another; what was sent first in a round is noted before it is sent."""
    game = insist(f"{server}/api/games", {"key": f"{number:024x}", "name": f"P{number}"})["game"]
    draw = random.Random(number)
    while not ends.is_set():
        state = insist(f"{server}/api/games/{game}")
        if state["over"]:
            return
        at = state["round"]["number"]
        code = told.setdefault((number, at), draw.choice(CODES))
        insist(f"{server}/api/games/{game}/rounds/{at}", {"ranked": [code]})
        again = insist(f"{server}/api/games/{game}/rounds/{at}", {"ranked": [draw.choice(CODES)]})
        assert again["other"] in (None, *("France", "Japan", "Brazil", "Kenya"))


@pytest.mark.slow
def test_killed_again_and_again(start_game: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "play"
    server = start_game("--rounds", 40, "--practice", 8, to=folder)
    told: dict[tuple[int, int], str] = {}
    ends = threading.Event()
    failed: list[BaseException] = []

    def run(number: int) -> None:
        try:
            play(server.url, number, told, ends)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(PLAYERS)]
    for thread in threads:
        thread.start()
    most = PLAYERS * 48
    for kill in range(KILLS):
        while len(told) < (kill + 1) * most // (KILLS + 2) and not failed:
            time.sleep(0.001)
        server.kill()
        server.again()
    for thread in threads:
        thread.join(300)
    ends.set()
    assert failed == []
    _, guesses = read_study(folder)
    kept = {(int(each.player[1:]), each.round): each.answer.ranked for each in guesses}
    assert len(guesses) == most, "each round of each player has one guess"
    assert kept == {key: (code,) for key, code in told.items()}, "and it is the one that came first"
    for number in range(PLAYERS):
        images = [each.image_id for each in guesses if each.player == f"P{number}"]
        assert len(set(images)) == 48, "no picture twice"
