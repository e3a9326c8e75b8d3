"""Keep a finished model's linear head in its folder, so that explaining needs no ONNX package.

    python scripts/store_head.py MODEL PHOTOS

PHOTOS is a folder with a few real photos, on which the head is held to the graph.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from lostfound.predict.head import find_head
from lostfound.predict.locator import Locator
from lostfound.predict.model_folder import set_calibration
from lostfound.predict.photos import find_photos

if __name__ == "__main__":
    model, photos = map(Path, sys.argv[1:])
    locator = Locator.load(model)
    images = [locator.model.preprocessing(photo) for photo in find_photos([photos])[:16]]
    head = find_head(locator, np.stack(images))
    if head is None:
        raise SystemExit(f"{model} has no linear head")
    set_calibration(model, locator.model.calibration, statistics=head.arrays())
