"""CLIP's vision tower from a folder in the layout of transformers."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lostfound.data.images import Preprocessing
from lostfound.errors import MissingExtraError, ModelError, refused_as
from lostfound.models.published.tensors import read_tensors

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_PICKLED = "pytorch_model.bin"
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def clip_preprocessing(size: int) -> Preprocessing:
    """CLIP's: shortest edge to the size, bicubic, the middle square, its own mean and deviation."""
    return Preprocessing(size, size, 1.0, "bicubic", CLIP_MEAN, CLIP_STD)


def load_pretrained(kind: str, folder: Path) -> Any:
    """A model of transformers from a folder, all of whose tensors were there.

    Args:
        kind: The class, such as "CLIPModel".
        folder: With config.json and model.safetensors, as a snapshot of the hub has them; or with the older
            pytorch_model.bin, which is read as tensors alone.

    Raises:
        MissingExtraError: transformers is not installed.
        ModelError: The folder lacks something, is damaged, or is another model's.
    """
    try:
        import transformers
    except ImportError:
        raise MissingExtraError("converting needs an extra: pip install 'lostfound[convert]'") from None
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} has no config.json: give the folder of a snapshot")
    if not (folder / "model.safetensors").is_file() and not any(folder.glob("*.index.json")):
        if not (folder / _PICKLED).is_file():
            raise ModelError(f"{folder} has no model.safetensors: give the folder of a snapshot")
        return _of_tensors(kind, folder)
    with (
        refused_as(ModelError, f"{folder} can't be read as a {kind}: it may be half downloaded"),
        quiet(transformers),
    ):
        json.loads((folder / "config.json").read_bytes())
        model, told = getattr(transformers, kind).from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True, dtype=torch.float32
        )
    _refuse_lacking(kind, folder, [*told["missing_keys"], *map(str, told["mismatched_keys"])])
    return model.eval()


def _of_tensors(kind: str, folder: Path) -> Any:
    """The same from a pickled file, of which nothing but tensors is read."""
    import transformers

    tensors = read_tensors(folder / _PICKLED)
    with refused_as(ModelError, f"{folder} can't be read as a {kind}"), quiet(transformers):
        made = getattr(transformers, kind)
        model = made(made.config_class.from_pretrained(folder, local_files_only=True))
        own = model.state_dict()
        fitting = {
            name: torch.from_numpy(np.array(value))
            for name, value in tensors.items()
            if name in own and own[name].shape == value.shape
        }
        told = model.load_state_dict(fitting, strict=False)
    _refuse_lacking(kind, folder, list(told.missing_keys))
    return model.float().eval()


def _refuse_lacking(kind: str, folder: Path, lacking: Sequence[str]) -> None:
    if lacking:
        raise ModelError(
            f"{folder} holds no whole {kind}: {len(lacking)} of its tensors are missing or of another size, "
            f"such as {min(lacking)}; these are weights of another model, or half of a download"
        )


class Normalised(nn.Module):
    """Takes images as they are, and normalises them itself."""

    mean: Tensor
    std: Tensor

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.register_buffer("mean", 255 * torch.tensor(preprocessing.mean), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(preprocessing.std), persistent=False)

    def pixels(self, images: Tensor) -> Tensor:
        """From images (n, height, width, 3), uint8, to what networks take, (n, 3, height, width)."""
        return ((images.float() - self.mean) / self.std).permute(0, 3, 1, 2)


@contextlib.contextmanager
def quiet(transformers: Any) -> Any:
    """Nothing of transformers' own words: what is wrong is said by our errors."""
    logger = logging.getLogger("transformers")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    transformers.utils.logging.disable_progress_bar()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
