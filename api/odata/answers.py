"""What goes over the wire: entities, lists of them, and the answers to those who write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response, jsonify

from api import gateway, links
from api.odata import pages, sets
from shared.exceptions import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Row

    from api.odata.properties import Property
    from api.odata.sets import EntitySet

VERSION = {"OData-Version": "4.0"}


def created(set_name: str, entity_id: str, **annotations: Any) -> Response:
    """Answer a POST with the entity that it made.

    Args:
        set_name: The set, as in ``templates``.
        entity_id: The new entity's id; its transaction is committed.
        annotations: What else is to be said of it, as members ``@pressroom.<name>``; one that is None is left out.
    """
    entity_set = sets.named(set_name)
    said = {f"@pressroom.{name}": value for name, value in annotations.items() if value is not None}
    answer = entity(entity_set, entity_id, said=said)
    answer.status_code = 201
    answer.headers["Location"] = address(entity_set, entity_id)
    return answer


def no_content() -> Response:
    """Answer a PATCH or a DELETE that was done."""
    answer = Response(status=204, headers=VERSION)
    del answer.headers["Content-Type"]
    return answer


def entity(
    entity_set: EntitySet,
    entity_id: str,
    *,
    selected: Iterable[Property] | None = None,
    said: Mapping[str, Any] | None = None,
) -> Response:
    """Answer with one entity.

    Args:
        entity_set: Its set.
        entity_id: Its id.
        selected: The properties that are asked for; None: all.
        said: Annotations.

    Raises:
        NotFoundError: There is none of that id.
    """
    properties = list(entity_set.properties.values() if selected is None else selected)
    row = None
    # No id holds NUL, and PostgreSQL takes a question with one for an error.
    if "\0" not in entity_id:
        with gateway.current().database.reading() as session:
            row = pages.one(session, entity_set, entity_id, properties)
    if row is None:
        raise NotFoundError(f"There is no {entity_set.entity.lower()} {entity_id!r}")
    body = {"@odata.context": context(entity_set, selected, suffix="/$entity")}
    return answered(body | dict(said or {}) | shown(properties, row))


def shown(properties: Iterable[Property], row: Row[Any]) -> dict[str, Any]:
    """Return a row that begins with these properties as an entity."""
    return {one.name: one.shown(value) for one, value in zip(properties, row, strict=False)}


def service() -> str:
    """Return the address of the service document."""
    return links.absolute("odata.service")


def address(entity_set: EntitySet, entity_id: str) -> str:
    """Return an entity's address."""
    return f"{service()}{entity_set.name}('{entity_id}')"


def context(entity_set: EntitySet, selected: Iterable[Property] | None, *, suffix: str = "") -> str:
    """Return where an answer's shape is described."""
    names = "" if selected is None else f"({','.join(one.name for one in selected)})"
    return f"{service()}$metadata#{entity_set.name}{names}{suffix}"


def answered(body: Mapping[str, Any]) -> Response:
    """Answer with JSON."""
    answer = jsonify(body)
    answer.headers.update(VERSION)
    return answer
