"""`POST /v1/locate` of a real server, beside what the same model answers here."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import lostfound
from lostfound.predict.outputs import LocatedPhoto, to_geojson
from lostfound.predict.restrictions import parse_restriction

pytest.importorskip("fastapi", reason="the server is not installed: extra 'serve'")
httpx2 = pytest.importorskip("httpx2", reason="httpx2 is not installed: extra 'client'")


@pytest.fixture(scope="module")
def http(start_server: Callable[..., Any]) -> Any:
    server = start_server("--max-photos", 8, "--max-bytes", 1, "--max-pixels", 1)
    with httpx2.Client(base_url=server.url, timeout=300) as client:
        yield client


@pytest.fixture(scope="module")
def local() -> lostfound.Locator:
    return lostfound.load(threads=1)


def post(http: Any, *photos: Path | tuple[str, bytes], accept: str = "*/*", **params: str) -> Any:
    files = [each if isinstance(each, tuple) else (each.name, each.read_bytes()) for each in photos]
    return http.post(
        "/v1/locate",
        params=params,
        headers={"Accept": accept},
        files=[("photos", (name, data, "image/jpeg")) for name, data in files],
    )


def same(answer: dict[str, Any], guess: lostfound.Guess) -> bool:
    """Whether an answer is a guess: batches differ in the last digits of sums."""
    own = json.loads(json.dumps(guess.as_dict()))
    answer = {name: value for name, value in answer.items() if name not in ("photo", "photos", "heat_maps")}
    assert list(answer) == list(own)
    return _close(answer, own)


def _close(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_close(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_close, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, rel=1e-3, abs=1e-5)
    return bool(one == other)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.slow
def test_a_form_of_many_is_answered_as_the_locator_does(http, local, pictures):
    answer = post(http, *pictures).json()
    assert (answer["version"], answer["model"]) == (1, "starter")
    assert [each["photo"] for each in answer["guesses"]] == [path.name for path in pictures]
    for values, path in zip(answer["guesses"], pictures, strict=True):
        assert same(values, local.locate(path))


def test_a_raw_body_is_one_photo(http, local, pictures):
    for kind in ("image/jpeg", "application/octet-stream", "image/JPEG; x=1"):
        answer = http.post("/v1/locate", content=pictures[0].read_bytes(), headers={"Content-Type": kind})
        assert same(answer.json()["guesses"][0], local.locate(pictures[0]))


def test_geojson_is_that_of_the_command_line(http, local, pictures):
    answer = post(http, *pictures[:2], accept="application/geo+json", always_answer="true")
    assert answer.headers["content-type"] == "application/geo+json"
    own = local.using(always_answer=True)
    text = to_geojson([LocatedPhoto(path.name, own.locate(path)) for path in pictures[:2]])
    assert _close(answer.json(), json.loads(text))


@pytest.mark.parametrize(
    ("params", "changes"),
    [
        ({"countries": "FR,Spain"}, {"within": parse_restriction("FR,Spain")}),
        ({"not": "US,CA"}, {"within": parse_restriction(None, "US,CA")}),
        ({"box": "41,-5,51,10"}, {"within": parse_restriction(box="41,-5,51,10")}),
        ({"near": "48.86,2.35,900"}, {"within": parse_restriction(near="48.86,2.35,900")}),
        ({"prior": "uniform"}, {"prior": "uniform"}),
        ({"prior": "population", "point": "score"}, {"prior": "population", "point": "score"}),
        ({"always_answer": "true"}, {"always_answer": True}),
        ({"min_probability": "0"}, {"min_probability": 0.0}),
    ],
)
def test_options_do_what_they_do_on_the_command_line(http, local, pictures, params, changes):
    (values,) = post(http, pictures[0], top="3", **params).json()["guesses"]
    assert same(values, local.using(**changes).locate(pictures[0], top=3))


@pytest.mark.slow
def test_requests_that_ask_otherwise_at_the_same_time_get_their_own_answers(http, local, pictures):
    from concurrent.futures import ThreadPoolExecutor

    ways = [{"top": str(1 + number % 4), "countries": ["FR,ES", "JP,KR"][number % 2]} for number in range(24)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda way: post(http, pictures[0], **way).json()["guesses"][0], ways))
    for way, values in zip(ways, answers, strict=True):
        restricted = local.using(within=parse_restriction(way["countries"]))
        assert same(values, restricted.locate(pictures[0], top=int(way["top"])))


def test_photos_of_one_place_get_one_answer(http, local, pictures):
    (values,) = post(http, *pictures[:3], same_place="true").json()["guesses"]
    assert values["photos"] == [path.name for path in pictures[:3]]
    assert same(values, local.locate_place(list(pictures[:3])))


def test_a_place_is_told_by_those_that_can_be_read(http, local, pictures):
    values, failed = post(http, pictures[0], ("notes.txt", b"no photo"), same_place="true").json()["guesses"]
    assert values["photos"] == [pictures[0].name]
    assert same(values, local.locate(pictures[0]))
    assert failed["photo"] == "notes.txt"


def test_heat_maps_have_the_photos_shape(http, pictures):
    wide = Image.open(pictures[0]).resize((600, 300))
    (values,) = post(http, ("wide.png", png(wide)), explain="true").json()["guesses"]
    assert values["heat_maps"][0]["role"] == "answer"
    assert values["heat_maps"][0]["country"] == values["candidates"][0]["country"]
    overlay = Image.open(io.BytesIO(base64.b64decode(values["heat_maps"][0]["png"])))
    assert overlay.mode == "RGBA"
    assert overlay.width == 2 * overlay.height
    opacity = np.asarray(overlay)[..., 3]
    assert opacity.max() > 0
    assert opacity[:, : overlay.width // 5].max() == 0  # what the model doesn't see


def test_a_places_answer_is_explained_on_each_of_its_photos(http, pictures):
    photos = (pictures[0], ("notes.txt", b"no photo"), pictures[1])
    place, failed = post(http, *photos, same_place="true", explain="true").json()["guesses"]
    assert [each["photo"] for each in place["heat_maps"]] == [
        each.name for each in pictures[:2] for _ in ("answer", "runner-up")
    ]
    named = {(each["role"], each["country"]) for each in place["heat_maps"]}
    assert named == {
        ("answer", place["candidates"][0]["country"]),
        ("runner-up", place["candidates"][1]["country"]),
    }
    assert len({each["png"] for each in place["heat_maps"]}) == 4
    assert "heat_maps" not in failed


def test_one_that_cant_be_read_costs_the_others_nothing(http, local, pictures):
    answer = post(http, pictures[0], ("notes.txt", b"no photo"), pictures[1])
    assert answer.status_code == 200
    first, failed, last = answer.json()["guesses"]
    assert failed == {"photo": "notes.txt", "error": "not an image that can be read"}
    assert same(first, local.locate(pictures[0]))
    assert same(last, local.locate(pictures[1]))


def test_gps_in_a_photo_tells_nothing(http, pictures):
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "S", 2: (33.0, 51.0, 29.0), 3: "E", 4: (151.0, 12.0, 40.0)})
    buffer = io.BytesIO()
    with_gps = Image.open(pictures[0])
    with_gps.save(buffer, "PNG", exif=exif)
    plain, told = post(http, ("a.png", png(with_gps)), ("b.png", buffer.getvalue())).json()["guesses"]
    assert {**plain, "photo": ""} == {**told, "photo": ""}
    assert "151." not in post(http, ("b.png", buffer.getvalue())).text


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"top": "0"}, "top"),
        ({"top": "many"}, "top"),
        ({"contries": "FR"}, "did you mean 'countries'?"),
        ({"countries": "Nowhereland"}, "Nowhereland"),
        ({"near": "-48.9,-123.4,100"}, "leaves none of the model"),
        ({"countries": "FR", "not": "FR"}, "FR"),
        ({"box": "1,2,3"}, "box"),
        ({"near": "0,0,0"}, "near"),
        ({"prior": "/etc/passwd"}, "prior"),
        ({"prior": "estimate"}, "prior"),
        ({"point": "worst"}, "point"),
    ],
)
def test_wrong_options_say_what_is_wrong(http, pictures, params, said):
    answer = post(http, pictures[0], **params)
    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_an_unknown_model_names_those_there_are(http, pictures):
    answer = post(http, pictures[0], model="other")
    assert (answer.status_code, answer.json()) == (404, {"error": "no model 'other': there are starter"})


def bomb() -> bytes:
    return png(Image.new("1", (1200, 1000)))


@pytest.mark.parametrize(
    ("content", "headers", "status", "said"),
    [
        (b"", {"Content-Type": "image/jpeg"}, 422, "not an image"),
        (b"no photo", {"Content-Type": "image/jpeg"}, 422, "not an image"),
        (bomb(), {"Content-Type": "image/png"}, 422, "more than the 1,000,000"),
        (
            b"x=1",
            {"Content-Type": "application/x-www-form-urlencoded"},
            415,
            "application/x-www-form-urlencoded",
        ),
        (b"{}", {"Content-Type": "application/json"}, 415, "send image/jpeg"),
        (b"\x1f\x8b", {"Content-Type": "image/jpeg", "Content-Encoding": "gzip"}, 415, "compressed"),
        (b"-" * (2**20 + 1), {"Content-Type": "image/jpeg"}, 413, "larger than 1,048,576"),
        (b"--a", {"Content-Type": "multipart/form-data"}, 400, "boundary"),
        (b"nonsense", {"Content-Type": "multipart/form-data; boundary=a"}, 400, "broken form"),
        (b"--a\r\n", {"Content-Type": "multipart/form-data; boundary=a"}, 400, "broken form"),
    ],
)
def test_a_body_that_is_no_photo_is_refused(http, content, headers, status, said):
    answer = http.post("/v1/locate", content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["error"]


def test_a_body_of_unknown_length_is_counted_while_it_arrives(http):
    pieces = (b"-" * 65536 for _ in range(17))
    answer = http.post("/v1/locate", content=pieces, headers={"Content-Type": "image/jpeg"})
    assert answer.status_code == 413


def test_too_many_photos_are_refused(http):
    answer = post(http, *[(f"{number}.jpg", b"x") for number in range(9)])
    assert answer.status_code == 413
    assert "more than 8 photos" in answer.json()["error"]


def test_a_form_field_that_is_no_photo_is_named(http, pictures):
    answer = http.post("/v1/locate", data={"top": "3"}, files={"photos": pictures[0].read_bytes()})
    assert answer.status_code == 400
    assert "'top'" in answer.json()["error"]


def test_a_file_of_another_type_is_refused(http):
    answer = http.post("/v1/locate", files={"photos": ("a.txt", b"text", "text/plain")})
    assert answer.status_code == 415


def test_names_of_any_letters_come_back(http, pictures):
    for name in ("дом.jpg", "家 1.jpg", "a;b.jpg", "<script>.jpg", "x" * 300 + ".jpg"):
        (values,) = post(http, (name, pictures[0].read_bytes())).json()["guesses"]
        assert values["photo"] == name[:255]


def test_answers_bear_the_headers_that_keep_browsers_safe(http):
    for path in ("/", "/v1/models", "/nothing"):
        headers = http.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers


def test_nothing_is_at_other_addresses(http):
    assert http.get("/nothing").status_code == 404
    assert http.get("/static/../locate.py").status_code == 404
    assert http.get("/v1/locate").status_code == 405
    assert "error" in http.get("/v1/locate").json()
