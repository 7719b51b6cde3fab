"""``POST /api/v1/batch/preview``: what a batch's file is, before it is sent as a whole."""

from __future__ import annotations

import dataclasses
import io
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response

from api import batch_files, gateway
from api.batch_bodies import BatchPreviewQuery
from api.envelope import success
from api.openapi import described
from api.openapi.operations import batch_previews as operations
from api.paging import read_query
from shared import batch_previews, batch_wishes, templates

if TYPE_CHECKING:
    from shared.batch_previews import Preview

blueprint = Blueprint("batch_previews", __name__, url_prefix="/api/v1/batch")


@blueprint.post("/preview")
@described(operations.PREVIEW, query=BatchPreviewQuery)
def preview() -> Response:
    """Say what the beginning of a file shows."""
    query = read_query(BatchPreviewQuery)
    media_type, charset = (None, None) if batch_files.is_unknown() else batch_files.kind_of(batch_files.UNKNOWN)
    farm = gateway.current()
    with farm.database.reading() as session:
        template = templates.find_by_any(session, query.template)
        version = template.version
        if query.version is not None:
            version = templates.find_version(session, template, query.version)
        wishes = batch_wishes.wishes_of(version)
    content = io.BytesIO()
    batch_files.spool(content, limit=batch_previews.MOST_BYTES, advice=": expected only the beginning of a larger file")
    found = batch_previews.preview(
        content.getvalue(),
        media_type,
        charset,
        wishes=wishes,
        columns=query.chosen,
        name=query.name,
        longest=farm.settings.max_body_bytes,
    )
    return success(_shown(found))


def _shown(found: Preview) -> dict[str, Any]:
    return {
        "mediaType": found.media_type,
        "charset": found.charset,
        "columns": found.columns,
        "rows": found.rows,
        "wanted": [dataclasses.asdict(one) for one in found.wishes],
        "suggested": found.suggested,
        "left": found.left,
        "item": found.item,
        "name": found.name,
        "missing": found.missing,
    }
