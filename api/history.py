"""History records over HTTP: which exact request made a document, and what came back.

Thumbnails, reprints, replays and comparisons of records have modules of their own.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Literal

from flask import Blueprint, Response, g, request
from pydantic import BaseModel, ConfigDict, Field

from api import documents, gateway, links
from api.access import caller
from api.bodies import Strict, Text, read_body
from api.documents import StoredFile
from api.envelope import success
from api.odata.properties import moment
from api.openapi import described
from api.openapi.operations import history as operations
from api.paging import Flag, Moment, PageQuery, read_query
from shared import history, history_lists, history_removal, leases
from shared.exceptions import NotFoundError
from shared.history_lists import Filters
from shared.tracing import logger

if TYPE_CHECKING:
    from shared.history_lists import Entry
    from shared.models import HistoryRecord

log = logger(__name__)
blueprint = Blueprint("history", __name__, url_prefix="/api/v1/report-history-record")


class HistoryQuery(PageQuery):
    """The query of the list. ``search`` looks into trace ids, templates' names, file names and creators."""

    sort: Literal["creationDate", "-creationDate", "status", "-status", "reportConfig", "-reportConfig"] = (
        "-creationDate"
    )
    status: Literal["Ok", "Error", "Render Fail", "Unknown"] | None = None
    report_config: Text | None = Field(default=None, alias="reportConfig")
    trace_id: Text | None = Field(default=None, alias="traceId")
    source: Literal["api", "studio", "schedule", "batch", "replay"] | None = None
    keep: Flag | None = None
    created_from: Moment | None = Field(default=None, alias="createdFrom")
    created_to: Moment | None = Field(default=None, alias="createdTo")


class OneHistoryQuery(BaseModel):
    """The query of one record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    include: Literal["reportPdf"] | None = None
    api_payload: bool = Field(default=True, alias="apiPayload")


class ChangedRecordBody(Strict):
    """The body of ``PATCH /api/v1/report-history-record/{record_id}``."""

    keep: bool


@blueprint.get("")
@described(operations.LISTING, query=HistoryQuery)
def listing() -> Response:
    """List history records."""
    query = read_query(HistoryQuery)
    filters = Filters(
        status=query.status,
        report_config=query.report_config,
        trace_id=query.trace_id,
        source=query.source,
        keep=query.keep,
        created_from=query.created_from,
        created_to=query.created_to,
        search=query.search,
    )
    with gateway.current().database.reading() as session:
        total, found = history_lists.listing(
            session, filters, sort=query.sort, limit=query.page_size, offset=query.offset
        )
    return success([listed(one) for one in found], page=query.page, pageSize=query.page_size, total=total)


@blueprint.get("/<record_id>")
@described(operations.READ, query=OneHistoryQuery)
def read(record_id: str) -> Response:
    """Return a record with its whole request and answer."""
    query = read_query(OneHistoryQuery)
    farm = gateway.current()
    with farm.database.reading() as session:
        record = history.find(session, record_id, whole=True)
        [entry] = history_lists.entries(session, [record])
    payload = history.payload(farm.storage, record) if query.api_payload else b""
    response, document = record.response, None
    if query.include == "reportPdf" and record.blob_key is not None:
        document = _base64(record)
        if response is not None and "reportPdf" in response.get("data", {}):
            response = response | {"data": response["data"] | {"reportPdf": document}}
    shown = listed(entry)
    shown |= {"apiPayload": _parsed(payload), "apiResponse": response, "reportPdf": document}
    g.render_id = record.render_id
    return success(shown)


@blueprint.patch("/<record_id>")
@described(operations.CHANGE, body=ChangedRecordBody)
def change(record_id: str) -> Response:
    """Pin a record, or unpin it."""
    body = read_body(ChangedRecordBody)
    with gateway.current().database.writing() as session:
        record = history.pin(session, record_id, keep=body.keep)
        [entry] = history_lists.entries(session, [record])
    log.info(
        "record pinned" if body.keep else "record unpinned",
        trace_id=record.trace_id,
        record_id=record.id,
        request_trace_id=g.trace_id,
        by=caller(),
    )
    return success(listed(entry))


@blueprint.delete("/<record_id>")
@described(operations.REMOVE)
def remove(record_id: str) -> Response:
    """Remove a record with everything that was made for it."""
    farm = gateway.current()
    trace_id = history_removal.remove(farm.database, farm.storage, record_id)
    # By the record's own trace: whoever follows it later sees where it went.
    log.info("record removed", trace_id=trace_id, record_id=record_id, request_trace_id=g.trace_id, by=caller())
    return success({"id": record_id})


@blueprint.get("/<record_id>/pdf")
@described(operations.PDF)
def pdf(record_id: str) -> Response:
    """Serve a record's PDF, or a part of it."""
    farm = gateway.current()
    with farm.database.reading() as session:
        record = history.find(session, record_id)
    if record.blob_key is None:
        why = "its render has not ended yet" if record.response is None else f"its status is {record.status}"
        raise NotFoundError(f"History record {record_id} has no PDF: {why}")
    g.render_id = record.render_id
    stored = StoredFile(
        key=record.blob_key,
        media_type=history.PDF,
        size=record.size or 0,
        sha256=record.sha256 or "",
        filename=record.file_name,
    )
    return documents.send(farm.storage, stored, attachment=False)


@blueprint.get("/<record_id>/payload")
@described(operations.PAYLOAD)
def payload(record_id: str) -> Response:
    """Return a record's request as it came, to the byte."""
    farm = gateway.current()
    with farm.database.reading() as session:
        record = history.find(session, record_id, whole=True)
    answer = Response(record.payload or b"", mimetype="application/json")
    if record.payload_key is not None:
        try:
            if request.method == "HEAD":
                answer.response = []
                answer.content_length = farm.storage.stat(record.payload_key).size
            else:
                # It may be as large as a request may be.
                documents.send_whole(answer, documents.opened(farm.storage, record.payload_key))
        except FileNotFoundError as error:
            raise history.payload_gone(record) from error
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


@blueprint.delete("/<record_id>/delete-all-report-print-tasks")
@described(operations.REMOVE_PRINT_TASKS)
def remove_print_tasks(record_id: str) -> Response:
    """Remove all print tasks of a record."""
    farm = gateway.current()
    count = history_removal.remove_print_tasks(farm.database, farm.storage, record_id)
    log.info("print tasks removed", record_id=record_id, count=count, by=caller())
    return success({"id": record_id, "removedPrintTasks": count})


def listed(entry: Entry) -> dict[str, Any]:
    """Return a record as lists show it: without request, answer and document."""
    record, picture = entry.record, entry.thumbnail
    there = picture is not None and picture.state == leases.State.SUCCEEDED
    return {
        "id": record.id,
        "traceId": record.trace_id,
        "reportConfig": {
            "id": record.template_id,
            "shortid": record.template_shortid,
            "name": record.template_name,
            "version": record.template_version,
        },
        "outputType": record.output_type,
        "status": record.status,
        "reportPdfFileName": record.file_name,
        "reportUrl": record.report_url,
        "reportThumbnail": links.absolute("thumbnails.of_record", record_id=record.id) if there else None,
        "thumbnail": None if picture is None else {"state": picture.state, "error": picture.error},
        "source": record.source,
        "pages": record.pages,
        "size": record.size,
        "sha256": record.sha256,
        "renderId": record.render_id,
        "replayOf": record.replay_of,
        "keep": record.keep,
        "createdBy": record.created_by,
        "printTasks": entry.print_tasks,
        "creationDate": moment(record.created_at),
        "modificationDate": moment(record.modified_at),
    }


def _base64(record: HistoryRecord) -> str:
    try:
        content = gateway.current().storage.get(record.blob_key or "", sha256=record.sha256, size=record.size)
    except FileNotFoundError as error:
        raise NotFoundError(f"{record.file_name} is no longer in storage") from error
    return base64.b64encode(content).decode()


def _parsed(payload: bytes) -> Any:
    # What the reader of requests takes beyond JSON, an answer must not have.
    return json.loads(payload, parse_constant=lambda _: None) if payload else None
