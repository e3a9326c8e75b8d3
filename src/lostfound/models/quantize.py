"""A model folder in eight bits: weights and activations, calibrated on photos, with the loss measured."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from lostfound.data.dataset import Dataset
from lostfound.data.sharing.lists import limit
from lostfound.errors import DatasetError, MissingExtraError, ModelError, UsageError, refused_as
from lostfound.evaluation.comparison import Difference, difference
from lostfound.evaluation.evaluate import Evaluation, evaluate, metric_samples
from lostfound.evaluation.metrics import METRICS
from lostfound.files import file_digest, write_atomic
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import CARD, CONFIG, GRAPH, GRAPH_WEIGHTS, WEIGHTS, ModelFolder
from lostfound.progress import progress

if TYPE_CHECKING:
    import onnx

MAX_LOSS = 0.01
"""The share of right answers that may be lost, by default: one photo in a hundred."""
IMAGES = 256
"""Training images that tell how large activations are."""
_BATCH = 16
_MOST_POINTS = 5000.0
_COMPUTED = ("Conv", "Clip", "Relu", "Add", "MatMul")
"""What is computed in eight bits: where the time goes, and what lies between. The head is left as it is."""
_SHOWN = (
    "top_1_accuracy",
    "country_accuracy",
    "median_distance_km",
    "geoguessr_score",
    "radius_50_coverage",
    "radius_90_coverage",
    "answered_share",
)


def quantize(
    model: str | Path,
    dataset: Dataset,
    to: str | Path,
    *,
    max_loss: float = MAX_LOSS,
    split: str = "val",
    images: int = IMAGES,
) -> ModelFolder:
    """Make a model that computes in eight bits: quicker on processors with instructions for it, and smaller.

    Static quantization, symmetric per channel for weights, and for activations by the ranges that they have
    on training images (Jacob et al. 2018; Krishnamoorthi 2018). Weights use seven of the eight bits, so that
    a processor without VNNI instructions answers as one with them does. Its calibration and what it holds to
    be strange stay those of the original.

    Args:
        model: The original's folder; or hf://OWNER/NAME@REVISION.
        dataset: Photos that it is made for: the training split says how large activations are, and what is
            lost is measured on another.
        to: The new model's folder.
        max_loss: The share of right answers that may be lost; of a model without cells, of the GeoGuessr
            score.
        split: Where the loss is measured; or all, also for the ranges.
        images: How many training images tell the ranges.

    Returns:
        The new model; `config["quantized"]` says what was lost, and its card shows it.

    Raises:
        MissingExtraError: The package `onnx` is not installed.
        UsageError: The folder is taken.
        ModelError: It loses more, or holds nothing that can be computed in eight bits.
        DatasetError: A split has no images.
    """
    to = Path(to)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} is there already: give a new folder")
    original = Locator.load(model)
    if "quantized" in original.model.config:
        raise ModelError(
            f"{original.model.path} is of eight bits already: give the model that it was made of"
        )
    training = dataset if split == "all" else dataset.split("train")
    if not len(training):
        raise DatasetError(f"{dataset.folder} has no training images to tell how large activations are")
    to.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=to.parent, prefix=f".{to.name}-") as work:
        folder = Path(work) / "model"
        folder.mkdir()
        some = limit(training, min(images, len(training)))
        counted = _quantized(original, some, Path(work), folder / GRAPH)
        _write(original.model, folder, {"images": len(some), "dataset": dataset.name, "operations": counted})
        before, after = evaluate(original, dataset, split), evaluate(Locator.load(folder), dataset, split)
        lost = loss(before, after)
        if lost.value > max_loss:
            raise ModelError(
                f"in eight bits it loses {lost.value:.1%} of right answers on the {split} split of "
                f"{dataset.name}, more than {max_loss:.1%}: nothing was written; allow it with --max-loss, "
                "or give more --images"
            )
        measured = {"split": split, "lost": lost.value, "lost_low": lost.low, "lost_high": lost.high}
        _write(original.model, folder, {**_about(folder), "max_loss": max_loss, **measured})
        _add_to_card(folder, before, after, lost)
        if to.is_dir():
            to.rmdir()
        folder.rename(to)
    return ModelFolder.open(to)


def loss(before: Evaluation, after: Evaluation) -> Difference:
    """The share of right answers that is lost, with the paired bootstrap's interval by place.

    Args:
        before: Of the original.
        after: Of the other model, on the same images.
    """
    name = "top_1_accuracy" if "top_1_accuracy" in before.metrics else "geoguessr_score"
    unit = 1.0 if name == "top_1_accuracy" else _MOST_POINTS
    old, new = (metric_samples(each.matched(), [name])[name] for each in (before, after))
    found = difference([old], [new])
    assert found is not None
    return Difference(found.value / unit, found.low / unit, found.high / unit, found.p, found.places)


def _quantized(original: Locator, images: Dataset, work: Path, to: Path) -> dict[str, int]:
    """Write the graph in eight bits; returns how many operations of each kind are."""
    try:
        import onnx
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise MissingExtraError(
            f"eight bits need the extra 'train' (not installed: {error.name}): pip install 'lostfound[train]'"
        ) from None
    plain, shaped = work / "plain.onnx", work / "shaped.onnx"
    with refused_as(ModelError, f"{original.model.graph} can't be computed in eight bits"), _quietly():
        _optimize(original.model.graph, plain)
        quant_pre_process(str(plain), str(shaped), skip_symbolic_shape=True, skip_optimization=True)
        quantize_static(
            str(shaped),
            str(to),
            _Photos(original, images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,  # without VNNI sums have 16 bits, and weights of eight overflow them
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=list(_COMPUTED),
            nodes_to_exclude=_before_photos_are_seen(onnx.load(shaped)),
            # Of each batch, and averaged over them: one photo that is far from all others tells little
            extra_options={"CalibMovingAverage": True, "CalibMovingAverageConstant": 0.1},
        )
        counted = _counted(onnx.load(to))
    if not counted:
        raise ModelError(f"{original.model.graph} holds nothing that can be computed in eight bits")
    return counted


def _optimize(graph: Path, to: Path) -> None:
    """Fold what is constant, such as weights that are kept in 16 bits."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(to)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _before_photos_are_seen(model: onnx.ModelProto) -> list[str]:
    """The operations on what is no activation, such as shapes: no filter or matrix comes before them."""
    seen: set[str] = set()
    left = []
    for node in model.graph.node:
        if node.op_type in ("Conv", "MatMul", "Gemm") or any(each in seen for each in node.input):
            seen.update(node.output)
        elif node.op_type in _COMPUTED:
            left.append(node.name)
    return left


def _counted(model: onnx.ModelProto) -> dict[str, int]:
    """How many operations take what was in eight bits, by kind."""
    made = {name for node in model.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    kinds = [
        node.op_type for node in model.graph.node if node.op_type in _COMPUTED and made & set(node.input)
    ]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


class _Photos:
    """Photos as ONNX Runtime's calibration reads them: batch by batch, then None."""

    def __init__(self, locator: Locator, images: Dataset) -> None:
        self._batches = self._prepared(locator, images)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        return next(self._batches, None)

    def __iter__(self) -> Iterator[dict[str, NDArray[np.uint8]]]:
        return self._batches

    @staticmethod
    def _prepared(locator: Locator, images: Dataset) -> Iterator[dict[str, NDArray[np.uint8]]]:
        with progress("Looking at training photos", len(images)) as advance:
            for start in range(0, len(images), _BATCH):
                rows = range(start, min(start + _BATCH, len(images)))
                yield {"images": np.stack([locator.model.preprocessing(images.read(row)) for row in rows])}
                advance(len(rows))


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the advice that ONNX Runtime's tools log, which is for those who call them."""
    logger, level = logging.getLogger(), logging.getLogger().level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _write(model: ModelFolder, folder: Path, quantized: Mapping[str, Any]) -> None:
    """Everything that answers, but for the graph, as the original has it; `config.json` last."""
    files = {}
    for name in model.config["files"]:
        if name in (WEIGHTS, GRAPH_WEIGHTS):  # what trains on is the original
            continue
        if name != GRAPH and not (folder / name).is_file():
            shutil.copyfile(model.path / name, folder / name)
        files[name] = file_digest(folder / name)
    if (model.path / CARD).is_file() and not (folder / CARD).is_file():
        shutil.copyfile(model.path / CARD, folder / CARD)
    about = {"precision": "int8", "of": model.name, "of_sha256": model.fingerprint, **quantized}
    config = {**model.config, "files": files, "quantized": about}
    write_atomic(folder / CONFIG, (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode())


def _about(folder: Path) -> dict[str, Any]:
    about: dict[str, Any] = ModelFolder.open(folder).config["quantized"]
    return about


def _add_to_card(folder: Path, before: Evaluation, after: Evaluation, lost: Difference) -> None:
    """Say in the card what eight bits cost."""
    file = folder / CARD
    text = file.read_text(encoding="utf-8").rstrip() if file.is_file() else f"# {folder.name}"
    write_atomic(file, f"{text}\n\n{card_section(_about(folder), before, after, lost)}".encode())


def card_section(about: Mapping[str, Any], before: Evaluation, after: Evaluation, lost: Difference) -> str:
    """What a card says of eight bits."""
    names: Sequence[str] = [name for name in _SHOWN if name in before.metrics and name in after.metrics]
    rows = "\n".join(
        f"| {METRICS[name].label} | {METRICS[name].text(before.metrics[name].value)} | "
        f"{METRICS[name].text(after.metrics[name].value)} |"
        for name in names
    )
    return f"""## In eight bits

What stands above was measured of `{about["of"]}`, of which this is a copy that computes in eight bits:
static, weights by channel; ranges of activations from {about["images"]} training images of
`{about["dataset"]}`. On the {about["split"]} split it loses {lost.value:.2%} of right answers
(95 % interval by place: {lost.low:.2%} to {lost.high:.2%}; {lost.places} places):

| metric | original | eight bits |
|---|---|---|
{rows}
"""
