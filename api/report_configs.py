"""Stored templates as ReportConfigs under ``/api/v1``: the same entities as OData's ``templates``.

A key in an address is a template's id, its shortid or its name. A name may hold slashes, so where both a template and
a part of another one could be meant (``a/version``), the part is; the template can still be had by its id.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal

from flask import Blueprint

from api import gateway, links, template_saves
from api.bodies import LARGEST_INTEGER, Text, read_body
from api.envelope import success
from api.odata import sets
from api.odata.properties import moment
from api.openapi import described
from api.openapi.operations import report_configs as operations
from api.paging import PageQuery, read_query
from api.template_bodies import ChangedTemplateBody, NewTemplateBody, ReplacedTemplateBody
from shared import template_lists, templates
from shared.certificates import Verdict
from shared.exceptions import NotFoundError
from shared.models import Template, TemplateVersion
from shared.template_lists import Filters

if TYPE_CHECKING:
    from flask import Response
    from sqlalchemy.orm import Session

    from api.template_saves import LookUp
    from shared.template_lists import Entry
    from shared.template_saves import Saved

ORDERS = {
    "name": Template.name,
    "context": TemplateVersion.context,
    "creationDate": Template.created_at,
    "modificationDate": Template.modified_at,
}

blueprint = Blueprint("report_configs", __name__, url_prefix="/api/v1/report-config")


class ReportConfigQuery(PageQuery):
    """The query of the list. ``search`` looks into names and contexts; ``sort`` is by name unless it says otherwise."""

    sort: Literal[
        "name",
        "-name",
        "context",
        "-context",
        "creationDate",
        "-creationDate",
        "modificationDate",
        "-modificationDate",
    ] = "name"
    engine: Text | None = None
    recipe: Text | None = None
    context: Text | None = None
    certified: Literal["certified", "refused", "pending", "withdrawn", "failed", "none"] | None = None


@blueprint.get("")
@described(operations.LISTING, query=ReportConfigQuery)
def listing() -> Response:
    """List templates."""
    query = read_query(ReportConfigQuery)
    filters = Filters(
        search=query.search,
        engine=query.engine,
        recipe=query.recipe,
        context=query.context,
        certified=query.certified,
    )
    with gateway.current().database.reading() as session:
        total, found = template_lists.listing(
            session,
            filters,
            order_by=ORDERS[query.sort.removeprefix("-")],
            descending=query.sort.startswith("-"),
            limit=query.page_size,
            offset=query.offset,
        )
    return success([_listed(one) for one in found], page=query.page, pageSize=query.page_size, total=total)


@blueprint.post("")
@described(operations.CREATE, body=NewTemplateBody)
def create() -> Response:
    """Store a new template."""
    saved = template_saves.save_new(read_body(NewTemplateBody))
    answer = _saved(saved, status=201)
    answer.headers["Location"] = links.absolute("report_configs.read", key=saved.template.id)
    return answer


@blueprint.get("/<path:key>")
@described(operations.READ)
def read(key: str) -> Response:
    """Return one template."""
    return _read(key)


@blueprint.put("/<path:key>")
@described(operations.REPLACE, body=ReplacedTemplateBody)
def replace(key: str) -> Response:
    """Store a template's next version in full."""
    return _saved(template_saves.save_change(_by(key), read_body(ReplacedTemplateBody)))


@blueprint.patch("/<path:key>")
@described(operations.CHANGE, body=ChangedTemplateBody)
def change(key: str) -> Response:
    """Store a template's next version: what the request does not name stays."""
    return _saved(template_saves.save_change(_by(key), read_body(ChangedTemplateBody)))


@blueprint.delete("/<path:key>")
@described(operations.REMOVE)
def remove(key: str) -> Response:
    """Remove a template; what was rendered from it stays."""
    template = template_saves.remove(_by(key))
    return success({"id": template.id, "_id": template.id, "shortid": template.shortid, "name": template.name})


@blueprint.get("/<path:key>/version")
@described(operations.VERSIONS, query=PageQuery)
def versions(key: str) -> Response:
    """List a template's versions, the newest first; ``search`` looks into the names it had."""
    query = read_query(PageQuery)
    with gateway.current().database.reading() as session:
        template = _find_or_none(session, key)
        if template is not None:
            total, found = templates.versions(
                session, template, search=query.search, limit=query.page_size, offset=query.offset
            )
    if template is None:
        return _read(f"{key}/version")
    shown = [
        {"number": one.number, "creationDate": moment(one.created_at), "name": one.name, "createdBy": one.created_by}
        for one in found
    ]
    return success(shown, page=query.page, pageSize=query.page_size, total=total)


@blueprint.get("/<path:key>/version/<int:number>")
@described(operations.VERSION)
def version(key: str, number: int) -> Response:
    """Return one version of a template in full."""
    with gateway.current().database.reading() as session:
        template = _find_or_none(session, key)
        if template is not None:
            found = templates.find_version(session, template, min(number, LARGEST_INTEGER))
    if template is None:
        return _read(f"{key}/version/{number}")
    return success(_shown(template, found))


def _by(key: str) -> LookUp:
    return functools.partial(templates.find_by_any, key=key)


def _read(key: str) -> Response:
    with gateway.current().database.reading() as session:
        template = templates.find_by_any(session, key)
    return template_saves.tagged(success(_shown(template)), template)


def _find_or_none(session: Session, key: str) -> Template | None:
    try:
        return templates.find_by_any(session, key)
    except NotFoundError:
        return None


def _saved(saved: Saved, *, status: int = 200) -> Response:
    answer = success(_shown(saved.template), status=status, **({"warnings": saved.warnings} if saved.warnings else {}))
    return template_saves.tagged(answer, saved.template)


def _listed(entry: Entry) -> dict[str, Any]:
    """Return a template with what a card says of its certificate."""
    certificate = None
    if entry.certificate is not None:
        verdict, issued_at, samples, result = entry.certificate
        # Those of the verdict before are nobody's while it is looked at anew.
        reasons = () if verdict == Verdict.PENDING else (result or {}).get("reasons", ())
        certificate = {
            "verdict": verdict,
            "reason": reasons[0]["text"] if reasons else None,
            "issuedAt": None if issued_at is None else moment(issued_at),
            "samples": samples,
        }
    return _shown(entry.template) | {"certificate": certificate}


def _shown(template: Template, version: TemplateVersion | None = None) -> dict[str, Any]:
    """Return a template with its newest version, or with an older one; OData says what an entity has."""
    shown = {"id": template.id}
    for one in sets.TEMPLATES.properties.values():
        holder = template if one.column.class_ is Template else version or template.version
        shown[one.name] = one.shown(getattr(holder, one.column.key))
    if version is not None:
        shown |= {"name": version.name, "creationDate": moment(version.created_at)}
        # A version never changes.
        del shown["modificationDate"]
    return shown
