"""Lost & Found: where a photo was taken, from its pixels alone, and how sure that is.

    import lostfound
    model = lostfound.load()  # the starter model in the package, or lostfound.load("your/model")
    guess = model.locate("photo.jpg")

Importing the package loads nothing heavy; `load` brings NumPy, Pillow and ONNX Runtime when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from lostfound.predict.locator import Locator

__all__ = ["__version__", "load"]


def load(model: str | Path | None = None, *, threads: int | None = None) -> Locator:
    """Load a model folder for locating photos; no torch needed.

    Args:
        model: The model folder that `lostfound train` wrote; the starter model in the package if None.
        threads: CPU threads for the network; all cores if None.

    Raises:
        ModelError: The folder is not a complete model folder, or a file in it is not its own.
    """
    from lostfound.predict.locator import Locator
    from lostfound.predict.model_folder import STARTER

    return Locator.load(STARTER if model is None else model, threads=threads)


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version  # which takes as long to load as all else of a small command

        return version("lostfound")
    raise AttributeError(f"module 'lostfound' has no attribute {name!r}")
