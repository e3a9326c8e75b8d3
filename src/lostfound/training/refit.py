"""The head of a finished network, fitted again: to whole images, and not to what collections differ in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy

from lostfound.data.dataset import Dataset
from lostfound.data.images import Preprocessing
from lostfound.data.records import coordinates, strings
from lostfound.errors import DatasetError, ModelError
from lostfound.models.network import Network, evaluation_mode
from lostfound.partitions import Partition
from lostfound.progress import progress
from lostfound.training.features import cached_features

LENGTH = 10.0
"""The mean length that features are brought to, without their mean."""
PENALTY = 0.003
"""Of the weights' squares, for features of that length."""
POWER = 0.75
"""Cells count as much as their number of images to this power."""
STYLES = 5
"""Directions of the features, those in which collections differ most, that say nothing of the place."""
FEWEST = 3
"""Images of one cell by one collection, from which on what they have in common may be its style."""
STEPS = 40


@dataclass(frozen=True)
class Refit:
    """Fits the last layer again, and makes the network answer with the mean of both.

    The network has learnt from crops, with a rate that also moves what lies below; its last layer is no
    best one for the features that came out. A logistic regression with a penalty is, for few images of many
    cells. Images of one cell that come from several collections tell how collections differ; the directions
    in which they do most are taken from the features first (nuisance attribute projection: Solomonoff et al.
    2005, "Advances in channel compensation for SVM speaker recognition"), so that a photo by someone else
    isn't taken for what it has in common with their style. Being linear, all of it is one layer again.

    Attributes:
        dataset: What the network learnt; its training split is fitted to.
        workers: Processes that read images.
    """

    dataset: Dataset
    workers: int = 1

    def __call__(self, network: Network, cells: Partition, preprocessing: Preprocessing) -> dict[str, Any]:
        """Change the network in place.

        Returns:
            What it was fitted to, for the model's record.

        Raises:
            ModelError: The network's head is more than one layer.
            DatasetError: A cell has no training images, or the data set is damaged.
            ImageError: An image can't be decoded.
        """
        head = network.head
        last = head[-1] if isinstance(head, nn.Sequential) else None
        if not isinstance(last, nn.Linear) or sum(isinstance(each, nn.Linear) for each in head.modules()) > 1:
            raise ModelError("the head has more than one linear layer: only one can be fitted again")
        part = self.dataset.split("train")
        classes = cells.assign(coordinates(part.records), strings(part.records, "country"))
        inside = classes >= 0
        if without := int((np.bincount(classes[inside], minlength=len(cells)) == 0).sum()):
            raise DatasetError(
                f"{part.folder} has no training images in {without} of the model's {len(cells)} cells: fit "
                "its head again to what it learnt, and before --every-country"
            )
        with evaluation_mode(network):
            rows = part.with_records(part.records.filter(pa.array(inside)))
            features, found = cached_features(
                network, rows, preprocessing, workers=self.workers, device=torch.device("cpu")
            )
        sources = strings(rows.records, "source")
        weight, bias, styles = fitted(features[found], classes[inside], sources, len(cells))
        with torch.no_grad():
            last.weight.copy_((last.weight + torch.from_numpy(weight)) / 2)
            last.bias.copy_((last.bias + torch.from_numpy(bias)) / 2)
        return {"dataset": part.name, "images": int(inside.sum()), "styles": styles, "penalty": PENALTY}


def fitted(
    features: NDArray[np.float32], classes: NDArray[np.int64], sources: NDArray[np.object_], cells: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """A linear layer for features, by logistic regression without the collections' styles.

    Args:
        features: Of n images, (n, d).
        classes: Their cells, (n,).
        sources: The collections that they come from, (n,).
        cells: How many cells there are.

    Returns:
        Weight (cells, d), bias (cells,), and how many directions were left out.
    """
    mean = features.mean(axis=0)
    scale = np.float32(LENGTH / max(np.linalg.norm(features - mean, axis=1).mean(), 1e-12))
    plain = (features - mean) * scale
    styles = style_directions(plain, classes, sources)
    inputs = torch.from_numpy(plain - (plain @ styles.T) @ styles)
    targets = torch.from_numpy(classes)
    share = np.bincount(classes, minlength=cells)[classes] ** (POWER - 1)
    weights = torch.from_numpy((share / share.mean()).astype(np.float32))
    layer = nn.Linear(inputs.shape[1], cells)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    most = STEPS * 5 // 4
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=STEPS, max_eval=most, history_size=8)

    def loss() -> torch.Tensor:
        advance(1)
        optimizer.zero_grad()
        errors = (weights * cross_entropy(layer(inputs), targets, reduction="none")).mean()
        value = errors + PENALTY / 2 * layer.weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with progress("Fitting the head", most) as advance:
        optimizer.step(loss)  # type: ignore[no-untyped-call]
    found = layer.weight.detach().numpy()
    weight = (found - (found @ styles.T) @ styles) * scale
    return weight, layer.bias.detach().numpy() - weight @ mean, len(styles)


def style_directions(
    features: NDArray[np.float32], classes: NDArray[np.int64], sources: NDArray[np.object_]
) -> NDArray[np.float32]:
    """The directions in which collections differ most that show the same cells, (`STYLES` or fewer, d).

    How a cell's mean over one collection is off that over all, each collection counting as the root of its
    images; of no direction where no cell has images of two collections.
    """
    _, collections = np.unique(sources.astype(str), return_inverse=True)
    _, groups = np.unique(np.stack([classes, collections]), axis=1, return_inverse=True)
    groups = groups.ravel()
    counts = np.bincount(groups)
    means = np.zeros((len(counts), features.shape[1]), np.float32)
    np.add.at(means, groups, features)
    means /= counts[:, None]
    cells = np.zeros(len(counts), np.int64)
    cells[groups] = classes
    weights = np.sqrt(counts).astype(np.float32)
    totals = np.zeros((classes.max() + 1, features.shape[1]), np.float32)
    np.add.at(totals, cells, means * weights[:, None])
    centres = totals / np.maximum(np.bincount(cells, weights, len(totals)), 1)[:, None].astype(np.float32)
    kept = counts >= FEWEST
    off = (means - centres[cells])[kept] * np.sqrt(weights[kept])[:, None]
    if not len(off):
        return np.zeros((0, features.shape[1]), np.float32)
    _, spread, directions = np.linalg.svd(off, full_matrices=False)
    real = spread > 1e-4 * LENGTH
    return np.ascontiguousarray(directions[real][:STYLES], dtype=np.float32)
