"""GeoCLIP (Vivanco et al. 2023): CLIP's picture, a small network behind it, and a gallery of places."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lostfound.data.images import Preprocessing
from lostfound.data.labels import TRUE_COLUMNS
from lostfound.data.tables import read_columns
from lostfound.errors import ModelError, refused_as
from lostfound.geo.sphere import as_points
from lostfound.models.published.clip import Normalised, clip_preprocessing, load_pretrained
from lostfound.models.published.sources import MIT, ModelSource
from lostfound.models.published.tensors import Tensors, read_tensors
from lostfound.partitions.kinds.gallery import gallery_partition
from lostfound.predict.features import unit_length
from lostfound.predict.gallery import GalleryDecoder
from lostfound.predict.place_tower import PlaceTower

BACKBONE = "openai/clip-vit-large-patch14"
LICENSE = MIT
PATTERNS = ("config.json", "model.safetensors", "*.csv")
BACKBONE_PATTERNS = ("config.json", "preprocessor_config.json", "model.safetensors")


@dataclass(frozen=True)
class GeoclipWeights:
    """What GeoCLIP adds to CLIP.

    Attributes:
        places: The tower of places.
        mlp: The network behind the picture, by `0.weight`, `0.bias`, `2.weight`, `2.bias`.
        scale: What cosines are multiplied by.
        gallery: The places that it answers with, (n, 2), degrees, as the file has them.
    """

    places: PlaceTower
    mlp: Tensors
    scale: float
    gallery: NDArray[np.float64]


class GeoclipNetwork(Normalised):
    """Images in, the embedding of length 1 and CLIP's last tokens out."""

    def __init__(self, clip: nn.Module, mlp: Tensors, preprocessing: Preprocessing) -> None:
        super().__init__(preprocessing)
        self.vision, self.projection = clip.vision_model, cast(nn.Linear, clip.visual_projection)
        wide, given = mlp["0.weight"].shape
        width = self.projection.out_features
        if given != width:
            raise ModelError(
                f"the backbone's projection has {width} numbers where GeoCLIP takes {given}: it needs "
                f"{BACKBONE}"
            )
        self.mlp = nn.Sequential(nn.Linear(given, wide), nn.ReLU(), nn.Linear(wide, mlp["2.weight"].shape[0]))
        self.mlp.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in mlp.items()})

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Answer images (n, height, width, 3), uint8."""
        seen = self.vision(pixel_values=self.pixels(images))  # type: ignore[operator]
        embedding = self.mlp(self.projection(seen.pooler_output))
        return nn.functional.normalize(embedding, dim=1), seen.last_hidden_state


def read_weights(source: ModelSource) -> GeoclipWeights:
    """Read a release of the hub, or the package's own files.

    Raises:
        ModelError: They are another model's, or not whole.
    """
    with refused_as(ModelError, f"{source.name} holds no weights of GeoCLIP"):
        gallery = _read_gallery(
            source.need("gallery of places", "coordinates_100K.csv", "*gallery*.csv", "*.csv")
        )
        if release := source.find("model.safetensors"):
            return _of_release(read_tensors(release), gallery, release)
        files = {
            part: read_tensors(source.need(what, f"{part}_weights.pth"))
            for part, what in (
                ("location_encoder", "tower of places"),
                ("image_encoder_mlp", "network behind the picture"),
                ("logit_scale", "scale"),
            )
        }
        scale = next(iter(files["logit_scale"].values()))
        return _checked(files["location_encoder"], files["image_encoder_mlp"], scale, gallery, source.name)


def decoder_of(weights: GeoclipWeights, *, exact_upstream: bool, half: bool) -> GalleryDecoder:
    """The answer over the gallery.

    Args:
        weights: GeoCLIP's.
        exact_upstream: Keep places that stand in the gallery several times apart, as the original does.
        half: Keep the embeddings in half precision.
    """
    partition = gallery_partition(weights.gallery, merge=not exact_upstream)
    embeddings = unit_length(weights.places.embed(partition.centroids))
    return GalleryDecoder(partition, embeddings.astype(np.float16 if half else np.float32), weights.scale)


def network_of(weights: GeoclipWeights, backbone: ModelSource) -> tuple[GeoclipNetwork, Preprocessing]:
    """The network of pictures on a backbone.

    Raises:
        ModelError: The backbone is none that GeoCLIP can stand on.
    """
    backbone.need("description", "config.json")
    backbone.find("model.safetensors")
    clip = load_pretrained("CLIPModel", backbone.folder)
    preprocessing = clip_preprocessing(int(clip.config.vision_config.image_size))
    return GeoclipNetwork(clip, weights.mlp, preprocessing), preprocessing


def _of_release(tensors: Tensors, gallery: NDArray[np.float64], path: Path) -> GeoclipWeights:
    def below(prefix: str) -> Tensors:
        return {
            name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)
        }

    if "logit_scale" not in tensors:
        raise ModelError(f"{path} holds no weights of GeoCLIP: logit_scale is missing")
    return _checked(
        below("location_encoder."), below("image_encoder.mlp."), tensors["logit_scale"], gallery, str(path)
    )


def _checked(
    places: Tensors, mlp: Tensors, scale: NDArray[np.floating], gallery: NDArray[np.float64], where: str
) -> GeoclipWeights:
    if missing := sorted({"0.weight", "0.bias", "2.weight", "2.bias"} ^ mlp.keys()):
        raise ModelError(
            f"{where} holds no weights of GeoCLIP: {missing[0]} of its network is missing or unknown"
        )
    tower = PlaceTower(places)
    if mlp["2.weight"].shape[0] != tower.width or np.size(scale) != 1:
        raise ModelError(f"{where} holds towers that don't meet: their embeddings differ in length")
    return GeoclipWeights(tower, mlp, float(np.exp(np.asarray(scale, dtype=np.float64).ravel()[0])), gallery)


def _read_gallery(path: Path) -> NDArray[np.float64]:
    columns = read_columns(path)
    names = [
        next((each for each in TRUE_COLUMNS[axis] if each in columns), "")
        for axis in ("latitude", "longitude")
    ]
    if "" in names:
        raise ModelError(f"{path} is no gallery: it needs the columns LAT and LON")
    return as_points(np.column_stack([np.array(columns[name], dtype=np.float64) for name in names]))
