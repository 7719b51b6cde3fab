"""History records and print tasks for tests, made the way the product makes them, with their objects."""

from __future__ import annotations

import hashlib
import io

import orders
import pypdf
from sqlalchemy import update

from shared import render_keys, renders
from shared.database import now
from shared.identifiers import new_id
from shared.models import HistoryRecord, PrintTask

PAYLOAD = b'{"outputType": "base64",  "createHistoryRecord": true}'


def pdf(*, pages=1) -> bytes:
    """Return a real PDF of blank pages."""
    writer = pypdf.PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(200, 100)
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


PDF = pdf()


def waiting(database, template, *, storage=None, payload=PAYLOAD, large=False, **changes) -> HistoryRecord:
    """Make the record of a render that waits in its queue.

    Args:
        database: Where to.
        template: Of which template.
        storage: Where a large payload goes.
        payload: The request's body.
        large: Whether the payload goes to storage.
        changes: Other columns of the record.
    """
    record_id, render_id = new_id(), new_id()
    trace_id = changes.pop("trace_id", "t" * 32)
    key = f"payloads/{record_id}.json" if large else None
    if key:
        storage.put(key, payload, media_type="application/json", metadata={})
    values = {
        "template_shortid": template.shortid,
        "template_name": template.name,
        "template_version": 1,
        "output_type": "base64",
        "file_name": f"{record_id}.pdf",
        "source": "api",
    }
    with database.writing() as session:
        renders.submit(
            session,
            orders.submission(
                render_id=render_id,
                trace_id=trace_id,
                template_version_id=template.version_id,
                blob_stem=f"history/{render_id}",
                kept=True,
                followed=True,
            ),
        )
        session.flush()
        record = HistoryRecord(
            id=record_id,
            trace_id=trace_id,
            render_id=render_id,
            template_id=template.id,
            payload=None if large else payload,
            payload_key=key,
            **(values | changes),
        )
        session.add(record)
    return record


def finish(database, storage, record, *, document=PDF, pages=1) -> None:
    """Let a record's render succeed with a PDF."""
    claimed = orders.claimed(database, record.render_id)
    key = render_keys.blob_key(claimed.blob_stem, attempt=claimed.attempt, extension="pdf")
    storage.put(key, document, media_type="application/pdf", metadata={})
    with database.writing() as session:
        result = orders.result(
            blob_key=key,
            media_type="application/pdf",
            extension="pdf",
            size=len(document),
            sha256=hashlib.sha256(document).hexdigest(),
            pages=pages,
        )
        assert renders.succeed(session, record.render_id, attempt=claimed.attempt, result=result)


def fail(database, record, *, cause=renders.Cause.TEMPLATE, error="the template raised") -> None:
    """Let a record's render fail."""
    claimed = orders.claimed(database, record.render_id)
    with database.writing() as session:
        assert renders.fail(session, record.render_id, attempt=claimed.attempt, cause=cause, error=error)


def done(database, storage, template, *, age=0, document=PDF, **changes) -> HistoryRecord:
    """Make the record of a succeeded render that is so many seconds old."""
    record = waiting(database, template, storage=storage, **changes)
    finish(database, storage, record, document=document)
    if age:
        grow_old(database, record.id, age)
    return row(database, record.id)


def grow_old(database, record_id, seconds) -> None:
    """Put a record's creation back in time."""
    with database.writing() as session:
        session.execute(update(HistoryRecord).where(HistoryRecord.id == record_id).values(created_at=now(-seconds)))


def print_task(database, record=None, *, age=0, **changes) -> PrintTask:
    """Make a print task of a record, or of a PDF of its own; it waits for its first step."""
    values = {
        "id": new_id(),
        "trace_id": "t" * 32,
        "history_record_id": None if record is None else record.id,
        "printer_name": "Warehouse 1",
        "file_name": "x.pdf",
        "number_of_copies": 1,
        "status": "pending",
        "due_at": now(),
        "source": "api",
    }
    if age:
        values["created_at"] = now(-age)
    with database.writing() as session:
        task = PrintTask(**(values | changes))
        session.add(task)
        session.flush()
        session.refresh(task)
    return task


def row(database, record_id) -> HistoryRecord | None:
    with database.reading() as session:
        return session.get(HistoryRecord, record_id)
