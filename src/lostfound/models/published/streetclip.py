"""StreetCLIP (Haas et al. 2023): CLIP asked in words, for the country and then for one of its cities.

The words' embeddings are computed once, when it is converted, and kept; only pictures are looked at later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lostfound.data.images import Preprocessing
from lostfound.errors import ModelError, refused_as
from lostfound.geo.cities import City, city_table
from lostfound.geo.countries import country_name
from lostfound.models.published.clip import Normalised, clip_preprocessing, load_pretrained, quiet
from lostfound.models.published.sources import License, ModelSource
from lostfound.partitions.kinds.gallery import gallery_partition
from lostfound.predict.features import unit_length
from lostfound.predict.prompts import PromptDecoder
from lostfound.progress import progress

PUBLISHED = "geolocal/StreetCLIP"
LICENSE = License("CC-BY-NC-4.0", commercial=False)
PATTERNS = (
    *("config.json", "model.safetensors", "pytorch_model.bin", "preprocessor_config.json"),
    *("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "special_tokens_map.json"),
)
COUNTRY, CITY = "A Street View photo in {}.", "A Street View photo from {}."
"""The prompts of the paper and its card."""
CITIES = 30
"""So many cities of a country are asked for, those with most people."""
_AT_ONCE = 64


class StreetclipNetwork(Normalised):
    """Images in, the embedding of length 1 and CLIP's last tokens out."""

    def __init__(self, clip: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__(preprocessing)
        self.vision, self.projection = clip.vision_model, cast(nn.Linear, clip.visual_projection)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Answer images (n, height, width, 3), uint8."""
        seen = self.vision(pixel_values=self.pixels(images))  # type: ignore[operator]
        return nn.functional.normalize(self.projection(seen.pooler_output), dim=1), seen.last_hidden_state


def made_of(
    source: ModelSource, *, exact_upstream: bool, half: bool
) -> tuple[StreetclipNetwork, Preprocessing, PromptDecoder]:
    """The network with its weights, and the answer by its own words.

    Args:
        source: CLIP with both its towers, in transformers' layout, with its tokenizer.
        exact_upstream: One city speaks for its country, as in the original.
        half: Keep the embeddings in half precision.

    Raises:
        ModelError: It lacks something, is damaged, or is another model's.
    """
    source.need("description", "config.json")
    source.need("weights", "model.safetensors", "pytorch_model.bin")
    source.need("tokenizer", "tokenizer.json", "vocab.json")
    clip = load_pretrained("CLIPModel", source.folder)
    preprocessing = clip_preprocessing(int(clip.config.vision_config.image_size))
    cities = largest_cities()
    codes = sorted({city.country for city in cities})
    texts = [
        *(COUNTRY.format(country_name(code)) for code in codes),
        *(CITY.format(city.name) for city in cities),
    ]
    kind: type[np.floating[Any]] = np.float16 if half else np.float32
    embeddings = text_embeddings(clip, _tokenizer(source), texts).astype(kind)
    partition = gallery_partition(
        np.array([[city.latitude, city.longitude] for city in cities]),
        [city.name for city in cities],
        [city.country for city in cities],
        merge=False,
    )
    decoder = PromptDecoder(
        partition,
        embeddings[len(codes) :],
        float(np.exp(float(clip.logit_scale.detach()))),
        countries=embeddings[: len(codes)],
        one_city=exact_upstream,
    )
    return StreetclipNetwork(clip, preprocessing), preprocessing, decoder


def largest_cities(most: int = CITIES) -> list[City]:
    """The cities of each country with most people, at most so many, by country."""
    rows = sorted(city_table().to_pylist(), key=lambda row: (row["country"], -row["population"], row["name"]))
    found: list[City] = []
    count: dict[str, int] = {}
    for row in rows:
        own = row["country"]
        count[own] = count.get(own, 0) + 1
        if count[own] <= most:
            found.append(City(row["name"], row["latitude"], row["longitude"], own))
    return found


@torch.no_grad()
def text_embeddings(clip: Any, tokenizer: Any, texts: Sequence[str]) -> NDArray[np.float64]:
    """What CLIP's tower of words makes of texts, of length 1, (n, width)."""
    found = []
    with progress("Reading the prompts", len(texts)) as advance:
        for start in range(0, len(texts), _AT_ONCE):
            part = list(texts[start : start + _AT_ONCE])
            tokens = tokenizer(
                part, padding=True, truncation=True, max_length=_longest(clip), return_tensors="pt"
            )
            read = clip.text_model(
                input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"], return_dict=True
            )
            found.append(clip.text_projection(read.pooler_output).numpy())
            advance(len(part))
    return unit_length(np.concatenate(found))


def _longest(clip: Any) -> int:
    return int(clip.config.text_config.max_position_embeddings)


def _tokenizer(source: ModelSource) -> Any:
    import transformers

    with refused_as(ModelError, f"{source.name} has no tokenizer that can be read"), quiet(transformers):
        return transformers.CLIPTokenizer.from_pretrained(source.folder, local_files_only=True)
