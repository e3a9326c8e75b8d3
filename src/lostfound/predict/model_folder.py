"""The model folder: what a finished model consists of. Reading it needs no torch and runs no code."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostfound.data.images import Preprocessing
from lostfound.errors import ModelError, refused_as
from lostfound.files import digest, file_digest, is_unchanged, write_atomic, writing_atomically
from lostfound.hub import cached_repository, is_on_hub, own_folder
from lostfound.partitions import Partition
from lostfound.predict.calibration import Calibration
from lostfound.predict.decoders import OutputDecoder, build_decoder, check_temperature
from lostfound.predict.levels import Levels
from lostfound.predict.place_tower import PLACE_TOWER, PlaceTower
from lostfound.predict.support import Support

FORMAT = 1
GRAPH, WEIGHTS, PARTITION, CALIBRATION = (
    "model.onnx",
    "model.safetensors",
    "partition.parquet",
    "calibration.json",
)
GRAPH_WEIGHTS = "model.onnx.data"
"""The weights of a large graph, which lie beside it and are mapped into memory."""
STATISTICS = "statistics.npz"
"""Arrays that calibrating adds: where in their cells photos are, what photos look like, the head."""
CONFIG, CARD = "config.json", "README.md"
NOT_FOR_ANSWERS = frozenset({WEIGHTS, PLACE_TOWER})
"""What is read by who trains or makes galleries alone, and checked then."""

STARTER = Path(__file__).parents[1] / "models" / "starter"
"""The model that comes with the package: small, countries of the world from street-level photos."""


@dataclass(frozen=True)
class ModelFolder:
    """A finished model on disk, checked.

    Attributes:
        path: The folder.
        config: What `config.json` says.
        preprocessing: How an image becomes the graph's input.
        decoder: From the graph's outputs to predictions, calibrated.
        views: How many views of a place were averaged in training.
        calibration: What makes its answers mean what they say.
    """

    path: Path
    config: dict[str, Any]
    preprocessing: Preprocessing
    decoder: OutputDecoder
    views: int
    calibration: Calibration

    @property
    def name(self) -> str:
        """What reports call it: its folder's name, or that on the hub with its commit."""
        repository = cached_repository(self.path)
        return self.path.resolve().name if repository is None else f"{repository.name}@{self.path.name[:7]}"

    @property
    def fingerprint(self) -> str:
        """A SHA-256 that tells models apart which answer otherwise: of the hashes of all that answers."""
        files = self.config["files"]
        hashes = {name: sha256 for name, sha256 in files.items() if name not in NOT_FOR_ANSWERS}
        return digest(json.dumps(hashes, sort_keys=True).encode())

    @property
    def partition(self) -> Partition | None:
        """The cells that the model tells apart; None if it answers with bare coordinates."""
        return self.decoder.partition

    @property
    def terms(self) -> str | None:
        """What users must know of the licence of others' weights; None where it is free for commerce."""
        about = self.config.get("published")
        if about is None or about["commercial_use"]:
            return None
        return f"Licence: {about['model']} is under {about['license']}: not for commercial use"

    @property
    def graph(self) -> Path:
        """The ONNX graph."""
        return self.path / GRAPH

    @property
    def graph_bytes(self) -> int:
        """How large it is, with its weights."""
        names = [name for name in (GRAPH, GRAPH_WEIGHTS) if name in self.config["files"]]
        return sum((self.path / name).stat().st_size for name in names)

    @cached_property
    def statistics(self) -> Mapping[str, NDArray[Any]]:
        """The arrays that calibrating added, by name; none in a model that was not calibrated.

        Raises:
            ModelError: The file holds no arrays.
        """
        if STATISTICS not in self.config["files"]:
            return {}
        with (
            refused_as(ModelError, f"{self.path / STATISTICS} can't be read"),
            np.load(self.path / STATISTICS, allow_pickle=False) as arrays,
        ):
            return {name: arrays[name] for name in arrays}

    @cached_property
    def place_tower(self) -> PlaceTower | None:
        """What makes embeddings of coordinates; None of most models.

        Raises:
            ModelError: The file is missing or damaged.
        """
        if PLACE_TOWER not in self.config["files"]:
            return None
        file = self.path / PLACE_TOWER
        if not file.is_file():
            raise ModelError(f"{file} is missing: the model folder is incomplete; copy it whole")
        _check(file, self.config["files"][PLACE_TOWER])
        return PlaceTower.read(file)

    @cached_property
    def support(self) -> Support | None:
        """Where in its cells photos are; None of a model of bare coordinates, or not yet calibrated.

        Raises:
            ModelError: The statistics are damaged.
        """
        if self.partition is None:
            return None
        if self.partition.of_points:
            return Support.of(self.partition)
        with refused_as(ModelError, f"{self.path} holds damaged statistics"):
            return Support.from_arrays(self.statistics, len(self.partition))

    @cached_property
    def levels(self) -> Levels:
        """The continents, countries, regions and cities that its cells lie in."""
        assert self.partition is not None
        return Levels.of(self.partition, self.support)

    @classmethod
    def open(cls, path: str | Path) -> ModelFolder:
        """Open a model folder and check that its files are its own.

        Args:
            path: The folder; or hf://OWNER/NAME@REVISION, which is downloaded once.

        Raises:
            ModelError: It is missing or unfinished, lacks a file, holds a file of another model, or was
                written by a newer version; or the hub can't be reached.
        """
        if is_on_hub(path):
            from lostfound.predict.model_source import downloaded  # which needs this module

            path = downloaded(path)
        path = Path(path)
        config = read_config(path)
        with refused_as(ModelError, f"{path} can't be read as a model folder"):
            return cls._read(path, config)

    @classmethod
    def _read(cls, path: Path, config: dict[str, Any]) -> ModelFolder:
        for name, sha256 in config["files"].items():
            file = path / name
            if name in NOT_FOR_ANSWERS and cached_repository(path) is not None:
                continue  # it is left on the hub until it is needed
            if not file.is_file():
                raise ModelError(
                    f"{file} is missing: the model folder is incomplete; copy it whole or train again"
                )
            if name not in NOT_FOR_ANSWERS:
                _check(file, sha256)
        partition = Partition.load(path / PARTITION) if PARTITION in config["files"] else None
        cells = None if partition is None else len(partition)
        calibration = Calibration.from_dict(json.loads((path / CALIBRATION).read_bytes()), cells)
        preprocessing = Preprocessing.from_dict(config["preprocessing"])
        decoder = build_decoder(
            config["answer"], partition, calibration.temperature, partial(_array, path, config)
        )
        views = int(config["views"])
        if views < 1 or not len(partition if partition is not None else "point"):
            raise ValueError("a model answers by one view or more, and tells one cell or more apart")
        task = config["task"]
        if not isinstance(task["kind"], str) or not 0 < float(task.get("clip_degrees", 1)) < float("inf"):
            raise ValueError(f"a task {task!r}")
        return cls(path, config, preprocessing, decoder, views, calibration)


def _check(file: Path, sha256: str) -> None:
    if not is_unchanged(file, sha256):
        raise ModelError(
            f"{file} is not this model's own (its hash differs from config.json's): copy the folder whole or "
            "train again"
        )


def _array(path: Path, config: Mapping[str, Any], name: str) -> NDArray[Any]:
    """One of the decoder's arrays, mapped into memory."""
    if name not in config["files"]:
        raise ModelError(f"{path} lacks {name}: the model folder is damaged; copy it whole or convert again")
    found: NDArray[Any] = np.load(path / name, mmap_mode="r", allow_pickle=False)
    return found


def read_config(path: Path) -> dict[str, Any]:
    """What the `config.json` of a model folder says; a key that it lacks is a `ModelError`.

    Raises:
        ModelError: There is none, or it is of no model that this version reads.
    """
    file = path / CONFIG
    if not file.is_file():
        if (path / "run").is_dir():
            raise ModelError(
                f"{path}: the training did not finish; go on with the same `lostfound train` and --resume"
            )
        raise ModelError(f"{path} is not a model folder (no {CONFIG}): make one with `lostfound train`")
    try:
        config: dict[str, Any] = json.loads(file.read_bytes())
        if int(config["format"]) > FORMAT:
            raise ModelError(
                f"{path} is of model format {config['format']}, newer than this lostfound reads "
                f"({FORMAT}): update"
            )
        files = config["files"]
        if {GRAPH, CALIBRATION} - files.keys() or any(Path(name).name != name for name in files):
            raise ValueError(f"files {list(files)}")
    except ModelError:
        raise
    except Exception as error:  # forged JSON makes its readers raise nearly anything
        raise ModelError(f"{file} does not describe a lostfound model") from error
    return _Config(config)


class _Config(dict[str, Any]):
    """What `config.json` says; what it lacks is a `ModelError`."""

    def __missing__(self, key: str) -> Any:
        raise ModelError(f"{CONFIG} lacks {key!r}: the model folder is damaged; copy it whole or train again")


def write_folder(
    path: Path, parts: Path, decoder: OutputDecoder, temperature: float, config: Mapping[str, Any]
) -> ModelFolder:
    """Put a finished model together.

    `config.json` comes last, so that an unfinished folder never passes for a model.

    Args:
        path: The model folder to be.
        parts: A folder on the same disk that holds the graph, and weights and a place tower if there are
            any; they are moved.
        decoder: From the graph's outputs to predictions.
        temperature: The calibration's.
        config: The rest of `config.json`, with `preprocessing`.
    """
    (path / CONFIG).unlink(missing_ok=True)
    partition = decoder.partition
    there = [name for name in (GRAPH_WEIGHTS, *sorted(NOT_FOR_ANSWERS)) if (parts / name).is_file()]
    names = [GRAPH, *there, CALIBRATION]
    labels: dict[str, Any] = {}
    if partition is not None:
        write_atomic(parts / PARTITION, partition.to_parquet())
        names.append(PARTITION)
        labels = {"labels": list(partition.cell_ids), "names": list(partition.names)}
    write_atomic(parts / CALIBRATION, json.dumps({"temperature": temperature}).encode())
    for name, array in decoder.files.items():
        with writing_atomically(parts / name) as partial_file, partial_file.open("wb") as file:
            np.save(file, array, allow_pickle=False)
        names.append(name)
    hashes = {}
    for name in names:
        hashes[name] = file_digest(parts / name)
        (parts / name).replace(path / name)
    about = {"format": FORMAT, "lostfound": version("lostfound"), **config, "answer": decoder.as_dict()}
    full = {**about, **labels, "files": hashes}
    write_atomic(path / CONFIG, _text(full))
    return ModelFolder.open(path)


def set_calibration(
    path: Path, calibration: Calibration, statistics: Mapping[str, NDArray[Any]] | None = None
) -> ModelFolder:
    """Calibrate a finished model anew, such as on photos of another origin than its training's.

    Args:
        path: The model folder.
        calibration: What replaces its own.
        statistics: Arrays to keep beside it, by name; those of other names stay.

    Raises:
        ModelError: It is not a complete model folder.
    """
    path = own_folder(path)
    with refused_as(ModelError, f"{path} can't be calibrated"):
        check_temperature(calibration.temperature)
    model = ModelFolder.open(path)
    written = {CALIBRATION: json.dumps(calibration.as_dict()).encode()}
    if statistics:
        arrays: dict[str, Any] = {**model.statistics, **statistics}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        written[STATISTICS] = buffer.getvalue()
    config = dict(model.config)
    config["files"] = {**config["files"], **{name: digest(data) for name, data in written.items()}}
    (path / CONFIG).unlink()
    for name, data in written.items():
        write_atomic(path / name, data)
    write_atomic(path / CONFIG, _text(config))
    return ModelFolder.open(path)


def _text(config: Mapping[str, Any]) -> bytes:
    return (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode()
