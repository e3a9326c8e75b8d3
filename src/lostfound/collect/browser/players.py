"""Workers with a browser each that play games side by side, under a watchdog."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

from lostfound.collect.browser.game import begin, enter, play, reopen
from lostfound.collect.browser.ledger import BrowserLedger
from lostfound.collect.browser.steps import StepError
from lostfound.collect.browser.window import Settings, Window, WorkerDown, opened_window
from lostfound.collect.http import RequestFailed
from lostfound.collect.ledger import disk_error
from lostfound.collect.tasks import Outcome
from lostfound.errors import CollectError

_STEPS_IN_ROW, _PICTURES_IN_ROW, _DOWN_IN_ROW, _DUPLICATES_IN_ROW, _DOWN_IN_A_GAME = 3, 10, 10, 20, 3
_FIRST_WAIT_S, _LONGEST_WAIT_S, _LOOK_UP_S = 0.5, 60.0, 0.1


@dataclass(frozen=True)
class BrowserLimits:
    """What a run may do.

    Attributes:
        rounds: Rounds to store, all runs together; None for no limit.
        workers: Browsers side by side.
        pace_s: Least seconds between the beginnings of two rounds, all workers together.
        patience_s: How long to go on without a single round while the site is not there, in seconds.
    """

    rounds: int | None = None
    workers: int = 1
    pace_s: float = 1.0
    patience_s: float = 900.0


class Players:
    """The workers of a run."""

    def __init__(
        self, book: BrowserLedger, settings: Settings, limits: BrowserLimits, show: Callable[[int], None]
    ) -> None:
        self.book = book
        self.settings = settings
        self.limits = limits
        self.interrupted = False
        self._show = show
        self._error: CollectError | None = None
        self._entry: asyncio.Lock
        self._rounds = book.rounds()
        self._under_way = 0
        self._free_at = 0.0  # when the next round may begin
        self._row: Counter[str] = Counter()  # troubles since the last stored round
        self._trouble_since: float | None = None
        self._downs: Counter[str] = Counter()  # by game
        self._started = False

    @property
    def stopping(self) -> bool:
        """Is no round to begin any more?"""
        return self.interrupted or self._error is not None or self._enough()

    def run(self, pack_at: int) -> bool:
        """Play until there are enough rounds, or so many pictures wait in the inbox.

        Returns:
            True if the pictures are why it ended.

        Raises:
            CollectError: It can't go on.
            KeyboardInterrupt: The user, or the system, asked it to stop; rounds under way were finished.
        """
        try:
            asyncio.run(self._run(pack_at))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        except sqlite3.OperationalError as error:
            raise disk_error(self.book.ledger.path, error) from None
        if self._error is not None:
            raise self._error
        if self.interrupted:
            raise KeyboardInterrupt
        return not self._enough()

    async def _run(self, pack_at: int) -> None:
        self._entry = asyncio.Lock()
        self._free_at = 0.0
        loop, main = asyncio.get_running_loop(), asyncio.current_task()
        loop.set_exception_handler(_only_ours)
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(ValueError, RuntimeError, NotImplementedError):  # only the main thread may
                loop.add_signal_handler(number, self._interrupt, main)
        workers = [asyncio.create_task(self._work(pack_at)) for _ in range(self.limits.workers)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    def _interrupt(self, main: asyncio.Task[Any] | None) -> None:
        if self.interrupted and main is not None:  # the second time it is meant at once
            main.cancel()
        self.interrupted = True

    async def _work(self, pack_at: int) -> None:
        """One worker: a browser after the other, for as long as there are games to play."""
        while not self.stopping and self.book.ledger.waiting() < pack_at:
            try:
                async with AsyncExitStack() as stack:
                    async with self._entry:  # who comes second finds the session of who came first
                        if self.stopping:
                            return
                        window = await stack.enter_async_context(opened_window(self.settings))
                        self._started = True
                        await window.watch(enter(window))
                    while not self.stopping and self.book.ledger.waiting() < pack_at:
                        await window.watch(self._game(window))
            except WorkerDown as down:
                self.book.count("restarts")
                if not self._started:
                    self._give_up(CollectError(str(down)))
                await self._after("down", str(down), _DOWN_IN_ROW)
            except RequestFailed as trouble:
                self.book.count("errors")
                await self._after("trouble", trouble.detail, None)
            except StepError as error:
                self.book.count("errors")
                # Where nothing has worked yet, the profile is wrong rather than the page out of step.
                await self._after("step", str(error), _STEPS_IN_ROW if self.book.this_run["rounds"] else 1)
            except CollectError as error:
                self._give_up(error)
            except OSError as error:
                self._give_up(
                    CollectError(
                        f"{error.filename or self.book.inbox.folder}: {error.strerror}: make room on the "
                        "disk or mend it, then run the same command again; what was collected is kept"
                    )
                )

    async def _game(self, window: Window) -> None:
        """Play a game: one that was left unfinished, or a new one."""
        await enter(window)
        left = self.book.unfinished() if self.settings.profile.game.resume else []
        game = left[0] if left else await begin(window)
        if not self.book.claim(game):
            self._row["duplicates"] += 1
            if self._row["duplicates"] >= _DUPLICATES_IN_ROW:
                raise CollectError(
                    f"{self.settings.profile.site} gave {_DUPLICATES_IN_ROW} games in a row that were played "
                    "already: there is nothing new to collect now"
                )
            await self._pause(self._row["duplicates"], window)
            return
        try:
            if left:
                await reopen(window, game)
            over = await play(window, self.book, game, lambda: self._may_begin(window), self._ended)
            if over:
                self.book.end(game, Outcome("hit"))
                await window.save_session()
        except StepError as error:
            self.book.end(game, Outcome("error", detail=str(error)))
            raise
        except (WorkerDown, asyncio.CancelledError):
            self._downs[game] += 1
            if self._downs[game] >= _DOWN_IN_A_GAME and not self.interrupted:
                self.book.end(game, Outcome("error", detail="the browser ended each time"))
            raise
        finally:
            self.book.leave(game)

    async def _may_begin(self, window: Window) -> bool:
        """Wait for a round's turn; False if none may begin any more."""
        while not self.stopping:
            window.beat()
            wanted = self.limits.rounds
            wait_s = self._free_at - asyncio.get_running_loop().time()
            if wait_s <= 0 and (wanted is None or self._rounds + self._under_way < wanted):
                self._free_at = asyncio.get_running_loop().time() + self.limits.pace_s
                self._under_way += 1
                return True
            await asyncio.sleep(min(max(wait_s, 0.01), _LOOK_UP_S))
        return False

    def _ended(self, stored: bool | None) -> None:
        self._under_way -= 1
        if stored is None:  # trouble, which the worker deals with
            return
        if stored:
            self._rounds += 1
            self._row.clear()
            self._trouble_since = None
            self._show(1)
            return
        self._row["pictures"] += 1
        if self._row["pictures"] >= _PICTURES_IN_ROW:
            self._give_up(
                CollectError(
                    f"{_PICTURES_IN_ROW} rounds in a row gave no new picture of a place: look at the site "
                    "with --show, or at the profile with --dry-run; what was collected is kept"
                )
            )

    async def _after(self, kind: str, detail: str, most: int | None) -> None:
        """After trouble: give up where there was too much of it, or wait a while."""
        now = asyncio.get_running_loop().time()
        self._row[kind] += 1
        self._trouble_since = since = now if self._trouble_since is None else self._trouble_since
        if most is not None and self._row[kind] >= most:
            times = f"{self._row[kind]} times in a row: " if self._row[kind] > 1 else ""
            self._give_up(
                CollectError(
                    f"{times}{detail}; look into that, then run the same command again; nothing is lost"
                )
            )
        elif kind == "trouble" and now - since > self.limits.patience_s:
            self._give_up(
                CollectError(
                    f"no round for {now - since:.0f} s ({detail}): run the same command again later; what "
                    "was collected is kept"
                )
            )
        await self._pause(self._row[kind])

    async def _pause(self, times: int, window: Window | None = None) -> None:
        """Wait a while before the site is asked again: twice as long each time."""
        wait_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(times - 1, 10))
        until = asyncio.get_running_loop().time() + random.uniform(0.5, 1.0) * wait_s  # noqa: S311
        while not self.stopping and asyncio.get_running_loop().time() < until:
            if window is not None:
                window.beat()
            await asyncio.sleep(_LOOK_UP_S)

    def _enough(self) -> bool:
        return self.limits.rounds is not None and self._rounds >= self.limits.rounds

    def _give_up(self, error: CollectError) -> None:
        self._error = self._error or error


def _only_ours(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What was asked of a browser that is gone fails later, where nobody waits for it any more."""
    from playwright.async_api import Error

    if not isinstance(context.get("exception"), Error):
        loop.default_exception_handler(context)
