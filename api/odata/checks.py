"""Whether a filter means something for a set: every name is known, every type fits, every value exists."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, NoReturn

from odata_query import ast
from odata_query.visitor import NodeVisitor

from api.odata.grammar import OLD_CONTAINS, Filter, Place, members, name_of, terms, walk
from api.odata.properties import NUMBERS, STRUCTURES, Property, Type
from shared import spelling

if TYPE_CHECKING:
    from collections.abc import Mapping

INT64 = 2**63
# In one filter: names, values and operators. Each costs a moment in every row that is looked at.
MOST_NODES = 2500
# The functions, the types of their arguments, and the type of what they return.
FUNCTIONS: dict[str, tuple[tuple[Type, ...], Type]] = {
    **dict.fromkeys(("contains", "startswith", "endswith", OLD_CONTAINS), ((Type.STRING, Type.STRING), Type.BOOLEAN)),
    **dict.fromkeys(("tolower", "toupper"), ((Type.STRING,), Type.STRING)),
    **dict.fromkeys(("year", "month", "day"), ((Type.DATE,), Type.INT32)),
}
SAID = {
    Type.STRING: "a text in quotes",
    Type.BOOLEAN: "true or false",
    Type.DATE: "a date such as 2026-01-31T00:00:00Z",
    **dict.fromkeys(NUMBERS, "a number"),
}


def check(found: Filter, properties: Mapping[str, Property]) -> None:
    """Refuse a filter that means nothing for entities with these properties.

    Raises:
        Place: The text says what is wrong where, and what was expected.
    """
    if sum(1 for _ in walk(found.tree)) > MOST_NODES:
        raise Place(f"it has more than {MOST_NODES} parts: ask in several requests")
    kind = _Checks(found, properties).visit(found.tree)
    if kind is not Type.BOOLEAN:
        found.refuse(found.tree, f"expected a condition, as in name eq 'x', not {_said(kind)}")


def moment(literal: ast.DateTime | ast.Date) -> dt.datetime:
    """Return the point in time that a date of a filter means; without an offset it is UTC.

    Raises:
        ValueError: There is no such day, or it is out of reach.
    """
    text = literal.val.strip()
    if "'" in text:
        text = text[text.index("'") + 1 : -1]
    value = dt.datetime.fromisoformat(text.upper())
    try:
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from error


class _Checks(NodeVisitor):
    """Each visit returns the type of its node; None is the type of null."""

    def __init__(self, found: Filter, properties: Mapping[str, Property]) -> None:
        self._found = found
        self._properties = properties

    def generic_visit(self, node: ast._Node) -> NoReturn:
        if isinstance(node, ast.BinOp | ast.UnaryOp):
            self._found.refuse(node, "expected no arithmetic: it is not offered")
        self._found.refuse(node, "expected no value of this kind: no property here has it")

    def visit_Identifier(self, node: ast.Identifier) -> Type:  # noqa: N802  # The visitor's own names.
        name = name_of(node)
        one = self._properties.get(name)
        if one is None:
            hint = spelling.hint(name, self._properties, f"there are {', '.join(self._properties)}")
            self._found.refuse(node, f"there is no property {name[:80]!r}: {hint}")
        if one.type in STRUCTURES:
            self._found.refuse(node, f"{name} is a structure, which cannot be filtered by")
        return one.type

    def visit_Null(self, node: ast.Null) -> None:  # noqa: ARG002, N802
        return None

    def visit_String(self, node: ast.String) -> Type:  # noqa: ARG002, N802
        return Type.STRING

    def visit_Boolean(self, node: ast.Boolean) -> Type:  # noqa: ARG002, N802
        return Type.BOOLEAN

    def visit_Integer(self, node: ast.Integer) -> Type:  # noqa: N802
        # Its length first: Python refuses to read thousands of digits.
        if len(node.val.lstrip("+-0")) > len(str(INT64)) or not -INT64 <= node.py_val < INT64:
            self._found.refuse(node, "expected a whole number of at most 64 bits")
        return Type.INT64

    def visit_Float(self, node: ast.Float) -> Type:  # noqa: N802
        if not math.isfinite(node.py_val):
            self._found.refuse(node, "expected a number that a computer can hold")
        return Type.DOUBLE

    def visit_DateTime(self, node: ast.DateTime) -> Type:  # noqa: N802
        return self._date(node)

    def visit_Date(self, node: ast.Date) -> Type:  # noqa: N802
        return self._date(node)

    def visit_List(self, node: ast.List) -> NoReturn:  # noqa: N802
        self._found.refuse(node, "expected a list only behind in")

    def visit_BoolOp(self, node: ast.BoolOp) -> Type:  # noqa: N802
        for term in terms(node, type(node.op)):
            self._condition(term)
        return Type.BOOLEAN

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Type:  # noqa: N802
        if not isinstance(node.op, ast.Not):
            self.generic_visit(node)
        self._condition(node.operand)
        return Type.BOOLEAN

    def visit_Call(self, node: ast.Call) -> Type:  # noqa: N802
        name = name_of(node.func)
        if name not in FUNCTIONS:
            hint = spelling.hint(name, FUNCTIONS, f"there are {', '.join(FUNCTIONS)}")
            self._found.refuse(node.func, f"there is no function {name[:80]!r}: {hint}")
        expected, returned = FUNCTIONS[name]
        for argument, kind in zip(node.args, expected, strict=True):
            given = self.visit(argument)
            if given is not kind:
                self._found.refuse(argument, f"{name} takes {SAID[kind]} here, not {_said(given)}")
        return returned

    def visit_Compare(self, node: ast.Compare) -> Type:  # noqa: N802
        left = self.visit(node.left)
        others = members(node.right) if isinstance(node.comparator, ast.In) else [node.right]
        for other in others:
            right = self.visit(other)
            if not isinstance(node.comparator, ast.Eq | ast.NotEq | ast.In):
                for one, kind in ((node.left, left), (other, right)):
                    if kind in (None, Type.BOOLEAN):
                        self._found.refuse(
                            one, f"{_said(kind)} is neither less nor more than anything: expected eq or ne"
                        )
            if None not in (left, right) and left is not right and not (left in NUMBERS and right in NUMBERS):
                self._found.refuse(other, f"expected {SAID[left]}, not {_said(right)}")
            self._presented(node, node.left, other)
            self._presented(node, other, node.left)
        return Type.BOOLEAN

    def _presented(self, comparison: ast.Compare, name: ast._Node, value: ast._Node) -> None:
        """Refuse to look for a value that a property never has."""
        if not isinstance(name, ast.Identifier) or not isinstance(value, ast.String):
            return
        known = self._properties[name.name].presented.values()
        if known and value.val not in known and isinstance(comparison.comparator, ast.Eq | ast.NotEq | ast.In):
            expected = ", ".join(sorted(set(known)))
            self._found.refuse(value, f"{name.name} is never {value.val[:80]!r}: expected one of {expected}")

    def _condition(self, node: ast._Node) -> None:
        kind = self.visit(node)
        if kind is not Type.BOOLEAN:
            self._found.refuse(node, f"expected a condition here, not {_said(kind)}")

    def _date(self, node: ast.DateTime | ast.Date) -> Type:
        try:
            moment(node)
        except ValueError:
            self._found.refuse(node, f"there is no date {node.val[:80]}: expected one such as 2026-01-31T00:00:00Z")
        return Type.DATE


def _said(kind: Type | None) -> str:
    return "null" if kind is None else SAID[kind]
