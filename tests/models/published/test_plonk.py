"""PLONK: its schedule, network and sampler against the rules in torch, and what its model folder answers."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import types
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from published_weights import random_plonk, tiny_clip, tiny_dino, write_plonk

from lostfound.data.dataset import Dataset
from lostfound.data.sharing.lists import limit
from lostfound.errors import ModelError
from lostfound.models.published.convert import convert
from lostfound.predict.calibrate import calibrate
from lostfound.predict.locator import Locator
from lostfound.predict.restrictions import Restriction
from lostfound.predict.samples import SampleDecoder
from lostfound.predict.sphere_flow import FlowShape, SphereFlow, draw_places, schedule

SHAPE = FlowShape(24, 16, 3, 4)
PHOTO = np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)


def ours() -> SphereFlow:
    return SphereFlow.of(SHAPE, {name: value.numpy() for name, value in random_plonk().items()})


def theirs(points: torch.Tensor, gamma: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
    """The network as its authors write it: points (n, 3), one gamma and condition each."""
    tensors = random_plonk()

    def linear(name: str, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"])

    def norm(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.layer_norm(x, x.shape[-1:])

    silu, gelu = torch.nn.functional.silu, torch.nn.functional.gelu
    time = torch.outer(gamma * 1000, tensors["time_embedder.encode_time.freqs"])
    time = torch.cat([time.cos(), time.sin()], dim=1)
    time = (time - time.mean(dim=-1, keepdim=True)) / time.std(dim=-1, keepdim=True)
    time = linear("time_embedder.map_time.2", silu(linear("time_embedder.map_time.0", time)))
    condition = linear("cond_mapper", conditions) + time
    x = linear("initial_mapper", points)
    for block in range(3):
        scale, shift, gate = linear(f"blocks.{block}.ada_map.1", silu(condition)).chunk(3, dim=-1)
        hidden = gelu(linear(f"blocks.{block}.mlp.0", (1 + scale) * norm(x) + shift))
        x = x + linear(f"blocks.{block}.mlp.3", hidden) * gate
    scale, shift = linear("final_adaln.1", silu(condition)).chunk(2, dim=-1)
    return linear("final_linear", (1 + scale) * norm(x) + shift)


def drawn_by_theirs(
    net, noise: torch.Tensor, condition: torch.Tensor, steps: int, guidance: float
) -> np.ndarray:
    times = 1 - torch.arange(steps + 1, dtype=torch.float32) / steps
    start, end = torch.sigmoid(torch.tensor(-7.0)), torch.sigmoid(torch.tensor(3.0))
    gammas = ((end - torch.sigmoid(times * 10 - 7)) / (end - start)).clamp(1e-9, 1)
    x, many = noise, condition.expand(len(noise), -1)
    for now, following in pairwise(gammas):
        gamma = now.expand(len(x))
        move = net(x, gamma, many)
        if guidance:
            move = move * (1 + guidance) - net(x, gamma, torch.zeros_like(many)) * guidance
        x = torch.nn.functional.normalize(x + (following - now) * move, dim=1)
    return x.numpy()


def test_the_schedule_is_the_pipelines() -> None:
    found = schedule(np.array([1.0, 0.9, 0.7, 0.5, 0.1, 0.0]))

    def sigmoid(x: float) -> float:
        return 1 / (1 + np.exp(-x))

    low, high = sigmoid(-7), sigmoid(3)
    assert found[1:5] == pytest.approx(
        [(high - sigmoid(10 * t - 7)) / (high - low) for t in (0.9, 0.7, 0.5, 0.1)]
    )
    assert (found[0], found[-1]) == (1e-9, 1.0)
    assert (np.diff(found) > 0).all()


@pytest.mark.parametrize("gamma", [1e-9, 0.4, 1.0])
def test_the_network_is_theirs(gamma: float) -> None:
    generator = torch.Generator().manual_seed(1)
    points, conditions = torch.randn(2, 7, 3, generator=generator), torch.randn(2, 24, generator=generator)
    found = ours().velocity(points.numpy(), gamma, conditions.numpy())
    for row in range(2):
        with torch.no_grad():
            expected = theirs(points[row], torch.full((7,), gamma), conditions[row].expand(7, -1))
        assert found[row] == pytest.approx(expected.numpy(), abs=1e-5)


@pytest.mark.parametrize("guidance", [0.0, 2.0])
def test_the_places_are_theirs(guidance: float) -> None:
    generator = torch.Generator().manual_seed(2)
    noise, condition = torch.randn(40, 3, generator=generator), torch.randn(1, 24, generator=generator)
    found = draw_places(ours(), condition.numpy(), noise.numpy()[None], steps=16, guidance=guidance)
    with torch.no_grad():
        expected = drawn_by_theirs(theirs, noise, condition, 16, guidance)
    assert found[0] == pytest.approx(expected, abs=1e-4)
    assert np.linalg.norm(found, axis=-1) == pytest.approx(np.ones((1, 40)))


@pytest.mark.filterwarnings("ignore")  # of the package's own
def test_the_places_are_those_of_the_package(monkeypatch) -> None:
    """Against its own code, without what its pipeline needs besides."""
    named = os.environ.get("LOSTFOUND_PLONK")
    if named is None or not all(importlib.util.find_spec(name) for name in ("einops", "geoopt")):
        pytest.skip("the package diff-plonk is not here: set LOSTFOUND_PLONK to its folder `plonk`")
    package = types.ModuleType("plonk")
    package.__path__ = [named]
    monkeypatch.setitem(sys.modules, "plonk", package)
    from plonk.models.networks.mlp import GeoAdaLNMLP
    from plonk.models.samplers.riemannian_flow_sampler import riemannian_flow_sampler
    from plonk.models.schedulers import SigmoidScheduler

    net = GeoAdaLNMLP(3, 16, 3, 4, 24).eval()
    net.load_state_dict(random_plonk())
    generator = torch.Generator().manual_seed(2)
    noise, condition = torch.randn(64, 3, generator=generator), torch.randn(1, 24, generator=generator)
    for guidance in (0, 2):
        with torch.no_grad():
            expected = riemannian_flow_sampler(
                net,
                {"y": noise, "emb": condition.repeat(64, 1)},
                conditioning_keys="emb",
                scheduler=SigmoidScheduler(-7, 3, 1.0),
                num_steps=50,
                cfg_rate=guidance,
            )
        found = draw_places(ours(), condition.numpy(), noise.numpy()[None], steps=50, guidance=guidance)
        assert found[0] == pytest.approx(expected.numpy(), abs=1e-4)


@pytest.fixture(scope="session")
def plonk_model(made_once, tmp_path_factory) -> Path:
    work = tmp_path_factory.mktemp("plonk")
    tiny_dino().save_pretrained(work / "dino")
    release = write_plonk(work / "release")
    return made_once(
        "plonk", lambda to: convert("plonk", to, weights=str(release), backbone=str(work / "dino"))
    )


@pytest.mark.slow
def test_the_graph_gives_what_dino_says_of_the_photo(plonk_model: Path) -> None:
    locator = Locator.load(plonk_model, threads=1)
    image = locator.model.preprocessing(PHOTO)
    assert image.shape == (336, 336, 3)
    pixels = (torch.from_numpy(image).float() / 255 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor(
        [0.229, 0.224, 0.225]
    )
    with torch.no_grad():
        expected = tiny_dino()(pixel_values=pixels.permute(2, 0, 1)[None]).last_hidden_state[:, 0]
    assert locator.run(image[None]) == pytest.approx(expected.numpy(), abs=1e-4)


def test_places_are_grouped_and_their_density_kept(plonk_model: Path) -> None:
    model = Locator.load(plonk_model, threads=1).model
    decoder = model.decoder
    assert isinstance(decoder, SampleDecoder)
    outputs = np.random.default_rng(0).normal(size=(2, 24)).astype(np.float32)
    places, belief = decoder.drawn(outputs), decoder.believe(outputs)
    cells = decoder.partition.assign(places[0])
    counts = np.bincount(cells, minlength=len(decoder.partition))
    assert belief.probabilities[0] == pytest.approx((counts + 0.5 / len(counts)) / 256.5)
    best = int(np.argmax(counts))
    own = places[0][cells == best]
    middle = np.array([*belief.points[0, best]])
    assert decoder.partition.assign(middle[None])[0] == best
    assert np.abs(own - middle).min() < 20
    cloud = belief.distribution(model.support)
    assert np.array_equal(cloud.points, places)
    assert cloud.weights == pytest.approx(np.full((2, 256), 1 / 256), rel=0.01)
    half = belief.probabilities.copy()
    half[0, best] /= 2  # as a prior may do
    weights = replace(belief, probabilities=half).distribution(None).weights[0]
    assert weights[cells == best] == pytest.approx(weights[cells != best].min() / 2, rel=0.01)
    apart = decoder.believe(outputs[1:])
    assert np.array_equal(apart.probabilities[0], belief.probabilities[1])  # alone or among others
    assert not np.array_equal(places[0], places[1])


@pytest.mark.slow
def test_it_answers_the_same_each_time(plonk_model: Path) -> None:
    first, second = (Locator.load(plonk_model, threads=1).locate(PHOTO) for _ in range(2))
    assert first == second
    assert len(first.candidates) == 5
    assert first.probability == first.candidates[0].probability
    within = Restriction(countries=frozenset({"JP"}))
    assert Locator.load(plonk_model, threads=1).using(within=within).locate(PHOTO).country == "JP"


@pytest.mark.slow
def test_it_is_calibrated_as_any(plonk_model: Path, dataset_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(plonk_model, tmp_path / "m")
    calibrate(tmp_path / "m", limit(Dataset.open(dataset_folder), 24), split="all")
    guess = Locator.load(tmp_path / "m", threads=1).using(always_answer=True).locate(PHOTO)
    assert 0 < guess.radius_50_km <= guess.radius_90_km


@pytest.mark.slow
def test_with_streetclip_behind_it_it_is_not_for_commerce(plonk_model: Path, tmp_path: Path) -> None:
    tiny_clip(10).save_pretrained(tmp_path / "clip")
    release = write_plonk(tmp_path / "PLONK_OSV_5M")
    made = convert("plonk", tmp_path / "m", weights=str(release), backbone=str(tmp_path / "clip"))
    assert made.terms == "Licence: plonk is under CC-BY-NC-4.0: not for commercial use"
    assert Locator.load(plonk_model).model.terms is None
    exact = convert(
        *("plonk", tmp_path / "exact"),
        weights=str(release),
        backbone=str(tmp_path / "clip"),
        exact_upstream=True,
    )
    assert exact.config["answer"]["steps"] == 250


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    release = write_plonk(tmp_path / "PLONK_OSV_5M")
    tiny_dino().save_pretrained(tmp_path / "dino")
    with pytest.raises(ModelError, match="was trained on what geolocal/StreetCLIP says of photos"):
        convert("plonk", tmp_path / "m", weights=str(release), backbone=str(tmp_path / "dino"))
    tiny_clip(768).save_pretrained(tmp_path / "other")
    with pytest.raises(ModelError, match="holds no weights of PLONK"):
        convert("plonk", tmp_path / "m", weights=str(tmp_path / "other"), backbone=str(tmp_path / "dino"))
    assert not (tmp_path / "m").exists()
