"""PLONK (Dufour et al. 2024): a photo's embedding, and a flow that draws places for it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lostfound.data.images import Preprocessing
from lostfound.errors import ModelError, refused_as
from lostfound.geo.cities import city_table
from lostfound.geo.countries import country_name
from lostfound.models.published import streetclip
from lostfound.models.published.clip import Normalised, clip_preprocessing, load_pretrained
from lostfound.models.published.sources import MIT, License, ModelSource
from lostfound.models.published.tensors import Tensors, read_tensors
from lostfound.partitions import Partition
from lostfound.predict.samples import SampleDecoder
from lostfound.predict.sphere_flow import STEPS, FlowShape, SphereFlow

PUBLISHED = "nicolas-dufour/PLONK_YFCC"
BACKBONE = "facebook/dinov2-with-registers-large"
PATTERNS = ("config.json", "model.safetensors")
BACKBONE_PATTERNS = ("config.json", "model.safetensors", "pytorch_model.bin", "preprocessor_config.json")
EXACT_STEPS = 250
"""As many as its pipeline takes."""
LARGE_CITY = 100_000
"""Places are grouped by the nearest city of so many people, and the largest of each country."""
_SIZE = 336
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class PlonkNetwork(Normalised):
    """Images in; what they show, as the flow takes it, and the last tokens out."""

    def __init__(self, vision: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__(preprocessing)
        self.vision = vision

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Answer images (n, height, width, 3), uint8."""
        tokens = self.vision(pixel_values=self.pixels(images)).last_hidden_state
        return tokens[:, 0], tokens


def decoder_of(source: ModelSource, *, exact_upstream: bool) -> SampleDecoder:
    """The flow, and the cells that its places are grouped by.

    Raises:
        ModelError: The weights are another model's, or not whole.
    """
    path = source.need("weights", "model.safetensors")
    tensors = read_tensors(path)
    with refused_as(ModelError, f"{path} holds no weights of PLONK"):
        shape = _shape(tensors)
        for name, expected in shape.shapes().items():
            if name not in tensors or tensors[name].shape != expected:
                raise ModelError(f"{path} holds no weights of PLONK: {name} is missing or of another size")
    steps = EXACT_STEPS if exact_upstream else STEPS
    return SampleDecoder(large_cities(), SphereFlow.of(shape, tensors), steps=steps)


def network_of(
    source: ModelSource, backbone: ModelSource, width: int
) -> tuple[PlonkNetwork, Preprocessing, License]:
    """The network that looks at photos, and the licence that comes with it.

    Args:
        source: PLONK's own weights, whose name may say what it was trained on.
        backbone: DINOv2 with registers, or StreetCLIP for what was trained on OSV-5M.
        width: Numbers that the flow takes.

    Raises:
        ModelError: It is neither, or not the one that the flow was trained on.
    """
    config = backbone.need("description", "config.json")
    backbone.find("model.safetensors", "pytorch_model.bin")
    with refused_as(ModelError, f"{config} can't be read as a model's description"):
        kind = str(json.loads(config.read_bytes())["model_type"])
    if kind not in ("dinov2_with_registers", "clip", "clip_vision_model"):
        raise ModelError(f"{backbone.name} is a {kind}: PLONK needs {BACKBONE}, or {streetclip.PUBLISHED}")
    of_clip = kind != "dinov2_with_registers"
    on_osv = "osv" in source.name.lower()
    if on_osv != of_clip and "plonk" in source.name.lower():
        needed = streetclip.PUBLISHED if on_osv else BACKBONE
        raise ModelError(
            f"{source.name} was trained on what {needed} says of photos: give that as --backbone"
        )
    vision, preprocessing = _clip(backbone) if of_clip else _dino(backbone)
    if int(vision.config.hidden_size) != width:
        raise ModelError(
            f"{backbone.name} gives {vision.config.hidden_size} numbers where PLONK takes {width}: it needs "
            f"{BACKBONE}, or {streetclip.PUBLISHED}"
        )
    return PlonkNetwork(vision, preprocessing).eval(), preprocessing, streetclip.LICENSE if of_clip else MIT


def large_cities() -> Partition:
    """The cells: what lies nearest to each large city."""
    rows = sorted(city_table().to_pylist(), key=lambda row: -row["population"])
    seen: set[str] = set()
    kept = []
    for row in rows:
        if row["population"] >= LARGE_CITY or row["country"] not in seen:
            kept.append(row)
            seen.add(row["country"])
    points = np.array([[row["latitude"], row["longitude"]] for row in kept], dtype=np.float64)
    return Partition(
        "voronoi",
        tuple(f"v{number}" for number in range(len(kept))),
        tuple(f"{row['name']}, {country_name(row['country'])}" for row in kept),
        points,
        np.ones(len(kept), dtype=np.int64),
        tuple(row["country"] for row in kept),
        rule={"centres": points.tolist(), "west": -180.0, "boundary": None},
    )


def _shape(tensors: Tensors) -> FlowShape:
    width, condition = tensors["cond_mapper.weight"].shape
    depth = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("blocks."))
    return FlowShape(condition, width, depth, tensors["blocks.0.mlp.0.weight"].shape[0] // width)


def _clip(backbone: ModelSource) -> tuple[Any, Preprocessing]:
    clip = load_pretrained("CLIPVisionModel", backbone.folder)
    return clip, clip_preprocessing(int(clip.config.image_size))


def _dino(backbone: ModelSource) -> tuple[Any, Preprocessing]:
    """DINOv2, whose positions are brought to the size of its pictures once and for all."""
    model = load_pretrained("Dinov2WithRegistersModel", backbone.folder)
    patch = int(model.config.patch_size)
    size = _SIZE - _SIZE % patch
    embeddings = model.embeddings
    with torch.no_grad():
        tokens = torch.zeros(1, 1 + (size // patch) ** 2, model.config.hidden_size)
        positions = embeddings.interpolate_pos_encoding(tokens, size, size).detach().clone()
    embeddings.position_embeddings = nn.Parameter(positions, requires_grad=False)
    return model, Preprocessing(size, size, 1.0, "bicubic", _MEAN, _STD)
