"""The Lightning module: what a step computes, and what validation measures."""

from __future__ import annotations

from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing
from lostfound.models.backbones import build_backbone
from lostfound.models.locking import Locking
from lostfound.models.network import Network
from lostfound.training.augmentation import mixup
from lostfound.training.images import LabelledImages, training_images
from lostfound.training.lightning_module import TrainingModule, in_order
from lostfound.training.recipe import load_recipe
from lostfound.training.tasks import build_objective
from lostfound.training.validation import Validation


@pytest.fixture(scope="module")
def images(dataset_folder: Path) -> tuple[LabelledImages, LabelledImages]:
    return training_images(load_recipe("demo").data, Dataset.open(dataset_folder))


def module(
    images: tuple[LabelledImages, LabelledImages], *overrides: str, share: float = 0.0
) -> TrainingModule:
    recipe = load_recipe("demo", ["task.min_images=2", "input.size=[32, 32]", *overrides])
    train, val = images
    torch.manual_seed(0)
    backbone = build_backbone("test_resnet", {}, pretrained=False)
    objective = build_objective(recipe, train)
    network = Network(backbone, Preprocessing(32, 32), objective.build_head)
    validation = Validation.of(objective.decoder, val, np.arange(len(val)), objective.monitor)
    locking = Locking(backbone, height=32, width=32, share=share)
    return TrainingModule(network, objective, validation, recipe, locking, set())


def views(n: int, count: int, seed: int = 0) -> torch.Tensor:
    generator = np.random.default_rng(seed)
    return torch.from_numpy(generator.integers(0, 256, (n, count, 32, 32, 3), dtype=np.uint8))


def test_features_of_views_are_those_of_the_images_one_by_one(
    images: tuple[LabelledImages, LabelledImages],
) -> None:
    training = module(images).eval()
    batch = views(3, 2)
    with torch.no_grad():
        found = training.embed(batch)
        single = training.network.embed(batch[1, 1:])
    assert found.shape[:2] == (3, 2)
    assert torch.allclose(found[1, 1], single[0], atol=1e-5)


def test_features_are_taken_as_they_are(images: tuple[LabelledImages, LabelledImages]) -> None:
    features = torch.rand(3, 2, 7)
    assert module(images).embed(features) is features


def test_locked_layers_stay_in_evaluation_mode_while_training(
    images: tuple[LabelledImages, LabelledImages],
) -> None:
    training = module(images, share=1.0)
    training.eval()
    training.train()
    assert training.network.head.training
    norms = [each for each in training.network.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(each.training for each in norms)


@pytest.mark.parametrize(
    ("monitor", "expected"), [("null", "val_top_1_accuracy"), ("mean_km", "val_mean_distance_km")]
)
def test_what_chooses_is_the_recipes_or_the_tasks(
    images: tuple[LabelledImages, LabelledImages], monitor: str, expected: str
) -> None:
    assert module(images, f"trainer.monitor={monitor}").monitor == expected


def test_outputs_come_in_the_order_of_their_rows_each_once() -> None:
    """Several processes bring the rows in turns, and some twice to fill up."""
    rows = torch.tensor([3, 1, 0, 2, 1, 0])
    assert in_order(rows[:, None].float(), rows)[:, 0].tolist() == [0, 1, 2, 3]


@pytest.mark.filterwarnings("ignore")
def test_validation_is_of_all_places_together_whatever_the_batches(
    images: tuple[LabelledImages, LabelledImages],
) -> None:
    training = module(images)
    val = images[1]
    batch = views(len(val), 2)
    rows = torch.arange(len(val))[:, None].expand(-1, 2)
    found = []
    for size in (5, len(val)):
        batches = [[batch[at : at + size], rows[at : at + size]] for at in range(0, len(val), size)]
        trainer = lightning.Trainer(
            max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        )  # fmt: skip
        trainer.validate(training, DataLoader(batches, batch_size=None), verbose=False)  # type: ignore[arg-type]
        found.append({name: float(value) for name, value in trainer.callback_metrics.items()})
    assert found[0] == pytest.approx(found[1], rel=1e-4)
    with torch.no_grad():
        outputs = training.eval().network(batch.flatten(0, 1))[0].reshape(len(val), 2, -1).mean(dim=1)
    expected = training.validation.measure(outputs.numpy())
    assert found[0] == pytest.approx({f"val_{name}": value for name, value in expected.items()}, rel=1e-4)
    assert {"val_top_1_accuracy", "val_loss", "val_country_accuracy", "val_median_distance_km"} <= found[
        0
    ].keys()


def test_mixed_images_have_the_mixed_loss(images: tuple[LabelledImages, LabelledImages]) -> None:
    """The loss of a mixture is the mixture of its two places' losses."""
    training = module(images, "augmentation.mixup=0.4").eval()
    training.log = lambda *_args, **_options: None  # type: ignore[method-assign]
    batch, rows, head = views(4, 1), torch.arange(4)[:, None], training.network.head
    with torch.no_grad():
        torch.manual_seed(5)
        mixed, others, share = mixup(batch, 0.4)
        features = training.embed(mixed)
        first, second = (training.objective.loss(head, features, each) for each in (rows, rows[others]))
        torch.manual_seed(5)
        found = training.training_step([batch, rows], 0)
    assert 0.01 < share < 0.99
    assert not torch.equal(others, torch.arange(4))
    assert float(found) == pytest.approx(float(share * first + (1 - share) * second))
