"""Naming every country: those with images stay what they are, the others are what lies around them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lostfound.data.images import Preprocessing
from lostfound.errors import UsageError
from lostfound.geo.boundaries import Boundaries
from lostfound.models.backbones import build_backbone
from lostfound.models.every_country import kriging_weights, name_every_country
from lostfound.models.heads import linear_head
from lostfound.models.network import Network
from lostfound.partitions import Partition, build_partition

# Images of Paris, Berlin, Madrid, Tokyo and Lima.
PLACES = {(48.9, 2.4): 400, (52.5, 13.4): 400, (40.4, -3.7): 2, (35.7, 139.7): 400, (-12.0, -77.0): 400}


@pytest.fixture
def cells() -> Partition:
    return build_partition("countries", [place for place, images in PLACES.items() for _ in range(images)])


@pytest.fixture(params=[None, 6], ids=["linear", "hidden"])
def network(request: pytest.FixtureRequest, cells: Partition) -> Network:
    torch.manual_seed(0)
    size = Preprocessing(width=32, height=32, mean=(0.5,) * 3, std=(0.5,) * 3)
    backbone = build_backbone("lostfound:cnn5", {}, pretrained=False)
    found = Network(backbone, size, lambda n: linear_head(n, len(cells), hidden=request.param, dropout=0.5))
    return found.eval()


def head_outputs(network: Network) -> np.ndarray:
    features = torch.randn((50, network.head.state_dict()[first_weights(network)].shape[1]))
    with torch.no_grad():
        return network.head.eval()(features).double().numpy()


def first_weights(network: Network) -> str:
    return next(name for name in network.head.state_dict() if name.endswith("weight"))


def test_all_countries_of_the_world_are_told_apart(network: Network, cells: Partition):
    every = name_every_country(network, cells)
    assert set(every.cell_ids) == set(Boundaries.packed().codes)
    counts = dict(zip(every.cell_ids, every.counts.tolist(), strict=True))
    assert counts == dict.fromkeys(every.cell_ids, 0) | dict(zip(cells.cell_ids, cells.counts, strict=True))
    assert every.decode(np.array([every.numbers["FR"]])) == pytest.approx(cells.decode(np.array([2])), abs=0)
    added = [number for number, count in enumerate(every.counts) if not count]
    assert every.assign(every.centroids[added]).tolist() == added
    assert head_outputs(network).shape == (50, len(every))


def test_what_was_learnt_of_many_images_stays_and_their_neighbours_are_like_them(
    network: Network, cells: Partition
):
    torch.manual_seed(1)
    before = head_outputs(network)
    every = name_every_country(network, cells)
    torch.manual_seed(1)
    after = head_outputs(network)
    spread = before.std()
    for code in ("FR", "DE", "JP", "PE"):
        off = after[:, every.numbers[code]] - before[:, cells.numbers[code]]
        assert np.abs(off).max() < 0.01 * spread, code

    def nearest(code: str) -> str:
        off = np.abs(after[:, [every.numbers[code]]] - before).mean(axis=0)
        return cells.cell_ids[int(np.argmin(off))]

    assert [nearest(code) for code in ("LU", "KR", "BO", "CZ")] == ["FR", "JP", "PE", "DE"]


def test_of_one_that_names_all_there_is_nothing_to_add(network: Network, cells: Partition):
    every = name_every_country(network, cells)
    with pytest.raises(UsageError, match="names every country already"):
        name_every_country(network, every)


def test_other_cells_are_refused(network: Network):
    squares = build_partition("square", list(PLACES), cell_km=50)
    with pytest.raises(UsageError, match="the model tells square apart: only of countries"):
        name_every_country(network, squares)


@given(
    st.lists(
        st.tuples(st.integers(-80, 80), st.integers(-179, 179), st.integers(1, 1000)),
        min_size=2,
        max_size=12,
        unique_by=lambda each: each[:2],
    )
)
def test_weights_of_a_place_sum_to_one_and_its_own_grows_with_its_images(places: list[tuple[int, int, int]]):
    """What is equal everywhere stays so; the more a country was seen, the less the others change it."""
    points = np.array([*((at, to) for at, to, _ in places), (0.5, 0.5)])
    known, images = list(range(len(places))), np.array([n for *_, n in places])
    weights = kriging_weights(points, known, images)
    assert weights.sum(axis=1) == pytest.approx(1.0, abs=1e-6)
    more = kriging_weights(points, known, images + np.array([100, *(0,) * (len(places) - 1)]))
    assert more[0, 0] >= weights[0, 0] - 1e-9
