"""What OData means and the two databases write differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, DateTime, Integer, Text, bindparam, false, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.sql.selectable import Join

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import SQLColumnExpression
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.sql.elements import ColumnElement


class by_code_point(GenericFunction[str]):  # noqa: N801  # A function of SQL is written as one.
    """A text that is compared as SQLite compares, and as every client can: not as the database's language does."""

    type = Text()
    inherit_cache = True


@compiles(by_code_point, "sqlite")
def _by_code_point_sqlite(element: by_code_point, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(by_code_point, "postgresql")
def _by_code_point_postgresql(element: by_code_point, compiler: SQLCompiler, **options: Any) -> str:
    return f'({compiler.process(element.clauses, **options)} COLLATE "C")'


class position(GenericFunction[int]):  # noqa: N801  # As above.
    """Where the second text begins in the first, counted from 1; 0: nowhere. Case matters."""

    type = Integer()
    inherit_cache = True


@compiles(position, "sqlite")
def _position_sqlite(element: position, compiler: SQLCompiler, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)})"


@compiles(position, "postgresql")
def _position_postgresql(element: position, compiler: SQLCompiler, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)})"


class in_utc(GenericFunction[Any]):  # noqa: N801  # As above.
    """A point in time as the calendar of UTC has it."""

    type = DateTime()
    inherit_cache = True


@compiles(in_utc, "sqlite")
def _in_utc_sqlite(element: in_utc, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(in_utc, "postgresql")
def _in_utc_postgresql(element: in_utc, compiler: SQLCompiler, **options: Any) -> str:
    return f"timezone('UTC', {compiler.process(element.clauses, **options)})"


class certainly(GenericFunction[bool]):  # noqa: N801  # As above.
    """Whether a condition holds, and not whether it would if it were known: null is no."""

    type = Boolean()
    inherit_cache = True


@compiles(certainly)
def _certainly(element: certainly, compiler: SQLCompiler, **options: Any) -> str:
    return f"(({compiler.process(element.clauses, **options)}) IS TRUE)"


class Walk(Join):
    """A join that begins with its left table, whose index has the order that the page needs.

    SQLite knows little of what its tables hold, and would often begin with the other one and sort. PostgreSQL knows.
    """

    inherit_cache = True


@compiles(Walk, "sqlite")
def _walk_sqlite(element: Walk, compiler: SQLCompiler, **options: Any) -> str:
    joined: str = compiler.visit_join(element, **options)  # type: ignore[no-untyped-call]  # SQLAlchemy's is untyped.
    return joined.replace(" JOIN ", " CROSS JOIN ", 1)


def among(column: SQLColumnExpression[Any], values: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a column has one of some few values, which the database's planner may see."""
    if not values:
        return false()
    if len(values) == 1:
        return column == literal(values[0], Text(), literal_execute=True)
    return column.in_(bindparam(None, list(values), Text(), expanding=True, literal_execute=True))
