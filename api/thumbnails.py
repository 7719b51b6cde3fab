"""Pictures of first pages under ``/api/v1``: of what history records have, and of what templates will look like.

A template's preview is made when it is first asked for. Where a template's name ends with ``/preview`` or
``/thumbnail``, the rule of `api.report_configs` holds: if there is a template of the name before that, its picture is
meant.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from flask import Blueprint, Response, g

from api import documents, gateway, links, report_configs
from api.access import caller
from api.envelope import success
from api.openapi import described
from api.openapi.operations import thumbnails as operations
from shared import history, previewing, previews, templates, thumbnails
from shared.exceptions import InvalidRequestError, NotFoundError, UnprocessableError

if TYPE_CHECKING:
    from shared.models import Render, Template, Thumbnail

blueprint = Blueprint("thumbnails", __name__, url_prefix="/api/v1")


@blueprint.get("/report-history-record/<record_id>/thumbnail")
@described(operations.OF_RECORD)
def of_record(record_id: str) -> Response:
    """Serve the picture of a history record's first page."""
    with gateway.current().database.reading() as session:
        record = history.find(session, record_id)
        thumbnail = thumbnails.finished(session, record.render_id)
    return _sent(thumbnail, name=PurePath(record.file_name).stem)


@blueprint.post("/report-history-record/<record_id>/thumbnail")
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


@blueprint.get("/report-config/<path:key>/preview")
@described(operations.PREVIEW)
def preview(key: str) -> Response:
    """Serve what a template's newest version looks like, as a PDF."""
    template = _template_or_none(key)
    if template is None:
        return report_configs.read(f"{key}/preview")
    return documents.serve(gateway.current().storage, _preview(template), name=template.name, attachment=False)


@blueprint.get("/report-config/<path:key>/thumbnail")
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


@blueprint.post("/report-config/<path:key>/thumbnail")
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
