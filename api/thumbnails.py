"""Pictures of first pages: of history records, of stored reports, and of what templates will look like.

Those of records are made by themselves; those of reports, of which a batch makes thousands, when they are first asked
for, and so is a template's preview. Where a template's name ends with ``/preview`` or
``/thumbnail``, the rule of `api.report_configs` holds: if there is a template of the name before that, its picture is
meant.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from flask import Blueprint, Response, g, jsonify

from api import documents, gateway, links, report_configs, reports
from api.access import caller, open_to_everybody
from api.envelope import success
from api.openapi import described
from api.openapi.operations import thumbnails as operations
from shared import history, previewing, previews, templates, thumbnails
from shared.exceptions import InvalidRequestError, NotFoundError, UnprocessableError

if TYPE_CHECKING:
    from shared.models import Render, Template, Thumbnail
    from shared.render_status import ReportStatus

OF_RECORD = "/api/v1/report-history-record/<record_id>/thumbnail"
OF_REPORT = "/reports/<report_id>/thumbnail"
TEMPLATE = "/api/v1/report-config/<path:key>"

blueprint = Blueprint("thumbnails", __name__)


@blueprint.get(OF_RECORD)
@described(operations.OF_RECORD)
def of_record(record_id: str) -> Response:
    """Serve the picture of a history record's first page."""
    with gateway.current().database.reading() as session:
        record = history.find(session, record_id)
        thumbnail = thumbnails.finished(session, record.render_id)
    return _sent(thumbnail, name=PurePath(record.file_name).stem)


@blueprint.post(OF_RECORD)
@described(operations.REMAKE_OF_RECORD)
def remake_of_record(record_id: str) -> Response:
    """Make the picture of a history record anew."""
    farm = gateway.current()
    with farm.database.writing() as session:
        record = history.find(session, record_id)
        errand = thumbnails.remake(session, record.render_id)
    farm.ring(errand)
    link = links.absolute("thumbnails.of_record", record_id=record.id)
    answer = success({"id": record.id, "reportThumbnail": link}, status=202)
    answer.headers["Location"] = link
    return answer


@blueprint.get(OF_REPORT)
@described(operations.OF_REPORT)
def of_report(report_id: str) -> Response:
    """Serve the picture of a stored report's first page, and have it made if nobody has asked for it before."""
    return _of_report(reports.find(report_id), advice=thumbnails.ANEW)


@blueprint.get("/reports/public/<report_id>/thumbnail")
@open_to_everybody
@described(operations.OF_PUBLIC_REPORT)
def of_public_report(report_id: str) -> Response:
    """As `of_report`, for a public report."""
    return _of_report(reports.find(report_id, public=True), advice="")


@blueprint.post(OF_REPORT)
@described(operations.REMAKE_OF_REPORT)
def remake_of_report(report_id: str) -> Response:
    """Make the picture of a stored report anew."""
    farm = gateway.current()
    report = reports.find(report_id)
    with farm.database.writing() as session:
        errand = thumbnails.remake(session, report.render.id)
    farm.ring(errand)
    link = links.absolute("thumbnails.of_report", report_id=report.id)
    answer = jsonify(reportId=report.id, thumbnailUrl=link, traceId=g.trace_id)
    answer.status_code = 202
    answer.headers["Location"] = link
    return answer


@blueprint.get(f"{TEMPLATE}/preview")
@described(operations.PREVIEW)
def preview(key: str) -> Response:
    """Serve what a template's newest version looks like, as a PDF."""
    template = _template_or_none(key)
    if template is None:
        return report_configs.read(f"{key}/preview")
    return documents.serve(gateway.current().storage, _preview(template), name=template.name, attachment=False)


@blueprint.get(f"{TEMPLATE}/thumbnail")
@described(operations.OF_TEMPLATE)
def of_template(key: str) -> Response:
    """Serve what the first page of a template's newest version looks like."""
    template = _template_or_none(key)
    if template is None:
        return report_configs.read(f"{key}/thumbnail")
    render = _preview(template)
    with gateway.current().database.reading() as session:
        thumbnail = thumbnails.finished(session, render.id)
    return _sent(thumbnail, name=template.name)


@blueprint.post(f"{TEMPLATE}/thumbnail")
@described(operations.REMAKE_OF_TEMPLATE)
def remake_of_template(key: str) -> Response:
    """Make a template's preview and its picture anew."""
    with gateway.current().database.reading() as session:
        template = templates.find_by_any(session, key)
    _begin(template, anew=True)
    link = links.absolute("thumbnails.of_template", key=template.id)
    answer = success(
        {
            "id": template.id,
            "version": template.version.number,
            "reportPreview": links.absolute("thumbnails.preview", key=template.id),
            "reportThumbnail": link,
        },
        status=202,
    )
    answer.headers["Location"] = link
    return answer


def _of_report(report: ReportStatus, *, advice: str) -> Response:
    farm = gateway.current()
    with farm.database.reading() as session:
        if not thumbnails.is_wanting(session, report.render.id):
            return _sent(thumbnails.finished(session, report.render.id, advice=advice), name=report.name)
    with farm.database.writing() as session:
        errand = thumbnails.order(session, report.render.id)
    if errand is not None:
        farm.ring(errand)
    raise thumbnails.being_made()


def _template_or_none(key: str) -> Template | None:
    with gateway.current().database.reading() as session:
        try:
            return templates.find_by_any(session, key)
        except NotFoundError:
            return None


def _preview(template: Template) -> Render:
    """Return the finished render of a template's newest version, and begin with it if nobody has.

    Raises:
        NotFoundError: It is not there yet, or cannot be.
    """
    with gateway.current().database.reading() as session:
        render = previews.of_template(session, template)
    if render is None:
        try:
            _begin(template)
        except (InvalidRequestError, UnprocessableError) as error:
            # Nothing is wrong with the request, which names only the template.
            raise NotFoundError(f"There is no preview: {error.message}") from error
        raise previews.being_made()
    previews.check_finished(render)
    return render


def _begin(template: Template, *, anew: bool = False) -> None:
    farm = gateway.current()
    with farm.intake.admitting(queue=previewing.QUEUE, client=caller()):
        render = previewing.submit(
            farm.database,
            farm.storage,
            farm.settings,
            template,
            trace_id=g.trace_id,
            created_by=caller(),
            recipe_states=farm.recipe_states(),
            anew=anew,
        )
    if render is not None:
        g.render_id = render.id
        farm.publish(render)


def _sent(thumbnail: Thumbnail, *, name: str) -> Response:
    stored = documents.StoredFile(
        key=thumbnail.blob_key or "",
        media_type=thumbnails.MEDIA_TYPE,
        size=thumbnail.size or 0,
        sha256=thumbnail.sha256 or "",
        filename=f"{name}.{thumbnails.EXTENSION}",
    )
    return documents.send(gateway.current().storage, stored, attachment=False)
