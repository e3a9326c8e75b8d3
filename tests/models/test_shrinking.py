"""A graph in fewer bits answers nearly the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from lostfound.data.images import Preprocessing
from lostfound.models.backbones import build_backbone
from lostfound.models.export import export_onnx
from lostfound.models.heads import linear_head
from lostfound.models.network import Network
from lostfound.models.shrinking import Precision, part_weights, shrink
from lostfound.predict.model_folder import GRAPH_WEIGHTS


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    preprocessing = Preprocessing(64, 64)
    network = Network(
        build_backbone("test_resnet", {}, pretrained=False),
        preprocessing,
        lambda features: linear_head(features, 50),
    )
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    export_onnx(network, preprocessing, path)
    return path


def outputs(graph: Path) -> np.ndarray:
    images = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["outputs"], {"images": images})[0])


@pytest.mark.parametrize(
    ("precision", "size", "off"),
    [
        ("fp32", 1.0, 0.0),
        ("fp16-weights", 0.65, 2e-3),
        ("int8-weights", 0.4, 3e-2),
        ("fp16", 0.65, 2e-2),
        ("int8", 1.0, 0.1),
    ],
)
@pytest.mark.slow
def test_it_is_smaller_and_answers_nearly_the_same(
    graph: Path, tmp_path: Path, precision: Precision, size: float, off: float
) -> None:
    small = tmp_path / "small.onnx"
    small.write_bytes(graph.read_bytes())
    shrink(small, precision)
    assert small.stat().st_size <= size * graph.stat().st_size
    expected = outputs(graph)
    assert np.abs(outputs(small) - expected).max() <= off * np.abs(expected).max()


def test_what_sixteen_bits_can_not_hold_stays(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.full((50, 50), 1e6, dtype=np.float32)
    path = tmp_path / "model.onnx"
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "large",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 50])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 50])],
        [numpy_helper.from_array(weights, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    shrink(path, "fp16-weights")
    (kept,) = onnx.load(path).graph.initializer
    assert np.array_equal(numpy_helper.to_array(kept), weights)


@pytest.mark.slow
def test_a_large_graph_has_its_weights_beside_it(graph: Path, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(graph.read_bytes())
    part_weights(path)
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]
    monkeypatch.setattr("lostfound.models.shrinking.LARGE", 1)
    part_weights(path)
    assert (tmp_path / GRAPH_WEIGHTS).stat().st_size > 0.8 * graph.stat().st_size
    assert path.stat().st_size < 0.2 * graph.stat().st_size
    assert (tmp_path / GRAPH_WEIGHTS).stat().st_mode == path.stat().st_mode
    assert np.array_equal(outputs(path), outputs(graph))
