from __future__ import annotations

from pathlib import Path

import pytest

from lostfound.cli.output.located import Format, write_located
from lostfound.cli.output.models import located_text, missed_accuracy
from lostfound.predict.calibration import Calibration
from lostfound.predict.guess import Candidate, Guess
from lostfound.predict.outputs import LocatedPhoto


def guess(probability: float | None = 0.6) -> Guess:
    return Guess((Candidate("HR", "Croatia", probability, 45.0, 16.0, "HR"),))


def test_photos_of_one_place_share_a_row():
    together = guess()
    text = located_text([LocatedPhoto("a.jpg", together), LocatedPhoto("b.jpg", together)])
    assert text.count("Croatia") == 1
    assert "a.jpg" in text
    assert "b.jpg" in text


def test_photos_that_are_answered_alike_have_rows_of_their_own():
    text = located_text([LocatedPhoto("a.jpg", guess()), LocatedPhoto("b.jpg", guess())])
    assert text.count("Croatia") == 2


def test_unreadable_photos_are_all_listed():
    text = located_text([LocatedPhoto("a.jpg", None, "damaged"), LocatedPhoto("b.jpg", None, "empty")])
    assert "damaged" in text
    assert "empty" in text


def test_a_model_without_cells_shows_no_probability():
    assert "%" not in located_text([LocatedPhoto("a.jpg", guess(None))])


def test_it_is_said_where_no_doubt_makes_a_model_right_as_often_as_asked():
    about = {"images": 28, "accuracy_asked": 0.5, "accuracy_of_answers": 0.25, "answered": 1.0}
    said = missed_accuracy(Calibration(about=about))
    assert said is not None
    assert "right for 50 % of what it answers" in said
    assert "100 % of the 28 images" in said
    assert "right for 25 % of those" in said
    assert missed_accuracy(Calibration(about=about | {"accuracy_of_answers": 0.5})) is None
    assert missed_accuracy(Calibration()) is None  # of coordinates, or never calibrated


def unsure(*, abstained: bool) -> Guess:
    why = "nothing in it speaks clearly for one place: the best of 169 candidates has 4.1 %"
    candidates = tuple(
        Candidate("BO", name, 0.04, 0.0, 0.0, "BO")
        for name in ("Bosnia and Herzegovina", "United Arab Emirates")
    )
    return Guess(candidates, (-33.86785, 151.20732), 1234.0, 18_765.0, why, abstained)


def test_radii_are_told():
    text = located_text([LocatedPhoto("a.jpg", Guess(guess().candidates, (45.0, 16.0), 0.94, 2287.0))])
    for words in ("45.000, 16.000", "50 % within 940 m", "90 % within 2,300 km"):
        assert words in text
    assert "always-answer" not in text


def test_an_abstention_says_why_and_gives_no_place():
    text = located_text([LocatedPhoto("a.jpg", unsure(abstained=True)), LocatedPhoto("b.jpg", guess())])
    assert "I don't know" in text
    assert "nothing in it speaks" in text
    assert "151.207" not in text
    assert "km" not in text
    assert "Bosnia" in text
    assert "--always-answer" in text


def test_an_answer_that_was_asked_for_comes_with_its_warning():
    text = located_text([LocatedPhoto("a.jpg", unsure(abstained=False))])
    assert "-33.868, 151.207" in text
    assert "beware: nothing in it" in text
    assert "always-answer" not in text


@pytest.mark.parametrize("abstained", [True, False])
def test_it_fits_80_columns(abstained: bool):
    same = unsure(abstained=abstained)
    names = [f"photos/IMG_2024010{day}.jpg" for day in range(3)]
    text = located_text([LocatedPhoto(name, same) for name in names])
    assert max(map(len, text.splitlines())) <= 80
    assert all(f"{name} " in text for name in names)


def test_a_file_is_said_with_how_many_photos_it_does_not_know(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    answers = [LocatedPhoto("a.jpg", unsure(abstained=True)), LocatedPhoto("b.jpg", guess())]
    write_located(answers, Format.csv, tmp_path / "a.csv")
    assert '"I don\'t know": 1 of 2 photos; ' in capsys.readouterr().err
    write_located(answers[1:], Format.csv, tmp_path / "b.csv")
    assert "know" not in capsys.readouterr().err
