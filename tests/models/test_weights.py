"""Weights from files: what is loaded, what is reported, and what is refused before any of its code runs."""

from __future__ import annotations

import io
import pickle
import types
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import Tensor

from lostfound.errors import ModelError
from lostfound.models.backbones import build_backbone
from lostfound.models.heads import linear_head
from lostfound.models.weights import load_head, load_weights
from lostfound.partitions import Partition, build_partition
from lostfound.predict.model_folder import ModelFolder

TINY = "test_resnet"
STEM = "conv1.0.weight"


def backbone(name: str = TINY, **options: object) -> torch.nn.Module:
    return build_backbone(name, options, pretrained=False)


def stored(path: Path, tensors: dict[str, Tensor]) -> Path:
    save_file({name: value.contiguous() for name, value in tensors.items()}, path)
    return path


def pickled(path: Path, content: Any, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


def assert_filled(target: torch.nn.Module, source: dict[str, Tensor]) -> None:
    state = target.state_dict()
    assert [name for name in state if not torch.equal(state[name], source[name])] == []


# --- safetensors, and the report


def test_weights_fill_the_backbone_and_another_head_is_left(tmp_path: Path) -> None:
    source = backbone().state_dict()
    head = {"fc.weight": torch.zeros(7, 4), "fc.bias": torch.zeros(7)}
    target = backbone()
    report = load_weights(target, stored(tmp_path / "w.safetensors", {**source, **head}))
    assert report.unused == ["fc.bias", "fc.weight"]
    assert report.fresh == []
    assert report.loaded == sorted(source)
    assert_filled(target, source)


def test_half_precision_is_taken_and_trained_in_full(tmp_path: Path) -> None:
    source = {
        name: value.half() if value.is_floating_point() else value
        for name, value in backbone().state_dict().items()
    }
    target = backbone()
    load_weights(target, stored(tmp_path / "w.safetensors", source))
    for name, value in target.state_dict().items():
        assert value.dtype != torch.float16
        assert torch.equal(value, source[name].to(value.dtype)), name


def test_a_tensor_of_another_shape_stays_fresh_and_is_reported(tmp_path: Path) -> None:
    source = dict(backbone().state_dict())
    source[STEM] = torch.zeros(1, 3, 3, 3)
    target = backbone()
    before = target.state_dict()[STEM].clone()
    report = load_weights(target, stored(tmp_path / "w.safetensors", source))
    assert report.fresh == [STEM]
    assert report.unused == [STEM]
    assert STEM not in report.loaded
    assert torch.equal(target.state_dict()[STEM], before)


def test_a_file_without_the_counters_of_batch_norms_is_taken(tmp_path: Path) -> None:
    source = {name: value for name, value in backbone().state_dict().items() if value.is_floating_point()}
    report = load_weights(backbone(), stored(tmp_path / "w.safetensors", source))
    assert report.fresh
    assert all(name.endswith("num_batches_tracked") for name in report.fresh)


@pytest.mark.data
def test_the_real_weights_fit_whole(real_data: Path) -> None:
    target = backbone("mobilenetv2_100", pad_type="same")
    report = load_weights(target, real_data / "weights" / "mobilenetv2_100.in1k.safetensors")
    assert report.unused == ["classifier.bias", "classifier.weight"]
    assert all(name.endswith("num_batches_tracked") for name in report.fresh)


# --- a model of ours


def test_the_backbone_of_a_finished_model_can_be_gone_on_from(model_folder: Path, tiny_recipe) -> None:
    own = tiny_recipe.model
    for path in (model_folder, model_folder / "model.safetensors"):
        report = load_weights(backbone(own.backbone, **own.options), path)
        assert report.fresh == []
        assert report.unused == ["head.1.bias", "head.1.weight"]


@pytest.fixture
def cells(model_folder: Path) -> Partition:
    """The model's countries, without its first and with one that it lacks."""
    theirs = ModelFolder.open(model_folder).partition
    assert theirs is not None
    codes = (*theirs.cell_ids[1:], "IS")
    return build_partition("countries", [(0.0, 0.0)] * len(codes), codes)


def test_a_head_is_gone_on_with_for_the_cells_that_both_know(model_folder: Path, cells: Partition) -> None:
    stored = load_file(model_folder / "model.safetensors")
    weight, bias = stored["head.1.weight"], stored["head.1.bias"]
    theirs = ModelFolder.open(model_folder).partition
    head = linear_head(weight.shape[1], len(cells))
    assert theirs is not None
    assert load_head(head, cells, model_folder) == [each for each in cells.cell_ids if each != "IS"]
    own = head.state_dict()
    for row, code in enumerate(cells.cell_ids):
        known = code in theirs.cell_ids
        expected = weight[theirs.cell_ids.index(code)] if known else weight.mean(dim=0)
        assert torch.equal(own["1.weight"][row], expected), code
        assert own["1.bias"][row] == (bias[theirs.cell_ids.index(code)] if known else bias.min())


def test_a_head_of_other_layers_is_refused(model_folder: Path, cells: Partition) -> None:
    features = load_file(model_folder / "model.safetensors")["head.1.weight"].shape[1]
    for head in (linear_head(features, len(cells), hidden=3), linear_head(features + 1, len(cells))):
        before = {name: value.clone() for name, value in head.state_dict().items()}
        with pytest.raises(ModelError, match=r"head of other layers.*model\.keep_head=false"):
            load_head(head, cells, model_folder)
        assert_filled(head, before)


def test_a_head_of_other_cells_is_refused(
    model_folder: Path, point_model_folder: Path, cells: Partition
) -> None:
    corners = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)]
    square = build_partition("square", corners, cells=4)
    with pytest.raises(ModelError, match="tells apart countries, the recipe square"):
        load_head(linear_head(4, len(square)), square, model_folder)
    with pytest.raises(ModelError, match="tells apart no cells, the recipe countries"):
        load_head(linear_head(4, len(cells)), cells, point_model_folder)


@pytest.mark.parametrize("leftover", [None, "config.json", "model.safetensors"])
def test_a_folder_that_is_no_finished_model_is_refused(tmp_path: Path, leftover: str | None) -> None:
    if leftover:
        (tmp_path / leftover).write_bytes(b"{}")
    with pytest.raises(ModelError, match=r"is not a finished model folder .*give the file"):
        load_weights(backbone(), tmp_path)


# --- files of torch.save


PREFIXES = ["", "module.", "backbone.", "encoder.", "model.", "module._orig_mod.", "network.backbone."]
NESTS: list[tuple[str, ...]] = [
    (),
    ("state_dict",),
    ("model_state_dict",),
    ("model",),
    ("model", "state_dict"),
]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("nests", NESTS, ids="/".join)
def test_a_training_scripts_file_is_understood(tmp_path: Path, prefix: str, nests: tuple[str, ...]) -> None:
    source = backbone().state_dict()
    head = {f"{prefix}fc.weight": torch.zeros(7, 4)}
    content: Any = OrderedDict({f"{prefix}{name}": value for name, value in source.items()} | head)
    for nest in reversed(nests):
        content = {"epoch": 12, "arch": "resnet", "best": 0.5, nest: content, "optimizer": {"state": {}}}
    target = backbone()
    report = load_weights(target, pickled(tmp_path / "w.pth.tar", content))
    assert report.loaded == sorted(source)
    assert report.unused == [f"{prefix}fc.weight"]
    assert_filled(target, source)


@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.ckpt", "w.pth.tar", "w.bin", "weights"])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_the_content_says_how_to_read_a_file_whatever_its_name(
    tmp_path: Path, name: str, zipped: bool
) -> None:
    source = backbone().state_dict()
    target = backbone()
    load_weights(target, pickled(tmp_path / name, source, _use_new_zipfile_serialization=zipped))
    assert_filled(target, source)


class _Python2Pickler(pickle._Pickler):
    """Writes text as Python 2 wrote its strings, which Places365's files hold."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def save_str(self, text: str) -> None:
        data = text.encode("ascii")
        self.write(pickle.SHORT_BINSTRING + bytes([len(data)]) + data)
        self.memoize(text)

    dispatch[str] = save_str


@pytest.mark.parametrize("arch", ["resnet18", "resnet50"])
@pytest.mark.parametrize("target", ["{}", "torchvision:{}"])
@pytest.mark.slow
def test_places365_weights_fit(tmp_path: Path, arch: str, target: str) -> None:
    """Their files: torchvision's network in DataParallel, saved by Python 2 and a torch without counters."""
    torch.manual_seed(0)
    whole = torchvision.models.get_model(arch, weights=None, num_classes=365).state_dict()
    source = {name: value for name, value in whole.items() if not name.endswith("num_batches_tracked")}
    content = {
        "epoch": 90,
        "arch": arch,
        "state_dict": OrderedDict((f"module.{name}", value) for name, value in source.items()),
        "best_prec1": 54.2,
    }
    path = tmp_path / f"{arch}_places365.pth.tar"
    python2: Any = types.ModuleType("python2")
    python2.Pickler, python2.dump = _Python2Pickler, pickle.dump
    torch.save(content, path, pickle_module=python2, pickle_protocol=2, _use_new_zipfile_serialization=False)
    assert b"module.conv1.weight" in path.read_bytes()
    filled = backbone(target.format(arch))
    report = load_weights(filled, path)
    assert report.unused == ["module.fc.bias", "module.fc.weight"]
    assert report.loaded == sorted(source.keys() - {"fc.weight", "fc.bias"})
    assert all(name.endswith("num_batches_tracked") for name in report.fresh)
    state = filled.state_dict()
    assert [name for name in report.loaded if not torch.equal(state[name], source[name])] == []


def test_what_a_name_fits_as_it_is_wins(tmp_path: Path) -> None:
    """Of a file with two networks in it, such as a student and a moving average of it."""
    plain, other = backbone().state_dict(), backbone().state_dict()
    both = {f"module.{name}": value for name, value in other.items()} | plain
    target = backbone()
    report = load_weights(target, pickled(tmp_path / "w.pth", both))
    assert_filled(target, plain)
    assert report.unused == sorted(f"module.{name}" for name in other)


def test_a_layout_that_timm_converts_is_taken(tmp_path: Path) -> None:
    """ConvNeXt as its authors publish it: other names, and a norm that the backbone keeps."""
    source = backbone("convnext_atto", conv_mlp=False).state_dict()
    theirs = {}
    for name, value in source.items():
        new = name.replace("stem.0", "downsample_layers.0.0").replace("stem.1", "downsample_layers.0.1")
        if new.startswith("stages."):
            _, stage, rest = new.split(".", 2)
            if rest.startswith("downsample."):
                new = f"downsample_layers.{stage}.{rest.removeprefix('downsample.')}"
            else:
                new = f"stages.{stage}.{rest.removeprefix('blocks.')}"
            new = new.replace("conv_dw", "dwconv").replace("mlp.fc", "pwconv")
        theirs[new.replace("head.norm", "norm")] = value
    theirs |= {"head.weight": torch.zeros(7, 320), "head.bias": torch.zeros(7)}
    target = backbone("convnext_atto", conv_mlp=False)
    report = load_weights(target, pickled(tmp_path / "w.pth", {"model": theirs}))
    assert report.fresh == []
    assert_filled(target, source)


# --- what is not this backbone's


def test_weights_of_another_backbone_are_refused(tmp_path: Path) -> None:
    path = stored(tmp_path / "w.safetensors", backbone().state_dict())
    with pytest.raises(ModelError, match="another backbone"):
        load_weights(backbone("test_convnext"), path)


@pytest.mark.parametrize(
    ("file", "target"),
    [
        ("resnet50", "resnet18"),
        ("resnet18", "resnet34"),
        ("resnet34", "resnet18"),  # the deeper one's file has all that the shallower one asks for
        ("efficientnet_b1", "efficientnet_b0"),
        ("efficientnet_b0", "efficientnet_b1"),
        ("lostfound:cnn5", "lostfound:cnn8"),
        ("lostfound:cnn8", "lostfound:cnn5"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_weights_of_a_cousin_that_fit_in_part_are_refused(
    tmp_path: Path, file: str, target: str, prefix: str
) -> None:
    """Half of a network's weights would be a silent bad start, and so would half of a file's."""
    source = {f"{prefix}{name}": value for name, value in backbone(file).state_dict().items()}
    wanted = backbone(target)
    before = {name: value.clone() for name, value in wanted.state_dict().items()}
    with pytest.raises(ModelError, match=r"only \d+.* another backbone; set model\.backbone"):
        load_weights(wanted, stored(tmp_path / "w.safetensors", source))
    assert_filled(wanted, before)  # it is left as it was


@pytest.mark.parametrize("name", ["alexnet", "googlenet"])
@pytest.mark.slow
def test_a_torchvision_file_fits_its_own_model(tmp_path: Path, name: str) -> None:
    """With the heads of another number of classes, which are many tensors beside AlexNet's sixteen."""
    options = {"init_weights": True} if name == "googlenet" else {}
    whole = torchvision.models.get_model(name, weights=None, num_classes=7, **options).state_dict()
    target = backbone(f"torchvision:{name}")
    report = load_weights(target, stored(tmp_path / "w.safetensors", whole))
    assert report.fresh == []
    assert_filled(target, whole)
    assert {each.partition(".")[0] for each in report.unused} <= {"classifier", "fc", "aux1", "aux2"}


# --- what can't be read


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nothing\.safetensors does not exist"):
        load_weights(backbone(), tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("keep", [0, 4, 8, 100, -1])
def test_a_truncated_safetensors_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = stored(tmp_path / "w.safetensors", backbone().state_dict())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match="can't be read as safetensors"):
        load_weights(backbone(), path)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("keep", [4, 100, 5000, -100, -1])
def test_a_truncated_torch_file_is_one_clear_line(tmp_path: Path, keep: int, zipped: bool) -> None:
    state = backbone().state_dict()
    path = pickled(tmp_path / "w.pth", state, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"w\.pth can't be opened as plain tensors") as caught:
        load_weights(backbone(), path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"epoch": 3},
        {"state_dict": {}},
        {"state_dict": {"epoch": 3}},
        [torch.zeros(3)],
        torch.zeros(3),
        None,
    ],
    ids=str,
)
def test_a_file_without_tensors_by_name_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(ModelError, match="holds no tensors by name"):
        load_weights(backbone(), pickled(tmp_path / "w.pth", content))


def test_a_safetensors_file_whose_header_looks_like_a_pickle_is_read(tmp_path: Path) -> None:
    """The header's length comes first; 0x0280 reads as the start of a pickle of protocol 2."""
    path = stored(tmp_path / "w.safetensors", backbone().state_dict())
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    padded = (length & ~0xFFFF) + 0x10280
    header = data[8 : 8 + length] + b" " * (padded - length)
    path.write_bytes(padded.to_bytes(8, "little") + header + data[8 + length :])
    assert path.read_bytes()[:2] == b"\x80\x02"
    assert load_weights(backbone(), path).fresh == []


# --- malicious files


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


def _torch_zip(trap: Trap) -> bytes:
    buffer = io.BytesIO()
    torch.save({"state_dict": backbone().state_dict(), "args": trap}, buffer)
    return buffer.getvalue()


def _torch_legacy(trap: Trap) -> bytes:
    buffer = io.BytesIO()
    content = {"state_dict": backbone().state_dict(), "args": trap}
    torch.save(content, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


MALICIOUS: dict[str, Callable[[Trap], bytes]] = {
    "torch zip": _torch_zip,
    "torch legacy": _torch_legacy,
    "pickle 2": lambda trap: pickle.dumps(trap, protocol=2),
    "pickle 5": lambda trap: pickle.dumps(trap, protocol=5),
}


@pytest.mark.parametrize("name", ["w.pth", "w.pth.tar", "w.safetensors", "weights"])
@pytest.mark.parametrize("kind", MALICIOUS)
def test_code_in_a_file_is_not_run(tmp_path: Path, kind: str, name: str) -> None:
    opened = tmp_path / "opened"
    path = tmp_path / name
    path.write_bytes(MALICIOUS[kind](Trap(opened)))
    with pytest.raises(ModelError, match=r"objects whose opening can run code, so it is refused") as caught:
        load_weights(backbone(), path)
    assert not opened.exists()
    assert "\n" not in str(caught.value)


def test_the_oldest_pickles_are_not_opened_either(tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    path = tmp_path / "w.pkl"
    path.write_bytes(pickle.dumps(Trap(opened), protocol=0))
    with pytest.raises(ModelError, match="can't be read as safetensors"):
        load_weights(backbone(), path)
    assert not opened.exists()


@pytest.mark.parametrize("kind", ["torch zip", "torch legacy"])
def test_the_trap_works(tmp_path: Path, kind: str) -> None:
    opened = tmp_path / "opened"
    torch.load(io.BytesIO(MALICIOUS[kind](Trap(opened))), weights_only=False)
    assert opened.exists()
