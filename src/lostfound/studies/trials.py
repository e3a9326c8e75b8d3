"""What a search found: its trials as a table, the best settings, and how to train with them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lostfound.evaluation.metrics import METRICS
from lostfound.studies import queue
from lostfound.studies.search import EPOCH, SECONDS, VALUE, Search
from lostfound.studies.space import said
from lostfound.texts import csv_text

if TYPE_CHECKING:
    from optuna import Study

STATES = {
    "COMPLETE": "done",
    "PRUNED": "pruned",
    "FAIL": "failed",
    "RUNNING": "running",
    "WAITING": "waiting",
}


@dataclass(frozen=True)
class TrialResult:
    """A trial.

    Attributes:
        slot: Its number in the search, from 0.
        settings: What was tried, by dotted keys.
        state: done, pruned, failed, running or waiting.
        value: The best validation score, a share or km as the metric has it; None without one.
        best_epoch: Its epoch.
        seconds: How long it trained.
        by_epoch: The scores of its epochs.
        error: What went wrong.
    """

    slot: int
    settings: Mapping[str, Any]
    state: str
    value: float | None
    best_epoch: int | None
    seconds: float | None
    by_epoch: Mapping[int, float]
    error: str | None


def read_trials(search: Search, study: Study) -> list[TrialResult]:
    """The trials, best first; then those that were pruned, and those without a score."""
    latest: dict[int, TrialResult] = {}
    for trial in study.get_trials(deepcopy=False):
        slot = trial.user_attrs.get(queue.SLOT)
        if slot is None or trial.user_attrs.get(queue.SURPLUS):
            continue
        attributes = trial.user_attrs
        latest[slot] = TrialResult(
            slot,
            search.space.settings(trial.params),
            STATES[trial.state.name],
            attributes.get(VALUE),
            attributes.get(EPOCH),
            attributes.get(SECONDS),
            dict(trial.intermediate_values),
            attributes.get(queue.ERROR),
        )
    sign = -1 if search.maximise else 1

    def rank(each: TrialResult) -> tuple[int, float, int]:
        place = {"done": 0, "pruned": 1}.get(each.state, 2)
        return place, sign * each.value if each.value is not None else 0.0, each.slot

    return sorted(latest.values(), key=rank)


def best(trials: list[TrialResult]) -> TrialResult | None:
    """The best trial that was trained to its end."""
    return trials[0] if trials and trials[0].state == "done" else None


def describe_ties(trials: list[TrialResult]) -> str | None:
    """A word on trials that are as good as the best; None where it is alone."""
    found = best(trials)
    if found is None:
        return None
    others = [each for each in trials if each.state == "done" and each.value == found.value]
    if len(others) == 1:
        return None
    return (
        f"{len(others)} trials share the best score, which can't tell them apart; the first of them is given."
    )


def train_command(search: Search, settings: Mapping[str, Any]) -> str:
    """The command that trains with some settings."""
    words = ["lostfound", "train", search.recipe]
    if search.variant is not None:
        words += ["--variant", search.variant]
    words += ["--data", str(search.data.folder), "--to", "MODEL"]
    if search.weights is not None:
        words += ["--weights", search.weights]
    for key, value in {**search.changes, **settings, "trainer.monitor": search.metric}.items():
        words += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(words)


def cells(search: Search, each: TrialResult) -> list[str]:
    """A trial in words: its number, its settings, and how it went."""
    tried = each.settings
    settings = [said(tried[key]) if key in tried else "" for key in search.space.as_dict()]
    value = "" if each.value is None else METRICS[search.metric].number(each.value)
    epoch = "" if each.best_epoch is None else str(each.best_epoch)
    seconds = "" if each.seconds is None else f"{each.seconds:.0f}"
    return [str(each.slot + 1), *settings, value, epoch, seconds, each.state]


def columns(search: Search) -> list[str]:
    """The names of those cells."""
    heading = METRICS[search.metric].heading
    return ["trial", *(each.key for each in search.space.parameters), heading, "epoch", "s", "state"]


def markdown(search: Search, trials: list[TrialResult], command: str | None) -> str:
    """The table, with what it is and what to do next."""
    names = columns(search)
    lines = [
        f"# {search.recipe}{f', variant {search.variant}' if search.variant else ''}",
        "",
        f"Each trial's best epoch by {METRICS[search.metric].label} on the validation split of "
        f"`{search.data.name}`; the test split was not looked at. The best of many trials is a lucky one "
        "too: expect less on the test.",
        "",
        f"| {' | '.join(names)} |",
        f"|{'|'.join('---' for _ in names)}|",
        *(f"| {' | '.join(cells(search, each))} |" for each in trials),
        "",
    ]
    failed = [f"- {each.slot + 1}: {' '.join(each.error.split())}" for each in trials if each.error]
    if failed:
        lines += ["Failed:", "", *failed, ""]
    if ties := describe_ties(trials):
        lines += [ties, ""]
    if command is not None:
        lines += ["Train with the best:", "", "```sh", command, "```", ""]
    return "\n".join(lines)


def csv_table(search: Search, trials: list[TrialResult]) -> str:
    """The trials as a CSV table, whose columns are those of the search."""
    keys = [each.key for each in search.space.parameters]
    rows: list[list[object]] = [["trial", *keys, search.metric, "best_epoch", "seconds", "state", "error"]]
    for each in trials:
        settings = [each.settings.get(key, "") for key in keys]
        rest = [each.value, each.best_epoch, each.seconds, each.state, each.error]
        rows.append([each.slot + 1, *settings, *rest])
    return csv_text(rows)
