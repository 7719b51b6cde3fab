"""Objects whose rows are still to be written; and large data of a row, which stays in it while the store is away.

What is accepted rests on the database alone, so a store that is away is no reason to refuse work. The row is readable
just so: whoever reads it looks at the key first.

An object is noted as retired before it is stored, and the note goes in the transaction that writes its row (`keep`). So
whatever is killed or away in between, an object that no row names is removed by the sweep.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete

from shared.database import DATABASE_AWAY, won
from shared.exceptions import NotReadyError
from shared.models import RetiredObject
from shared.retirement import TAKEN, remove, retire
from shared.storage import StorageError
from shared.tracing import logger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

    from shared.database import Database
    from shared.storage import Storage

JSON = "application/json"
RETRY_SECONDS = 5

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where some data is.

    Attributes:
        key: Its key in storage, which whoever writes the row must `keep`; None: it belongs into the row.
    """

    key: str | None = None


def place(
    database: Database,
    storage: Storage,
    key: str,
    content: bytes,
    *,
    inline_bytes: int,
    metadata: Mapping[str, str],
) -> Place:
    """Store JSON that is too large for a row, if the store takes it.

    Args:
        database: Where it is noted before.
        storage: The store.
        key: A key of its own.
        content: The JSON.
        inline_bytes: What a row may well hold.
        metadata: Kept with the object.
    """
    if len(content) <= inline_bytes:
        return Place()
    try:
        return store(database, storage, key, content, media_type=JSON, metadata=metadata)
    except StorageError as error:
        log.warning("large data stays in its row", key=key, bytes=len(content), error=str(error))
        return Place()


def store(
    database: Database,
    storage: Storage,
    key: str,
    content: bytes,
    *,
    media_type: str,
    metadata: Mapping[str, str],
    sha256: str | None = None,
) -> Place:
    """Store an object whose row is still to be written.

    Args:
        database: Where it is noted before.
        storage: The store.
        key: A key of its own.
        content: The object.
        media_type: What it is.
        metadata: Kept with it.
        sha256: Its hash, where it is known.

    Raises:
        StorageError: The store does not take it. It may be there all the same; the note stays.
    """
    with database.writing() as session:
        retire(session, [key])
    storage.put(key, content, media_type=media_type, metadata=metadata, sha256=sha256)
    return Place(key)


def copy(database: Database, storage: Storage, source: str, key: str) -> Place:
    """Let the store copy an object to a key whose row is still to be written.

    Args:
        database: Where it is noted before.
        storage: The store.
        source: The object's key.
        key: A key of its own.

    Raises:
        FileNotFoundError: There is no such object.
        StorageError: The store does not copy it. The copy may be there all the same; the note stays.
    """
    with database.writing() as session:
        retire(session, [key])
    storage.copy(source, key)
    return Place(key)


@contextlib.contextmanager
def unless_refused(database: Database, storage: Storage, place: Place) -> Iterator[None]:
    """Remove the object at once when what the block writes is refused. Else the sweep would, some minutes later.

    When a connection breaks in a commit, nobody hears whether it came through: then it is left to the sweep.
    """
    try:
        yield
    except DATABASE_AWAY:
        raise
    except Exception:
        if place.key is not None:
            with contextlib.suppress(*DATABASE_AWAY):
                remove(database, storage, [place.key])
        raise


def keep(transaction: Session | Connection, place: Place) -> None:
    """Take the note of an object back, in the transaction that writes the row that names it.

    Raises:
        NotReadyError: It took so long that the sweep has taken the object.
    """
    if place.key is None:
        return
    note = delete(RetiredObject).where(RetiredObject.key == place.key, RetiredObject.retired_at > TAKEN)
    if not won(transaction, note):
        raise NotReadyError(
            "The farm was held up for so long that what was sent had to be thrown away, and nothing was made of it: "
            "send it again",
            retry_after=RETRY_SECONDS,
        )
