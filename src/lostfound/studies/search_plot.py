"""The picture of a search: how it went, and what each setting did."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lostfound.studies.search import Search
from lostfound.studies.space import Parameter, label
from lostfound.studies.trials import TrialResult

_ACROSS = 3
_COLOURS = {"done": "#1f6fb2", "pruned": "#e08a2b"}


def draw_search(search: Search, trials: list[TrialResult]) -> bytes:
    """The score of each trial with the best so far; then a heat map of a grid of two, or each setting's.

    Returns:
        A PNG.
    """
    parameters = search.space.parameters
    scored = [each for each in trials if each.value is not None]
    two = len(parameters) == 2 and search.sampler == "grid"
    panels = 1 + (1 if two else len(parameters))
    columns = min(panels, _ACROSS)
    rows = -(-panels // columns)
    figure = Figure(figsize=(4.4 * columns, 3.8 * rows), dpi=130, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for unused in axes[panels:]:
        unused.remove()
    _history(axes[0], search, scored)
    if two:
        _heat_map(figure, axes[1], search, scored)
    else:
        for place, parameter in zip(axes[1:panels], parameters, strict=True):
            _scatter(place, search, parameter, scored)
    figure.suptitle(f"{search.recipe}: {search.metric} on the validation split", fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _history(axes: Axes, search: Search, scored: list[TrialResult]) -> None:
    ordered = sorted(scored, key=lambda each: each.slot)
    for state, colour in _COLOURS.items():
        points = [(each.slot + 1, each.value) for each in ordered if each.state == state]
        if points:
            axes.plot(*zip(*points, strict=True), "o", color=colour, markersize=4, label=state)
    done = [each for each in ordered if each.state == "done"]
    if done:
        values = np.array([each.value for each in done], dtype=float)
        running = np.maximum.accumulate(values) if search.maximise else np.minimum.accumulate(values)
        places = [each.slot + 1 for each in done] + [ordered[-1].slot + 1]
        axes.step(places, [*running, running[-1]], where="post", color="#555555", label="best so far")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("trial")
    axes.set_ylabel(search.metric)
    axes.legend(fontsize=7)
    axes.grid(alpha=0.25)


def _heat_map(figure: Figure, axes: Axes, search: Search, scored: list[TrialResult]) -> None:
    across, down = search.space.parameters
    values = np.full((len(down.values), len(across.values)), np.nan)
    pruned = np.zeros(values.shape, dtype=bool)
    for each in scored:
        column = across.values.index(each.settings[across.key])
        row = down.values.index(each.settings[down.key])
        values[row, column], pruned[row, column] = each.value, each.state == "pruned"
    image = axes.imshow(values, cmap="viridis" if search.maximise else "viridis_r", aspect="auto")
    axes.set_xticks(range(len(across.values)), [str(label(value)) for value in across.values], fontsize=8)
    axes.set_yticks(range(len(down.values)), [str(label(value)) for value in down.values], fontsize=8)
    axes.set_xlabel(across.key)
    axes.set_ylabel(down.key)
    for row, column in np.ndindex(values.shape):
        if np.isfinite(values[row, column]):
            text = f"{values[row, column]:.3g}{' (pruned)' if pruned[row, column] else ''}"
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color="white",
                      bbox={"facecolor": "black", "alpha": 0.35, "linewidth": 0, "pad": 1})  # fmt: skip
    figure.colorbar(image, ax=axes, shrink=0.8)


def _scatter(axes: Axes, search: Search, parameter: Parameter, scored: list[TrialResult]) -> None:
    for state, colour in _COLOURS.items():
        chosen = [each for each in scored if each.state == state]
        places: list[Any] = [each.settings[parameter.key] for each in chosen]
        if parameter.spread is None:
            places = [parameter.values.index(place) for place in places]
        axes.plot(
            places, [float(each.value or 0) for each in chosen], "o", color=colour, markersize=4, alpha=0.8
        )
    if parameter.spread is None:
        names = [str(label(value)) for value in parameter.values]
        axes.set_xticks(range(len(names)), names, fontsize=8)
        axes.set_xlim(-0.5, len(names) - 0.5)
    elif parameter.spread == "log":
        axes.set_xscale("log")
    axes.set_xlabel(parameter.key)
    axes.set_ylabel(search.metric)
    axes.grid(alpha=0.25)
