"""What an id or a name is. Each question has an index, so a farm with a million records is asked as fast as a new one.

A history record's PDF is called by the record's id, and that of an unrecorded render by the render's: the name of such
a file, without its extension, is an id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import defer, lazyload

from shared import history, references
from shared.identifiers import is_trace_id
from shared.models import (
    Asset,
    Batch,
    HistoryRecord,
    Printer,
    PrintTask,
    Render,
    Report,
    Schedule,
    Task,
    Template,
    TemplateVersion,
)
from shared.references import Kind, Reference
from shared.renders import LIGHT
from shared.templates import storable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Select
    from sqlalchemy.orm import InstrumentedAttribute, Session

# Of the words of a text; whoever sends more has no id.
MOST_WORDS = 8
# Of the reports that share a name, the newest.
MOST_OF_A_NAME = 10
TRACED = (HistoryRecord, Render, PrintTask, Batch, Task)
# How sure it is that a column was meant; a name is least.
_SURENESS = {"id": 0, "shortid": 1}
_NAMED = len(_SURENESS)


@dataclass(frozen=True, slots=True)
class _Look:
    """How things of a kind are looked for.

    Attributes:
        statement: Selects them; the first of a row is the thing itself.
        columns: The columns that tell which, each of which is unique.
        refer: Makes a reference of a row.
    """

    statement: Select[*tuple[Any, ...]]
    columns: tuple[InstrumentedAttribute[str], ...]
    refer: Callable[..., Reference]


def _to_report(report: Report, trace_id: str, state: str) -> Reference:
    return references.to_report(report, trace_id=trace_id, state=state)


_REPORTS = (
    select(Report, Render.trace_id, Render.state)
    .join(Report.render)
    .where(Report.removed_at.is_(None))
    .options(lazyload(Report.render))
)
_LOOKS = (
    _Look(
        select(HistoryRecord).options(*history.LIGHT, defer(HistoryRecord.response, raiseload=True)),
        (HistoryRecord.id,),
        references.to_record,
    ),
    _Look(
        select(Render, TemplateVersion.name).outerjoin(TemplateVersion).options(*LIGHT),
        (Render.id,),
        references.to_render,
    ),
    _Look(_REPORTS, (Report.id, Report.shortid, Report.blob_name), _to_report),
    _Look(select(PrintTask), (PrintTask.id,), references.to_print_task),
    _Look(select(Batch), (Batch.id,), references.to_batch),
    _Look(
        select(Template).options(lazyload(Template.version)),
        (Template.id, Template.shortid, Template.name),
        references.to_template,
    ),
    _Look(
        select(Schedule).options(defer(Schedule.data, raiseload=True)),
        (Schedule.id, Schedule.shortid, Schedule.name),
        references.to_schedule,
    ),
    _Look(select(Task), (Task.id,), references.to_task),
    _Look(select(Printer), (Printer.id, Printer.name), references.to_printer),
    _Look(select(Asset), (Asset.id, Asset.shortid, Asset.name), references.to_asset),
)


def find(session: Session, words: Sequence[str]) -> list[Reference]:
    """Return everything that has one of some ids or names, best first.

    What has it as its id comes before what is called so, and what has an earlier word before what has a later one.

    Args:
        session: A transaction.
        words: The ids or names, the likeliest first; no more are looked for than `MOST_WORDS`.
    """
    asked = [word for word in dict.fromkeys(words) if word and storable(word)][:MOST_WORDS]
    if not asked:
        return []
    found = [*_traces(session, asked), *_things(session, asked), *_reports_called(session, asked)]
    found.sort(key=lambda one: one[0])
    return list(dict.fromkeys(reference for _, reference in found))


def _traces(session: Session, asked: Sequence[str]) -> Iterator[tuple[tuple[int, int], Reference]]:
    for place, word in enumerate(asked):
        if is_trace_id(word) and session.scalar(
            select(or_(*(exists().where(table.trace_id == word) for table in TRACED)))
        ):
            yield (place, _SURENESS["id"]), Reference(kind=Kind.TRACE, id=word, trace_id=word)


def _things(session: Session, asked: Sequence[str]) -> Iterator[tuple[tuple[int, int], Reference]]:
    for look in _LOOKS:
        wanted = or_(*(column.in_(asked) for column in look.columns))
        for row in session.execute(look.statement.where(wanted)):
            values = [(getattr(row[0], column.key), column.key) for column in look.columns]
            yield (
                min((asked.index(value), _SURENESS.get(key, _NAMED)) for value, key in values if value in asked),
                look.refer(*row),
            )


def _reports_called(session: Session, asked: Sequence[str]) -> Iterator[tuple[tuple[int, int], Reference]]:
    for place, word in enumerate(asked):
        newest = _REPORTS.where(Report.name == word).order_by(Report.id.desc()).limit(MOST_OF_A_NAME)
        for row in session.execute(newest):
            # Others can be called so, too.
            yield (place, _NAMED + 1), _to_report(*row)
