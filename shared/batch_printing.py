"""Printing a batch's documents on one printer, in their order.

A document is handed over when the one before it has left the farm: a printer that is away for a moment cannot make the
second come out before the first. Each has a copy of its own, as what comes to be printed has: the report may go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from shared import batch_feeding, print_orders
from shared.database import won
from shared.exceptions import UnprocessableError
from shared.history import PDF
from shared.models import Batch, PrintTask
from shared.print_orders import Wish
from shared.print_tasks import Status
from shared.renders import ENDED, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from shared.batch_feeding import Entry
    from shared.database import Database
    from shared.storage import Storage

# In one step; as many are with the printer at once.
SOME = 20


def step(database: Database, storage: Storage, batch: Batch) -> tuple[bool, Sequence[tuple[str, str]]]:
    """Hand over the next documents that can be.

    Args:
        database: Where batch and print tasks are.
        storage: Where documents are.
        batch: A batch with a wish to be printed.

    Returns:
        Whether anything is left to print, and id and trace of the print tasks to announce.
    """
    made: list[tuple[str, str]] = []
    for _ in range(SOME):
        with database.reading() as session:
            printed = session.scalar(select(Batch.printed).where(Batch.id == batch.id))
            if printed is None or printed >= batch.total:
                return False, made
            found = batch_feeding.entries(session, batch.id, after=printed, limit=1)
            waits = session.scalar(
                select(PrintTask.id).where(PrintTask.batch_id == batch.id, PrintTask.status == Status.PENDING).limit(1)
            )
        if waits is not None:
            return True, made
        if not found:
            # The batch has not come so far; or its owner has removed what is left.
            return batch.fed < batch.total, made
        entry = found[0]
        if entry.state not in ENDED:
            return True, made
        task = _hand_over(database, storage, batch, entry, printed=printed)
        if task is not None:
            made.append(task)
    return True, made


def _hand_over(
    database: Database, storage: Storage, batch: Batch, entry: Entry, *, printed: int
) -> tuple[str, str] | None:
    moved = update(Batch).where(Batch.id == batch.id, Batch.printed == printed).values(printed=entry.index)

    def move(session: Session) -> None:
        if not won(session, moved):
            raise UnprocessableError([("printing", "somebody else hands it over")])

    with database.reading() as session:
        was = select(PrintTask.id).where(PrintTask.batch_id == batch.id, PrintTask.batch_index == entry.index)
        is_done = session.scalar(was) is not None
    if is_done or entry.state != State.SUCCEEDED or entry.media_type != PDF or entry.blob_key is None:
        with database.writing() as session:
            won(session, moved)
        return None
    task = print_orders.print_content(
        database,
        storage,
        content=storage.get(entry.blob_key, sha256=entry.sha256, size=entry.size),
        file_name=f"{entry.name or entry.index}.pdf",
        trace_id=entry.trace_id,
        wish=Wish(**(batch.printing or {}), created_by=batch.created_by, source=batch_feeding.SOURCE),
        sha256=entry.sha256,
        of_batch=(batch.id, entry.index),
        within=move,
    )
    return task.id, entry.trace_id
