"""The page of an explanation: whole, harmless and really drawn."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from html_page import ATTACK, Page, needs_browser

from lostfound.data.jpeg import encode_jpeg
from lostfound.errors import LostFoundError
from lostfound.pages.explanation import render_explanation, write_explanation
from lostfound.predict.explain import EvidenceMap, Explanation
from lostfound.predict.guess import Candidate, Guess
from lostfound.predict.similar import SimilarPhoto

JAPAN = Candidate("JP", "Japan", 0.4, 36.0, 138.0, "JP")
KENYA = Candidate("KE", "Kenya", 0.3, 0.2, 37.9, "KE")
VALUES = np.array([[4, 0], [-1, 0.5]], dtype=np.float32)
PICTURE = np.full((96, 96, 3), 120, dtype=np.uint8)


def jpeg() -> bytes:
    from PIL import Image

    return encode_jpeg(Image.fromarray(PICTURE), quality=80)


def similar(name: str = "road.jpg", at: tuple[float, float] | None = (35.0, 135.0)) -> SimilarPhoto:
    latitude, longitude = at or (None, None)
    return SimilarPhoto(
        "a" * 16, name, 0.91, latitude, longitude, "JP", None if at is None else 310.0, jpeg()
    )


def explanation(**changes: object) -> Explanation:
    maps = (
        EvidenceMap("answer", JAPAN, "class activation", VALUES),
        EvidenceMap("runner-up", KENYA, "class activation", VALUES),
        EvidenceMap("answer", JAPAN, "probability", VALUES),
        EvidenceMap("answer", JAPAN, "distance", np.abs(100 * VALUES)),
        EvidenceMap("runner-up", KENYA, "probability", VALUES),
    )
    values = {
        "guess": Guess((JAPAN, KENYA)),
        "picture": PICTURE,
        "maps": maps,
        "similar": (similar(),),
    }
    return Explanation(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.slow
def test_everything_is_written_and_nothing_else(tmp_path: Path) -> None:
    written = write_explanation(tmp_path / "why", explanation(), name="photo.jpg")
    assert sorted(path.name for path in written) == [
        "answer-class-activation.png",
        "answer-distance.png",
        "answer-probability.png",
        "explanation.html",
        "explanation.json",
        "runner-up-class-activation.png",
        "runner-up-probability.png",
    ]
    assert sorted((tmp_path / "why").iterdir()) == sorted(written)
    numbers = json.loads((tmp_path / "why" / "explanation.json").read_text())
    assert numbers["photo"] == "photo.jpg"
    assert "not measurements" in numbers["note"]
    assert numbers["maps"][2] == {
        "role": "answer",
        "candidate": numbers["guess"]["candidates"][0],
        "measure": "probability",
        "unit": "points",
        "values": [[4.0, 0.0], [-1.0, 0.5]],
    }


@pytest.mark.slow
def test_pictures_of_an_earlier_explanation_go_and_other_files_stay(tmp_path: Path) -> None:
    write_explanation(tmp_path, explanation(), name="photo.jpg")
    (tmp_path / "mine.png").touch()
    write_explanation(tmp_path, explanation(maps=explanation().maps[:1]), name="photo.jpg")
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["answer-class-activation.png", "mine.png"]


@pytest.mark.slow
def test_a_page_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "explanation.html").mkdir()
    with pytest.raises(LostFoundError, match="Can't write"):
        write_explanation(tmp_path, explanation(), name="photo.jpg")


def test_the_page_says_that_it_is_an_estimate() -> None:
    page = render_explanation(explanation(), title="Why?", note="Model: mine.")
    assert "not a measurement" in page
    assert "what moved this model, not what is true of the place" in page
    assert "Model: mine." in page


def test_maps_of_a_measure_share_their_legend() -> None:
    data = Page(render_explanation(explanation(), title="Why?")).data("explanation")
    by_measure = {(each["role"], each["measure"]): (each["low"], each["high"]) for each in data["maps"]}
    assert by_measure["answer", "probability"] == by_measure["runner-up", "probability"] == (-4.0, 4.0)
    assert by_measure["answer", "distance"] == (0.0, 400.0)


@needs_browser
class TestInBrowser:
    @pytest.fixture
    def shown(self, tmp_path: Path, render: Callable[[Path], Page]) -> Callable[..., Page]:
        def show(name: str = "photo.jpg", note: str = "", **changes: object) -> Page:
            write_explanation(tmp_path / "why", explanation(**changes), name=name, note=note)
            return render(tmp_path / "why" / "explanation.html")

        return show

    def by_id(self, page: Page, name: str) -> tuple[dict, str]:
        return next((has, text) for _, has, text in page.elements if has.get("id") == name)

    @pytest.mark.slow
    def test_the_photo_lies_under_a_map_with_its_legend(self, shown: Callable[..., Page]) -> None:
        page = shown()
        assert self.by_id(page, "picture")[0]["src"].startswith("data:image/jpeg;base64,")
        has, _ = self.by_id(page, "overlay")
        assert has["src"].startswith("data:image/png;base64,")
        assert has["alt"] == "Heat map: probability for Japan"
        assert self.by_id(page, "high")[1] == "+4.0 points"
        assert self.by_id(page, "left")[1] == "more probable while hidden"
        assert self.by_id(page, "answer")[1] == "Answer: Japan 40%"

    @pytest.mark.slow
    def test_answers_and_measures_can_be_chosen(self, shown: Callable[..., Page]) -> None:
        page = shown()
        radios = [has for tag, has, _ in page.elements if tag == "input" and has.get("type") == "radio"]
        assert [has["value"] for has in radios if has["name"] == "role"] == ["answer", "runner-up"]
        assert [has["value"] for has in radios if has["name"] == "measure"] == [
            "class activation",
            "probability",
            "distance",
        ]

    @pytest.mark.slow
    def test_the_map_has_the_answers_and_the_similar_photos(self, shown: Callable[..., Page]) -> None:
        page = shown()
        assert len(page.with_class("shaded")) == 2
        marks = [
            word
            for word in ("guess", "second", "alike")
            for has, _ in page.with_class(word)
            if "leaflet-interactive" in has["class"]
        ]
        assert marks == ["guess", "second", "alike"]
        assert len(page.with_class("alike-card")) == 1
        assert {"Japan", "310 km away", "similarity 0.91"} <= {text for *_, text in page.elements}

    @pytest.mark.slow
    def test_bare_coordinates_without_similar_photos(self, shown: Callable[..., Page]) -> None:
        sea = Candidate(None, "open sea", None, 0.0, -30.0, None)
        maps = (EvidenceMap("answer", sea, "distance", np.abs(VALUES)),)
        page = shown(guess=Guess((sea,)), maps=maps, similar=(), notice="no cells")
        assert self.by_id(page, "answer")[1] == "Answer: open sea"
        assert self.by_id(page, "notice")[1] == "No class activation: no cells."
        assert "hidden" in self.by_id(page, "similar")[0]
        assert not page.with_class("second") or all(
            "leaflet-interactive" not in has["class"] for has, _ in page.with_class("second")
        )

    @pytest.mark.slow
    def test_a_model_that_does_not_know_marks_no_place(self, shown: Callable[..., Page]) -> None:
        guess = Guess((JAPAN, KENYA), warning="nothing speaks for it", abstained=True)
        page = shown(guess=guess)
        assert self.by_id(page, "answer")[1] == "I don't know. Most probable: Japan 40%"
        assert self.by_id(page, "warning")[1] == "Why not: nothing speaks for it"
        for role in ("guess", "second"):
            assert not [has for has, _ in page.with_class(role) if "leaflet-interactive" in has["class"]]

    @pytest.mark.slow
    def test_names_can_run_nothing(self, shown: Callable[..., Page]) -> None:
        hostile = Candidate("JP", ATTACK, 0.4, 36.0, 138.0, "JP")
        page = shown(
            ATTACK,
            ATTACK,
            guess=Guess((hostile,)),
            maps=(EvidenceMap("answer", hostile, "probability", VALUES),),
            similar=(similar(ATTACK, None),),
            notice=ATTACK,
        )
        assert page.texts("title") == [f"Why? {ATTACK}"]
        assert not [has for tag, has, _ in page.elements if tag == "img" and "onerror" in has]
