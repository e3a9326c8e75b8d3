"""Optimisers and schedules of the learning rate, by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from lostfound.errors import RecipeError
from lostfound.training.settings import Optimizer as OptimizerSettings
from lostfound.training.settings import Recipe, Schedule

# Of one_cycle, as torch's OneCycleLR has them (Smith and Topin 2018).
_RISE = 0.3
_FIRST = 1 / 25
_LAST = _FIRST / 1e4


def build_optimizer(network: nn.Module, recipe: Recipe, pretrained: set[str], steps: int) -> dict[str, Any]:
    """The optimiser and its schedule, as Lightning's `configure_optimizers` gives them.

    Every parameter is in it, also one that is locked now: it may be unlocked later, and without a gradient an
    optimiser leaves it alone. Biases and norms don't decay.

    Args:
        network: Its `backbone` may have come with weights.
        recipe: Its optimiser, schedule and number of epochs.
        pretrained: Names of the backbone's tensors that were loaded; they learn at their own rate.
        steps: Steps of the optimiser in an epoch: batches of one process by the batches accumulated.

    Raises:
        RecipeError: Nesterov's momentum is asked for without momentum.
    """
    settings = recipe.optimizer
    groups: dict[tuple[bool, bool], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        own_rate = name.startswith("backbone.") and name.removeprefix("backbone.") in pretrained
        groups.setdefault((own_rate, parameter.ndim > 1), []).append(parameter)
    optimizer = _optimizer(
        settings,
        [
            {
                "params": parameters,
                "lr": settings.learning_rate * (settings.pretrained_factor if own_rate else 1.0),
                "weight_decay": settings.weight_decay if decays else 0.0,
            }
            for (own_rate, decays), parameters in groups.items()
        ],
    )
    factor = rate_factor(recipe.schedule, recipe.trainer.epochs, steps)
    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": LambdaLR(optimizer, factor), "interval": "step"},
    }


def _optimizer(settings: OptimizerSettings, groups: list[dict[str, Any]]) -> Optimizer:
    if settings.name == "sgd":
        if settings.nesterov and not settings.momentum:
            raise RecipeError("optimizer.nesterov needs an optimizer.momentum above 0")
        return SGD(groups, settings.learning_rate, momentum=settings.momentum, nesterov=settings.nesterov)
    return AdamW(groups) if settings.name == "adamw" else Adam(groups)


def rate_factor(schedule: Schedule, epochs: int, steps: int) -> Callable[[int], float]:
    """The factor of the learning rate at each step, a function of the step alone.

    A linear warm-up comes first where there is one; the schedule then starts as if the run did. Each is
    torch's scheduler of that name: cosine, warm_restarts and one_cycle change with every step, step and
    exponential with every epoch.

    Args:
        schedule: Its kind, and the warm-up before it.
        epochs: Epochs of the run, warm-up included.
        steps: Steps of an epoch, at least 1.

    Returns:
        From a step, counted from 0, to a factor in [0, 1] (above 1 only if the schedule's own factors are).
    """
    warmup = schedule.warmup_epochs * steps
    total = max(1.0, epochs * steps - warmup)
    follow: dict[str, Callable[[float], float]] = {
        "constant": lambda _since: 1.0,
        "cosine": lambda since: _half_cosine(min(1.0, since / total)),
        "step": lambda since: schedule.step_factor ** (since // (steps * schedule.step_epochs)),
        "exponential": lambda since: schedule.epoch_factor ** (since // steps),
        "warm_restarts": lambda since: _half_cosine(
            _share_of_cycle(since, schedule.restart_epochs * steps, schedule.restart_growth)
        ),
        "one_cycle": lambda since: _one_cycle(since, total),
    }
    after_warmup = follow[schedule.name]

    def factor(step: int) -> float:
        if step < warmup:
            return min(1.0, (step + 1) / warmup)
        return after_warmup(step - warmup)

    return factor


def _half_cosine(share: float) -> float:
    """From 1 at the start to 0 at the end."""
    return 0.5 * (1 + math.cos(math.pi * share))


def _share_of_cycle(since: float, length: int, growth: int) -> float:
    """How far the cycle is whose forerunners grew from the first (Loshchilov and Hutter 2017)."""
    if growth == 1:
        return since % length / length
    while since >= length:
        since -= length
        length *= growth
    return since / length


def _one_cycle(since: float, total: float) -> float:
    """Up to 1 over the first 30 %, then down to almost nothing."""
    peak, end = _RISE * total - 1, total - 1
    if since <= peak:
        return 1 + (_FIRST - 1) * _half_cosine(since / peak)
    return _LAST + (1 - _LAST) * _half_cosine(min(1.0, (since - peak) / (end - peak)))
