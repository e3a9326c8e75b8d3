"""From a trained network to the ONNX graph that answers."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from lostfound.data.images import Preprocessing
from lostfound.errors import ModelError
from lostfound.models.network import Network

TOLERANCE = 1e-4
"""The largest difference of an output between torch and the graph, relative to the largest."""


def export_onnx(network: Network, preprocessing: Preprocessing, path: Path) -> float:
    """Write the graph and hold it to the network's own outputs.

    The graph takes `images` (n, height, width, 3) of uint8, for any n, and gives `outputs` and `features`.

    Returns:
        The largest difference of an output found.

    Raises:
        ModelError: The network can't be exported, or the graph's outputs differ from its own.
    """
    network = network.eval().cpu()
    generator = torch.Generator().manual_seed(0)
    shape = (3, preprocessing.height, preprocessing.width, 3)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    with torch.no_grad():
        expected = network(images)[0].numpy()
    try:
        _export(network, images, path)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except OSError:
        raise
    except Exception as error:  # the exporter's and the runtime's errors share no base class
        reason = str(error.__cause__ or error).strip().partition("\n")[0]
        raise ModelError(
            f"this backbone can't be exported to ONNX, so it could not answer: choose another ({reason})"
        ) from None
    differences = []
    for n in (1, len(images)):
        (outputs,) = session.run(["outputs"], {"images": images[:n].numpy()})
        differences.append(np.abs(outputs - expected[:n]).max())
    difference = float(np.max(differences))
    if not difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())):  # nor if it is NaN
        raise ModelError(
            f"the ONNX graph's outputs differ from the network's by {difference:.1e}: this backbone can't be "
            "exported faithfully; choose another"
        )
    return difference


@torch.no_grad()
def _export(network: Network, images: torch.Tensor, path: Path) -> None:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (images,),
            path,
            input_names=["images"],
            output_names=["outputs", "features"],
            dynamic_shapes={"images": {0: torch.export.Dim("n", min=1)}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
