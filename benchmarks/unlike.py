"""Pictures that are no photos of places, for `benchmarks/trust.py --unlike`.

    python benchmarks/unlike.py FOLDER [PICTURES ...]

Draws documents, charts, drawings, noise and plain colours, and adds the pictures of the docs (charts, maps,
pages of the program) and PICTURES: those measured were scikit-image's of a face, animals, food and cells.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

DOCS = Path(__file__).resolve().parent.parent / "docs" / "images"
WORDS = (
    "no",
    "street",
    "is",
    "seen",
    "here",
    "a",
    "letter",
    "about",
    "nothing",
    "in",
    "particular",
    "signed",
)
EACH = 8


def drawn(random: np.random.Generator) -> dict[str, Image.Image]:
    """Pictures by name."""
    found = {name: Image.new("RGB", (320, 240), name) for name in ("black", "white", "gray", "red")}
    for number in range(EACH):
        spread = 2 ** (number + 1)
        noise = random.normal(128, spread, (240, 320, 3)).clip(0, 255).astype(np.uint8)
        found[f"noise-{number}"] = Image.fromarray(noise)
        page = Image.new("RGB", (420, 594), "white")
        pen, font = ImageDraw.Draw(page), ImageFont.load_default(10 + number)
        for y in range(30, 560, 14 + number):
            pen.text((30, y), " ".join(random.choice(WORDS, 8 - number // 3)), "black", font)
        found[f"document-{number}"] = page
        chart = Image.new("RGB", (400, 300), "white")
        pen = ImageDraw.Draw(chart)
        for bar, height in enumerate(random.integers(20, 250, 10)):
            pen.rectangle((20 + 36 * bar, 280 - int(height), 46 + 36 * bar, 280), _colour(random))
        found[f"chart-{number}"] = chart
        drawing = Image.new("RGB", (320, 320), _colour(random))
        pen = ImageDraw.Draw(drawing)
        for _ in range(4 + 3 * number):
            x, y, width, height = (int(each) for each in random.integers(10, 200, 4))
            draw = (pen.ellipse, pen.rectangle)[int(random.integers(2))]
            draw((x, y, x + width, y + height), _colour(random), "black", 3)
        found[f"drawing-{number}"] = drawing
    return found


def _colour(random: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = (int(each) for each in random.integers(40, 256, 3))
    return red, green, blue


def main() -> None:
    """Write and copy them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("pictures", type=Path, nargs="*")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    for name, picture in drawn(np.random.default_rng(0)).items():
        picture.save(given.folder / f"{name}.png")
    for file in (*sorted(DOCS.rglob("*.png")), *given.pictures):
        shutil.copy(file, given.folder / f"{file.parent.name}-{file.name}")
    print(f"{len(list(given.folder.iterdir()))} pictures in {given.folder}")


if __name__ == "__main__":
    main()
