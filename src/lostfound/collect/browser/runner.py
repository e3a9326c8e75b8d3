"""Workers with a browser each that play games side by side, under a watchdog."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from lostfound.collect.browser.game import begin, enter, play, reopen
from lostfound.collect.browser.ledger import BrowserLedger
from lostfound.collect.browser.steps import StepError
from lostfound.collect.browser.window import BrowserDownError, BrowserSettings, Window, open_window
from lostfound.collect.http import RequestFailed
from lostfound.collect.ledger import disk_error
from lostfound.collect.tasks import Outcome
from lostfound.collect.workers import LOOK_UP_S, WorkerGroup, backoff_s
from lostfound.errors import CollectError

_STEPS_IN_ROW, _PICTURES_IN_ROW, _DOWN_IN_ROW, _DUPLICATES_IN_ROW, _DOWN_IN_A_GAME = 3, 10, 10, 20, 3
_FIRST_WAIT_S = 0.5


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


class BrowserRunner:
    """Plays games with several browsers side by side, and replaces those that are down."""

    def __init__(
        self,
        ledger: BrowserLedger,
        settings: BrowserSettings,
        limits: BrowserLimits,
        show: Callable[[int], None],
    ) -> None:
        self._ledger = ledger
        self._settings = settings
        self._limits = limits
        self._show = show
        self._group = WorkerGroup(self._enough)
        self._entry: asyncio.Lock
        self._rounds = ledger.rounds()
        self._under_way = 0
        self._free_at = 0.0  # when the next round may begin
        self._failures: Counter[str] = Counter()  # since the last stored round, by kind
        self._failing_since: float | None = None
        self._downs: Counter[str] = Counter()  # by game
        self._started = False

    def run(self, pack_at: int) -> bool:
        """Play until there are enough rounds, or so many pictures wait in the inbox.

        Returns:
            True if the pictures are why it ended.

        Raises:
            CollectError: It can't go on.
            KeyboardInterrupt: The user, or the system, asked it to stop; rounds under way were finished.
        """
        try:
            self._group.run(self._run(pack_at))
        except sqlite3.OperationalError as error:
            raise disk_error(self._ledger.path, error) from None
        return not self._enough()

    async def _run(self, pack_at: int) -> None:
        self._entry = asyncio.Lock()
        asyncio.get_running_loop().set_exception_handler(_only_ours)
        await self._group.side_by_side([self._work(pack_at) for _ in range(self._limits.workers)])

    async def _work(self, pack_at: int) -> None:
        """One worker: a browser after the other, for as long as there are games to play."""
        ledger = self._ledger
        while self._goes_on(pack_at):
            try:
                await self._play_games(pack_at)
            except BrowserDownError as error:
                ledger.count("restarts")
                if not self._started:
                    self._group.give_up(CollectError(str(error)))
                await self._after("down", str(error), _DOWN_IN_ROW)
            except RequestFailed as failure:
                ledger.count("errors")
                await self._after("site", failure.detail, None)
            except StepError as error:
                ledger.count("errors")
                # Where nothing has worked yet, the profile is wrong rather than the page out of step.
                await self._after("step", str(error), _STEPS_IN_ROW if ledger.this_run["rounds"] else 1)
            except CollectError as error:
                self._group.give_up(error)
            except OSError as error:
                self._group.give_up(disk_error(error.filename or ledger.inbox_folder, error))

    def _goes_on(self, pack_at: int) -> bool:
        return not self._group.stopping and self._ledger.waiting() < pack_at

    async def _play_games(self, pack_at: int) -> None:
        """Start a browser, and play games with it."""
        async with AsyncExitStack() as stack:
            async with self._entry:  # who comes second finds the session of who came first
                if self._group.stopping:
                    return
                window = await stack.enter_async_context(open_window(self._settings))
                self._started = True
                await window.watch(enter(window))
            while self._goes_on(pack_at):
                await window.watch(self._game(window))

    async def _game(self, window: Window) -> None:
        """Play a game: one that was left unfinished, or a new one."""
        ledger = self._ledger
        await enter(window)
        left = ledger.unfinished_games() if self._settings.profile.game.resume else []
        game = left[0] if left else await begin(window)
        if not ledger.claim_game(game):
            await self._after_duplicate(window)
            return
        try:
            if left:
                await reopen(window, game)
            over = await play(window, ledger, game, lambda: self._may_begin(window), self._ended)
            if over:
                ledger.end_game(game, Outcome("hit"))
                await window.save_session()
        except StepError as error:
            ledger.end_game(game, Outcome("error", detail=str(error)))
            raise
        except (BrowserDownError, asyncio.CancelledError):
            self._downs[game] += 1
            if self._downs[game] >= _DOWN_IN_A_GAME and not self._group.interrupted:
                ledger.end_game(game, Outcome("error", detail="the browser ended each time"))
            raise
        finally:
            ledger.leave_game(game)

    async def _may_begin(self, window: Window) -> bool:
        """Wait for a round's turn; False if none may begin any more."""
        loop, wanted = asyncio.get_running_loop(), self._limits.rounds
        while not self._group.stopping:
            window.beat()
            wait_s = self._free_at - loop.time()
            if wait_s <= 0 and (wanted is None or self._rounds + self._under_way < wanted):
                self._free_at = loop.time() + self._limits.pace_s
                self._under_way += 1
                return True
            await asyncio.sleep(min(max(wait_s, 0.01), LOOK_UP_S))
        return False

    def _ended(self, stored: bool | None) -> None:
        """A round has ended: it was stored, or gave no new picture, or failed (None)."""
        self._under_way -= 1
        if stored is None:  # the worker deals with that
            return
        if stored:
            self._rounds += 1
            self._failures.clear()
            self._failing_since = None
            self._show(1)
            return
        self._failures["pictures"] += 1
        if self._failures["pictures"] >= _PICTURES_IN_ROW:
            self._group.give_up(
                CollectError(
                    f"{_PICTURES_IN_ROW} rounds in a row gave no new picture of a place: look at the site "
                    "with --show, or at the profile with --dry-run; what was collected is kept"
                )
            )

    async def _after_duplicate(self, window: Window) -> None:
        """After a game that was played already: give up where there were too many, or wait a while."""
        self._failures["duplicates"] += 1
        if self._failures["duplicates"] >= _DUPLICATES_IN_ROW:
            raise CollectError(
                f"{self._settings.profile.site} gave {_DUPLICATES_IN_ROW} games in a row that were played "
                "already: there is nothing new to collect now"
            )
        await self._group.sleep(backoff_s(self._failures["duplicates"], _FIRST_WAIT_S), window.beat)

    async def _after(self, kind: str, detail: str, most: int | None) -> None:
        """After a failure: give up where there were too many, or wait a while.

        Args:
            kind: Of the failure; each is counted for itself.
            detail: What happened.
            most: So many in a row are too many; None where patience alone counts.
        """
        now = asyncio.get_running_loop().time()
        self._failures[kind] += 1
        number = self._failures[kind]
        self._failing_since = since = now if self._failing_since is None else self._failing_since
        if most is not None and number >= most:
            times = f"{number} times in a row: " if number > 1 else ""
            self._group.give_up(
                CollectError(
                    f"{times}{detail}; look into that, then run the same command again; nothing is lost"
                )
            )
        elif kind == "site" and now - since > self._limits.patience_s:
            self._group.give_up(
                CollectError(
                    f"no round for {now - since:.0f} s ({detail}): run the same command again later; what "
                    "was collected is kept"
                )
            )
        await self._group.sleep(backoff_s(number, _FIRST_WAIT_S))

    def _enough(self) -> bool:
        return self._limits.rounds is not None and self._rounds >= self._limits.rounds


def _only_ours(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What was asked of a browser that is gone fails later, where nobody waits for it any more."""
    from playwright.async_api import Error

    if not isinstance(context.get("exception"), Error):
        loop.default_exception_handler(context)
