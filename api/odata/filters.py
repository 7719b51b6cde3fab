"""``$filter`` as a condition on rows, and what of it an index may serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from odata_query import ast
    from sqlalchemy import SQLColumnExpression
    from sqlalchemy.sql.elements import ColumnElement

    from api.odata.properties import Property
    from api.odata.sets import EntitySet


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A filter that was read and makes sense.

    Attributes:
        properties: The properties of the set.
        tree: The filter's syntax tree.
        used: The names of the properties that it looks at.
        equal: Those of them that must have a certain value, whatever else must hold.
        ranged: Those that must lie before or behind a value, or begin with a text.
    """

    properties: Mapping[str, Property]
    tree: ast._Node
    used: frozenset[str]
    equal: Sequence[str]
    ranged: Sequence[str]

    def where(self, columns: Mapping[str, SQLColumnExpression[Any]]) -> ColumnElement[bool]:
        """Return the condition, with each property's value taken from a column."""
        from api.odata.translation import Translation  # noqa: PLC0415  # As in `read`.

        return Translation(self.properties, columns).condition(self.tree)


def read(entity_set: EntitySet, text: str) -> Condition:
    """Read a filter.

    Raises:
        InvalidRequestError: It cannot be served; the text says what is wrong where.
    """
    # Only a gateway that is asked to filter pays for the grammar.
    from odata_query import ast  # noqa: PLC0415

    from api.odata import checks, grammar  # noqa: PLC0415

    found = grammar.read(text)
    checks.check(found, entity_set.properties)
    equal, ranged = [], []
    for term in grammar.terms(found.tree, ast.And):
        if isinstance(term, ast.Identifier):
            equal.append(term.name)
        elif isinstance(term, ast.Call) and term.func.name == "startswith":
            ranged += [one.name for one in term.args[:1] if isinstance(one, ast.Identifier)]
        elif isinstance(term, ast.Compare):
            names = [one.name for one in (term.left, term.right) if isinstance(one, ast.Identifier)]
            if isinstance(term.left, ast.Null) or isinstance(term.right, ast.Null):
                # There may be many that have no value.
                continue
            if isinstance(term.comparator, ast.Eq):
                equal += names
            elif isinstance(term.comparator, ast.In):
                # What has one of many values comes in no order from an index.
                equal += [name for name in names if entity_set.properties[name].narrow]
            elif not isinstance(term.comparator, ast.NotEq):
                ranged += names
    used = frozenset(one.name for one in grammar.walk(found.tree) if grammar.is_property(one, entity_set.properties))
    return Condition(properties=entity_set.properties, tree=found.tree, used=used, equal=equal, ranged=ranged)
