"""Stored templates over OData. Create, read, list, change and delete; query options come with the reports' OData."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, request

from api import gateway, links
from api.bodies import ChangedTemplateBody, NewTemplateBody, read_body
from shared import templates
from shared.exceptions import InvalidRequestError
from shared.submissions import check_engine, check_recipe
from shared.templates import TemplateFields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.models import Template

blueprint = Blueprint("templates", __name__, url_prefix="/odata")


@blueprint.post("/templates")
def create() -> Response:
    """Store a new template."""
    body = read_body(NewTemplateBody)
    settings = gateway.current().settings
    fields = TemplateFields(
        name=body.name,
        content=body.content,
        engine=body.engine or settings.default_engine,
        recipe=body.recipe or settings.default_recipe,
        sample_data=_as_text(body.sample_data),
    )
    _check(fields, gateway.current().recipe_states())
    with gateway.current().database.writing() as session:
        template = templates.create(session, fields, shortid=body.shortid)
    answer = _entity(template)
    answer.status_code = 201
    answer.headers["Location"] = _address(template)
    return answer


@blueprint.get("/templates")
def listing() -> Response:
    """List all templates."""
    _refuse_options()
    with gateway.current().database.reading() as session:
        found = templates.all_templates(session)
    return _odata({"@odata.context": _context(), "value": [_shown(template) for template in found]})


@blueprint.get("/templates('<template_id>')")
@blueprint.get("/templates(<template_id>)")
def read(template_id: str) -> Response:
    """Return one template."""
    _refuse_options()
    with gateway.current().database.reading() as session:
        template = templates.find(session, template_id=template_id)
    return _entity(template)


@blueprint.patch("/templates('<template_id>')")
@blueprint.patch("/templates(<template_id>)")
def change(template_id: str) -> Response:
    """Store a template's next version."""
    body = read_body(ChangedTemplateBody)
    # Before the transaction: a request that holds one connection must not wait for a second.
    recipe_states = gateway.current().recipe_states()
    with gateway.current().database.writing() as session:
        before = templates.find(session, template_id=template_id).version
        named = body.model_fields_set
        fields = TemplateFields(
            name=body.name or before.name,
            content=before.content if body.content is None else body.content,
            engine=body.engine or before.engine,
            recipe=body.recipe or before.recipe,
            sample_data=_as_text(body.sample_data) if "sample_data" in named else before.sample_data,
        )
        _check(fields, recipe_states)
        templates.change(session, template_id, fields)
    return Response(status=204, headers={"OData-Version": "4.0"})


@blueprint.delete("/templates('<template_id>')")
@blueprint.delete("/templates(<template_id>)")
def remove(template_id: str) -> Response:
    """Remove a template; what was rendered from it stays."""
    with gateway.current().database.writing() as session:
        templates.remove(session, template_id)
    return Response(status=204, headers={"OData-Version": "4.0"})


def _check(fields: TemplateFields, recipe_states: Mapping[str, str]) -> None:
    check_engine(fields.engine)
    check_recipe(fields.recipe, recipe_states)


def _refuse_options() -> None:
    for name in request.args:
        raise InvalidRequestError(f"Query option {name!r} is not supported here: ask without it", field=name)


def _as_text(data: dict[str, Any] | None) -> str | None:
    return None if data is None else json.dumps(data, separators=(",", ":"))


def _context() -> str:
    return f"{links.absolute('templates.listing').removesuffix('/templates')}/$metadata#templates"


def _address(template: Template) -> str:
    return f"{links.absolute('templates.listing')}('{template.id}')"


def _shown(template: Template) -> dict[str, Any]:
    version = template.version
    return {
        "_id": template.id,
        "shortid": template.shortid,
        "name": template.name,
        "content": version.content,
        "engine": version.engine,
        "recipe": version.recipe,
        "sampleData": None if version.sample_data is None else json.loads(version.sample_data),
        "version": version.number,
        "creationDate": template.created_at.isoformat().replace("+00:00", "Z"),
        "modificationDate": template.modified_at.isoformat().replace("+00:00", "Z"),
    }


def _entity(template: Template) -> Response:
    return _odata({"@odata.context": f"{_context()}/$entity", **_shown(template)})


def _odata(content: dict[str, Any]) -> Response:
    answer = jsonify(content)
    answer.headers["OData-Version"] = "4.0"
    return answer
