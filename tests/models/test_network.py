"""The network and its weights: what is loaded, what is reported, and what is refused unopened."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lostfound.data.images import Preprocessing
from lostfound.errors import ModelError, RecipeError
from lostfound.models.network import Network, backbone_preprocessing, build_backbone, load_weights

TINY = "test_resnet"
STEM = "conv1.0.weight"
SMALL = Preprocessing(32, 32)


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


def tiny(**options: object) -> torch.nn.Module:
    return build_backbone(TINY, options, pretrained=False)


def stored(path: Path, tensors: dict[str, torch.Tensor]) -> Path:
    save_file({name: value.contiguous() for name, value in tensors.items()}, path)
    return path


# --- what the network computes


def test_it_normalises_the_pixels_itself() -> None:
    backbone = tiny().eval()
    preprocessing = Preprocessing(32, 32, mean=(0.1, 0.5, 0.9), std=(0.2, 0.3, 0.4))
    network = Network(backbone, 3, preprocessing, dropout=0.0).eval()
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    by_hand = (images / 255 - [0.1, 0.5, 0.9]) / [0.2, 0.3, 0.4]
    with torch.no_grad():
        pooled = backbone(torch.tensor(by_hand, dtype=torch.float32).permute(0, 3, 1, 2))
        expected = network.head(pooled)
        logits, features = network(torch.from_numpy(images))
    assert torch.allclose(logits, expected, atol=1e-5)
    assert features.ndim == 4


def test_the_mean_and_deviation_are_the_backbones_own() -> None:
    resnet = build_backbone("resnet18", {}, pretrained=False)
    assert backbone_preprocessing(resnet) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_a_new_network_is_ready_to_train() -> None:
    network = Network(tiny(), 3, SMALL, dropout=0.5)
    assert all(module.training for module in network.modules())


# --- backbones


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("resnet19", {}, "did you mean resnet1"),
        ("qqqqqqqqqqqq", {}, "timm.list_models"),
        ("resnet18.nonsense", {}, "nonsense"),
        (TINY, {"bogus": 1}, "bogus"),
        (TINY, {"drop_path_rate": "a"}, "model.options {'drop_path_rate': 'a'}"),
        (TINY, {"num_classes": 4}, "num_classes"),
        (TINY, {"checkpoint_path": "weights.pth"}, "--weights"),
    ],
)
def test_a_backbone_that_cannot_be_built_says_why(name: str, options: dict[str, object], says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        build_backbone(name, options, pretrained=False)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("vit_tiny_patch16_224", {}),
        (TINY, {"features_only": True}),
        (TINY, {"in_chans": 1}),
        (TINY, {"global_pool": ""}),
    ],
)
def test_a_backbone_that_cannot_take_the_images_is_refused_before_training(
    name: str, options: dict[str, object]
) -> None:
    with pytest.raises(RecipeError, match=r"images of 32x32 pixels .*change input\.size, or model\.options"):
        Network(build_backbone(name, options, pretrained=False), 3, SMALL, dropout=0.0)


def test_the_hub_out_of_reach_is_one_clear_message(monkeypatch, tmp_path: Path) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(RecipeError, match=r"can't be fetched from the hub .*--weights FILE"):
        build_backbone("resnet18", {"cache_dir": str(tmp_path)}, pretrained=True)


# --- weights


def test_weights_fill_the_backbone_and_another_head_is_left(tmp_path: Path) -> None:
    source = tiny()
    head = {"fc.weight": torch.zeros(7, 4), "fc.bias": torch.zeros(7)}
    path = stored(tmp_path / "w.safetensors", {**source.state_dict(), **head})
    target = tiny()
    report = load_weights(target, path)
    assert report.unused == ["fc.bias", "fc.weight"]
    assert report.fresh == []
    assert report.loaded == sorted(source.state_dict())
    for name, value in source.state_dict().items():
        assert torch.equal(target.state_dict()[name], value), name


def test_half_precision_is_taken_and_trained_in_full(tmp_path: Path) -> None:
    source = {
        name: value.half() if value.is_floating_point() else value
        for name, value in tiny().state_dict().items()
    }
    target = tiny()
    load_weights(target, stored(tmp_path / "w.safetensors", source))
    for name, value in target.state_dict().items():
        assert value.dtype != torch.float16
        assert torch.equal(value, source[name].to(value.dtype)), name


def test_a_tensor_of_another_shape_stays_fresh_and_is_reported(tmp_path: Path) -> None:
    source = dict(tiny().state_dict())
    source[STEM] = torch.zeros(1, 3, 3, 3)
    target = tiny()
    before = target.state_dict()[STEM].clone()
    report = load_weights(target, stored(tmp_path / "w.safetensors", source))
    assert report.fresh == [STEM]
    assert report.unused == [STEM]
    assert torch.equal(target.state_dict()[STEM], before)


def test_the_weights_of_a_finished_model_can_be_gone_on_from(model_folder: Path) -> None:
    backbone = tiny()
    report = load_weights(backbone, model_folder / "model.safetensors")
    assert report.fresh == []
    assert report.unused == ["head.1.bias", "head.1.weight"]


def test_a_file_without_the_counters_of_batch_norms_is_taken(tmp_path: Path) -> None:
    source = {name: value for name, value in tiny().state_dict().items() if value.is_floating_point()}
    report = load_weights(tiny(), stored(tmp_path / "w.safetensors", source))
    assert report.fresh
    assert all(name.endswith("num_batches_tracked") for name in report.fresh)


@pytest.mark.data
def test_the_real_weights_fit_whole(real_data: Path) -> None:
    backbone = build_backbone("mobilenetv2_100", {"pad_type": "same"}, pretrained=False)
    report = load_weights(backbone, real_data / "weights" / "mobilenetv2_100.in1k.safetensors")
    assert report.unused == ["classifier.bias", "classifier.weight"]
    assert all(name.endswith("num_batches_tracked") for name in report.fresh)


def test_weights_of_another_backbone_are_refused(tmp_path: Path) -> None:
    path = stored(tmp_path / "w.safetensors", tiny().state_dict())
    with pytest.raises(ModelError, match="another backbone"):
        load_weights(build_backbone("test_convnext", {}, pretrained=False), path)


def test_weights_of_a_cousin_that_fit_in_part_are_refused(tmp_path: Path) -> None:
    """ResNets share names and some shapes: half of the weights would be a silent bad start."""
    cousin = build_backbone("resnet50", {}, pretrained=False)
    path = stored(tmp_path / "w.safetensors", cousin.state_dict())
    with pytest.raises(ModelError, match=r"only \d+ of the 100 tensors of ResNet .*another backbone"):
        load_weights(build_backbone("resnet18", {}, pretrained=False), path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nothing\.safetensors does not exist"):
        load_weights(tiny(), tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("keep", [0, 4, 8, 100, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = stored(tmp_path / "w.safetensors", tiny().state_dict())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match="can't be read as safetensors"):
        load_weights(tiny(), path)


def _torch_zip(trap: Trap) -> bytes:
    buffer = io.BytesIO()
    torch.save({"weight": trap}, buffer)
    return buffer.getvalue()


def _torch_legacy(trap: Trap) -> bytes:
    buffer = io.BytesIO()
    torch.save({"weight": trap}, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["w.pth", "w.ckpt", "w.safetensors"])
@pytest.mark.parametrize(
    "write",
    [
        _torch_zip,
        _torch_legacy,
        lambda trap: pickle.dumps(trap, protocol=2),
        lambda trap: pickle.dumps(trap, protocol=5),
    ],
    ids=["torch zip", "torch legacy", "pickle 2", "pickle 5"],
)
def test_a_pickle_is_refused_without_being_opened(tmp_path: Path, write, name: str) -> None:
    target = tmp_path / "opened"
    path = tmp_path / name
    path.write_bytes(write(Trap(target)))
    with pytest.raises(ModelError, match=r"is a pickle, which can run code .* convert it to safetensors"):
        load_weights(tiny(), path)
    assert not target.exists()


def test_the_oldest_pickles_are_not_opened_either(tmp_path: Path) -> None:
    target = tmp_path / "opened"
    path = tmp_path / "w.pkl"
    path.write_bytes(pickle.dumps(Trap(target), protocol=0))
    with pytest.raises(ModelError, match="can't be read as safetensors"):
        load_weights(tiny(), path)
    assert not target.exists()


def test_the_trap_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Trap(tmp_path / "opened")))
    assert (tmp_path / "opened").exists()


def test_a_safetensors_file_whose_header_looks_like_a_pickle_is_read(tmp_path: Path) -> None:
    """The header's length comes first; 0x0280 reads as the start of a pickle of protocol 2."""
    path = stored(tmp_path / "w.safetensors", tiny().state_dict())
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    padded = (length & ~0xFFFF) + 0x10280
    header = data[8 : 8 + length] + b" " * (padded - length)
    path.write_bytes(padded.to_bytes(8, "little") + header + data[8 + length :])
    assert path.read_bytes()[:2] == b"\x80\x02"
    assert load_weights(tiny(), path).fresh == []
