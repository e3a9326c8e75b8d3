"""People against models: numbers that can be told by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lostfound.data.dataset import Dataset
from lostfound.errors import DatasetError
from lostfound.play.agreement import fleiss_kappa
from lostfound.play.answered import read_answered
from lostfound.play.answers import Answer
from lostfound.play.comparing import compare_people
from lostfound.play.comparing_page import render, tables
from lostfound.play.opponents import Opponent
from lostfound.play.settings import Mode, preset
from lostfound.play.study import PlayStudy
from lostfound.predict.locator import Locator

Make = Callable[..., PlayStudy]


def plays(study: PlayStudy, number: int, name: str, answer: Callable[[str, int], Answer]) -> None:
    """A whole game; the answer is a function of the true country's code and the round."""
    game = study.begin(f"{number:024x}", name)
    for each in study.store.rounds(game.id):
        truth = study.places.truth(each.image_id).answer or ""
        study.guess(game, each.number, answer(truth, each.number))


def right(truth: str, _: int) -> Answer:
    return Answer((truth,), clues=("road",))


def wrong(truth: str, _: int) -> Answer:
    return Answer(("IS",))


def right_late(truth: str, number: int) -> Answer:
    return Answer((truth,)) if number > 4 else Answer(("IS", truth))


@pytest.fixture
def opponent(model_folder: Path) -> Opponent:
    return Opponent(Locator.load(model_folder), "model")


def test_who_is_right_and_who_learns(
    study: Make, dataset_folder: Path, tmp_path: Path, opponent: Opponent
) -> None:
    one = study(rounds=6, practice=2)
    for number, (name, how) in enumerate(
        (("Ada", right), ("Bob", wrong), ("Cyd", right_late), ("Dan", right), ("Eve", right))
    ):
        plays(one, number, name, how)
    answered = read_answered(tmp_path / "play", Dataset.open(dataset_folder), [opponent])
    found = compare_people(answered)
    people = {each.metric: each.score.value for each in found.standings if each.who == "people"}
    # Cyd is right at once in 4 of 6 rounds, and at the second guess in the 2 before
    assert people["top_1_accuracy"] == pytest.approx((6 + 0 + 4 + 6 + 6) / 30)
    assert people["top_3_accuracy"] == pytest.approx(24 / 30)
    assert [(each.name, each.scores["top_1_accuracy"], each.practice) for each in found.players] == [
        ("Ada", 1.0, 1.0),
        ("Dan", 1.0, 1.0),
        ("Eve", 1.0, 1.0),
        ("Cyd", pytest.approx(4 / 6), 0.0),
        ("Bob", 0.0, 0.0),
    ]
    assert found.change is not None
    assert found.change.value == pytest.approx(12 / 15 - 10 / 15)
    clues = {each.name: (each.n, each.people) for each in found.clues}
    assert clues == {"road": (18, 1.0), "none said": (12, pytest.approx(4 / 12))}
    assert found.agreement is not None
    assert (found.agreement.pictures, found.agreement.pairs) == (6, 60)
    models = [each for each in found.standings if each.who == "model" and each.metric == "top_1_accuracy"]
    assert models[0].by_place is not None
    assert models[0].by_player is not None
    assert models[0].by_place.value == pytest.approx(people["top_1_accuracy"] - models[0].score.value)
    assert models[0].by_place.value == pytest.approx(models[0].by_player.value)
    page = render(found)
    assert "Learning" in page
    assert "Fleiss" in page


def test_known_places_and_long_times_are_left_out_and_said(
    study: Make, dataset_folder: Path, tmp_path: Path
) -> None:
    one = study(rounds=4, practice=0)
    plays(one, 0, "Ada", lambda truth, number: Answer((truth,), known=number == 1))
    one.store._connection.execute("UPDATE guesses SET seconds = round * 40")
    found = compare_people(read_answered(tmp_path / "play", Dataset.open(dataset_folder), []), 130)
    assert found.answered.known == 1
    assert found.beyond == 1, "160 s"
    assert found.players[0].seconds == 100, "the middle of 80 and 120 s"
    assert [each.name for each in found.times] == ["40 to 130 s"]
    notes = " ".join(note for told in tables(found) for note in told.notes)
    assert "1 guesses at places that the player knew are left out" in notes
    assert "Times beyond 130 s are left out (1 of 3)" in notes
    assert "Intervals by player need 5 players or more" in notes


def test_the_tables_of_the_two_protocols(study: Make, dataset_folder: Path, tmp_path: Path) -> None:
    own = {"rounds": 4, "practice": 2}
    lost = {name: value for name, value in preset("lost-and-found").items() if name != "mode"}
    plays(study(Mode.countries, **(lost | own)), 0, "Ada", right_late)
    found = compare_people(read_answered(tmp_path / "play", Dataset.open(dataset_folder), []))
    first = tables(found)[0]
    assert first.heads == ("Who", "#Images", "#Top-1 (%)", "#Top-3 (%)", "#Top-5 (%)")
    assert first.rows == [("Ada", "4", "50.0", "100.0", "100.0")]


def test_of_another_data_set(study: Make, dataset_folder: Path, tmp_path: Path) -> None:
    one = study(rounds=2, practice=0)
    dataset = Dataset.open(dataset_folder)
    with pytest.raises(DatasetError, match="nobody has answered"):
        read_answered(tmp_path / "play", dataset, [])
    plays(one, 0, "Ada", right)
    other = Dataset(dataset.folder, dataset.records, {**dataset.info, "records_sha256": "other"})
    with pytest.raises(DatasetError, match="played with another data set"):
        read_answered(tmp_path / "play", other, [])


def test_kappa_of_fleiss() -> None:
    # the example of Fleiss (1971) as it is usually given: 10 subjects, 14 raters, 5 categories
    counts = np.array(
        [
            [0, 0, 0, 0, 14],
            [0, 2, 6, 4, 2],
            [0, 0, 3, 5, 6],
            [0, 3, 9, 2, 0],
            [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0],
            [3, 2, 6, 3, 0],
            [2, 5, 3, 2, 2],
            [6, 5, 2, 1, 0],
            [0, 2, 2, 3, 7],
        ]
    )
    answers: list[list[Any]] = [
        [str(c) for c, times in enumerate(row) for _ in range(times)] for row in counts
    ]
    assert fleiss_kappa(answers) == pytest.approx(0.210, abs=5e-4)
    assert fleiss_kappa([["a", "a"], ["b", "b"]]) == 1
    assert fleiss_kappa([["a", "a"], ["a", "a"]]) is None
