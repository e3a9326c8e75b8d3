"""Where the time goes when photos are located, and what radius and abstention cost.

    python benchmarks/locate_profile.py MODEL FOLDER_OF_PHOTOS [--photos 400] [--rounds 5]

Locates the photos as `lostfound locate` does and adds up the time inside ONNX Runtime's `run`. The same is
done by a copy of the model without its calibration but the temperature, in turn, round by round.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, versions

from lostfound.predict.calibration import Calibration
from lostfound.predict.engine import BATCH_SIZE
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import CONFIG, STATISTICS, set_calibration
from lostfound.predict.photos import find_photos


class TimedLocator(Locator):
    """A locator that adds up the seconds spent in the network."""

    seconds = 0.0

    def _run(self, *arguments: Any) -> Any:
        start = time.perf_counter()
        result = super()._run(*arguments)
        self.seconds += time.perf_counter() - start
        return result


def main() -> None:
    """Measure and print the shares."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    photos = list(islice(cycle(find_photos([arguments.folder])), arguments.photos))
    with tempfile.TemporaryDirectory() as folder:
        bare = without_calibration(arguments.model, Path(folder) / "bare")
        whole, plain = TimedLocator.load(arguments.model), TimedLocator.load(bare)
        for locator in (whole, plain):
            list(locator.guesses(photos[:BATCH_SIZE]))  # warm up
            locator.seconds = 0.0
        seconds = np.array(
            [[timed(locator, photos) for locator in (whole, plain)] for _ in range(arguments.rounds)]
        )
    wall, inside = float(seconds[:, 0].sum()), whole.seconds
    ratios = seconds[:, 0] / seconds[:, 1]
    count = len(photos) * arguments.rounds
    print(f"{count} photos, {machine()}; {versions('onnxruntime', 'pillow', 'numpy')}")
    print(f"located in {wall:.2f} s ({count / wall:.0f} photos/s)")
    print(f"  inside the network {inside:.2f} s, {100 * inside / wall:.1f} % of the time")
    print(f"  waiting for decoding, and making guesses {wall - inside:.2f} s")
    print(
        f"with radius and abstention against the same model without: {np.median(ratios):.3f} times the time "
        f"(rounds: {', '.join(f'{ratio:.3f}' for ratio in ratios)})"
    )


def without_calibration(model: Path, to: Path) -> Path:
    """A copy of a model that knows nothing of its calibration but the temperature."""
    shutil.copytree(model, to, ignore=shutil.ignore_patterns("run"))
    config = json.loads((to / CONFIG).read_bytes())
    if config["files"].pop(STATISTICS, None):
        (to / STATISTICS).unlink()
    (to / CONFIG).write_text(json.dumps(config))
    set_calibration(to, Calibration(Locator.load(to).model.calibration.temperature))
    return to


def timed(locator: Locator, photos: Sequence[Path]) -> float:
    """The seconds that photos take."""
    start = time.perf_counter()
    for _ in locator.guesses(photos):
        pass
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
