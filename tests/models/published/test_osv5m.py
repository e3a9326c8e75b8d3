"""OSV-5M's baseline: its rule with the real cells, and a small network of random weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from lostfound.errors import ModelError, UsageError
from lostfound.models.published.convert import convert
from lostfound.models.published.osv5m import CELLS, decoder_of, network_of
from lostfound.models.published.sources import ModelSource
from lostfound.predict.locator import Locator

ROWS = [(0, 40, -10, 52, 8, 48.8, 2.3), (1, 40, 8, 60, 30, 52.5, 13.4), (2, -40, 100, 45, 180, 35.7, 139.7)]
SIZE, WIDTH = 32, 64


def write(folder: Path, *, cells: int = 3, change: dict[str, torch.Tensor | None] | None = None) -> Path:
    """Weights as the hub has them, everything twice, and the cells beside them."""
    from transformers import CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(5)
    config = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=1,
        image_size=SIZE,
        patch_size=16,
    )
    vision = {
        f"backbone.clip.vision_model.{name.removeprefix('vision_model.')}": value
        for name, value in CLIPVisionModel(config).state_dict().items()
    }
    heads = {}
    for name, width in (("classif", cells), ("reg", 2 * cells)):
        for number, module in (
            *(
                (0, torch.nn.LayerNorm(WIDTH)),
                (1, torch.nn.Linear(WIDTH, WIDTH)),
                (2, torch.nn.GroupNorm(4, WIDTH)),
            ),
            *(
                (4, torch.nn.Linear(WIDTH, 32)),
                (5, torch.nn.GroupNorm(4, 32)),
                (7, torch.nn.Linear(32, width)),
            ),
        ):
            for part, value in module.state_dict().items():
                heads[f"mid.{name}.{number}.{part}"] = torch.randn_like(value) * 0.3
    tensors = {**vision, **heads}
    both = {**tensors, **{f"model.{name}": value for name, value in tensors.items()}} | (change or {})
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(
        {name: value for name, value in both.items() if value is not None}, folder / "pytorch_model.bin"
    )
    lines = ["cluster_id,min_lat,min_lon,max_lat,max_lon,mean_lat,mean_lon"]
    (folder / CELLS).write_text("\n".join([*lines, *(",".join(map(str, row)) for row in ROWS)]) + "\n")
    return folder


def upstream(outputs: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """HybridHeadCentroid with use_tanh and a scale of 1.2, one image at a time; degrees."""
    south, west, north, east, latitude, longitude = rows[:, 1:].T
    lower, upper, mean = (
        np.column_stack([a / 90, b / 180]) for a, b in ((south, west), (north, east), (latitude, longitude))
    )
    found = []
    for each in outputs:
        cell = int(each[: len(rows)].argmax())
        r = 1.2 * np.tanh(each[len(rows) :].reshape(-1, 2)[cell])
        up, down = upper[cell] - mean[cell], mean[cell] - lower[cell]
        point = np.clip(mean[cell] + r * np.where(r > 0, up, down), -1, 1)
        found.append(np.degrees(point * np.array([np.pi / 2, np.pi])))
    return np.array(found)


@pytest.mark.data
def test_the_rule_with_the_real_cells(real_data: Path) -> None:
    folder = real_data / "benchmarks" / "osv5m"
    decoder = decoder_of(ModelSource(folder, "osv5m"))
    rows = np.loadtxt(folder / CELLS, delimiter=",", skiprows=1)
    assert len(decoder.partition) == len(rows) == 11399
    outputs = np.random.default_rng(0).normal(0, 2, (12, decoder.width)).astype(np.float32)
    found = decoder.decode(outputs, top=3)
    off = found.points - upstream(outputs.astype(np.float64), rows)
    off[:, 1] = (off[:, 1] + 180) % 360 - 180
    assert off == pytest.approx(np.zeros_like(off), abs=1e-9)
    logits = outputs[:, :11399].astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert found.probabilities[:, 0] == pytest.approx(shares.max(axis=1))
    inside = decoder.partition.assign(decoder.partition.centroids)
    assert np.mean(inside == np.arange(11399)) > 0.99


@pytest.mark.slow
def test_a_small_one_is_converted_and_answers(tmp_path: Path) -> None:
    source = write(tmp_path / "weights")
    model = convert("osv5m", tmp_path / "m", weights=str(source))
    locator = Locator(model, threads=1)
    photo = np.random.default_rng(2).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    outputs = locator.run(photo[None])
    network, _ = network_of(ModelSource(source, "weights"), 3)
    with torch.no_grad():
        assert outputs == pytest.approx(network(torch.from_numpy(photo)[None])[0].numpy(), abs=1e-4)
    guess = locator.locate(photo)
    there = upstream(outputs.astype(np.float64), np.array(ROWS, dtype=float))[0]
    assert (guess.latitude, guess.longitude) == pytest.approx(tuple(there), abs=1e-6)
    assert sum(each.probability for each in guess.candidates) == pytest.approx(1)
    assert {each.area_id for each in guess.areas["countries"]} == {"FR", "DE", "JP"}
    assert model.config["published"]["commercial_use"] is True


@pytest.mark.parametrize(
    ("change", "cells", "says"),
    [
        ({"model.mid.reg.7.bias": torch.zeros(6)}, 3, "holds two different tensors mid.reg.7.bias"),
        ({}, 4, "its head classif is another, or of other cells"),
        (
            {
                "backbone.clip.vision_model.embeddings.position_embedding.weight": None,
                "model.backbone.clip.vision_model.embeddings.position_embedding.weight": None,
            },
            3,
            "of its backbone is missing",
        ),
        (
            {
                "backbone.clip.vision_model.encoder.layers.1.mlp.fc2.bias": None,
                "model.backbone.clip.vision_model.encoder.layers.1.mlp.fc2.bias": None,
            },
            3,
            "holds no whole backbone",
        ),
    ],
)
def test_other_weights_are_refused(tmp_path: Path, change, cells: int, says: str) -> None:
    source = write(tmp_path / "weights", cells=cells, change=change)
    with pytest.raises(ModelError, match=says):
        convert("osv5m", tmp_path / "m", weights=str(source))
    assert not (tmp_path / "m").exists()


def test_the_cells_are_needed(tmp_path: Path) -> None:
    source = write(tmp_path / "weights")
    shutil.move(source / CELLS, tmp_path / CELLS)
    with pytest.raises(ModelError, match=r"has no cells \(of the repository gastruc/osv5m\)"):
        convert("osv5m", tmp_path / "m", weights=str(source))
    with pytest.raises(UsageError, match="leave --backbone out"):
        convert("osv5m", tmp_path / "m", weights=str(source), backbone="clip")
