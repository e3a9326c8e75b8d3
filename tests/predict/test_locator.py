"""Locating: every form of photo, any number of them, in order, with what can't be read in between."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.special import softmax

import lostfound
from lostfound.errors import ImageError, ModelError, UsageError
from lostfound.geo.sphere import from_unit_vectors, unit_vectors
from lostfound.predict.engine import BATCH_SIZE, Seen
from lostfound.predict.guess import Guess
from lostfound.predict.locator import Locator


@pytest.fixture(scope="module")
def locator(model_folder: Path) -> Locator:
    return Locator.load(model_folder, threads=2)


@pytest.fixture(scope="module")
def photos(world: Path) -> list[Path]:
    return sorted((world / "images").iterdir())[:10]


def same(one: Guess, other: Guess) -> bool:
    """The same answer; another batch size may move the last digits."""
    return [each.cell_id for each in one.candidates] == [
        each.cell_id for each in other.candidates
    ] and np.allclose(
        [each.probability for each in one.candidates],
        [each.probability for each in other.candidates],
        atol=1e-6,
    )


def test_three_lines_are_enough(model_folder: Path, photos: list[Path]) -> None:
    model = lostfound.load(model_folder)
    guess = model.locate(photos[0])
    assert guess.country == guess.best.cell_id
    assert guess.country in ("BR", "FR", "JP", "KE")


def test_every_form_of_a_photo_gives_the_same_answer(locator: Locator, photos: list[Path]) -> None:
    expected = locator.locate(photos[0])
    with Image.open(photos[0]) as image:
        array = np.asarray(image)
        forms = [str(photos[0]), photos[0].read_bytes(), io.BytesIO(photos[0].read_bytes()), image, array]
        for form in forms:
            assert locator.locate(form) == expected
    with photos[0].open("rb") as file:
        assert locator.locate(file) == expected


def test_any_iterable_is_answered_as_a_list(locator: Locator, photos: list[Path]) -> None:
    expected = locator.locate(photos[:3])
    assert locator.locate(tuple(photos[:3])) == expected
    assert locator.locate(path for path in photos[:3]) == expected
    assert locator.locate(()) == []


@pytest.mark.parametrize("wrong", [7, None, 1.5, object()])
def test_what_is_no_photo_is_named_by_its_type(locator: Locator, wrong: object, photos: list[Path]) -> None:
    with pytest.raises(UsageError, match=f"photos can't be {type(wrong).__name__}: give a path"):
        locator.locate(wrong)
    found = locator.locate([photos[0], wrong], errors="return")
    assert isinstance(found[0], Guess)
    assert str(found[1]).startswith(f"a photo can't be {type(wrong).__name__}: give a path")


def test_a_file_opened_as_text_is_refused(locator: Locator, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no photo")
    with (tmp_path / "notes.txt").open() as file, pytest.raises(ImageError, match="in binary mode"):
        locator.locate(file)


def test_errors_take_their_photos_places_if_wanted(locator: Locator, photos: list[Path]) -> None:
    first, error, last = locator.locate([photos[0], b"no photo", photos[1]], errors="return")
    assert isinstance(error, ImageError)
    assert [first, last] == locator.locate(photos[:2])
    with pytest.raises(ImageError):
        locator.locate([photos[0], b"no photo"])


def test_pickled_it_answers_the_same(locator: Locator, photos: list[Path]) -> None:
    import pickle

    asked = locator.using(point="score", within=lostfound.Restriction(excluded=frozenset({"FR"})))
    again = pickle.loads(pickle.dumps(asked))
    assert again.threads == asked.threads
    assert again.locate(photos[0]) == asked.locate(photos[0])


def test_a_guess_names_its_country(locator: Locator, photos: list[Path]) -> None:
    names = {"BR": "Brazil", "FR": "France", "JP": "Japan", "KE": "Kenya"}
    assert all(guess.country_name == names[guess.country] for guess in locator.locate(photos))


def test_a_list_is_answered_as_a_list_in_its_order(locator: Locator, photos: list[Path]) -> None:
    one_by_one = [locator.locate(photo) for photo in photos]
    assert len({guess.probability for guess in one_by_one}) > 5  # the answers differ
    together = locator.locate([*photos])
    assert all(same(one, other) for one, other in zip(one_by_one, together, strict=True))
    mixed = locator.locate([str(photos[0]), photos[1].read_bytes(), photos[2]])
    assert all(same(one, other) for one, other in zip(one_by_one[:3], mixed, strict=True))


def test_a_list_of_one_is_a_list(locator: Locator, photos: list[Path]) -> None:
    (guess,) = locator.locate([photos[0]])
    assert guess == locator.locate(photos[0])


def test_an_empty_list_has_no_answers(locator: Locator) -> None:
    assert locator.locate([]) == []


@pytest.mark.parametrize("n", [1, BATCH_SIZE - 1, BATCH_SIZE, BATCH_SIZE + 1, 3 * BATCH_SIZE])
def test_any_number_of_photos_keeps_its_order(locator: Locator, photos: list[Path], n: int) -> None:
    singles = [locator.locate(photo) for photo in photos]
    found = locator.locate([photos[index % len(photos)] for index in range(n)])
    assert len(found) == n
    assert all(same(guess, singles[index % len(photos)]) for index, guess in enumerate(found))


def test_unreadable_photos_keep_their_places(locator: Locator, photos: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    mixed = [broken, photos[0], b"", photos[1], tmp_path / "missing.jpg", broken] * 12
    answers = list(locator.guesses(mixed))
    assert len(answers) == len(mixed)
    for photo, answer in zip(mixed, answers, strict=True):
        if photo in photos:
            assert isinstance(answer, Guess)
            assert same(answer, locator.locate(photo))
        else:
            assert isinstance(answer, ImageError)
    assert "broken.jpg" in str(answers[0])
    assert "missing.jpg" in str(answers[4])


def test_unreadable_photos_alone_are_all_errors(locator: Locator) -> None:
    answers = list(locator.guesses([b"no image"] * 40))
    assert [type(each) for each in answers] == [ImageError] * 40


def test_an_unreadable_photo_raises_when_it_was_asked_for(locator: Locator, photos: list[Path]) -> None:
    with pytest.raises(ImageError):
        locator.locate(b"no image")
    with pytest.raises(ImageError):
        locator.locate([photos[0], b"no image"])


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3)),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_an_array_that_is_no_photo_is_refused(locator: Locator, array: np.ndarray) -> None:
    with pytest.raises(ImageError, match="is not an image"):
        locator.locate(array)


def test_photos_are_taken_as_they_come(locator: Locator, photos: list[Path]) -> None:
    """A million photos need no list: the first answers come before the last photo is asked for."""
    asked = 0

    def endless() -> Iterator[Path]:
        nonlocal asked
        while True:
            asked += 1
            yield photos[asked % len(photos)]

    answers = locator.guesses(endless())
    for _ in range(3):
        next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert asked < 4 * BATCH_SIZE


def test_the_same_open_image_many_times(locator: Locator) -> None:
    """Pillow reads it when it is first used; the threads must not do so at once."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1600, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG")
    for _ in range(3):
        with Image.open(io.BytesIO(buffer.getvalue())) as image:
            first, *others = locator.locate([image] * 8)
        assert all(same(first, other) for other in others)


def test_a_truncated_open_image_is_an_error(locator: Locator, photos: list[Path]) -> None:
    with Image.open(io.BytesIO(photos[0].read_bytes()[:800])) as image:
        (answer,) = locator.guesses([image])
    assert isinstance(answer, ImageError)


class Odd:
    def read(self, size: int) -> bytes:
        raise RuntimeError(f"no {size} bytes today")


def test_an_unexpected_error_costs_no_other_photo_its_answer(locator: Locator, photos: list[Path]) -> None:
    first, odd, last = locator.guesses([photos[0], Odd(), photos[1]])  # type: ignore[list-item]
    assert same(first, locator.locate(photos[0]))
    assert same(last, locator.locate(photos[1]))
    assert isinstance(odd, ImageError)
    assert "unexpected RuntimeError" in str(odd)


# --- the candidates


@pytest.mark.parametrize(("top", "expected"), [(1, 1), (3, 3), (4, 4), (5, 4), (1000, 4), (0, 1), (-1, 1)])
def test_top_limits_the_candidates(locator: Locator, photos: list[Path], top: int, expected: int) -> None:
    guess = locator.locate(photos[0], top=top)
    assert len(guess.candidates) == expected
    assert guess.best == locator.locate(photos[0]).best


def test_probabilities_fall_and_sum_to_one(locator: Locator, photos: list[Path]) -> None:
    for guess in locator.locate([*photos], top=1000):
        shares = [each.probability for each in guess.candidates]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(1, abs=1e-12)
        assert guess.probability == shares[0]


def test_probabilities_are_those_of_the_calibrated_logits(locator: Locator, photos: list[Path]) -> None:
    (logits,) = locator.outputs([photos[0]])
    temperature = locator.model.decoder.temperature
    assert temperature != 1
    expected = softmax(np.asarray(logits, dtype=np.float64) / temperature)
    guess = locator.locate(photos[0], top=1000)
    found = {each.cell_id: each.probability for each in guess.candidates}
    ids = locator.model.partition.cell_ids
    assert [found[cell] for cell in ids] == pytest.approx(expected.tolist())


def test_a_candidate_is_its_cell(locator: Locator, photos: list[Path]) -> None:
    partition = locator.model.partition
    for each in locator.locate(photos[0], top=1000).candidates:
        cell = partition.cell_ids.index(each.cell_id)
        assert (each.latitude, each.longitude) == tuple(partition.centroids[cell])
        assert (each.name, each.country) == (partition.names[cell], partition.countries[cell])
    guess = locator.locate(photos[0])
    assert (guess.latitude, guess.longitude) == (guess.best.latitude, guess.best.longitude)


def test_equally_probable_cells_keep_the_partitions_order(locator: Locator) -> None:
    guess = locator.guess(Seen(np.zeros(4, dtype=np.float32), False), top=4)
    assert [each.cell_id for each in guess.candidates] == list(locator.model.partition.cell_ids)


def test_huge_logits_give_probabilities(locator: Locator) -> None:
    guess = locator.guess(Seen(np.array([3e4, -3e4, 0, 1], dtype=np.float32), False), top=4)
    assert [each.probability for each in guess.candidates] == pytest.approx([1, 0, 0, 0])


# --- one place, several photos


@pytest.mark.parametrize("n", [1, 2, 5])
def test_photos_of_one_place_are_answered_by_their_mean(locator: Locator, photos: list[Path], n: int) -> None:
    mean = np.mean(list(locator.outputs(photos[:n])), axis=0)
    assert same(locator.locate_place(photos[:n]), locator.guess(Seen(mean, False)))


def test_a_place_needs_a_photo_and_readable_ones(locator: Locator, photos: list[Path]) -> None:
    with pytest.raises(UsageError, match="give one or more"):
        locator.locate_place([])
    with pytest.raises(ImageError):
        locator.locate_place([photos[0], b"no image"])


# --- models that know no cells


def test_a_bare_point_comes_with_the_country_that_holds_it(
    point_model_folder: Path, photos: list[Path]
) -> None:
    locator = Locator.load(point_model_folder, threads=1)
    guess = locator.locate(photos[0], top=5)
    assert len(guess.candidates) == 1
    assert (guess.best.cell_id, guess.probability) == (None, None)
    (outputs,) = locator.outputs([photos[0]])
    expected = from_unit_vectors(np.asarray(outputs, dtype=np.float64))
    assert (guess.latitude, guess.longitude) == pytest.approx(tuple(expected), abs=1e-4)
    paris = locator.guess(Seen(unit_vectors((48.86, 2.35)), False))
    assert (paris.country, paris.best.name) == ("FR", "France")
    sea = locator.guess(Seen(unit_vectors((-48.9, -123.4)), False))
    assert (sea.country, sea.best.name) == (None, "open sea")


# --- threads, and models that can't be used


def test_threads_share_a_locator(locator: Locator, photos: list[Path]) -> None:
    expected = locator.locate([*photos])
    found: dict[int, list[Guess]] = {}

    def work(number: int) -> None:
        found[number] = locator.locate([*photos])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert all(guesses == expected for guesses in found.values())


def test_the_number_of_threads_changes_no_answer(model_folder: Path, photos: list[Path]) -> None:
    one, three = (Locator.load(model_folder, threads=n).locate([*photos]) for n in (1, 3))
    assert all(same(a, b) for a, b in zip(one, three, strict=True))


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not a model folder"):
        lostfound.load(tmp_path)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (90, 120, 3)])
def test_a_picture_of_one_colour_comes_with_a_warning(locator: Locator, photos: list[Path], colour) -> None:
    blank = np.full((60, 80, 3), colour, dtype=np.uint8)
    blank[::7] += np.uint8(1) if max(colour) < 255 else np.uint8(0)  # no picture in it, only noise
    assert "nothing to see" in str(locator.locate(blank).warning)
    assert locator.locate(photos[0]).warning is None
    assert locator.locate_place([blank, photos[0]]).warning is None
    assert "nothing to see" in str(locator.locate_place([blank, blank]).warning)


def test_a_single_bright_pixel_is_something_to_see(locator: Locator) -> None:
    sizes = locator.model.preprocessing
    dark = np.zeros((sizes.height, sizes.width, 3), dtype=np.uint8)
    lit = dark.copy()
    lit[5, 9, 1] = 3
    assert [seen.blank for seen in locator.look_at([dark, lit])] == [True, False]


def test_one_photo_of_a_trip_is_a_photo(locator: Locator, photos: list[Path]) -> None:
    (guess,) = locator.locate_trip([photos[0]])
    assert same(guess, locator.locate(photos[0]))
    assert locator.locate_trip([]) == []


def test_copies_of_a_photo_at_one_time_answer_alike(locator: Locator, photos: list[Path]) -> None:
    first, second, third = locator.locate_trip([photos[0], photos[1], photos[0]], times=[5.0, 9.0, 5.0])
    assert same(first, third)
    assert sum(each.probability for each in second.candidates) <= 1 + 1e-9


@pytest.mark.parametrize("times", [[1.0], [1.0, float("nan")], [[1.0, 2.0]]])
def test_times_that_are_none_are_refused(locator: Locator, photos: list[Path], times) -> None:
    with pytest.raises(UsageError, match="2 photos of a trip need as many times"):
        locator.locate_trip(photos[:2], times=times)


def test_bare_coordinates_make_no_trip(point_model_folder: Path, photos: list[Path]) -> None:
    with pytest.raises(UsageError, match="use a model of cells"):
        Locator.load(point_model_folder).locate_trip(photos[:2])


def test_an_estimate_is_of_all_photos_of_the_call(calibrated_model_folder: Path, photos: list[Path]) -> None:
    locator = Locator.load(calibrated_model_folder).using(prior="estimate")
    plain = locator.using(prior="training")
    seen = [each for each in plain.look(photos) if isinstance(each, Seen)]
    expected = plain.using(prior="estimate").for_album(seen)
    assert all(
        same(one, other)
        for one, other in zip(locator.locate([*photos]), expected.locate([*photos]), strict=True)
    )
    with pytest.raises(UsageError, match="give two or more together"):
        locator.locate(photos[0])


def test_countries_that_the_model_lacks_are_named(locator: Locator) -> None:
    within = lostfound.Restriction(countries=frozenset({"FR", "VA"}))
    assert locator.using(within=within).answerer.countries_without_cells == ("Vatican City",)
    assert locator.answerer.countries_without_cells == ()
