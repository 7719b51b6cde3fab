"""History records: which exact request made a document, and what came back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text, update
from sqlalchemy.orm import aliased, defer, undefer

from shared import outcomes
from shared.database import now, won
from shared.exceptions import NotFoundError
from shared.models import HistoryRecord
from shared.renders import State
from shared.templates import storable

if TYPE_CHECKING:
    from sqlalchemy.orm import Session
    from sqlalchemy.sql.elements import ColumnElement

    from shared.models import Render
    from shared.render_values import RenderStatus
    from shared.storage import Storage

FOLDER = "history/"
PAYLOADS = "payloads/"
PDF = "application/pdf"

# For whoever asks what a record is: not the request's body, which may be large.
LIGHT = (defer(HistoryRecord.payload, raiseload=True),)
# In the words of the index that has the pinned ones alone: SQLite would pass over it for ``keep = 1``, which SQLAlchemy
# makes of the column.
PINNED = text("history_records.keep")
_PINNED_ONE = aliased(HistoryRecord, name="pinned")


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What a render's caller was promised; with the render's end it makes the answer.

    Attributes:
        output_type: ``base64``, ``url`` or ``none``.
        file_name: The document's name, with extension.
        report_url: Where the document can be had, for ``url``.
        history_record_id: The record, if there is one.
        print_task_id: The print task, if there is one.
    """

    output_type: str
    file_name: str
    report_url: str | None = None
    history_record_id: str | None = None
    print_task_id: str | None = None


def promise_of(record: HistoryRecord, *, print_task_id: str | None) -> Promise:
    """Return what the caller of a recorded render was promised."""
    return Promise(
        output_type=record.output_type,
        file_name=record.file_name,
        report_url=record.report_url,
        history_record_id=record.id,
        print_task_id=print_task_id,
    )


def answer_of(render: Render | RenderStatus, promise: Promise) -> dict[str, Any]:
    """Return the whole answer to a render's caller: the envelope of ``/api/v1``, without the document itself.

    The same function makes what is sent and what is recorded, so that the two cannot differ. Of ``base64``, the member
    ``reportPdf`` is None here; whoever sends or shows it in full puts the document there.

    Args:
        render: A render that has ended.
        promise: What its caller was promised.
    """
    status = outcomes.http_status(render)
    meta: dict[str, Any] = {"traceId": render.trace_id}
    if render.state != State.SUCCEEDED:
        meta |= {name: value for name, value in (("cause", render.cause), ("line", render.error_line)) if value}
        return {"success": False, "errors": [outcomes.problem(render)], "meta": meta, "status": status}
    data: dict[str, Any] = {"traceId": render.trace_id}
    if promise.output_type == "base64":
        data["reportPdf"] = None
    elif promise.output_type == "url":
        data["reportUrl"] = promise.report_url
    data |= {
        "reportPdfFileName": promise.file_name,
        "pages": render.pages,
        "historyRecordId": promise.history_record_id,
        "printTaskId": promise.print_task_id,
    }
    if render.warnings:
        meta["warnings"] = list(render.warnings)
    return {"success": True, "count": 1, "data": data, "meta": meta, "status": status}


def find(session: Session, record_id: str, *, whole: bool = False) -> HistoryRecord:
    """Return a record; ``whole``: with its payload, if that is in the row.

    Raises:
        NotFoundError: There is no such record.
    """
    record = None
    if storable(record_id):
        options = (undefer(HistoryRecord.payload),) if whole else LIGHT
        record = session.get(HistoryRecord, record_id, options=options)
    if record is None:
        raise not_found(record_id)
    return record


def pin(session: Session, record_id: str, *, keep: bool) -> HistoryRecord:
    """Pin a record, so that no purge removes it, or unpin it; and return it.

    Raises:
        NotFoundError: There is no such record.
    """
    change = update(HistoryRecord).where(HistoryRecord.id == record_id).values(keep=keep, modified_at=now())
    # Nobody must be told that a record is pinned which a purge took at this moment.
    if not storable(record_id) or not won(session, change):
        raise not_found(record_id)
    return find(session, record_id)


def unpinned() -> ColumnElement[bool]:
    """Return the condition of records that are not pinned, which the index of the pinned ones answers for all."""
    return HistoryRecord.id.not_in(select(_PINNED_ONE.id).where(text("pinned.keep")))


def payload(storage: Storage, record: HistoryRecord) -> bytes:
    """Return the request's body as it came.

    Args:
        storage: Where a large one is.
        record: A record that was found ``whole``.

    Raises:
        NotFoundError: The record was removed meanwhile.
        StorageError: The store does not answer.
    """
    if record.payload_key is None:
        return record.payload or b""
    try:
        return storage.get(record.payload_key)
    except FileNotFoundError as error:
        raise payload_gone(record) from error


def not_found(record_id: str) -> NotFoundError:
    """Say that there is no such record."""
    return NotFoundError(f"There is no history record whose id is {record_id!r}")


def payload_gone(record: HistoryRecord) -> NotFoundError:
    """Say that a record's payload is not where it should be: the record was removed at this moment, or it is lost."""
    return NotFoundError(f"The payload of history record {record.id} is no longer in storage")
