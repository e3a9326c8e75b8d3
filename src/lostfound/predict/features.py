"""The last feature map of a network, which its graph gives beside the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lostfound.errors import ModelError, refused_as

if TYPE_CHECKING:
    from lostfound.predict.engine import Engine


def feature_map(engine: Engine, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The outputs for prepared images, and the feature map that they were computed from.

    Args:
        engine: The model.
        images: (n, height, width, 3), uint8, as `Preprocessing` gives them.

    Returns:
        The outputs, (n, width), and the features: (n, channels, rows, columns) of a convolutional network,
        (n, tokens, channels) of a transformer, or (n, channels).

    Raises:
        ModelError: The graph gives no features, or can't be run.
    """
    if not engine.gives_features:
        raise ModelError(
            f"{engine.model.graph} gives no features, only answers: convert or train the model again"
        )
    with refused_as(ModelError, f"{engine.model.graph} can't be run"):
        outputs, features = engine.session.run(["outputs", "features"], {"images": images})
    return np.asarray(outputs, dtype=np.float32), _channels_first(np.asarray(features, dtype=np.float32))


def _channels_first(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Some networks (Swin) keep the channels last, of which there are always more than rows."""
    if features.ndim == 4 and features.shape[3] > features.shape[1]:
        return np.moveaxis(features, 3, 1)
    return features
