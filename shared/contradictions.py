"""Rows that contradict themselves or one another, as no working farm writes them.

Each rule is one question, so what it finds was so at one moment. What time should have mended is given some first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, false, null, or_, select

from shared import leases, print_tasks, renders
from shared.database import now
from shared.models import Certificate, Comparison, HistoryRecord, Preview, PrintTask, Render, Report, Thumbnail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import InstrumentedAttribute
    from sqlalchemy.sql.elements import ColumnElement

    from shared.database import Database

BATCH = 500


@dataclass(frozen=True, slots=True)
class Rule:
    """What no row may be.

    Attributes:
        noun: What the row is called.
        row_id: The column of its id.
        trace_id: That of its trace, or None.
        key: That of its object, or None.
        condition: Holds for a row that is wrong.
        text: What is wrong with it.
    """

    noun: str
    row_id: InstrumentedAttribute[str]
    trace_id: ColumnElement[Any] | InstrumentedAttribute[Any]
    key: ColumnElement[Any] | InstrumentedAttribute[Any]
    condition: ColumnElement[bool]
    text: str


def lines(database: Database, *, grace: float) -> Iterator[str]:
    """Yield a line for each row that is wrong: which, its trace and its object, and why.

    Args:
        database: Where the rows are.
        grace: Seconds for which the farm may be late with what it does by itself.
    """
    for rule in (*_of_renders(grace), *_of_what_is_kept(grace), *_of_print_tasks(grace), *_of_errands(grace)):
        last = ""
        while True:
            with database.reading() as session:
                batch = session.execute(
                    select(rule.row_id, rule.trace_id, rule.key)
                    .where(rule.condition, rule.row_id > last)
                    .order_by(rule.row_id)
                    .limit(BATCH)
                ).all()
            for row_id, trace_id, key in batch:
                facts = [row_id, f"trace {trace_id}" if trace_id else "", key or ""]
                yield f"{rule.noun} {', '.join(fact for fact in facts if fact)}: {rule.text}"
            if len(batch) < BATCH:
                break
            last = batch[-1][0]


def _of_renders(grace: float) -> Iterator[Rule]:
    state = Render.state
    kept_by = or_(
        *(select(one.render_id).where(one.render_id == Render.id).exists() for one in (Report, HistoryRecord, Preview))
    )
    succeeded = state == renders.State.SUCCEEDED
    lacking = or_(*(one.is_(None) for one in (Render.sha256, Render.size, Render.media_type, Render.extension)))
    for condition, text in (
        (state.not_in(list(renders.State)), "its state is none that there is"),
        (
            and_(
                state == renders.State.QUEUED,
                or_(*(one.is_not(None) for one in (Render.worker_id, Render.finished_at, Render.blob_key))),
            ),
            "it is queued, and has a worker, an end or a document",
        ),
        (
            and_(
                state == renders.State.RUNNING,
                or_(Render.worker_id.is_(None), Render.deadline_at.is_(None), Render.finished_at.is_not(None)),
            ),
            "it is running, and has no worker, no deadline, or an end",
        ),
        (
            and_(state == renders.State.RUNNING, Render.deadline_at < now(-grace)),
            "it is running long past its deadline, and nobody took it away from its worker",
        ),
        (and_(state.in_(renders.ENDED), Render.finished_at.is_(None)), "it has ended, and nothing says when"),
        (and_(succeeded, Render.kept, Render.blob_key.is_(None)), "it succeeded and is kept, and has no document"),
        (
            and_(succeeded, Render.blob_key.is_not(None), lacking),
            "it succeeded, and hash, size or type of its document are not known",
        ),
        (and_(state == renders.State.FAILED, Render.cause.is_(None)), "it failed, and nothing says why"),
        (
            and_(Render.kept, ~kept_by),
            "it is kept, and no report, history record or preview keeps it: it would stay for ever",
        ),
    ):
        yield Rule("render", Render.id, Render.trace_id, Render.blob_key, condition, text)


def _of_what_is_kept(grace: float) -> Iterator[Rule]:
    render = select(Render.id)
    yield Rule(
        "report", Report.id, null(), null(), ~render.where(Render.id == Report.render_id).exists(), "its render is gone"
    )
    mine = render.where(Render.id == HistoryRecord.render_id)
    long_over = mine.where(Render.finished_at < now(-grace)).exists()
    same = mine.where(Render.blob_key == HistoryRecord.blob_key, Render.sha256 == HistoryRecord.sha256)
    for condition, text in (
        (~mine.exists(), "its render is gone"),
        (and_(HistoryRecord.response.is_(None), long_over), "its render ended long ago, and it has no answer"),
        (
            and_(HistoryRecord.blob_key.is_not(None), mine.exists(), ~same.exists()),
            "it names another document than its render",
        ),
    ):
        record = HistoryRecord
        yield Rule("history record", record.id, record.trace_id, record.blob_key, condition, text)


def _of_print_tasks(grace: float) -> Iterator[Rule]:
    task = PrintTask
    record = select(HistoryRecord.id).where(HistoryRecord.id == task.history_record_id)
    long_over = record.join(Render, Render.id == HistoryRecord.render_id).where(Render.finished_at < now(-grace))
    active = task.status.in_(print_tasks.ACTIVE)
    for condition, text in (
        (and_(task.history_record_id.is_not(None), ~record.exists()), "its history record is gone"),
        (
            and_(
                active, ~task.held, task.blob_key.is_(None), ~record.where(HistoryRecord.blob_key.is_not(None)).exists()
            ),
            "it is to be printed, and has no document",
        ),
        (and_(active, task.held, long_over.exists()), "it waits for a render that ended long ago"),
        (~active & task.status.not_in(print_tasks.ENDED), "its status is none that there is"),
        (and_(task.status.in_(print_tasks.ENDED), task.finished_at.is_(None)), "it has ended, and nothing says when"),
    ):
        yield Rule("print task", task.id, task.trace_id, task.blob_key, condition, text)


def _of_errands(grace: float) -> Iterator[Rule]:
    without_render = ~select(Render.id).where(Render.id == Thumbnail.render_id).exists()
    records = [
        select(HistoryRecord.id).where(HistoryRecord.id == one).exists()
        for one in (Comparison.first_id, Comparison.second_id)
    ]
    for noun, model, row_id, made, alone in (
        ("thumbnail of render", Thumbnail, Thumbnail.render_id, Thumbnail.blob_key, without_render),
        ("comparison", Comparison, Comparison.id, Comparison.result, ~and_(*records)),
        # One of a version that is gone is swept.
        ("certificate", Certificate, Certificate.subject, Certificate.result, false()),
    ):
        key = Thumbnail.blob_key if model is Thumbnail else null()
        running = model.state == leases.State.RUNNING
        for condition, text in (
            (alone, "what it was made of is gone"),
            (running & model.lease_until.is_(None), "it is being made, and nobody says for how long"),
            (running & (model.lease_until < now(-grace)), "its making was given up long ago, and nobody began anew"),
            (and_(model.state == leases.State.SUCCEEDED, made.is_(None)), "it was made, and there is nothing"),
        ):
            yield Rule(noun, row_id, model.trace_id, key, condition, text)
