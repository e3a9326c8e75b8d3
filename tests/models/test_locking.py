"""Locking: which layers are counted, which of them are locked, and that a training leaves those alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import nn

from lostfound.data.dataset import Dataset
from lostfound.errors import RecipeError
from lostfound.models.backbones import build_backbone
from lostfound.models.locking import Locking, leaf_layers
from lostfound.training.fit import fit, fit_best_epoch
from lostfound.training.recipe import parse_recipe

TINY = "test_resnet"


def backbone(name: str = TINY, **options: object) -> nn.Module:
    return build_backbone(name, options, pretrained=False)


def lock(name: str = TINY, **settings: object) -> Locking:
    return Locking(backbone(name), height=32, width=32, **settings)  # type: ignore[arg-type]


def trainable(locking: Locking) -> list[str]:
    return [name for name, value in locking.backbone.named_parameters() if value.requires_grad]


class Chain(nn.Module):
    """Two blocks that are called in another order than they are listed in, one layer of them twice."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1))
        self.last = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))
        self.first = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Identity(), nn.BatchNorm2d(4), nn.Dropout(0.5))
        self.act = nn.ReLU()
        self.never = nn.Linear(1, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.act(self.last(self.act(self.first(x)))) + self.token
        return found

    def forward_head(self, x: torch.Tensor, pre_logits: bool = True) -> torch.Tensor:
        found: torch.Tensor = self.pool(x).flatten(1)
        return found


CHAIN = ["first.0", "first.2", "first.3", "act", "last.0", "last.1", "pool"]


# --- what is counted


def test_leaf_layers_come_in_the_order_of_the_forward_pass_each_once() -> None:
    assert leaf_layers(Chain(), 8, 8) == CHAIN


def test_counting_leaves_a_backbone_as_it_was() -> None:
    chain = Chain()
    chain.first.eval()
    modes = [module.training for module in chain.modules()]
    state = {name: value.clone() for name, value in chain.state_dict().items()}
    leaf_layers(chain, 8, 8)
    assert [module.training for module in chain.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in chain.state_dict().items())
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in chain.modules())


@pytest.fixture(scope="module")
def london() -> list[str]:
    """ResNet-50's layers as torchsummary counts them: each call of all modules but containers."""
    network = torchvision.models.resnet50(weights=None).eval()
    calls: list[str] = []
    for name, module in network.named_modules():
        if name and not isinstance(module, nn.Sequential | nn.ModuleList):
            module.register_forward_hook(lambda *_, name=name: calls.append(name))
    with torch.no_grad():
        network(torch.zeros(1, 3, 64, 64))
    return calls


def test_londons_count_is_ours_with_blocks_repeated_calls_and_the_head(london: list[str]) -> None:
    layers = leaf_layers(backbone("torchvision:resnet50"), 64, 64)
    assert len(london) == 174
    assert len(layers) == 125
    blocks = [name for name in london if name.count(".") == 1 and not name.startswith("fc")]
    assert len(blocks) == 16
    assert list(dict.fromkeys(name for name in london if name not in blocks)) == [*layers, "fc"]


@pytest.mark.parametrize("name", ["torchvision:resnet50", "resnet50"])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_a_share_locks_londons_layers_give_or_take_two(name: str, share: float, london: list[str]) -> None:
    """Its layers with weights, that is: those without have nothing to lock."""
    locking = Locking(backbone(name), height=64, width=64, share=share)
    own = [each for each, module in locking.backbone.named_modules() if hasattr(module, "weight")]
    ours = [each for each in locking.locked if each in own]
    theirs = {each for i, each in enumerate(london) if i <= len(london) * share and each in own}
    assert set(ours) <= theirs or set(ours) >= theirs
    assert abs(len(ours) - len(theirs)) <= 2


def test_70_percent_of_resnet_50_end_where_londons_122_layers_do(london: list[str]) -> None:
    theirs = [name for i, name in enumerate(london) if i <= len(london) * 0.7]
    assert (len(theirs), theirs[-1]) == (122, "layer3.4.bn1")
    for name in ("torchvision:resnet50", "resnet50"):
        locking = Locking(backbone(name), height=64, width=64, share=0.7)
        free = trainable(locking)
        assert free[0] == "layer3.4.conv2.weight"
        expected = [f"{each}.{kind}" for each in theirs for kind in ("weight", "bias")]
        names = [each for each, _ in locking.backbone.named_parameters()]
        assert [each for each in names if each not in free] == [each for each in names if each in expected]


# --- what is locked


@pytest.mark.parametrize(
    ("share", "locked"),
    [(0.0, 0), (1e-9, 1), (0.12, 1), (0.125, 2), (0.5, 5), (0.74, 6), (0.87, 7), (1.0, 7)],
)
def test_the_first_of_the_layers_are_locked(share: float, locked: int) -> None:
    """Of n = 7 and a head, those with i <= 8 * share."""
    locking = Locking(Chain(), height=8, width=8, share=share)
    assert locking.layers == CHAIN
    assert locking.locked == CHAIN[:locked]


def test_what_belongs_to_no_layer_goes_with_the_first_in_its_module() -> None:
    assert "token" in trainable(Locking(Chain(), height=8, width=8))
    free = trainable(Locking(Chain(), height=8, width=8, share=1e-9))
    assert "token" not in free
    assert "first.0.weight" not in free
    assert "last.0.weight" in free


def test_the_mode_and_the_weights_of_a_layer_go_together() -> None:
    for name in ("mobilenetv2_100", "lostfound:cnn10", "torchvision:googlenet"):
        locking = lock(name, share=0.5)
        norms = [
            module
            for module in locking.backbone.modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm)
        ]
        assert {module.training for module in norms} == {True, False}, name
        assert all(module.weight.requires_grad is module.training for module in norms), name


@pytest.mark.parametrize(
    ("names", "locked"),
    [
        (["first"], ["first.0", "first.2", "first.3"]),
        (["first.*"], ["first.0", "first.2", "first.3"]),
        (["*.0"], ["first.0", "last.0"]),
        (["last.1", "act"], ["act", "last.1"]),
        (["*"], CHAIN),
        (["last.0.weight"], []),  # no whole layer
    ],
)
def test_layers_are_locked_by_name(names: list[str], locked: list[str]) -> None:
    locking = Locking(Chain(), height=8, width=8, names=names)
    assert locking.locked == locked
    state = locking.backbone.get_parameter("last.0.weight")
    assert state.requires_grad is not ("last.0" in locked or "last.0.weight" in names)
    assert locking.backbone.last[1].training is ("last.1" not in locked)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("layer5", "did you mean layer"),
        ("Layer1.*", "did you mean"),
        ("zzz", "its parts are conv1, bn1"),
        ("", ""),
    ],
)
def test_a_name_that_fits_nothing_says_what_there_is(wrong: str, says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        lock(names=["layer1", wrong])
    assert f"model.lock.names: nothing in the backbone is named {wrong!r}" in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "whole"),
    [
        ({"share": 1.0}, True),
        ({"names": ["*"]}, True),
        ({"share": 0.5}, False),
        ({}, False),
        (
            {"names": ["conv1", "bn1", "layer?", "act1", "maxpool"]},
            False,
        ),  # but the pooling, and that is open
    ],
)
def test_all_locked_is_when_nothing_trains(settings: dict[str, object], whole: bool) -> None:
    assert lock(**settings).all_locked is whole


# --- unlocking


def test_layers_are_unlocked_by_epoch() -> None:
    locking = Locking(Chain(), height=8, width=8, share=1.0, names=["last.1"], unlock={3: 0.5, 5: 0.0})
    counts = []
    for epoch in (1, 2, 3, 4, 5, 9, 1):
        locking.set_epoch(epoch)
        counts.append(len(locking.locked))
    assert counts == [7, 7, 6, 6, 1, 1, 7]  # the named one stays


def test_an_unlocked_layer_is_in_training_mode_again() -> None:
    """A trainer that sets the mode once must not leave its batch norms as they were."""
    locking = Locking(Chain(), height=8, width=8, share=1.0, names=["first"], unlock={2: 0.0})
    chain = locking.backbone
    assert not chain.last[1].training
    locking.set_epoch(2)
    assert chain.last[1].training
    assert not chain.first[2].training
    assert "last.0.weight" in trainable(locking)


def test_unlocking_leaves_a_network_that_is_evaluated_in_evaluation_mode() -> None:
    locking = Locking(Chain(), height=8, width=8, share=1.0, unlock={2: 0.0})
    locking.backbone.eval()
    locking.set_epoch(2)
    assert not any(module.training for module in locking.backbone.modules())


def test_locked_modules_are_held_after_each_switch_to_training() -> None:
    locking = Locking(Chain(), height=8, width=8, names=["first"])
    locking.backbone.train()
    locking.hold()
    modes = {name: module.training for name, module in locking.backbone.named_modules()}
    assert [name for name, mode in modes.items() if not mode] == ["first", *(f"first.{i}" for i in range(4))]


# --- a real training


def trained(
    lock: dict[str, object],
    dataset_folder: Path,
    tiny_recipe,
    folder: Path,
    epochs: int = 1,
    fit: Callable[..., Any] = fit_best_epoch,
) -> tuple[Any, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """A run from known weights: its result, the backbone's tensors before it, and after its last epoch."""
    torch.manual_seed(0)
    start = folder / "start.safetensors"
    source = backbone()
    with torch.no_grad():
        for _ in range(3):  # statistics unlike the images'
            source(1 + torch.randn(8, 3, 32, 32))
    before = {name: value.clone().contiguous() for name, value in source.state_dict().items()}
    save_file(before, start)
    values = tiny_recipe.model_dump(mode="json")
    values["model"] |= {"backbone": TINY, "options": {}, "lock": lock}
    values["trainer"]["epochs"] = epochs
    values["optimizer"] |= {"learning_rate": 0.01, "weight_decay": 0.1}
    values["schedule"] = {"name": "constant"}

    def keep(epoch: int, _: dict[str, float]) -> bool:
        shutil.copy(folder / "model" / "run" / "checkpoints" / "last.ckpt", folder / "last.ckpt")
        return False

    recipe = parse_recipe(values, "locked")
    result = fit(recipe, Dataset.open(dataset_folder), folder / "model", weights=start, on_epoch=keep)
    state = torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]
    prefix = "network.backbone."
    after = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    assert after.keys() == before.keys()
    return result, before, after


def moved(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.slow
def test_a_training_leaves_locked_layers_bit_for_bit(
    dataset_folder: Path, tiny_recipe, tmp_path: Path
) -> None:
    """With weight decay, which must not reach them; and the statistics of their batch norms."""
    share = 0.5
    result, before, after = trained({"share": share}, dataset_folder, tiny_recipe, tmp_path, fit=fit)
    locking = Locking(backbone(), height=32, width=32, share=share)
    locked = {name for name in before if name.rpartition(".")[0] in locking.locked}
    assert any(name.endswith("running_mean") for name in locked)
    assert moved(before, after) & locked == set()
    free = before.keys() - locked
    assert any(name.endswith("running_mean") for name in free)
    assert moved(before, after) == free
    assert result.locked == locking.locked
    model = load_file(result.folder.path / "model.safetensors")
    assert all(torch.equal(model[f"backbone.{name}"], before[name]) for name in locked)


@pytest.mark.slow
def test_a_wholly_locked_backbone_is_untouched(dataset_folder: Path, tiny_recipe, tmp_path: Path) -> None:
    _, before, after = trained({"share": 1.0}, dataset_folder, tiny_recipe, tmp_path)
    assert moved(before, after) == set()


@pytest.mark.slow
def test_unlocked_layers_and_their_statistics_move(dataset_folder: Path, tiny_recipe, tmp_path: Path) -> None:
    lock = {"share": 1.0, "names": ["layer1"], "unlock": {2: 0.0}}
    _, before, after = trained(lock, dataset_folder, tiny_recipe, tmp_path, epochs=2)
    assert moved(before, after) == {name for name in before if not name.startswith("layer1.")}
