"""Orders of a list: null comes before everything, texts go by code point, and what comes behind a row is a range."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import BigInteger, Boolean, Double, Text, and_, case, false, literal, or_, tuple_

from api.odata.functions import among, by_code_point
from api.odata.properties import Type
from shared.database import UtcDateTime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import SQLColumnExpression
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.types import TypeEngine

    from api.odata.options import Order
    from api.odata.properties import Property


BOUND: dict[Type, TypeEngine[Any]] = {
    Type.STRING: Text(),
    Type.BOOLEAN: Boolean(),
    Type.INT32: BigInteger(),
    Type.INT64: BigInteger(),
    Type.DOUBLE: Double(),
    Type.DATE: UtcDateTime(),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a list is ordered by.

    Attributes:
        by: What it shows.
        stored: The column.
        descending: The direction.
        nullable: Whether it may be null.
    """

    by: Property
    stored: SQLColumnExpression[Any]
    descending: bool
    nullable: bool = False

    @classmethod
    def of(cls, order: Order, stored: SQLColumnExpression[Any]) -> Self:
        """Return the column that a part of ``$orderby`` means."""
        return cls(order.by, stored, order.descending, order.by.nullable)

    @property
    def value(self) -> SQLColumnExpression[Any]:
        """What is compared."""
        if self.by.presented:
            return case(self.by.presented, value=self.stored)
        # Keys have letters and digits only, and their index the database's own order.
        if self.by.type is Type.STRING and self.by.name != "_id":
            return by_code_point(self.stored)
        return self.stored

    @property
    def kind(self) -> tuple[Type, bool]:
        """The type of a value, and whether it may be null."""
        return self.by.type, self.nullable

    @property
    def ordered(self) -> SQLColumnExpression[Any]:
        """The column as a part of ORDER BY."""
        found = self.value.desc() if self.descending else self.value.asc()
        if not self.nullable:
            return found
        return found.nulls_last() if self.descending else found.nulls_first()

    def bound(self, value: Any) -> SQLColumnExpression[Any]:
        """Return a value such that it can be compared with the column's."""
        return literal(value, BOUND[self.by.type])

    def behind(self, value: Any) -> ColumnElement[bool]:
        """Return the condition that a row's value comes after this one."""
        if value is None:
            return false() if self.descending else self.value.is_not(None)
        if not self.descending:
            return self.value > self.bound(value)
        found = self.value < self.bound(value)
        return or_(found, self.value.is_(None)) if self.nullable else found

    def same(self, value: Any) -> ColumnElement[bool]:
        """Return the condition that a row has this value."""
        return self.value.is_(None) if value is None else self.value == self.bound(value)


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a list, before or after all others.

    Attributes:
        columns: What orders them.
        condition: Which they are; None: all.
        fixed: How many of the list's columns have one value in this part; they are left out of ``columns``.
        value: That value, if ``fixed``.
        after: The values behind which to begin.
    """

    columns: Sequence[Column]
    condition: ColumnElement[bool] | None = None
    fixed: int = 0
    value: Any = None
    after: Sequence[Any] | None = None

    def holds(self, value: Any) -> bool:
        """Say whether rows whose first column has a value are in this part."""
        return self.value == value if self.fixed else value is not None


def parts(columns: Sequence[Column]) -> Sequence[Part]:
    """Split a list by its first column such that in each part an index can have the order."""
    first, *rest = columns
    presented = first.by.presented
    if presented:
        found = [
            Part(rest, among(first.stored, [stored for stored, shown in presented.items() if shown == value]), 1, value)
            for value in sorted(set(presented.values()))
        ]
    elif first.nullable:
        found = [
            Part(rest, first.stored.is_(None), fixed=1),
            Part([replace(first, nullable=False), *rest], first.stored.is_not(None)),
        ]
    else:
        found = [Part(columns)]
    return found[::-1] if first.descending else found


def behind(columns: Sequence[Column], values: Sequence[Any]) -> ColumnElement[bool]:
    """Return the condition that a row comes after the one with these values."""
    directions = {one.descending for one in columns}
    if len(directions) == 1 and not any(one.nullable for one in columns):
        # As one comparison of rows, which an index serves whole.
        row = tuple_(*(one.value for one in columns))
        limit = tuple_(*(one.bound(value) for one, value in zip(columns, values, strict=True)))
        return row < limit if columns[0].descending else row > limit
    found: ColumnElement[bool] = false()
    for column, value in reversed(list(zip(columns, values, strict=True))):
        found = or_(column.behind(value), and_(column.same(value), found))
    first, value = columns[0], values[0]
    # Nothing more than the rest says, but what an index can begin with.
    return and_(or_(first.behind(value), first.same(value)), found)
