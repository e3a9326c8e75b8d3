"""The optimiser, its schedule, and the numbers that are logged."""

from __future__ import annotations

from types import SimpleNamespace

import lightning
import pytest
import torch
from torch.utils.data import DataLoader

from lostfound.data.images import Preprocessing
from lostfound.models.network import Network, build_backbone
from lostfound.training.module import TrainingModule, rate_factor
from lostfound.training.settings import Recipe, Schedule, load_recipe


def module(*overrides: str, pretrained: bool = True) -> TrainingModule:
    recipe: Recipe = load_recipe("demo", ["optimizer.learning_rate=0.01", *overrides])
    torch.manual_seed(0)
    backbone = build_backbone("test_resnet", {}, pretrained=False)
    known = set(backbone.state_dict()) if pretrained else set()
    return TrainingModule(Network(backbone, 3, Preprocessing(32, 32), 0.0), recipe, known)


def groups(training: TrainingModule) -> dict[str, tuple[float, float]]:
    """The learning rate and the weight decay of each parameter, by name."""
    training.trainer = SimpleNamespace(estimated_stepping_batches=8)  # type: ignore[assignment]
    optimizer = training.configure_optimizers()["optimizer"]
    names = {id(parameter): name for name, parameter in training.network.named_parameters()}
    return {
        names[id(parameter)]: (group["initial_lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }


def test_pretrained_layers_learn_at_their_share_of_the_rate() -> None:
    found = groups(module("optimizer.pretrained_factor=0.1"))
    assert found["backbone.conv1.0.weight"][0] == pytest.approx(0.001)
    assert found["backbone.bn1.bias"][0] == pytest.approx(0.001)
    assert found["head.1.weight"][0] == pytest.approx(0.01)
    assert found["head.1.bias"][0] == pytest.approx(0.01)


def test_layers_without_weights_learn_at_the_full_rate() -> None:
    assert {rate for rate, _ in groups(module(pretrained=False)).values()} == {0.01}


def test_a_layer_missing_in_the_weights_learns_at_the_full_rate() -> None:
    training = module("optimizer.pretrained_factor=0.1")
    training.pretrained.discard("conv1.0.weight")
    assert groups(training)["backbone.conv1.0.weight"][0] == pytest.approx(0.01)


def test_only_matrices_decay() -> None:
    found = groups(module("optimizer.weight_decay=0.3"))
    assert found["backbone.conv1.0.weight"][1] == 0.3
    assert found["head.1.weight"][1] == 0.3
    assert found["head.1.bias"][1] == 0.0
    assert found["backbone.bn1.weight"][1] == 0.0


def test_every_parameter_is_trained() -> None:
    training = module()
    assert groups(training).keys() == {name for name, _ in training.network.named_parameters()}


# --- the schedule


@pytest.mark.parametrize(
    ("schedule", "epochs", "steps", "expected"),
    [
        ({"name": "constant"}, 2, 2, [1, 1, 1, 1]),
        ({"name": "constant", "warmup_epochs": 2}, 3, 2, [0.25, 0.5, 0.75, 1, 1, 1]),
        ({"name": "constant", "warmup_epochs": 0.5}, 2, 1, [1, 1]),
        ({"name": "constant", "warmup_epochs": 1.25}, 2, 2, [0.4, 0.8, 1, 1]),
        ({"name": "cosine"}, 2, 2, [1, 0.853553, 0.5, 0.146447]),
        ({"name": "cosine", "warmup_epochs": 1}, 3, 2, [0.5, 1, 1, 0.853553, 0.5, 0.146447]),
        ({"name": "step", "step_epochs": 1, "step_factor": 0.1}, 3, 2, [1, 1, 0.1, 0.1, 0.01, 0.01]),
        ({"name": "step", "step_epochs": 2, "step_factor": 0.5}, 5, 1, [1, 1, 0.5, 0.5, 0.25]),
    ],
)
def test_the_rate_follows_the_schedule(
    schedule: dict[str, object], epochs: int, steps: int, expected: list[float]
) -> None:
    factor = rate_factor(Schedule.model_validate(schedule), epochs, steps)
    assert [factor(step) for step in range(epochs * steps)] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("warmup", [0, 0.1, 0.5, 1, 1.3, 5])
@pytest.mark.parametrize("name", ["cosine", "step", "constant"])
def test_the_rate_never_exceeds_the_recipes(name: str, warmup: float) -> None:
    for steps in (1, 3, 10):
        factor = rate_factor(Schedule.model_validate({"name": name, "warmup_epochs": warmup}), 4, steps)
        assert all(0 <= factor(step) <= 1 for step in range(4 * steps + 1))


# --- through the trainer


def trained(training: TrainingModule, batches: list[list[torch.Tensor]]) -> lightning.Trainer:
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.validate(training, DataLoader(batches, batch_size=None), verbose=False)  # type: ignore[arg-type]
    return trainer


@pytest.mark.filterwarnings("ignore")
def test_validation_counts_images_without_a_cell_as_wrong() -> None:
    """Accuracy is over all images, whatever the batches; the loss only over those that have a cell."""
    training = module()
    with torch.no_grad():
        training.network.head[1].weight.zero_()
        training.network.head[1].bias.copy_(torch.tensor([0.0, 5.0, 0.0]))  # always says cell 1
    image = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    cells = [torch.tensor([1, 1, -1]), torch.tensor([0]), torch.tensor([-1, -1])]
    trainer = trained(training, [[image.expand(len(each), -1, -1, -1), each] for each in cells])
    assert float(trainer.callback_metrics["val_accuracy"]) == pytest.approx(2 / 6)
    right, wrong = (-torch.log_softmax(torch.tensor([0.0, 5.0, 0.0]), 0)[[1, 0]]).tolist()
    assert float(trainer.callback_metrics["val_loss"]) == pytest.approx((2 * right + wrong) / 3, rel=1e-4)
