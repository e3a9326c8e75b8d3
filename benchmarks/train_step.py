"""What an epoch costs with `lostfound train`, and with the bare loop that a user would write instead.

    python benchmarks/train_step.py FOLDER_OF_COUNTRY_FOLDERS [--pairs 3] [--size 160]

Both train the same timm backbone on the same images with the same augmentation, batch size, optimiser and
number of workers, in turn, each in a process of its own, with OpenMP threads that wait passively.
`lostfound` sets that by itself; where threads spin and the workers want cores too, a bare loop may take many
times as long. The bare loop is torchvision's ImageFolder,
a DataLoader, and forward, backward, step: no validation, no logs, no checkpoints, no determinism.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import machine, versions

BACKBONE, BATCH, WORKERS = "mobilenetv2_100", 64, 2


def bare_epochs(folder: Path, size: int, epochs: int) -> list[float]:
    """Seconds of each epoch of the bare loop."""
    import timm
    import torch
    from torchvision import datasets, transforms

    augment = transforms.Compose(
        [
            transforms.RandomResizedCrop(size, (0.4, 1.0)),
            transforms.ColorJitter(0.2, 0.2, 0.2, 0.02),
            transforms.ToTensor(),
            transforms.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )
    images = datasets.ImageFolder(folder, augment)
    loader = torch.utils.data.DataLoader(
        images, BATCH, shuffle=True, num_workers=WORKERS, drop_last=True, persistent_workers=True
    )
    model = timm.create_model(BACKBONE, pad_type="same", num_classes=len(images.classes), drop_rate=0.2)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    criterion = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    seconds = []
    for _ in range(epochs):
        start = time.perf_counter()
        for pixels, labels in loader:
            optimizer.zero_grad()
            criterion(model(pixels), labels).backward()
            optimizer.step()
        seconds.append(time.perf_counter() - start)
    return seconds


def our_epochs(dataset: Path, folder: Path, size: int, epochs: int) -> list[float]:
    """Seconds of each epoch of `lostfound train`, with its validation, logs and checkpoint."""
    settings = [f"trainer.epochs={epochs}", f"input.size=[{size}, {size}]", f"trainer.workers={WORKERS}"]
    command = ["lostfound", "train", "countries", "--data", str(dataset), "--to", str(folder)]
    for setting in [*settings, "task.min_images=2", f"trainer.batch_size={BATCH}"]:
        command += ["--set", setting]
    run = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=True)
    return [float(seconds) for seconds in re.findall(r"^epoch .* ([\d.]+) s$", run.stderr, re.MULTILINE)]


def make_data(source: Path, work: Path) -> tuple[Path, Path, int]:
    """The data set, and a folder of class folders with the very images of its training split."""
    from lostfound.data.dataset import Dataset
    from lostfound.data.importers.importing import import_images
    from lostfound.data.splits import SplitSettings

    import_images([source], work / "dataset", splits=SplitSettings(val=0.01, test=0.2))
    train = Dataset.open(work / "dataset").split("train")
    countries = train.records["country"].to_pylist()
    few = {code for code in countries if countries.count(code) < 2}
    written = 0
    for index, code in enumerate(countries):
        if code not in few:
            path = work / "folders" / code / f"{index}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(train.read(index))
            written += 1
    return work / "dataset", work / "folders", written


def main() -> None:
    """Run both in turn and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare:
        print(json.dumps(bare_epochs(arguments.bare, arguments.size, 2)))
        return
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        dataset, folders, images = make_data(arguments.source, work)
        print(f"{images} training images, {BACKBONE}, {arguments.size} px, batch {BATCH}, {WORKERS} workers")
        print(f"{machine()}; {versions('torch', 'torchvision', 'timm', 'lightning')}")
        print("second epoch of each run, seconds (the first also starts the workers):")
        ratios = []
        for pair in range(arguments.pairs):
            command = [sys.executable, __file__, str(arguments.source), "--size", str(arguments.size)]
            passive = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
            run = subprocess.run(
                [*command, "--bare", str(folders)], capture_output=True, text=True, check=True, env=passive
            )
            bare = json.loads(run.stdout)[-1]
            ours = our_epochs(dataset, work / f"model-{pair}", arguments.size, 2)[-1]
            ratios.append(ours / bare)
            print(f"  bare {bare:.1f}  lostfound {ours:.1f}  ratio {ratios[-1]:.3f}", flush=True)
        print(f"median ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    main()
