"""The model folder: what a finished model consists of. Reading it needs no torch and runs no code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lostfound.data.images import Preprocessing
from lostfound.errors import ModelError, refused_as
from lostfound.files import digest, write_atomic
from lostfound.partitions import Partition
from lostfound.predict.decoders import OutputDecoder, build_decoder, check_temperature

FORMAT = 1
GRAPH, WEIGHTS, PARTITION, CALIBRATION = (
    "model.onnx",
    "model.safetensors",
    "partition.parquet",
    "calibration.json",
)
CONFIG, CARD = "config.json", "README.md"

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
    """

    path: Path
    config: dict[str, Any]
    preprocessing: Preprocessing
    decoder: OutputDecoder
    views: int

    @property
    def partition(self) -> Partition | None:
        """The cells that the model tells apart; None if it answers with bare coordinates."""
        return self.decoder.partition

    @property
    def graph(self) -> Path:
        """The ONNX graph."""
        return self.path / GRAPH

    @classmethod
    def open(cls, path: str | Path) -> ModelFolder:
        """Open a model folder and check that its files are its own.

        Raises:
            ModelError: It is missing or unfinished, lacks a file, holds a file of another model, or was
                written by a newer version.
        """
        path = Path(path)
        config = _read_config(path)
        with refused_as(ModelError, f"{path} can't be read as a model folder"):
            return cls._read(path, config)

    @classmethod
    def _read(cls, path: Path, config: dict[str, Any]) -> ModelFolder:
        for name, sha256 in config["files"].items():
            file = path / name
            if not file.is_file():
                raise ModelError(
                    f"{file} is missing: the model folder is incomplete; copy it whole or train again"
                )
            if name != WEIGHTS and digest(file.read_bytes()) != sha256:
                raise ModelError(
                    f"{file} is not this model's own (its hash differs from config.json's): "
                    "copy the folder whole or train again"
                )
        partition = Partition.load(path / PARTITION) if PARTITION in config["files"] else None
        temperature = float(json.loads((path / CALIBRATION).read_bytes())["temperature"])
        preprocessing = Preprocessing.from_dict(config["preprocessing"])
        decoder, views = build_decoder(config["answer"], partition, temperature), int(config["views"])
        if views < 1 or not len(partition if partition is not None else "point"):
            raise ValueError("a model answers by one view or more, and tells one cell or more apart")
        task = config["task"]
        if not isinstance(task["kind"], str) or not 0 < float(task.get("clip_degrees", 1)) < float("inf"):
            raise ValueError(f"a task {task!r}")
        return cls(path, config, preprocessing, decoder, views)


def _read_config(path: Path) -> dict[str, Any]:
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
        parts: A folder on the same disk that holds the graph and the weights; they are moved.
        decoder: From the graph's outputs to predictions.
        temperature: The calibration's.
        config: The rest of `config.json`, with `preprocessing`.
    """
    (path / CONFIG).unlink(missing_ok=True)
    partition = decoder.partition
    names = [GRAPH, WEIGHTS, CALIBRATION]
    labels: dict[str, Any] = {}
    if partition is not None:
        write_atomic(parts / PARTITION, partition.to_parquet())
        names.append(PARTITION)
        labels = {"labels": list(partition.cell_ids), "names": list(partition.names)}
    write_atomic(parts / CALIBRATION, json.dumps({"temperature": temperature}).encode())
    hashes = {}
    for name in names:
        hashes[name] = digest((parts / name).read_bytes())
        (parts / name).replace(path / name)
    about = {"format": FORMAT, "lostfound": version("lostfound"), **config, "answer": decoder.as_dict()}
    full = {**about, **labels, "files": hashes}
    write_atomic(path / CONFIG, _text(full))
    return ModelFolder.open(path)


def set_temperature(path: Path, temperature: float) -> ModelFolder:
    """Calibrate a finished model anew, such as on photos of another origin than its training's.

    Args:
        path: The model folder.
        temperature: What its logits are divided by.

    Raises:
        ModelError: It is not a complete model folder.
    """
    with refused_as(ModelError, f"{path} can't be calibrated"):
        check_temperature(temperature)
    config = dict(ModelFolder.open(path).config)
    calibration = json.dumps({"temperature": temperature}).encode()
    config["files"] = {**config["files"], CALIBRATION: digest(calibration)}
    (path / CONFIG).unlink()
    write_atomic(path / CALIBRATION, calibration)
    write_atomic(path / CONFIG, _text(config))
    return ModelFolder.open(path)


def _text(config: Mapping[str, Any]) -> bytes:
    return (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode()
