"""Seeing batches through: items become renders as others end, documents are printed in their order, and merged.

It is a duty, so one worker of the farm is at it, for as long as a batch is under way. All that it writes is
conditional: whoever takes over goes on where this one stopped.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import deque
from typing import TYPE_CHECKING

from shared import batch_feeding, batch_printing, batches, renders, retirement
from shared.batches import Merge, State
from shared.database import DATABASE_AWAY
from shared.errands import Errand, Kind
from shared.exceptions import UnprocessableError
from shared.storage import CorruptObjectError, StorageError
from shared.tracing import bind_trace, clear_trace, logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.batch_feeding import Counts
    from shared.database import Database
    from shared.models import Batch
    from shared.renders import Wake
    from shared.settings import Settings
    from shared.storage import Storage

PAUSE_SECONDS = 0.25
# A store or a database that is away.
TROUBLE_SECONDS = 5
# What a pause still lets through, and what others of the same queue may find before them, is this much work.
AHEAD_SECONDS = 4
FEWEST_AHEAD = 2 * batches.SLICE_ITEMS
# All batches together: what waits counts against the limits of the queue and of their senders.
MOST_AHEAD = 5000
RATE_SECONDS = 20
# Counting a million renders takes a while: it may take this share of the time.
COUNTING_SHARE = 0.02
# Two lines of messages for each idle child are enough; the others find what waits by themselves.
MOST_RUNG = 16

log = logger(__name__)


class _Pace:
    """How quickly a batch's renders end, and when they are counted next."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()
        self.due = 0.0

    def note(self, done: int) -> None:
        moment = time.monotonic()
        if self._seen and done < self._seen[-1][1]:
            # Failed ones are made once more.
            self._seen.clear()
        self._seen.append((moment, done))
        while moment - self._seen[0][0] > RATE_SECONDS:
            self._seen.popleft()

    @property
    def rate(self) -> float | None:
        """Renders a second; None: not known yet."""
        (began, first), (ended, last) = self._seen[0], self._seen[-1]
        return (last - first) / (ended - began) if last > first else None


class BatchKeeper:
    """Sees all batches through."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        storage: Storage,
        publish: Callable[[Wake], bool],
        ring: Callable[[Errand], bool],
        is_told_to_go: Callable[[], bool],
    ) -> None:
        """Take what that needs.

        Args:
            settings: The farm's settings.
            database: Where batches are.
            storage: Where their items are.
            publish: Announces a render, and says whether the broker took it.
            ring: Announces a print task, as ``publish`` does.
            is_told_to_go: Says whether the worker stops.
        """
        self._settings = settings
        self._database = database
        self._storage = storage
        self._publish = publish
        self._ring = ring
        self._is_told_to_go = is_told_to_go
        self._paces: dict[str, _Pace] = {}
        self._share = MOST_AHEAD
        self._merging: tuple[str, subprocess.Popen[bytes]] | None = None

    def work(self) -> None:
        """Work until no batch is under way, or the worker stops."""
        try:
            while not self._is_told_to_go():
                with self._database.reading() as session:
                    found = batches.under_way(session)
                if not found:
                    return
                had_trouble = False
                self._share = MOST_AHEAD // len(found)
                for batch in found:
                    had_trouble |= not self._see_to(batch)
                time.sleep(TROUBLE_SECONDS if had_trouble else PAUSE_SECONDS)
        finally:
            self._end_merging()

    def _see_to(self, batch: Batch) -> bool:
        """Do what is to be done for a batch now; False when that was not possible."""
        bind_trace(batch.trace_id, batch_id=batch.id)
        try:
            self._take_step(batch)
        except StorageError as error:
            self._note_trouble(batch, error)
            return False
        except FileNotFoundError:
            self._note_trouble(batch, StorageError("some of its items are not in the storage any more"))
            return False
        except UnprocessableError as error:
            with self._database.writing() as session:
                batch_feeding.note_trouble(session, batch, f"It cannot be printed: {error.message}")
            return False
        except DATABASE_AWAY:
            raise
        except Exception:
            # Another batch must not wait for this one's fault.
            log.exception("batch does not go on")
            return False
        finally:
            clear_trace()
        return True

    def _take_step(self, batch: Batch) -> None:
        if batch.state == State.CANCELLED:
            self._cancel(batch)
            return
        if batch.state == State.COMPLETED:
            if batch.merge == Merge.WANTED:
                self._merge(batch)
            else:
                self._settle(batch)
            return
        pace = self._paces.setdefault(batch.id, _Pace())
        if time.monotonic() < pace.due:
            return
        found = self._count(batch, pace)
        if batch.state == State.PAUSED:
            if not found.waiting:
                self._settle(batch)
            return
        fed = self._feed(batch, found.waiting, pace.rate)
        prints = batch.printing is not None and self._print(batch)
        if not (fed or found.waiting or prints):
            with self._database.writing() as session:
                if batch_feeding.complete(session, batch):
                    log.info("batch completed", total=batch.total, failed=found.failed)

    def _count(self, batch: Batch, pace: _Pace) -> Counts:
        began = time.monotonic()
        with self._database.reading() as session:
            found = batch_feeding.counts(session, batch)
        spent = time.monotonic() - began
        pace.note(found.done)
        if (found.waiting, found.succeeded, found.failed) != (batch.waiting, batch.succeeded, batch.failed):
            with self._database.writing() as session:
                batch_feeding.note(session, batch, found, rate=pace.rate)
        # Never as long as what is handed out lasts.
        pace.due = time.monotonic() + min(spent / COUNTING_SHARE, AHEAD_SECONDS / 4)
        return found

    def _feed(self, batch: Batch, waiting: int, rate: float | None) -> int:
        """Hand out as much as is made in some seconds, and return how many that are."""
        wanted = max(min(round((rate or 0) * AHEAD_SECONDS), self._share), FEWEST_AHEAD)
        fed = 0
        while waiting + fed < wanted and not self._is_told_to_go():
            wakes = self._feed_some(batch)
            if not wakes:
                break
            fed += len(wakes)
            all(map(self._publish, wakes[:MOST_RUNG]))
        return fed

    def _feed_some(self, batch: Batch) -> list[Wake]:
        with self._database.reading() as session:
            part = batch_feeding.next_slice(session, batch)
        if part is not None:
            return batch_feeding.feed(self._database, self._storage, self._settings, batch, part)
        if batch.remake_before is None:
            return []
        with self._database.writing() as session:
            wakes = batch_feeding.remake(session, batch)
            if not wakes:
                batch_feeding.has_been_remade(session, batch)
        return wakes

    def _cancel(self, batch: Batch) -> None:
        while not self._is_told_to_go():
            with self._database.writing() as session:
                cancelled = renders.cancel_some(session, batch.id, limit=batch_feeding.SOME)
                keys = batch_feeding.drop_slices(session, batch)
            retirement.remove(self._database, self._storage, keys)
            if not cancelled and not keys:
                self._count(batch, self._paces.setdefault(batch.id, _Pace()))
                self._settle(batch)
                return

    def _print(self, batch: Batch) -> bool:
        """Print the next documents, as far as they are there; False when none is left."""
        goes_on, tasks = batch_printing.step(self._database, self._storage, batch)
        for task_id, trace_id in tasks:
            self._ring(Errand(Kind.PRINT, task_id, trace_id))
        return goes_on

    def _merge(self, batch: Batch) -> None:
        """Let a process of its own make the one PDF: it may take as much memory and time as it likes."""
        if self._merging is None:
            command = [sys.executable, "-m", "workers.joining", batch.id]
            self._merging = batch.id, subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603
            return
        batch_id, process = self._merging
        code = process.poll()
        if code is None:
            return
        self._merging = None
        if code and batch_id == batch.id:
            with self._database.writing() as session:
                batches.note_not_merged(session, batch, error=f"the program that merges ended with status {code}")

    def _end_merging(self) -> None:
        if self._merging is not None:
            self._merging[1].kill()
            self._merging[1].wait()
            self._merging = None

    def _settle(self, batch: Batch) -> None:
        with self._database.writing() as session:
            batch_feeding.settle(session, batch)
        self._paces.pop(batch.id, None)

    def _note_trouble(self, batch: Batch, error: StorageError) -> None:
        log.warning("batch waits", error=str(error))
        what = "damaged" if isinstance(error, CorruptObjectError) else "waited for"
        with self._database.writing() as session:
            batch_feeding.note_trouble(session, batch, f"The storage is {what}: {error}")
