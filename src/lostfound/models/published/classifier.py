"""Any image classification model of transformers whose labels are countries, or cities."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lostfound.data.images import Preprocessing
from lostfound.errors import ModelError, UsageError, refused_as
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.cities import city_table, largest_city
from lostfound.geo.countries import country_name, find_country
from lostfound.models.published.clip import Normalised, load_pretrained
from lostfound.models.published.sources import License, ModelSource
from lostfound.partitions import Partition
from lostfound.partitions.kinds.gallery import gallery_partition
from lostfound.partitions.shapes import geometric_centroid
from lostfound.predict.decoders import CellDecoder

PATTERNS = ("config.json", "preprocessor_config.json", "model.safetensors", "README.md")
_FILTERS = {1: "lanczos", 2: "bilinear", 3: "bicubic"}
_ENOUGH = 0.5
_SQUASHED_FROM = 384  # ConvNeXt's own rule: from this size on pictures are squashed, not cropped
_LICENSE = re.compile(r"^license:\s*([\w.+-]+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class LabelMeanings:
    """What a classifier's labels mean.

    Attributes:
        partition: Countries, or places.
        members: The numbers of the labels that mean each cell.
        unknown: The labels that mean none, and are left out.
    """

    partition: Partition
    members: Sequence[Sequence[int]]
    unknown: Sequence[str]


class ClassifierNetwork(Normalised):
    """Images in; the cells' logits and the last feature map out."""

    def __init__(self, model: Any, members: Sequence[Sequence[int]], preprocessing: Preprocessing) -> None:
        super().__init__(preprocessing)
        self.model = model
        self.members = [list(each) for each in members]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Answer images (n, height, width, 3), uint8."""
        told = self.model(pixel_values=self.pixels(images), output_hidden_states=True)
        cells = [torch.logsumexp(told.logits[:, each], dim=1) for each in self.members]
        return torch.stack(cells, dim=1), told.hidden_states[-1]


def network_of(source: ModelSource) -> tuple[nn.Module, Preprocessing, CellDecoder, LabelMeanings]:
    """The network with its weights, and the answer that its labels mean.

    Raises:
        ModelError: The folder lacks something, is damaged, or its labels mean no places.
    """
    config = source.need("description", "config.json")
    source.need("weights", "model.safetensors")
    with refused_as(ModelError, f"{config} can't be read as a classifier's description"):
        named = json.loads(config.read_bytes()).get("id2label") or {}
        labels = labels_of([str(named[key]) for key in sorted(named, key=int)], source.name)
    file = source.find("preprocessor_config.json")
    with refused_as(ModelError, f"{source.name} says nothing usable of how its pictures are prepared"):
        preprocessing = preprocessing_of(json.loads(file.read_bytes()) if file else {})
    model = load_pretrained("AutoModelForImageClassification", source.folder)
    return (
        ClassifierNetwork(model, labels.members, preprocessing).eval(),
        preprocessing,
        CellDecoder(labels.partition),
        labels,
    )


def labels_of(names: Sequence[str], where: str) -> LabelMeanings:
    """What labels mean: countries if half of them bear a country's name, else cities.

    Raises:
        ModelError: They are neither.
    """
    texts = [re.sub(r"[_]+", " ", name).strip() for name in names]
    found = [find_country(text) for text in texts]
    codes = [match.code if match.method != "city" else None for match in found]
    if sum(code is not None for code in codes) >= max(_ENOUGH * len(names), 1):
        distinct = sorted({code for code in codes if code is not None})
        points = np.array([_middle(code) for code in distinct])
        partition = Partition(
            "countries",
            tuple(distinct),
            tuple(map(country_name, distinct)),
            points,
            np.ones(len(distinct), dtype=np.int64),
            tuple(distinct),
        )
        members = [[row for row, own in enumerate(codes) if own == code] for code in distinct]
        return LabelMeanings(
            partition, members, [name for name, code in zip(names, codes, strict=True) if code is None]
        )
    cities = [largest_city(text) for text in texts]
    rows = [row for row, city in enumerate(cities) if city is not None]
    if len(rows) < max(_ENOUGH * len(names), 1):
        raise ModelError(
            f"{where} tells no places apart: of its {len(names)} labels, such as {', '.join(names[:3])!r}, "
            "less than half are countries or cities"
        )
    known = [city for city in cities if city is not None]
    partition = gallery_partition(
        np.array([[city.latitude, city.longitude] for city in known]),
        [city.name for city in known],
        [city.country for city in known],
        merge=False,
    )
    return LabelMeanings(
        partition, [[row] for row in rows], [name for row, name in enumerate(names) if cities[row] is None]
    )


def preprocessing_of(values: dict[str, Any]) -> Preprocessing:
    """How pictures are prepared, by what transformers keeps of it."""
    size, crop = _side(values.get("size", 224)), _side(values.get("crop_size", 0))
    shortest = isinstance(values.get("size"), dict) and "shortest_edge" in values["size"]
    fraction, fit = 1.0, "squash"
    if crop and values.get("do_center_crop", True):
        fraction, fit, size = min(crop / size, 1.0), "crop", crop
    elif shortest and size < _SQUASHED_FROM:
        fraction, fit = float(values.get("crop_pct") or 224 / 256), "crop"
    mean, std = (
        tuple(float(each) for each in values.get(f"image_{name}") or (0.5, 0.5, 0.5))
        for name in ("mean", "std")
    )
    if values.get("do_normalize") is False:
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    filter_name = _FILTERS.get(int(values.get("resample", 2)), "bilinear")
    return Preprocessing(size, size, fraction, filter_name, mean, std, fit)  # type: ignore[arg-type]


def license_of(source: ModelSource) -> License:
    """What the card says of the licence; without a word none allows anything."""
    card = source.find("README.md")
    said = _LICENSE.search(card.read_text(encoding="utf-8", errors="replace")) if card else None
    name = said[1] if said else "unknown"
    return License(
        name, commercial=name != "unknown" and not re.search(r"(^|-)nc(-|$)|non-?commercial", name.lower())
    )


def _side(value: object) -> int:
    if isinstance(value, dict):
        value = value.get("shortest_edge") or value.get("height") or 0
    return int(value)  # type: ignore[call-overload, no-any-return]


def _middle(code: str) -> tuple[float, float]:
    """The middle of a country's area; of one that the map lacks its largest city."""
    land = Boundaries.packed()
    if code in land.codes:
        return geometric_centroid(land.geometry(code))
    rows = [row for row in city_table().to_pylist() if row["country"] == code]
    if not rows:
        raise UsageError(f"nothing is known of where {country_name(code)} is")
    largest = max(rows, key=lambda row: int(row["population"]))
    return float(largest["latitude"]), float(largest["longitude"])
