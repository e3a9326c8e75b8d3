"""Embedding: what photos are to meet, and how near they are to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from published_weights import PLACES, random_geoclip, tiny_clip, write_release

from lostfound.errors import ModelError, RecipeError
from lostfound.predict.place_tower import PlaceTower
from lostfound.training.settings import Embedding
from lostfound.training.tasks.embedding import EmbeddingObjective, place_targets

NOWHERE = [np.nan, np.nan]
POINTS = [[48.86, 2.35], [52.52, 13.4], [48.86, 2.35], NOWHERE, NOWHERE, NOWHERE]
CODES = ["FR", "DE", "FR", "JP", "KE", None]
"""Kenya is not in the gallery; of the last photo nothing is known."""


class Given(torch.nn.Module):
    """A head whose outputs are the features."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


@pytest.fixture(scope="module")
def teacher(made_once, tmp_path_factory) -> Path:
    from lostfound.models.published.convert import convert

    work = tmp_path_factory.mktemp("teacher")
    tiny_clip(10).save_pretrained(work / "clip")
    release = write_release(work / "release")
    return made_once(
        "embedder", lambda to: convert("geoclip", to, weights=str(release), backbone=str(work / "clip"))
    )


@pytest.fixture
def objective(teacher: Path, images_at, model):
    def build(**settings: object) -> EmbeddingObjective:
        task = Embedding(kind="embedding", teacher=str(teacher), **settings)  # type: ignore[arg-type]
        return EmbeddingObjective(task, model, images_at(POINTS, CODES))

    return build


def tower() -> PlaceTower:
    tensors = {
        name.removeprefix("location_encoder."): value.numpy()
        for name, value in random_geoclip().items()
        if name.startswith("location_encoder.")
    }
    return PlaceTower(tensors)


def directions(points: object) -> np.ndarray:
    raw = tower().embed(np.array(points), np.float64)
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


def test_photos_meet_their_places_or_their_countries(objective, images_at) -> None:
    task = objective()
    assert len(task.images) == 5
    assert task.left_out == [("None", 1)]
    rows = task.target_of.tolist()
    assert rows[0] == rows[2]  # one place
    assert len(set(rows)) == 4
    targets = task.targets[task.target_of].float().numpy()
    assert targets[:3] == pytest.approx(directions(POINTS[:3]), abs=1e-3)
    assert targets[3] == pytest.approx(directions(PLACES[3:4])[0], abs=1e-3)  # the only place of Japan
    assert np.linalg.norm(targets, axis=1) == pytest.approx(np.ones(5), abs=1e-2)


def test_a_countrys_mean_counts_its_places_as_often_as_they_stand_there(objective, images_at) -> None:
    images = images_at([NOWHERE], ["FR"])
    decoder = objective().decoder
    embeddings, _ = place_targets(images, tower(), decoder)
    assert embeddings == pytest.approx(directions(PLACES[:1]), abs=1e-3)


def test_the_loss_is_least_where_photos_meet_their_places(objective) -> None:
    task = objective()
    rows = torch.arange(5)[:, None]
    perfect = task.targets[task.target_of].float()[:, None] * 3  # a length says nothing
    assert task.loss(Given(), perfect, rows).item() == pytest.approx(0, abs=1e-3)
    assert task.loss(Given(), -perfect, rows).item() == pytest.approx(2, abs=1e-3)


def test_photos_of_one_place_do_not_compete(objective) -> None:
    task = objective(loss="contrastive", negatives=0)
    perfect = task.targets[task.target_of].float()[:, None]
    same = torch.tensor([[0], [2]])
    assert task.loss(Given(), perfect[[0, 2]], same).item() == 0
    rows = torch.arange(5)[:, None]
    assert task.loss(Given(), perfect, rows).item() < task.loss(Given(), perfect.flip(0), rows).item()


def test_others_of_the_gallery_are_drawn_to_compete(objective) -> None:
    alone, among = objective(loss="contrastive", negatives=0), objective(loss="contrastive", negatives=50)
    perfect, row = alone.targets[alone.target_of].float()[:1, None], torch.tensor([[0]])
    losses = [among.loss(Given(), perfect, row).item() for _ in range(2)]
    assert losses[0] > alone.loss(Given(), perfect, row).item() == 0
    assert losses[0] != losses[1]


def test_its_answer_is_the_place_that_is_met(objective) -> None:
    task = objective()
    outputs = task.targets[task.target_of].float().numpy()
    cosines = task.decoder.logits(outputs[:4]) - np.log(task.decoder.partition.counts)
    best = task.decoder.partition.centroids[np.argmax(cosines, axis=1)]
    assert best == pytest.approx(np.array([*POINTS[:3], PLACES[3]]))
    head = task.build_head(7)
    assert head(torch.randn(3, 2, 7)).norm(dim=-1).flatten().tolist() == pytest.approx([1] * 6)


def test_a_teacher_must_have_a_tower(model_folder: Path, tmp_path: Path, images_at, model) -> None:
    images = images_at(POINTS, CODES)
    with pytest.raises(RecipeError, match="has no place tower and gallery to learn from"):
        EmbeddingObjective(Embedding(kind="embedding", teacher=str(model_folder)), model, images)
    with pytest.raises(ModelError, match="is not a model folder"):
        EmbeddingObjective(Embedding(kind="embedding", teacher=str(tmp_path)), model, images)
