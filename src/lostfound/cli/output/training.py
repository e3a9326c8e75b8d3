"""What `lostfound train --dry-run` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lostfound.cli.common import show
from lostfound.cli.output.tables import counted, make_console, make_table
from lostfound.progress import written_time

if TYPE_CHECKING:
    from lostfound.training.plan import TrainingPlan
    from lostfound.training.settings import Recipe

_SHOWN = 3


def print_plan(recipe: Recipe, plan: TrainingPlan) -> None:
    """Print what a training would do."""
    table = make_table("what", "how much")
    splits = ", ".join(f"{count:,} {name}" for name, count in plan.splits.items())
    table.add_row("images of the data set", f"{plan.images:,}; the recipe takes {splits}")
    table.add_row(
        "learnt from", f"{counted(plan.train_images, 'image')} of {counted(plan.train_places, 'place')}"
    )
    for number, (reason, count) in enumerate(plan.dropped.items()):
        table.add_row("" if number else "left out", f"{count:,} {reason}")
    if plan.classes:
        table.add_row("classes", _classes(plan.classes))
    height, width = recipe.input.size
    start = "from scratch" if plan.weights is None else f"{plan.weights} tensors of given weights"
    table.add_row("network", f"{recipe.model.backbone} at {height}x{width} pixels, {start}")
    table.add_row("", f"{plan.parameters:,} numbers, {plan.trained:,} of them trained at first")
    epochs = counted(recipe.trainer.epochs, "epoch")
    table.add_row("steps", f"{epochs} of {plan.steps:,}, with {recipe.trainer.batch_size} samples each")
    cost = plan.cost
    table.add_row(
        "takes about", f"{written_time(cost.seconds)} and {cost.bytes / 1e9:.1f} GB, on this {cost.device}"
    )
    make_console().print(table)
    show("\nTime and memory are counted on from one small step here, without augmentation and checkpoints.")
    show("Nothing was written: leave --dry-run out to train.")


def _classes(classes: list[tuple[str, int]]) -> str:
    """How many there are, the fullest and the emptiest."""
    if len(classes) <= 2 * _SHOWN:
        return f"{len(classes)}: " + ", ".join(f"{name} ({count:,})" for name, count in classes)
    first, last = (
        ", ".join(f"{name} ({n:,})" for name, n in part) for part in (classes[:_SHOWN], classes[-_SHOWN:])
    )
    return f"{len(classes):,}: {first}, ..., {last}"
