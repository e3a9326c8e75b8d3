"""The provenance of a model: all that repeats its run, kept in the model folder's `run/`."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import torch

from lostfound.data.dataset import Dataset
from lostfound.errors import ModelError, UsageError
from lostfound.files import digest, write_atomic
from lostfound.predict.model_folder import WEIGHTS
from lostfound.training.clearing import ENVIRONMENT, IMAGES, RECIPE

# Another version of one of these may give other weights.
_COMPUTES = ("lostfound", "torch", "torchvision", "timm", "lightning", "numpy", "pillow")


def write_provenance(folder: Path, dataset: Dataset, weights: str | None, seed: int) -> None:
    """Write what a run is computed from and with, but for its recipe.

    Args:
        folder: Of the run.
        dataset: All its images; the training and validation ones are listed.
        weights: A file, a model folder or "hub".
        seed: The recipe's.
    """
    environment = {
        "command": sys.argv,
        "seed": seed,
        "dataset": {
            "folder": str(dataset.folder.resolve()),
            "records_sha256": dataset.info["records_sha256"],
            "images": len(dataset),
        },
        "weights": {"given": weights, "sha256": _weights_hash(weights)},
        "git": _git_state(),
        "machine": {
            "system": platform.platform(),
            "processor": platform.machine(),
            "threads": torch.get_num_threads(),
            "devices": [torch.cuda.get_device_name(each) for each in range(torch.cuda.device_count())],
        },
        "python": platform.python_version(),
        "packages": _packages(),
    }
    write_atomic(
        folder / ENVIRONMENT, (json.dumps(environment, indent=2, ensure_ascii=False) + "\n").encode()
    )
    sink = pa.BufferOutputStream()
    pa.csv.write_csv(_listed(dataset), sink)
    write_atomic(folder / IMAGES, sink.getvalue().to_pybytes())


def _listed(dataset: Dataset) -> pa.Table:
    """The images to train and validate on: image_id, split."""
    records = dataset.records.select(["image_id", "split"])
    return records.filter(pc.is_in(records["split"], pa.array(["train", "val"])))


@cache
def _packages() -> dict[str, str]:
    """Every installed distribution and its version; they take a while to read, and a study trains often."""
    found = {each.metadata["Name"].lower(): each.version for each in distributions()}
    return dict(sorted(found.items()))


def _weights_hash(weights: str | None) -> str | None:
    if weights is None:
        return None
    path = Path(weights)
    file = path / WEIGHTS if path.is_dir() else path
    return digest(file.read_bytes()) if file.is_file() else None


def _git_state() -> dict[str, Any] | None:
    """The commit that is checked out in the working directory, and whether files differ from it."""
    git = shutil.which("git")
    if git is None:
        return None

    def ask(*words: str) -> str | None:
        asked = subprocess.run([git, *words], capture_output=True, text=True, check=False)  # noqa: S603
        return asked.stdout.strip() if asked.returncode == 0 else None

    commit = ask("rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "dirty": bool(ask("status", "--porcelain", "--untracked-files=no"))}


@dataclass(frozen=True)
class Provenance:
    """What was kept of a run.

    Attributes:
        model: The model folder.
        environment: What `environment.json` says.
    """

    model: Path
    environment: dict[str, Any]

    @classmethod
    def open(cls, model: Path) -> Provenance:
        """Open the provenance of a model folder.

        Raises:
            ModelError: There is none.
        """
        folder = model / "run"
        missing = [name for name in (RECIPE, ENVIRONMENT, IMAGES) if not (folder / name).is_file()]
        if missing:
            raise ModelError(
                f"{model} holds no run that could be repeated (no run/{missing[0]}): give a folder that "
                "`lostfound train` made"
            )
        return cls(model, json.loads((folder / ENVIRONMENT).read_bytes()))

    @property
    def recipe(self) -> Path:
        """The recipe's file."""
        return self.model / "run" / RECIPE

    @property
    def weights(self) -> str | None:
        """The weights that the run began with.

        Raises:
            ModelError: They are gone, or not what they were.
        """
        given, sha256 = (self.environment["weights"][key] for key in ("given", "sha256"))
        if sha256 is not None and _weights_hash(given) != sha256:
            raise ModelError(
                f"the run in {self.model} began with the weights {given}, which are gone or changed (SHA-256 "
                f"{sha256}): put them back, or train by its recipe, {self.recipe}"
            )
        return None if given is None else str(given)

    def dataset(self, folder: Path | None = None) -> Dataset:
        """The images of the run, in their order and splits, even if more were imported since.

        Args:
            folder: Where the data set lies now; where it lay by default.

        Raises:
            DatasetError: There is no data set.
            UsageError: Images of the run are not in it.
        """
        dataset = Dataset.open(folder or Path(self.environment["dataset"]["folder"]))
        if dataset.info["records_sha256"] == self.environment["dataset"]["records_sha256"]:
            return dataset
        text = {"image_id": pa.string(), "split": pa.string()}
        listed = pa.csv.read_csv(
            self.model / "run" / IMAGES, convert_options=pa.csv.ConvertOptions(column_types=text)
        )
        rows = pc.index_in(listed["image_id"], dataset.records["image_id"])
        if rows.null_count:
            raise UsageError(
                f"{rows.null_count} of the {len(listed)} images that the run in {self.model} was trained and "
                f"validated on are not in {dataset.folder} (its list is run/{IMAGES}): give the data set "
                "with --data"
            )
        records = dataset.records.take(rows)
        place = records.schema.get_field_index("split")
        records = records.set_column(place, records.schema.field("split"), listed["split"])
        rest = dataset.records.filter(pc.equal(dataset.records["split"], "test"))
        mine = pc.is_in(rest["image_id"], listed["image_id"])
        return dataset.with_records(pa.concat_tables([records, rest.filter(pc.invert(mine))]))

    def differences(self, dataset: Dataset) -> list[str]:
        """What is not as it was when the run was made, so that the weights may come out otherwise."""
        then, now = self.environment["packages"], _packages()
        found = [
            f"{name} is {now.get(name, 'missing')}, was {then.get(name, 'missing')}"
            for name in _COMPUTES
            if then.get(name) != now.get(name)
        ]
        if self.environment["python"] != platform.python_version():
            found.append(f"Python is {platform.python_version()}, was {self.environment['python']}")
        threads = self.environment["machine"]["threads"]
        if threads != torch.get_num_threads():
            found.append(f"torch computes on {torch.get_num_threads()} threads, not {threads}")
        if dataset.info["records_sha256"] != self.environment["dataset"]["records_sha256"]:
            found.append(f"{dataset.folder} has changed; the run's own images were found in it and are used")
        git, before = _git_state(), self.environment["git"]
        if git is not None and before is not None and git != before:
            found.append(f"the working directory is at {_describe(git)}, was at {_describe(before)}")
        return found


def _describe(git: dict[str, Any]) -> str:
    return f"commit {git['commit'][:10]}" + (" with changes" if git["dirty"] else "")
