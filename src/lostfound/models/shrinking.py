"""A graph's weights in fewer bits, or in a file of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lostfound.predict.model_folder import GRAPH_WEIGHTS

Precision = Literal["fp32", "fp16-weights", "int8-weights", "fp16", "int8"]
"""fp16-weights: half the file, computed in 32 bits as before, so as quick and nearly the same; int8-weights:
the filters of convolutions, in which most networks of them have most numbers, in a quarter. fp16 and int8:
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
    if precision in ("fp16-weights", "int8-weights"):
        _store_small(model, filters_in_bytes=precision == "int8-weights")
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


def _store_small(model: onnx.ModelProto, *, filters_in_bytes: bool) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Store the large constants in 16 bits, or filters in 8; widened when the runtime opens it."""
    import onnx
    from onnx import helper, numpy_helper

    widened, largest, wide = [], float(np.finfo(np.float16).max), onnx.TensorProto.FLOAT
    for tensor in list(model.graph.initializer):
        if tensor.data_type != wide or np.prod(tensor.dims) < _FEWEST:
            continue
        values, name = numpy_helper.to_array(tensor), tensor.name
        if filters_in_bytes and values.ndim > 2:
            scale, small = _in_bytes(values)
            tensor.CopyFrom(numpy_helper.from_array(small, f"{name}_bytes"))
            model.graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
            widened += [
                helper.make_node("Cast", [tensor.name], [f"{name}_levels"], to=wide),
                helper.make_node("Mul", [f"{name}_levels", f"{name}_scale"], [name]),
            ]
        elif np.abs(values).max() <= largest:
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
            widened.append(helper.make_node("Cast", [tensor.name], [name], to=wide))
    nodes = [*widened, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _in_bytes(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Filters (out, ...) as whole numbers of up to 127 times a scale of each."""
    scale = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True) / 127
    return scale, np.rint(values / np.where(scale > 0, scale, 1)).astype(np.int8)
