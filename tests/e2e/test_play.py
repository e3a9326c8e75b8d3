"""`lostfound play` and `compare-people` through the real command line: records, files, and bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lostfound.data.dataset import Dataset
from lostfound.play.answers import Answer
from lostfound.play.export import keep_cells
from lostfound.play.places import Places, game_key
from lostfound.play.settings import GameSettings, Mode
from lostfound.play.store import Store
from lostfound.play.study import PlayStudy
from lostfound.predict.model_folder import ModelFolder


@pytest.fixture
def played(dataset_folder: Path, model_folder: Path, tmp_path: Path) -> Callable[[Mode], Path]:
    """The records of a study that two players have finished, the one of them right in every round."""

    def make(mode: Mode) -> Path:
        cells = ModelFolder.open(model_folder).partition
        settings = GameSettings(mode=mode, rounds=4, practice=2, split="all", preset=PRESETS.get(mode))
        places = Places(Dataset.open(dataset_folder), settings, cells)
        folder = tmp_path / "play"
        store = Store.open(folder, game_key(places))
        keep_cells(folder, places.partition)
        study = PlayStudy(places, store, None, None)
        for number, name in enumerate(("Ada", "Bob")):
            game = study.begin(f"{number:024x}", name)
            for each in store.rounds(game.id):
                truth = places.truth(each.image_id)
                answer = Answer((), truth.point) if mode is Mode.map else Answer((truth.answer or "",))
                study.guess(game, each.number, answer if name == "Ada" else Answer(skipped=True))
        store.close()
        return folder

    return make


PRESETS = {Mode.countries: "lost-and-found", Mode.cities: "eight-cities"}


@pytest.mark.parametrize(
    ("mode", "metric", "best"),
    [
        (Mode.countries, "top_1_accuracy", 1.0),
        (Mode.cities, "top_1_accuracy", 1.0),
        (Mode.map, "geoguessr_score", 5000.0),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_was_played_is_exported_and_evaluated(
    mode: Mode, metric: str, best: float, ending: str, played: Any, lostfound: Any, dataset_folder: Path
) -> None:
    folder = played(mode)
    done = lostfound("play", "--to", folder, "--export", folder / f"people.{ending}", "--player", "Ada")
    assert done.returncode == 0, done.stderr
    cells = ("--cells", folder / "cells.parquet") if mode is Mode.cities else ()
    done = lostfound(
        *("evaluate", "--predictions", folder / f"people.{ending}", "--truth", dataset_folder, "--json"),
        *cells,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["metrics"]
    assert found[metric]["value"] == best
    assert found[metric]["n"] == 4
    assert found["answered_share"]["value"] == 1
    if mode is Mode.countries:
        assert "median_distance_km" not in found, "a typed country is no point"


@pytest.mark.parametrize(
    ("mode", "tables"),
    [
        (Mode.countries, ["Human baseline performance"]),
        (Mode.cities, ["Human testing accuracies", "Model validation accuracies"]),
        (Mode.map, []),
    ],
)
def test_people_against_models(
    mode: Mode, tables: list[str], played: Any, lostfound: Any, dataset_folder: Path, model_folder: Path
) -> None:
    folder = played(mode)
    to = folder / "people"
    told = ("--model", f"small={model_folder}", "--to", to)
    done = lostfound("compare-people", folder, dataset_folder, *told)
    assert done.returncode == 0, done.stderr
    for caption in (*tables, "In short", "The players"):
        assert f"{caption}\n" in done.stdout
    assert "small" in done.stdout
    assert (to / "people.html").read_text().count("<section") >= 5
    assert json.loads((to / "people.json").read_text())["guesses"] == 8


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "give DATASET"),
        (("DATA", "--rounds", 400, "--split", "all"), 2, "too few"),
        (("DATA", "--mode", "cities"), 2, "needs cells to choose from"),
        (("DATA", "--mode", "city"), 2, "--mode city: choose of countries, cities, map"),
        (("DATA", "--pixels", "big"), 2, "as in 130x80"),
        (("DATA", "--preset", "ten-cities"), 2, "choose of lost-and-found, eight-cities"),
        (("DATA", "--split", "most"), 2, "no split 'most'"),
        (("DATA", "--player", "Ada"), 2, "go with --export"),
        (("--export", "people.csv", "--to", "nowhere"), 1, "holds no study"),
        (("nowhere",), 1, "is not a data set"),
    ],
)
def test_bad_input(
    arguments: tuple[Any, ...], code: int, said: str, lostfound: Any, dataset_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("segno", reason="the game is not installed: extra 'play'")
    given = [dataset_folder if each == "DATA" else each for each in arguments]
    done = lostfound("play", *given, "--port", 0, cwd=tmp_path)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_one_server_plays_a_study(
    begin: Callable[..., Any], lostfound: Any, dataset_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("segno", reason="the game is not installed: extra 'play'")
    from running_server import RunningServer

    options = (dataset_folder, "--split", "all", "--rounds", 2, "--practice", 0, "--to", tmp_path / "play")
    server = RunningServer(begin, *options, command="play").wait()
    try:
        done = lostfound("play", *options, "--port", 0)
        assert done.returncode == 1
        assert "is being played already" in done.stderr
    finally:
        server.kill()
    server.again()
    server.kill()
