"""The ledger of a collection: every task, every request and its outcome, every image, in SQLite.

One process writes it. A request is written down before it is sent, and its outcome in one transaction with
all that follows from it (new tasks, the image), so that a run killed at any moment goes on without asking
anything twice, except what was in flight.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lostfound.claims import changed_keys
from lostfound.collect.tasks import MICRO, NewTask, Outcome, Task, Totals
from lostfound.errors import CollectError, UsageError

VERSION = 1

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE task (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,             -- what is asked for: place, view, box, image
    key TEXT NOT NULL UNIQUE,       -- the same question has the same key and is never asked again
    area TEXT NOT NULL DEFAULT '',  -- the quota it counts towards, such as a country
    payload TEXT NOT NULL,          -- what the collector needs to ask, as JSON
    rank INTEGER NOT NULL,          -- the lowest goes first
    state TEXT NOT NULL DEFAULT 'todo',  -- todo, done, failed
    outcome TEXT,                   -- hit, miss, duplicate, error
    detail TEXT                     -- what an error was
);
CREATE INDEX task_order ON task (state, rank, id);
CREATE INDEX task_area ON task (kind, area, id);
CREATE TABLE request (
    id INTEGER PRIMARY KEY,
    task INTEGER NOT NULL REFERENCES task (id),
    cost INTEGER NOT NULL,          -- millionths of a dollar, spent when it is sent
    sent_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    outcome TEXT NOT NULL DEFAULT 'sent',  -- sent (not known), answered, or the trouble
    detail TEXT
);
CREATE TABLE image (
    key TEXT PRIMARY KEY,           -- that of its task
    record TEXT NOT NULL,           -- fields of the image record, as JSON
    batch INTEGER,                  -- the batch it is packed in
    stored INTEGER NOT NULL DEFAULT 0  -- it is in the data set
);
CREATE INDEX image_batch ON image (stored, batch);
"""


class Ledger:
    """The ledger of one source of one data set."""

    def __init__(self, path: Path) -> None:
        """Open the ledger, or begin it.

        Raises:
            CollectError: The file is not a ledger of this version, or is damaged.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._db = sqlite3.connect(path, isolation_level=None, timeout=10)
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")  # what was spent survives a power cut
            with self.writing():
                if not self._db.execute("SELECT 1 FROM sqlite_master").fetchone():
                    for statement in _TABLES.split(";"):
                        self._db.execute(statement)
                    self.put("version", VERSION)
            version = self.get("version")
        except sqlite3.OperationalError as error:
            self._db.close()
            if "no such table" not in str(error):
                raise disk_error(path, error) from None
            version = "of no known kind"
        except sqlite3.DatabaseError:
            self._db.close()
            raise CollectError(
                f"{path} is not a ledger, or is damaged: restore it from a copy; without it what was asked "
                "and spent is not known, so only remove it to begin anew"
            ) from None
        if version != VERSION:
            self._db.close()
            raise CollectError(
                f"{path} is of version {version}, and this lostfound writes {VERSION}: go on with the "
                "version that began it, or collect into another folder"
            )

    def close(self) -> None:
        """Close the file; the ledger can't be used afterwards."""
        self._db.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction: all that is written within it, or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def get(self, key: str) -> Any:
        """A noted value, or None."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, key: str, value: object) -> None:
        """Note a value."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Check that the collection was begun with these settings, or note them where it begins now.

        Raises:
            UsageError: Another setting than the collection was begun with.
        """
        before = self.get("settings")
        if before is None or not self._db.execute("SELECT 1 FROM task").fetchone():
            self.put("settings", settings)
            return
        now = json.loads(json.dumps(settings))
        changed = [f"{name} {before.get(name)}, not {now.get(name)}" for name in changed_keys(before, now)]
        if changed:
            raise UsageError(
                f"this collection was begun with {'; '.join(changed)} ({self.path}): use the same setting, "
                "or collect into another folder"
            )

    def retry_failed(self) -> None:
        """Let tasks that failed in an earlier run be tried once more."""
        self._db.execute("UPDATE task SET state = 'todo', outcome = NULL WHERE state = 'failed'")

    def add(self, tasks: Iterable[NewTask]) -> int:
        """Add tasks whose keys are new; gives how many were."""
        before = self._db.total_changes
        self._db.executemany(
            "INSERT OR IGNORE INTO task (kind, key, area, payload, rank) VALUES (?, ?, ?, ?, ?)",
            [(task.kind, task.key, task.area, json.dumps(task.payload), task.rank) for task in tasks],
        )
        return self._db.total_changes - before

    def has(self, key: str) -> bool:
        """Is there a task of this key, done or not?"""
        return self._db.execute("SELECT 1 FROM task WHERE key = ?", (key,)).fetchone() is not None

    def find(self, key: str) -> tuple[Task, str | None] | None:
        """The task of a key and its outcome (None: not done), or None where there is no such task."""
        row = self._db.execute(
            "SELECT kind, key, payload, area, rank, id, outcome FROM task WHERE key = ?", (key,)
        ).fetchone()
        if row is None:
            return None
        kind, _, payload, area, rank, number, outcome = row
        return Task(kind, key, json.loads(payload), area, rank, number), outcome

    def next_task(self, busy: Collection[int] = ()) -> Task | None:
        """The next task to do, those left out that are being done."""
        rows = self._db.execute(
            "SELECT kind, key, payload, area, rank, id FROM task WHERE state = 'todo' "
            "ORDER BY rank, id LIMIT ?",
            (len(busy) + 1,),
        )
        for kind, key, payload, area, rank, number in rows:
            if number not in busy:
                return Task(kind, key, json.loads(payload), area, rank, number)
        return None

    def payloads(self, kind: str, area: str) -> list[dict[str, Any]]:
        """The payloads of an area's tasks of one kind, in order."""
        rows = self._db.execute(
            "SELECT payload FROM task WHERE kind = ? AND area = ? ORDER BY id", (kind, area)
        )
        return [json.loads(row[0]) for row in rows]

    def outcomes(self, kind: str) -> list[tuple[str, str | None, dict[str, Any]]]:
        """Area, outcome (None: not done) and payload of all tasks of a kind, in the order of asking."""
        rows = self._db.execute("SELECT area, outcome, payload FROM task WHERE kind = ? ORDER BY id", (kind,))
        return [(area, outcome, json.loads(payload)) for area, outcome, payload in rows]

    def request_sent(self, task: Task, cost: int) -> int:
        """Write down a request that is about to be sent, with what it costs; gives its number."""
        cursor = self._db.execute("INSERT INTO request (task, cost) VALUES (?, ?)", (task.id, cost))
        return int(cursor.lastrowid or 0)

    def request_ended(self, number: int, outcome: str, detail: str | None = None) -> None:
        """Write down what came of a request."""
        self._db.execute("UPDATE request SET outcome = ?, detail = ? WHERE id = ?", (outcome, detail, number))

    def finish(self, task: Task, outcome: Outcome) -> None:
        """Write down what came of a task, and what follows from it. Called within `writing`."""
        if outcome.again is not None:
            self._db.execute("UPDATE task SET payload = ? WHERE id = ?", (json.dumps(outcome.again), task.id))
            return
        self._db.execute(
            "UPDATE task SET state = ?, outcome = ?, detail = ? WHERE id = ?",
            ("failed" if outcome.outcome == "error" else "done", outcome.outcome, outcome.detail, task.id),
        )
        self.add(outcome.tasks)
        if outcome.record is not None:
            self._db.execute(
                "INSERT OR IGNORE INTO image (key, record) VALUES (?, ?)",
                (task.key, json.dumps(outcome.record)),
            )

    def waiting(self) -> int:
        """How many images are not in the data set yet."""
        return int(self._db.execute("SELECT count(*) FROM image WHERE stored = 0").fetchone()[0])

    def next_batch(self) -> tuple[int, list[tuple[str, dict[str, Any]]]]:
        """The images to pack now: the batch that an earlier run left unfinished, or all that wait.

        A batch stays the same until it is stored, so that a packing that was killed goes on.

        Returns:
            The batch's number, and (key, record) of each image in the order they were collected.
        """
        unfinished = self._db.execute("SELECT min(batch) FROM image WHERE stored = 0").fetchone()[0]
        if unfinished is None:
            last = self._db.execute("SELECT max(batch) FROM image").fetchone()[0]
            unfinished = (last or 0) + 1
            self._db.execute("UPDATE image SET batch = ? WHERE stored = 0", (unfinished,))
        rows = self._db.execute(
            "SELECT key, record FROM image WHERE stored = 0 AND batch = ? ORDER BY rowid", (unfinished,)
        )
        return unfinished, [(key, json.loads(record)) for key, record in rows]

    def mark_stored(self, batch: int, lost: Iterable[str] = ()) -> None:
        """A batch is in the data set, without the images that were lost: those are asked for again."""
        with self.writing():
            for key in lost:
                self._db.execute("DELETE FROM image WHERE key = ?", (key,))
                self._db.execute("UPDATE task SET state = 'todo', outcome = NULL WHERE key = ?", (key,))
            self._db.execute("UPDATE image SET stored = 1 WHERE batch = ?", (batch,))

    def waiting_keys(self) -> set[str]:
        """The keys of images that are not in the data set yet."""
        return {row[0] for row in self._db.execute("SELECT key FROM image WHERE stored = 0")}

    def image_keys(self) -> set[str]:
        """The keys of all images that were ever collected."""
        return {row[0] for row in self._db.execute("SELECT key FROM image")}

    def spent(self) -> tuple[int, int]:
        """Requests that left this machine, and what they cost at most, in millionths of a dollar."""
        number, cost = self._db.execute(
            "SELECT count(*), coalesce(sum(cost), 0) FROM request WHERE outcome != 'unreachable'"
        ).fetchone()
        return int(number), int(cost)

    def totals(self) -> Totals:
        """The counts of all runs."""
        rows = self._db.execute(
            "SELECT kind, outcome, count(*) FROM task WHERE outcome IS NOT NULL GROUP BY kind, outcome"
        )
        tasks = Counter({(kind, outcome): count for kind, outcome, count in rows})
        requests, cost = self.spent()
        images, stored = self._db.execute("SELECT count(*), coalesce(sum(stored), 0) FROM image").fetchone()
        return Totals(tasks, requests, cost / MICRO, int(images), int(stored))


def disk_error(path: Path | str, error: OSError | sqlite3.Error) -> CollectError:
    """What to say when the disk does not take what was collected."""
    why = f": {error.strerror}" if isinstance(error, OSError) else f" can't be written ({error})"
    return CollectError(
        f"{path}{why}: make room on the disk or mend it, then run the same command again; what was "
        "collected is kept"
    )
