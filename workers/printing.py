"""The farm's printing: the steps of print tasks, each short, one at a time with each printer.

A printer that cannot be reached is left alone for a while, longer each time. Its tasks wait without touching the
network, so that nothing else waits behind them. Of several such printers, one at a time is tried anew.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from shared import print_orders, print_turns, printer_readings
from shared.database import now
from shared.errands import Errand, Kind
from shared.ipp import PrinterRefusedError, PrinterUnreachableError
from shared.models import Printer
from shared.print_tasks import ENDED, Status
from shared.storage import StorageError, is_digest
from shared.tracing import bind_trace, clear_trace, logger
from workers.print_steps import ANSWERED, Outcome, Step, StepLostError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from shared.database import Database
    from shared.models import PrintTask
    from shared.settings import Settings
    from shared.storage import Storage

# Longer than any one exchange with a printer may take; it is renewed before each, and while a document goes out.
LEASE_SECONDS = 60.0
RENEWED_AFTER = 10.0
# Threads of one worker that speak to printers.
PRINTERS_AT_ONCE = 16
# A job that takes long is asked for less and less often.
LONGEST_PAUSE = 30.0
PAUSE_GROWTH = 1.15
SHORTEST_BACKOFF, LONGEST_BACKOFF = 2.0, 60.0
# A document that is out is asked for during so much longer: its printer may be off for the night.
OUT_PATIENCE = dt.timedelta(days=1)
BROKE = "A fault of Pressroom itself kept this from being printed; its log says more under the trace id"
NOBODY_KNOWS = "whether it was printed, nobody knows"

log = logger(__name__)


class PrintOperator:
    """Takes steps of print tasks. Several may be taken at once, each of another printer.

    Args:
        settings: The farm's settings.
        database: Where the tasks are.
        storage: Where their documents are.
        worker_id: Who takes the steps.
        ring: Announces an errand.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        storage: Storage,
        worker_id: str,
        ring: Callable[[Errand], bool],
    ) -> None:
        self.settings = settings
        self.database = database
        self.storage = storage
        self.worker_id = worker_id
        self.ring = ring
        # Each may cost a thread all of its patience, and the others are for those that answer.
        self._in_doubt = threading.Semaphore()
        self._places = threading.Semaphore(PRINTERS_AT_ONCE)
        self._threads = ThreadPoolExecutor(PRINTERS_AT_ONCE, thread_name_prefix="printing")

    def begin(self, task_id: str) -> None:
        """Take the next step of a task in a thread of its own, if there is one to take now.

        The worker's own threads are for everything else: a printer may take its document slowly, and for long. One that
        finds no place here stays due, and is rung for again.
        """
        if self._places.acquire(blocking=False):
            self._threads.submit(self._step, task_id)

    def _step(self, task_id: str) -> None:
        try:
            self.step(task_id)
        except Exception:
            # Nobody asks what became of it; the task's lease ends, and another step follows.
            log.exception("print step broke", print_task_id=task_id)
        finally:
            self._places.release()

    def step(self, task_id: str) -> None:
        """Take the next step of a task, if there is one to take now."""
        began = time.monotonic()
        with self.database.reading() as session:
            # Without the one lock that SQLite has for writing: it is asked again and again while a printer is busy.
            if not print_turns.may_be_taken(session, task_id):
                return
        with contextlib.ExitStack() as at_end:
            step = self._begin(task_id, at_end)
            if step is None:
                return
            bind_trace(step.task.trace_id, print_task_id=task_id)
            try:
                self._take(step, began)
            except StepLostError:
                log.warning("print step lost: another worker has it", printer=step.printer.name)
            finally:
                clear_trace()
        self._ring_for_next(step.printer.id)

    def _begin(self, task_id: str, at_end: contextlib.ExitStack) -> Step | None:
        with self.database.writing() as session:
            found = print_turns.find_due(session, task_id)
            if found is None:
                return None
            printer = session.get(Printer, found.printer_id) if found.printer_id else None
            if found.cancel_requested and not print_turns.is_out(found):
                self._end(session, task_id, Status.CANCELLED, None)
                return None
            if printer is None or printer.uri is None:
                self._end(session, task_id, Status.FAILED, "The farm cannot reach the printer any more: it was removed")
                return None
            free = not self._wait(session, found, printer) and self._may_try(printer, at_end)
            if not free or not print_turns.occupy(session, printer.id, seconds=LEASE_SECONDS):
                return None
            task = print_turns.take(session, task_id, worker_id=self.worker_id, seconds=LEASE_SECONDS)
            if task is None:
                print_turns.vacate(session, printer.id)
                return None
            document = print_orders.document_of(session, task)
            session.expunge_all()
        lease = _Lease(self.database, task)
        return Step(
            task,
            printer,
            document.key if document else None,
            self.storage,
            note=lease.note,
            keep=lease.keep,
            # A document of the task's own has its hash in storage alone.
            document_sha256=document.tag if document and is_digest(document.tag) else None,
        )

    def _end(self, session: Session, task_id: str, status: Status, error: str | None) -> None:
        """End a task without its printer."""
        task = print_turns.take(session, task_id, worker_id=self.worker_id, seconds=LEASE_SECONDS)
        if task is not None:
            print_turns.end(session, task_id, attempt=task.attempt, status=status, error=error)

    def _may_try(self, printer: Printer, at_end: contextlib.ExitStack) -> bool:
        """Say whether a printer may be spoken to; until the end, no other may that did not answer either."""
        # One may have been asked about itself, in vain, before it was ever given anything.
        if not printer.failures and printer.error is None:
            return True
        if not self._in_doubt.acquire(blocking=False):
            return False
        at_end.callback(self._in_doubt.release)
        return True

    def _wait(self, session: Session, task: PrintTask, printer: Printer) -> bool:
        """Put a task off, or end it, if its printer is left alone; False when that is not."""
        moment: dt.datetime = session.scalars(select(now())).one()
        if printer.retry_at is None or printer.retry_at <= moment:
            return False
        if _is_given_up(task, moment):
            self._end(session, task.id, *_end_of(task, printer.error or ""))
            return True
        first = {} if task.failures else {"failures": 1, "give_up_at": now(self.settings.print_retry_for)}
        seconds = (printer.retry_at - moment).total_seconds()
        print_turns.postpone(session, task.id, seconds=seconds, error=printer.error, **first)
        return True

    def _take(self, step: Step, began: float) -> None:
        try:
            outcome = step.perform()
        except PrinterUnreachableError as error:
            words = f"Printer {step.printer.name!r} cannot be reached: {error.message}"
            backoff = _backoff(step.printer.failures)
            left_alone = {"error": words, "failures": step.printer.failures + 1, "retry_at": now(backoff)}
            status = self._fail(step, words, backoff, left_alone)
        except PrinterRefusedError as error:
            words = f"The printer refused: {error.message}"
            if error.is_for_now:
                status = self._fail(step, words, _backoff(step.task.failures), ANSWERED)
            else:
                # A printer that refuses to talk about a document that it may have says nothing of it.
                status = self._finish(step, Outcome(*_end_of(step.task, words), reading=ANSWERED))
        except StorageError as error:
            log.warning("storage failed", error=str(error))
            status = self._fail(
                step, "The document cannot be read: the storage does not answer", _backoff(step.task.failures), {}
            )
        except StepLostError:
            raise
        except Exception:
            log.exception("print step broke")
            status = self._fail(step, BROKE, _backoff(step.task.failures), {})
        else:
            status = self._finish(step, outcome)
        log.info(
            "print step",
            printer=step.printer.name,
            status=status,
            job_id=step.task.job_id,
            attempt=step.task.attempt,
            milliseconds=round((time.monotonic() - began) * 1000),
        )

    def _finish(self, step: Step, outcome: Outcome) -> Status:
        """End a step that came to something."""
        task, status = step.task, outcome.status
        with self.database.writing() as session:
            self._vacate(session, step, outcome.reading)
            if status in ENDED:
                won = print_turns.end(
                    session, task.id, attempt=task.attempt, status=status, error=outcome.error, **outcome.values
                )
            else:
                interval = self.settings.print_interval
                pause = min(interval * PAUSE_GROWTH ** min(task.attempt, 100), max(LONGEST_PAUSE, interval))
                won = print_turns.put_off(
                    session,
                    task.id,
                    attempt=task.attempt,
                    seconds=pause,
                    status=status,
                    error=outcome.error,
                    failures=0,
                    **outcome.values,
                )
            if not won:
                # Undone is what was done to the printer, too: it is another step's by now.
                raise StepLostError
        return status

    def _fail(self, step: Step, words: str, backoff: float, reading: dict[str, Any]) -> Status:
        """End a step that came to nothing: it is taken again later, unless that went on for too long."""
        task = step.task
        with self.database.writing() as session:
            self._vacate(session, step, reading)
            moment: dt.datetime = session.scalars(select(now())).one()
            if _is_given_up(task, moment):
                status, words = _end_of(task, words)
                won = print_turns.end(session, task.id, attempt=task.attempt, status=status, error=words)
            else:
                status = Status(task.status)
                first = {} if task.failures else {"give_up_at": now(self.settings.print_retry_for)}
                won = print_turns.put_off(
                    session,
                    task.id,
                    attempt=task.attempt,
                    seconds=backoff,
                    error=words,
                    failures=task.failures + 1,
                    **first,
                )
            if not won:
                raise StepLostError
        return status

    def _vacate(self, session: Session, step: Step, reading: dict[str, Any]) -> None:
        print_turns.vacate(session, step.printer.id)
        if reading:
            printer_readings.write(session, step.printer, reading)

    def _ring_for_next(self, printer_id: str) -> None:
        """Announce the task that waited for this step's end."""
        with self.database.reading() as session:
            waiting = print_turns.next_of(session, printer_id)
        if waiting is not None:
            self.ring(Errand(Kind.PRINT, *waiting))


class _Lease:
    """The hold that a step has on its task and its printer."""

    def __init__(self, database: Database, task: PrintTask) -> None:
        self.database = database
        self.task = task
        self.renewed = time.monotonic()

    def note(self, **values: Any) -> None:
        with self.database.writing() as session:
            if not print_turns.note(session, self.task.id, attempt=self.task.attempt, **values):
                raise StepLostError

    def keep(self) -> None:
        if time.monotonic() - self.renewed < RENEWED_AFTER:
            return
        with self.database.writing() as session:
            if not print_turns.keep(session, self.task, attempt=self.task.attempt, seconds=LEASE_SECONDS):
                raise StepLostError
        self.renewed = time.monotonic()


def _backoff(failures: int) -> float:
    return float(min(LONGEST_BACKOFF, SHORTEST_BACKOFF * 2 ** min(failures, 10)))


def _is_given_up(task: PrintTask, moment: dt.datetime) -> bool:
    """Say whether a task was tried for long enough, which counts from the first failure in a row."""
    if not task.failures or task.give_up_at is None:
        return False
    # Who cancelled it wants to be done with it.
    waits = print_turns.is_out(task) and not task.cancel_requested
    return task.give_up_at + (OUT_PATIENCE if waits else dt.timedelta()) <= moment


def _end_of(task: PrintTask, words: str) -> tuple[Status, str]:
    """Return how a task ends about which the printer says nothing any more, and why."""
    if print_turns.is_out(task):
        return Status.UNKNOWN, f"{words}: {NOBODY_KNOWS}"
    return Status.FAILED, words
