"""OSV-5M's baseline (Astruc et al. 2024): CLIP's picture, a head for cells and one for offsets in them."""

from __future__ import annotations

import re

import numpy as np
import shapely
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lostfound.data.images import Preprocessing
from lostfound.data.tables import read_columns
from lostfound.errors import MissingExtraError, ModelError, refused_as
from lostfound.geo.boundaries import label_countries
from lostfound.models.published.clip import Normalised, clip_preprocessing
from lostfound.models.published.sources import MIT, ModelSource
from lostfound.models.published.tensors import Tensors, read_tensors
from lostfound.partitions import Partition
from lostfound.partitions.build import near_cities
from lostfound.predict.decoders import BoxDecoder

PUBLISHED = "osv5m/baseline"
LICENSE = MIT
PATTERNS = ("*.json", "pytorch_model.bin", "model.safetensors", "*.csv")
CELLS = "quadtree_10_1000.csv"
"""The cells are not among the weights: the file lies in the project's repository, below utils/."""
_SIDES = ("min_lat", "min_lon", "max_lat", "max_lon", "mean_lat", "mean_lon")
_GROUPS = 4


def decoder_of(source: ModelSource) -> BoxDecoder:
    """The answer over the cells.

    Raises:
        ModelError: The file of cells is missing, or another.
    """
    path = source.need("cells (of the repository gastruc/osv5m)", CELLS)
    with refused_as(ModelError, f"{path} can't be read as OSV-5M's cells"):
        columns = read_columns(path)
        south, west, north, east, latitude, longitude = (
            np.array(columns[name], dtype=np.float64) for name in _SIDES
        )
        points = np.column_stack([latitude, longitude])
        ids = tuple(str(each) for each in columns["cluster_id"])
        partition = Partition(
            "polygons",
            ids,
            tuple(f"{name} ({each})" for name, each in zip(near_cities(points), ids, strict=True)),
            points,
            np.ones(len(ids), dtype=np.int64),
            tuple(label_countries(points, None)),
            polygons=shapely.box(west, south, east, north),
        )
        reaches = np.stack(
            [
                points - np.column_stack([south, west]),
                np.column_stack([north, east]) - points,
            ],
            axis=1,
        )
        return BoxDecoder(partition, np.maximum(reaches, 0.0))


class Osv5mNetwork(Normalised):
    """Images in; the cells' logits, then their offsets, and CLIP's last tokens out."""

    def __init__(self, vision: nn.Module, heads: list[nn.Module], preprocessing: Preprocessing) -> None:
        super().__init__(preprocessing)
        self.vision, self.heads = vision, nn.ModuleList(heads)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Answer images (n, height, width, 3), uint8."""
        tokens = self.vision(pixel_values=self.pixels(images)).last_hidden_state
        return torch.cat([head(tokens[:, 0]) for head in self.heads], dim=1), tokens


def network_of(source: ModelSource, cells: int) -> tuple[Osv5mNetwork, Preprocessing]:
    """The network with its weights.

    Raises:
        ModelError: They are another model's, or not whole.
    """
    path = source.need("weights", "model.safetensors", "pytorch_model.bin")
    tensors = _once(read_tensors(path), str(path))
    vision, size = _vision(tensors, str(path))
    heads = [
        _head(tensors, name, width, str(path)) for name, width in (("classif", cells), ("reg", 2 * cells))
    ]
    preprocessing = clip_preprocessing(size)
    return Osv5mNetwork(vision, heads, preprocessing).eval(), preprocessing


def _once(tensors: Tensors, where: str) -> dict[str, NDArray[np.floating]]:
    """The tensors of one of the two names that each has in the file; both must be the same."""
    found = {
        name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")
    }
    for name, value in tensors.items():
        if not name.startswith("model."):
            if name in found and not np.array_equal(found[name], value):
                raise ModelError(f"{where} holds two different tensors {name}: get the file again")
            found[name] = value
    return found


def _vision(tensors: Tensors, where: str) -> tuple[nn.Module, int]:
    """CLIP's vision tower, as large as its tensors are; and the side of its pictures."""
    try:
        from transformers import CLIPVisionConfig, CLIPVisionModel
    except ImportError:
        raise MissingExtraError("converting needs an extra: pip install 'lostfound[convert]'") from None
    own = _below(tensors, "backbone.clip.vision_model.")
    try:
        patches = own["embeddings.patch_embedding.weight"]
        positions = own["embeddings.position_embedding.weight"]
        wide = own["encoder.layers.0.mlp.fc1.weight"].shape[0]
    except KeyError as missing:
        raise ModelError(
            f"{where} holds no weights of OSV-5M: {missing} of its backbone is missing"
        ) from None
    layers = {int(match[1]) for name in own if (match := re.match(r"encoder\.layers\.(\d+)\.", name))}
    width, size = patches.shape[0], round((len(positions) - 1) ** 0.5) * patches.shape[2]
    config = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=wide,
        num_hidden_layers=max(layers) + 1,
        num_attention_heads=max(1, width // 64),
        image_size=size,
        patch_size=patches.shape[2],
        hidden_act="gelu",  # as the backbone, laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K, says of itself
    )
    vision = CLIPVisionModel(config)
    prefix = "vision_model." if any(name.startswith("vision_model.") for name in vision.state_dict()) else ""
    state = {f"{prefix}{name}": torch.from_numpy(np.array(value)) for name, value in own.items()}
    told = vision.load_state_dict(state, strict=False)
    strange = [name for name in told.unexpected_keys if not name.endswith("position_ids")]
    if told.missing_keys or strange:
        raise ModelError(
            f"{where} holds no whole backbone: {(told.missing_keys + strange)[0]} is missing or unknown"
        )
    return vision, size


def _head(tensors: Tensors, name: str, width: int, where: str) -> nn.Module:
    """One of the two heads: layers by their numbers in the file, in order."""
    own = _below(tensors, f"mid.{name}.")
    numbers = sorted({int(match[1]) for key in own if (match := re.search(r"(?:^|\.)(\d+)\.weight$", key))})
    layers = [_layer(own, number) for number in numbers]
    if [weight.ndim for weight, _ in layers] != [1, 2, 1, 2, 1, 2] or layers[-1][0].shape[0] != width:
        raise ModelError(f"{where} holds no weights of OSV-5M: its head {name} is another, or of other cells")
    modules: list[nn.Module] = []
    for place, (weight, bias) in enumerate(layers):
        made: nn.Module
        if weight.ndim == 2:
            made = nn.Linear(weight.shape[1], weight.shape[0])
        else:
            made = nn.GroupNorm(_GROUPS, len(weight)) if place else nn.LayerNorm(len(weight))
        made.load_state_dict(
            {"weight": torch.from_numpy(np.array(weight)), "bias": torch.from_numpy(np.array(bias))}
        )
        modules += [made, nn.GELU()] if isinstance(made, nn.GroupNorm) else [made]
    return nn.Sequential(*modules)


def _layer(own: Tensors, number: int) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    weight, bias = (
        next(value for key, value in own.items() if re.search(rf"(?:^|\.){number}\.{part}$", key))
        for part in ("weight", "bias")
    )
    return weight, bias


def _below(tensors: Tensors, prefix: str) -> dict[str, NDArray[np.floating]]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
