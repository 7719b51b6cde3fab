"""Stored reports under ``/api/v1``: all that is known of one, and the data that it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response

from api import documents, gateway, links, waiting
from api.envelope import success
from api.odata.properties import moment
from api.openapi import described
from api.openapi.operations import report_details as operations
from api.paging import NoQuery, read_query
from shared import outcomes, report_details, reports
from shared.exceptions import NotFoundError
from shared.placement import JSON
from shared.renders import State

if TYPE_CHECKING:
    import datetime as dt

    from shared.models import Render
    from shared.report_details import Details

blueprint = Blueprint("report_details", __name__, url_prefix="/api/v1/report")


@blueprint.get("/<report_id>")
@described(operations.READ, query=NoQuery)
def read(report_id: str) -> Response:
    """Tell all that is known of a stored report."""
    read_query(NoQuery)
    with gateway.current().database.reading() as session:
        found = report_details.find(session, report_id)
    answer = success(_shown(found))
    # One that waits has another place a moment later.
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/<report_id>/data")
@described(operations.DATA, query=NoQuery)
def data(report_id: str) -> Response:
    """Return the data that a stored report was made from."""
    read_query(NoQuery)
    farm = gateway.current()
    with farm.database.reading() as session:
        found = report_details.data_of(session, report_id)
    if found.key is None:
        return Response(found.text or "{}", mimetype=JSON)
    answer = Response(mimetype=JSON)
    try:
        documents.send_whole(answer, documents.opened(farm.storage, found.key))
    except FileNotFoundError as error:
        raise NotFoundError(f"The data of report {report_id} is no longer in storage") from error
    return answer


def _shown(found: Details) -> dict[str, Any]:
    report, farm = found.report, gateway.current()
    render = report.render
    is_made = render.state == State.SUCCEEDED
    has_failed = render.state in (State.FAILED, State.CANCELLED)
    used = dict(render.used or {})
    return {
        "id": report.id,
        "shortid": report.shortid,
        "name": report.name,
        "state": reports.PRESENTED[State(render.state)],
        "error": outcomes.problem(render) if has_failed else None,
        "cause": render.cause,
        "line": render.error_line,
        **_outlook(render),
        "template": None
        if found.template_version is None
        else {"shortid": report.template_shortid, "name": found.template_name, "version": found.template_version},
        "engine": render.engine,
        "recipe": render.recipe,
        "madeWith": used.pop("madeWith", None),
        "used": used,
        "warnings": render.warnings or [],
        "contentType": render.media_type,
        "fileExtension": render.extension,
        "pages": render.pages,
        "size": render.size,
        "sha256": render.sha256,
        "blobName": reports.stored_name(render.blob_key) if is_made and render.blob_key else report.blob_name,
        "link": links.absolute("reports.content", report_id=report.id),
        "publicLink": links.absolute("reports.public_content", report_id=report.id) if report.public else None,
        "public": report.public,
        "keep": report.keep,
        "expirationDate": _moment(report.expires_at),
        "removalDate": _moment(found.goes_at(farm.settings.reports_clean_treshold)),
        "attempts": render.attempt,
        "source": render.source,
        "createdBy": render.created_by,
        "batch": render.batch_id,
        "task": report.task_id,
        "traceId": render.trace_id,
        "creationDate": moment(report.created_at),
        "modificationDate": moment(report.modified_at),
        "startedDate": _moment(render.started_at),
        "finishedDate": _moment(render.finished_at),
    }


def _outlook(render: Render) -> dict[str, Any]:
    known = {} if render.state not in (State.QUEUED, State.RUNNING) else waiting.outlook(gateway.current(), render)
    return {name: known.get(name) for name in ("positionInQueue", "estimatedSecondsLeft")}


def _moment(value: dt.datetime | None) -> str | None:
    return None if value is None else moment(value)
