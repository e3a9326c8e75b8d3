"""From a trained network to the ONNX graph that answers, and the model folder around it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import safetensors.torch
import torch
from torch import Tensor, nn

from lostfound.data.images import Preprocessing
from lostfound.errors import ModelError
from lostfound.files import write_atomic
from lostfound.models.network import Network
from lostfound.models.shrinking import part_weights
from lostfound.predict.decoders import OutputDecoder
from lostfound.predict.features import mean_axes
from lostfound.predict.model_folder import GRAPH, WEIGHTS, ModelFolder, write_folder

TOLERANCE = 1e-4
"""The largest difference of an output between torch and the graph, relative to the largest."""


def write_model(
    to: Path,
    network: Network,
    preprocessing: Preprocessing,
    decoder: OutputDecoder,
    temperature: float,
    config: Mapping[str, Any],
    *,
    work: Path,
) -> ModelFolder:
    """Write the model folder of a trained network: its graph, its weights and what else it takes to answer.

    Args:
        to: The model folder to write.
        network: What answers; it is moved to the CPU.
        preprocessing: How an image becomes its input.
        decoder: From its outputs to predictions.
        temperature: What its logits are divided by.
        config: The rest of `config.json`; what it says under `training` is joined by the largest difference
            between the outputs of the graph and of the network.
        work: A folder on the same disk for files that are not finished.

    Raises:
        ModelError: The network can't be exported, or the graph's outputs differ from its own.
    """
    difference = export_onnx(network, preprocessing, work / GRAPH)
    part_weights(work / GRAPH)
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    write_atomic(work / WEIGHTS, safetensors.torch.save(tensors))
    training = {**config["training"], "onnx_logit_difference": difference}
    return write_folder(to, work, decoder, temperature, {**config, "training": training})


def export_onnx(network: nn.Module, preprocessing: Preprocessing, path: Path) -> float:
    """Write the graph and hold it to the network's own outputs.

    The graph takes `images` (n, height, width, 3) of uint8, for any n, and gives `outputs`, `features` (the
    last feature map) and `mean_features` (its mean over the photo: a hundredth of the bytes).

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
        _export(_Pooling(network), images, path)
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


class _Pooling(nn.Module):
    """A network that also gives its features averaged over the photo."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        outputs, features = self.network(images)
        axes = mean_axes(features.shape)
        return outputs, features, features.mean(dim=axes) if axes else features.clone()


@torch.no_grad()
def _export(network: nn.Module, images: torch.Tensor, path: Path) -> None:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (images,),
            path,
            input_names=["images"],
            output_names=["outputs", "features", "mean_features"],
            dynamic_shapes={"images": {0: torch.export.Dim("n", min=1)}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    _forget_code(path)


def _forget_code(graph: Path) -> None:
    """Take out which lines of code each node came from: they name folders of whoever exported it."""
    import onnx

    model = onnx.load(graph)
    for nodes in (model.graph.node, *(function.node for function in model.functions)):
        for node in nodes:
            del node.metadata_props[:]
            node.doc_string = ""
    onnx.save(model, graph)
