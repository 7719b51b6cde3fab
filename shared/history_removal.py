"""Removing history records, one by one or by their age. API, studio and purge go by the rules that are here.

What a record is made of goes in one transaction: it locks the render, then the record, then looks whether a print task
names it. One that is being made at that moment waits for the lock and then finds no record, or is seen. The objects go
after the commit; who is killed before that leaves them to the sweep (`retirement`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from sqlalchemy import and_, delete, func, or_, select, tuple_

from shared import renders, retirement, thumbnails
from shared.database import now
from shared.exceptions import ConflictError
from shared.history import not_found, unpinned
from shared.models import Comparison, HistoryRecord, PrintTask, Render
from shared.print_tasks import ACTIVE, ENDED, Status
from shared.templates import storable

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy.orm import Session
    from sqlalchemy.sql.elements import ColumnElement

    from shared.database import Database
    from shared.storage import Storage

BATCH = 200
REMOVE_TASKS = "DELETE /api/v1/report-history-record/{id}/delete-all-report-print-tasks"


@dataclass(frozen=True, slots=True)
class Purged:
    """How many history records and print tasks a purge removed."""

    records: int
    print_tasks: int


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one transaction of a purge did, and where the next one goes on."""

    records: int
    print_tasks: int
    keys: Sequence[str]
    last: tuple[dt.datetime, str] | None


def remove(database: Database, storage: Storage, record_id: str) -> str:
    """Remove a record with everything that was made for it, and return its trace id.

    A render that has not ended is cancelled.

    Args:
        database: Where it is.
        storage: Where its objects are; what cannot go now goes with the sweep.
        record_id: The record.

    Raises:
        NotFoundError: There is no such record.
        ConflictError: Print tasks name it; the text says how many, and what removes them.
    """
    with database.writing() as session:
        render_id, trace_id = _known(session, record_id)
        _lock(session, [render_id])
        if not _lock_records(session, [render_id]):
            raise not_found(record_id)
        # Asked when nobody can make one any more.
        tasks = session.scalar(select(func.count()).where(PrintTask.history_record_id == record_id)) or 0
        if tasks:
            raise ConflictError(
                f"History record {record_id} has {tasks} print task{'s' if tasks > 1 else ''}: "
                f"remove {'them' if tasks > 1 else 'it'} first, with {REMOVE_TASKS.format(id=record_id)}"
            )
        renders.cancel(session, render_id)
        keys = _erase(session, [record_id])
    retirement.remove(database, storage, keys)
    return trace_id


def remove_print_tasks(database: Database, storage: Storage, record_id: str) -> int:
    """Remove all print tasks of a record, and return how many there were; or none of them.

    One that waits is removed, and nothing is printed. So is one that was begun by somebody who never came back.

    Args:
        database: Where they are.
        storage: Where the objects of those are that have one of their own.
        record_id: The record.

    Raises:
        NotFoundError: There is no such record.
        ConflictError: Some are being printed; the text names them.
    """
    with database.writing() as session:
        render_id, _ = _known(session, record_id)
        if not _lock_records(session, [render_id]):
            raise not_found(record_id)
        idle = or_(PrintTask.lease_until.is_(None), PrintTask.lease_until < now())
        removable = or_(PrintTask.status.in_(ENDED), and_(PrintTask.status == Status.PENDING, idle))
        # One that is taken at this moment is waited for, and looked at again.
        count, keys = _delete_tasks(session, and_(PrintTask.history_record_id == record_id, removable))
        left = session.execute(
            select(PrintTask.id, PrintTask.status, PrintTask.printer_name)
            .where(PrintTask.history_record_id == record_id)
            .order_by(PrintTask.id)
        ).all()
        if left:
            named = ", ".join(f"{task_id} ({status}, {printer!r})" for task_id, status, printer in left)
            raise ConflictError(
                f"Nothing was removed, as this is being printed right now: {named}. Wait for its end, or cancel it"
            )
        retirement.retire(session, keys)
    retirement.remove(database, storage, keys)
    return count


def purge(database: Database, storage: Storage, *, older_than: float) -> Purged:
    """Remove old records that are done with, and old print tasks that have ended and that no record has.

    A record is done with when its render and all its print tasks have ended, and when it is not pinned; its tasks go
    with it, whatever their age. Each batch is a transaction of its own, so a purge can be killed at any point, and two
    can be at it at once.

    Args:
        database: Where the rows are.
        storage: Where the objects are; what cannot go now goes with the sweep.
        older_than: Seconds since the creation of record or task.
    """
    records = print_tasks = 0
    last: tuple[dt.datetime, str] | None = None
    while True:
        with database.writing() as session:
            batch = _purge_records(session, older_than=older_than, after=last)
        retirement.remove(database, storage, batch.keys)
        records, print_tasks = records + batch.records, print_tasks + batch.print_tasks
        last = batch.last
        if last is None:
            break
    while True:
        with database.writing() as session:
            count, keys = _purge_tasks(session, older_than=older_than)
        retirement.remove(database, storage, keys)
        print_tasks += count
        if not count:
            return Purged(records, print_tasks)


def _purge_records(session: Session, *, older_than: float, after: tuple[dt.datetime, str] | None) -> _Batch:
    place = tuple_(HistoryRecord.created_at, HistoryRecord.id)
    old = [HistoryRecord.created_at < now(-older_than), unpinned(), *([] if after is None else [place > after])]
    # Those that must stay are passed by, and not looked at again in the next batch.
    found = session.execute(
        select(HistoryRecord.created_at, HistoryRecord.id, HistoryRecord.render_id)
        .where(*old)
        .order_by(HistoryRecord.created_at, HistoryRecord.id)
        .limit(BATCH)
    ).all()
    # What somebody else has at this moment is theirs, or the next purge's.
    ended = _lock(session, [one.render_id for one in found], Render.state.in_(renders.ENDED), skip_locked=True)
    # Asked again of the rows themselves: somebody may just have pinned one.
    ids = _lock_records(session, ended, ~HistoryRecord.keep, skip_locked=True)
    busy = select(PrintTask.history_record_id).where(PrintTask.history_record_id.in_(ids), PrintTask.status.in_(ACTIVE))
    stay = set(session.scalars(busy))
    ids = [one for one in ids if one not in stay]
    count, keys = _delete_tasks(session, PrintTask.history_record_id.in_(ids))
    retirement.retire(session, keys)
    keys += _erase(session, ids)
    last = (found[-1].created_at, found[-1].id) if len(found) == BATCH else None
    return _Batch(len(ids), count, keys, last)


def _purge_tasks(session: Session, *, older_than: float) -> tuple[int, list[str]]:
    ids = session.scalars(
        select(PrintTask.id)
        .where(
            PrintTask.status.in_(ENDED),
            PrintTask.created_at < now(-older_than),
            PrintTask.history_record_id.is_(None),
        )
        .order_by(PrintTask.id)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    count, keys = _delete_tasks(session, PrintTask.id.in_(ids))
    retirement.retire(session, keys)
    return count, keys


def _known(session: Session, record_id: str) -> tuple[str, str]:
    """Return a record's render and trace."""
    found = None
    if storable(record_id):
        of_record = select(HistoryRecord.render_id, HistoryRecord.trace_id).where(HistoryRecord.id == record_id)
        found = session.execute(of_record).one_or_none()
    if found is None:
        raise not_found(record_id)
    return found.render_id, found.trace_id


def _lock(
    session: Session, render_ids: Sequence[str], *conditions: ColumnElement[bool], skip_locked: bool = False
) -> Sequence[str]:
    """Lock renders, in one order for everybody, and return those that fulfil the conditions."""
    rows = select(Render.id).where(Render.id.in_(render_ids), *conditions).order_by(Render.id)
    return session.scalars(rows.with_for_update(skip_locked=skip_locked)).all()


def _lock_records(
    session: Session, render_ids: Sequence[str], *conditions: ColumnElement[bool], skip_locked: bool = False
) -> list[str]:
    """Lock the records of renders, so that no print task and no comparison can be made any more that names them."""
    theirs = select(HistoryRecord.id).where(HistoryRecord.render_id.in_(render_ids), *conditions)
    rows = theirs.order_by(HistoryRecord.id)
    return list(session.scalars(rows.with_for_update(skip_locked=skip_locked)))


def _delete_tasks(session: Session, which: ColumnElement[bool]) -> tuple[int, list[str]]:
    """Delete print tasks, and return how many, and the keys of the objects that some had of their own."""
    gone = delete(PrintTask).where(which).returning(PrintTask.blob_key)
    keys = session.scalars(gone.execution_options(synchronize_session=False)).all()
    return len(keys), [key for key in keys if key]


def _erase(session: Session, record_ids: Sequence[str]) -> list[str]:
    """Delete records that are locked and that no print task names, and return the keys of their objects."""
    # In one order for everybody: a comparison has two records, and two purges may each have one of them.
    either = or_(Comparison.first_id.in_(record_ids), Comparison.second_id.in_(record_ids))
    compared = session.scalars(select(Comparison.id).where(either).order_by(Comparison.id).with_for_update()).all()
    comparisons = delete(Comparison).where(Comparison.id.in_(compared)).returning(Comparison.overlays)
    overlays = session.scalars(comparisons.execution_options(synchronize_session=False)).all()
    keys = [cast("str", key) for one in overlays if one for key in one.values()]
    records = delete(HistoryRecord).where(HistoryRecord.id.in_(record_ids))
    gone = session.execute(
        records.returning(HistoryRecord.render_id, HistoryRecord.payload_key).execution_options(
            synchronize_session=False
        )
    ).all()
    keys += [one.payload_key for one in gone if one.payload_key]
    # The renders' rows go with the sweep, which also knows what lost attempts may have stored.
    render_ids = [one.render_id for one in gone]
    keys += renders.unkeep(session, render_ids)
    retirement.retire(session, keys)
    return keys + thumbnails.forget(session, render_ids)
