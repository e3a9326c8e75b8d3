"""Models of the hub, from a server on this machine that speaks its interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import TOKEN, HubServer, hub_server

import lostfound
from lostfound.errors import ModelError, UsageError
from lostfound.hub import Repository, cached_repository, file_of, is_on_hub
from lostfound.predict.calibration import Calibration
from lostfound.predict.model_folder import STARTER, ModelFolder, set_calibration
from lostfound.serve.settings import parse_models

NAME = "hf://me/starter"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    constants = "huggingface_hub.constants."
    with hub_server() as server:
        monkeypatch.setattr(f"{constants}ENDPOINT", server.url)
        monkeypatch.setattr(
            f"{constants}HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(f"{constants}HF_HUB_CACHE", str(tmp_path / "hub"))
        yield server


def files(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


@pytest.fixture
def commit(server: HubServer) -> str:
    return server.add("me/starter", files(STARTER))


def gets(server: HubServer) -> list[str]:
    return [
        path.rpartition("/")[2] for method, path, _ in server.asked if method == "GET" and "/resolve/" in path
    ]


@pytest.mark.parametrize(
    ("text", "name", "revision"),
    [
        ("hf://me/model", "me/model", None),
        ("hf://me/model@main", "me/model", "main"),
        ("hf://me/model@refs/pr/1", "me/model", "refs/pr/1"),
        (Path("hf://me/model@v1.0"), "me/model", "v1.0"),
    ],
)
def test_names(text: str | Path, name: str, revision: str | None) -> None:
    assert is_on_hub(text)
    assert Repository.parse(text) == Repository(name, revision)


@pytest.mark.parametrize(
    "text", ["hf://me", "hf://datasets/me/model", "hf://me/model@", "hf://", "hf://a b/c"]
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no model's name on the hub"):
        ModelFolder.open(text)


def test_a_path_is_no_name() -> None:
    assert not is_on_hub("models/mine")
    assert not is_on_hub(Path("hf/model"))


def test_a_model_is_downloaded_once(server: HubServer, commit: str) -> None:
    model = lostfound.load(NAME).model
    assert sorted(gets(server)) == sorted(each.name for each in STARTER.iterdir())
    assert cached_repository(model.path) == Repository("me/starter", commit)
    assert model.name == f"me/starter@{commit[:7]}"
    del server.asked[:]
    assert lostfound.load(NAME).model.path == model.path
    assert gets(server) == []


def test_a_pinned_one_asks_nobody_again(server: HubServer, commit: str) -> None:
    lostfound.load(f"{NAME}@{commit}")
    del server.asked[:]
    lostfound.load(f"{NAME}@{commit}")
    assert server.asked == []


def test_offline_the_copy_answers_and_says_so(
    server: HubServer, commit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lostfound.load(NAME)
    assert capsys.readouterr().err == ""
    server.go_away()
    lostfound.load(f"{NAME}@{commit}")
    assert capsys.readouterr().err == ""
    lostfound.load(NAME)
    said = capsys.readouterr().err
    assert said.startswith("hf://me/starter: the hub can't be asked (")
    assert said.endswith(f"its copy in the cache is taken, at {commit[:12]}\n")


@pytest.mark.parametrize("revision", ["", "@main", f"@{'0' * 40}"])
def test_offline_without_a_copy_it_says_what_to_do(server: HubServer, revision: str) -> None:
    server.go_away()
    with pytest.raises(ModelError, match="can't be had from the hub") as caught:
        lostfound.load(f"{NAME}{revision}")
    asked = f" --revision {revision[1:]}" if revision else ""
    assert f"(`hf download me/starter{asked} --local-dir FOLDER`)" in str(caught.value)


def test_a_newer_commit_is_taken_where_none_is_named(server: HubServer, commit: str) -> None:
    lostfound.load(NAME)
    newer = server.add("me/starter", {"README.md": b"# Another card\n"})
    assert newer != commit
    assert (lostfound.load(NAME).model.path / "README.md").read_text() == "# Another card\n"
    assert "model.onnx" not in gets(server)[7:]  # what is the same is not downloaded again
    assert lostfound.load(f"{NAME}@{commit}").model.path.name == commit


def test_a_connection_that_breaks_is_taken_up(server: HubServer) -> None:
    large = bytes(range(256)) * (48 << 12)  # the library takes up at blocks of ten megabytes
    commit = server.add("me/large", {"graph": large})
    server.breaks["graph"] = 1
    assert file_of(Repository("me/large", commit), "graph").read_bytes() == large
    ranges = [asked for method, path, asked in server.asked if path.endswith("graph") and method == "GET"]
    assert ranges == [None, "bytes=20971520-"]


def test_other_bytes_are_refused_and_not_kept(server: HubServer, commit: str) -> None:
    server.wrong.add("model.onnx")
    with pytest.raises(ModelError, match=r"me/starter@.*: model.onnx is not this model's own"):
        lostfound.load(NAME)
    server.wrong.clear()
    lostfound.load(NAME)


def test_a_damaged_copy_is_fetched_anew(server: HubServer, commit: str) -> None:
    graph = lostfound.load(NAME).model.graph
    graph.resolve().write_bytes(b"damaged")
    assert (
        lostfound.load(f"{NAME}@{commit}").model.graph.read_bytes() == (STARTER / "model.onnx").read_bytes()
    )


def test_what_trains_is_left_there(server: HubServer, model_folder: Path) -> None:
    server.add("me/mine", files(model_folder))
    path = ModelFolder.open("hf://me/mine").path
    assert "model.safetensors" not in files(path)
    from lostfound.predict.model_source import local_weights

    assert local_weights("hf://me/mine") == str(path)
    assert files(path)["model.safetensors"] == files(model_folder)["model.safetensors"]


def test_what_is_not_there(server: HubServer, commit: str) -> None:
    with pytest.raises(ModelError, match="the hub has no me/other that you may see"):
        lostfound.load("hf://me/other")
    with pytest.raises(ModelError, match="me/starter has no revision v2 on the hub"):
        lostfound.load(f"{NAME}@v2")
    server.add("me/other", {"model.safetensors": b""})
    with pytest.raises(ModelError, match=r"has not a file config\.json: it is another model"):
        lostfound.load("hf://me/other")
    server.add("me/bert", {"config.json": b'{"model_type": "bert"}'})
    with pytest.raises(ModelError, match="does not describe a lostfound model"):
        lostfound.load("hf://me/bert")


def test_a_private_one_needs_a_token(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.add("me/secret", files(STARTER), private=True)
    with pytest.raises(ModelError, match="`hf auth login` logs in"):
        lostfound.load("hf://me/secret")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    lostfound.load("hf://me/secret")


def test_a_copy_in_the_cache_is_not_changed(server: HubServer, commit: str) -> None:
    path = lostfound.load(NAME).model.path
    before = files(path)
    for model in (NAME, path):
        with pytest.raises(UsageError, match="is not changed, neither on the hub nor in its cache"):
            set_calibration(model, Calibration(temperature=2.0))
    assert files(path) == before


def test_a_server_names_it_without_its_owner(server: HubServer, commit: str) -> None:
    ((name, path),) = parse_models([f"{NAME}@{commit}"])
    assert (name, cached_repository(path)) == ("starter", Repository("me/starter", commit))
