"""Pictures of an evaluation."""

from __future__ import annotations

import io
import textwrap
from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

MAX_CLASSES = 40
OTHERS = "others"


def draw_confusion(truth: NDArray[np.object_], guess: NDArray[np.object_], *, title: str) -> bytes:
    """A confusion matrix: rows are true countries, columns guessed ones, each row adds up to 100 %.

    Args:
        truth: True country codes, (n,); images without one are left out.
        guess: Guessed country codes, (n,).
        title: Above the picture.

    Returns:
        A PNG. The `MAX_CLASSES` most frequent true countries are shown, the rest together as "others", which
        the picture says below.
    """
    known = np.array([code is not None for code in truth], dtype=bool)
    truth, guess = truth[known].astype(str), guess[known].astype(str)
    codes, counts = np.unique(truth, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MAX_CLASSES]
    shown = [str(code) for code in codes[order]]
    complete = shown and len(shown) == len(np.union1d(truth, guess))
    labels = shown if complete else [*shown, OTHERS]
    number = {code: index for index, code in enumerate(shown)}
    matrix = np.zeros((len(labels), len(labels)))
    np.add.at(
        matrix,
        (
            [number.get(code, len(shown)) for code in truth],
            [number.get(code, len(shown)) for code in guess],
        ),
        1,
    )
    total = matrix.sum(axis=1)
    share = np.divide(matrix, total[:, None], out=np.zeros_like(matrix), where=total[:, None] > 0)
    side = 3.2 + 0.26 * len(labels)
    figure = Figure(figsize=(side + 1, side), dpi=130, layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(100 * share, cmap="Blues", vmin=0, vmax=100)
    axes.set_xticks(range(len(labels)), labels, rotation=90)
    axes.set_yticks(
        range(len(labels)), [f"{label}  {int(n)}" for label, n in zip(labels, total, strict=True)]
    )
    axes.set_xlabel("guessed country")
    axes.set_ylabel("true country, and its images")
    axes.set_title(title, fontsize=10)
    if not complete:
        figure.supxlabel(_what_others_are(list(truth), list(guess), shown, width=int(17 * side)), fontsize=7)
    if len(labels) <= 20:
        for row in range(len(labels)):
            for column in range(len(labels)):
                if share[row, column] >= 0.005:
                    axes.text(
                        column, row, f"{100 * share[row, column]:.0f}", ha="center", va="center", fontsize=7,
                        color="white" if share[row, column] > 0.6 else "black",
                    )  # fmt: skip
    figure.colorbar(image, ax=axes, label="% of the true country's images", shrink=0.7)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _what_others_are(truth: Sequence[str], guess: Sequence[str], shown: list[str], *, width: int) -> str:
    """Which countries "others" stands for, in lines of so many letters."""
    rest = Counter(sorted(code for code in truth if code not in shown))
    guessed = sorted(set(guess) - set(shown) - set(rest) - {"None"})
    parts = []
    if rest:
        parts.append(
            f"{len(rest)} with images: " + ", ".join(f"{code} {count}" for code, count in rest.most_common())
        )
    if guessed:
        parts.append(f"{len(guessed)} guessed alone: " + ", ".join(guessed))
    if "None" in guess:
        parts.append("no country guessed")
    return textwrap.fill(f"{OTHERS}: {'; '.join(parts)}", width)
