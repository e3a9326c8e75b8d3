"""Reading others' weights as plain arrays: safetensors, and pickled files as far as they hold tensors alone.

A pickle is a program, and opening it runs that. Here it is run by a machine that knows only how to put
tensors together: whatever else it asks for is refused by name, before it is looked up.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostfound.errors import ModelError, refused_as

Tensors = Mapping[str, NDArray[Any]]

_MOST_BYTES = 16 << 30
_TYPES: Mapping[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}
_NESTS = ("state_dict", "model_state_dict", "model")
_ALONE = ""
"""What a tensor is called that is a file's only content."""


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of a file by name; one that stands alone is called "".

    Args:
        path: safetensors, or what `torch.save` writes (a zip of a pickle and the tensors' bytes).

    Raises:
        ModelError: It is missing, cut short, of an older form, or holds more than tensors.
    """
    if not path.is_file():
        raise ModelError(f"the weights file {path} does not exist")
    if zipfile.is_zipfile(path):
        with refused_as(ModelError, f"{path} can't be read as tensors: get the file again"):
            return _from_zip(path)
    with path.open("rb") as file:
        start = file.read(8)
    if start[:1] == b"\x80" or start[:4] == b"PK\x03\x04":
        what = "is cut short" if start[:1] == b"P" else "is a bare pickle, of torch before 1.6"
        raise ModelError(
            f"{path} {what}: get the file again, or convert it to safetensors where you trust it"
        )
    from safetensors.numpy import load_file

    with refused_as(ModelError, f"{path} can't be read as safetensors: it may be cut short, get it again"):
        return dict(load_file(path))


def _from_zip(path: Path) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(path) as archive:
        programs = [name for name in archive.namelist() if name.endswith("data.pkl")]
        if len(programs) != 1:
            raise ModelError(f"{path} is a zip without tensors (no data.pkl): it is no file of weights")
        root = programs[0].removesuffix("data.pkl")
        if sum(each.file_size for each in archive.infolist()) > _MOST_BYTES:
            raise ModelError(f"{path} holds more than {_MOST_BYTES >> 30} GB, which no such model has")
        order = f"{root}byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise ModelError(f"{path} was written on a big-endian machine: convert it there")

        def storage(kind: np.dtype[Any], key: str) -> NDArray[Any]:
            if not key.isalnum():
                raise pickle.UnpicklingError(f"bytes under the name {key!r}")
            return np.frombuffer(archive.read(f"{root}data/{key}"), dtype=kind)

        program = archive.read(programs[0])
        try:
            _check_memory(program)
            stored = _Tensors(program, storage).load()
        except pickle.UnpicklingError as error:
            raise ModelError(
                f"{path} holds more than tensors ({error}): opening it could run code, so it is refused"
            ) from None
    return _named(stored, path)


def _check_memory(program: bytes) -> None:
    """Refuse a pickle that numbers what it keeps higher than it has bytes: each number takes room in memory.

    Raises:
        pickle.UnpicklingError: It does.
        ValueError: It is no whole pickle.
    """
    for code, number, _ in pickletools.genops(program):
        if "PUT" in code.name and isinstance(number, int) and number > len(program):
            raise pickle.UnpicklingError(f"it keeps a value under the number {number:,}")


def _named(stored: object, path: Path) -> dict[str, NDArray[Any]]:
    """The tensors in what was saved: alone, by name, or by name below `state_dict`."""
    if isinstance(stored, np.ndarray):
        return {_ALONE: stored}
    while isinstance(stored, Mapping):
        nest = next((key for key in _NESTS if isinstance(stored.get(key), Mapping)), None)
        if nest is None:
            return {str(name): value for name, value in stored.items() if isinstance(value, np.ndarray)}
        stored = stored[nest]
    raise ModelError(f"{path} holds no tensors by name")


class _Storage:
    """Names the type of some bytes; nothing else."""

    def __init__(self, kind: np.dtype[Any]) -> None:
        self.kind = kind


def _rebuild_tensor(
    storage: NDArray[Any], offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> NDArray[Any]:
    """What torch's own does, within the bytes that are there."""
    size, stride = tuple(map(int, size)), tuple(map(int, stride))
    if len(size) != len(stride) or min((*size, *stride, offset), default=0) < 0:
        raise pickle.UnpicklingError(f"a tensor of the size {size} and stride {stride}")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if all(size) and (last >= len(storage) or math.prod(size) > len(storage)):
        raise ValueError(f"a tensor of the size {size} reaches beyond its bytes: the file is cut short")
    steps = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps, writeable=False).copy()


def _rebuild_parameter(data: NDArray[Any], *_: object) -> NDArray[Any]:
    return data


class _Tensors(pickle.Unpickler):
    """Runs a pickle that puts tensors together, and refuses any other."""

    _KNOWN: Mapping[tuple[str, str], Any] = {
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
        ("collections", "OrderedDict"): OrderedDict,
        **{("torch", name): _Storage(kind) for name, kind in _TYPES.items()},
    }

    def __init__(self, program: bytes, storage: Callable[[np.dtype[Any], str], NDArray[Any]]) -> None:
        super().__init__(io.BytesIO(program))
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        """What a name stands for, if it is one of those that tensors need.

        Raises:
            pickle.UnpicklingError: It is another.
        """
        if (module, name) not in self._KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return self._KNOWN[module, name]

    def persistent_load(self, pid: Any) -> Any:
        """The bytes that a pickle names.

        Raises:
            pickle.UnpicklingError: It names something else.
        """
        if not (
            isinstance(pid, tuple) and len(pid) == 5 and pid[0] == "storage" and isinstance(pid[1], _Storage)
        ):
            raise pickle.UnpicklingError(f"it asks for {pid!r}")
        return self._storage(pid[1].kind, str(pid[2]))
