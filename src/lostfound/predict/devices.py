"""What a network can be computed on, by name: ONNX Runtime's execution providers."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import dataclass

import onnxruntime

from lostfound.errors import UsageError


@dataclass(frozen=True)
class Device:
    """What a network is computed on.

    Attributes:
        provider: What ONNX Runtime calls it.
        install: How one comes by an ONNX Runtime that has it.
    """

    provider: str
    install: str


_OTHER = "pip uninstall onnxruntime && pip install onnxruntime-{}"
DEVICES = {
    "cpu": Device("CPUExecutionProvider", "pip install onnxruntime"),
    "cuda": Device(
        "CUDAExecutionProvider", f"on a machine with an NVIDIA GPU, {_OTHER.format('gpu[cuda,cudnn]')}"
    ),
    "openvino": Device("OpenVINOExecutionProvider", _OTHER.format("openvino")),
    "coreml": Device("CoreMLExecutionProvider", "on a Mac, pip install onnxruntime"),
    "directml": Device("DmlExecutionProvider", f"on Windows, {_OTHER.format('directml')}"),
}


def devices_here() -> list[str]:
    """The devices that this ONNX Runtime knows; whether the hardware is there too, opening a model tells."""
    here = onnxruntime.get_available_providers()
    return [name for name, device in DEVICES.items() if device.provider in here]


def providers_of(name: str) -> list[str]:
    """The providers that a session is opened with: the device's, and the processor's for what it lacks.

    Raises:
        UsageError: There is no such device, or this ONNX Runtime lacks it.
    """
    if name not in DEVICES:
        raise UsageError(f"no device {name!r}: choose of {', '.join(DEVICES)}")
    if name not in devices_here():
        raise UsageError(
            f"no {name} here: this ONNX Runtime ({onnxruntime.__version__}) has {', '.join(devices_here())}; "
            f"{DEVICES[name].install}"
        )
    if name == "cuda" and hasattr(onnxruntime, "preload_dlls"):
        with redirect_stdout(sys.stderr):  # what it doesn't find, it prints
            onnxruntime.preload_dlls()  # NVIDIA's libraries, where pip has put them
    return list(dict.fromkeys([DEVICES[name].provider, DEVICES["cpu"].provider]))


def check_opened(name: str, session: onnxruntime.InferenceSession) -> None:
    """Refuse a session that another device took over, as happens where a driver or library is missing.

    Raises:
        UsageError: It is not the device's.
    """
    if session.get_providers()[0] != DEVICES[name].provider:
        raise UsageError(
            f"{name} could not be started (its driver or a library is missing, or too old): "
            f"see what ONNX Runtime {onnxruntime.__version__} needs for it, or leave --device out"
        )
