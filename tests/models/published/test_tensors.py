"""Pickled weights are read as tensors, and what is more than tensors is refused by name."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from lostfound.errors import ModelError
from lostfound.models.published.tensors import read_tensors


class Evil:
    """Opening its pickle would run a command."""

    def __reduce__(self):
        return os.system, ("touch never",)


def test_what_torch_writes_is_read_without_it(tmp_path: Path) -> None:
    tensors = OrderedDict(
        a=torch.arange(12.0).reshape(3, 4).t(),
        b=torch.nn.Parameter(torch.ones(2, dtype=torch.float16)),
        c=torch.tensor(3.5, dtype=torch.float64),
        d=torch.tensor([True, False]),
    )
    for stored in (tensors, {"state_dict": tensors, "epoch": 3}):
        torch.save(stored, tmp_path / "w.pth")
        found = read_tensors(tmp_path / "w.pth")
        assert set(found) == set(tensors)
        for name, value in tensors.items():
            assert np.array_equal(found[name], value.detach().numpy())
            assert found[name].dtype == value.detach().numpy().dtype


def test_a_tensor_may_stand_alone(tmp_path: Path) -> None:
    torch.save(torch.nn.Parameter(torch.tensor(3.68)), tmp_path / "w.pth")
    assert float(read_tensors(tmp_path / "w.pth")[""]) == pytest.approx(3.68)


@pytest.mark.parametrize(
    "thing", [Evil(), {"a": torch.ones(2), "b": Evil()}, {"a": torch.device("cpu")}, Path("x")]
)
def test_more_than_tensors_is_refused_by_name(tmp_path: Path, thing: object) -> None:
    torch.save(thing, tmp_path / "w.pth")
    with pytest.raises(ModelError, match=r"holds more than tensors \(it asks for [\w.]+\)"):
        read_tensors(tmp_path / "w.pth")


def test_a_forged_size_reaches_no_other_bytes(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(4)}, tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "w.pth") as source, zipfile.ZipFile(tmp_path / "f.pth", "w") as forged:
        for item in source.infolist():
            data = source.read(item)
            forged.writestr(item.filename, data[:4] if item.filename.endswith("data/0") else data)
    with pytest.raises(ModelError, match="reaches beyond its bytes: the file is cut short"):
        read_tensors(tmp_path / "f.pth")


def test_other_files_are_named(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(400)}, tmp_path / "w.pth")
    whole = (tmp_path / "w.pth").read_bytes()
    (tmp_path / "half.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "bare.pkl").write_bytes(pickle.dumps({"a": 1}))
    save_file({"a": np.ones(400)}, tmp_path / "a.safetensors")
    (tmp_path / "half.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:500])
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("readme", "")
    says = {
        **{
            "half.pth": "is cut short",
            "bare.pkl": "is a bare pickle",
            "half.safetensors": "may be cut short",
        },
        **{"other.zip": "a zip without tensors", "none.pth": "does not exist"},
    }
    for name, text in says.items():
        with pytest.raises(ModelError, match=text):
            read_tensors(tmp_path / name)
    assert read_tensors(tmp_path / "a.safetensors")["a"].shape == (400,)


def test_a_program_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    forged = b"\x80\x02}r" + (2_000_000_000).to_bytes(4, "little") + b"."  # keep it as number 2 000 000 000
    with zipfile.ZipFile(tmp_path / "f.pth", "w") as archive:
        archive.writestr("f/data.pkl", forged)
    with pytest.raises(ModelError, match="under the number 2,000,000,000"):
        read_tensors(tmp_path / "f.pth")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_damaged_programs_are_our_errors(tmp_path: Path, at: int, bytes_: bytes) -> None:
    torch.save({"a": torch.ones(4), "b": torch.zeros(2, 2)}, tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "w.pth") as source, zipfile.ZipFile(tmp_path / "f.pth", "w") as forged:
        for item in source.infolist():
            data = source.read(item)
            if item.filename.endswith("data.pkl"):
                data = data[:at] + bytes_ + data[at + len(bytes_) :]
            forged.writestr(item.filename, data)
    with suppress(ModelError):
        assert all(isinstance(each, np.ndarray) for each in read_tensors(tmp_path / "f.pth").values())
