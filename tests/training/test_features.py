"""Features of a locked backbone: a head learns from them what it would learn through the backbone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from best_weights import same_weights, train_to_weights

from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing
from lostfound.models.backbones import build_backbone
from lostfound.models.heads import linear_head
from lostfound.models.locking import Locking
from lostfound.models.network import Network
from lostfound.training import features
from lostfound.training.batches import features_suffice
from lostfound.training.features import cached_features
from lostfound.training.recipe import load_recipe

SMALL = Preprocessing(32, 32)

TINY = [
    *("task.min_images=2", "input.size=[32, 32]", "trainer.epochs=2", "trainer.batch_size=16"),
    *("trainer.workers=0", "trainer.device=cpu", "trainer.loggers=[csv]", "model.lock.share=1"),
]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSTFOUND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.slow
def test_a_head_trained_on_features_is_one_trained_through_the_backbone_and_the_second_run_computes_none(
    dataset_folder, tmp_path, own_cache
):
    dataset, recipe = Dataset.open(dataset_folder), load_recipe("demo", TINY)
    through = load_recipe("demo", [*TINY, "model.lock.unlock={9: 1.0}"])  # may be unlocked: no features
    first = train_to_weights(recipe, dataset, tmp_path / "first")
    plain = train_to_weights(through, dataset, tmp_path / "plain")
    for name, value in plain.items():
        assert torch.allclose(first[name], value, atol=1e-5), name
    files = {path: path.stat().st_mtime_ns for path in (own_cache / "features").rglob("*")}
    second = train_to_weights(recipe, dataset, tmp_path / "second")
    assert {path: path.stat().st_mtime_ns for path in (own_cache / "features").rglob("*")} == files
    assert len(list((own_cache / "features").iterdir())) == 1  # of training and validation
    assert same_weights(first, second)


def small_network(preprocessing: Preprocessing, **options: object) -> Network:
    torch.manual_seed(0)
    backbone = build_backbone("test_resnet", options, pretrained=False)
    return Network(backbone, preprocessing, lambda length: linear_head(length, 2))


def compute(dataset: Dataset, folder, *, preprocessing: Preprocessing = SMALL, **options: object):
    network, device = small_network(preprocessing, **options), torch.device("cpu")
    features, rows = cached_features(network, dataset, preprocessing, workers=0, device=device, folder=folder)
    return features[rows]


def test_features_are_what_the_backbone_makes_of_each_image(dataset_folder, tmp_path):
    dataset = Dataset.open(dataset_folder)
    network = small_network(SMALL).eval()
    images = np.stack([SMALL(dataset.read(index)) for index in range(len(dataset))])
    with torch.no_grad():
        expected = network.embed(torch.from_numpy(images)).numpy()
    assert np.allclose(compute(dataset, tmp_path), expected, atol=1e-5)


@pytest.mark.parametrize(
    "options", [{"global_pool": "max"}, {"output_stride": 8}, {"act_layer": "gelu"}], ids=str
)
def test_a_backbone_of_the_same_weights_but_other_options_has_features_of_its_own(
    options: dict[str, object], dataset_folder, tmp_path
):
    dataset = Dataset.open(dataset_folder).split("val")
    size = Preprocessing(64, 64)  # of maps that pooling makes a difference to
    plain = compute(dataset, tmp_path / "shared", preprocessing=size)
    other = compute(dataset, tmp_path / "shared", preprocessing=size, **options)
    assert not np.allclose(plain, other)
    assert np.array_equal(other, compute(dataset, tmp_path / "alone", preprocessing=size, **options))


def test_other_preprocessing_has_features_of_its_own(dataset_folder, tmp_path):
    dataset = Dataset.open(dataset_folder)
    compute(dataset, tmp_path)
    compute(dataset, tmp_path, preprocessing=replace(SMALL, crop_fraction=0.5))
    assert len(list(tmp_path.iterdir())) == 2


def test_only_images_not_seen_before_are_computed_whatever_data_set_they_come_with(
    dataset_folder, tmp_path, monkeypatch
):
    dataset = Dataset.open(dataset_folder)
    whole, read, seen = compute(dataset, tmp_path / "whole"), Dataset.read, []
    monkeypatch.setattr(Dataset, "read", lambda self, index: seen.append(index) or read(self, index))
    validation = compute(dataset.split("val"), tmp_path / "parts")
    assert len(seen) == len(validation) < len(dataset)
    assert np.allclose(compute(dataset, tmp_path / "parts"), whole, atol=1e-5)
    assert len(seen) == len(dataset)
    backwards = np.arange(len(dataset))[::-1]
    same = compute(dataset.with_records(dataset.records.take(backwards)), tmp_path / "parts")
    assert np.allclose(same, whole[backwards], atol=1e-5)
    assert len(seen) == len(dataset)


def test_features_written_without_their_image_are_written_again(dataset_folder, tmp_path):
    dataset = Dataset.open(dataset_folder)
    whole = compute(dataset, tmp_path)
    (images,) = tmp_path.rglob(features.IMAGES)
    images.write_bytes(images.read_bytes()[: 20 * features.HASH + 5])  # killed amid a write
    assert np.allclose(compute(dataset, tmp_path), whole, atol=1e-5)
    assert images.stat().st_size == len(set(dataset.records["sha256"].to_pylist())) * features.HASH


def test_a_stopped_computation_goes_on_where_it_was(dataset_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(features, "BATCH", 16)
    dataset = Dataset.open(dataset_folder)
    whole = np.array(compute(dataset, tmp_path / "whole"))
    read, seen = Dataset.read, []

    def stops(self, index):
        seen.append(index)
        if len(seen) == 50:
            raise KeyboardInterrupt
        return read(self, index)

    monkeypatch.setattr(Dataset, "read", stops)
    with pytest.raises(KeyboardInterrupt):
        compute(dataset, tmp_path / "stopped")
    seen.clear()
    seen.extend(range(100))
    resumed = np.array(compute(dataset, tmp_path / "stopped"))
    assert seen[100:] == list(range(48, len(dataset)))
    assert np.array_equal(resumed, whole)


@pytest.mark.slow
def test_two_processes_do_not_write_the_same_features(begin, dataset_folder, tmp_path, monkeypatch):
    """The one that comes second is told to wait; the first one's features are whole."""
    monkeypatch.setattr(features, "BATCH", 16)
    dataset = Dataset.open(dataset_folder)
    whole = np.array(compute(dataset, tmp_path / "whole"))
    read, second = Dataset.read, []

    def another_starts(self, index):
        if index == 40 and not second:
            script = tmp_path / "second.py"
            script.write_text(f"""
import numpy as np, torch
from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing
from lostfound.models.backbones import build_backbone
from lostfound.models.heads import linear_head
from lostfound.models.network import Network
from lostfound.training.features import cached_features
torch.manual_seed(0)
small = Preprocessing(32, 32)
network = Network(build_backbone("test_resnet", {{}}, pretrained=False), small, lambda n: linear_head(n, 2))
cached_features(network, Dataset.open({str(dataset_folder)!r}), small, workers=0,
                device=torch.device("cpu"), folder={str(tmp_path / "both")!r})
""")
            second.append(begin(script=script, trains=True).communicate(timeout=300))
        return read(self, index)

    monkeypatch.setattr(Dataset, "read", another_starts)
    assert np.array_equal(compute(dataset, tmp_path / "both"), whole)
    assert "is being written by another process" in second[0][1]


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
    recipe = load_recipe("demo", [*TINY, change])
    backbone = build_backbone(recipe.model.backbone, {}, pretrained=False)
    lock = recipe.model.lock
    locking = Locking(backbone, height=32, width=32, share=lock.share, unlock=lock.unlock)
    assert features_suffice(recipe, SMALL, locking) is suffice
