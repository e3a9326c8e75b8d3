"""Holds the graph of a model folder to torch's answers with the weights beside it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from lostfound.models.backbones import build_backbone
from lostfound.models.heads import linear_head
from lostfound.models.network import Network
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import ModelFolder
from lostfound.training.settings import Recipe


def rebuilt(model: ModelFolder) -> Network:
    """The torch network of a model folder, from its settings and weights."""
    recipe = Recipe.model_validate(model.config["recipe"])
    backbone = build_backbone(recipe.model.backbone, recipe.model.options, pretrained=False)
    network = Network(
        backbone, model.preprocessing, lambda features: linear_head(features, model.decoder.width)
    )
    network.load_state_dict(load_file(model.path / "model.safetensors"))
    return network.eval()


def assert_agreement(folder: Path, photos: Iterable[Path]) -> None:
    """To 1e-4 on every logit, whatever the batch."""
    locator = Locator.load(folder, threads=1)
    network = rebuilt(locator.model)
    photos = list(photos)
    found = np.stack([each for each in locator.outputs(photos) if not isinstance(each, Exception)])
    assert len(found) == len(photos)
    tensors = np.stack([locator.model.preprocessing(photo) for photo in photos])
    with torch.no_grad():
        expected = network(torch.from_numpy(tensors))[0].numpy()
    assert np.ptp(expected, axis=0).max() > 0.01  # the photos are told apart
    assert np.abs(found - expected).max() <= 1e-4
    for photo, row in zip(photos[:3], expected, strict=False):
        (alone,) = locator.outputs([photo])
        assert np.abs(alone - row).max() <= 1e-4
