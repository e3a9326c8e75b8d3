"""What a player may be told, and when; and what is kept of it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image
from running_server import ask

from lostfound.data.dataset import Dataset
from lostfound.errors import DatasetError, UsageError
from lostfound.play.answers import Answer, check_answer, to_predictions
from lostfound.play.export import export
from lostfound.play.places import Places
from lostfound.play.settings import GameSettings, Mode, parse_pixels
from lostfound.play.store import NameTakenError, Store, read_study
from lostfound.play.study import PlayStudy

Make = Callable[..., PlayStudy]
SAID = Answer(("FR",))


def play(study: PlayStudy, key: str, name: str, answer: Answer = SAID) -> str:
    game = study.begin(key, name)
    while (current := study.current(game)) is not None:
        study.guess(game, current.number, answer)
    return game.id


class TestRounds:
    def test_all_players_have_the_same_places_each_in_an_order_of_their_own(self, study: Make) -> None:
        one = study(rounds=10, practice=5)
        ada, bob = (one.places.rounds(name, 0) for name in ("Ada", "Bob"))
        assert [each.image_id for each in ada] != [each.image_id for each in bob]
        for practice in (True, False):
            parts = [{each.image_id for each in own if each.practice is practice} for own in (ada, bob)]
            assert parts[0] == parts[1]
        assert ada == one.places.rounds("ADA", 0)

    def test_no_place_comes_twice_also_in_later_games(self, study: Make) -> None:
        one = study(rounds=10, practice=2)
        games = [one.places.rounds("Ada", number) for number in range(one.places.games)]
        images = [each.image_id for rounds in games for each in rounds]
        assert len(games) == 4
        assert len(set(images)) == len(images) == 48
        with pytest.raises(UsageError, match="you have had all places"):
            one.places.rounds("Ada", 4)

    def test_another_seed_draws_other_places(self, study: Make) -> None:
        first, second = (study(seed=seed, folder=f"play-{seed}").places.rounds("Ada", 0) for seed in (0, 1))
        assert {each.image_id for each in first} != {each.image_id for each in second}

    def test_a_round_shows_several_views_of_its_place(self, study: Make) -> None:
        places = study(views=2).places
        for each in places.rounds("Ada", 0):
            of = places.dataset.records.take(places.views(each.image_id))
            assert of.num_rows == 2
            assert len(set(of["place_id"].to_pylist())) == 1
            assert of["image_id"][0].as_py() == each.image_id


class TestBadSettings:
    def test_too_few_places(self, study: Make) -> None:
        with pytest.raises(
            UsageError, match=r"48 places in the all split .* too few for 9 rounds of practice"
        ):
            study(rounds=40, practice=9)

    def test_images_without_the_label(self, study: Make, dataset_folder: Path) -> None:
        dataset = Dataset.open(dataset_folder)
        names = dataset.records.column_names
        empty = dataset.records
        for axis in ("latitude", "longitude"):
            column = names.index(axis)
            field = empty.schema.field(axis)
            empty = empty.set_column(column, field, pa.nulls(len(dataset), field.type))
        bare = dataset.with_records(empty)
        Places(bare, GameSettings(rounds=4, practice=0, split="all"))  # their countries are stated
        with pytest.raises(DatasetError, match="has coordinates, which --mode map asks for"):
            Places(bare, GameSettings(Mode.map, rounds=4, practice=0, split="all"))

    def test_cities_need_cells(self, study: Make) -> None:
        with pytest.raises(UsageError, match="give --cells"):
            study(Mode.cities)

    @pytest.mark.parametrize("text", ["130", "130x", "0x80", "130x80x3", "9x9", "axb", "130x99999", "²x80"])
    def test_pixels_that_are_none(self, text: str) -> None:
        with pytest.raises(UsageError, match="as in 130x80"):
            parse_pixels(text)
        assert parse_pixels("130x80") == (130, 80)


class TestPictures:
    def test_they_have_the_size_asked_for_and_say_nothing_else(self, study: Make) -> None:
        one = study(pixels=(48, 32))
        game = one.begin("0" * 24, "Ada")
        data, kind = one.picture(game, 1, 0)
        image = Image.open(io.BytesIO(data))
        assert (kind, image.size, image.info, dict(image.getexif())) == ("image/png", (48, 32), {}, {})

    def test_none_is_shown_before_its_round(self, study: Make) -> None:
        one = study()
        game = one.begin("0" * 24, "Ada")
        for number, view in ((2, 0), (0, 0), (7, 0), (1, 1), (1, -1)):
            with pytest.raises(IndexError):
                one.picture(game, number, view)
        one.guess(game, 1, SAID)
        one.picture(game, 2, 0)
        one.picture(game, 1, 0)


class TestGuesses:
    def test_the_first_one_counts_and_is_told_to_the_second(self, study: Make) -> None:
        one = study()
        game = one.begin("0" * 24, "Ada")
        assert one.guess(game, 1, Answer(("FR", "JP")))["other"] is None
        assert one.guess(game, 1, Answer(("FR", "JP")))["other"] is None
        assert one.guess(game, 1, Answer(("BR",)))["other"] == "France, Japan"
        assert [each.answer.ranked for each in one.store.guesses(game.id)] == [("FR", "JP")]

    def test_rounds_come_in_order(self, study: Make) -> None:
        one = study()
        game = one.begin("0" * 24, "Ada")
        for number in (2, 0, 7, -1):
            with pytest.raises(UsageError, match="has not come yet"):
                one.guess(game, number, SAID)

    def test_the_truth_is_told_after_practice_alone_and_results_at_the_end(self, study: Make) -> None:
        one = study()
        game = one.begin("0" * 24, "Ada")
        with pytest.raises(UsageError, match="not over yet"):
            one.results(game)
        told = [one.guess(game, number, SAID)["truth"] for number in range(1, 7)]
        assert [each is not None for each in told] == [True, True, False, False, False, False]
        assert len(one.results(game)["rounds"]) == 4

    def test_a_name_belongs_to_who_took_it(self, study: Make) -> None:
        one = study()
        first = one.begin("0" * 24, "Ada")
        assert one.begin("0" * 24, "Ada") == first, "sent twice"
        with pytest.raises(NameTakenError):
            one.begin("1" * 24, " ada ")
        assert one.begin("2" * 24, "").player == "Player 1"
        assert one.begin("3" * 24, None).player == "Player 2"

    def test_the_next_game_has_other_places(self, study: Make) -> None:
        one = study()
        first = one.store.game(play(one, "0" * 24, "Ada"))
        assert first is not None
        second = one.again(first)
        assert one.again(first) == second, "asked twice"
        images = [{each.image_id for each in one.store.rounds(game.id)} for game in (first, second)]
        assert not images[0] & images[1]

    def test_an_answer_out_of_time_is_none(self, study: Make) -> None:
        one = study(timer_s=0.0)
        game = one.begin("0" * 24, "Ada")
        one.store._connection.execute("UPDATE rounds SET shown_at = 1")  # long ago
        one.guess(game, 1, Answer(("FR",), clues=("road",)))
        (kept,) = one.store.guesses(game.id)
        assert kept.answer == Answer(skipped=True, late=True, clues=("road",))

    def test_other_settings_are_refused_in_the_same_folder(self, study: Make) -> None:
        study(rounds=4)
        with pytest.raises(UsageError, match=r"begun with other settings \(rounds\)"):
            study(rounds=5)
        study(rounds=4)

    def test_a_file_that_is_no_study(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="holds no study"):
            read_study(tmp_path)
        (tmp_path / "play.sqlite").write_bytes(b"no database at all, but long enough to be read as one" * 30)
        with pytest.raises(DatasetError, match="can't be read as a study's records"):
            read_study(tmp_path)
        with pytest.raises(DatasetError, match="can't be used"):
            Store.open(tmp_path, {})


class TestAnswers:
    @pytest.mark.parametrize(
        ("answer", "mode", "kept"),
        [
            (Answer(("FR", "Deutschland")), Mode.countries, ("FR", "DE")),
            (Answer(("b",)), Mode.cities, ("b",)),
        ],
    )
    def test_right_ones(self, answer: Answer, mode: Mode, kept: tuple[str, ...]) -> None:
        assert check_answer(answer, mode, ("a", "b")).ranked == kept

    @pytest.mark.parametrize(
        ("answer", "mode", "said"),
        [
            (Answer(("Narnia",)), Mode.countries, '"Narnia" names no known country'),
            (Answer(("Congo",)), Mode.countries, "could be several countries: CD .*, CG"),
            (Answer(("FR", "France")), Mode.countries, "given twice"),
            (Answer(("FR", "DE", "IT", "ES", "PT", "CH")), Mode.countries, "give 5 at most"),
            (Answer(), Mode.countries, "give a country"),
            (Answer((), (1.0, 2.0)), Mode.countries, "give a country"),
            (Answer(("c",)), Mode.cities, "no city 'c'"),
            (Answer(("a", "b")), Mode.cities, "give 1 at most"),
            (Answer(("FR",)), Mode.map, "give a point"),
            (Answer((), (91.0, 0.5)), Mode.map, "out of range"),
            (Answer(("FR",), clues=("smell",)), Mode.countries, "no clue 'smell'"),
        ],
    )
    def test_wrong_ones(self, answer: Answer, mode: Mode, said: str) -> None:
        with pytest.raises(UsageError, match=said):
            check_answer(answer, mode, ("a", "b"))

    def test_what_was_skipped_abstains(self) -> None:
        found = to_predictions(["x", "y"], [Answer(("JP", "FR")), Answer(skipped=True)], Mode.countries)
        assert found.abstained is not None
        assert found.abstained.tolist() == [None, "skipped"]
        assert found.guessed_countries.tolist() == ["JP", None]
        assert not found.answered.any(), "nobody said where in Japan"


class TestExport:
    def test_each_player_has_a_file_also_with_odd_names(self, study: Make, tmp_path: Path) -> None:
        one = study()
        for number, name in enumerate(("Ada", "a/da", "A:da")):
            play(one, f"{number:024x}", name)
        written = export(tmp_path / "play", tmp_path / "people.csv")
        assert [path.name for path in written.values()] == [
            "people-Ada.csv",
            "people-a-da.csv",
            "people-A-da-2.csv",
        ]
        with pytest.raises(UsageError, match="no player 'Eve' has answered: choose of A:da, Ada, a/da"):
            export(tmp_path / "play", tmp_path / "people.csv", ["Eve"])

    def test_while_it_is_played_and_without_known_places(self, study: Make, tmp_path: Path) -> None:
        one = study()
        game = one.begin("0" * 24, "Ada")
        with pytest.raises(DatasetError, match="nobody has answered a round that counts"):
            export(tmp_path / "play", tmp_path / "people.parquet")
        for number, known in ((1, False), (2, False), (3, True), (4, False)):
            one.guess(game, number, Answer(("FR",), known=known))
        from lostfound.predict.predictions import Predictions

        for without, rows in ((False, 2), (True, 1)):
            written = export(tmp_path / "play", tmp_path / "people.parquet", without_known=without)
            assert len(Predictions.load(written["Ada"])) == rows


def test_over_http(start_game: Callable[..., Any], tmp_path: Path) -> None:
    pytest.importorskip("segno", reason="the game is not installed: extra 'play'")
    server = start_game("--rounds", 2, "--practice", 0, to=tmp_path / "play")
    status, about = ask(f"{server.url}/api/study")
    assert (status, about["join"]) == (200, None)
    _, begun = ask(f"{server.url}/api/games", {"key": "0" * 24, "name": "Ada"})
    game = f"{server.url}/api/games/{begun['game']}"
    assert ask(f"{server.url}/api/games", {"key": "1" * 24, "name": "ADA"})[0] == 409
    assert ask(f"{server.url}/api/games", {"key": "no", "name": "Eve"})[0] == 400
    assert ask(f"{server.url}/api/games/none")[0] == 404
    assert ask(f"{game}/results") == (400, {"error": "the game is not over yet"})
    assert ask(f"{game}/rounds/2/0")[0] == 404
    status, said = ask(f"{game}/rounds/1", {"ranked": ["Narnia"]})
    assert status == 400
    assert "names no known country" in said["error"]
    assert ask(f"{game}/rounds/1", {"ranked": ["FR"], "unknown": 1})[0] == 400
    assert ask(f"{game}/rounds/1", {"ranked": ["F" * 20_000]})[0] == 413
    everything = json.dumps([ask(f"{game}")[1], about])
    _, guesses = read_study(tmp_path / "play")
    assert guesses == []
    assert "latitude" not in everything
    assert "point" not in everything


def test_the_code_for_phones() -> None:
    pytest.importorskip("segno", reason="the game is not installed: extra 'play'")
    from lostfound.play.app import qr_svg
    from lostfound.play.start import qr_text

    address = "http://192.168.1.5:8001"
    assert b"<svg" in qr_svg(address)
    assert qr_svg(address) != qr_svg("http://192.168.1.6:8001")
    lines = qr_text(address).strip("\n").split("\n")
    assert len(lines) > 10
