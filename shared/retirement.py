"""Objects whose rows go: noted in the transaction that deletes the rows, removed after its commit.

Whoever is killed between the two leaves a note, and the sweep (`sweeps.sweep_retired`) finds it. The sweep says in the
note that it takes the object (`TAKEN`) before it does: whoever is about to write a row that names it hears of that.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from shared.models import RetiredObject
from shared.storage import StorageError
from shared.tracing import logger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from shared.database import Database
    from shared.storage import Storage

# When an object was retired that the sweep is removing: long enough ago for every sweep, if this one is killed.
TAKEN = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

log = logger(__name__)


def retire(session: Session, keys: Iterable[str]) -> None:
    """Note objects that no row names from now on.

    Args:
        session: The transaction that takes them from their rows.
        keys: Their keys; one that was noted before is noted still.
    """
    wanted = set(keys)
    noted = session.scalars(select(RetiredObject.key).where(RetiredObject.key.in_(wanted))).all() if wanted else []
    session.add_all(RetiredObject(key=key) for key in sorted(wanted.difference(noted)))


def remove(database: Database, storage: Storage, keys: Iterable[str]) -> None:
    """Remove noted objects at once, if storage lets; the sweep takes the rest.

    Args:
        database: Where they are noted; the transaction that did is committed.
        storage: Where they are.
        keys: Their keys.
    """
    removed = []
    try:
        for key in keys:
            storage.delete(key)
            removed.append(key)
    except StorageError as error:
        # Somebody may be waiting: of a store that is away, it is asked once.
        log.warning("objects not removed yet", error=str(error))
    if removed:
        with database.writing() as session:
            forget = delete(RetiredObject).where(RetiredObject.key.in_(removed))
            session.execute(forget.execution_options(synchronize_session=False))
