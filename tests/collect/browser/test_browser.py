"""The browser collector through the real command line, in a real Chromium, on the small game."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml
from html_page import needs_browser
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent / "game"))
from small_game import PASSWORD, SmallGame, descendants, kill_one, lives

pytestmark = [
    needs_browser,
    pytest.mark.skipif(
        importlib.util.find_spec("playwright") is None, reason="playwright is not installed: extra 'browser'"
    ),
]


@pytest.fixture
def small_game(tmp_path: Path, begin):
    started: list[SmallGame] = []

    def start(**settings: object) -> SmallGame:
        started.append(SmallGame(tmp_path, settings, begin))
        return started[-1]

    yield start
    for site in started:
        site.stop()


@pytest.mark.slow
def test_pictures_and_places_of_games_become_records(small_game):
    game = small_game()
    done = game.collect("--rounds", 6, "--workers", 2)
    assert done.returncode == 0, done.stderr
    dataset = game.check(6)
    row = dataset.records.to_pylist()[0]
    assert row["source"] == "browser-small-game"
    assert row["place_id"].startswith("browser-small-game/w5-")
    assert row["license"] == "generated, not a photo"
    assert row["country"] in {"FR", "JP", "BR", "KE"}
    guesses = Counter((each["game"], each["round"]) for each in game.events("guessed"))
    assert len(guesses) == 6
    given = Counter(each["game"] for each in game.events("given"))
    assert set(given.values()) == {1}
    assert len(game.events("login")) == 1, "the second worker and later games find the session"
    session = game.data / "collect" / "browser-small-game-session.json"
    assert session.stat().st_mode & 0o077 == 0
    everything = [
        done.stdout,
        done.stderr,
        *(p.read_bytes().decode("latin-1") for p in game.data.rglob("*.*")),
    ]
    assert not any(PASSWORD in text for text in everything)


@pytest.mark.slow
def test_more_rounds_go_on_with_the_session_and_the_game_left_unfinished(small_game):
    game = small_game()
    assert game.summary("--rounds", 3)["this_run"] == {"rounds": 3}
    summary = game.summary("--rounds", 6)
    assert summary["counts"] == {"rounds": 6}
    game.check(6)
    assert len(game.events("given")) == 2
    assert len(game.events("login")) == 1
    assert game.summary("--rounds", 6)["this_run"] == {}


@pytest.mark.slow
def test_a_dry_run_says_what_each_step_found_and_stores_nothing(small_game):
    game = small_game()
    done = game.collect("--dry-run")
    assert done.returncode == 0, done.stderr
    for said in (
        "login",
        "signed in",
        "g0001",
        ".hud: 1 element",
        "256x256 pixels, 4 images",
        "result.longitude",
    ):
        assert said in done.stdout
    assert not (game.data / "dataset.json").exists()
    assert not list(game.data.rglob("browser-small-game.sqlite"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("renamed", "step"), [("guess", "guess.2 (click #guess)"), ("view", "picture.element (#view)")]
)
def test_a_selector_that_no_longer_matches_is_named_with_a_screenshot(small_game, renamed: str, step: str):
    game = small_game(renamed=renamed)
    done = game.collect("--rounds", 2, "--timeout", 5)
    assert done.returncode == 1
    assert f"step {step}: not possible within 5 s" in done.stderr
    (shot,) = (game.data / "collect").glob("*-failed-*.png")
    assert str(shot) in done.stderr
    with Image.open(shot) as picture:
        assert picture.size == (480, 640)
    assert not (game.data / "dataset.json").exists()
    if renamed == "view":  # mended; after the other it is the same
        game.change(renamed="")
        game.summary("--rounds", 2)
        game.check(2)


@pytest.mark.slow
def test_a_refused_login_says_which_variables_and_not_what_they_hold(small_game):
    game = small_game()
    done = game.collect("--rounds", 5, SMALL_GAME_PASSWORD="wrong but secret")
    assert done.returncode == 1
    assert "failed: the site says 'Wrong name or password.'" in done.stderr
    assert "SMALL_GAME_USER, SMALL_GAME_PASSWORD" in done.stderr
    assert "wrong but secret" not in done.stdout + done.stderr
    assert len(game.events("login")) == 1
    assert (game.data / "collect" / "browser-small-game-failed-login.png").is_file()


@pytest.mark.slow
def test_a_missing_secret_and_a_missing_browser_are_wrong_usage(small_game, tmp_path: Path):
    game = small_game()
    done = game.collect("--rounds", 1, SMALL_GAME_PASSWORD="")
    assert (done.returncode, "SMALL_GAME_PASSWORD is not set" in done.stderr) == (2, True)
    done = game.collect("--rounds", 1, "--browser", tmp_path / "none")
    assert (done.returncode, "none is no program" in done.stderr) == (2, True)
    assert not game.data.exists()


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["tiles_fail", "pictures_fail"])
def test_an_error_instead_of_an_image_is_counted_and_not_stored(small_game, fault: str):
    game = small_game(**{fault: 2})
    summary = game.summary("--rounds", 3)
    assert summary["counts"]["error pictures"] == len(
        {(e["game"], e["round"]) for e in game.events("failed")}
    )
    assert summary["counts"]["error pictures"] >= 2
    game.check(3)


@pytest.mark.slow
def test_crashed_pages_and_killed_browsers_are_replaced(small_game):
    game = small_game()
    process = game.start("--json", "--rounds", 8, "--workers", 2)
    game.wait_for("guessed", 2, process)
    kill_one(process.pid, renderer=True)
    game.wait_for("guessed", 5, process)
    kill_one(process.pid, renderer=False)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert json.loads(out)["counts"]["restarts"] == 2
    game.check(8)


@pytest.mark.slow
def test_a_page_that_hangs_is_replaced(small_game):
    game = small_game(hang=True)
    process = game.start("--json", "--rounds", 1, "--timeout", 20)
    game.wait_for("given", 1, process)
    time.sleep(1)
    game.change(hang=False)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert json.loads(out)["counts"]["restarts"] >= 1
    game.check(1)


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on_without_a_loss(small_game):
    game = small_game(delay_s=0)
    for guesses in (2, 4):
        process = game.start("--rounds", 7, "--workers", 2)
        game.wait_for("guessed", guesses, process)
        browsers = descendants(process.pid)
        process.kill()
        process.communicate()
        until = time.monotonic() + 20
        while any(Path(f"/proc/{number}/fd").is_dir() and "chromium" in command and lives(number)
                  for number, command in browsers.items()):  # fmt: skip
            assert time.monotonic() < until, "a browser stayed behind"
            time.sleep(0.05)
    summary = game.summary("--rounds", 7, "--workers", 2)
    assert summary["counts"].get("rounds without a picture", 0) == 0
    game.check(7)
    assert len(game.events("guessed")) == 7, "every round that was guessed is stored"


@pytest.mark.slow
def test_after_ctrl_c_the_same_command_goes_on(small_game):
    game = small_game()
    process = game.start("--rounds", 4, "--workers", 2)
    game.wait_for("guessed", 2, process)
    for number in (process.pid, *descendants(process.pid)):
        if os.getpgid(number) == os.getpgid(process.pid):
            os.kill(number, signal.SIGINT)  # as a terminal does
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "the same command goes on" in err
    assert "Traceback" not in err
    summary = game.summary("--rounds", 4, "--workers", 2)
    assert summary["counts"].get("restarts", 0) == 0
    game.check(4)
    assert len(game.events("guessed")) == 4


@pytest.mark.slow
def test_workers_never_join_the_same_game(small_game):
    game = small_game(one_game=True)
    summary = game.summary("--rounds", 4, "--workers", 2)
    assert summary["counts"]["duplicate games"] > 0
    game.check(4)
    assert len(game.events("guessed")) == 4


@pytest.mark.slow
def test_without_a_word_from_the_page_the_picture_is_complete_too(small_game):
    game = small_game(delay_s=0.1, tiles_fail=2)
    values = yaml.safe_load(game.profile.read_text())
    del values["picture"]["ready"], values["picture"]["quiet_s"]
    values["picture"]["sources"] = ["*/tile/*"]
    values["result"]["latitude"] = {"response": "*/guess/*", "path": "truth.position.0"}
    game.profile.write_text(yaml.safe_dump(values))
    assert game.summary("--rounds", 2)["counts"]["error pictures"] >= 1
    game.check(2)


@pytest.mark.slow
def test_a_site_that_fails_for_a_while_is_waited_for(small_game):
    game = small_game(site_fails=2)
    summary = game.summary("--rounds", 1)
    assert summary["counts"]["errors"] == 2
    game.check(1)
