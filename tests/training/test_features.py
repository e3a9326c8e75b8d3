from __future__ import annotations

import numpy as np
import pytest
import torch

from lostfound.data.dataset import Dataset
from lostfound.models.folder import ModelFolder
from lostfound.training.batches import features_suffice
from lostfound.training.features import cached_features
from lostfound.training.fit import fit
from lostfound.training.recipe import load_recipe

TINY = [
    *("task.min_images=2", "input.size=[32, 32]", "trainer.epochs=2", "trainer.batch_size=16"),
    *("trainer.workers=0", "trainer.device=cpu", "trainer.loggers=[csv]", "model.lock.share=1"),
]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSTFOUND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def weights(model: ModelFolder) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(model.path / "model.safetensors")


def test_a_head_trained_on_features_is_one_trained_through_the_locked_backbone(dataset_folder, tmp_path):
    dataset, recipe = Dataset.open(dataset_folder), load_recipe("demo", TINY)
    through = load_recipe("demo", [*TINY, "model.lock.unlock={9: 1.0}"])  # may be unlocked: no features
    kept, plain = fit(recipe, dataset, tmp_path / "kept"), fit(through, dataset, tmp_path / "plain")
    for name, value in weights(plain.folder).items():
        assert torch.allclose(weights(kept.folder)[name], value, atol=1e-5), name


def test_the_second_run_computes_no_features(dataset_folder, tmp_path, own_cache):
    dataset, recipe = Dataset.open(dataset_folder), load_recipe("demo", TINY)
    first = fit(recipe, dataset, tmp_path / "first")
    files = {path: path.stat().st_mtime_ns for path in (own_cache / "features").iterdir()}
    second = fit(recipe, dataset, tmp_path / "second")
    assert {path: path.stat().st_mtime_ns for path in (own_cache / "features").iterdir()} == files
    assert len(files) == 2  # training and validation
    assert all(
        torch.equal(weights(second.folder)[name], value) for name, value in weights(first.folder).items()
    )


def test_a_stopped_computation_goes_on_where_it_was(dataset_folder, tmp_path, monkeypatch):
    from lostfound.data.images import Preprocessing
    from lostfound.models.backbones import build_backbone
    from lostfound.models.heads import linear_head
    from lostfound.models.network import Network
    from lostfound.training import features

    monkeypatch.setattr(features, "BATCH", 16)
    dataset = Dataset.open(dataset_folder)
    preprocessing = Preprocessing(32, 32, 1.0, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    torch.manual_seed(0)
    backbone = build_backbone("test_resnet.r160_in1k", {}, pretrained=False)
    network = Network(backbone, preprocessing, lambda length: linear_head(length, 2))

    def compute(folder):
        device = torch.device("cpu")
        return cached_features(network, dataset, preprocessing, workers=0, device=device, folder=folder)

    whole = np.array(compute(tmp_path / "whole"))
    read, seen = Dataset.read, []

    def stops(self, index):
        seen.append(index)
        if len(seen) == 50:
            raise KeyboardInterrupt
        return read(self, index)

    monkeypatch.setattr(Dataset, "read", stops)
    with pytest.raises(KeyboardInterrupt):
        compute(tmp_path / "stopped")
    seen.clear()
    seen.extend(range(100))
    resumed = np.array(compute(tmp_path / "stopped"))
    assert seen[100:] == list(range(48, len(dataset)))
    assert np.array_equal(resumed, whole)


@pytest.mark.parametrize(
    ("change", "suffice"),
    [
        ("seed=1", True),
        ("augmentation.flip=0.5", False),
        ("augmentation={flip: 0.5, enabled: false}", True),
        ("augmentation.mixup=0.2", False),
        ("model.lock.unlock={2: 0.5}", False),
        ("model.lock.share=0.5", False),
    ],
)
def test_features_suffice_where_the_backbone_and_the_images_never_change(change: str, suffice: bool):
    from lostfound.data.images import Preprocessing
    from lostfound.models.backbones import build_backbone
    from lostfound.models.locking import Locking

    recipe = load_recipe("demo", [*TINY, change])
    backbone = build_backbone(recipe.model.backbone, {}, pretrained=False)
    lock = recipe.model.lock
    locking = Locking(backbone, height=32, width=32, share=lock.share, unlock=lock.unlock)
    preprocessing = Preprocessing(32, 32, 1.0, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert features_suffice(recipe, preprocessing, locking) is suffice
