"""Photos for benchmarks, as many as are wanted, quickly: few pictures, bytes of each photo its own."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

PICTURES = 200


def write_photos(folder: Path, number: int, width: int, height: int, quality: int = 90) -> None:
    """Write photos named by their coordinates, each another photo to the importer.

    A JPEG comment of its own makes every file distinct; the pictures are blurred noise with some grain.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    files = []
    for _ in range(min(number, PICTURES)):
        blobs = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        pixels = np.asarray(blobs.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
        grain = random.normal(0, 8, (height, width, 1)).astype(np.int16)
        buffer = io.BytesIO()
        Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
        files.append(buffer.getvalue())
    for index in range(number):
        comment = f"photo {index:012}".encode()
        segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        data = files[index % len(files)]
        latitude, longitude = 36 + 24 * (index % 997) / 997, 28 * (index % 1009) / 1009
        (folder / f"{latitude:.5f},{longitude + index * 1e-6:.6f}.jpg").write_bytes(
            data[:2] + segment + data[2:]
        )
