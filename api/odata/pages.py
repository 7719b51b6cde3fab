"""Pages of a set: which rows, in which order, from where on.

A page begins behind the values with which the page before ended, which an index finds at once (keyset paging), and not
behind a number of rows, which would all have to be walked over first. For that every order ends with a key. Where the
first column may be null, or is stored in other words than those of the wire, the list is read in parts, one after the
other: in each of them an index has the order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from api.odata import tokens
from api.odata.functions import Walk
from api.odata.options import Order
from api.odata.orders import Column, Part, behind, parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Row, Select, SQLColumnExpression
    from sqlalchemy.orm import Session

    from api.odata.filters import Condition
    from api.odata.options import Options
    from api.odata.properties import Property
    from api.odata.sets import EntitySet


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list.

    Attributes:
        properties: What the rows begin with, in this order.
        rows: The entities.
        token: Where the next page begins; None: this is the last.
    """

    properties: Sequence[Property]
    rows: Sequence[Row[Any]]
    token: str | None


class Listing:
    """What a client asked for, ready to be read.

    Args:
        entity_set: The set.
        options: The options.
        condition: The filter; None: none.

    Raises:
        InvalidRequestError: The ``$skiptoken`` is none.
    """

    def __init__(self, entity_set: EntitySet, options: Options, condition: Condition | None) -> None:
        self._set = entity_set
        self._options = options
        self._condition = condition
        order = self._order()
        self._joined_first = self._begins_with_joined(order)
        self._columns = self._keyed([Column.of(one, self._values[one.by.name]) for one in order])
        self._signature = ",".join(f"{one.by.name}{' desc' * one.descending}" for one in order)
        self._after: Sequence[Any] | None = None
        if options.token is not None:
            self._after = tokens.read(options.token, self._signature, [one.kind for one in self._columns])

    def page(self, session: Session) -> Page:
        """Read the page."""
        options = self._options
        properties = tuple(self._set.properties.values()) if options.selected is None else options.selected
        wanted = options.page if options.top is None else min(options.top, options.page)
        # One row more tells whether there is another page, unless the client wants no more than this one.
        more = options.top is None or options.top > options.page
        rows: list[Row[Any]] = []
        keys_first = self._picks_keys_first(session)
        for part in self._parts() if wanted else ():
            statement = self._statement(part, properties, wanted + more - len(rows), keys_first=keys_first)
            rows += session.execute(statement).all()
            if len(rows) == wanted + more:
                break
        token = None
        if more and len(rows) > wanted:
            del rows[wanted:]
            token = tokens.written(self._signature, rows[-1][len(properties) :])
        return Page(properties, rows, token)

    @property
    def _values(self) -> Mapping[str, SQLColumnExpression[Any]]:
        """Where each property is taken from; what both tables have, from the one that the page begins with."""
        return {
            name: one.written_as if self._joined_first and one.written_as is not None else one.column
            for name, one in self._set.properties.items()
        }

    def _order(self) -> Sequence[Order]:
        order = self._options.order
        if not order:
            # The client takes any order: then one in which an index finds what the filter wants.
            ranged = self._condition.ranged if self._condition else ()
            found = [one for one in map(self._set.properties.__getitem__, ranged) if one.indexed]
            return [Order(found[0] if found else self._set.properties[self._set.order])]
        if order[-1].by.presented:
            # There are few such values; those with the same one have an order that an index has, too.
            return [*order, Order(self._set.properties[self._set.order], descending=order[-1].descending)]
        return order

    def _begins_with_joined(self, order: Sequence[Order]) -> bool:
        """Say whether an index of the joined table has the order, or finds the few rows that there can be."""
        if self._set.joined_key is None:
            return False
        equal = [self._set.properties[name] for name in (self._condition.equal if self._condition else ())]
        narrow = [one for one in equal if one.narrow]
        if narrow:
            return self._set.joins(narrow[0])
        first = order[0].by
        if self._set.joins(first):
            return first.indexed
        return first.written_as is not None and any(one.indexed and self._set.joins(one) for one in equal)

    def _keyed(self, columns: list[Column]) -> Sequence[Column]:
        """Let an order end with a key, in the direction of the last column: so an index can be walked."""
        key, descending = self._set.key, columns[-1].descending
        if any(one.by is key for one in columns):
            return columns
        if self._joined_first and self._set.joined_key is not None:
            columns.append(Column(key, self._set.joined_key, descending))
        return [*columns, Column(key, key.column, descending)]

    def _parts(self) -> Sequence[Part]:
        """Return the parts of the list from the page's first row on."""
        if self._options.skip and self._after is None:
            # Rows that are skipped are counted in all parts together.
            return [Part(self._columns)]
        found = list(parts(self._columns))
        if self._after is not None:
            while found and not found[0].holds(self._after[0]):
                del found[0]
            if not found:
                raise tokens.malformed()
            found[0] = replace(found[0], after=self._after[found[0].fixed :])
        return found

    def _picks_keys_first(self, session: Session) -> bool:
        """Say whether the rows are found by their keys alone, and read afterwards.

        PostgreSQL would fetch each row to look whether a filter lets it pass, also where an index has what the filter
        looks at. SQLite looks into the index.
        """
        return (
            session.get_bind().dialect.name == "postgresql"
            and self._condition is not None
            and not self._joined_first
            and not any(self._set.joins(self._set.properties[name]) for name in self._condition.used)
            and not any(self._set.joins(one.by) for one in self._columns)
        )

    def _statement(self, part: Part, properties: Sequence[Property], limit: int, *, keys_first: bool) -> Select[Any]:
        """Select the rows of a part, with what is shown of them and what orders them."""
        wanted = select(
            *(one.column.label(one.name) for one in properties),
            # Under names of their own, since one of them may be selected as well.
            *(one.value.label(f"order_{place}") for place, one in enumerate(self._columns)),
        )
        needed = [*properties, *(one.by for one in self._columns)]
        if not keys_first:
            return self._of(part, wanted, needed, limit)
        key = self._set.key.column
        wanted = _tables(wanted, self._set, needed, joined_first=False)
        return _ordered(wanted.where(key.in_(self._of(part, select(key), [], limit))), part.columns)

    def _of(self, part: Part, statement: Select[Any], needed: Sequence[Property], limit: int) -> Select[Any]:
        """Limit a statement to the rows of a part."""
        joined_first = self._joined_first
        statement = _limited(statement, self._set, self._condition, needed, self._values, joined_first=joined_first)
        if part.condition is not None:
            statement = statement.where(part.condition)
        if part.after is not None:
            statement = statement.where(behind(part.columns, part.after))
        elif self._after is None:
            statement = statement.offset(self._options.skip or None)
        return _ordered(statement, part.columns).limit(limit)


def one(session: Session, entity_set: EntitySet, entity_id: str, properties: Sequence[Property]) -> Row[Any] | None:
    """Read one entity, if it exists."""
    statement = select(*(one.column.label(one.name) for one in properties)).where(entity_set.key.column == entity_id)
    return session.execute(_limited(statement, entity_set, None, properties, {}, joined_first=False)).one_or_none()


def count(session: Session, entity_set: EntitySet, condition: Condition | None) -> int:
    """Count what a filter lets pass."""
    columns = {name: one.column for name, one in entity_set.properties.items()}
    looked_for = [*condition.equal, *condition.ranged] if condition else []
    joined_first = entity_set.joined_key is not None and any(
        one.indexed and entity_set.joins(one) for one in map(entity_set.properties.__getitem__, looked_for)
    )
    statement = _limited(select(func.count()), entity_set, condition, (), columns, joined_first=joined_first)
    return session.scalar(statement) or 0


def _limited(
    statement: Select[Any],
    entity_set: EntitySet,
    condition: Condition | None,
    needed: Iterable[Property],
    columns: Mapping[str, SQLColumnExpression[Any]],
    *,
    joined_first: bool,
) -> Select[Any]:
    """Add the tables that are needed, and the conditions that always hold."""
    if condition is not None:
        needed = [*needed, *(entity_set.properties[name] for name in condition.used)]
        statement = statement.where(condition.where(columns))
    if entity_set.shown is not None:
        statement = statement.where(entity_set.shown)
    return _tables(statement, entity_set, needed, joined_first=joined_first)


def _tables(
    statement: Select[Any], entity_set: EntitySet, needed: Iterable[Property], *, joined_first: bool
) -> Select[Any]:
    main, joined = entity_set.main.__table__, entity_set.joined
    if joined is None or not (joined_first or any(map(entity_set.joins, needed))):
        return statement.select_from(main)
    tables = (joined.__table__, main) if joined_first else (main, joined.__table__)
    return statement.select_from(Walk(*tables, entity_set.on))


def _ordered(statement: Select[Any], columns: Sequence[Column]) -> Select[Any]:
    return statement.order_by(*(one.ordered for one in columns))
