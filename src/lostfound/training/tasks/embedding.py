"""Embedding: which places does it look like, to a place tower that knows how all places look?

Photos learn to meet what the tower (GeoCLIP's, Vivanco et al. 2023) makes of where they were taken. A photo's
answer is the gallery's place that its embedding is most like; so it may be one that no training photo shows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from lostfound.errors import RecipeError
from lostfound.geo.boundaries import Boundaries
from lostfound.models.heads import embedding_head
from lostfound.predict.decoders import OutputDecoder
from lostfound.predict.features import unit_length
from lostfound.predict.gallery import GalleryDecoder
from lostfound.predict.model_folder import ModelFolder
from lostfound.predict.model_source import whole_folder
from lostfound.predict.place_tower import PLACE_TOWER, PlaceTower
from lostfound.training.images import LabelledImages
from lostfound.training.settings import Embedding, ModelSettings, Monitor
from lostfound.training.tasks.objective import Objective, long_tensor, mean_outputs

_NOWHERE = -1


class EmbeddingObjective(Objective):
    """The angle between a photo's embedding and its place's, or cross-entropy against other places.

    A photo of which only the country is known meets the mean embedding of the gallery's places there.
    """

    monitor: Monitor = "country_accuracy"
    targets: Tensor
    target_of: Tensor
    gallery: Tensor

    def __init__(self, task: Embedding, model: ModelSettings, train: LabelledImages) -> None:
        super().__init__()
        teacher = ModelFolder.open(whole_folder(task.teacher))
        answers, tower = teacher.decoder, teacher.place_tower
        if not isinstance(answers, GalleryDecoder) or tower is None:
            raise RecipeError(
                f"task.teacher: {teacher.path} has no place tower and gallery to learn from: give a model "
                "that `lostfound convert geoclip` made"
            )
        targets, rows = place_targets(train, tower, answers)
        known = rows != _NOWHERE
        if not known.any():
            raise RecipeError("none of the training images has coordinates or a country that is known")
        self.images, self.left_out = train.take(known), _counted(train.countries[~known])
        self.classes = np.unique(self.images.countries.astype(str), return_inverse=True)[1].astype(np.int64)
        self.decoder: OutputDecoder = GalleryDecoder(
            answers.partition, np.asarray(answers.embeddings, dtype=np.float16), answers.scale
        )
        self.files = {PLACE_TOWER: tower.to_bytes()}
        self.about = {"teacher": _described(teacher)}
        self.task, self.model = task, model
        # In half precision, which is a thousandth of what tells places apart
        self.register_buffer("targets", torch.from_numpy(targets.astype(np.float16)), persistent=False)
        self.register_buffer("target_of", long_tensor(rows[known]), persistent=False)
        if task.loss == "contrastive" and task.negatives:
            others = torch.from_numpy(np.array(answers.embeddings, dtype=np.float16))
            self.register_buffer("gallery", others, persistent=False)

    def build_head(self, features: int) -> nn.Module:
        """An embedding of length 1."""
        return embedding_head(
            features, self.decoder.width, hidden=self.model.hidden, dropout=self.model.dropout
        )

    def loss(self, head: nn.Module, features: Tensor, rows: Tensor) -> Tensor:
        """One less the cosine with the places' embeddings; or the cross-entropy of which place it is."""
        found = normalize(mean_outputs(head, features).float(), dim=1)
        numbers = self.target_of[rows[:, 0]]
        if self.task.loss == "cosine":
            return 1 - (found * self.targets[numbers].float()).sum(dim=1).mean()
        several, own = torch.unique(numbers, return_inverse=True)  # two photos of one place don't compete
        places = self.targets[several].float()
        if self.task.negatives:
            drawn = torch.randint(len(self.gallery), (self.task.negatives,), device=found.device)
            places = torch.cat([places, self.gallery[drawn].float()])
        return cross_entropy(found @ places.T / self.task.temperature, own)


def place_targets(
    train: LabelledImages, tower: PlaceTower, gallery: GalleryDecoder
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """What photos are to meet.

    Args:
        train: Photos with coordinates, or a country alone.
        tower: Makes embeddings of coordinates.
        gallery: Whose places stand for their countries.

    Returns:
        The embeddings of length 1, (k, width), each of another place or country; and which of them each photo
        is to meet, (n,), -1 of photos without either.
    """
    located = train.located
    rows = np.full(len(train), _NOWHERE, dtype=np.int64)
    points, rows[located] = np.unique(train.points[located], axis=0, return_inverse=True)
    embeddings = [unit_length(tower.embed(points))] if len(points) else []
    count = len(points)
    for code in sorted({code for code in train.countries[~located] if code is not None}):
        mean = _country_embedding(code, train, tower, gallery)
        if mean is not None:
            embeddings.append(mean[None])
            rows[~located & (train.countries == code)] = count
            count += 1
    width = gallery.width
    return np.concatenate(embeddings) if embeddings else np.empty((0, width)), rows


def _country_embedding(
    code: str, train: LabelledImages, tower: PlaceTower, gallery: GalleryDecoder
) -> NDArray[np.float64] | None:
    """The mean of the gallery's places in a country, else of its photos' places, else its middle's."""
    own = np.array([each == code for each in gallery.partition.countries])
    if own.any():
        weights = gallery.partition.counts[own].astype(np.float64)
        return unit_length(weights @ np.asarray(gallery.embeddings[own], dtype=np.float64))
    points = train.points[train.located & (train.countries == code)]
    land = Boundaries.packed()
    if not len(points) and code in land.codes:
        points = np.array([land.centroid(code)])
    return unit_length(unit_length(tower.embed(points)).sum(axis=0)) if len(points) else None


def _counted(countries: NDArray[np.object_]) -> list[tuple[str, int]]:
    codes, numbers = np.unique(countries.astype(str), return_counts=True)
    return sorted(zip(codes.tolist(), numbers.tolist(), strict=True), key=lambda pair: -pair[1])


def _described(teacher: ModelFolder) -> dict[str, Any]:
    """What a model that learnt from it says of it."""
    published = teacher.config.get("published") or {}
    return {
        "name": teacher.name,
        "sha256": teacher.config["files"][PLACE_TOWER],
        "model": published.get("model"),
        "license": published.get("license"),
    }
