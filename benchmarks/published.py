"""A converted GeoCLIP beside the package `geoclip`, with the same CLIP of random weights behind both.

    python benchmarks/published.py GEOCLIP --work FOLDER [--layers 24] [--photos 16] [--rounds 3]
        [--precision int8]

GEOCLIP is the folder of the package, with its weights, or one that holds it. The first run makes CLIP and
converts it into --work (of the real shape, ViT-L/14, that takes 4 GB there, and minutes); later ones use what
is there. Photos a second: `predict`, which computes its gallery for each photo; the same with the gallery
kept, as its users do; and `locate`, from the same files, in turn. Start-up: a new process, from the start of
Python to the model that is open, and to the first answer.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from generated import write_photos
from machine import machine, versions

IMPORT = """
import sys, types, warnings
warnings.simplefilter("ignore")
package = types.ModuleType("geoclip")
package.__path__ = [sys.argv[1]]
sys.modules["geoclip"] = package
from geoclip.model import GeoCLIP
"""
"""The package without its training, which needs more."""
THEIRS = (
    IMPORT
    + """
import time
model = GeoCLIP(clip_path=sys.argv[2]).eval()
print(time.time())
model.predict(sys.argv[3], 5)
print(time.time())
"""
)
OURS = """
import sys, time
import lostfound
model = lostfound.load(sys.argv[2])
print(time.time())
model.locate(sys.argv[3])
print(time.time())
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("geoclip", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--layers", type=int, default=24, help="of CLIP; 24 is the real number")
    parser.add_argument("--photos", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="fp32", help="that ours is converted with")
    arguments = parser.parse_args()
    package = next(
        each
        for each in (arguments.geoclip, arguments.geoclip / "geoclip")
        if (each / "model" / "weights").is_dir()
    )
    clip, model = prepare(package, arguments.work, arguments.layers, arguments.precision)
    with tempfile.TemporaryDirectory() as folder:
        write_photos(Path(folder), arguments.photos, 1024, 768)
        photos = sorted(Path(folder).iterdir())
        print(f"{machine()}; {versions('lostfound', 'onnxruntime', 'torch', 'transformers', 'numpy')}")
        print(
            f"CLIP of {arguments.layers} layers, lostfound's in {arguments.precision}, "
            f"{arguments.photos} photos of 1024x768"
        )
        start_up(package, clip, model, photos[0], arguments.rounds)
        rates(package, clip, model, photos, arguments.rounds)
    print(f"at the end: {machine()}")


def prepare(package: Path, work: Path, layers: int, precision: Any) -> tuple[Path, Path]:
    """CLIP with random weights, and the model folder made of it; once."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    from lostfound.models.published.convert import convert

    clip, model = work / f"clip-{layers}", work / f"geoclip-{layers}-{precision}"
    if not (clip / "preprocessor_config.json").is_file():
        torch.manual_seed(0)
        text = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
        vision = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16}
        config = CLIPConfig(
            projection_dim=768,
            text_config={**text, "num_hidden_layers": min(layers, 12), "projection_dim": 768},
            vision_config={
                **vision,
                **{"num_hidden_layers": layers, "patch_size": 14, "image_size": 224, "projection_dim": 768},
            },
        )
        CLIPModel(config).save_pretrained(clip)
        CLIPImageProcessor().save_pretrained(clip)
    if not model.is_dir():
        convert("geoclip", model, weights=str(package), backbone=str(clip), precision=precision)
    return clip, model


def start_up(package: Path, clip: Path, model: Path, photo: Path, rounds: int) -> None:
    """How long new processes take."""
    found: dict[str, list[list[float]]] = {"geoclip": [], "lostfound": []}
    for _ in range(rounds):
        for name, code, of in (("geoclip", THEIRS, clip), ("lostfound", OURS, model)):
            begin = time.time()
            told = subprocess.run(
                [sys.executable, "-c", code, str(package), str(of), str(photo)],
                check=True,
                capture_output=True,
                text=True,
            )
            found[name].append([float(line) - begin for line in told.stdout.splitlines()])
    opened, answered = (
        {name: statistics.median(each[at] for each in values) for name, values in found.items()}
        for at in (0, 1)
    )
    for what, took in (("until it is open", opened), ("until the first answer", answered)):
        share = took["lostfound"] / took["geoclip"]
        print(
            f"new process {what}: geoclip {took['geoclip']:.2f} s, lostfound {took['lostfound']:.2f} s "
            f"({share:.2f} of it)"
        )


def rates(package: Path, clip: Path, model: Path, photos: Sequence[Path], rounds: int) -> None:
    """Photos a second, and what the gallery costs."""
    import torch

    from lostfound.predict.locator import Locator

    theirs = load_theirs(package, clip)
    ours = Locator.load(model)
    start = time.perf_counter()
    with torch.no_grad():
        kept = torch.nn.functional.normalize(theirs.location_encoder(theirs.gps_gallery), dim=1)
    print(f"geoclip's gallery, {len(kept)} places, takes it {time.perf_counter() - start:.1f} s")
    some = photos[:1]
    ours.locate(some)  # warm
    predict_kept(theirs, kept, photos[0])
    ways: dict[str, tuple[int, Callable[[], Any]]] = {
        "geoclip, predict": (len(some), lambda: [theirs.predict(str(each), 5) for each in some]),
        "geoclip, gallery kept": (len(photos), lambda: [predict_kept(theirs, kept, each) for each in photos]),
        "lostfound, one by one": (len(photos), lambda: [ours.locate(each) for each in photos]),
        "lostfound, together": (len(photos), lambda: ours.locate(list(photos))),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (number, way) in ways.items():
            start = time.perf_counter()
            way()
            took[name].append(number / (time.perf_counter() - start))
    base = statistics.median(took["geoclip, predict"])
    beside = statistics.median(took["geoclip, gallery kept"])
    for name, values in took.items():
        rate = statistics.median(values)
        print(
            f"{name}: {rate:.3f} photos/s ({rate / base:.2f} of predict, {rate / beside:.2f} of it with its "
            "gallery kept)"
        )
    gallery(ours, model, theirs, kept, rounds)


def gallery(ours: Any, model: Path, theirs: Any, kept: Any, rounds: int) -> None:
    """What the gallery's step costs, and opening the model."""
    import torch

    from lostfound.predict.model_folder import ModelFolder

    dice = np.random.default_rng(0)
    scale = float(theirs.logit_scale.detach().exp())
    for number in (1, 32):
        outputs = dice.normal(size=(number, 512)).astype(np.float32)
        embedded = torch.nn.functional.normalize(torch.from_numpy(outputs), dim=1)

        def their_step(found: Any = embedded) -> None:
            torch.topk((scale * found @ kept.T).softmax(dim=1), 5, dim=1)

        own, other = (
            1000 / number * fastest(step, 5 * rounds)
            for step in (lambda o=outputs: ours.model.decoder.decode(o, 5), their_step)
        )
        print(f"gallery step, {number} at a time: lostfound {own:.2f} ms a photo, geoclip {other:.2f} ms")
    opening = fastest(lambda: ModelFolder.open(model), rounds)
    print(f"opening the model folder in a process that has opened it before: {opening:.3f} s")


def load_theirs(package: Path, clip: Path) -> Any:
    """The package's own model."""
    module = types.ModuleType("geoclip")
    module.__path__ = [str(package)]
    sys.modules["geoclip"] = module
    from geoclip.model import GeoCLIP

    return GeoCLIP(clip_path=str(clip)).eval()


def predict_kept(model: Any, kept: Any, photo: Path) -> Any:
    """Its `predict` with the gallery's embeddings computed once."""
    import torch
    from PIL import Image

    with torch.no_grad(), Image.open(photo) as image:
        pixels = model.image_encoder.preprocess_image(image.convert("RGB"))
        found = torch.nn.functional.normalize(model.image_encoder(pixels), dim=1)
        return torch.topk((model.logit_scale.exp() * found @ kept.T).softmax(dim=-1), 5, dim=1)


def fastest(step: Callable[[], Any], rounds: int) -> float:
    """Seconds of the fastest of some rounds."""
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        step()
        took.append(time.perf_counter() - start)
    return min(took)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
