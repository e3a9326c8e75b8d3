"""Photos a second of `lostfound locate`, beside the scripts that people write for the same network.

    python benchmarks/locate_loops.py [--geoclip FOLDER] [--photos 64] [--rounds 5] [--of FOLDER_OF_PHOTOS]

The network is the starter's, with other weights in torch, which makes no difference to its speed. In turn,
from the same files: the starter; a plain script (PIL, torchvision's transforms, the network of timm in
torch), one photo at a time as scripts do, and with a DataLoader in batches of 32; with --geoclip, a folder
that holds the package of that name, its own loop, with this network in place of CLIP: `predict`, which
computes its gallery for each photo, and the same with the gallery kept.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import types
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import timm
import torch
from generated import write_photos
from machine import machine, versions
from PIL import Image
from published import predict_kept
from torch.utils.data import DataLoader
from torchvision import transforms

import lostfound
from lostfound.predict.photos import find_photos

BACKBONE, SIDE, COUNTRIES = "tf_efficientnet_lite2", 224, 185
PREDICTED = 2
"""Photos of `predict` with its gallery, which takes seconds each."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--geoclip", type=Path, help="a folder that holds the package")
    parser.add_argument("--photos", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--of", type=Path, help="real photos; generated ones of 12 megapixels otherwise")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.of is None:
            write_photos(Path(folder), 16, 4000, 3000)
        found = find_photos([arguments.of or Path(folder)])
        photos = list(islice(cycle(found), arguments.photos))
        print(f"{machine()}; {versions('lostfound', 'onnxruntime', 'torch', 'torchvision', 'timm')}")
        print(f"{len(photos)} photos, {'real' if arguments.of else 'generated, of 12 megapixels'}")
        compare(ways(photos, arguments.geoclip), arguments.rounds)
    print(f"at the end: {machine()}")


def ways(photos: Sequence[Path], geoclip: Path | None) -> dict[str, tuple[int, Callable[[], Any]]]:
    """What is compared: how many photos each call answers, and the call."""
    locator = lostfound.load()
    network = timm.create_model(BACKBONE, num_classes=COUNTRIES).eval()
    found: dict[str, tuple[int, Callable[[], Any]]] = {
        "lostfound": (len(photos), lambda: list(locator.guesses(photos))),
        "plain script, one by one": (len(photos), lambda: one_by_one(network, photos)),
        "plain script, DataLoader": (len(photos), lambda: in_batches(network, photos)),
    }
    if geoclip is not None:
        theirs, kept = load_geoclip(geoclip)
        some = photos[:PREDICTED]
        found["geoclip, predict"] = (len(some), lambda: [theirs.predict(str(each), 5) for each in some])
        found["geoclip, gallery kept"] = (
            len(photos),
            lambda: [predict_kept(theirs, kept, each) for each in photos],
        )
    return found


def compare(ways: dict[str, tuple[int, Callable[[], Any]]], rounds: int) -> None:
    """Photos a second of each way, in turn."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):  # the first warms up
        for name, (number, way) in ways.items():
            start = time.perf_counter()
            way()
            if turn:
                rates[name].append(number / (time.perf_counter() - start))
    for name, values in rates.items():
        times = [own / other for own, other in zip(rates["lostfound"], values, strict=True)]
        print(
            f"{name}: {statistics.median(values):.2f} photos/s; lostfound answers "
            f"{statistics.median(times):.2f} times as many ({min(times):.2f} to {max(times):.2f})"
        )


def prepare() -> Any:
    """The usual transforms, as the starter sees photos."""
    return transforms.Compose(
        [
            transforms.Resize(SIDE, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(SIDE),
            transforms.ToTensor(),
            transforms.Normalize([0.498] * 3, [0.50196] * 3),
        ]
    )


def one_by_one(network: torch.nn.Module, photos: Sequence[Path]) -> list[Any]:
    """As a script does it."""
    transform, answers = prepare(), []
    with torch.no_grad():
        for each in photos:
            image = transform(Image.open(each).convert("RGB")).unsqueeze(0)
            answers.append(torch.softmax(network(image), dim=1).topk(5))
    return answers


class Files(torch.utils.data.Dataset[Any]):
    """Photos as a DataLoader takes them."""

    def __init__(self, photos: Sequence[Path]) -> None:
        self.photos, self.transform = photos, prepare()

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, row: int) -> Any:
        return self.transform(Image.open(self.photos[row]).convert("RGB"))


def in_batches(network: torch.nn.Module, photos: Sequence[Path]) -> list[Any]:
    """As a careful script does it: decoded in processes of its own, in batches."""
    loader = DataLoader(Files(photos), batch_size=32, num_workers=torch.get_num_threads())
    with torch.no_grad():
        return [torch.softmax(network(images), dim=1).topk(5) for images in loader]


class SmallEncoder(torch.nn.Module):
    """An image encoder for geoclip, of the starter's network in place of CLIP."""

    def __init__(self) -> None:
        super().__init__()
        self.network = timm.create_model(BACKBONE, num_classes=512)
        self.transform = prepare()

    def preprocess_image(self, image: Image.Image) -> torch.Tensor:
        """A photo as the network takes it."""
        return self.transform(image).unsqueeze(0)  # type: ignore[no-any-return]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """512 numbers of each."""
        return self.network(images)  # type: ignore[no-any-return]


def load_geoclip(folder: Path) -> tuple[Any, torch.Tensor]:
    """The package's own model with a small encoder, and its gallery's embeddings.

    The module that loads CLIP is replaced before the package is imported, so nothing is downloaded.
    """
    package = folder if (folder / "model").is_dir() else folder / "geoclip"
    module = types.ModuleType("geoclip")
    module.__path__ = [str(package)]
    sys.modules["geoclip"] = module
    encoder = types.ModuleType("geoclip.model.image_encoder")
    encoder.ImageEncoder = lambda *_, **__: SmallEncoder()  # type: ignore[attr-defined]
    sys.modules["geoclip.model.image_encoder"] = encoder
    from geoclip.model import GeoCLIP  # type: ignore[import-not-found]

    model = GeoCLIP(from_pretrained=False).eval()
    with torch.no_grad():
        kept = torch.nn.functional.normalize(model.location_encoder(model.gps_gallery), dim=1)
    return model, kept


if __name__ == "__main__":
    main()
