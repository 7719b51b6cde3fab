"""Lists of history records: which ones, in which order, and what a page says of each.

A row has its request's body, so nothing here looks at a row that is not on the page: the tables' indexes have all that
lists are filtered, searched, counted and ordered by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import defer
from sqlalchemy.sql.functions import GenericFunction

from shared import templates
from shared.exceptions import NotFoundError
from shared.history import LIGHT, PINNED, unpinned
from shared.models import HistoryRecord, PrintTask, Thumbnail

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy import SQLColumnExpression
    from sqlalchemy.orm import Session
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.sql.elements import ColumnElement, TextClause

NEWEST_FIRST = "-creationDate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which records are wanted; what is None leaves any.

    Attributes:
        status: Their status.
        report_config: Their template: its id, its shortid, its name, or a name that it had when they were made.
        trace_id: Their trace id, all of it.
        source: Where they came from.
        keep: Whether they are pinned.
        created_from: Not made before then.
        created_to: Made before then.
        search: A part of their trace id, template's name, file name or creator; in whatever case.
    """

    status: str | None = None
    report_config: str | None = None
    trace_id: str | None = None
    source: str | None = None
    keep: bool | None = None
    created_from: dt.datetime | None = None
    created_to: dt.datetime | None = None
    search: str = ""


class Picture(NamedTuple):
    """How a document's thumbnail does: its state, and why there is none."""

    state: str
    error: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A record, how many print tasks it has, and its thumbnail, if one is to be."""

    record: HistoryRecord
    print_tasks: int
    thumbnail: Picture | None


class _plain(GenericFunction[Any]):  # noqa: N801  # A function of SQL is written as one.
    """A column by whose index SQLite must not search: its planner knows nothing of what the table holds."""

    inherit_cache = True


@compiles(_plain, "sqlite")
def _plain_sqlite(element: _plain, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


@compiles(_plain, "postgresql")
def _plain_postgresql(element: _plain, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


_LATEST = (HistoryRecord.created_at.desc(), HistoryRecord.id.desc())
ORDERS: dict[str, tuple[ColumnElement[Any], ...]] = {
    "creationDate": (HistoryRecord.created_at.asc(), HistoryRecord.id.asc()),
    NEWEST_FIRST: _LATEST,
    "status": (_plain(HistoryRecord.status).asc(), *_LATEST),
    "-status": (_plain(HistoryRecord.status).desc(), *_LATEST),
    "reportConfig": (_plain(HistoryRecord.template_name).asc(), *_LATEST),
    "-reportConfig": (_plain(HistoryRecord.template_name).desc(), *_LATEST),
}


def listing(
    session: Session, filters: Filters, *, sort: str = NEWEST_FIRST, limit: int, offset: int
) -> tuple[int, list[Entry]]:
    """Return how many records there are of a kind, and a page of them.

    Args:
        session: A transaction.
        filters: Which.
        sort: One of `ORDERS`; records that it holds for equals come newest first.
        limit: How many at most.
        offset: How many come before.
    """
    conditions = _conditions(session, filters, sort)
    page = select(HistoryRecord.id).where(*conditions).order_by(*ORDERS[sort]).limit(limit).offset(offset)
    ids = session.scalars(page).all()
    if 0 < len(ids) < limit or (not ids and not offset):
        total = offset + len(ids)
    else:
        total = session.scalar(select(func.count()).select_from(HistoryRecord).where(*conditions)) or 0
    light = (*LIGHT, *(defer(one, raiseload=True) for one in (HistoryRecord.response, HistoryRecord.searched)))
    rows = session.scalars(select(HistoryRecord).where(HistoryRecord.id.in_(ids)).options(*light)) if ids else ()
    found = {record.id: record for record in rows}
    return total, entries(session, [found[one] for one in ids if one in found])


def entries(session: Session, records: Sequence[HistoryRecord]) -> list[Entry]:
    """Return records with what is said beside them, in two questions for all.

    Args:
        session: A transaction.
        records: The records, as many as a page has at most.
    """
    if not records:
        return []
    tasks = select(PrintTask.history_record_id, func.count())
    tasks = tasks.where(PrintTask.history_record_id.in_([one.id for one in records]))
    counts = dict(session.execute(tasks.group_by(PrintTask.history_record_id)).all())
    pictures = select(Thumbnail.render_id, Thumbnail.state, Thumbnail.error)
    pictures = pictures.where(Thumbnail.render_id.in_([one.render_id for one in records]))
    shown = {render_id: Picture(state, error) for render_id, state, error in session.execute(pictures)}
    return [Entry(one, counts.get(one.id, 0), shown.get(one.render_id)) for one in records]


def _conditions(session: Session, filters: Filters, sort: str) -> list[ColumnElement[bool] | TextClause]:
    conditions: list[ColumnElement[bool] | TextClause] = []
    if filters.trace_id is not None:
        conditions.append(HistoryRecord.trace_id == filters.trace_id)
    if filters.keep is not None:
        conditions.append(PINNED if filters.keep else unpinned())
    template = _template(session, filters.report_config)
    # Only the index by creation, and that of the pinned ones, have the templates' names, and what is searched in.
    by_creation = filters.search or sort.endswith("reportConfig") or template[0] is HistoryRecord.template_name
    for column, value in (
        template,
        (HistoryRecord.status, filters.status),
        (HistoryRecord.source, filters.source),
    ):
        if value is not None:
            plain = by_creation or filters.keep or filters.trace_id is not None
            conditions.append((_plain(column) if plain else column) == value)
    if filters.created_from is not None:
        conditions.append(HistoryRecord.created_at >= filters.created_from)
    if filters.created_to is not None:
        conditions.append(HistoryRecord.created_at < filters.created_to)
    if filters.search:
        conditions.append(HistoryRecord.searched.contains(filters.search.lower(), autoescape=True))
    return conditions


def _template(session: Session, key: str | None) -> tuple[SQLColumnExpression[str], str | None]:
    if key is None:
        return HistoryRecord.template_id, None
    try:
        return HistoryRecord.template_id, templates.find_by_any(session, key).id
    except NotFoundError:
        return HistoryRecord.template_name, key
