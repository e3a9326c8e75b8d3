"""How fast training images are ready, and what a training step costs, against torchvision and a bare loop.

    python benchmarks/input_pipeline.py [--images 1200] [--rounds 3]

Pipeline: images a second, ready as batches, with the same random changes (a random resized crop and colour
jitter) or resized only, and as many worker processes. A user of torchvision's ImageFolder reads the photos as
they came, here drawn at 640x640 as Street View's interface gives them; `lostfound` has imported them once at
the size that training needs, and with `data.cache` has decoded them once. ImageFolder on the imported images
themselves is shown too.

Step: forward, backward and optimiser on one batch that is ready, by `lostfound`'s Lightning loop and
by a bare PyTorch loop of the same network. Every pair runs in turn.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from machine import machine, versions

SIZE, BATCH, WORKERS, STEPS = 160, 64, 2, 30
CROP, JITTER = (0.4, 1.0), (0.2, 0.2, 0.2, 0.02)


def make_images(folder: Path, count: int) -> None:
    """Photos of the generated world at 640 pixels, as a data set, and that one's images as files."""
    from lostfound.data.dataset import Dataset
    from lostfound.data.importers.importing import import_images
    from lostfound.data.splits import SplitSettings
    from lostfound.world import write_world

    countries = ["FR", "JP", "BR", "KE", "US", "IN"]
    write_world(folder / "world", places=count, views=1, size=640, countries=countries)
    import_images([folder / "world"], folder / "dataset", size=SIZE, splits=SplitSettings(val=0.1, test=0.0))
    train = Dataset.open(folder / "dataset").split("train")
    for index, row in enumerate(train.records.to_pylist()):
        for name, data in (
            ("originals", (folder / "world" / row["original"]).read_bytes()),
            ("imported", train.read(index)),
        ):
            path = folder / name / row["country"] / f"{index}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def image_folder(folder: Path, *, random: bool) -> Callable[[], Iterable[Any]]:
    """Batches of torchvision's ImageFolder, with random changes or resized only."""
    import torch
    from torchvision import datasets
    from torchvision.transforms import v2

    bicubic = v2.InterpolationMode.BICUBIC
    steps = (
        [v2.RandomResizedCrop(SIZE, CROP, interpolation=bicubic), v2.ColorJitter(*JITTER)]
        if random
        else [v2.Resize(SIZE, bicubic), v2.CenterCrop(SIZE)]
    )
    changes = v2.Compose([*steps, v2.PILToTensor()])
    loader = torch.utils.data.DataLoader(
        datasets.ImageFolder(folder, changes),
        BATCH,
        shuffle=True,
        num_workers=WORKERS,
        persistent_workers=True,
    )
    return lambda: loader


def our_batches(folder: Path, *, cached: bool, random: bool) -> Callable[[], Iterable[Any]]:
    """Batches as `lostfound train` makes them."""
    from lostfound.data.cache import cached_pixels
    from lostfound.data.dataset import Dataset
    from lostfound.data.images import Preprocessing
    from lostfound.training.loading import ImageSamples, build_loader
    from lostfound.training.sampling import EpochSampler
    from lostfound.training.settings import Augmentation, ColorJitter

    train = Dataset.open(folder / "dataset").split("train")
    preprocessing = Preprocessing(SIZE, SIZE, 1.0, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    jitter = ColorJitter(**dict(zip(ColorJitter.model_fields, JITTER, strict=True)))
    augmentation = Augmentation(crop_scale=CROP, color_jitter=jitter)
    pixels = cached_pixels(train, preprocessing, folder=folder / "cache") if cached else None
    samples = ImageSamples(train, preprocessing, augmentation if random else None, 0, pixels)
    count = len(train)
    sampler = EpochSampler(lambda generator: generator.permutation(count)[:, None], count, 0)
    batches = build_loader(samples, sampler, BATCH, WORKERS)
    return lambda: batches


def rate(batches: Callable[[], Iterable[Any]]) -> float:
    """Images a second of one pass."""
    start, images = time.perf_counter(), 0
    for batch in batches():
        images += len(batch[0])
    return images / (time.perf_counter() - start)


def pipelines(folder: Path, rounds: int, *, random: bool) -> None:
    """Measure the pipelines in turn and print a table."""
    pipelines_by_name = {
        "ImageFolder, photos of 640 px": image_folder(folder / "originals", random=random),
        f"ImageFolder, imported at {SIZE} px": image_folder(folder / "imported", random=random),
        f"lostfound, imported at {SIZE} px": our_batches(folder, cached=False, random=random),
        "lostfound, data.cache": our_batches(folder, cached=True, random=random),
    }
    for batches in pipelines_by_name.values():
        rate(batches)  # starts the workers
    rates: dict[str, list[float]] = {name: [] for name in pipelines_by_name}
    for _ in range(rounds):
        for name, batches in pipelines_by_name.items():
            rates[name].append(rate(batches))
    base = next(iter(pipelines_by_name))
    what = "random crop and colour jitter" if random else "resized only"
    print(f"\n| images ready a second, {WORKERS} workers, {what} | median of {rounds} | ratio | lowest |")
    print("|---|---|---|---|")
    for name, values in rates.items():
        ratios = [value / other for value, other in zip(values, rates[base], strict=True)]
        middle = statistics.median(values)
        print(f"| {name} | {middle:.0f} | {statistics.median(ratios):.2f} | {min(ratios):.2f} |")


def steps(folder: Path, rounds: int) -> None:
    """Measure training steps on one batch in turn and print a table."""
    import timm
    import torch
    from lightning.pytorch.callbacks import Callback

    from lostfound.data.dataset import Dataset
    from lostfound.training.build import build_training
    from lostfound.training.error_messages import training_errors
    from lostfound.training.recipe import load_recipe
    from lostfound.training.run_folder import RunFolder
    from lostfound.training.trainer import build_trainer

    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (BATCH, 1, SIZE, SIZE, 3), dtype=torch.uint8, generator=generator)
    rows = torch.arange(BATCH)[:, None]

    class Clock(Callback):
        def __init__(self) -> None:
            self.times: list[float] = []

        def on_train_batch_start(self, *_: object) -> None:
            self.times.append(time.perf_counter())

    def ours(number: int) -> float:
        recipe = load_recipe("countries", ["trainer.epochs=1", "trainer.workers=0", "task.min_images=2"])
        dataset = Dataset.open(folder / "dataset")
        clock = Clock()
        fixed = torch.utils.data.DataLoader(range(STEPS), 1, collate_fn=lambda _: [images, rows])  # type: ignore[arg-type]

        run = RunFolder(folder / f"model-{number}", recipe, dataset, None)
        training = build_training(recipe, dataset, None)
        with closing(training.batches), training_errors(run.folder):
            trainer, _ = build_trainer(recipe, run, training.monitor)
            trainer.callbacks.append(clock)  # type: ignore[attr-defined]
            run.begin(go_on=False)
            trainer.fit(training.module, fixed, training.batches.val)
        return statistics.median(np.diff(clock.times[5:]).tolist())

    def bare() -> float:
        network = timm.create_model("mobilenetv2_100", pad_type="same", num_classes=6, drop_rate=0.2)
        optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
        criterion = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
        inputs, labels = (images[:, 0].permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous(), rows[:, 0] % 6
        times = []
        for _ in range(STEPS):
            times.append(time.perf_counter())
            optimizer.zero_grad()
            criterion(network(inputs), labels).backward()
            optimizer.step()
        return statistics.median(np.diff(times[5:]).tolist())

    pairs = [(bare(), ours(number)) for number in range(rounds)]
    print(f"\n| training step, batch {BATCH} at {SIZE} px | bare loop, s | lostfound, s | ratio |")
    print("|---|---|---|---|")
    for number, (plain, own) in enumerate(pairs):
        print(f"| round {number + 1} | {plain:.3f} | {own:.3f} | {own / plain:.3f} |")
    print(f"| median | | | {statistics.median(own / plain for plain, own in pairs):.3f} |")


def main() -> None:
    """Run both parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=1200)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_images(folder, arguments.images)
        pipelines(folder, arguments.rounds, random=True)
        pipelines(folder, arguments.rounds, random=False)
        steps(folder, arguments.rounds)
    print(f"\n{machine()}; {versions('torch', 'torchvision', 'timm', 'lightning', 'pillow')}")


if __name__ == "__main__":
    main()
