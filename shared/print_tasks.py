"""The life of a print task: how it begins, waits for its document, is cancelled and goes.

Every change of its status is here, in `print_turns` as the farm prints it, or in `print_agents` as agents do.

::

    pending ──hand over──▶ sent ──▶ printing ──▶ completed | failed | cancelled | unknown
      │  ▲                   │                       ▲
      │  └── an agent's lease is over                │
      └──────────────────────┴───────────────────────┘

The farm's workers take one short step at a time (`print_turns`). An agent claims the whole task instead
(`print_agents`); no step of such a task is ever due. ``attempt`` grows with each step and claim.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, null, select, update
from sqlalchemy.exc import IntegrityError

from shared.database import now, won
from shared.exceptions import ConflictError, NotFoundError
from shared.models import HistoryRecord, Printer, PrintTask, RetiredObject
from shared.templates import storable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session


class Status(enum.StrEnum):
    """Where a print task is."""

    PENDING = "pending"
    SENT = "sent"
    PRINTING = "printing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


ACTIVE = (Status.PENDING, Status.SENT, Status.PRINTING)
ENDED = (Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.UNKNOWN)


def create(
    session: Session,
    *,
    task_id: str,
    printer: Printer,
    file_name: str,
    number_of_copies: int,
    options: Mapping[str, Any] | None,
    trace_id: str,
    record: HistoryRecord | None,
    held: bool,
    source: str,
    created_by: str | None,
    blob_key: str | None = None,
    size: int | None = None,
    of_batch: tuple[str, int] | None = None,
) -> PrintTask:
    """Write down a new task.

    Args:
        session: A writing transaction, in which `printers.wished` has found the printer.
        task_id: A new UUIDv7.
        printer: Which printer.
        file_name: The document's name, with extension.
        number_of_copies: How many the printer makes.
        options: As in ``options`` of the wire; None or empty: as the printer likes.
        trace_id: The trace that the task belongs to.
        record: Whose document it is; None where ``blob_key`` names it.
        held: Whether the record's render has yet to end.
        source: Where it came from, as a render's.
        created_by: Who asked for it.
        blob_key: The document's storage key, where there is no record.
        size: Its bytes.
        of_batch: The batch whose document it is, and its place in that.

    Raises:
        NotFoundError: The record was removed meanwhile.
        ConflictError: Record or printer is removed at this moment.
    """
    if record is not None:
        _hold(session, record.id)
    task = PrintTask(
        id=task_id,
        trace_id=trace_id,
        history_record_id=record.id if record else None,
        template_id=record.template_id if record else None,
        template_name=record.template_name if record else None,
        printer_id=printer.id,
        printer_name=printer.name,
        file_name=file_name,
        blob_key=blob_key,
        size=size,
        number_of_copies=number_of_copies,
        options=dict(options) if options else None,
        status=Status.PENDING,
        held=held,
        due_at=None if held or printer.agent else now(),
        # An agent's task waits for as long as it takes.
        source=source,
        created_by=created_by,
        batch_id=of_batch[0] if of_batch else None,
        batch_index=of_batch[1] if of_batch else None,
    )
    session.add(task)
    try:
        session.flush()
    except IntegrityError as error:
        raise ConflictError("The printer or the document is being removed at this moment: nothing was made") from error
    session.refresh(task)
    return task


def find(session: Session, task_id: str, *, held: bool = False) -> PrintTask:
    """Return a task as it is now; ``held``: nobody else changes it until this transaction ends.

    Raises:
        NotFoundError: There is no such task.
    """
    task = None
    if storable(task_id):
        task = session.get(PrintTask, task_id, with_for_update=held, populate_existing=True)
    if task is None:
        raise NotFoundError(f"There is no print task whose id is {task_id!r}")
    return task


def made_with(session: Session, record_id: str) -> str | None:
    """Return the task that was made with a record whose render has yet to end, cancelled or not; None: none was.

    Until that end a record has no other: what is not there cannot be printed again.
    """
    return session.scalar(select(PrintTask.id).where(PrintTask.history_record_id == record_id).limit(1))


def release(session: Session, task_id: str) -> bool:
    """Let a task begin whose document is there now; False when it was cancelled meanwhile."""
    # One whose printer is gone becomes due, so that somebody says so.
    by_agent = select(Printer.id).where(Printer.id == PrintTask.printer_id, Printer.agent).exists()
    return won(
        session,
        update(PrintTask)
        .where(PrintTask.id == task_id, PrintTask.held, PrintTask.status == Status.PENDING)
        .values(
            held=False,
            due_at=case((by_agent, null()), else_=now()),
            modified_at=now(),
        ),
    )


def give_up(session: Session, task_id: str, *, error: str) -> bool:
    """End a task whose document will never come."""
    return won(
        session,
        update(PrintTask)
        .where(PrintTask.id == task_id, PrintTask.held, PrintTask.status == Status.PENDING)
        .values(held=False, status=Status.FAILED, error=error, finished_at=now(), modified_at=now()),
    )


def cancel(session: Session, task_id: str) -> PrintTask:
    """Cancel a task: at once where nothing can have reached the printer yet, else as soon as whoever has it can.

    Returns:
        The task: cancelled, or with ``cancel_requested``.

    Raises:
        NotFoundError: There is no such task.
        ConflictError: It has ended.
    """
    find(session, task_id)
    # A lease that nobody gave back is that of a step that broke off: it may have handed the document over.
    untouched = and_(
        PrintTask.status == Status.PENDING,
        PrintTask.lease_until.is_(None),
        PrintTask.job_id.is_(None),
        # A printer that takes job and document at once may have both before it says the job's number.
        PrintTask.job_state.is_(None),
    )
    at_once = won(
        session,
        update(PrintTask)
        .where(PrintTask.id == task_id, untouched)
        .values(status=Status.CANCELLED, held=False, due_at=None, finished_at=now(), modified_at=now()),
    )
    asked = at_once or won(
        session,
        update(PrintTask)
        .where(PrintTask.id == task_id, PrintTask.status.in_(ACTIVE))
        .values(
            cancel_requested=True,
            # No step of an agent's task may ever be due.
            due_at=case((PrintTask.due_at.is_not(None), now()), else_=null()),
            modified_at=now(),
        ),
    )
    task = find(session, task_id)
    if not asked:
        raise ConflictError(f"The print task has ended: it is {task.status}")
    return task


def remove(session: Session, task_id: str) -> PrintTask:
    """Remove a task that has ended; its object, where it has one of its own, is left to the sweep.

    Raises:
        NotFoundError: There is no such task.
        ConflictError: It has not ended.
    """
    task = find(session, task_id, held=True)
    if task.status not in ENDED:
        raise ConflictError(f"The print task is {task.status}: cancel it, or wait for its end, before you remove it")
    if task.blob_key:
        session.add(RetiredObject(key=task.blob_key))
    session.delete(task)
    return task


def _hold(session: Session, record_id: str) -> None:
    """Keep a record from being removed until this transaction ends, by the lock that its foreign key takes."""
    lock = select(HistoryRecord.id).where(HistoryRecord.id == record_id).with_for_update(read=True, key_share=True)
    if session.scalar(lock) is None:
        raise NotFoundError("The history record was removed at this moment: there is nothing to print")
