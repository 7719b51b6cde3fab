"""The addresses under ``/odata`` that read. What writes is with each feature."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, request

from api import gateway, openapi
from api.odata import answers, filters, metadata, options, pages, sets
from api.openapi.operations import odata as operations

blueprint = Blueprint("odata", __name__, url_prefix="/odata")


@blueprint.get("/")
@openapi.described(operations.SERVICE)
def service() -> Response:
    """List the sets."""
    options.read(options.DOCUMENT)
    listed = [{"name": name, "kind": "EntitySet", "url": name} for name in sets.SETS]
    return answers.answered({"@odata.context": f"{answers.service()}$metadata", "value": listed})


@blueprint.get("/$metadata")
@openapi.described(operations.METADATA)
def described() -> Response:
    """Describe the sets and their entities."""
    options.read(())
    return Response(metadata.document(), mimetype="application/xml", headers=answers.VERSION)


@blueprint.get("/<set_name>")
@openapi.described(operations.listing)
def listed(set_name: str) -> Response:
    """List entities."""
    entity_set = sets.named(set_name)
    farm = gateway.current()
    asked = options.of_list(entity_set, most=farm.settings.odata_page)
    condition = None if asked.filter is None else filters.read(entity_set, asked.filter)
    listing = pages.Listing(entity_set, asked, condition)
    with farm.database.reading() as session:
        page = listing.page(session)
        total = pages.count(session, entity_set, condition) if asked.count else None
    body: dict[str, Any] = {"@odata.context": answers.context(entity_set, asked.selected)}
    if total is not None:
        body["@odata.count"] = total
    body["value"] = [answers.shown(page.properties, row) for row in page.rows]
    if page.token is not None:
        body["@odata.nextLink"] = _next(entity_set, asked, page.token)
    answer = answers.answered(body)
    if asked.preferred:
        answer.headers["Preference-Applied"] = f"odata.maxpagesize={asked.page}"
        answer.headers["Vary"] = "Prefer"
    return answer


@blueprint.get("/<set_name>/$count")
@openapi.described(operations.count)
def counted(set_name: str) -> Response:
    """Count entities."""
    entity_set = sets.named(set_name)
    text = options.read(options.COUNT).get("$filter")
    condition = None if text is None else filters.read(entity_set, text)
    with gateway.current().database.reading() as session:
        total = pages.count(session, entity_set, condition)
    return Response(str(total), mimetype="text/plain", headers=answers.VERSION)


@blueprint.get("/<set_name>('<entity_id>')")
@blueprint.get("/<set_name>(<entity_id>)")
@openapi.described(operations.entity)
def entity(set_name: str, entity_id: str) -> Response:
    """Return one entity."""
    entity_set = sets.named(set_name)
    selected = options.selected(entity_set, options.read(options.ENTITY))
    return answers.entity(entity_set, entity_id, selected=selected)


def _next(entity_set: sets.EntitySet, asked: options.Options, token: str) -> str:
    """Return the address of the next page: the same question, from another place on."""
    # What was counted is counted, and what was skipped is skipped.
    kept = {name: text for name, text in request.args.items() if name in ("$filter", "$orderby", "$select", "$format")}
    if asked.top is not None:
        kept["$top"] = str(asked.top - asked.page)
    return f"{answers.service()}{entity_set.name}?{urlencode(kept | {'$skiptoken': token}, quote_via=quote, safe='$')}"
