"""What a server says of itself, who may ask, and the shapes that other clients speak."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lostfound

pytest.importorskip("fastapi", reason="the server is not installed: extra 'serve'")
httpx2 = pytest.importorskip("httpx2", reason="httpx2 is not installed: extra 'client'")

TOKENS = ("a-long-token", "another")


@pytest.fixture(scope="module")
def http(start_server: Callable[..., Any], model_folder: Path, point_model_folder: Path) -> Any:
    server = start_server(
        "--model", "starter", "--model", f"mine={model_folder}", "--model", f"point={point_model_folder}"
    )
    with httpx2.Client(base_url=server.url, timeout=300) as client:
        yield client


@pytest.fixture(scope="module")
def guarded(start_server: Callable[..., Any], tmp_path_factory) -> Any:
    file = tmp_path_factory.mktemp("tokens") / "tokens"
    file.write_text("# who may ask\n" + "\n".join(TOKENS) + "\n")
    return start_server(
        "--token-file", file, "--cors", "https://example.org", "--tiles", "https://t.example/{z}/{x}/{y}.png"
    )


@pytest.mark.slow
def test_models_are_described(http):
    starter, mine, point = http.get("/v1/models").json()["models"]
    assert starter["name"] == "starter"
    assert starter["default"]
    assert starter["answers"] == len(lostfound.load().model.partition)
    assert starter["license"] == "Apache-2.0"
    assert "# The starter model" in starter["card"]
    assert (mine["name"], mine["default"], mine["kind"]) == ("mine", False, "classify")
    assert (point["kind"], point["answers"], point["views"]) == ("coordinates", None, 2)


@pytest.mark.slow
def test_each_model_answers_by_its_name(http, model_folder, point_model_folder, pictures):
    for name, folder in (("mine", model_folder), ("point", point_model_folder)):
        answer = http.post(f"/v1/locate?model={name}", files={"photos": pictures[0].read_bytes()}).json()
        (guess,) = answer["guesses"]
        own = lostfound.load(folder).locate(pictures[0])
        assert answer["model"] == name
        assert guess["candidates"][0]["name"] == own.best.name


@pytest.mark.slow
def test_what_a_model_cant_do_is_said_without_its_path(http, pictures):
    answer = http.post("/v1/locate?model=point&countries=FR", files={"photos": pictures[0].read_bytes()})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("point answers with one bare coordinate")


def test_countries_have_names(http):
    countries = http.get("/v1/countries").json()["countries"]
    assert {"code": "FR", "name": "France"} in countries
    assert countries == sorted(countries, key=lambda each: each["name"])


def test_health_and_readiness(http):
    assert http.get("/healthz").json() == {"status": "ok"}
    assert http.get("/readyz").json() == {"status": "ready"}


def test_metrics_count_and_name_nothing_of_strangers(http, pictures):
    http.get("/secret-address")
    http.post("/v1/locate", files={"photos": ("secret-name.jpg", pictures[0].read_bytes())})
    answer = http.get("/metrics")
    lines = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert float(lines['lostfound_requests_total{method="POST",route="/v1/locate",status="200"}']) >= 1
    assert float(lines['lostfound_requests_total{method="GET",route="none",status="404"}']) >= 1
    assert float(lines['lostfound_batch_photos_count{model="starter"}']) >= 1
    assert any(name.startswith("process_resident_memory_bytes") for name in lines)
    assert "secret" not in answer.text


@pytest.mark.slow
def test_hugging_faces_own_client_speaks_to_it(http, pictures):
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed: extra 'hub'")
    client = hub.InferenceClient(model=f"{str(http.base_url).rstrip('/')}/models/starter")
    own = lostfound.load().locate(pictures[0], top=3)
    for found in (
        client.image_classification(pictures[0].read_bytes()),
        client.image_classification(pictures[0].read_bytes(), top_k=3),
    ):
        assert [each.label for each in found][:3] == [each.name for each in own.candidates]
        assert found[0].score == pytest.approx(own.probability, rel=1e-3)
    assert len(found) == 3


def test_wrong_json_of_a_classification_is_refused(http):
    for body in (
        b"",
        b"[]",
        b'{"inputs": 1}',
        b'{"inputs": "%%%"}',
        b'{"inputs": "eA==", "parameters": {"top_k": 0}}',
        b"[" * 9999,
    ):
        answer = http.post("/models/starter", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400, body[:40]


def infer(http: Any, body: bytes, **headers: str) -> Any:
    return http.post("/v2/models/starter/infer", content=body, headers=headers)


def test_the_open_inference_protocol_in_json(http, pictures):
    assert http.get("/v2/health/live").json() == {"live": True}
    assert http.get("/v2/health/ready").json() == {"ready": True}
    assert http.get("/v2/models/starter/ready").json() == {"name": "starter", "ready": True}
    about = http.get("/v2/models/starter").json()
    assert about["inputs"] == [{"name": "photos", "datatype": "BYTES", "shape": [-1]}]
    photos = [base64.b64encode(path.read_bytes()).decode() for path in pictures[:2]]
    asked = {"id": "7", "inputs": [{"name": "photos", "shape": [2], "datatype": "BYTES", "data": photos}]}
    answer = infer(http, json.dumps(asked).encode()).json()
    (output,) = answer["outputs"]
    assert (answer["id"], answer["model_name"], output["shape"]) == ("7", "starter", [2])
    own = [lostfound.load().locate(path) for path in pictures[:2]]
    assert [json.loads(each)["candidates"][0]["name"] for each in output["data"]] == [
        each.best.name for each in own
    ]


def test_the_open_inference_protocol_with_binary_tensors(http, pictures):
    photo = pictures[0].read_bytes()
    rest = struct.pack("<I", len(photo)) + photo
    tensor = {
        "name": "photos",
        "shape": [1, 1],
        "datatype": "BYTES",
        "parameters": {"binary_data_size": len(rest)},
    }
    header = json.dumps({"inputs": [tensor], "parameters": {"top": 2}}).encode()
    length = {"Inference-Header-Content-Length": str(len(header))}
    answer = infer(http, header + rest, **length).json()
    assert len(json.loads(answer["outputs"][0]["data"][0])["candidates"]) == 2
    for broken in (header + rest[:-1], header + rest[:2], header[:-5]):
        assert infer(http, broken, **length).status_code == 400


@pytest.mark.parametrize(
    "change",
    [{"datatype": "FP32"}, {"shape": [3]}, {"data": ["%%"]}, {"data": [1]}, {"shape": []}, {"data": None}],
)
def test_wrong_tensors_are_refused(http, change):
    tensor = {"name": "photos", "shape": [1], "datatype": "BYTES", "data": ["eA=="]} | change
    assert infer(http, json.dumps({"inputs": [tensor]}).encode()).status_code == 400


@pytest.mark.slow
def test_who_has_no_token_gets_nothing(guarded, pictures):
    files = {"photos": pictures[0].read_bytes()}
    for given in (None, "Bearer wrong", "Bearer", "Basic a-long-token", f"Bearer {TOKENS[0]}x"):
        headers = {} if given is None else {"Authorization": given}
        answer = httpx2.post(f"{guarded.url}/v1/locate", files=files, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    for token in TOKENS:
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx2.post(f"{guarded.url}/v1/locate", files=files, headers=headers).status_code == 200


def test_health_and_the_page_need_no_token(guarded):
    for path in ("/healthz", "/readyz", "/", "/static/app.js", "/v2/health/ready"):
        assert httpx2.get(f"{guarded.url}{path}").status_code == 200
    for path in ("/metrics", "/v1/models", "/v2/models/starter"):
        assert httpx2.get(f"{guarded.url}{path}").status_code == 401


def test_pages_of_named_origins_may_ask(guarded):
    asked = {
        "Origin": "https://example.org",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    answer = httpx2.options(f"{guarded.url}/v1/locate", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://example.org"
    other = httpx2.options(f"{guarded.url}/v1/locate", headers=asked | {"Origin": "https://other.example"})
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.slow
def test_tiles_are_named_in_the_settings_and_in_the_policy(guarded):
    headers = {"Authorization": f"Bearer {TOKENS[0]}"}
    settings = httpx2.get(f"{guarded.url}/v1/settings", headers=headers).json()
    assert settings["tiles"] == "https://t.example/{z}/{x}/{y}.png"
    assert "https://t.example" in httpx2.get(guarded.url).headers["content-security-policy"]
