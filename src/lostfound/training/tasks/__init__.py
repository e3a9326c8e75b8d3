"""The tasks: what a model can be trained to answer."""

from __future__ import annotations

from lostfound.training.images import LabelledImages
from lostfound.training.settings import Classify, Coordinates, Distance, Embedding, Hybrid, Recipe
from lostfound.training.tasks.classify import ClassifyObjective
from lostfound.training.tasks.coordinates import CoordinatesObjective
from lostfound.training.tasks.distance import DistanceObjective
from lostfound.training.tasks.embedding import EmbeddingObjective
from lostfound.training.tasks.hybrid import HybridObjective
from lostfound.training.tasks.objective import Objective

__all__ = ["Objective", "build_objective"]


def build_objective(recipe: Recipe, train: LabelledImages) -> Objective:
    """What a recipe's task learns from these training images.

    Raises:
        RecipeError: The task does not fit the images.
        UsageError: The partition can't be built from them.
        ModelError: The model that it learns from can't be opened.
    """
    task, model = recipe.task, recipe.model
    if isinstance(task, Classify):
        return ClassifyObjective(task, model, train)
    if isinstance(task, Hybrid):
        return HybridObjective(task, model, train)
    if isinstance(task, Coordinates):
        return CoordinatesObjective(task, model, train)
    if isinstance(task, Embedding):
        return EmbeddingObjective(task, model, train)
    assert isinstance(task, Distance)
    return DistanceObjective(task, model, train)
