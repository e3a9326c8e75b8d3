from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lostfound.collect.ledger import Ledger
from lostfound.collect.tasks import NewTask, Outcome
from lostfound.errors import CollectError, UsageError


@pytest.fixture
def ledger(tmp_path: Path):
    opened = Ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


def place(index: int, **more) -> NewTask:
    return NewTask("place", f"place:{index}", {"index": index}, "FR", **more)


def reopened(ledger: Ledger) -> Ledger:
    ledger.close()
    ledger.__init__(ledger.path)
    return ledger


def test_the_same_question_is_added_once(ledger: Ledger):
    with ledger.writing():
        assert ledger.add([place(1), place(2), place(1)]) == 2
        assert ledger.add([place(2)]) == 0


def test_tasks_come_by_rank_and_then_in_order(ledger: Ledger):
    with ledger.writing():
        ledger.add([place(1), place(2), NewTask("view", "view:1", {}, "FR", 0)])
    order, busy = [], set()
    while (task := ledger.next_task(busy)) is not None:
        busy.add(task.id)
        order.append(task.key)
    assert order == ["view:1", "place:1", "place:2"]


def test_what_is_not_finished_together_is_not_there_at_all(ledger: Ledger):
    with ledger.writing():
        ledger.add([place(1)])
    task = ledger.next_task()
    assert task is not None

    def fail() -> None:
        with ledger.writing():
            ledger.finish(task, Outcome("hit", tasks=[place(2)], record={"original": "x"}))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    again = reopened(ledger)
    assert again.next_task() == task
    assert not again.has("place:2")
    assert again.totals().images == 0


def test_what_was_sent_counts_before_anything_came_back(ledger: Ledger):
    with ledger.writing():
        ledger.add([place(1)])
    ledger.request_sent(ledger.next_task(), 7000)
    assert reopened(ledger).spent() == (1, 7000)


@pytest.mark.parametrize(
    ("outcome", "spent"),
    [("answered", (1, 7000)), ("retried", (1, 7000)), ("throttled", (1, 7000)), ("unreachable", (0, 0))],
)
def test_only_what_never_left_this_machine_is_free(ledger: Ledger, outcome: str, spent: tuple[int, int]):
    with ledger.writing():
        ledger.add([place(1)])
    ledger.request_ended(ledger.request_sent(ledger.next_task(), 7000), outcome)
    assert ledger.spent() == spent


def test_a_batch_stays_the_same_until_it_is_stored(ledger: Ledger):
    with ledger.writing():
        ledger.add([place(number) for number in range(4)])
    for _ in range(3):
        with ledger.writing():
            ledger.finish(ledger.next_task(), Outcome("hit", record={}))
    first = ledger.next_batch()
    with ledger.writing():
        ledger.finish(ledger.next_task(), Outcome("hit", record={}))
    assert reopened(ledger).next_batch() == first
    ledger.mark_stored(first[0], lost=["place:1"])
    assert [key for key, _ in ledger.next_batch()[1]] == ["place:3"]
    assert ledger.next_task().key == "place:1"  # what the disk lost is asked for again


def test_what_failed_is_open_again_in_the_next_run(ledger: Ledger):
    with ledger.writing():
        ledger.add([place(1)])
        ledger.finish(ledger.next_task(), Outcome("error", detail="why"))
    assert ledger.next_task() is None
    ledger.retry_failed()
    assert ledger.next_task().key == "place:1"


def test_settings_are_those_of_the_first_run(ledger: Ledger):
    ledger.check_settings({"fov": 90, "pitch": 0})
    ledger.check_settings({"fov": 100, "pitch": 0})  # nothing was asked yet
    with ledger.writing():
        ledger.add([place(1)])
    ledger.check_settings({"fov": 100, "pitch": 0})
    with pytest.raises(UsageError, match="begun with fov 100, not 90"):
        ledger.check_settings({"fov": 90, "pitch": 0})
    with pytest.raises(UsageError, match="begun with pitch 0, not None"):
        ledger.check_settings({"fov": 100})


def test_another_version_is_told_of(ledger: Ledger):
    ledger.put("version", 2)
    with pytest.raises(CollectError, match="of version 2, and this lostfound writes 1"):
        reopened(ledger)


@pytest.mark.parametrize(
    "content", [b"not a database, whatever it is called" * 100, b"SQLite format 3\0" * 9]
)
def test_a_damaged_ledger_is_told_of(tmp_path: Path, content: bytes):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(content)
    with pytest.raises(CollectError, match=r"ledger\.sqlite"):
        Ledger(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_told_of(tmp_path: Path):
    path = tmp_path / "ledger.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE mine (x)")
    other.close()
    with pytest.raises(CollectError, match="no known kind"):
        Ledger(path)
