"""Batches under ``/api/v1/batch``: many documents asked for at once, and what becomes of them."""

from __future__ import annotations

import contextlib
import tempfile
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g

from api import batch_archives, batch_files, documents, gateway, links
from api.access import caller
from api.batch_bodies import ArchiveQuery, BatchBody, BatchesQuery, BatchRequestBody, DocumentsQuery, UploadQuery
from api.bodies import read_body
from api.documents import StoredFile
from api.envelope import success
from api.odata.properties import moment
from api.openapi import described
from api.openapi.operations import batches as operations
from api.paging import NoQuery, read_query
from shared import batch_feeding, batch_sources, batches, outcomes, printers, reports, retirement, templates
from shared.batches import BatchOrder, BatchRequest
from shared.errands import Errand, Kind
from shared.exceptions import ConflictError, InvalidRequestError, NotFoundError
from shared.history import PDF
from shared.renders import State
from shared.submissions import TemplateChoice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy.orm import Session

    from shared.batch_feeding import Entry
    from shared.models import Batch

blueprint = Blueprint("batches", __name__, url_prefix="/api/v1/batch")


@blueprint.post("")
@described(operations.CREATE, body=BatchBody)
def create() -> Response:
    """Accept a batch whose items are in the request."""
    body = read_body(BatchBody)
    if (body.template is None) != (body.requests is not None) or (body.items is None) != (body.template is None):
        raise InvalidRequestError(
            "A batch is a template with items, or requests: expected one of the two",
            field="requests" if body.requests is not None else "items",
        )
    wish = body.options.reports
    printing = body.printing
    order = BatchOrder(
        trace_id=g.trace_id,
        template=None if body.template is None else body.template.choice,
        name=body.name,
        timeout=_seconds(body.options.timeout),
        public=wish.public,
        keep=wish.keep,
        expires_in=wish.expires_in,
        merge=body.merge,
        printing=None
        if printing is None
        else _printing(printing.printer_name, printing.number_of_copies, printing.options.given),
        created_by=caller(),
    )
    with _admitting(order):
        if body.requests is None:
            return _accepted(order, batch_sources.of_values(body.items or ()))
        return _accepted(order, map(_request, body.requests))


@blueprint.post("/upload")
@described(operations.UPLOAD, query=UploadQuery)
def upload() -> Response:
    """Accept a batch whose items are the body: lines of JSON, a JSON array, or a table."""
    query = read_query(UploadQuery)
    media_type, charset = batch_files.kind_of()
    columns = query.chosen
    farm = gateway.current()
    with farm.database.reading() as session:
        template = templates.find_by_any(session, query.template)
    order = BatchOrder(
        trace_id=g.trace_id,
        template=TemplateChoice(template_id=template.id, version=query.version),
        name=query.name,
        timeout=_seconds(query.timeout),
        public=query.public,
        keep=query.keep,
        expires_in=query.expires_in,
        merge=query.merge,
        printing=None if query.printer_name is None else _printing(query.printer_name, query.number_of_copies, {}),
        created_by=caller(),
    )
    # Before gigabytes are read in vain.
    with _admitting(order), tempfile.TemporaryFile() as file:
        batch_files.spool(
            file, limit=farm.settings.batch_bytes, advice=" (PRESSROOM_BATCH_BYTES): send several batches"
        )
        file.seek(0)
        longest = farm.settings.max_body_bytes
        return _accepted(
            order, batch_sources.items(file, media_type, longest=longest, charset=charset, columns=columns)
        )


@blueprint.get("")
@described(operations.LISTING, query=BatchesQuery)
def listing() -> Response:
    """List batches, the newest first."""
    query = read_query(BatchesQuery)
    with gateway.current().database.reading() as session:
        total, found = batches.listing(
            session, state=query.state, search=query.search, limit=query.page_size, offset=query.offset
        )
    return success([shown(one) for one in found], page=query.page, pageSize=query.page_size, total=total)


@blueprint.get("/<batch_id>")
@described(operations.READ)
def read(batch_id: str) -> Response:
    """Tell how far a batch is."""
    with gateway.current().database.reading() as session:
        batch = batches.find(session, batch_id)
    answer = success(shown(batch))
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/<batch_id>/documents")
@described(operations.DOCUMENTS, query=DocumentsQuery)
def listed_documents(batch_id: str) -> Response:
    """List a batch's documents in their order."""
    query = read_query(DocumentsQuery)
    states = [state for state, name in reports.PRESENTED.items() if name == query.state]
    with gateway.current().database.reading() as session:
        batches.find(session, batch_id)
        found = batch_feeding.entries(session, batch_id, after=query.after, states=states, limit=query.limit)
    after = found[-1].index if len(found) == query.limit else None
    return success([_document(one) for one in found], nextAfter=after)


@blueprint.get("/<batch_id>/failures")
@described(operations.FAILURES, query=NoQuery)
def failures(batch_id: str) -> Response:
    """Tell why documents of a batch were not made, the commonest reason first."""
    read_query(NoQuery)
    with gateway.current().database.reading() as session:
        batch = batches.find(session, batch_id)
        reasons = batch_feeding.reasons(session, batch_id)
    looked_at = sum(one.count for one in reasons)
    shown = [
        {"cause": one.cause, "error": one.error, "line": one.line, "count": one.count, "first": one.first}
        for one in reasons
    ]
    return success(shown, lookedAt=looked_at, failed=max(batch.failed, looked_at))


@blueprint.get("/<batch_id>/zip")
@described(operations.ARCHIVE, query=ArchiveQuery)
def archive(batch_id: str) -> Response:
    """Send a batch's documents in one ZIP, with a manifest."""
    query = read_query(ArchiveQuery)
    farm = gateway.current()
    with farm.database.reading() as session:
        batch = batches.find(session, batch_id)
    return batch_archives.send(farm.database, farm.storage, batch, first=query.first, last=query.last)


@blueprint.get("/<batch_id>/pdf")
@described(operations.MERGED)
def merged(batch_id: str) -> Response:
    """Send the one PDF of a batch."""
    farm = gateway.current()
    with farm.database.reading() as session:
        batch = batches.find(session, batch_id)
    if batch.merge != batches.Merge.DONE or batch.merged_key is None:
        raise _no_merged(batch)
    stored = StoredFile(
        key=batch.merged_key,
        media_type=PDF,
        size=batch.merged_size or 0,
        sha256=batch.merged_sha256 or "",
        filename=f"{batch.template_name or 'batch'}.pdf",
    )
    return documents.send(farm.storage, stored, attachment=True)


@blueprint.post("/<batch_id>/pdf")
@described(operations.MERGE)
def merge(batch_id: str) -> Response:
    """Have one PDF made of all documents of a batch."""
    return _changed(lambda session: batches.want_merged(session, batch_id))


@blueprint.post("/<batch_id>/pause")
@described(operations.PAUSE)
def pause(batch_id: str) -> Response:
    """Hand out no more of a batch."""
    return _changed(lambda session: batches.pause(session, batch_id))


@blueprint.post("/<batch_id>/resume")
@described(operations.RESUME)
def resume(batch_id: str) -> Response:
    """Go on with a paused batch."""
    return _changed(lambda session: batches.resume(session, batch_id))


@blueprint.post("/<batch_id>/cancel")
@described(operations.CANCEL)
def cancel(batch_id: str) -> Response:
    """End a batch; what is made stays."""
    return _changed(lambda session: batches.cancel(session, batch_id))


@blueprint.post("/<batch_id>/retry")
@described(operations.RETRY)
def retry(batch_id: str) -> Response:
    """Make the failed documents of a batch once more."""
    return _changed(lambda session: batches.retry(session, batch_id))


@blueprint.delete("/<batch_id>")
@described(operations.REMOVE)
def remove(batch_id: str) -> Response:
    """Forget a batch that has ended; its reports stay."""
    farm = gateway.current()
    with farm.database.writing() as session:
        keys = batches.remove(session, batch_id)
    retirement.remove(farm.database, farm.storage, keys)
    return success({"id": batch_id})


def shown(batch: Batch) -> dict[str, Any]:
    """Shape what the API says of a batch."""
    done = batch.succeeded + batch.failed
    is_over = batch.state in (batches.State.COMPLETED, batches.State.CANCELLED)
    rate = batch.rate if batch.state == batches.State.RUNNING else None
    return {
        "id": batch.id,
        "state": batch.state,
        "total": batch.total,
        "done": done,
        "succeeded": batch.succeeded,
        "failed": batch.failed,
        "cancelled": batch.total - done if batch.state == batches.State.CANCELLED and batch.settled_at else 0,
        "waiting": batch.waiting,
        "rate": None if rate is None else round(rate, 1),
        "secondsLeft": 0 if is_over else None if not rate else round((batch.total - done) / rate),
        "problem": batch.error,
        "template": None
        if batch.template_shortid is None
        else {"shortid": batch.template_shortid, "name": batch.template_name},
        "name": batch.name,
        "print": _printing_shown(batch),
        "printed": None if batch.printing is None else batch.printed,
        "merged": _merged_shown(batch),
        "createdBy": batch.created_by,
        "traceId": batch.trace_id,
        "creationDate": moment(batch.created_at),
        "finishDate": None if batch.finished_at is None else moment(batch.finished_at),
        "documentsUrl": links.absolute("batches.listed_documents", batch_id=batch.id),
        "zipUrl": links.absolute("batches.archive", batch_id=batch.id),
    }


def _printing_shown(batch: Batch) -> dict[str, Any] | None:
    if batch.printing is None:
        return None
    return {
        "printerName": batch.printing["printer_name"],
        "numberOfCopies": batch.printing["number_of_copies"],
        "options": batch.printing["options"],
    }


def _merged_shown(batch: Batch) -> dict[str, Any] | None:
    if batch.merge is None:
        return None
    is_done = batch.merge == batches.Merge.DONE
    return {
        "state": batch.merge,
        "size": batch.merged_size if is_done else None,
        "error": batch.merge_error,
        "url": links.absolute("batches.merged", batch_id=batch.id) if is_done else None,
    }


def _document(entry: Entry) -> dict[str, Any]:
    link = None
    if entry.report_id is not None and entry.state == State.SUCCEEDED:
        which = "reports.public_content" if entry.public else "reports.content"
        link = links.absolute(which, report_id=entry.report_id)
    return {
        "index": entry.index,
        "name": entry.name,
        "state": reports.PRESENTED[State(entry.state)],
        "reportId": entry.report_id,
        "link": link,
        "size": entry.size,
        "pages": entry.pages,
        "error": outcomes.problem(entry) if entry.state in (State.FAILED, State.CANCELLED) else None,
        "cause": entry.cause,
        "line": entry.error_line,
        "traceId": entry.trace_id,
    }


@contextlib.contextmanager
def _admitting(order: BatchOrder) -> Iterator[None]:
    """Let a batch in, if there is room for it, and a printer that can do what is asked."""
    farm = gateway.current()
    if order.printing is not None:
        with farm.database.writing() as session:
            # Now, and not when the first of a million documents comes to be printed.
            printers.wished(session, **order.printing)
    with farm.intake.admitting(queue=batches.QUEUE, client=order.created_by):
        yield


def _accepted(order: BatchOrder, items: Iterable[Any]) -> Response:
    farm = gateway.current()
    batch = batches.accept(farm.database, farm.storage, farm.settings, order, items, recipe_states=farm.recipe_states())
    farm.ring(Errand(Kind.BATCH, batch.id, batch.trace_id))
    answer = success(shown(batch), status=202)
    answer.headers["Location"] = links.absolute("batches.read", batch_id=batch.id)
    return answer


def _changed(change: Callable[[Session], Batch]) -> Response:
    farm = gateway.current()
    with farm.database.writing() as session:
        batch = change(session)
    farm.ring(Errand(Kind.BATCH, batch.id, batch.trace_id))
    return success(shown(batch))


def _no_merged(batch: Batch) -> Exception:
    if batch.merge == batches.Merge.WANTED:
        retry_after = 5
        return NotFoundError(
            "The merged PDF is not made yet: it is, once all documents are there", retry_after=retry_after
        )
    if batch.merge == batches.Merge.FAILED:
        return ConflictError(f"There is no merged PDF: {batch.merge_error}. POST to the same address to try again")
    return NotFoundError("Nobody has asked for a merged PDF: POST to the same address to have one made")


def _request(body: BatchRequestBody) -> BatchRequest:
    return BatchRequest(
        template=body.template.choice, data=body.data, name=body.name, timeout=_seconds(body.options.timeout)
    )


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _printing(printer_name: str, number_of_copies: int, options: dict[str, Any]) -> dict[str, Any]:
    return {"printer_name": printer_name, "number_of_copies": number_of_copies, "options": options}
