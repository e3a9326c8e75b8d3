"""`lostfound tune`: a search, and its report after each trial."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from lostfound.evaluation.metrics import METRICS
from lostfound.files import write_atomic
from lostfound.studies.search import Search, run_search
from lostfound.studies.search_plot import draw_search
from lostfound.studies.trials import TrialResult, best, csv_table, markdown, read_trials, train_command

if TYPE_CHECKING:
    from optuna import Study


def tune(
    search: Search, storage: str | None = None, name: str = "search", *, retry_failed: bool = False
) -> tuple[list[TrialResult], str | None]:
    """Run a search to its end, or what is left of it.

    Args:
        search: What is searched.
        storage: URL of a database that several machines share; by default `tune.db` in the search's folder.
        name: Of the search in the database.
        retry_failed: Run trials again that failed.

    Returns:
        The trials, best first, and the command that trains with the best; None if none reached its end.

    Raises:
        UsageError: A setting of the space is wrong, the database can't be used, or it has a search of this
            name with other settings.
        DatasetError, ModelError, DiskFullError: What would fail any trial; the same call goes on with it.
    """

    def report(study: Study) -> tuple[list[TrialResult], str | None]:
        trials = read_trials(search, study)
        found = best(trials)
        command = None if found is None else train_command(search, found.settings)
        write_search(search, trials, command)
        return trials, command

    study = run_search(
        search, storage or _sqlite(search.to / "tune.db"), name, retry_failed=retry_failed, after_each=report
    )
    return report(study)


def write_search(search: Search, trials: list[TrialResult], command: str | None) -> None:
    """Write `trials.csv`, `trials.md`, `best.yaml` and `tune.png`."""
    write_atomic(search.to / "trials.csv", csv_table(search, trials).encode())
    write_atomic(search.to / "trials.md", markdown(search, trials, command).encode())
    found = best(trials)
    if found is not None:
        metric = METRICS[search.metric]
        assert found.value is not None
        head = (
            f"# The best of {len(trials)} trials by {metric.label} on the validation split "
            f"({metric.text(found.value)}).\n# As one of a recipe's variants, or on the command line:\n"
            f"#   {command}\n"
        )
        text = head + yaml.safe_dump(dict(found.settings), sort_keys=False, allow_unicode=True)
        write_atomic(search.to / "best.yaml", text.encode())
    if any(each.value is not None for each in trials):
        write_atomic(search.to / "tune.png", draw_search(search, trials))


def _sqlite(file: Path) -> str:
    """The URL of a file, whose name may hold what URLs give a meaning."""
    from sqlalchemy import URL

    return URL.create("sqlite", database=str(file)).render_as_string()
