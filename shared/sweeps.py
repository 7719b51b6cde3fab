"""Sweeps: what nobody keeps is removed, its objects first, so that a sweep killed half-way is finished by the next.

A report is marked before its objects go: from then on nobody sees it, but its row still holds the blobName, so that no
new report's object can lie under a key that a sweep is about to delete.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from shared import batches, certificates, reports, retirement, templates, unattended
from shared.database import now
from shared.exceptions import NotFoundError
from shared.models import Render, RetiredObject
from shared.renders import State
from shared.retirement import TAKEN
from shared.storage import StorageError
from shared.tracing import logger

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.database import Database
    from shared.models import Report
    from shared.storage import Storage

BATCH = 200

log = logger(__name__)


def sweep_unkept(database: Database, storage: Storage, *, older_than: float) -> int:
    """Remove ended renders of which nothing is kept, and return how many.

    Args:
        database: Where the renders are.
        storage: Where their objects are.
        older_than: Seconds since they ended.
    """
    removed = stuck = 0
    while True:
        with database.reading() as session:
            candidates = unattended.unkept(session, older_than=older_than, limit=BATCH, offset=stuck)
        removable = [render.id for render in candidates if _remove_objects(storage, render)]
        if removable:
            with database.writing() as session:
                gone = delete(Render).where(Render.id.in_(removable))
                session.execute(gone.execution_options(synchronize_session=False))
        removed += len(removable)
        stuck += len(candidates) - len(removable)
        if len(candidates) < BATCH:
            return removed


def sweep_reports(database: Database, storage: Storage, *, older_than: float | None) -> int:
    """Remove reports whose time has come, and those that were removed before but left something; return how many.

    Args:
        database: Where the reports are.
        storage: Where their objects are.
        older_than: Seconds since they were submitted; None: only those with an expiry of their own.
    """
    marked = BATCH
    while marked == BATCH:
        with database.writing() as session:
            marked = reports.mark_expired(session, older_than=older_than, limit=BATCH)
    removed, last = 0, ""
    while True:
        with database.reading() as session:
            batch = reports.removable(session, limit=BATCH, after=last)
        removed += _erase(database, storage, batch)
        if len(batch) < BATCH:
            return removed
        last = batch[-1].id


def remove_report(database: Database, storage: Storage, report_id: str) -> None:
    """Remove a report with its object, cancelling its render if need be. What cannot go now goes with a later sweep.

    Raises:
        NotFoundError: There is no such report.
    """
    with database.writing() as session:
        reports.mark_removed(session, report_id)
    with database.reading() as session:
        batch = reports.removable(session, limit=1, only=report_id)
    _erase(database, storage, batch)


def withdraw_report(database: Database, storage: Storage, report_id: str) -> None:
    """Take back the report of a caller who is told that there is none: its blobName is free for the next try.

    Unlike a removed report's, its render stays for a while, so that its trace can be followed. A report that is gone
    already is no error.
    """
    with contextlib.suppress(NotFoundError), database.writing() as session:
        reports.mark_removed(session, report_id)
    with database.reading() as session:
        batch = reports.removable(session, limit=1, only=report_id)
    for report in batch:
        if _remove_marked(database, storage, report):
            with database.writing() as session:
                reports.release(session, report)


def sweep_retired(database: Database, storage: Storage, *, older_than: float) -> int:
    """Remove objects that no row names any more, and return how many.

    Args:
        database: Where they are noted.
        storage: Where they are.
        older_than: Seconds since they were retired; renders that began before may still read them.
    """
    removed, last = 0, ""
    while True:
        with database.reading() as session:
            batch = session.scalars(
                select(RetiredObject.key)
                .where(RetiredObject.retired_at < now(-older_than), RetiredObject.key > last)
                .order_by(RetiredObject.key)
                .limit(BATCH)
            ).all()
        gone = [key for key in _taken(database, batch) if _remove(storage, [key])]
        if gone:
            with database.writing() as session:
                forget = delete(RetiredObject).where(RetiredObject.key.in_(gone))
                session.execute(forget.execution_options(synchronize_session=False))
        removed += len(gone)
        if len(batch) < BATCH:
            return removed
        last = batch[-1]


def _taken(database: Database, keys: Sequence[str]) -> Sequence[str]:
    """Say of retired objects that they are being removed, and return those of which no row was written meanwhile."""
    if not keys:
        return ()
    take = update(RetiredObject).where(RetiredObject.key.in_(keys)).values(retired_at=TAKEN)
    with database.writing() as session:
        returning = take.returning(RetiredObject.key).execution_options(synchronize_session=False)
        return session.scalars(returning).all()


def sweep_template_versions(database: Database) -> int:
    """Remove the versions of removed templates that no render names any more, and return how many."""
    removed, batch = 0, BATCH
    while batch == BATCH:
        with database.writing() as session:
            batch = templates.forget_unused_versions(session, limit=BATCH)
        removed += batch
    return removed


def sweep_certificates(database: Database, *, older_than: float) -> int:
    """Remove the certificates of what is gone, or was not rendered for so many seconds, and return how many."""
    removed, batch = 0, BATCH
    while batch == BATCH:
        with database.writing() as session:
            batch = certificates.forget_unused(session, older_than=older_than, limit=BATCH)
        removed += batch
    return removed


def sweep_batches(database: Database, storage: Storage, *, older_than: float) -> int:
    """Forget batches that ended so many seconds ago and of whose documents none is left, and return how many."""
    removed, batch = 0, BATCH
    while batch == BATCH:
        with database.writing() as session:
            batch, keys = batches.forget_old(session, older_than=older_than, limit=BATCH)
        retirement.remove(database, storage, keys)
        removed += batch
    return removed


def _erase(database: Database, storage: Storage, batch: Sequence[Report]) -> int:
    gone = [report for report in batch if _remove_marked(database, storage, report)]
    if gone:
        with database.writing() as session:
            keys = reports.erase(session, gone)
        retirement.remove(database, storage, keys)
    return len(gone)


def _remove_marked(database: Database, storage: Storage, report: Report) -> bool:
    with database.reading() as session:
        still_marked = reports.is_marked(session, report.id)
    # Another sweep, or its owner, was quicker: its blobName, and with it the key, may be another report's by now.
    return still_marked and _remove_objects(storage, report.render)


def _remove_objects(storage: Storage, render: Render) -> bool:
    try:
        keys = _objects(render, storage)
    except StorageError as error:
        log.warning("objects not listed", render_id=render.id, error=str(error))
        return False
    return _remove(storage, keys)


def _objects(render: Render, storage: Storage) -> set[str]:
    """Return the keys of all objects that a render may have left."""
    found = {key for key in (render.blob_key, render.data_key) if key}
    # Storage is asked only when an attempt may have stored what no row names.
    if render.losses or (render.state == State.CANCELLED and render.attempt):
        stem = render.blob_stem
        found |= {*storage.keys(f"{stem}."), *storage.keys(f"{stem}~")}
    return found


def _remove(storage: Storage, keys: Iterable[str]) -> bool:
    try:
        for key in keys:
            storage.delete(key)
    except StorageError as error:
        # One that cannot be removed now must not keep the others; its row stays, so the next sweep tries again.
        log.warning("object not removed", error=str(error))
        return False
    return True
