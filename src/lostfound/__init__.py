"""Lost & Found: where a photo was taken, from its pixels alone, and how sure that is.

Everything that is public is here; docs/api.md lists it. Importing the package loads nothing heavy: each name
brings what it needs when it is first used.

Examples:
    >>> import lostfound
    >>> model = lostfound.load()  # the starter model in the package, or lostfound.load("models/mine")
    >>> guess = model.locate("photo.jpg")
    >>> print(guess.country, round(guess.probability, 2), guess.latitude, guess.longitude)  # doctest: +SKIP
    FR 0.41 46.6 2.5
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lostfound.errors import (
    CollectError,
    CountryNameError,
    DatasetError,
    DiskFullError,
    ImageError,
    LostFoundError,
    MissingExtraError,
    ModelError,
    RecipeError,
    ServerError,
    UsageError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from lostfound.data.dataset import Dataset
    from lostfound.data.importers.importing import import_images
    from lostfound.data.preparing.prepare import prepare
    from lostfound.evaluation.evaluate import evaluate, score
    from lostfound.partitions.base import Partition
    from lostfound.partitions.build import build_partition
    from lostfound.predict.explain import EvidenceMap, Explanation
    from lostfound.predict.guess import Candidate, Guess
    from lostfound.predict.levels import Area
    from lostfound.predict.locator import Locator
    from lostfound.predict.predictions import Predictions
    from lostfound.predict.restrictions import Restriction
    from lostfound.predict.similar import SimilarPhoto
    from lostfound.serve.client import Client
    from lostfound.training.recipe import load_recipe
    from lostfound.training.settings import Recipe
    from lostfound.training.train import train_model

__all__ = [
    "Area",
    "Candidate",
    "Client",
    "CollectError",
    "CountryNameError",
    "Dataset",
    "DatasetError",
    "DiskFullError",
    "EvidenceMap",
    "Explanation",
    "Guess",
    "ImageError",
    "Locator",
    "LostFoundError",
    "MissingExtraError",
    "ModelError",
    "Partition",
    "Predictions",
    "Recipe",
    "RecipeError",
    "Restriction",
    "ServerError",
    "SimilarPhoto",
    "UsageError",
    "__version__",
    "build_partition",
    "evaluate",
    "import_images",
    "load",
    "load_recipe",
    "prepare",
    "score",
    "train_model",
]

_MODULES = {
    "Area": "predict.levels",
    "Candidate": "predict.guess",
    "Client": "serve.client",
    "Dataset": "data.dataset",
    "EvidenceMap": "predict.explain",
    "Explanation": "predict.explain",
    "Guess": "predict.guess",
    "Locator": "predict.locator",
    "Partition": "partitions.base",
    "Predictions": "predict.predictions",
    "Recipe": "training.settings",
    "Restriction": "predict.restrictions",
    "SimilarPhoto": "predict.similar",
    "build_partition": "partitions.build",
    "evaluate": "evaluation.evaluate",
    "import_images": "data.importers.importing",
    "load_recipe": "training.recipe",
    "prepare": "data.preparing.prepare",
    "score": "evaluation.evaluate",
    "train_model": "training.train",
}


def load(model: str | Path | None = None, *, threads: int | None = None, device: str = "cpu") -> Locator:
    """Load a model folder for locating photos; no torch needed.

    Args:
        model: The model folder that `lostfound train` wrote, or hf://OWNER/NAME@REVISION, which is downloaded
            once; the starter model in the package if None.
        threads: CPU threads for the network; all cores if None.
        device: What the network is computed on: cpu, cuda, openvino, coreml or directml; others than cpu need
            their own build of ONNX Runtime.

    Raises:
        UsageError: There is no such device here; the message says what to install.
        ModelError: The folder is not a complete model folder, or a file in it is not its own.

    Examples:
        >>> import lostfound
        >>> guess = lostfound.load("models/mine").locate("photo.jpg")
        >>> -90 <= guess.latitude <= 90, len(guess.candidates) <= 5
        (True, True)
    """
    from lostfound.predict.locator import Locator
    from lostfound.predict.model_folder import STARTER

    return Locator.load(STARTER if model is None else model, threads=threads, device=device)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # which takes as long to load as all else of a small command

        return version("lostfound")
    if name in _MODULES:
        return getattr(import_module(f"lostfound.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'lostfound' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
