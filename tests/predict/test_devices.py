"""What networks are computed on."""

import pickle

import onnxruntime
import pytest

import lostfound
from lostfound.errors import UsageError
from lostfound.predict import devices
from lostfound.predict.devices import DEVICES, check_opened, devices_here, providers_of


def missing():
    return next(name for name in DEVICES if name not in devices_here())


def test_the_processor_is_always_there():
    assert devices_here()[0] == "cpu"
    assert providers_of("cpu") == ["CPUExecutionProvider"]
    assert lostfound.load().device == "cpu"
    assert pickle.loads(pickle.dumps(lostfound.load(device="cpu"))).device == "cpu"


def test_one_that_is_missing_says_what_to_install():
    with pytest.raises(UsageError, match=rf"no {missing()} here: this ONNX Runtime .* has cpu.*pip install"):
        lostfound.load(device=missing())
    with pytest.raises(UsageError, match="no device 'gpu': choose of cpu, cuda"):
        providers_of("gpu")


def test_the_processor_does_what_a_device_lacks(monkeypatch):
    known = [device.provider for device in DEVICES.values()]
    monkeypatch.setattr(devices.onnxruntime, "get_available_providers", lambda: known)
    assert providers_of("cuda") == ["CUDAExecutionProvider", "CPUExecutionProvider"]


def test_one_that_was_not_started_is_no_silent_processor():
    session = lostfound.load().session
    check_opened("cpu", session)
    with pytest.raises(UsageError, match="cuda could not be started"):
        check_opened("cuda", session)


def test_names_are_those_of_onnx_runtime():
    assert {device.provider for device in DEVICES.values()} <= set(onnxruntime.get_all_providers())
