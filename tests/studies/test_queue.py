from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

optuna = pytest.importorskip("optuna")

from optuna.trial import TrialState  # noqa: E402

from lostfound.errors import MissingExtraError, UsageError  # noqa: E402
from lostfound.studies import queue  # noqa: E402

GRID = [{"x": value} for value in (1, 2, 3)]


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:///{tmp_path / 'tune.db'}"


def begin(url: str, **settings):
    study, _ = queue.open_study(
        queue.open_storage(url), "search", maximise=True, settings=settings, pruner=optuna.pruners.NopPruner()
    )
    return study


def ran(study, *, result=1.0) -> list[int | None]:
    """Run what waits; gives the slots."""
    slots = []

    def run(trial) -> float:
        slots.append(queue.take(trial))
        trial.suggest_categorical("x", [1, 2, 3])
        if isinstance(result, BaseException):
            raise result
        return result

    while queue.waiting(study):
        study.optimize(run, n_trials=1, catch=(Exception,))
    return slots


def pop(study):
    """Begin a trial, as a process does that is killed then."""
    [waiting, *_] = study.get_trials(states=(TrialState.WAITING,))
    study._storage.set_trial_state_values(waiting._trial_id, state=TrialState.RUNNING)
    return waiting


class TestFill:
    def test_each_slot_is_run_once_in_order(self, url):
        study = begin(url)
        queue.fill(study, GRID)
        queue.fill(study, GRID)
        assert ran(study) == [0, 1, 2]
        queue.fill(study, GRID)
        assert queue.waiting(study) == 0
        assert [trial.params["x"] for trial in study.trials] == [1, 2, 3]

    def test_more_slots_later(self, url):
        study = begin(url)
        queue.fill(study, [{}])
        ran(study)
        queue.fill(study, [{}] * 3)
        assert ran(study) == [1, 2]

    def test_what_was_interrupted_is_run_again_with_its_settings(self, url):
        study = begin(url)
        queue.fill(study, [{}, {}])
        with pytest.raises(KeyboardInterrupt):
            ran(study, result=KeyboardInterrupt())
        first = study.trials[0].params
        queue.fill(study, [{}, {}])
        assert ran(study) == [1, 0]
        assert study.trials[-1].params == first

    @pytest.mark.parametrize(("retry", "again"), [(False, []), (True, [0])])
    def test_what_failed_is_run_again_where_that_is_asked(self, url, retry, again):
        study = begin(url)
        queue.fill(study, GRID[:1])

        def fail(trial) -> float:
            queue.take(trial)
            trial.set_user_attr(queue.ERROR, "the loss became nan")
            raise ValueError

        study.optimize(fail, n_trials=1, catch=(Exception,))
        queue.fill(study, GRID[:1], retry_failed=retry)
        assert ran(study) == again

    def test_pruned_is_done(self, url):
        study = begin(url)
        queue.fill(study, GRID[:1])
        ran(study, result=optuna.TrialPruned())
        queue.fill(study, GRID[:1])
        assert queue.waiting(study) == 0


class TestTheDead:
    def running(self, url, process) -> list[int]:
        study = begin(url)
        queue.fill(study, GRID[:1])
        trial = pop(study)
        study._storage.set_trial_user_attr(trial._trial_id, queue.PROCESS, process)
        queue.fill(study, GRID[:1])
        return [trial.state for trial in study.trials]

    def test_a_process_that_ended_is_noticed_at_once(self, url):
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        states = self.running(url, [socket.gethostname(), ended.pid, "x"])
        assert states == [TrialState.FAIL, TrialState.WAITING]

    def test_a_process_whose_number_is_now_ours_ended(self, url):
        states = self.running(url, [socket.gethostname(), os.getpid(), "x"])
        assert states == [TrialState.FAIL, TrialState.WAITING]

    def test_a_process_that_runs_is_left_alone(self, url):
        assert self.running(url, [socket.gethostname(), os.getppid(), "x"]) == [TrialState.RUNNING]

    @pytest.mark.slow
    def test_a_process_elsewhere_is_left_alone(self, url):
        assert self.running(url, ["elsewhere", 1, "x"]) == [TrialState.RUNNING]

    def test_without_a_heartbeat_it_is_taken_for_dead(self, url):
        import sqlalchemy

        study = begin(url)
        queue.fill(study, GRID[:1])
        trial = pop(study)
        study._storage.record_heartbeat(trial._trial_id)
        with sqlalchemy.create_engine(url).begin() as connection:
            connection.execute(
                sqlalchemy.text("UPDATE trial_heartbeats SET heartbeat = '2000-01-01 00:00:00'")
            )
        queue.fill(study, GRID[:1])
        assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.WAITING]


def test_of_two_trials_of_a_slot_the_first_counts(url):
    study = begin(url)
    queue.fill(study, GRID[:1])
    study.enqueue_trial({"x": 1}, user_attrs={queue.SLOT: 0})
    assert ran(study) == [0, None]
    queue.fill(study, GRID[:1])
    assert queue.waiting(study) == 0


def test_a_trial_that_nobody_queued_is_surplus(url):
    study = begin(url)
    taken = []
    study.optimize(lambda trial: taken.append(queue.take(trial)) or 1.0, n_trials=1)
    assert taken == [None]
    assert study.trials[0].user_attrs[queue.SURPLUS]


@pytest.mark.slow
def test_several_processes_share_the_queue(begin, url, tmp_path):
    """Four processes begin the same search at the same time; each slot is run by one of them."""
    script = tmp_path / "run.py"
    script.write_text(
        "import sys, optuna\n"
        "from lostfound.studies import queue\n"
        "optuna.logging.set_verbosity(optuna.logging.ERROR + 1)\n"
        "storage = queue.open_storage(sys.argv[1])\n"
        "pruner = optuna.pruners.NopPruner()\n"
        "study, _ = queue.open_study(storage, 'search', maximise=True, settings={'a': 1}, pruner=pruner)\n"
        "slots = [{'x': value} for value in range(12)]\n"
        "queue.fill(study, slots)\n"
        "def run(trial):\n"
        "    slot = queue.take(trial)\n"
        "    if slot is None:\n"
        "        raise RuntimeError\n"
        "    print(slot, flush=True)\n"
        "    return trial.suggest_categorical('x', list(range(12)))\n"
        "while queue.waiting(study):\n"
        "    study.optimize(run, n_trials=1, catch=(Exception,))\n"
        "    queue.fill(study, slots)\n"
    )
    processes = [begin(url, script=script, trains=True) for _ in range(4)]
    said = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, said
    assert sorted(int(line) for out, _ in said for line in out.split()) == list(range(12))


class TestOpen:
    def test_other_settings(self, url):
        begin(url, metric="top_1_accuracy", data="x")
        with pytest.raises(UsageError, match=r"begun with other settings \(metric\): give the same ones"):
            begin(url, metric="loss", data="x")

    def test_says_who_began(self, url):
        storage = queue.open_storage(url)
        arguments = {"maximise": False, "settings": {}, "pruner": optuna.pruners.NopPruner()}
        assert [queue.open_study(storage, "search", **arguments)[1] for _ in range(2)] == [True, False]

    @pytest.mark.parametrize(
        ("url", "error", "message"),
        [
            ("nonsense", UsageError, "not the URL of a database"),
            ("nonsense://host/name", UsageError, "not the URL of a database"),
            ("postgresql+asyncpg://host/name", MissingExtraError, "the driver of postgresql.asyncpg"),
        ],
    )
    def test_no_database(self, url, error, message):
        with pytest.raises(error, match=message):
            queue.open_storage(url)

    def test_a_folder_that_is_not_there(self, tmp_path):
        with pytest.raises(UsageError, match="unable to open database file"):
            queue.open_storage(f"sqlite:///{tmp_path / 'nothing' / 'tune.db'}")
