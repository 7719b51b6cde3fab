"""jsreport's rendering and reports extension over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flask import Blueprint, Response, g, jsonify, request

from api import gateway, links, odata, waiting
from api.access import caller, open_to_everybody, source
from api.bodies import ChangedReportBody, RenderBody, read_body
from api.documents import serve
from api.errors import RenderFailedError, answer_error
from api.openapi import described
from api.openapi.operations import reports as operations
from shared import outcomes, render_status, reports, sweeps
from shared.exceptions import InvalidRequestError, NotFoundError
from shared.renders import State
from shared.submissions import Accepted, Order, ReportWish, accept

if TYPE_CHECKING:
    from api.bodies import ReportsBody
    from api.gateway import Gateway
    from shared.render_status import ReportStatus
    from shared.render_values import RenderStatus
    from shared.reports import PromisedReport

blueprint = Blueprint("reports", __name__)


@blueprint.post("/api/report")
@blueprint.post("/api/report/<path:_name>")
@described(operations.RENDER, body=RenderBody)
def render(_name: str = "") -> Response:
    """Render a document: now, or later with ``options.reports.async``."""
    body = read_body(RenderBody)
    wish = body.options.reports
    run_async = wish.run_async or _says_yes("jsreport-options-reports-async") or _prefers_async()
    public = wish.public or _says_yes("jsreport-options-reports-public")
    keep = wish.save or run_async
    if not keep:
        _refuse_wishes(wish, public=public)
    farm = gateway.current()
    order = Order(
        trace_id=g.trace_id,
        template=body.template.choice,
        data=body.data,
        report_name=body.options.report_name,
        download=body.options.download if "download" in body.options.model_fields_set else None,
        timeout=None if body.options.timeout is None else body.options.timeout / 1000,
        report=ReportWish(blob_name=wish.blob_name, public=public, keep=wish.keep, expires_in=wish.expires_in)
        if keep
        else None,
        source=source(),
        created_by=caller(),
    )
    if run_async:
        accepted = _accept(farm, order, waits=False)
        farm.publish(accepted.render)
        return _begun(accepted)
    with waiting.place(farm):
        accepted = _accept(farm, order, waits=True)
        address = None if accepted.report is None else _link(accepted.report, "status")
        with waiting.accepted(accepted.render, address=address):
            done = waiting.for_end(farm, accepted.render)
            if done.state != State.SUCCEEDED:
                _forget(farm, accepted)
                raise RenderFailedError.of(done)
            return _rendered(accepted, done)


@blueprint.get("/reports/<report_id>/status")
@described(operations.STATUS)
def status(report_id: str) -> Response:
    """Tell how far a report is: 201 with its ``Location`` when it is there."""
    return _status(find(report_id))


@blueprint.get("/reports/<report_id>/content")
@described(operations.CONTENT)
def content(report_id: str) -> Response:
    """Serve a report's document for viewing."""
    return _document(find(report_id), attachment=False)


@blueprint.get("/reports/<report_id>/attachment")
@described(operations.ATTACHMENT)
def attachment(report_id: str) -> Response:
    """Serve a report's document for saving."""
    return _document(find(report_id), attachment=True)


@blueprint.get("/reports/public/<report_id>/status")
@open_to_everybody
@described(operations.PUBLIC_STATUS)
def public_status(report_id: str) -> Response:
    """As `status`, for a public report."""
    return _status(find(report_id, public=True))


@blueprint.get("/reports/public/<report_id>/content")
@open_to_everybody
@described(operations.PUBLIC_CONTENT)
def public_content(report_id: str) -> Response:
    """As `content`, for a public report."""
    return _document(find(report_id, public=True), attachment=False)


@blueprint.get("/reports/public/<report_id>/attachment")
@open_to_everybody
@described(operations.PUBLIC_ATTACHMENT)
def public_attachment(report_id: str) -> Response:
    """As `attachment`, for a public report."""
    return _document(find(report_id, public=True), attachment=True)


def find(report_id: str, *, public: bool = False) -> ReportStatus:
    """Return a report and how its render is doing.

    Args:
        report_id: The report.
        public: Whether it is only found if everybody may read it.

    Raises:
        NotFoundError: There is none.
    """
    with gateway.current().database.looking() as connection:
        report = render_status.of_report(connection, report_id)
    # One that is not public is the same as none at all: whether it exists is not everybody's business.
    if report is None or (public and not report.public):
        raise NotFoundError(f"There is no report {report_id!r}")
    g.report_id = report.id
    return report


@blueprint.patch("/odata/reports('<report_id>')")
@blueprint.patch("/odata/reports(<report_id>)")
@described(operations.CHANGE, body=ChangedReportBody)
def change(report_id: str) -> Response:
    """Rename a report, open it to everybody or close it, pin it or unpin it."""
    body = read_body(ChangedReportBody)
    with gateway.current().database.writing() as session:
        reports.change(session, report_id, name=body.report_name, public=body.public, keep=body.keep)
    return odata.no_content()


@blueprint.delete("/odata/reports('<report_id>')")
@blueprint.delete("/odata/reports(<report_id>)")
@described(operations.REMOVE)
def remove(report_id: str) -> Response:
    """Remove a report and its document; one that is not done yet is cancelled."""
    farm = gateway.current()
    sweeps.remove_report(farm.database, farm.storage, report_id)
    return odata.no_content()


def _refuse_wishes(wish: ReportsBody, *, public: bool) -> None:
    for field, wished in (
        ("blobName", wish.blob_name is not None),
        ("public", public),
        ("keep", wish.keep),
        ("expiresIn", wish.expires_in is not None),
    ):
        if wished:
            raise InvalidRequestError(
                f"options.reports.{field} is for a stored report: it needs options.reports.save or async",
                field=f"options.reports.{field}",
            )


def _says_yes(header: str) -> bool:
    return request.headers.get(header, "").strip().lower() == "true"


def _prefers_async() -> bool:
    # RFC 7240.
    return "respond-async" in [part.strip().lower() for part in request.headers.get("Prefer", "").split(",")]


def _link(report: ReportStatus | PromisedReport, what: str) -> str:
    return links.absolute(f"reports.public_{what}" if report.public else f"reports.{what}", report_id=report.id)


def _accept(farm: Gateway, order: Order, *, waits: bool) -> Accepted:
    with farm.intake.admitting(queue=order.queue, client=order.created_by, waits=waits):
        accepted = accept(farm.database, farm.storage, farm.settings, order, recipe_states=farm.recipe_states())
    g.render_id = accepted.render.id
    return accepted


def _forget(farm: Gateway, accepted: Accepted) -> None:
    """Take back the report of a caller who is told that there is none: its blobName is free for the next try."""
    if accepted.report is not None:
        sweeps.withdraw_report(farm.database, farm.storage, accepted.report.id)


def _begun(accepted: Accepted) -> Response:
    report = cast("PromisedReport", accepted.report)
    g.report_id = report.id
    status_url = _link(report, "status")
    if _prefers_async():
        answer = jsonify(
            reportId=report.id,
            state=reports.PRESENTED[State(accepted.render.state)],
            statusUrl=status_url,
            traceId=g.trace_id,
        )
        answer.status_code = 202
        answer.headers["Preference-Applied"] = "respond-async"
    else:
        # jsreport's client takes any other status for a failure.
        answer = Response(f"Rendering has begun. Its status is at {status_url}\n", mimetype="text/plain")
    answer.headers["Location"] = status_url
    answer.headers["Report-Id"] = report.id
    return answer


def _rendered(accepted: Accepted, done: RenderStatus) -> Response:
    answer = serve(gateway.current().storage, done, name=accepted.name, attachment=accepted.download)
    report = accepted.report
    if report is not None:
        g.report_id = report.id
        answer.headers["Permanent-Link"] = _link(report, "content")
        answer.headers["Report-Id"] = report.id
        answer.headers["Report-BlobName"] = reports.stored_name(done.blob_key or "")
    return answer


def _status(report: ReportStatus) -> Response:
    done = report.render
    state = reports.PRESENTED[State(done.state)]
    details = {
        "reportId": report.id,
        "state": state,
        "attempts": done.attempt,
        "traceId": done.trace_id,
    }
    if done.state == State.SUCCEEDED:
        answer = jsonify(details | {"warnings": done.warnings} if done.warnings else details)
        answer.status_code = 201
        answer.headers["Location"] = _link(report, "content")
        answer.headers["Report-BlobName"] = reports.stored_name(done.blob_key or "")
    elif done.state == State.FAILED:
        answer = answer_error(500, outcomes.problem(done), cause=done.cause, line=done.error_line, reportId=report.id)
    elif done.state == State.CANCELLED:
        answer = answer_error(410, outcomes.problem(done), reportId=report.id)
    else:
        answer = jsonify(details | waiting.outlook(gateway.current(), done))
        answer.headers["Retry-After"] = str(waiting.POLL_SECONDS)
    answer.headers["Report-State"] = state
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _document(report: ReportStatus, *, attachment: bool) -> Response:
    if report.render.state != State.SUCCEEDED:
        state = reports.PRESENTED[State(report.render.state)]
        raise NotFoundError(f"Report {report.id} has no document (its state is {state}); see {_link(report, 'status')}")
    return serve(gateway.current().storage, report.render, name=report.name, attachment=attachment)
