"""A search's trials as a queue in a database that several processes and machines share.

Each trial to be run has a slot, a number from 0. A slot that no trial fills (one that waits, runs or is done)
gets a new trial, with the settings of the one that was stopped if there is one. Two processes may fill a slot
at the same time; then the first of the trials counts, and the others are surplus when their turn comes.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from lostfound.claims import refuse_other_settings
from lostfound.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.pruners import BasePruner
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

HEARTBEAT_S, STALE_S = 15, 60
"""A running trial says so that often; one that has not for so long is taken for dead."""
SLOT, ERROR, SURPLUS, PROCESS, SETTINGS = "slot", "error", "surplus", "process", "settings"
_TOKEN = secrets.token_hex(4)  # of this process: a restarted container may have its predecessor's name and id


def open_storage(url: str) -> RDBStorage:
    """Open a database by its URL, and make its tables where it has none.

    Raises:
        UsageError: The URL is none, or there is no such database.
        MissingExtraError: The database's driver is not installed.
    """
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    engine = {"connect_args": {"timeout": 100}} if url.startswith("sqlite") else {}
    for attempt in range(10):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                storage = RDBStorage(
                    url, engine_kwargs=engine, heartbeat_interval=HEARTBEAT_S, grace_period=STALE_S
                )
            if url.startswith("sqlite"):
                _one_at_a_time(storage)
            return storage
        except (ArgumentError, NoSuchModuleError) as error:
            raise UsageError(f"--storage is not the URL of a database: {error}") from None
        except ImportError:
            raise MissingExtraError(
                f"the driver of {url.partition(':')[0]} is not installed: for PostgreSQL, "
                "pip install 'psycopg[binary]' and write postgresql+psycopg://..."
            ) from None
        except SQLAlchemyError as error:
            if attempt == 9:
                message = str(error.orig if hasattr(error, "orig") else error).strip().split("\n")[0]
                raise UsageError(f"the database of --storage can't be used: {message}") from None
            time.sleep(0.3)  # another process is making the tables
    raise AssertionError


def _one_at_a_time(storage: RDBStorage) -> None:
    """Let SQLite's transactions begin with the lock that writing needs.

    Optuna reads a trial's state and then changes it, which others must not do in between. Other databases
    lock the row that was read; SQLite can't, and two processes would take the same trial.
    """
    from sqlalchemy import event

    def on_connect(connection: Any, _: object) -> None:
        connection.isolation_level = None  # sqlite3 would begin transactions itself, and without the lock

    def on_begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(storage.engine, "connect", on_connect)
    event.listen(storage.engine, "begin", on_begin)
    storage.engine.dispose()  # connections that were opened before


def open_study(
    storage: RDBStorage,
    name: str,
    *,
    maximise: bool,
    settings: dict[str, Any],
    pruner: BasePruner,
    present: Callable[[dict[str, Any]], dict[str, Any]] = lambda settings: settings,
) -> tuple[Study, bool]:
    """Open a search, or begin it.

    Args:
        storage: The database.
        name: The search's.
        maximise: Is more of its metric better?
        settings: What must be the same for it to go on, plain values.
        pruner: Ends trials early.
        present: Settings that an earlier version may have stored, as they are written now.

    Returns:
        The search, and whether this process began it.

    Raises:
        UsageError: It was begun with other settings.
    """
    import optuna

    direction: Literal["maximize", "minimize"] = "maximize" if maximise else "minimize"
    try:
        study = optuna.create_study(storage=storage, study_name=name, direction=direction, pruner=pruner)
        study.set_user_attr(SETTINGS, settings)
        return study, True
    except optuna.exceptions.DuplicatedStudyError:
        study = optuna.load_study(storage=storage, study_name=name, pruner=pruner)
    before = study.user_attrs.get(SETTINGS)
    for _ in range(50):
        if before is not None:
            break
        time.sleep(0.1)  # another process is beginning it
        before = study.user_attrs.get(SETTINGS)
    if before is None:  # it was killed in between
        study.set_user_attr(SETTINGS, settings)
    else:
        remedy = "give the same ones to go on with it, or another --to or --name"
        refuse_other_settings(present(before), settings, f"the search {name!r}", remedy)
    return study, False


def fill(study: Study, grid: list[dict[str, Any]], *, retry_failed: bool = False) -> None:
    """Give every slot its trial; what died is run again.

    Args:
        study: The search.
        grid: What is fixed of each slot's settings.
        retry_failed: Also run again what failed.
    """
    import optuna
    from optuna.trial import TrialState

    _bury_the_dead(study)
    filled: set[int] = set()
    before: dict[int, FrozenTrial] = {}
    for trial in study.get_trials(deepcopy=False):
        slot = trial.user_attrs.get(SLOT)
        if slot is None or trial.user_attrs.get(SURPLUS):
            continue
        if trial.state != TrialState.FAIL or (ERROR in trial.user_attrs and not retry_failed):
            filled.add(slot)
        before[slot] = trial
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        for slot, fixed in enumerate(grid):
            if slot not in filled:
                params = {**fixed, **(before[slot].params if slot in before else {})}
                study.enqueue_trial(params, user_attrs={SLOT: slot})


def take(trial: Trial) -> int | None:
    """Note who runs a trial.

    Returns:
        Its slot; None if it is surplus.
    """
    from optuna.trial import TrialState

    trial.set_user_attr(PROCESS, [socket.gethostname(), os.getpid(), _TOKEN])
    slot: int | None = trial.user_attrs.get(SLOT)
    earlier = [
        each
        for each in trial.study.get_trials(deepcopy=False)
        if each.user_attrs.get(SLOT) == slot
        and each.number < trial.number
        and each.state != TrialState.FAIL
        and not each.user_attrs.get(SURPLUS)
    ]
    if slot is not None and not earlier:
        return slot
    trial.set_user_attr(SURPLUS, True)
    return None


def waiting(study: Study) -> int:
    """How many trials wait to be run."""
    from optuna.trial import TrialState

    return len(study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))


def running(study: Study) -> int:
    """How many trials are run, by any process."""
    from optuna.trial import TrialState

    return len(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))


def _bury_the_dead(study: Study) -> None:
    """Fail the running trials whose process has ended: at once on this machine, by and by on others."""
    import optuna
    from optuna.trial import TrialState

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optuna.storages.fail_stale_trials(study)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        host, process, token = trial.user_attrs.get(PROCESS, (None, None, None))
        if host == socket.gethostname() and token != _TOKEN and not _alive(process):
            try:
                study.tell(trial.number, state=TrialState.FAIL)
            except (ValueError, optuna.exceptions.UpdateFinishedTrialError):  # another process was faster
                continue


def _alive(process: int) -> bool:
    """Does a process of this machine, other than this one, run?"""
    if process == os.getpid():
        return False  # its number is ours now
    if os.name != "posix":
        return True  # the heartbeat will tell
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
