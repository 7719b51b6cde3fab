"""Print tasks as lists show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select

from shared.models import PrintTask

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


def listed(
    session: Session,
    *,
    offset: int,
    limit: int,
    search: str = "",
    status: str | None = None,
    printer_name: str | None = None,
    record_id: str | None = None,
    trace_id: str | None = None,
    created_from: dt.datetime | None = None,
    created_to: dt.datetime | None = None,
    descending: bool = True,
) -> tuple[Sequence[PrintTask], int]:
    """Return one page of the print tasks, and how many there are in all.

    Args:
        session: A transaction.
        offset: How many come before the page.
        limit: How many the page may have.
        search: A part of file name, trace id or printer's name, in upper or lower case; empty: any.
        status: Only those of this status.
        printer_name: Only those of this printer.
        record_id: Only those of this history record.
        trace_id: Only those of this trace.
        created_from: Only those made then or later.
        created_to: Only those made before then.
        descending: Whether the newest come first.
    """
    conditions = []
    if search:
        columns = (PrintTask.file_name, PrintTask.trace_id, PrintTask.printer_name)
        # SQLite's LIKE tells no case apart by itself; being told so, it takes twice as long.
        folds = session.get_bind().dialect.name == "sqlite"
        parts = (one.contains if folds else one.icontains for one in columns)
        conditions.append(or_(*(part(search, autoescape=True) for part in parts)))
    for column, wanted in (
        (PrintTask.status, status),
        (PrintTask.printer_name, printer_name),
        (PrintTask.history_record_id, record_id),
        (PrintTask.trace_id, trace_id),
    ):
        if wanted is not None:
            conditions.append(column == wanted)
    if created_from is not None:
        conditions.append(PrintTask.created_at >= created_from)
    if created_to is not None:
        conditions.append(PrintTask.created_at < created_to)
    order = [column.desc() if descending else column.asc() for column in (PrintTask.created_at, PrintTask.id)]
    page = session.scalars(select(PrintTask).where(*conditions).order_by(*order).offset(offset).limit(limit)).all()
    if 0 < len(page) < limit or (not page and not offset):
        # This is the last one: nothing is looked for twice.
        return page, offset + len(page)
    return page, session.scalar(select(func.count()).select_from(PrintTask).where(*conditions)) or 0
