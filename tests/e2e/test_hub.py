"""Models to the hub and from it, through the real command line and a server that speaks its interface."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml
from hub_server import TOKEN, HubServer, hub_server
from PIL import Image

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def server() -> Iterator[HubServer]:
    with hub_server() as server:
        yield server


@pytest.fixture
def run(lostfound: Run, server: HubServer, tmp_path: Path) -> Run:
    variables = {
        **{"HF_ENDPOINT": server.url, "HF_HUB_CACHE": str(tmp_path / "cache"), "HF_TOKEN": TOKEN},
        **{"HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1"},
    }
    return functools.partial(lostfound, **variables)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.effect_noise((90, 60), 60).convert("RGB").save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def header(text: bytes) -> dict:
    return yaml.safe_load(text.decode().split("---\n")[1])


def answers(done: CompletedProcess[str]) -> list:
    assert done.returncode == 0, done.stderr
    return [each["candidates"] for each in json.loads(done.stdout)["photos"]]


@pytest.mark.slow
def test_what_is_published_answers_the_same_anywhere(
    run: Run, server: HubServer, model_folder: Path, photo: Path
) -> None:
    done = run("publish", model_folder, "me/mine", "--license", "Apache-2.0")
    assert done.returncode == 0, done.stderr
    repo = server.repos["me/mine"]
    assert repo.private
    assert f"Published: hf://me/mine@{repo.head}\n" in done.stderr
    there = repo.commits[repo.head]
    own = json.loads((model_folder / "config.json").read_bytes())["files"]
    assert set(there) == {*own, "config.json", "README.md", ".gitattributes"}  # and nothing of run/
    about = header(there["README.md"])
    assert (about["license"], about["library_name"]) == ("apache-2.0", "lostfound")
    (index,) = about["model-index"]
    assert {"type": "top_1_accuracy"}.items() <= index["results"][0]["metrics"][0].items()
    assert "lostfound locate photo.jpg --model hf://me/mine\n" in there["README.md"].decode()

    where = f"hf://me/mine@{repo.head}"
    expected = answers(run("locate", photo, "--model", model_folder, "--format", "json"))
    assert answers(run("locate", photo, "--model", where, "--format", "json")) == expected
    server.go_away()
    done = run("locate", photo, "--model", where, "--format", "json")
    assert answers(done) == expected
    assert "hub" not in done.stderr
    done = run("locate", photo, "--model", "hf://me/mine")  # never asked for without a commit
    assert done.returncode == 1
    assert "`hf download me/mine --local-dir FOLDER`" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_commands_take_it_as_a_folder(
    run: Run, server: HubServer, model_folder: Path, dataset_folder: Path, photo: Path, tmp_path: Path
) -> None:
    files = {each.name: each.read_bytes() for each in model_folder.iterdir() if each.is_file()}
    commit = server.add("me/mine", files)
    done = run("evaluate", "hf://me/mine", dataset_folder, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"] == f"me/mine@{commit[:7]}"
    done = run("explain", photo, "--model", "hf://me/mine", "--to", tmp_path / "why")
    assert done.returncode == 0, done.stderr
    done = run("calibrate", "hf://me/mine", dataset_folder, "--split", "all")
    assert done.returncode == 2
    assert "get a copy of your own (`hf download me/mine --local-dir FOLDER`)" in done.stderr


@pytest.mark.slow
def test_an_upload_that_fails_goes_on(run: Run, server: HubServer, model_folder: Path) -> None:
    graph = _hash(model_folder, "model.onnx")
    server.full.add(graph)
    done = run("publish", model_folder, "hf://me/mine")
    assert done.returncode == 1
    assert "me/mine could not be uploaded: " in done.stderr
    assert len(server.repos["me/mine"].commits) == 1  # whole or not at all
    assert len(server.blobs) > 0
    server.full.clear()
    del server.asked[:]
    server.breaks[graph] = 1
    done = run("publish", model_folder, "hf://me/mine")
    assert done.returncode == 0, done.stderr
    assert {path.rpartition("/")[2] for method, path, _ in server.asked if method == "PUT"} == {graph}
    assert "names no licence" in done.stderr


@pytest.mark.slow
def test_reports_go_into_the_card_of_a_folder(
    run: Run, model_folder: Path, dataset_folder: Path, tmp_path: Path
) -> None:
    done = run("evaluate", model_folder, dataset_folder, "--split", "all", "--to", tmp_path / "report")
    assert done.returncode == 0, done.stderr
    done = run("publish", model_folder, tmp_path / "mine", "--report", tmp_path / "report")
    assert done.returncode == 0, done.stderr
    (index,) = header((tmp_path / "mine" / "README.md").read_bytes())["model-index"]
    assert [each["dataset"]["split"] for each in index["results"]] == ["test", "all"]
    assert run("evaluate", tmp_path / "mine", dataset_folder).returncode == 0

    about = json.loads((tmp_path / "report" / "metrics.json").read_text())
    about["model_sha256"] = "0" * 64
    (tmp_path / "report" / "metrics.json").write_text(json.dumps(about))
    done = run("publish", model_folder, tmp_path / "other", "--report", tmp_path / "report")
    assert done.returncode == 1
    assert "is no report of" in done.stderr
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_what_may_not_be_published(run: Run, server: HubServer, model_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(model_folder, tmp_path / "theirs")
    file = tmp_path / "theirs" / "config.json"
    about = {"model": "image-classifier", "license": "unknown", "commercial_use": False, "sources": []}
    file.write_text(json.dumps({**json.loads(file.read_text()), "published": about}))
    done = run("publish", tmp_path / "theirs", "me/theirs")
    assert done.returncode == 1
    assert "which states no licence: nobody may pass it on" in done.stderr
    (tmp_path / "theirs" / "model.safetensors").write_bytes(b"other")
    done = run("publish", tmp_path / "theirs", "me/theirs", "--license", "MIT")
    assert done.returncode == 1
    assert "model.safetensors is not this model's own" in done.stderr
    server.add("me/public", {"README.md": b""})
    done = run("publish", model_folder, "me/public")
    assert done.returncode == 2
    assert "anybody may see it: give --public" in done.stderr
    assert run("publish", model_folder, "me/public", "--public").returncode == 0
    assert server.repos.keys() == {"me/public"}


@pytest.mark.slow
def test_what_could_be_a_folder_or_a_name_is_asked_about(
    run: Run, model_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "models").mkdir()
    done = run("publish", model_folder, "models/mine", cwd=tmp_path)
    assert done.returncode == 2
    assert "write ./models/mine or hf://models/mine" in done.stderr
    done = run("publish", model_folder, "./models/mine", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run("publish", model_folder, "./models/mine", cwd=tmp_path)
    assert done.returncode == 2
    assert "is there already" in done.stderr


@pytest.mark.slow
def test_data_sets_are_published_there_too(
    run: Run, server: HubServer, dataset_folder: Path, tmp_path: Path
) -> None:
    options = ("--unknown-license", "CC0-1.0")
    done = run("publish", dataset_folder, "hf://datasets/me/streets", *options, XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    repo = server.repos["me/streets"]
    assert repo.private
    assert sorted(name.partition("-")[0] for name in repo.commits[repo.head]) == sorted(
        [".gitattributes", "README.md", "data/train", "data/validation", "data/test"]
    )


def _hash(model: Path, name: str) -> str:
    return str(json.loads((model / "config.json").read_bytes())["files"][name])
