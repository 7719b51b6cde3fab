"""The inventory: what lies in storage compared with what the rows name.

The farm removes objects before rows, and writes them before rows, so a crash at the wrong moment can leave an object
that no row names; a backup that was put back, or a hand in the bucket, can leave a row whose object is gone or another.
`shared.verification` looks for both.
"""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import null, select

from shared import comparisons, leases
from shared.models import (
    Asset,
    Batch,
    BatchSlice,
    Certificate,
    Comparison,
    HistoryRecord,
    PrintTask,
    Render,
    Report,
    RetiredObject,
    Thumbnail,
)
from shared.renders import ENDED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    "certificates/",
    "prints/",
    "batches/",
)
# What a row may miss, and whose the row is.
OWNERS = {
    "document": "render",
    "data": "render",
    "asset": "asset",
    "payload": "history record",
    "thumbnail": "render",
    "picture": "comparison",
    "difference": "certificate",
    "PDF": "print task",
    "items": "batch",
    "merged PDF": "batch",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """What a row says of an object.

    Attributes:
        kind: One of `OWNERS`.
        row_id: The id of its owner.
        trace_id: The owner's trace; None: such rows have none.
        key: Where the object should be.
        sha256: The hash that it should have; None: the row does not know.
        size: The bytes that it should have; None: the row does not know.
    """

    kind: str
    row_id: str
    trace_id: str | None
    key: str
    sha256: str | None
    size: int | None


@dataclass(frozen=True, slots=True)
class _Source:
    """Rows of one kind that name objects.

    Attributes:
        kind: One of `OWNERS`.
        row_id: The column of their ids.
        columns: Those of trace id, key, hash and size, the latter as far as there are any.
        conditions: Which of the rows are meant.
    """

    kind: str
    row_id: InstrumentedAttribute[str]
    columns: tuple[ColumnElement[Any] | InstrumentedAttribute[Any], ...]
    conditions: tuple[ColumnElement[bool], ...] = ()

    def claims(self, session: Session, *conditions: ColumnElement[bool], limit: int) -> list[tuple[str, list[Claim]]]:
        """Return some rows' ids, in their order, with what they say."""
        key = self.columns[1]
        rows = session.execute(
            select(self.row_id, *self.columns)
            .where(key.is_not(None), *self.conditions, *conditions)
            .order_by(self.row_id)
            .limit(limit)
        )
        return [(row_id, list(self._read(row_id, *rest))) for row_id, *rest in rows]

    def _read(
        self, row_id: str, trace_id: str | None, found: Any, sha256: Any = None, size: int | None = None
    ) -> Iterator[Claim]:
        if not isinstance(found, dict):
            yield Claim(self.kind, row_id, trace_id, found, sha256, size)
            return
        # The pictures of a comparison or a certificate, by page and side; what is known of them is in its result.
        shown: dict[str, Any] = {}
        for one in (sha256 or {}).get("pictures", []):
            shown[comparisons.picture_name(one["page"])] = one.get("overlay")
            shown |= {comparisons.picture_name(one["page"], side): one.get(side) for side in comparisons.SIDES}
        for name, key in found.items():
            known = shown.get(name) or {}
            yield Claim(self.kind, row_id, trace_id, key, known.get("sha256"), known.get("size"))


# The rows of what is being removed outlive their objects for a moment.
_REMOVED = select(Report.id).where(Report.render_id == Render.id, Report.removed_at.is_not(None)).exists()
_SOURCES = (
    _Source("document", Render.id, (Render.trace_id, Render.blob_key, Render.sha256, Render.size), (~_REMOVED,)),
    _Source("data", Render.id, (Render.trace_id, Render.data_key), (~_REMOVED,)),
    _Source("asset", Asset.id, (null(), Asset.blob_key, Asset.sha256, Asset.size)),
    _Source("payload", HistoryRecord.id, (HistoryRecord.trace_id, HistoryRecord.payload_key)),
    _Source(
        "thumbnail",
        Thumbnail.render_id,
        (Thumbnail.trace_id, Thumbnail.blob_key, Thumbnail.sha256, Thumbnail.size),
    ),
    _Source("picture", Comparison.id, (Comparison.trace_id, Comparison.overlays, Comparison.result)),
    _Source("difference", Certificate.subject, (Certificate.trace_id, Certificate.overlays, Certificate.result)),
    _Source("PDF", PrintTask.id, (PrintTask.trace_id, PrintTask.blob_key, null(), PrintTask.size)),
    # One row for each object, whose name begins with the batch's id.
    _Source("items", BatchSlice.key, (null(), BatchSlice.key, BatchSlice.sha256, BatchSlice.size)),
    _Source("merged PDF", Batch.id, (Batch.trace_id, Batch.merged_key, Batch.merged_sha256, Batch.merged_size)),
)


def claims(database: Database) -> Iterator[list[Claim]]:
    """Yield what all rows say of objects, batch by batch."""
    for source in _SOURCES:
        last = ""
        while True:
            with database.reading() as session:
                batch = source.claims(session, source.row_id > last, limit=BATCH)
            yield [claim for _, of_row in batch for claim in of_row]
            if len(batch) < BATCH:
                break
            last = batch[-1][0]


def is_claimed(database: Database, claim: Claim) -> bool:
    """Ask once more whether a row says so: it may have been removed, or its object made anew, since it was read."""
    source = next(one for one in _SOURCES if one.kind == claim.kind)
    with database.reading() as session:
        return any(claim in found for _, found in source.claims(session, source.row_id == claim.row_id, limit=1))


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
    slices = select(BatchSlice.key).where(BatchSlice.key.in_(by_folder["batches/"]))
    named.update(session.scalars(slices))
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
        ("batches/", Batch.id, Batch.merged_key),
    ):
        keys = session.scalars(select(key).where(row_id.in_(by_folder[folder].values())))
        named.update(one for one in keys if one)
    columns: tuple[tuple[str, InstrumentedAttribute[str], tuple[InstrumentedAttribute[Any], ...]], ...] = (
        ("thumbnails/", Thumbnail.render_id, (Thumbnail.blob_key, Thumbnail.state, Thumbnail.attempt)),
        ("comparisons/", Comparison.id, (Comparison.overlays, Comparison.state, Comparison.attempt)),
        ("certificates/", Certificate.subject, (Certificate.overlays, Certificate.state, Certificate.attempt)),
    )
    for folder, row_id, of_pictures in columns:
        rows = session.execute(select(row_id, *of_pictures).where(row_id.in_(by_folder[folder].values())))
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
