"""The labels that group templates, and their colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint

from api import gateway
from api.envelope import success
from api.openapi import described
from api.openapi.operations import contexts as operations
from shared import template_lists

if TYPE_CHECKING:
    from flask import Response

blueprint = Blueprint("contexts", __name__, url_prefix="/api/v1/report-config-context")


@blueprint.get("")
@described(operations.LISTING)
def listing() -> Response:
    """List the labels that templates have."""
    with gateway.current().database.reading() as session:
        found = template_lists.labels(session)
    return success([{"context": one.context, "colour": one.colour, "reportConfigs": one.templates} for one in found])
