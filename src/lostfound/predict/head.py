"""The head of a network whose answer is one linear layer on the mean of its last feature map.

Of such a network class activation is exact (Zhou et al. 2016): an output is the mean, over the places of the
map, of what each place says, so that no gradient and no torch is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lostfound.predict.engine import Engine
    from lostfound.predict.model_folder import ModelFolder

HEAD_WEIGHT, HEAD_BIAS = "head_weight", "head_bias"
TOLERANCE = 5e-3
"""The largest difference between the head's outputs and the graph's, in shares of how far outputs of
different images lie apart: what is the same for all images proves nothing."""


@dataclass(frozen=True)
class LinearHead:
    """One linear layer.

    Attributes:
        weight: (width, channels), float32.
        bias: (width,), float32.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def outputs(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The outputs (n, width) for features (n, channels, rows, columns)."""
        return np.asarray(features.mean(axis=(2, 3)) @ self.weight.T + self.bias, dtype=np.float32)

    def explains(self, features: NDArray[np.float32], outputs: NDArray[np.float32]) -> bool:
        """Are the outputs (n, width) its own for features (n, channels, rows, columns), 2 images or more?"""
        if features.ndim != 4 or self.weight.shape != (outputs.shape[1], features.shape[1]):
            return False
        largest = float(np.abs(self.outputs(features) - outputs).max())
        return largest <= TOLERANCE * float(np.ptp(outputs, axis=0).max())

    def arrays(self) -> dict[str, NDArray[np.floating[Any]]]:
        """What a model folder's statistics keep of it; half precision is exact enough for the weights."""
        return {HEAD_WEIGHT: self.weight.astype(np.float16), HEAD_BIAS: self.bias}


def find_head(engine: Engine, images: NDArray[np.uint8]) -> LinearHead | None:
    """Find the linear head in a model's graph, and hold it to the graph's own outputs.

    Needs the package `onnx` (extra `train`), and no torch. What it finds belongs into the model folder's
    statistics (`LinearHead.arrays`), so that explaining needs neither.

    Args:
        engine: The model.
        images: Prepared images, (n, height, width, 3), n at least 2 and no two alike.

    Returns:
        The head; None where the answer is something else than one linear layer on the mean of the last
        feature map (a hidden layer, a transformer, distances), or where `onnx` is not installed.

    Raises:
        ModelError: The graph can't be run.
    """
    if len(images) < 2:
        raise ValueError("one image alone proves no head: give two or more")
    if not engine.gives_features:
        return None
    outputs, features = engine.feature_map(images)
    if features.ndim != 4:
        return None
    shape = (outputs.shape[1], features.shape[1])
    for weight in _matrices(engine.model, shape):
        # The rest must be the same for all images, and is the bias then
        rest = outputs - features.mean(axis=(2, 3)) @ weight.T
        head = LinearHead(weight, rest.mean(axis=0))
        if head.explains(features, outputs):
            return head
    return None


def stored_head(statistics: Mapping[str, NDArray[np.generic]]) -> LinearHead | None:
    """The head that a model folder's statistics hold, if they hold one."""
    if HEAD_WEIGHT not in statistics or HEAD_BIAS not in statistics:
        return None
    weight, bias = (statistics[name].astype(np.float32) for name in (HEAD_WEIGHT, HEAD_BIAS))
    if weight.ndim != 2 or bias.shape != weight.shape[:1]:
        return None
    return LinearHead(weight, bias)


def _matrices(model: ModelFolder, shape: tuple[int, int]) -> Iterator[NDArray[np.float32]]:
    """The graph's constant matrices of a shape, also those that lie in it transposed."""
    try:
        import onnx
        from onnx import numpy_helper
        from onnx.external_data_helper import load_external_data_for_tensor
    except ImportError:
        return
    # ONNX Runtime runs graphs but doesn't show their constants
    for tensor in onnx.load(model.graph, load_external_data=False).graph.initializer:
        if tuple(tensor.dims) in (shape, shape[::-1]) and tensor.data_type in (
            onnx.TensorProto.FLOAT,
            onnx.TensorProto.FLOAT16,
        ):
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                load_external_data_for_tensor(tensor, str(model.path))
            matrix = numpy_helper.to_array(tensor).astype(np.float32)
            if matrix.shape == shape:
                yield matrix
            if matrix.shape[::-1] == shape:
                yield matrix.T
