"""The provenance of a run: what it keeps, and what it says of changes since."""

from __future__ import annotations

import json
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch

from lostfound.data.dataset import Dataset, write_dataset
from lostfound.data.records import strings
from lostfound.errors import DatasetError, ModelError, UsageError
from lostfound.training.provenance import Provenance, write_provenance


def provenance(dataset: Dataset, model: Path, weights: str | None = None) -> Provenance:
    write_provenance(model / "run", dataset, weights, 7)
    (model / "run" / "recipe.yaml").write_text("name: demo\n")
    return Provenance.open(model)


def copy_of(dataset: Dataset, folder: Path, rows: pa.Array) -> Dataset:
    """The data set in another folder, with some of its records in another order."""
    folder.mkdir()
    (folder / "images").symlink_to(dataset.folder.resolve() / "images")
    return write_dataset(folder, dataset.records.take(rows), dataset.info)


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def test_what_a_run_is_computed_from_and_with_is_kept(dataset: Dataset, tmp_path: Path) -> None:
    kept = provenance(dataset, tmp_path).environment
    assert kept["seed"] == 7
    assert kept["dataset"]["folder"] == str(dataset.folder.resolve())
    assert kept["dataset"]["records_sha256"] == dataset.info["records_sha256"]
    assert kept["weights"] == {"given": None, "sha256": None}
    assert kept["python"] == platform.python_version()
    assert kept["packages"]["torch"] == version("torch")
    assert kept["machine"]["threads"] == torch.get_num_threads()


def test_the_images_to_train_and_validate_on_are_listed(dataset: Dataset, tmp_path: Path) -> None:
    provenance(dataset, tmp_path)
    lines = (tmp_path / "run" / "images.csv").read_text().replace('"', "").splitlines()
    wanted = dataset.records.filter(pc.not_equal(dataset.records["split"], "test"))
    expected = [f"{row['image_id']},{row['split']}" for row in wanted.to_pylist()]
    assert lines == ["image_id,split", *expected]


def test_the_state_of_the_working_directory_is_kept(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert provenance(dataset, tmp_path / "bare").environment["git"] is None
    git(work, "init")
    (work / "notes.txt").write_text("one")
    git(work, "add", "notes.txt")
    git(work, "commit", "-m", "one")
    clean = provenance(dataset, tmp_path / "clean")
    assert len(clean.environment["git"]["commit"]) == 40
    assert clean.environment["git"]["dirty"] is False
    assert clean.differences(dataset) == []
    (work / "notes.txt").write_text("two")
    assert provenance(dataset, tmp_path / "dirty").environment["git"]["dirty"] is True
    (said,) = clean.differences(dataset)
    assert said.startswith("the working directory is at commit ")
    assert "with changes, was at commit" in said


def test_nothing_differs_right_away(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # no repository that changes meanwhile
    kept = provenance(dataset, tmp_path)
    assert kept.differences(kept.dataset()) == []
    assert kept.weights is None


def test_other_versions_are_said(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    provenance(dataset, tmp_path)
    file = tmp_path / "run" / "environment.json"
    environment = json.loads(file.read_text())
    environment["packages"].update({"torch": "1.0", "rich": "0.1"})
    environment["python"] = "2.7"
    environment["machine"]["threads"] = 99
    file.write_text(json.dumps(environment))
    assert Provenance.open(tmp_path).differences(dataset) == [
        f"torch is {version('torch')}, was 1.0",
        f"Python is {platform.python_version()}, was 2.7",
        f"torch computes on {torch.get_num_threads()} threads, not 99",
    ]


# --- the images


def test_the_same_images_are_found_in_a_data_set_that_has_changed(dataset: Dataset, tmp_path: Path) -> None:
    """More images, in another order, some in another split: the run's own, as they were."""
    places = np.flatnonzero(strings(dataset.records, "split") != "test")
    few = copy_of(dataset, tmp_path / "few", pa.array(places[:40]))
    kept = provenance(few, tmp_path / "model")
    order = np.random.default_rng(0).permutation(len(dataset))
    changed = copy_of(dataset, tmp_path / "changed", pa.array(order))
    splits = pa.array(["test"] * len(changed))
    records = changed.records.set_column(changed.records.schema.get_field_index("split"), "split", splits)
    changed = write_dataset(changed.folder, records, changed.info)
    found = kept.dataset(changed.folder)
    for split in ("train", "val"):
        assert found.split(split).records.drop(["split"]).equals(few.split(split).records.drop(["split"]))
    assert found.read(0) == few.read(0)
    rest = set(strings(found.split("test").records, "image_id"))
    assert not rest & set(strings(few.records, "image_id"))
    assert len(rest) == len(dataset) - 40
    assert any("has changed; the run's own images" in each for each in kept.differences(found))


def test_images_that_are_gone_are_counted(dataset: Dataset, tmp_path: Path) -> None:
    places = np.flatnonzero(strings(dataset.records, "split") != "test")
    kept = provenance(dataset, tmp_path / "model")
    few = copy_of(dataset, tmp_path / "few", pa.array(places[3:]))
    with pytest.raises(UsageError, match=rf"3 of the {len(places)} images .* give the data set with --data"):
        kept.dataset(few.folder)


def test_a_data_set_that_is_gone_is_said(dataset: Dataset, tmp_path: Path) -> None:
    kept = provenance(dataset, tmp_path)
    with pytest.raises(DatasetError, match="not a data set"):
        kept.dataset(tmp_path / "nowhere")


# --- the weights


def test_the_weights_must_be_what_they_were(dataset: Dataset, tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    file.write_bytes(b"one")
    kept = provenance(dataset, tmp_path / "model", str(file))
    assert kept.weights == str(file)
    file.write_bytes(b"two")
    with pytest.raises(ModelError, match="gone or changed"):
        _ = kept.weights


def test_weights_of_a_model_folder_are_known_by_its_file(dataset: Dataset, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "model.safetensors").write_bytes(b"one")
    kept = provenance(dataset, tmp_path / "model", str(other))
    assert kept.weights == str(other)
    (other / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="gone or changed"):
        _ = kept.weights


@pytest.mark.parametrize("name", ["recipe.yaml", "environment.json", "images.csv"])
def test_a_folder_without_its_provenance_cannot_be_repeated(
    dataset: Dataset, tmp_path: Path, name: str
) -> None:
    provenance(dataset, tmp_path)
    (tmp_path / "run" / name).unlink()
    with pytest.raises(ModelError, match=rf"no run that could be repeated \(no run/{name}\)"):
        Provenance.open(tmp_path)
