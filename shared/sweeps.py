"""Sweeps: what nobody keeps is removed, its objects first, so that a sweep killed half-way is finished by the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete

from shared import renders
from shared.models import Render
from shared.storage import StorageError
from shared.tracing import logger

if TYPE_CHECKING:
    from shared.database import Database
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
            candidates = renders.unkept(session, older_than=older_than, limit=BATCH, offset=stuck)
        removable = [render.id for render in candidates if _remove_objects(storage, render)]
        if removable:
            with database.writing() as session:
                gone = delete(Render).where(Render.id.in_(removable))
                session.execute(gone.execution_options(synchronize_session=False))
        removed += len(removable)
        stuck += len(candidates) - len(removable)
        if len(candidates) < BATCH:
            return removed


def _remove_objects(storage: Storage, render: Render) -> bool:
    try:
        for key in renders.objects(render, storage.keys):
            storage.delete(key)
    except StorageError as error:
        # One that cannot be removed now must not keep the others; its row stays, so the next sweep tries again.
        log.warning("object not removed", render_id=render.id, error=str(error))
        return False
    return True
