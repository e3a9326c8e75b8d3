"""What torch's ONNX exporter does anew for each graph, done once in a process."""

from __future__ import annotations

import functools
from contextlib import suppress


def read_functions_once() -> None:
    """Have it keep the list of functions that it translates to: it reads the source of all 500 each time."""
    with suppress(ImportError, AttributeError):  # in another version of torch: it reads them, then
        from torch.onnx._internal.exporter._registration import onnxscript_apis

        if not hasattr(onnxscript_apis.get_torchlib_ops, "cache_info"):
            onnxscript_apis.get_torchlib_ops = functools.cache(onnxscript_apis.get_torchlib_ops)


def read_functions_now() -> None:
    """... and read them, so that processes that are forked from this one have them."""
    read_functions_once()
    with suppress(ImportError, AttributeError):
        from torch.onnx._internal.exporter._registration import onnxscript_apis

        onnxscript_apis.get_torchlib_ops()
