"""What torch's ONNX exporter does anew for each graph, done once.

Tests train the same few small networks a hundred times, and translating one takes longer than training it. So
the graph of the first is kept for all processes of the tests; those that differ by numbers alone get it with
theirs, and are held to what the network answers, as every graph is. A command that is started cold, or with
`ANEW` in its environment, translates its own.
"""

from __future__ import annotations

import functools
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

ANEW = "TRANSLATE_ANEW"
OURS = ("lostfound.", "timm.", "torch.", "torchvision.")  # a test's own network is translated as it is


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
        if not kept.exists():
            folder.mkdir(exist_ok=True)
            partial = kept.with_suffix(f".{os.getpid()}")
            translate(network, images, partial, optimize=False, **settings)
            partial.rename(kept)
        model = onnx_ir.load(kept)
        for name, value in model.graph.initializers.items():
            if name in numbers:
                value.const_value = onnx_ir.tensor(numbers[name].detach().numpy(), name=name)
        optimizer.optimize_ir(model)
        rewriter.onnx_fusions.fuse(model)
        onnx_ir.save(model, path)

    return export


def _description(network: Any, *more: Any) -> str | None:
    """All that a network is but its numbers; None if that can't be told in words."""
    parts = [repr(more)]
    for name, part in network.named_modules():
        kind = type(part)
        own = {
            key: sorted(value) if isinstance(value, set) else value  # their order is another in each process
            for key, value in vars(part).items()
            if key not in ("_parameters", "_buffers", "_modules")
        }
        parts.append(f"{name} {kind.__module__}.{kind.__qualname__} {sorted(own.items())!r}")
    parts += [f"{name} {each.dtype} {tuple(each.shape)}" for name, each in network.state_dict().items()]
    text = "\n".join(parts)
    known = all(f"{type(part).__module__}.".startswith(OURS) for part in network.modules())
    return text if known and not any(each in text for each in (" at 0x", "tensor(", "<locals>")) else None
