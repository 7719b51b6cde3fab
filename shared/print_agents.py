"""Print tasks in the hands of agents: programs beside printers that the farm cannot reach, which ask it for work.

::

    pending ──claim──▶ sent ──renew──▶ printing ──result──▶ completed | failed | cancelled | unknown
      ▲                 │                 │
      └──────lapse──────┴─────────────────┘  (cancelled, where that was asked for meanwhile)

A claim gives a lease, ``<task id>.<attempt>``, for a limited time. When it is over, the task can be claimed anew, and
the older lease is worth one thing only: while nobody else has claimed, its agent may still say that the document came
out, since it must not be printed again, or take up where it was.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, func, select, update

from shared import print_tasks
from shared.database import changed, now
from shared.exceptions import ConflictError
from shared.models import Printer, PrintTask
from shared.print_tasks import ENDED, Status

if TYPE_CHECKING:
    from sqlalchemy.orm import Session
    from sqlalchemy.sql.elements import ColumnElement

CLAIMED = (Status.SENT, Status.PRINTING)
_ATTEMPT = re.compile(r"[1-9][0-9]{0,8}")
FELL_SILENT = "Cancelled after its agent fell silent: it may have been printed all the same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What an agent says of the job at its printer; None: it does not say.

    Attributes:
        id: Its number.
        state: What the printer last said of it.
        state_reasons: Why.
    """

    id: int | None = None
    state: str | None = None
    state_reasons: list[str] | None = None

    @property
    def said(self) -> dict[str, Any]:
        """The columns of what it says."""
        columns = {"job_id": self.id, "job_state": self.state, "job_state_reasons": self.state_reasons}
        return {name: value for name, value in columns.items() if value is not None}


def lease_of(task: PrintTask) -> str | None:
    """Return the lease under which an agent has a task; None when none has."""
    return f"{task.id}.{task.attempt}" if is_claimed(task) else None


def is_claimed(task: PrintTask) -> bool:
    """Say whether an agent has a task."""
    return task.status in CLAIMED and task.due_at is None


def claim(session: Session, task_id: str, *, agent: str, seconds: float) -> PrintTask:
    """Give a task to an agent.

    Args:
        session: A writing transaction.
        task_id: The task.
        agent: Who asks, by any name; for people.
        seconds: For how long nobody else gets it.

    Raises:
        NotFoundError: There is no such task.
        ConflictError: It is not to be had; the text says why.
    """
    print_tasks.find(session, task_id)
    # If nobody has looked since the lease of another was over.
    _lapse(session, PrintTask.id == task_id)
    by_agent = select(Printer.id).where(Printer.id == PrintTask.printer_id, Printer.agent).exists()
    won = changed(
        session,
        update(PrintTask)
        .where(PrintTask.id == task_id, PrintTask.status == Status.PENDING, ~PrintTask.held, by_agent)
        # A printer that was not always an agent's: a step that the farm began must end first.
        .where(PrintTask.due_at.is_(None), PrintTask.lease_until.is_(None))
        .values(
            status=Status.SENT,
            attempt=PrintTask.attempt + 1,
            claimed_by=agent,
            lease_until=now(seconds),
            sent_at=now(),
            modified_at=now(),
        ),
    )
    task = print_tasks.find(session, task_id)
    if not won:
        raise ConflictError(_why_not(session, task))
    return task


def renew(
    session: Session, task_id: str, *, agent: str, lease: str, seconds: float, job: Job, printing: bool = False
) -> PrintTask:
    """Let an agent keep a task; also one whose lease is over, while nobody else has claimed it since.

    Args:
        session: A writing transaction.
        task_id: The task.
        agent: Who asks, by any name.
        lease: What the claim gave.
        seconds: For how long from now.
        job: How the job is.
        printing: Whether the printer has begun.

    Raises:
        NotFoundError: There is no such task.
        ConflictError: The lease is worth nothing any more.
    """
    print_tasks.find(session, task_id)
    goes_on = case((PrintTask.status == Status.PENDING, Status.SENT), else_=PrintTask.status)
    won = changed(
        session,
        update(PrintTask)
        .where(_of_lease(task_id, lease), PrintTask.status.in_(print_tasks.ACTIVE))
        .values(
            status=Status.PRINTING if printing else goes_on,
            claimed_by=agent,
            lease_until=now(seconds),
            sent_at=func.coalesce(PrintTask.sent_at, now()),
            modified_at=now(),
            **job.said,
        ),
    )
    task = print_tasks.find(session, task_id)
    if not won:
        raise ConflictError(_worth_nothing(task))
    return task


def report(
    session: Session,
    task_id: str,
    *,
    lease: str,
    status: Status,
    error: str | None,
    job: Job,
) -> PrintTask:
    """End a task as its agent says; to say so twice is the same as once.

    Args:
        session: A writing transaction.
        task_id: The task.
        lease: What the claim gave.
        status: One of `print_tasks.ENDED`.
        error: Why it did not come to paper.
        job: How the job was in the end.

    Raises:
        NotFoundError: There is no such task.
        ConflictError: The lease is worth nothing any more.
    """
    print_tasks.find(session, task_id)
    live = and_(PrintTask.status.in_(CLAIMED), PrintTask.lease_until >= now())
    # Paper that came out is paper, however late its agent says so.
    said = PrintTask.status.in_(print_tasks.ACTIVE) if status == Status.COMPLETED else live
    won = changed(
        session,
        update(PrintTask)
        .where(_of_lease(task_id, lease), said)
        .values(
            status=status,
            error=error,
            lease_until=None,
            finished_at=now(),
            modified_at=now(),
            **job.said,
        ),
    )
    task = print_tasks.find(session, task_id)
    # The answer to the first time may have been lost.
    repeated = task.status == status and task.finished_at is not None and lease == f"{task.id}.{task.attempt}"
    if not (won or repeated):
        raise ConflictError(_worth_nothing(task))
    return task


def is_lapsed(session: Session) -> bool:
    """Say whether there is a task whose agent's lease is over."""
    return session.scalar(select(PrintTask.id).where(_over()).limit(1)) is not None


def lapse(session: Session) -> int:
    """Let the tasks be claimed anew whose agents fell silent, and return how many there were."""
    return _lapse(session)


def _lapse(session: Session, *conditions: ColumnElement[bool]) -> int:
    over = and_(_over(), *conditions)
    freed = {"lease_until": None, "claimed_by": None, "job_state_reasons": None, "modified_at": now()}
    cancelled = update(PrintTask).where(over, PrintTask.cancel_requested)
    cancelled = cancelled.values(status=Status.CANCELLED, error=FELL_SILENT, finished_at=now(), **freed)
    waiting = update(PrintTask).where(over)
    waiting = waiting.values(status=Status.PENDING, sent_at=None, job_id=None, job_state=None, **freed)
    return changed(session, cancelled) + changed(session, waiting)


def _over() -> ColumnElement[bool]:
    # Of what the farm prints itself, the next step is always due some time.
    return and_(PrintTask.status.in_(CLAIMED), PrintTask.due_at.is_(None), PrintTask.lease_until < now())


def _of_lease(task_id: str, lease: str) -> ColumnElement[bool]:
    owner, _, attempt = lease.rpartition(".")
    # Before the first claim there is no lease; and what has more digits would not fit into the column.
    known = owner == task_id and _ATTEMPT.fullmatch(attempt)
    return and_(
        PrintTask.id == task_id,
        PrintTask.due_at.is_(None),
        PrintTask.attempt == (int(attempt) if known else -1),
    )


def _why_not(session: Session, task: PrintTask) -> str:
    if task.status in ENDED:
        return f"The print task has ended: it is {task.status}"
    if task.held:
        return "The print task waits for its document, which is still being rendered: ask again later"
    printer = session.get(Printer, task.printer_id) if task.printer_id else None
    if printer is None:
        return f"Printer {task.printer_name!r} is no longer known: cancel the print task"
    if not printer.agent:
        return f"The farm prints on {printer.name!r} itself: expected a print task of a printer that an agent serves"
    if is_claimed(task):
        return f"{task.claimed_by} has claimed the print task; its lease may be over later"
    return "The farm began this print task itself, before an agent served the printer: cancel it"


def _worth_nothing(task: PrintTask) -> str:
    if task.status in ENDED:
        return f"The print task has ended: it is {task.status}"
    return "The lease is over, or another agent has the print task: do not print it; claim it anew if it is pending"
