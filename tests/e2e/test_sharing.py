"""Data lists, remotes and publishing through the real command line."""

import json
import shutil

import pyarrow.parquet as pq
import pytest


@pytest.fixture
def kept(dataset_folder, tmp_path):
    return shutil.copytree(dataset_folder, tmp_path / "kept")


@pytest.fixture
def listed(lostfound, kept, tmp_path):
    done = lostfound("list", kept, "--limit", 30, "--to", tmp_path / "list.txt")
    assert (done.returncode, done.stderr) == (0, f"{tmp_path}/list.txt: 30 images, 30 of them new\n")
    return tmp_path / "list.txt"


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.slow
def test_a_list_and_a_remote_make_the_same_data_set_anywhere(lostfound, kept, listed, tmp_path):
    here = lostfound("prepare", kept, "--list", listed, "--size", 32, "--to", tmp_path / "a", "--json")
    there = lostfound(
        *("prepare", tmp_path / "nothing", "--list", listed, "--remote", kept, "--size", 32),
        *("--to", tmp_path / "b", "--json"),
    )
    assert (here.returncode, there.returncode) == (0, 0), there.stderr
    tables = [pq.read_table(tmp_path / name / "records.parquet") for name in "ab"]
    assert tables[0].equals(tables[1])
    assert contents(tmp_path / "a" / "images") == contents(tmp_path / "b" / "images")
    assert json.loads((tmp_path / "a" / "dataset.json").read_text())["list_sha256"]


@pytest.mark.slow
def test_a_list_grows(lostfound, kept, listed):
    before = listed.read_text().splitlines()[1:]
    done = lostfound("list", kept, "--to", listed)
    assert done.stderr == f"{listed}: 96 images, 66 of them new\n"
    assert listed.read_text().splitlines()[1:31] == before


@pytest.mark.slow
def test_what_can_not_be_had_stops_the_run_with_the_ids(lostfound, kept, listed, tmp_path):
    done = lostfound("prepare", tmp_path / "nothing", "--list", listed, "--to", tmp_path / "new")
    assert done.returncode == 2
    assert listed.read_text().splitlines()[1].split()[0] in done.stderr
    assert "give one with --remote" in done.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_publishing_refuses_what_has_no_licence_and_takes_what_is_said(lostfound, kept, tmp_path):
    refused = lostfound("publish", kept, tmp_path / "hub")
    assert refused.returncode == 1
    assert "96 of 96 images may not be published" in refused.stderr
    assert not (tmp_path / "hub").exists()

    done = lostfound("publish", kept, tmp_path / "hub", "--unknown-license", "CC-BY-4.0")

    assert done.returncode == 0
    assert f"Published 96 images: {tmp_path}/hub" in done.stderr
    assert (tmp_path / "hub" / "README.md").is_file()


@pytest.mark.slow
def test_a_licence_given_to_the_import_is_that_of_its_images(lostfound, world, tmp_path):
    lostfound("import", world, "--to", tmp_path / "data", "--size", 64, "--license", "CC0-1.0")
    assert lostfound("publish", tmp_path / "data", tmp_path / "hub").returncode == 0
    path = next((tmp_path / "hub" / "data").glob("train-*"))
    assert set(pq.read_table(path)["license"].to_pylist()) == {"CC0-1.0"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--engine", "spark"), "no engine 'spark': choose local or ray"),
        (("--address", "127.0.0.1:6379"), "give --engine ray with it"),
    ],
)
@pytest.mark.slow
def test_engines_that_are_none_are_wrong_usage(lostfound, world, tmp_path, options, message):
    done = lostfound("import", world, "--to", tmp_path / "data", *options)
    assert done.returncode == 2
    assert message in done.stderr
