"""Backbones: those of the five systems build, train, save, load and export; wrong names say so."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from lostfound.data.images import Preprocessing
from lostfound.errors import RecipeError
from lostfound.models.backbones import backbone_preprocessing, build_backbone
from lostfound.models.export import export_onnx
from lostfound.models.heads import linear_head
from lostfound.models.network import Network
from lostfound.models.weights import load_weights

# What the five systems train: of families that differ in depth and width alone, a small member or two. The
# large ones (efficientnet_b7, vgg16, convnext_base) need seconds and hundreds of megabytes each.
FIVE_SYSTEMS = [
    ("resnet18", {}),
    ("resnet50", {}),
    ("mobilenetv2_100", {}),
    ("mobilenetv3_small_100", {}),
    ("efficientnet_b1", {}),
    ("torchvision:googlenet", {}),
    ("vgg11", {"mlp_ratio": 0.01}),
    ("convnext_atto", {}),
    ("resnetv2_50x1_bit", {}),
    ("lostfound:cnn5", {}),
    ("lostfound:cnn8", {}),
    ("lostfound:cnn10", {}),
]

# One small member of each family that tests/models/test_export.py does not export.
EXPORTED = [
    pytest.param("torchvision:googlenet", {}, id="torchvision:googlenet", marks=pytest.mark.slow),
    pytest.param("vgg11", {"mlp_ratio": 0.01}, id="vgg11"),
    pytest.param("resnetv2_50x1_bit", {}, id="resnetv2_50x1_bit", marks=pytest.mark.slow),
    pytest.param("lostfound:cnn10", {}, id="lostfound:cnn10"),
]

SMALL = Preprocessing(32, 32)


def network(name: str, **options: object) -> Network:
    backbone = build_backbone(name, options, pretrained=False)
    return Network(backbone, SMALL, lambda features: linear_head(features, 5))


def images(n: int, size: int = 32) -> torch.Tensor:
    values = np.random.default_rng(n).integers(0, 256, (n, size, size, 3), dtype=np.uint8)
    return torch.from_numpy(values)


@pytest.mark.parametrize(("name", "options"), FIVE_SYSTEMS, ids=[name for name, _ in FIVE_SYSTEMS])
def test_a_backbone_of_the_five_systems_answers_learns_and_is_saved_and_loaded(
    name: str, options: dict[str, object], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    trained = network(name, **options)
    outputs, _ = trained(images(2))
    assert outputs.shape == (2, 5)
    nn.functional.cross_entropy(outputs, torch.tensor([0, 1])).backward()
    gradients = {each: parameter.grad for each, parameter in trained.named_parameters()}
    assert [each for each, value in gradients.items() if value is None] == []
    assert all(bool(value.isfinite().all()) for value in gradients.values() if value is not None)
    stem = next(iter(gradients.values()))
    assert stem is not None
    assert stem.abs().max() > 0  # the first layer of all hears of the error

    path = tmp_path / "model.safetensors"
    save_file({each: value.contiguous() for each, value in trained.state_dict().items()}, path)
    target = build_backbone(name, options, pretrained=False)
    report = load_weights(target, path)
    path.unlink()  # some are a hundred megabytes
    expected = trained.backbone.state_dict()
    assert report.loaded == sorted(expected)
    assert report.fresh == []
    assert report.unused == ["head.1.bias", "head.1.weight"]
    assert [
        each for each, value in target.state_dict().items() if not torch.equal(value, expected[each])
    ] == []


@pytest.mark.parametrize(("name", "options"), EXPORTED)
@pytest.mark.slow
def test_a_graph_answers_as_the_network_does(name: str, options: dict[str, object], tmp_path: Path) -> None:
    import onnxruntime

    torch.manual_seed(0)
    trained = network(name, **options)
    if name == "resnetv2_50x1_bit":  # further blocks are as the second, and begin as the first does
        for stage, kept in zip(trained.backbone.stages, (2, 1, 1, 1), strict=True):
            stage.blocks = stage.blocks[:kept]
    for _ in range(3):  # statistics of batch norms that are no longer 0 and 1
        with torch.no_grad():
            trained(images(8))
    export_onnx(trained, SMALL, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    trained.eval()
    for n in (1, 5):
        outputs, features, means = session.run(
            ["outputs", "features", "mean_features"], {"images": images(n).numpy()}
        )
        with torch.no_grad():
            expected, expected_features = trained(images(n))
        wanted_means = expected_features.numpy().reshape(*expected_features.shape[:2], -1).mean(axis=2)
        for found, wanted in (
            (outputs, expected.numpy()),
            (features, expected_features.numpy()),
            (means, wanted_means),
        ):
            assert found.shape == wanted.shape
            assert np.abs(found - wanted).max() <= 1e-4 * max(1, np.abs(wanted).max())


# --- torchvision's models


TORCHVISION = ["alexnet", "densenet121", "googlenet", "mobilenet_v3_small", "resnet18", "shufflenet_v2_x0_5"]


@pytest.mark.parametrize("name", [*TORCHVISION, "squeezenet1_1", "swin_t", "vit_b_32"])
@pytest.mark.slow
def test_a_torchvision_model_gives_what_its_classifier_sees(name: str) -> None:
    """The whole model as torchvision runs it, its last layer replaced by one that hands on its input."""
    torch.manual_seed(0)
    options = {"image_size": 64} if name == "vit_b_32" else {}
    more = {"init_weights": True, "aux_logits": False} if name == "googlenet" else {}
    whole = torchvision.models.get_model(name, weights=None, **options, **more).eval()
    backbone = build_backbone(f"torchvision:{name}", options, pretrained=False).eval()
    backbone.load_state_dict(whole.state_dict(), strict=False)
    if name == "squeezenet1_1":  # it classifies by a convolution and pools afterwards
        whole.classifier = nn.AdaptiveAvgPool2d(1)
    else:
        linear = [each for each, module in whole.named_modules() if isinstance(module, nn.Linear)][-1]
        whole.set_submodule(linear, nn.Identity())
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        features = backbone.forward_features(x)
        pooled = backbone.forward_head(features, pre_logits=True)
        assert torch.allclose(pooled, whole(x), atol=1e-5)
        assert torch.equal(backbone(x), pooled)


def test_a_transformer_of_torchvision_takes_one_size_only() -> None:
    backbone = build_backbone("torchvision:vit_b_32", {"image_size": 64}, pretrained=False)
    with pytest.raises(ValueError, match="64x64 pixels, its option image_size"):
        backbone.forward_features(torch.zeros(1, 3, 32, 32))


def test_googlenet_is_without_its_auxiliary_classifiers() -> None:
    backbone = build_backbone("torchvision:googlenet", {}, pretrained=False)
    assert [name for name in backbone.state_dict() if name.startswith(("aux", "fc"))] == []


# --- the mean and deviation of their weights


IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18", IMAGENET),
        ("resnetv2_50x1_bit", HALF),
        ("torchvision:resnet18", IMAGENET),
        ("torchvision:googlenet", HALF),  # its published weights are TensorFlow's
        ("lostfound:cnn5", IMAGENET),
    ],
)
def test_the_mean_and_deviation_are_the_backbones_own(name: str, expected: object) -> None:
    assert backbone_preprocessing(build_backbone(name, {}, pretrained=False)) == expected


# --- options, and what is refused


@pytest.mark.parametrize(
    ("name", "options", "channels"),
    [("lostfound:cnn5", {"width": 8}, 64), ("torchvision:resnet18", {"width_per_group": 64}, 512)],
)
def test_options_are_the_models_own(name: str, options: dict[str, object], channels: int) -> None:
    backbone = build_backbone(name, options, pretrained=False).eval()
    assert backbone.forward_features(torch.zeros(1, 3, 32, 32)).shape[1] == channels


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("resnet19", {}, "did you mean resnet1"),
        ("googlenet", {}, "did you mean torchvision:googlenet"),
        ("cnn8", {}, "lostfound:cnn8"),
        ("torchvision:googlenett", {}, "did you mean torchvision:googlenet"),
        ("lostfound:cnn9", {}, "lostfound:cnn8"),
        ("lostfound:qqqqqqqqqqqq", {}, "lostfound:cnn5, lostfound:cnn8, lostfound:cnn10"),
        ("qqqqqqqqqqqq", {}, "timm.list_models"),
        ("hf-hub:timm/resnet18", {}, "no model 'hf-hub:timm/resnet18'"),
        ("local-dir:weights", {}, "no model 'local-dir:weights'"),
        ("resnet18.nonsense", {}, "nonsense"),
        ("", {}, "no model ''"),
        ("torchvision:", {}, "no model 'torchvision:'"),
        ("test_resnet", {"bogus": 1}, "bogus"),
        ("torchvision:resnet18", {"bogus": 1}, "bogus"),
        ("lostfound:cnn5", {"bogus": 1}, "bogus"),
        ("lostfound:cnn5", {"width": 0}, "lostfound:cnn5"),
        ("test_resnet", {"drop_path_rate": "a"}, "model.options {'drop_path_rate': 'a'}"),
        ("test_resnet", {"num_classes": 4}, "num_classes is not taken"),
        ("torchvision:googlenet", {"aux_logits": True}, "aux_logits is not taken"),
        ("torchvision:googlenet", {"weights": "DEFAULT"}, "--weights"),
        ("test_resnet", {"checkpoint_path": "weights.pth"}, "--weights"),
    ],
)
def test_a_backbone_that_cannot_be_built_says_why(name: str, options: dict[str, object], says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        build_backbone(name, options, pretrained=False)
    assert says in str(caught.value)


@pytest.mark.parametrize("option", ["pretrained_cfg", "pretrained_cfg_overlay"])
def test_a_file_named_in_the_options_is_not_opened(option: str, tmp_path: Path) -> None:
    """Weights come in one way only, by `load_weights`."""
    for pretrained in (True, False):
        with pytest.raises(RecipeError, match=f"{option} is not taken: .*--weights"):
            build_backbone("test_resnet", {option: {"file": str(tmp_path / "w.pth")}}, pretrained=pretrained)


def test_the_hub_out_of_reach_is_one_clear_message(monkeypatch, tmp_path: Path) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(RecipeError, match=r"can't be fetched from the hub .*--weights FILE"):
        build_backbone("resnet18", {"cache_dir": str(tmp_path)}, pretrained=True)


def test_torchvisions_hub_out_of_reach_is_the_same_message(monkeypatch, tmp_path: Path) -> None:
    for variable in ("http_proxy", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    monkeypatch.setattr(urllib.request, "_opener", None)  # it keeps the proxies that it began with
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(RecipeError, match=r"torchvision:resnet18 can't be fetched .*--weights FILE"):
        build_backbone("torchvision:resnet18", {}, pretrained=True)


def test_our_own_networks_have_no_weights_to_fetch() -> None:
    with pytest.raises(RecipeError, match="lostfound:cnn5 has no pretrained weights"):
        build_backbone("lostfound:cnn5", {}, pretrained=True)


def test_an_option_that_is_wrong_is_not_blamed_on_the_hub() -> None:
    with pytest.raises(RecipeError, match=r"can't be built with model\.options .*bogus"):
        build_backbone("resnet18", {"bogus": 1}, pretrained=True)


def test_a_name_of_timm_builds_timms_model() -> None:
    ours, theirs = (
        build_backbone("test_resnet", {}, pretrained=False),
        timm.create_model("test_resnet", num_classes=0),
    )
    assert list(ours.state_dict()) == list(theirs.state_dict())
