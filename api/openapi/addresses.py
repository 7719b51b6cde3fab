"""The addresses that the gateway answers at, with what is said of each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.access import is_open
from api.odata.sets import SETS
from api.openapi.descriptions import Operation, description_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask
    from pydantic import BaseModel
    from werkzeug.routing import Rule

# Flask answers these by itself.
NOT_MENTIONED = frozenset({"HEAD", "OPTIONS"})
_VARIABLE = re.compile(r"<(?:[^:<>]+:)?_?(\w+)>")


class UndescribedRouteError(Exception):
    """Raised when a route does not say what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address of a view, as the document writes it."""

    path: str
    name: str
    methods: tuple[str, ...]
    operation: Operation
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    open: bool

    @property
    def variables(self) -> list[str]:
        """The names in the path's braces."""
        return re.findall(r"{(\w+)}", self.path)


def addresses(app: Flask) -> Iterator[Address]:
    """Return every address; a route for every set of entities is one address for each.

    Raises:
        UndescribedRouteError: A route says nothing about itself.
    """
    for rule in _rules(app):
        view = app.view_functions[rule.endpoint]
        said = description_of(view)
        if said is None:
            raise UndescribedRouteError(f"{rule.rule} has no description: give its view one with @described")
        path = _VARIABLE.sub(r"{\1}", rule.rule)
        methods = tuple(sorted((rule.methods or set()) - NOT_MENTIONED))
        for name, own_path, operation in _meant(rule.endpoint, path, said.operation):
            yield Address(
                path=own_path,
                name=name,
                methods=methods,
                operation=operation,
                body=said.body,
                query=said.query,
                open=is_open(view),
            )


def _meant(
    endpoint: str, path: str, operation: Operation | Callable[[str], Operation]
) -> Iterator[tuple[str, str, Operation]]:
    if isinstance(operation, Operation):
        last = re.findall(r"{(\w+)}", path)[-1:]
        yield ".".join([endpoint, *last]), path, operation
        return
    for one in SETS.values():
        own = path.replace("{set_name}", one.name).replace("{entity_id}", f"{{{one.entity.lower()}_id}}")
        yield f"{endpoint}.{one.name}", own, operation(one.name)


def _rules(app: Flask) -> Iterator[Rule]:
    """Return the routes; of two that differ in the quotes around a key, the one that OData's clients use."""
    # The studio's pages are for people, and the API is all that they use.
    rules = sorted(
        (rule for rule in app.url_map.iter_rules() if not rule.endpoint.startswith("studio.")),
        key=lambda rule: rule.rule,
    )
    spelled = {(rule.rule, *sorted(rule.methods or ())) for rule in rules}
    for rule in rules:
        quoted = re.sub(r"\((<[^<>]+>)\)", r"('\1')", rule.rule)
        if quoted == rule.rule or (quoted, *sorted(rule.methods or ())) not in spelled:
            yield rule
