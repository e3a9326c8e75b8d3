"""What torch's ONNX exporter does anew for each graph, done once.

Tests train the same few small networks a hundred times, and translating one takes longer than training it. So
the graph of the first is kept for all processes of the tests; those that differ by numbers alone, or by how
many outputs a linear head has, get it with theirs, and are held to what the network answers, as every graph
is. A command that is started cold, or with `ANEW` in its environment, translates its own.
"""

from __future__ import annotations

import functools
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

ANEW = "TRANSLATE_ANEW"
# A test's own network is translated as it is.
OURS = ("lostfound.", "timm.", "torch.", "torchvision.", "transformers.")


def quicken(folder: Path) -> None:
    """Have it keep graphs in a folder, and the list of functions that it translates to in memory.

    Without this it reads the source of all 500 functions each time.
    """
    import torch

    with suppress(ImportError, AttributeError):  # in another version of torch: it reads them, then
        from torch.onnx._internal.exporter._registration import onnxscript_apis

        if not hasattr(onnxscript_apis.get_torchlib_ops, "cache_info"):
            onnxscript_apis.get_torchlib_ops = functools.cache(onnxscript_apis.get_torchlib_ops)
    if not hasattr(torch.onnx.export, "__wrapped__"):
        torch.onnx.export = keeping_graphs(torch.onnx.export, folder)


def read_functions() -> None:
    """Read the functions, so that processes that are forked from this one have them."""
    with suppress(ImportError, AttributeError):
        from torch.onnx._internal.exporter._registration import onnxscript_apis

        onnxscript_apis.get_torchlib_ops()


def keeping_graphs(translate: Any, folder: Path) -> Any:
    """An exporter that translates a network, unless one like it was, and then optimises with its numbers."""

    @functools.wraps(translate)
    def export(network: Any, images: tuple[Any, ...], path: Path, **settings: Any) -> None:
        import onnx_ir
        from onnxscript import optimizer, rewriter

        numbers = dict(network.named_parameters()) | dict(network.named_buffers())
        described = _description(network, [(each.dtype, tuple(each.shape)) for each in images], settings)
        if described is None or ANEW in os.environ:
            translate(network, images, path, **settings)
            return
        kept = folder / f"{hashlib.sha256(described.encode()).hexdigest()}.onnx"
        folder.mkdir(exist_ok=True)
        with FileLock(kept.with_suffix(".lock")):  # of those that train the same at once, one translates it
            if not kept.exists():
                partial = kept.with_suffix(".partial")
                translate(network, images, partial, optimize=False, **settings)
                partial.rename(kept)
        model = onnx_ir.load(kept)
        for name, value in model.graph.initializers.items():
            if name in numbers:
                value.const_value = onnx_ir.tensor(numbers[name].detach().numpy(), name=name)
                value.shape = value.const_value.shape
        if (head := _linear_head(network)) is not None:
            (outputs,) = (each for each in model.graph.outputs if each.name == settings["output_names"][0])
            outputs.shape = onnx_ir.Shape([outputs.shape[0], head.out_features])
        optimizer.optimize_ir(model)
        rewriter.onnx_fusions.fuse(model)
        onnx_ir.save(model, path)

    return export


def _linear_head(network: Any) -> Any:
    """The layer that gives the outputs, where a head is no more than that."""
    parts = list(dict(network.named_modules()).get("network.head", network).children())
    return parts[1] if [type(each).__name__ for each in parts] == ["Dropout", "Linear"] else None


def _description(network: Any, *more: Any) -> str | None:
    """All that a network is but its numbers, and how many outputs; None if that can't be told in words."""
    parts = [repr(more)]
    head = _linear_head(network)
    for name, part in network.named_modules():
        kind = type(part)
        left_out = {"out_features"} if part is head else {"p"} if kind.__name__ == "Dropout" else set()
        own = {
            key: sorted(value) if isinstance(value, set) else value  # their order is another in each process
            for key, value in vars(part).items()
            if key not in {"_parameters", "_buffers", "_modules", *left_out}
        }
        parts.append(f"{name} {kind.__module__}.{kind.__qualname__} {sorted(own.items())!r}")
    free = {id(each) for each in head.parameters()} if head is not None else set()
    for name, each in network.state_dict(keep_vars=True).items():
        parts.append(f"{name} {each.dtype} {tuple(each.shape)[id(each) in free :]}")
    text = "\n".join(parts)
    known = all(f"{type(part).__module__}.".startswith(OURS) for part in network.modules())
    return text if known and not any(each in text for each in (" at 0x", "tensor(", "<locals>")) else None
