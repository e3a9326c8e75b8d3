from __future__ import annotations

from lostfound.cli.output.models import located_text
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
