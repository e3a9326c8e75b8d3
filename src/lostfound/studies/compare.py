"""Running a study: every entry with every seed, one after the other, and what they add up to."""

from __future__ import annotations

from pathlib import Path

from lostfound.claims import claim_folder
from lostfound.errors import LostFoundError
from lostfound.evaluation.card import measure
from lostfound.evaluation.evaluate import evaluate
from lostfound.predict.locator import Locator
from lostfound.progress import note
from lostfound.studies.memory import free_memory
from lostfound.studies.report import write_report
from lostfound.studies.results import StudyResults, judge
from lostfound.studies.runs import Key, StudyRun
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
    claim_folder(
        to,
        MARKER,
        f"{study.file.name}\nMade by lostfound compare.\n",
        made_by="a study's",
        other="holds another study",
    )
    failed: dict[Key, str] = {}
    for number, run in enumerate(runs, start=1):
        state = run.state()
        if state == "done":
            continue
        going_on = ", going on" if state == "stopped" else ""
        note(f"[{number}/{len(runs)}] {run.label}{going_on}")
        try:
            if run.needs is not None and run.needs.key in failed:
                raise LostFoundError(f"it needs the model of {run.needs.label}, which failed")
            _train_and_judge(run)
        except Exception as error:  # of any kind: the other runs don't depend on it
            known = isinstance(error, LostFoundError)
            failed[run.key] = str(error) if known else f"{type(error).__name__}: {error}"
            note(f"{run.label} failed: {failed[run.key]}")
        free_memory()
        last_of_seed = number == len(runs) or runs[number].seed != run.seed
        if last_of_seed and number < len(runs):
            write_report(judge(study, runs, failed), to)
    outcome = judge(study, runs, failed)
    write_report(outcome, to)
    return outcome


def _train_and_judge(run: StudyRun) -> None:
    if run.trains and run.state() != "trained":
        from lostfound.training.train import train_model  # torch takes seconds

        run.prepare()
        measured = train_model(
            run.recipe,
            run.data,
            run.model,
            weights=run.start,
            resume="or begin again",
            evaluate_on=(run.judged_on, run.split),
            unit=run.unit,
        ).evaluation
    elif run.trains:
        measured = measure(run.model, run.judged_on, run.split, unit=run.unit)
    else:  # the model's card tells how it was judged by its own entry
        measured = evaluate(Locator.load(run.model), run.judged_on, run.split, unit=run.unit)
    measured.save(run.report)
    run.finish()
