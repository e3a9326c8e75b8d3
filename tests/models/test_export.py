"""The ONNX graph answers as the network does, for every family of backbones and any number of images."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from exporter import keeping_graphs

from lostfound.data.images import Preprocessing
from lostfound.errors import ModelError
from lostfound.models.backbones import build_backbone
from lostfound.models.export import export_onnx
from lostfound.models.heads import DistanceHead, linear_head
from lostfound.models.network import Network

# Of each family its smallest member: timm's own for tests, where it has one, else with each kind of block
# but once. An input need not be square. (tests/e2e/test_real_images.py exports MobileNetV2.)
FAMILIES = [
    pytest.param("test_resnet", {}, (40, 72), id="test_resnet"),
    pytest.param("mobilenetv3_small_050", {"depth_multiplier": 0.3}, (64, 64), id="mobilenetv3_small_050"),
    pytest.param("test_efficientnet", {}, (64, 64), id="test_efficientnet"),
    pytest.param("test_convnext", {}, (64, 64), id="test_convnext"),
    pytest.param("test_vit", {"img_size": 64}, (64, 64), id="test_vit"),
    pytest.param("test_mambaout", {}, (64, 64), id="test_mambaout"),
]


def without_weights(graph: Path) -> bytes:
    """What a graph says, without its numbers, which may by chance look like any word."""
    model = onnx.load(graph)
    for each in model.graph.initializer:
        each.ClearField("raw_data")
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(("name", "options", "size"), FAMILIES)
@pytest.mark.slow
def test_a_family_is_exported_faithfully(
    name: str, options: dict[str, object], size: tuple[int, int], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    preprocessing = Preprocessing(*size)
    backbone = build_backbone(name, options, pretrained=False)
    network = Network(backbone, preprocessing, lambda features: linear_head(features, 5, dropout=0.1))
    path = tmp_path / "model.onnx"
    export_onnx(network, preprocessing, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_outputs()] == ["outputs", "features", "mean_features"]
    assert session.get_inputs()[0].shape[1:] == [*size, 3]
    assert b".py" not in without_weights(path), "it tells where its code lay"
    network.eval()
    for n in (1, 2, 7):
        images = np.random.default_rng(n).integers(0, 256, (n, *size, 3), dtype=np.uint8)
        outputs, features, embedding = session.run(None, {"images": images})
        with torch.no_grad():
            expected, expected_features = network(torch.from_numpy(images))
        assert outputs.shape == (n, 5)
        assert np.abs(outputs - expected.numpy()).max() <= 1e-4 * max(1, np.abs(expected.numpy()).max())
        assert features.shape == tuple(expected_features.shape)
        axes = (1,) if features.ndim == 3 else (1, 2) if name == "test_mambaout" else (2, 3)
        assert np.allclose(embedding, features.mean(axis=axes), atol=1e-5 * np.abs(features).max())
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]  # no weights beside it


@pytest.mark.parametrize("method", ["euclidean", "discriminator"])
@pytest.mark.slow
def test_distances_to_anchors_are_exported_faithfully(method: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    preprocessing = Preprocessing(32, 32)
    backbone = build_backbone("test_resnet", {}, pretrained=False)
    network = Network(
        backbone,
        preprocessing,
        lambda features: DistanceHead(features, 6, method=method, hidden=8, clip_degrees=10.0),  # type: ignore[arg-type]
    ).eval()
    network.head.anchors.normal_()
    assert export_onnx(network, preprocessing, tmp_path / "model.onnx") < 1e-3
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    (outputs,) = session.run(["outputs"], {"images": images})
    assert outputs.shape == (3, 6)
    assert (outputs >= -10).all()
    assert (outputs <= 0).all()


class Unfaithful(torch.nn.Module):
    """Answers otherwise when it is traced for export."""

    def __init__(self, error: float) -> None:
        super().__init__()
        self.error = error

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pooled = images.float().mean(dim=(1, 2)) / 255
        if torch.compiler.is_compiling():
            pooled = pooled + self.error
        return pooled, pooled


@pytest.mark.parametrize("error", [2e-4, float("nan")])
@pytest.mark.slow
def test_a_graph_that_answers_otherwise_is_refused(error: float, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="can't be exported faithfully"):
        export_onnx(Unfaithful(error), Preprocessing(8, 8), tmp_path / "model.onnx")  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_difference_found_is_returned(tmp_path: Path) -> None:
    difference = export_onnx(Unfaithful(5e-5), Preprocessing(8, 8), tmp_path / "model.onnx")  # type: ignore[arg-type]
    assert difference == pytest.approx(5e-5, rel=0.01)


class Untraceable(torch.nn.Module):
    """Decides by what it sees."""

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pooled = images.float().mean(dim=(1, 2))
        if pooled.sum() > 0:
            pooled = pooled + 1
        return pooled, pooled


class Unrunnable(torch.nn.Module):
    """Asks for an operation that the runtime does not have for bytes."""

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pooled = torch.from_numpy(images.numpy().mean(axis=(1, 2), dtype=np.float32))
        return pooled, pooled


@pytest.mark.parametrize("network", [Untraceable(), Unrunnable()], ids=["exporter", "runtime"])
@pytest.mark.slow
def test_a_network_that_cannot_be_exported_is_one_clear_line(
    network: torch.nn.Module, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=r"can't be exported to ONNX, .*: choose another") as caught:
        export_onnx(network, Preprocessing(8, 8), tmp_path / "model.onnx")  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_the_tests_translate_networks_alike_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What differs by numbers alone, or in how many outputs there are, is filled in, and held to the network;
    other settings are translated."""
    translated: list[Path] = []
    anew = torch.onnx.export.__wrapped__  # type: ignore[attr-defined]

    def translate(network: torch.nn.Module, images: object, path: Path, **settings: object) -> None:
        translated.append(path)
        anew(network, images, path, **settings)

    def export(seed: int, slope: float) -> None:
        torch.manual_seed(seed)
        preprocessing = Preprocessing(32, 32)
        network = Network(
            build_backbone("lostfound:cnn5", {"width": 4}, pretrained=False),
            preprocessing,
            lambda features: torch.nn.Sequential(
                linear_head(features, 8), torch.nn.LeakyReLU(slope), linear_head(8, 5)
            ),
        )
        for each in network.backbone.modules():  # as after a training: they are folded into the filters
            if isinstance(each, torch.nn.BatchNorm2d):
                each.running_mean.normal_()
        assert export_onnx(network, preprocessing, tmp_path / "model.onnx") < 1e-5

    monkeypatch.setattr(torch.onnx, "export", keeping_graphs(translate, tmp_path / "graphs"))
    export(0, 0.1)
    export(1, 0.1)
    assert len(translated) == 1
    export(1, 0.5)
    assert len(translated) == 2
    for outputs, dropout in ((5, 0.0), (9, 0.5), (2, 0.0)):
        preprocessing = Preprocessing(32, 32)
        backbone = build_backbone("lostfound:cnn5", {"width": 4}, pretrained=False)
        head = partial(linear_head, outputs=outputs, dropout=dropout)
        assert (
            export_onnx(Network(backbone, preprocessing, head), preprocessing, tmp_path / "model.onnx") < 1e-5
        )
        session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
        assert session.get_outputs()[0].shape == ["n", outputs]
    assert len(translated) == 3
