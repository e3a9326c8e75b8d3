"""`lostfound.Client` and `lostfound locate --server`, beside the same model here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import lostfound

pytest.importorskip("fastapi", reason="the server is not installed: extra 'serve'")
pytest.importorskip("httpx2", reason="httpx2 is not installed: extra 'client'")


@pytest.fixture(scope="module")
def server(start_server: Callable[..., Any], tmp_path_factory) -> Any:
    file = tmp_path_factory.mktemp("token") / "token"
    file.write_text("a-long-token\n")
    started = start_server("--max-photos", 4, "--max-bytes", 1, "--token-file", file)
    started.token_file = file
    return started


@pytest.fixture
def client(server: Any) -> Any:
    with lostfound.Client(server.url, token="a-long-token") as client:
        yield client


def close(one: lostfound.Guess, other: lostfound.Guess) -> bool:
    assert one.abstained == other.abstained
    assert [each.name for each in one.candidates] == [each.name for each in other.candidates]
    assert list(one.areas) == list(other.areas)
    assert one.radius_50_km == (None if one.abstained else pytest.approx(other.radius_50_km, rel=1e-3))
    assert (one.latitude, one.longitude) == pytest.approx((other.latitude, other.longitude), abs=1e-3)
    return one.probability == pytest.approx(other.probability, rel=1e-3)


@pytest.mark.slow
def test_it_locates_as_a_locator_does(client, pictures):
    local = lostfound.load(threads=1)
    photo = Image.open(pictures[0]).convert("RGB")
    for each in (pictures[0], str(pictures[0]), pictures[0].read_bytes()):
        assert close(client.locate(each, top=3), local.locate(each, top=3))
    assert close(client.locate(photo), local.locate(photo))
    assert close(client.locate(np.asarray(photo)), local.locate(np.asarray(photo)))


@pytest.mark.slow
def test_more_photos_than_one_request_holds_come_back_in_order(client, pictures):
    local = lostfound.load(threads=1)
    many = [*pictures, *pictures[:3]]
    for one, other in zip(client.locate(many), local.locate(many), strict=True):
        assert close(one, other)
    assert client.locate([]) == []


@pytest.mark.slow
def test_it_answers_another_way(client, pictures):
    other = client.using(countries="FR,ES", point="score", always_answer=True)
    guess = other.locate(pictures[0])
    assert guess.country in ("FR", "ES")
    assert guess.left_out is not None
    assert client.locate(pictures[0]).left_out is None
    assert other.using(countries=None).locate(pictures[0]).left_out is None
    with pytest.raises(lostfound.UsageError, match="no option 'country'"):
        client.using(country="FR")
    with pytest.raises(lostfound.UsageError, match="Nowhereland"):
        client.using(countries="Nowhereland").locate(pictures[0])


@pytest.mark.slow
def test_views_of_a_place_are_one_answer(client, pictures, tmp_path):
    own = lostfound.load().locate_place(pictures[:3])
    assert close(client.locate_place(pictures[:3]), own)
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no photo")
    with pytest.raises(lostfound.ImageError, match=r"bad\.jpg"):
        client.locate_place([pictures[0], bad])
    with pytest.raises(lostfound.UsageError, match="more than the server takes"):
        client.locate_place(pictures[:5])
    with pytest.raises(lostfound.UsageError, match="without a photo"):
        client.locate_place([])


def test_photos_that_cant_be_read_are_named(client, pictures, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no photo")
    with pytest.raises(lostfound.ImageError, match=r"bad.jpg: not an image"):
        client.locate(bad)
    with pytest.raises(lostfound.ImageError, match=r"none.jpg: no such file"):
        client.locate(tmp_path / "none.jpg")
    answers = list(client.guesses([bad, pictures[0], tmp_path / "none.jpg", bad, bad]))
    assert [isinstance(each, lostfound.Guess) for each in answers] == [False, True, False, False, False]
    assert list(map(str, client.guesses([bad, bad]))) == 2 * ["bad.jpg: not an image that can be read"]


def test_models_are_listed(client):
    assert [each["name"] for each in client.models()] == ["starter"]


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        (None, {}, "asks for a token"),
        ("http://127.0.0.1:9", {}, "is `lostfound serve` running"),
        (None, {"model": "x", "token": "a-long-token"}, "no model 'x': there are starter"),
    ],
)
def test_what_goes_wrong_is_said(server, pictures, url, options, said):
    with (
        lostfound.Client(url or server.url, **options) as client,
        pytest.raises(lostfound.ServerError, match=said),
    ):
        client.locate(pictures[0])


def test_an_address_is_an_address():
    with pytest.raises(lostfound.UsageError, match="no server's address"):
        lostfound.Client("localhost:8000")


@pytest.mark.slow
def test_the_command_line_asks_a_server(server, lostfound, pictures, tmp_path: Path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no photo")
    words = ("locate", *pictures[:2], bad, "--top", 2, "--format", "json")
    asked = lostfound(*words, "--server", server.url, "--token-file", server.token_file)
    here = lostfound(*words)
    assert (asked.returncode, here.returncode) == (1, 1)
    ours, theirs = (json.loads(each.stdout)["photos"] for each in (here, asked))
    assert [each["photo"] for each in ours] == [each["photo"] for each in theirs]
    assert [each.get("country") for each in ours] == [each.get("country") for each in theirs]
    assert ours[2] == theirs[2]
    place = lostfound(
        "locate",
        *pictures[:2],
        "--same-place",
        "--format",
        "json",
        "--server",
        server.url,
        "--token-file",
        server.token_file,
    )
    first, second = json.loads(place.stdout)["photos"]
    assert {**first, "photo": ""} == {**second, "photo": ""}


def test_the_command_line_says_what_a_server_refuses(server, lostfound, pictures):
    refused = lostfound("locate", pictures[0], "--server", server.url)
    assert refused.returncode == 1
    assert "asks for a token" in refused.stderr
    trip = lostfound("locate", pictures[0], "--server", server.url, "--same-trip")
    assert (trip.returncode, "--same-trip" in trip.stderr) == (2, True)
