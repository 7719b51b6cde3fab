"""A checked filter as SQL. Import it only where a filter is read, as `api.odata.grammar`."""

from __future__ import annotations

import operator
import sys
from typing import TYPE_CHECKING, Any

from odata_query import ast
from odata_query.sqlalchemy.core import AstToSqlAlchemyCoreVisitor
from sqlalchemy import BigInteger, Double, Text, and_, case, extract, false, func, literal, not_, or_, true

from api.odata.checks import moment
from api.odata.functions import among, by_code_point, certainly, in_utc, position
from api.odata.grammar import is_property, members, terms, walk
from shared.database import UtcDateTime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import SQLColumnExpression
    from sqlalchemy.sql.elements import ColumnElement

    from api.odata.properties import Property

OPERATORS: dict[type[ast._Comparator], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
# The same comparison with its sides exchanged.
MIRRORED = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}
FIRST_SURROGATE, LAST_SURROGATE = 0xD800, 0xDFFF


class Translation(AstToSqlAlchemyCoreVisitor):
    """Visits a filter that `api.odata.checks` let pass, and returns its condition.

    Args:
        properties: What the entities have.
        columns: Where each property's value is taken from.
    """

    def __init__(self, properties: Mapping[str, Property], columns: Mapping[str, SQLColumnExpression[Any]]) -> None:
        self._properties = properties
        self._columns = columns
        self._negated = False

    def condition(self, tree: ast._Node) -> ColumnElement[bool]:
        """Return the whole filter as a condition."""
        found: ColumnElement[bool] = self._condition(tree)
        return found

    def visit_Identifier(self, node: ast.Identifier) -> Any:  # noqa: N802  # The visitor's own names.
        one, column = self._properties[node.name], self._columns[node.name]
        if one.presented:
            return case({str(stored): shown for stored, shown in one.presented.items()}, value=column)
        return column

    def visit_Integer(self, node: ast.Integer) -> Any:  # noqa: N802
        return literal(node.py_val, BigInteger())

    def visit_Float(self, node: ast.Float) -> Any:  # noqa: N802
        return literal(node.py_val, Double())

    def visit_Boolean(self, node: ast.Boolean) -> Any:  # noqa: N802
        return true() if node.py_val else false()

    def visit_String(self, node: ast.String) -> Any:  # noqa: N802
        return literal(node.py_val, Text())

    def visit_Date(self, node: ast.Date) -> Any:  # noqa: N802
        return literal(moment(node), UtcDateTime())

    def visit_DateTime(self, node: ast.DateTime) -> Any:  # noqa: N802
        return literal(moment(node), UtcDateTime())

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:  # noqa: N802
        # A row of them is one condition with many parts, not many in one another.
        join = and_ if isinstance(node.op, ast.And) else or_
        return join(*(self._condition(term) for term in terms(node, type(node.op))))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:  # noqa: N802
        before, self._negated = self._negated, True
        try:
            return not_(self._condition(node.operand))
        finally:
            self._negated = before

    def visit_Compare(self, node: ast.Compare) -> Any:  # noqa: N802
        found = self._compared(node)
        # OData's comparisons are true or false, also with null; only `not` can tell the difference.
        return certainly(found) if self._negated and self._may_be_null(node) else found

    def func_contains(self, field: ast._Node, substr: ast._Node) -> Any:
        """Whether the first text has the second in it."""
        # Not LIKE, which tells A from a on one of the databases only, and takes longer on the other.
        return position(self.visit(field), self.visit(substr)) > 0

    def func_substringof(self, substr: ast._Node, field: ast._Node) -> Any:
        """As OData 2 has it."""
        return self.func_contains(field, substr)

    def func_startswith(self, field: ast._Node, substr: ast._Node) -> Any:
        """Whether the first text begins with the second; a range of an index where that is known."""
        text = self.visit(field)
        if not isinstance(substr, ast.String):
            start = self.visit(substr)
            return func.substr(text, 1, func.length(start)) == start
        if not substr.val:
            return text.is_not(None)
        last = _after(substr.val)
        found = by_code_point(text) >= literal(substr.val, Text())
        return found if last is None else and_(found, by_code_point(text) < literal(last, Text()))

    def func_endswith(self, field: ast._Node, substr: ast._Node) -> Any:
        """Whether the first text ends with the second."""
        text, end = self.visit(field), self.visit(substr)
        place = func.length(text) - func.length(end) + 1
        return and_(place > 0, func.substr(text, place) == end)

    def func_year(self, field: ast._Node) -> Any:
        """The year in UTC."""
        return extract("year", in_utc(self.visit(field)))

    def func_month(self, field: ast._Node) -> Any:
        """The month in UTC, from 1."""
        return extract("month", in_utc(self.visit(field)))

    def func_day(self, field: ast._Node) -> Any:
        """The day of the month in UTC, from 1."""
        return extract("day", in_utc(self.visit(field)))

    def _condition(self, node: ast._Node) -> Any:
        found = self.visit(node)
        # A flag alone is a condition; written as a comparison, an index can serve it.
        return found == true() if isinstance(node, ast.Identifier) else found

    def _operand(self, node: ast._Node) -> Any:
        found = self.visit(node)
        # A condition that is compared with another is true or false, too.
        return certainly(found) if isinstance(node, ast.Compare | ast.BoolOp | ast.UnaryOp) else found

    def _compared(self, node: ast.Compare) -> Any:
        stored = self._stored(node)
        if stored is not None:
            return stored
        left = self._operand(node.left)
        if isinstance(node.comparator, ast.In):
            return self._listed(left, members(node.right))
        right = self._operand(node.right)
        if isinstance(node.left, ast.Null) or isinstance(node.right, ast.Null):
            value = right if isinstance(node.left, ast.Null) else left
            return value.is_(None) if isinstance(node.comparator, ast.Eq) else value.is_not(None)
        if isinstance(node.comparator, ast.NotEq) and self._may_be_null(node):
            return left.is_distinct_from(right)
        if not isinstance(node.comparator, ast.Eq | ast.NotEq) and isinstance(left.type, Text):
            left, right = by_code_point(left), by_code_point(right)
        return OPERATORS[type(node.comparator)](left, right)

    def _stored(self, node: ast.Compare) -> Any:
        """Return a comparison of a property whose values are stored under other names, if it is one."""
        left, right, comparator = node.left, node.right, type(node.comparator)
        if isinstance(left, ast.String):
            left, right, comparator = right, left, MIRRORED.get(comparator, comparator)
        if not isinstance(left, ast.Identifier) or not isinstance(right, ast.String | ast.List):
            return None
        presented = self._properties[left.name].presented
        if not presented:
            return None
        if isinstance(right, ast.List):
            wanted = {one.val for one in members(right) if isinstance(one, ast.String)}
            if not all(isinstance(one, ast.String) for one in members(right)):
                return None
            found = [str(stored) for stored, shown in presented.items() if shown in wanted]
        else:
            compare = OPERATORS[comparator]
            found = [str(stored) for stored, shown in presented.items() if compare(shown, right.val)]
        return among(self._columns[left.name], found)

    def _listed(self, left: Any, listed: Sequence[ast._Node]) -> Any:
        values = [self._operand(one) for one in listed if not isinstance(one, ast.Null)]
        found = left.in_(values) if values else false()
        return or_(found, left.is_(None)) if len(values) < len(listed) else found

    def _may_be_null(self, node: ast._Node) -> bool:
        return any(self._properties[one.name].nullable for one in walk(node) if is_property(one, self._properties))


def _after(prefix: str) -> str | None:
    """Return the first text that is behind everything which begins with the prefix; None: there is none."""
    stem = prefix.rstrip(chr(sys.maxunicode))
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    if FIRST_SURROGATE <= following <= LAST_SURROGATE:
        following = LAST_SURROGATE + 1
    return stem[:-1] + chr(following)
