"""Distance: how far from the anchors, one image near the middle of each country (GeoTrainr)?"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from lostfound.errors import RecipeError
from lostfound.geo.boundaries import Boundaries
from lostfound.geo.countries import country_name
from lostfound.geo.sphere import EARTH_RADIUS_KM, KM_PER_DEGREE, haversine_km, pairwise_km
from lostfound.models.heads import DistanceHead
from lostfound.models.network import Network
from lostfound.partitions import Partition
from lostfound.predict.decoders import CellDecoder, OutputDecoder
from lostfound.training.images import LabelledImages
from lostfound.training.settings import Distance, ModelSettings, Monitor
from lostfound.training.tasks.cells import need_coordinates
from lostfound.training.tasks.objective import Objective, ReadImages, float_tensor

_DRAWN = 8


class DistanceObjective(Objective):
    """The squared error of the degrees between two images, and of an image from itself.

    The outputs are minus the degrees to the anchors, so that the nearest scores highest, and the cells are
    the areas nearest to each country's anchor.
    """

    monitor: Monitor = "top_1_accuracy"
    points: Tensor

    def __init__(self, task: Distance, model: ModelSettings, train: LabelledImages) -> None:
        super().__init__()
        need_coordinates(train, "the distance task")
        self.images, self.left_out = train, []
        self.task, self.model = task, model
        self.anchors, codes = anchor_rows(train, task.min_images)
        partition = nearest_anchor(train.points[self.anchors], codes, train)
        self.classes = partition.assign(train.points)
        self.decoder: OutputDecoder = CellDecoder(partition)
        self.anchor_images: Tensor | None = None
        self.degrees = pairwise_km(train.points, train.points[self.anchors]) / KM_PER_DEGREE
        self.register_buffer("points", float_tensor(train.points), persistent=False)

    def build_head(self, features: int) -> nn.Module:
        """The degrees to each anchor."""
        return DistanceHead(
            features,
            len(self.anchors),
            method=self.task.method,
            hidden=self.task.hidden,
            clip_degrees=self.task.clip_degrees,
            dropout=self.model.dropout,
        )

    def loss(self, head: nn.Module, features: Tensor, rows: Tensor) -> Tensor:
        """The squared error of the clipped degrees, plus that of the identity."""
        assert isinstance(head, DistanceHead)
        first, second = features[:, 0], features[:, 1]
        target = great_circle_degrees(self.points[rows[:, 0]], self.points[rows[:, 1]])
        loss = mse_loss(head.distance(first, second).float(), target.clamp(max=self.task.clip_degrees))
        if self.task.identity_weight:
            loss = loss + self.task.identity_weight * head.distance(first, first).float().square().mean()
        return loss

    def pairs(self, generator: np.random.Generator) -> NDArray[np.int64]:
        """Each image once, with a near and a far partner in turn, as far as it has both."""
        count = len(self.images)
        first = generator.permutation(count)
        if self.task.anchors_only:
            partners, degrees = np.broadcast_to(self.anchors, self.degrees.shape), self.degrees[first]
        else:
            partners = self._some_partners(first, generator)
            points = self.images.points
            degrees = haversine_km(points[first][:, None], points[partners]) / KM_PER_DEGREE
        near, other = degrees < self.task.clip_degrees, partners != first[:, None]
        allowed = np.where(np.arange(count)[:, None] % 2 == 0, near & other, ~near)
        allowed |= ~allowed.any(axis=1, keepdims=True) & other
        chosen = np.argmax(np.where(allowed, generator.random(allowed.shape), -1.0), axis=1)
        return np.column_stack([first, partners[np.arange(count), chosen]])

    def _some_partners(self, first: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
        """For each image some of its own anchor's area, and as many of anywhere: all pairs are too many."""
        order = np.argsort(self.classes, kind="stable")
        sizes = np.bincount(self.classes)
        starts, own = np.cumsum(sizes) - sizes, self.classes[first]
        places = generator.random((len(first), _DRAWN)) * sizes[own][:, None]
        area = order[starts[own][:, None] + places.astype(np.int64)]
        return np.concatenate([area, generator.integers(len(first), size=area.shape)], axis=1)

    def set_up(self, read: ReadImages) -> None:
        """Read the anchors' images."""
        self.anchor_images = read(self.anchors)

    @torch.no_grad()
    def refresh(self, network: Network) -> None:
        """Compute the anchors' features by the network as it is now."""
        assert self.anchor_images is not None
        assert isinstance(network.head, DistanceHead)
        images = self.anchor_images.to(network.head.anchors.device)
        features = images if images.is_floating_point() else network.embed(images)
        network.head.anchors.copy_(features)


def anchor_rows(train: LabelledImages, min_images: int) -> tuple[NDArray[np.int64], list[str]]:
    """For each country with enough images, the image nearest to its middle.

    Returns:
        Row numbers (k,), and the countries' codes.

    Raises:
        RecipeError: There are fewer than two.
    """
    boundaries = Boundaries.packed()
    codes, counts = np.unique(train.countries.astype(str), return_counts=True)
    rows, kept = [], []
    for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
        if count < min_images or code not in boundaries.codes:
            continue
        own = np.flatnonzero(train.countries == code)
        km = pairwise_km(train.points[own], np.array([boundaries.centroid(code)]))[:, 0]
        rows.append(int(own[np.argmin(km)]))
        kept.append(code)
    if len(kept) < 2:
        raise RecipeError(
            f"{len(kept)} countries have {min_images} training images or more, and two are needed to have "
            "anchors to measure from: lower task.min_images or import more"
        )
    return np.array(rows, dtype=np.int64), kept


def nearest_anchor(points: NDArray[np.float64], codes: list[str], train: LabelledImages) -> Partition:
    """The partition of the Earth by the nearest anchor, (k, 2) degrees."""
    rule = {"centres": points.tolist(), "west": -180.0, "boundary": None}
    ids = tuple(f"v{number}" for number in range(len(points)))
    names = tuple(country_name(code) for code in codes)
    zero = np.zeros(len(points), dtype=np.int64)
    cells = Partition("voronoi", ids, names, points, zero, tuple(codes), rule=rule).assign(train.points)
    counts = np.bincount(cells, minlength=len(points))
    return Partition("voronoi", ids, names, points, counts, tuple(codes), rule=rule)


def great_circle_degrees(a: Tensor, b: Tensor) -> Tensor:
    """Great-circle distances between points (n, 2) in degrees, at 111 km a degree."""
    a, b = torch.deg2rad(a), torch.deg2rad(b)
    half = ((b - a) / 2).sin().square()
    value = half[:, 0] + a[:, 0].cos() * b[:, 0].cos() * half[:, 1]
    return 2 * EARTH_RADIUS_KM / KM_PER_DEGREE * torch.asin(value.clamp(0, 1).sqrt())
