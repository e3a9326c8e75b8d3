"""From others' weights to an ordinary model folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import nn

from lostfound.data.images import Preprocessing
from lostfound.errors import UsageError, nearest_name
from lostfound.files import write_atomic
from lostfound.hub import HUB
from lostfound.models.export import export_onnx
from lostfound.models.published import classifier, geoclip, osv5m, plonk, streetclip
from lostfound.models.published.sources import License, ModelSource, opened
from lostfound.models.shrinking import Precision, part_weights, shrink
from lostfound.predict.decoders import OutputDecoder
from lostfound.predict.model_folder import CARD, GRAPH, ModelFolder, write_folder
from lostfound.predict.place_tower import PLACE_TOWER, PlaceTower


@dataclass(frozen=True)
class Converted:
    """What a model folder is made of.

    Attributes:
        network: Images in, outputs and features out.
        preprocessing: How an image becomes its input.
        decoder: From its outputs to what it believes.
        license: The weights'.
        about: More that `config.json` is to say.
        tower: What makes embeddings of coordinates, if the model has it.
    """

    network: nn.Module
    preprocessing: Preprocessing
    decoder: OutputDecoder
    license: License
    about: Mapping[str, Any]
    tower: PlaceTower | None = None


def convert(
    name: str,
    to: str | Path,
    *,
    weights: str | None = None,
    backbone: str | None = None,
    precision: Precision = "fp32",
    exact_upstream: bool = False,
) -> ModelFolder:
    """Turn a published model into a model folder.

    Args:
        name: One of `MODELS`.
        to: The model folder, new.
        weights: A folder, a wheel or file, or hf://OWNER/NAME@REVISION; nothing is downloaded unless it is
            named so.
        backbone: The same of the network that the model stands on.
        precision: Of the graph's weights.
        exact_upstream: Do as the original does, also where it errs.

    Raises:
        UsageError: There is no such model, something that it needs is not named, or the folder is there.
        ModelError: The weights are another model's, not whole, or hold more than tensors.
        MissingExtraError: An extra is not installed.
    """
    if name not in MODELS:
        near = nearest_name(name, MODELS)
        hint = f"; did you mean {near}?" if near else ""
        raise UsageError(f"no published model {name!r}: choose of {', '.join(MODELS)}{hint}")
    to = Path(to)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} is there already: give a new folder")
    with ExitStack() as stack:
        made, sources = MODELS[name](stack, weights, backbone, precision, exact_upstream)
        return _write(name, to, made, sources, precision)


def _geoclip(
    stack: ExitStack, weights: str | None, backbone: str | None, precision: Precision, exact_upstream: bool
) -> tuple[Converted, list[ModelSource]]:
    own = _opened(
        stack, weights, "weights", "geoclip", "VicenteVivanco/geoclip-geolocation", geoclip.PATTERNS
    )
    below = _opened(stack, backbone, "backbone", "geoclip", geoclip.BACKBONE, geoclip.BACKBONE_PATTERNS)
    read = geoclip.read_weights(own)
    network, preprocessing = geoclip.network_of(read, below)
    decoder = geoclip.decoder_of(read, exact_upstream=exact_upstream, half=precision != "fp32")
    places = {
        "rows": len(read.gallery),
        "places": len(decoder.partition),
        "equal_coordinates": "apart" if exact_upstream else "merged",
    }
    about = {"gallery": places}
    return Converted(network, preprocessing, decoder, geoclip.LICENSE, about, read.places), [own, below]


def _osv5m(
    stack: ExitStack, weights: str | None, backbone: str | None, precision: Precision, exact_upstream: bool
) -> tuple[Converted, list[ModelSource]]:
    del precision, exact_upstream
    if backbone is not None:
        raise UsageError("osv5m has its backbone in its own weights: leave --backbone out")
    own = _opened(stack, weights, "weights", "osv5m", osv5m.PUBLISHED, osv5m.PATTERNS)
    decoder = osv5m.decoder_of(own)
    network, preprocessing = osv5m.network_of(own, len(decoder.partition))
    return Converted(network, preprocessing, decoder, osv5m.LICENSE, {}), [own]


def _classifier(
    stack: ExitStack, weights: str | None, backbone: str | None, precision: Precision, exact_upstream: bool
) -> tuple[Converted, list[ModelSource]]:
    del precision, exact_upstream
    if backbone is not None:
        raise UsageError("image-classifier has its backbone in its own weights: leave --backbone out")
    own = _opened(stack, weights, "weights", "image-classifier", "OWNER/NAME", classifier.PATTERNS)
    network, preprocessing, decoder, labels = classifier.network_of(own)
    about = {"labels_left_out": list(labels.unknown)}
    return Converted(network, preprocessing, decoder, classifier.license_of(own), about), [own]


def _streetclip(
    stack: ExitStack, weights: str | None, backbone: str | None, precision: Precision, exact_upstream: bool
) -> tuple[Converted, list[ModelSource]]:
    if backbone is not None:
        raise UsageError("streetclip is its own backbone: leave --backbone out")
    own = _opened(stack, weights, "weights", "streetclip", streetclip.PUBLISHED, streetclip.PATTERNS)
    network, preprocessing, decoder = streetclip.made_of(
        own, exact_upstream=exact_upstream, half=precision != "fp32"
    )
    asked = {
        "country": streetclip.COUNTRY,
        "city": streetclip.CITY,
        "countries": len(decoder.countries),
        "cities": len(decoder.partition),
        "city_of_a_country": "the most alike" if exact_upstream else "each as alike as it is",
    }
    return Converted(network, preprocessing, decoder, streetclip.LICENSE, {"prompts": asked}), [own]


def _plonk(
    stack: ExitStack, weights: str | None, backbone: str | None, precision: Precision, exact_upstream: bool
) -> tuple[Converted, list[ModelSource]]:
    del precision
    own = _opened(stack, weights, "weights", "plonk", plonk.PUBLISHED, plonk.PATTERNS)
    below = _opened(stack, backbone, "backbone", "plonk", plonk.BACKBONE, plonk.BACKBONE_PATTERNS)
    decoder = plonk.decoder_of(own, exact_upstream=exact_upstream)
    network, preprocessing, terms = plonk.network_of(own, below, decoder.width)
    about = {"samples": {"each": decoder.samples, "steps": decoder.steps, "cells": len(decoder.partition)}}
    return Converted(network, preprocessing, decoder, terms, about), [own, below]


Maker = Callable[[ExitStack, str | None, str | None, Precision, bool], tuple[Converted, list[ModelSource]]]
MODELS: Mapping[str, Maker] = {
    "geoclip": _geoclip,
    "osv5m": _osv5m,
    "streetclip": _streetclip,
    "plonk": _plonk,
    "image-classifier": _classifier,
}
"""The models that can be converted, by name."""


def _opened(
    stack: ExitStack, source: str | None, option: str, name: str, published: str, patterns: tuple[str, ...]
) -> ModelSource:
    if source is None:
        raise UsageError(
            f"{name} needs --{option}: the folder where {published} lies, or --{option} {HUB}{published} to "
            "download it"
        )
    return stack.enter_context(opened(source, published, patterns))


def _write(
    name: str, to: Path, made: Converted, sources: list[ModelSource], precision: Precision
) -> ModelFolder:
    """Put the folder together, beside its place, and move it there when it is whole."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=to.parent, prefix=f".{to.name}-") as work:
        parts, folder = Path(work) / "parts", Path(work) / "model"
        parts.mkdir()
        folder.mkdir()
        difference = export_onnx(made.network, made.preprocessing, parts / GRAPH)
        shrink(parts / GRAPH, precision)
        part_weights(parts / GRAPH)
        if made.tower is not None:
            write_atomic(parts / PLACE_TOWER, made.tower.to_bytes())
        config = {
            "task": {"kind": "published"},
            "views": 1,
            "preprocessing": made.preprocessing.as_dict(),
            "published": {
                "model": name,
                "precision": precision,
                **made.license.as_dict(),
                "sources": [each.as_dict() for each in sources],
                "onnx_difference": difference,
                **made.about,
            },
        }
        write_folder(folder, parts, made.decoder, 1.0, config)
        write_atomic(folder / CARD, _card(name, config["published"]).encode())  # type: ignore[arg-type]
        if to.is_dir():
            to.rmdir()
        shutil.move(folder, to)
    return ModelFolder.open(to)


def _card(name: str, about: Mapping[str, Any]) -> str:
    sources = "\n".join(map(_described, about["sources"]))
    use = "allows commercial use" if about["commercial_use"] else "does not allow commercial use"
    terms = f"{about['license']}, which {use}"
    return f"""---
license: {about["license"].lower()}
library_name: lostfound
tags: [geolocation]
---
# {name}, converted

The weights of others, turned into a model folder by `lostfound convert {name}`.
Licence: {terms}. Made of:

{sources}

Precision: {about["precision"]}. Nothing was measured of it here: `lostfound evaluate MODEL DATASET` does, and
`lostfound calibrate MODEL DATASET` gives it radii and lets it say "I don't know".

Answers are estimates. Not for finding people, and no evidence of where anybody was.
"""


def _described(source: Mapping[str, Any]) -> str:
    revision = f" at revision {source['revision']}" if source["revision"] else ""
    files = ", ".join(f"{file} (sha256 {sha[:16]}...)" for file, sha in source["files_sha256"].items())
    return f"- {source['source']}{revision}: {files}"
