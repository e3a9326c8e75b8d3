"""What a photo went through before it came: what does that cost, and does the model notice?

    python benchmarks/altered.py MODEL DATASET:SPLIT ... --to benchmarks/results/altered.md

Each photo is altered as messengers, screenshots and scanners do, and answered again. "Says" is what the model
gives its first country on average; it is honest as long as that falls with what it gets right.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import machine, versions
from parts import asked, part_of
from PIL import Image, ImageOps
from views_of_one import number

from lostfound.data.dataset import Dataset
from lostfound.data.records import strings
from lostfound.evaluation.bootstrap import Samples
from lostfound.files import write_atomic
from lostfound.predict.engine import Seen
from lostfound.predict.locator import Locator

Change = Callable[[Image.Image], Image.Image]


def compressed(quality: int) -> Change:
    """Written as JPEG and read again."""

    def change(photo: Image.Image) -> Image.Image:
        file = io.BytesIO()
        photo.save(file, "JPEG", quality=quality)
        return Image.open(file).convert("RGB")

    return change


def small(side: int) -> Change:
    """Made small, its shorter side of so many pixels."""

    def change(photo: Image.Image) -> Image.Image:
        by = side / min(photo.size)
        return photo.resize((round(photo.width * by), round(photo.height * by)), Image.Resampling.LANCZOS)

    return change


def barred(photo: Image.Image) -> Image.Image:
    """Shown on a phone held upright: black above and below."""
    height = round(max(photo.width * 19.5 / 9, photo.height))
    shot = Image.new("RGB", (photo.width, height))
    shot.paste(photo, (0, (height - photo.height) // 2))
    return shot


def framed(share: float) -> Change:
    """A white frame around it, of a share of its shorter side."""
    return lambda photo: ImageOps.expand(photo, round(share * min(photo.size)), "white")


CHANGES: dict[str, Change] = {
    "as it was": lambda photo: photo,
    "JPEG of quality 50": compressed(50),
    "JPEG of quality 20": compressed(20),
    "shorter side of 96 pixels": small(96),
    "shorter side of 48 pixels": small(48),
    "grey": lambda photo: ImageOps.grayscale(photo).convert("RGB"),
    "mirrored": ImageOps.mirror,
    "lying on its side": lambda photo: photo.transpose(Image.Transpose.ROTATE_90),
    "white frame, a twentieth": framed(0.05),
    "screenshot on a phone, black bars": barred,
}


def main() -> None:
    """Alter all photos in every way, and write a table."""
    given = asked(__doc__)
    locator = Locator.load(given.model)
    lines = [
        "# What photos went through\n",
        f"`python benchmarks/altered.py MODEL {' '.join(Path(each).name for each in given.datasets)}`",
        f"on {machine()}; {versions('lostfound', 'onnxruntime', 'pillow')}.\n",
        "Right country, first answer and one of five, and difference from the photo as it was (95 % "
        "bootstrap intervals by place); what the model says on average that its first answer is worth; the "
        "share of photos that it answers. All in percent.\n",
        "| photos | what was done to them | first | one of five | says | answers |",
        "|---|---|---|---|---|---|",
    ]
    for each in given.datasets:
        name, part = part_of(each)
        base: tuple[Samples, Samples] | None = None
        for what, change in CHANGES.items():
            hits, said, answered = judged(locator, part, change)
            base = base or hits
            cells = [number(ours, theirs) for ours, theirs in zip(hits, base, strict=True)]
            cells += [f"{100 * said:.1f}", f"{100 * answered:.0f}"]
            lines.append(f"| {len(part)} of {name} | {what} | {' | '.join(cells)} |")
            write_atomic(given.to, ("\n".join(lines) + "\n").encode())


def judged(
    locator: Locator, dataset: Dataset, change: Change
) -> tuple[tuple[Samples, Samples], float, float]:
    """Whether the first answer, and one of five, is right; what the first is said to be worth; answered."""
    photos = (change(upright(dataset.read(row))) for row in range(len(dataset)))
    seen = [each for each in locator.look(photos) if isinstance(each, Seen)]
    guesses = locator.guess_each(seen)
    truth, places = (strings(dataset.records, name) for name in ("country", "place_id"))
    named = [[each.country for each in guess.candidates[:5]] for guess in guesses]
    first = np.array([names[:1] == [true] for names, true in zip(named, truth, strict=True)], float)
    five = np.array([true in names for names, true in zip(named, truth, strict=True)], float)
    said = float(np.mean([guess.candidates[0].probability for guess in guesses]))
    answered = float(np.mean([not guess.abstained for guess in guesses]))
    return (Samples(places, first), Samples(places, five)), said, answered


def upright(data: bytes) -> Image.Image:
    """The photo of a file, as it is shown."""
    return ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")


if __name__ == "__main__":
    main()
