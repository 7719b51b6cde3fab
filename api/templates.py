"""Stored templates over OData: create, change and delete. Reading them is in `api.odata`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from flask import Blueprint, request

from api import odata, template_saves
from api.bodies import read_body
from api.odata import answers, sets
from api.openapi import described
from api.openapi.operations import templates as operations
from api.template_bodies import ChangedTemplateBody, NewTemplateBody
from shared import templates

if TYPE_CHECKING:
    from flask import Response

    from api.template_saves import LookUp

blueprint = Blueprint("templates", __name__, url_prefix="/odata")


@blueprint.post("/templates")
@described(operations.CREATE, body=NewTemplateBody)
def create() -> Response:
    """Store a new template."""
    saved = template_saves.save_new(read_body(NewTemplateBody))
    answer = odata.created("templates", saved.template.id, warnings=saved.warnings or None)
    return template_saves.tagged(answer, saved.template, saved.warnings)


@blueprint.patch("/templates('<template_id>')")
@blueprint.patch("/templates(<template_id>)")
@described(operations.CHANGE, body=ChangedTemplateBody)
def change(template_id: str) -> Response:
    """Store a template's next version. ``Prefer: return=representation`` is answered with it."""
    saved = template_saves.save_change(_by_id(template_id), read_body(ChangedTemplateBody))
    if _prefers_representation():
        said = {"@pressroom.warnings": saved.warnings} if saved.warnings else None
        answer = answers.entity(sets.TEMPLATES, saved.template.id, said=said)
        answer.headers["Preference-Applied"] = "return=representation"
    else:
        answer = odata.no_content()
    return template_saves.tagged(answer, saved.template, saved.warnings)


@blueprint.delete("/templates('<template_id>')")
@blueprint.delete("/templates(<template_id>)")
@described(operations.REMOVE)
def remove(template_id: str) -> Response:
    """Remove a template; what was rendered from it stays."""
    template_saves.remove(_by_id(template_id))
    return odata.no_content()


def _by_id(template_id: str) -> LookUp:
    return functools.partial(templates.find, template_id=template_id)


def _prefers_representation() -> bool:
    # RFC 7240.
    return "return=representation" in request.headers.get("Prefer", "").lower().replace(" ", "").split(",")
