"""Running a study: every entry with every seed, one after the other, and what they add up to."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from lostfound.errors import LostFoundError, RecipeError, UsageError
from lostfound.evaluation.card import write_card
from lostfound.evaluation.evaluate import evaluate
from lostfound.files import write_atomic
from lostfound.predict.locator import Locator
from lostfound.studies.memory import free_memory
from lostfound.studies.report import write_report
from lostfound.studies.results import StudyResults, judge
from lostfound.studies.runs import StudyRun
from lostfound.studies.study import Study

MARKER = "study.txt"


def run_study(study: Study, runs: list[StudyRun], to: Path) -> StudyResults:
    """Train and judge what is missing, and write the table after each seed.

    A run that fails does not stop the others. Ctrl-C and a kill leave what is finished; the same call goes on
    with the rest, and with a training after its last epoch. What was made with other settings is made again.

    Args:
        study: What to compare.
        runs: Its `plan`.
        to: Folder of the results.

    Raises:
        UsageError: The folder is something else's.
    """
    _claim(to, study.file.name)
    failed: dict[tuple[str, int], str] = {}
    for number, run in enumerate(runs, start=1):
        state = run.state()
        if state == "done":
            continue
        going_on = ", going on" if state == "stopped" else ""
        _say(f"[{number}/{len(runs)}] {run.label}{going_on}")
        try:
            if run.needs is not None and (run.needs.entry, run.needs.seed) in failed:
                raise LostFoundError(f"it needs the model of {run.needs.label}, which failed")
            _train_and_judge(run)
        except Exception as error:  # of any kind: the other runs don't depend on it
            known = isinstance(error, LostFoundError)
            failed[run.entry, run.seed] = str(error) if known else f"{type(error).__name__}: {error}"
            _say(f"{run.label} failed: {failed[run.entry, run.seed]}")
        free_memory()
        last_of_seed = number == len(runs) or runs[number].seed != run.seed
        if last_of_seed and number < len(runs):
            write_report(judge(study, runs[:number], failed), to)
    outcome = judge(study, runs, failed)
    write_report(outcome, to)
    return outcome


def _train_and_judge(run: StudyRun) -> None:
    if run.trains and run.state() != "trained":
        run.prepare()
        _train(run)
    locator = Locator.load(run.model)
    measured = evaluate(locator, run.judged_on, run.split, unit=run.unit)
    if run.trains:
        write_card(locator.model, measured)
    measured.save(run.report)
    run.finish()


def _train(run: StudyRun) -> None:
    from lostfound.training.fit import fit  # torch takes seconds

    try:
        fit(run.recipe, run.data, run.model, weights=run.start, resume=True)
    except RecipeError:
        raise
    except UsageError:  # killed before its first epoch, or its weights file was elsewhere: from the beginning
        shutil.rmtree(run.model)
        fit(run.recipe, run.data, run.model, weights=run.start)


def _claim(to: Path, name: str) -> None:
    marker = to / MARKER
    if marker.is_file():
        if marker.read_text(encoding="utf-8").split("\n")[0] != name:
            raise UsageError(f"{to} holds another study ({marker}): choose another folder with --to")
    elif to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} exists and is not a study's: choose another folder with --to")
    write_atomic(marker, f"{name}\nMade by lostfound compare.\n".encode())


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
