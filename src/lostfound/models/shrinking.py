"""A graph's weights in fewer bits, or in a file of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from lostfound.predict.model_folder import GRAPH_WEIGHTS

Precision = Literal["fp32", "fp16-weights", "fp16", "int8"]
"""fp16-weights: half the file, computed in 32 bits as before, so as quick and nearly the same. fp16 and int8:
computed so as well, where the processor has instructions for it."""

LARGE = 64 << 20
"""Bytes of a graph from which on its weights lie beside it."""
_FEWEST = 1024  # numbers of a constant that is worth it


def shrink(graph: Path, precision: Precision) -> None:
    """Keep an ONNX graph's weights in fewer bits. Needs the package `onnx` (extra `train`).

    Args:
        graph: The file, which is replaced.
        precision: How many.
    """
    if precision == "fp32":
        return
    import onnx

    model = onnx.load(graph)
    if precision == "fp16-weights":
        _halve(model)
        onnx.save(model, graph)
    elif precision == "fp16":
        from onnxruntime.transformers.float16 import convert_float_to_float16

        onnx.save(convert_float_to_float16(model, keep_io_types=True), graph)
    else:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        del model.graph.value_info[:]  # the exporter leaves shapes of matrices that it has since transposed
        quantize_dynamic(
            model,
            graph,
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["MatMul", "Gemm"],
        )


def part_weights(graph: Path) -> None:
    """Move the weights of a large graph into a file beside it, `GRAPH_WEIGHTS`; a small one stays as it is.

    They are mapped into memory from there, so that it opens in half the time, and in half the memory.

    Args:
        graph: The file, which is replaced.
    """
    weights = graph.with_name(GRAPH_WEIGHTS)
    weights.unlink(missing_ok=True)  # of a run that was stopped
    if graph.stat().st_size < LARGE:
        return
    import onnx

    model = onnx.load(graph)
    graph.unlink()
    onnx.save_model(model, graph, save_as_external_data=True, location=GRAPH_WEIGHTS, size_threshold=_FEWEST)
    weights.chmod(graph.stat().st_mode)  # onnx lets its owner alone read it


def _halve(model: onnx.ModelProto) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Store the large constants in 16 bits; the runtime widens them once, when it opens the graph."""
    import onnx
    from onnx import helper, numpy_helper

    casts, largest = [], float(np.finfo(np.float16).max)
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims) < _FEWEST:
            continue
        values, name = numpy_helper.to_array(tensor), tensor.name
        if np.abs(values).max() > largest:
            continue
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
