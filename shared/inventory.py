"""The inventory: what lies in storage compared with what the rows name.

The farm removes objects before rows, and writes them before rows, so a crash at the wrong moment can leave an object
that no row names; a backup that was put back, or a hand in the bucket, can leave a row whose object is gone.
"""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from shared import leases
from shared.models import Asset, Comparison, HistoryRecord, PrintTask, Render, Report, RetiredObject, Thumbnail
from shared.renders import ENDED
from shared.storage import StorageError
from shared.tracing import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy.orm import InstrumentedAttribute, Session
    from sqlalchemy.sql.elements import ColumnElement

    from shared.database import Database
    from shared.storage import Listed, Storage

BATCH = 500
# What else lies in the bucket is not the farm's to judge.
FOLDERS = (
    "transient/",
    "reports/",
    "previews/",
    "history/",
    "data/",
    "assets/",
    "payloads/",
    "thumbnails/",
    "comparisons/",
    "prints/",
)
# What a row may miss, and whose the row is.
OWNERS = {
    "document": "render",
    "data": "render",
    "asset": "asset",
    "payload": "history record",
    "thumbnail": "render",
    "overlay": "comparison",
    "PDF": "print task",
}

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Missing:
    """A row whose object is gone.

    Attributes:
        kind: One of `OWNERS`.
        row_id: The id of its owner.
        key: Where the object should be.
    """

    kind: str
    row_id: str
    key: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a check found: how many objects no row names, how many of those it removed, how many rows lack theirs."""

    orphans: int
    removed: int
    missing: int

    @property
    def unrepaired(self) -> bool:
        """Whether something is still not as it should be."""
        return bool(self.missing or self.orphans > self.removed)


def check(database: Database, storage: Storage, *, grace: float, repair: bool, say: Callable[[str], None]) -> Inventory:
    """Compare storage and rows in both directions, and say line by line what differs.

    Args:
        database: Where the rows are.
        storage: Where the objects are.
        grace: As for `orphans`.
        repair: Whether orphans are removed. What a row misses cannot be made again, and the row tells what it was.
        say: Takes the lines.

    Raises:
        StorageError: The store did not answer.
    """
    found = removed = lacking = 0
    for key in orphans(database, storage, grace=grace):
        found += 1
        if repair and is_orphan(database, key):
            storage.delete(key)
            removed += 1
        say(f"orphan   {key}{'  removed' if repair else ''}")
    for one in missing(database, storage):
        lacking += 1
        say(f"missing  {one.key}  ({one.kind} of {OWNERS[one.kind]} {one.row_id})")
    hint = "" if repair or not found else "; --repair removes them"
    say(f"{found} objects without a row, {removed} removed{hint}; {lacking} rows without their object")
    return Inventory(found, removed, lacking)


def orphans(database: Database, storage: Storage, *, grace: float) -> Iterator[str]:
    """Yield the keys of objects that no row names.

    Args:
        database: Where the rows are.
        storage: Where the objects are.
        grace: Seconds for which an object may lie there without a row, as one does between upload and commit.

    Raises:
        StorageError: The store did not answer.
    """
    youngest = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=grace)
    for folder in FOLDERS:
        for batch in _batches(storage.listed(folder)):
            old = [one.key for one in batch if one.modified_at < youngest]
            with database.reading() as session:
                named = _named(session, old)
            yield from (key for key in old if key not in named)


def is_orphan(database: Database, key: str) -> bool:
    """Look once more whether no row names an object, right before it is removed."""
    with database.reading() as session:
        return key not in _named(session, [key])


def take_back(database: Database, storage: Storage, key: str) -> None:
    """Remove an object whose row was not written. Where that cannot be known, it is left for the next check.

    When a connection breaks in a commit, nobody hears whether it came through: the row may be there after all.
    """
    try:
        if is_orphan(database, key):
            storage.delete(key)
    except (StorageError, SQLAlchemyError) as error:
        log.warning("object not taken back", key=key, error=str(error))


def missing(database: Database, storage: Storage) -> Iterator[Missing]:
    """Yield the rows whose objects are gone.

    Args:
        database: Where the rows are.
        storage: Where the objects should be.

    Raises:
        StorageError: The store did not answer.
    """
    # The rows of what is being removed outlive their objects for a moment.
    removed = select(Report.id).where(Report.render_id == Render.id, Report.removed_at.is_not(None)).exists()
    for kind, row_id, key in (
        ("document", Render.id, Render.blob_key),
        ("data", Render.id, Render.data_key),
        ("asset", Asset.id, Asset.blob_key),
        ("payload", HistoryRecord.id, HistoryRecord.payload_key),
        ("thumbnail", Thumbnail.render_id, Thumbnail.blob_key),
        ("PDF", PrintTask.id, PrintTask.blob_key),
        ("overlay", Comparison.id, Comparison.overlays),
    ):
        conditions = (~removed,) if row_id is Render.id else ()
        for found_id, keys in _claims(database, row_id, key, conditions):
            for one in keys:
                if _is_there(storage, one):
                    continue
                # It may have been removed, or made anew, since the batch was read.
                still = next(_claims(database, row_id, key, (*conditions, row_id == found_id)), (found_id, ()))
                if one in still[1] and not _is_there(storage, one):
                    yield Missing(kind, found_id, one)


def _claims(
    database: Database,
    row_id: InstrumentedAttribute[str],
    key: InstrumentedAttribute[Any],
    conditions: Sequence[ColumnElement[bool]],
) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield rows that name objects, by their ids, with the objects' keys."""
    claims = select(row_id, key).where(key.is_not(None), *conditions).order_by(row_id).limit(BATCH)
    last = ""
    while True:
        with database.reading() as session:
            batch = session.execute(claims.where(row_id > last)).all()
        for found_id, found in batch:
            # Of pages several, by their numbers; in JSON, nothing may be null, too.
            yield found_id, (list(found.values()) if isinstance(found, dict) else [found] if found else [])
        if len(batch) < BATCH:
            return
        last = batch[-1][0]


def _is_there(storage: Storage, key: str) -> bool:
    try:
        storage.stat(key)
    except FileNotFoundError:
        return False
    return True


def _named(session: Session, keys: Sequence[str]) -> set[str]:
    """Return those keys that a row names."""
    by_folder: dict[str, dict[str, str]] = {folder: {} for folder in FOLDERS}
    for key in keys:
        folder, _, rest = key.partition("/")
        # What comes after a tilde tells attempts and reports of one name apart; else there is an extension.
        by_folder[f"{folder}/"][key] = rest.partition("~")[0] if "~" in rest else rest.rpartition(".")[0]
    named = set(session.scalars(select(RetiredObject.key).where(RetiredObject.key.in_(keys))))
    # Not by the id in the key: of two who store a new name at once, one's object goes to the other's row.
    assets = select(Asset.blob_key).where(Asset.blob_key.in_(by_folder["assets/"]))
    named.update(session.scalars(assets))
    named |= _named_beside_documents(session, by_folder)
    render_ids = {
        one for folder in ("transient/", "previews/", "history/", "data/") for one in by_folder[folder].values()
    }
    # Two questions: of "one or the other", PostgreSQL makes a search through all renders.
    of_reports = select(Report.render_id).where(Report.blob_name.in_(by_folder["reports/"].values()))
    render_ids.update(session.scalars(of_reports))
    rows = session.execute(
        select(Render.blob_stem, Render.blob_key, Render.data_key, Render.state).where(Render.id.in_(render_ids))
    )
    for blob_stem, blob_key, data_key, state in rows:
        named.update(key for key in (blob_key, data_key) if key)
        if state not in ENDED:
            # An attempt may just have stored its document.
            named.update(key for key in keys if key.startswith((f"{blob_stem}.", f"{blob_stem}~")))
    return named


def _named_beside_documents(session: Session, by_folder: dict[str, dict[str, str]]) -> set[str]:
    """Return the keys of payloads, pictures, and PDFs that came to be printed, as far as a row names them."""
    named: set[str] = set()
    for folder, row_id, key in (
        ("payloads/", HistoryRecord.id, HistoryRecord.payload_key),
        ("prints/", PrintTask.id, PrintTask.blob_key),
    ):
        keys = session.scalars(select(key).where(row_id.in_(by_folder[folder].values())))
        named.update(one for one in keys if one)
    for model, folder, row_id in (
        (Thumbnail, "thumbnails/", Thumbnail.render_id),
        (Comparison, "comparisons/", Comparison.id),
    ):
        pictures = Thumbnail.blob_key if model is Thumbnail else Comparison.overlays
        rows = session.execute(
            select(row_id, pictures, model.state, model.attempt).where(row_id.in_(by_folder[folder].values()))
        )
        for found_id, found, state, attempt in rows:
            named.update(found.values() if isinstance(found, dict) else [found] if found else [])
            if state == leases.State.RUNNING:
                # It may just have stored this one, or some.
                begun = f"{folder}{found_id}~{attempt}"
                named.update(one for one in by_folder[folder] if one.startswith((f"{begun}.", f"{begun}-")))
    return named


def _batches(listed: Iterator[Listed]) -> Iterator[list[Listed]]:
    while batch := list(itertools.islice(listed, BATCH)):
        yield batch
