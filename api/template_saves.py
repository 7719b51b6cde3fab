"""Saving a template, whichever of its two faces the request came to."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import g, request
from werkzeug.exceptions import PreconditionFailed

from api import gateway
from api.access import caller
from api.errors import InvalidBodyError
from api.template_bodies import NewTemplateBody, ReplacedTemplateBody
from shared import template_saves, templates
from shared.exceptions import InvalidRequestError
from shared.submissions import check_recipe, checked_timeout, stored_timeout
from shared.templates import TemplateFields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flask import Response
    from sqlalchemy.orm import Session

    from api.template_bodies import ChangedTemplateBody, DraftBody, FieldBody, ParameterBody, TemplateOptionsBody
    from shared.models import Template
    from shared.settings import Settings
    from shared.template_saves import Saved

    LookUp = Callable[[Session], Template]

# Printable ASCII but for the percent sign itself.
_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def save_new(body: NewTemplateBody) -> Saved:
    """Store a new template."""
    farm = gateway.current()
    said = _said(body, farm.settings)
    _check(said)
    fields = TemplateFields(**said, created_by=caller())
    return _announced(template_saves.save_new(farm.database, fields, trace_id=g.trace_id, shortid=body.shortid))


def save_change(look_up: LookUp, body: ChangedTemplateBody | ReplacedTemplateBody) -> Saved:
    """Store a template's next version.

    Args:
        look_up: Finds the template.
        body: What changes of it, or all of it.
    """
    farm = gateway.current()
    said = _said(body, farm.settings)
    if not isinstance(body, ReplacedTemplateBody):
        said = {name: value for name, value in said.items() if name in body.model_fields_set}
    _check(said)

    def merge(before: Template) -> TemplateFields:
        check_match(before)
        return dataclasses.replace(templates.fields_of(before.version), **said, created_by=caller())

    return _announced(template_saves.save_change(farm.database, look_up, merge, trace_id=g.trace_id))


def draft(body: DraftBody) -> TemplateFields:
    """Return what a template would be, after the checks of one that is saved."""
    said = _said(body, gateway.current().settings)
    _check(said)
    return TemplateFields(**said, created_by=caller())


def remove(look_up: LookUp) -> Template:
    """Remove a template, and return what it was."""
    with gateway.current().database.writing() as session:
        template = templates.held(session, look_up(session).id)
        check_match(template)
        templates.remove(session, template.id)
    return template


def check_match(template: Template) -> None:
    """Refuse a change of another version than the one that the client has seen and names in ``If-Match``.

    Raises:
        PreconditionFailed: There is a newer one.
    """
    if "If-Match" in request.headers and not request.if_match.contains(str(template.version.number)):
        raise PreconditionFailed(
            f"Template {template.name!r} is at version {template.version.number}, not at the one that If-Match names: "
            "read it again"
        )


def tagged(answer: Response, template: Template, warnings: list[str] | None = None) -> Response:
    """Say in an answer's headers which version it is about, and what its author should know."""
    answer.set_etag(str(template.version.number))
    return warned(answer, warnings or ())


def warned(answer: Response, warnings: Iterable[str]) -> Response:
    """Say in an answer's headers what a template's author should know."""
    for warning in warnings:
        # Percent-encoded where it is not ASCII, as other headers have it.
        answer.headers.add("Pressroom-Warning", quote(warning, safe=_PLAIN, errors="replace"))
    return answer


def _announced(saved: Saved) -> Saved:
    if saved.errand is not None:
        gateway.current().ring(saved.errand)
    return saved


def _said(
    body: NewTemplateBody | ReplacedTemplateBody | ChangedTemplateBody | DraftBody, settings: Settings
) -> dict[str, Any]:
    return {
        "name": body.name,
        "content": body.content,
        "engine": body.engine or settings.default_engine,
        "recipe": body.recipe or settings.default_recipe,
        "sample_data": None if body.sample_data is None else json.dumps(body.sample_data, separators=(",", ":")),
        "options": None if body.options is None else _options(body.options),
        "parameters": None if body.parameters is None else [_parameter(one) for one in body.parameters],
        "fields": None if body.fields is None else [_without_none(_named(one)) for one in body.fields],
        "context": body.context,
        "context_colour": body.context_colour,
    }


def _options(options: TemplateOptionsBody) -> dict[str, Any]:
    timeout = options.timeout
    if timeout is not None and timeout.is_integer():
        timeout = int(timeout)
    return _without_none({"reportName": options.report_name, "download": options.download, "timeout": timeout})


def _parameter(one: ParameterBody) -> dict[str, Any]:
    return _without_none({**_named(one), "required": one.required, "default": one.default, "example": one.example})


def _named(one: ParameterBody | FieldBody) -> dict[str, Any]:
    return {"name": one.name, "type": one.type, "description": one.description}


def _without_none(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}


def _check(said: dict[str, Any]) -> None:
    """Refuse what this farm, as it is now, cannot serve."""
    farm = gateway.current()
    problems = []
    try:
        if "recipe" in said:
            check_recipe(said["recipe"], farm.recipe_states())
    except InvalidRequestError as error:
        problems.append(("recipe", error.message.removeprefix("template.")))
    try:
        checked_timeout(stored_timeout(said.get("options")), farm.settings)
    except InvalidRequestError as error:
        problems.append(("options.timeout", error.message))
    if problems:
        raise InvalidBodyError(problems)
