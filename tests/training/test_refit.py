"""A head fitted again: as good as a penalised regression can be, and blind to collections' styles."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc
import pytest
import torch

from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing
from lostfound.data.records import coordinates, strings
from lostfound.errors import DatasetError, ModelError
from lostfound.models.backbones import build_backbone
from lostfound.models.heads import linear_head
from lostfound.models.network import Network
from lostfound.partitions import Partition, build_partition
from lostfound.training.features import cached_features
from lostfound.training.refit import LENGTH, PENALTY, POWER, STYLES, Refit, fitted, style_directions

SMALL = Preprocessing(width=32, height=32)
CELLS, WIDTH = 4, 16


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSTFOUND_CACHE", str(tmp_path / "cache"))


def photos(styles: dict[str, float], seed: int = 0, each: int = 60):
    """Features of cells that lie apart, and each collection's along one more direction by its style."""
    random = np.random.default_rng(seed)
    classes = np.tile(np.arange(CELLS), each * len(styles))
    sources = np.repeat(np.array(list(styles), dtype=object), CELLS * each)
    features = random.normal(0, 0.3, (len(classes), WIDTH))
    features[np.arange(len(classes)), classes] += 1
    features[:, -1] += np.array([styles[source] for source in sources])
    return (features + 5).astype(np.float32), classes, sources


def accuracy(layer, features, classes) -> float:
    weight, bias, _ = layer
    return float((np.argmax(features @ weight.T + bias, axis=1) == classes).mean())


def test_cells_are_told_apart_and_nothing_better_is_found_nearby():
    features, classes, sources = photos({"a": 0.0})
    weight, bias, styles = fitted(features, classes, sources, CELLS)
    assert styles == 0
    assert weight.dtype == bias.dtype == np.float32
    assert accuracy((weight, bias, styles), features, classes) > 0.9

    mean = features.mean(axis=0)
    scale = LENGTH / np.linalg.norm(features - mean, axis=1).mean()
    share = np.bincount(classes)[classes] ** (POWER - 1)

    def loss(weight: np.ndarray, bias: np.ndarray) -> float:
        outputs = (features @ weight.T + bias).astype(np.float64)
        errors = np.log(np.exp(outputs).sum(axis=1)) - outputs[np.arange(len(classes)), classes]
        return float((share / share.mean() * errors).mean() + PENALTY / 2 * ((weight / scale) ** 2).sum())

    least, random = loss(weight, bias), np.random.default_rng(1)
    for _ in range(30):
        off = random.normal(0, 0.02, weight.shape)
        assert loss(weight + off, bias - off @ mean) > least


def test_what_collections_differ_in_is_left_out():
    features, classes, sources = photos({"a": -2.0, "b": 2.0})
    (first, *_) = style_directions(features, classes, sources)
    assert abs(first[-1]) > 0.99
    weight, _, styles = fitted(features, classes, sources, CELLS)
    assert 0 < styles <= STYLES
    assert np.abs(weight[:, -1]).max() < 0.02 * np.abs(weight).max()

    # A style that goes with a cell in training says nothing of it elsewhere
    bait = (classes != 0) | (sources == "a") | (np.arange(len(classes)) % 10 == 0)
    layer = fitted(features[bait], classes[bait], sources[bait], CELLS)
    theirs, truth, _ = photos({"c": -9.0}, seed=1)
    assert accuracy(layer, theirs, truth) > 0.9
    one_origin = fitted(features[bait], classes[bait], np.full(bait.sum(), "a", dtype=object), CELLS)
    assert accuracy(one_origin, theirs, truth) < accuracy(layer, theirs, truth)


@pytest.mark.parametrize("sources", [["a"] * 8, [*"abcdefgh"]], ids=["one", "one image each"])
def test_where_no_cell_has_two_collections_there_are_no_styles(sources: list[str]):
    features = np.random.default_rng(0).normal(size=(8, WIDTH)).astype(np.float32)
    found = style_directions(features, np.arange(8) // 2, np.array(sources, dtype=object))
    assert found.shape == (0, WIDTH)


def network_for(cells: Partition, hidden: int | None = None) -> Network:
    torch.manual_seed(0)
    backbone = build_backbone("test_resnet", {}, pretrained=False)
    return Network(backbone, SMALL, lambda width: linear_head(width, len(cells), hidden=hidden)).eval()


@pytest.fixture
def cells(dataset_folder) -> Partition:
    train = Dataset.open(dataset_folder).split("train").records
    return build_partition("countries", coordinates(train).tolist())


def test_a_network_says_the_mean_of_both(dataset_folder, cells: Partition):
    train, network = Dataset.open(dataset_folder).split("train"), network_for(cells)
    before = {name: value.clone() for name, value in network.head.state_dict().items()}
    told = Refit(Dataset.open(dataset_folder), workers=0)(network, cells, SMALL)
    assert told["images"] == len(train)
    features, rows = cached_features(network, train, SMALL, workers=0, device=torch.device("cpu"))
    countries, sources = (strings(train.records, name) for name in ("country", "source"))
    classes = np.array([cells.numbers[each] for each in countries])
    weight, bias, _ = fitted(features[rows], classes, sources, len(cells))
    head = network.head.state_dict()
    for name, value in {"1.weight": weight, "1.bias": bias}.items():
        assert torch.allclose(head[name], (before[name] + torch.from_numpy(value)) / 2, atol=1e-5)


def test_a_head_of_two_layers_is_refused(dataset_folder, cells: Partition):
    with pytest.raises(ModelError, match="more than one linear layer"):
        Refit(Dataset.open(dataset_folder))(network_for(cells, hidden=5), cells, SMALL)


def test_a_data_set_without_images_of_a_cell_is_refused(dataset_folder, cells: Partition):
    dataset = Dataset.open(dataset_folder)
    without = dataset.with_records(dataset.records.filter(pc.not_equal(dataset.records["country"], "FR")))
    with pytest.raises(DatasetError, match="no training images in 1 of the model's 4 cells"):
        Refit(without)(network_for(cells), cells, SMALL)
