"""Whose turn it is: the steps of print tasks that the farm prints itself, and the printers that are kept for them.

A worker takes one short step at a time (`take`): hand the document over, or ask the printer how far it is. A step ends
with `put_off` (the next one is due then) or `end`. One step at a time is done with each printer (`occupy`). ``attempt``
is the fencing token of a step: who was paused while another went on changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, func, or_, select, update

from shared.database import now, won
from shared.models import Printer, PrintTask
from shared.print_tasks import ACTIVE, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session
    from sqlalchemy.sql.elements import ColumnElement

# A document that was cancelled on its way is still paper for as long as nobody tells the printer.
CANCEL_SECONDS = 2.0
# Rung for in one go: more than one, as those of a printer that is left alone are put off one by one.
MOST_OF_A_PRINTER = 20


def take(session: Session, task_id: str, *, worker_id: str, seconds: float) -> PrintTask | None:
    """Take the next step of a task that the farm prints, or return None when there is none to take now.

    Args:
        session: A writing transaction.
        task_id: The task.
        worker_id: Who takes it.
        seconds: For how long nobody else will.
    """
    statement = (
        update(PrintTask)
        .where(PrintTask.id == task_id, _due())
        .values(attempt=PrintTask.attempt + 1, claimed_by=worker_id, lease_until=now(seconds))
        .returning(PrintTask)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return session.execute(statement).scalar_one_or_none()


def note(session: Session, task_id: str, *, attempt: int, **values: Any) -> bool:
    """Write down something in the middle of a step, such as the job's id, before what depends on it is done.

    Args:
        session: A writing transaction.
        task_id: The task.
        attempt: The step's attempt.
        values: Columns; ``status`` may only be an active one.

    Returns:
        False when the step is no longer the task's: it must stop at once.
    """
    return won(
        session,
        update(PrintTask)
        .where(PrintTask.id == task_id, PrintTask.status.in_(ACTIVE), PrintTask.attempt == attempt)
        .values(modified_at=now(), **values),
    )


def put_off(session: Session, task_id: str, *, attempt: int, seconds: float, **values: Any) -> bool:
    """End a step after which the task goes on; the next step is due in so many seconds. False as of `note`."""
    # Whoever cancelled it while the step was done does not wait for a step that is put off for long.
    soon = now(min(seconds, CANCEL_SECONDS))
    return note(
        session,
        task_id,
        attempt=attempt,
        due_at=case((PrintTask.cancel_requested, soon), else_=now(seconds)),
        lease_until=None,
        claimed_by=None,
        **values,
    )


def postpone(session: Session, task_id: str, *, seconds: float, **values: Any) -> bool:
    """Put off a step that nobody took, because it is not the printer's time; False when it is not due any more."""
    statement = update(PrintTask).where(PrintTask.id == task_id, _due()).values(due_at=now(seconds), **values)
    return won(session, statement)


def keep(session: Session, task: PrintTask, *, attempt: int, seconds: float) -> bool:
    """Keep a step, and its printer, for so many seconds from now. False as of `note`."""
    won(session, update(Printer).where(Printer.id == task.printer_id).values(busy_until=now(seconds)))
    return note(session, task.id, attempt=attempt, lease_until=now(seconds))


def end(
    session: Session, task_id: str, *, attempt: int, status: Status, error: str | None = None, **values: Any
) -> bool:
    """End a task; False when the step is no longer the task's, or it ended before.

    Args:
        session: A writing transaction.
        task_id: The task.
        attempt: The step's, or claim's, attempt.
        status: One of `print_tasks.ENDED`.
        error: Why it did not come to paper, in the printer's or system's own words.
        values: Further columns.
    """
    return note(
        session,
        task_id,
        attempt=attempt,
        status=status,
        error=error,
        finished_at=now(),
        due_at=None,
        lease_until=None,
        **values,
    )


def due(session: Session, *, limit: int) -> Sequence[tuple[str, str]]:
    """Return id and trace of tasks whose next step can be taken now: of every printer some, the longest due first.

    Args:
        session: A transaction.
        limit: How many at most.
    """
    place = func.row_number().over(partition_by=PrintTask.printer_id, order_by=PrintTask.due_at).label("place")
    ranked = select(PrintTask.id, PrintTask.trace_id, PrintTask.due_at, place).where(_due(), ~_is_busy()).subquery()
    # A printer of which hundreds are due must not hide the one task of another.
    statement = (
        select(ranked.c.id, ranked.c.trace_id)
        .where(ranked.c.place <= MOST_OF_A_PRINTER)
        .order_by(ranked.c.place, ranked.c.due_at)
        .limit(limit)
    )
    return [(task_id, trace_id) for task_id, trace_id in session.execute(statement)]


def next_of(session: Session, printer_id: str) -> tuple[str, str] | None:
    """Return id and trace of the task of a printer that has been due for longest; None when none is."""
    of_it = select(PrintTask.id, PrintTask.trace_id).where(_due(), PrintTask.printer_id == printer_id)
    found = session.execute(of_it.order_by(PrintTask.due_at).limit(1)).one_or_none()
    return None if found is None else (found.id, found.trace_id)


def find_due(session: Session, task_id: str) -> PrintTask | None:
    """Return a task whose next step is due and that nobody has, or None."""
    return session.scalars(select(PrintTask).where(PrintTask.id == task_id, _due())).one_or_none()


def may_be_taken(session: Session, task_id: str) -> bool:
    """Say whether a task's next step is due, and no other step is being done with its printer."""
    return session.scalar(select(PrintTask.id).where(PrintTask.id == task_id, _due(), ~_is_busy())) is not None


def is_out(task: PrintTask) -> bool:
    """Say whether a task's document may be out of the farm's hands."""
    # A printer that takes job and document at once may have both before it says the job's number.
    return task.job_id is not None or task.job_state is not None


def occupy(session: Session, printer_id: str, *, seconds: float) -> bool:
    """Keep a printer for one step; False when another step is being done with it, or it is not to be tried yet."""
    free = or_(Printer.busy_until.is_(None), Printer.busy_until < now())
    tried = or_(Printer.retry_at.is_(None), Printer.retry_at <= now())
    return won(
        session,
        update(Printer).where(Printer.id == printer_id, free, tried).values(busy_until=now(seconds)),
    )


def vacate(session: Session, printer_id: str) -> None:
    """Let a printer go after a step."""
    won(session, update(Printer).where(Printer.id == printer_id).values(busy_until=None))


def _due() -> ColumnElement[bool]:
    return and_(
        PrintTask.due_at.is_not(None),
        PrintTask.due_at <= now(),
        PrintTask.status.in_(ACTIVE),
        ~PrintTask.held,
        or_(PrintTask.lease_until.is_(None), PrintTask.lease_until < now()),
    )


def _is_busy() -> ColumnElement[bool]:
    return select(Printer.id).where(Printer.id == PrintTask.printer_id, Printer.busy_until >= now()).exists()
