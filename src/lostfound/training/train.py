"""From a recipe to a model that was measured: the pipelines that the commands, the demo and studies share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from lostfound.data.dataset import Dataset
from lostfound.errors import DatasetError, RecipeError, UsageError
from lostfound.evaluation.card import measure
from lostfound.evaluation.evaluate import Evaluation
from lostfound.models.averaging import average
from lostfound.predict.calibrate import calibrate
from lostfound.predict.locator import Unit
from lostfound.predict.model_folder import ModelFolder
from lostfound.training.clearing import holds_model, holds_run, remove_model
from lostfound.training.fit import BestEpoch, FitResult, evaluation_part, fit
from lostfound.training.images import select_images
from lostfound.training.refit import Refit
from lostfound.training.run_folder import training_alone
from lostfound.training.settings import Recipe

Resume = Literal["never", "always", "or begin again"]
"""What becomes of a stopped run in the folder: it is in the way, it goes on, or it goes on if it can."""

Result = TypeVar("Result", bound=BestEpoch)


@dataclass(frozen=True)
class Trained:
    """A finished model and what it is worth.

    Attributes:
        model: The model folder, with its card.
        evaluation: What it was measured to do.
        fit: How its training went; None of an average.
    """

    model: ModelFolder
    evaluation: Evaluation
    fit: FitResult | None = None


def train_model(
    recipe: Recipe,
    dataset: Dataset,
    to: str | Path,
    *,
    weights: str | Path | None = None,
    resume: Resume = "never",
    overwrite: bool = False,
    evaluate_on: tuple[Dataset, str] | None = None,
    unit: Unit | None = None,
    after_fit: Callable[[FitResult], object] = lambda _: None,
) -> Trained:
    """Train a recipe, measure the model on places it never saw, and write its card.

    In a script, call it below `if __name__ == "__main__":`, since worker processes import the script.

    Args:
        recipe: What to train (see `load_recipe`).
        dataset: The images; their splits must be assigned.
        to: The model folder to write.
        weights: A file or model folder for the backbone, or "hub" to fetch the library's; None starts afresh.
        resume: What becomes of a run in the folder that was stopped.
        overwrite: Replace a model or an unfinished run that is there.
        evaluate_on: A data set and its split to measure on; by default the recipe's images of the test split,
            or of the validation split without one.
        unit: What is scored, image or place; by default as the model was trained.
        after_fit: Called between the training and the measuring.

    Raises:
        UsageError: The folder is taken, or the run to resume had other settings.
        RecipeError: The recipe does not fit the data, the backbone or this machine.
        ModelError: The weights can't be used.
        LostFoundError: An image can't be read, the loss became NaN, or the disk is full.

    Examples:
        >>> import lostfound
        >>> settings = ["trainer.epochs=1", "task.min_images=2", "input.size=[32, 32]", "trainer.workers=0"]
        >>> recipe = lostfound.load_recipe("demo", settings)
        >>> trained = lostfound.train_model(recipe, lostfound.Dataset.open("data/streets"), "models/new")
        >>> trained.evaluation.metrics["top_1_accuracy"].n > 0
        True
    """
    with training_alone(Path(to)):
        result = fit_model(recipe, dataset, to, weights=weights, resume=resume, overwrite=overwrite)
        after_fit(result)
        model = calibrate(result.folder.path, select_images(dataset, recipe.data), radii_needed=False)
        part, split = evaluate_on or evaluation_part(recipe, dataset)
        return Trained(model, measure(model.path, part, split, unit=unit), result)


def fit_model(
    recipe: Recipe, dataset: Dataset, to: str | Path, *, resume: Resume = "never", **options: Any
) -> FitResult:
    """Train a recipe without measuring the model.

    Args:
        recipe: What to train.
        dataset: The images.
        to: The model folder to write.
        resume: What becomes of a run in the folder that was stopped; "or begin again" deletes one that can't
            go on, such as of other settings.
        options: Of `fit`.

    Raises:
        LostFoundError: As `fit` says.
    """
    if resume != "or begin again":
        return fit(recipe, dataset, to, resume=resume == "always", **options)
    return or_begin_again(fit, recipe, dataset, to, **options)


def or_begin_again(
    train: Callable[..., Result], recipe: Recipe, dataset: Dataset, to: str | Path, **options: Any
) -> Result:
    """Go on with a training that was stopped, or delete what is left of one that can't go on and begin again.

    Args:
        train: `fit` or `fit_best_epoch`.
        recipe: What to train.
        dataset: The images.
        to: The model folder to write.
        options: Of `train`.

    Raises:
        LostFoundError: As `fit` says.
    """
    with training_alone(Path(to)):
        try:
            return train(recipe, dataset, to, resume=True, **options)
        except RecipeError:
            raise
        except (
            UsageError
        ):  # killed before its first epoch, left by other settings, its weights were elsewhere
            if not (holds_run(Path(to)) or holds_model(Path(to))):
                raise  # nothing that a training left
            remove_model(Path(to))
            return train(recipe, dataset, to, **options)


def average_models(
    paths: Sequence[str | Path], dataset: Dataset, to: str | Path, *, refit: bool = False, **options: Any
) -> Trained:
    """Average models' weights or answers into one model, calibrate it, measure it, and write its card.

    Args:
        paths: Folders of models that rank the same cells and began with the same pretrained weights.
        dataset: The one they learnt: its validation split calibrates, its test split measures.
        to: The model folder to write.
        refit: Fit the head again to the training split (`lostfound.training.refit`).
        options: Of `average`.

    Raises:
        UsageError: There are fewer than two models, the folder is taken, or every country is asked of other
            cells.
        ModelError: A model is incomplete, ranks no cells, or differs from the first in its cells or network.
        DatasetError: There are no validation images.
    """
    if not len(dataset.split("val")):  # before anything is written
        raise DatasetError(
            f"{dataset.folder} has no validation images to calibrate on: use the data set they learnt"
        )
    change = Refit(dataset) if refit else None
    model = average([Path(path) for path in paths], Path(to), refit=change, **options)
    part, split = evaluation_part(Recipe.model_validate(model.config["recipe"]), dataset)
    model = calibrate(model.path, part, radii_needed=False)
    return Trained(model, measure(model.path, part, split))
