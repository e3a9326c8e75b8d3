from __future__ import annotations

import asyncio
import logging

import numpy as np
import pytest

from lostfound.collect.http import HttpClient, Request, RequestFailed, Response, base_url, is_error_picture
from lostfound.errors import UsageError


def ask(url: str, timeout_s: float = 5) -> Response:
    async def run() -> Response:
        async with HttpClient(timeout_s=timeout_s, connections=1) as client:
            return await client.send(Request(url, {"bbox": "2.0,48.0,2.01,48.01", "fields": "id"}))

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("always", "outcome", "detail", "wait_s"),
    [
        ("429", "throttled", "slow down", 0),
        ("429-long", "throttled", "slow down", 3600),
        ("500", "retried", "503", None),
        ("truncate", "retried", "broke off", None),
        ("slow", "retried", r"within 0\.5 s", None),
    ],
)
def test_what_is_no_answer_is_told_apart(serve, always: str, outcome: str, detail: str, wait_s: float | None):
    services = serve(always=always)
    with pytest.raises(RequestFailed, match=detail) as raised:
        ask(f"{services.base}/graph/images", 0.5)
    assert (raised.value.outcome, raised.value.wait_s) == (outcome, wait_s)


def test_no_server_is_unreachable(serve):
    services = serve()
    services.stop()
    with pytest.raises(RequestFailed, match="no connection") as raised:
        ask(f"{services.base}/graph/images?access_token=secret")
    assert raised.value.outcome == "unreachable"
    assert "secret" not in str(raised.value)


def test_addresses_are_not_logged(serve, caplog: pytest.LogCaptureFixture):
    services = serve()
    with caplog.at_level(logging.INFO):
        ask(f"{services.base}/graph/images")
    assert services.base not in caplog.text


@pytest.mark.parametrize("content", [b"", b"<html>", b'{"data": [', b"[1, 2]", b"null", b"\xff\xfe"])
def test_what_is_no_json_object_is_asked_for_again(content: bytes):
    with pytest.raises(RequestFailed, match="no JSON") as raised:
        Response(200, "application/json", content).json()
    assert raised.value.outcome == "retried"


def test_a_page_is_no_image():
    with pytest.raises(RequestFailed, match="text/html came instead of an image"):
        Response(200, "text/html", b"<html>").image()


def noise(height: int = 64, width: int = 96) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def half_sky() -> np.ndarray:
    pixels = noise()
    pixels[:32] = (200, 210, 220)
    return pixels


@pytest.mark.parametrize(
    ("pixels", "is_error"),
    [
        (np.full((64, 64, 3), 228, np.uint8), True),
        (np.concatenate([np.full((56, 96, 3), 228, np.uint8), noise(8)]), True),
        (noise(), False),
        (half_sky(), False),
        (np.tile(np.linspace(0, 255, 96).astype(np.uint8)[None, :, None], (64, 1, 3)), False),
    ],
)
def test_flat_pictures_are_told_from_photos(pixels: np.ndarray, is_error: bool):
    assert is_error_picture(pixels) is is_error


@pytest.mark.parametrize("url", ["ftp://here/x", "here", "http://", "http://here/x?key=1"])
def test_an_address_that_is_none_names_its_variable(url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOSTFOUND_STREETVIEW_URL", url)
    with pytest.raises(UsageError, match="LOSTFOUND_STREETVIEW_URL"):
        base_url("LOSTFOUND_STREETVIEW_URL", "https://there")
