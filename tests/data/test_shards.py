import os
import pickle
import shutil
import subprocess
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest

from lostfound.data.shards import ShardReader, shard_writer
from lostfound.errors import DatasetError

MEMBERS = [("a.jpg", b"first"), ("b.jpg", b""), ("c.jpg", bytes(range(256)) * 50)]


@pytest.fixture
def shard(tmp_path):
    """A shard of `MEMBERS`, and their offsets."""
    path = tmp_path / "images" / "0.tar"
    with shard_writer(path) as add:
        offsets = [add(name, data) for name, data in MEMBERS]
    return path, offsets


def test_tarfile_reads_a_shard(shard):
    with tarfile.open(shard[0]) as tar:
        read = [(member.name, tar.extractfile(member).read()) for member in tar]

    assert read == MEMBERS


@pytest.mark.skipif(shutil.which("tar") is None, reason="needs the tar command")
def test_the_tar_command_reads_a_shard(shard, tmp_path):
    listed = subprocess.run(["tar", "tf", shard[0]], check=True, capture_output=True, text=True)
    subprocess.run(["tar", "xf", shard[0], "-C", tmp_path], check=True)

    assert listed.stdout.split() == ["a.jpg", "b.jpg", "c.jpg"]
    assert (tmp_path / "c.jpg").read_bytes() == MEMBERS[2][1]


def test_offsets_point_at_the_members(shard):
    path, offsets = shard
    reader = ShardReader(path.parent)

    assert [
        reader.read("0.tar", offset, len(data)) for offset, (_, data) in zip(offsets, MEMBERS, strict=True)
    ] == [data for _, data in MEMBERS]


def test_the_same_members_give_the_same_bytes(shard, tmp_path):
    again = tmp_path / "again.tar"
    with shard_writer(again) as add:
        for name, data in MEMBERS:
            add(name, data)

    assert again.read_bytes() == shard[0].read_bytes()


def test_a_shard_is_written_whole_or_not_at_all(shard):
    path, _ = shard
    before = path.read_bytes()

    with suppress(RuntimeError), shard_writer(path) as add:
        add("a.jpg", b"other")
        raise RuntimeError

    assert path.read_bytes() == before


def test_a_shard_that_is_gone_says_so(tmp_path):
    with pytest.raises(
        DatasetError, match=r"0\.tar can't be read \(No such file.*the data set's files are gone"
    ):
        ShardReader(tmp_path).read("0.tar", 0, 1)


def test_a_shard_that_is_cut_short_says_so(shard):
    path, offsets = shard
    os.truncate(path, offsets[2] + 10)

    with pytest.raises(DatasetError, match="is cut short"):
        ShardReader(path.parent).read("0.tar", offsets[2], len(MEMBERS[2][1]))


def test_a_reader_reads_on_after_being_closed_and_after_a_pickle(shard):
    path, offsets = shard
    reader = ShardReader(path.parent)
    reader.read("0.tar", offsets[0], 5)
    reader.close()

    for each in (reader, pickle.loads(pickle.dumps(reader))):
        assert each.read("0.tar", offsets[0], 5) == b"first"


def test_a_reader_holds_a_bounded_number_of_files_open(tmp_path):
    for number in range(600):
        (tmp_path / f"{number}.tar").write_bytes(b"x")
    reader = ShardReader(tmp_path)
    before = len(list(Path("/dev/fd").iterdir()))

    for number in range(600):
        reader.read(f"{number}.tar", 0, 1)

    assert len(list(Path("/dev/fd").iterdir())) - before <= 256
