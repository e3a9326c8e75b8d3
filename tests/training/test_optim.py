"""Optimisers and schedules by name; each schedule is torch's own of that name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from lostfound.errors import RecipeError
from lostfound.training.optim import build_optimizer, rate_factor
from lostfound.training.recipe import load_recipe
from lostfound.training.settings import Recipe, Schedule

STEPS, EPOCHS = 5, 12


class Small(nn.Module):
    """A backbone of two layers, one of them locked, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.head = nn.Linear(4, 2)
        self.backbone[0].requires_grad_(False)


def recipe(*overrides: str) -> Recipe:
    return load_recipe("demo", ["optimizer.learning_rate=0.01", *overrides])


def optimizer(*overrides: str, network: nn.Module | None = None) -> Optimizer:
    built: Optimizer = build_optimizer(network or Small(), recipe(*overrides), set(), STEPS)["optimizer"]
    return built


# --- the optimiser


@pytest.mark.parametrize(
    ("overrides", "kind", "expected"),
    [
        (["optimizer.name=adamw"], AdamW, {"betas": (0.9, 0.999)}),
        (["optimizer.name=adam"], Adam, {"betas": (0.9, 0.999)}),
        (["optimizer.name=sgd", "optimizer.momentum=0.8"], SGD, {"momentum": 0.8, "nesterov": False}),
        (["optimizer.name=sgd", "optimizer.nesterov=true"], SGD, {"momentum": 0.9, "nesterov": True}),
        (["optimizer.name=sgd", "optimizer.momentum=0"], SGD, {"momentum": 0.0}),
    ],
)
def test_an_optimiser_is_the_one_that_is_named(
    overrides: list[str], kind: type[Optimizer], expected: dict[str, object]
) -> None:
    built = optimizer(*overrides, "schedule={name: constant}")
    assert type(built) is kind
    for group in built.param_groups:
        assert group["lr"] == 0.01
        assert {name: group[name] for name in expected} == expected


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"optimizer\.momentum above 0"):
        optimizer("optimizer.name=sgd", "optimizer.momentum=0", "optimizer.nesterov=true")


def test_a_locked_layer_is_left_alone_until_it_is_unlocked() -> None:
    """It is in the optimiser all the time, and its weights don't decay while it is locked."""
    torch.manual_seed(0)
    network = Small()
    built = optimizer("optimizer.weight_decay=0.5", "schedule={name: constant}", network=network)
    start = network.backbone[0].weight.detach().clone()
    for locked in (True, False):
        network.backbone[0].requires_grad_(not locked)
        built.zero_grad()
        network.head(network.backbone(torch.rand(3, 3, 3, 3)).mean((2, 3))).square().sum().backward()
        built.step()
        assert torch.equal(network.backbone[0].weight, start) is locked


def groups(*overrides: str, pretrained: set[str]) -> dict[str, tuple[float, float]]:
    """The learning rate and the weight decay of each parameter, by name."""
    network = Small()
    built = build_optimizer(network, recipe(*overrides), pretrained, STEPS)["optimizer"]
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return {
        names[id(parameter)]: (group["initial_lr"], group["weight_decay"])
        for group in built.param_groups
        for parameter in group["params"]
    }


def test_layers_that_were_loaded_learn_at_their_share_of_the_rate() -> None:
    found = groups("optimizer.pretrained_factor=0.1", pretrained={"0.weight", "1.bias", "head.weight"})
    assert found.keys() == {name for name, _ in Small().named_parameters()}
    rates = {name: rate for name, (rate, _) in found.items()}
    slow = {"backbone.0.weight", "backbone.1.bias"}
    assert rates == pytest.approx({name: 0.001 if name in slow else 0.01 for name in found})


def test_only_matrices_decay() -> None:
    found = groups("optimizer.weight_decay=0.3", pretrained=set())
    decays = {name: decay for name, (_, decay) in found.items()}
    matrices = {"backbone.0.weight", "head.weight"}
    assert decays == {name: 0.3 if name in matrices else 0.0 for name in decays}


# --- the schedule


def torchs_rates(build: Callable[[Optimizer], LRScheduler], steps_of_its: int) -> list[float]:
    """The rates, relative to the first optimiser's, that a scheduler of torch gives to each step."""
    built = SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = build(built)
    rates = []
    for step in range(EPOCHS * STEPS):
        rates.append(float(built.param_groups[0]["lr"]))
        built.step()
        if (step + 1) % steps_of_its == 0:
            scheduler.step()
    return rates


TOTAL = EPOCHS * STEPS
SCHEDULES = [
    ({"name": "constant"}, lambda o: lr_scheduler.ConstantLR(o, 1.0), STEPS),
    ({"name": "cosine"}, lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL), 1),
    ({"name": "step", "step_epochs": 3}, lambda o: lr_scheduler.StepLR(o, 3, 0.1), STEPS),
    ({"name": "step", "step_factor": 0.5}, lambda o: lr_scheduler.StepLR(o, 10, 0.5), STEPS),
    ({"name": "exponential", "epoch_factor": 0.8}, lambda o: lr_scheduler.ExponentialLR(o, 0.8), STEPS),
    (
        {"name": "warm_restarts", "restart_epochs": 5},
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 5 * STEPS),
        1,
    ),
    (
        {"name": "warm_restarts", "restart_epochs": 2, "restart_growth": 2},
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2 * STEPS, 2),
        1,
    ),
    (
        {"name": "one_cycle"},
        lambda o: lr_scheduler.OneCycleLR(o, max_lr=1.0, total_steps=TOTAL + 1, cycle_momentum=False),
        1,
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "build", "steps_of_its"), SCHEDULES, ids=[str(each[0]) for each in SCHEDULES]
)
def test_a_schedule_is_torchs_own(
    settings: dict[str, object], build: Callable[[Optimizer], LRScheduler], steps_of_its: int
) -> None:
    # torch's one-cycle refuses a step past its last, which its scheduler takes after the last batch
    epochs: float = EPOCHS + 1 / STEPS if settings["name"] == "one_cycle" else EPOCHS
    factor = rate_factor(Schedule.model_validate(settings), epochs, STEPS)  # type: ignore[arg-type]
    found = [factor(step) for step in range(TOTAL)]
    assert found == pytest.approx(torchs_rates(build, steps_of_its), abs=1e-9)


@pytest.mark.parametrize("name", ["cosine", "step", "exponential", "warm_restarts", "one_cycle", "constant"])
def test_after_the_warm_up_a_schedule_starts_as_if_the_run_did(name: str) -> None:
    plain = rate_factor(Schedule.model_validate({"name": name}), EPOCHS - 2, STEPS)
    warmed = rate_factor(Schedule.model_validate({"name": name, "warmup_epochs": 2}), EPOCHS, STEPS)
    assert [warmed(step) for step in range(2 * STEPS)] == pytest.approx([(n + 1) / 10 for n in range(10)])
    assert [warmed(2 * STEPS + step) for step in range(50)] == [plain(step) for step in range(50)]


@pytest.mark.parametrize(
    ("schedule", "epochs", "steps", "expected"),
    [
        ({"name": "constant", "warmup_epochs": 0.5}, 2, 1, [1, 1]),
        ({"name": "constant", "warmup_epochs": 1.25}, 2, 2, [0.4, 0.8, 1, 1]),
        ({"name": "cosine"}, 1, 1, [1, 0, 0]),
        ({"name": "cosine", "warmup_epochs": 5}, 2, 2, [0.1, 0.2, 0.3, 0.4]),
        ({"name": "step", "step_epochs": 1, "warmup_epochs": 0.5}, 2, 2, [1, 1, 1, 0.1]),
    ],
)
def test_short_runs(schedule: dict[str, object], epochs: int, steps: int, expected: list[float]) -> None:
    factor = rate_factor(Schedule.model_validate(schedule), epochs, steps)
    assert [factor(step) for step in range(len(expected))] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("warmup", [0, 0.1, 0.5, 1, 1.3, 5])
@pytest.mark.parametrize("name", ["cosine", "step", "exponential", "warm_restarts", "one_cycle", "constant"])
def test_the_rate_never_exceeds_the_recipes(name: str, warmup: float) -> None:
    for steps in (1, 3, 10):
        factor = rate_factor(Schedule.model_validate({"name": name, "warmup_epochs": warmup}), 4, steps)
        assert all(0 <= factor(step) <= 1 for step in range(4 * steps + 2))


def test_the_schedule_moves_with_every_step_of_the_optimiser() -> None:
    overrides = ["trainer.epochs=2", "schedule={name: step, step_epochs: 1, step_factor: 0.5}"]
    built = build_optimizer(Small(), recipe(*overrides), set(), STEPS)
    scheduler = built["lr_scheduler"]["scheduler"]
    assert built["lr_scheduler"]["interval"] == "step"
    rates = []
    for _ in range(2 * STEPS):
        rates.append(built["optimizer"].param_groups[0]["lr"])
        built["optimizer"].step()
        scheduler.step()
    assert rates == pytest.approx([0.01] * STEPS + [0.005] * STEPS)
