"""What the database's rows tell of a trace: what happened, and which things of the farm belong to it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import defer, lazyload

from shared import history, references
from shared.models import Batch, HistoryRecord, PrintTask, Render, Report, Task, TemplateVersion, Thumbnail
from shared.renders import LIGHT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Row, Select
    from sqlalchemy.orm import Session

    from shared.references import Reference

_LIGHT_RECORD = (*history.LIGHT, defer(HistoryRecord.response, raiseload=True))


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    Attributes:
        at: When, UTC.
        source: Who says so: ``database``, or the log's process.
        event: What.
        details: The rest.
        level: How severe it is, where a log says so.
    """

    at: dt.datetime
    source: str
    event: str
    details: dict[str, Any]
    level: str | None = None


class TracedRows:
    """The rows of a trace.

    Attributes:
        entries: What happened, in no order.
        things: What the rows are, and the records and batches of other traces that they are of.
        trace_ids: The trace's id, and those derived from it.
        truncated: Whether there are more rows than were wanted.
    """

    def __init__(self, session: Session, trace_id: str, *, most: int | None) -> None:
        """Ask for them.

        Args:
            session: A transaction.
            trace_id: The trace.
            most: How many rows of each table are wanted, whichever are found first; None: all.
        """
        self.entries: list[Entry] = []
        self.trace_ids = {trace_id}
        self.truncated = False
        self._session = session
        self._trace_id = trace_id
        self._most = most
        self._things: dict[Reference, None] = {}
        self._batches()
        self._tasks()
        self._renders()
        self._records()
        self._print_tasks()

    @property
    def things(self) -> list[Reference]:
        """Each thing once, in the order of their ids, which is that of time."""
        return sorted(self._things, key=lambda one: one.id)

    def _batches(self) -> None:
        # Its documents have traces of their own, which begin with this one.
        for (batch,) in self._asked(select(Batch).where(Batch.trace_id == self._trace_id)):
            self._add(references.to_batch(batch), _of_batch(batch))

    def _tasks(self) -> None:
        for (task,) in self._asked(select(Task).where(Task.trace_id == self._trace_id)):
            self._add(references.to_task(task), _of_task(task))

    def _renders(self) -> None:
        of_trace = Render.trace_id == self._trace_id
        made = select(Render, TemplateVersion.name).outerjoin(TemplateVersion).where(of_trace).options(*LIGHT)
        for render, template in self._asked(made):
            self._add(references.to_render(render, template), _of_render(render))
            batch = render.batch_id and self._session.get(Batch, render.batch_id)
            if batch:
                self._add(references.to_batch(batch))
        kept = select(Report, Render.state).join(Report.render).where(of_trace).options(lazyload(Report.render))
        for report, state in self._asked(kept):
            thing = references.to_report(report, trace_id=self._trace_id, state=state)
            # One that is removed is gone for everybody; that it was made is told all the same.
            self._add(thing if report.removed_at is None else None, [_of_report(report)])
        pictures = select(Thumbnail).join(Render, Render.id == Thumbnail.render_id).where(of_trace)
        for (thumbnail,) in self._asked(pictures):
            self._add(references.to_thumbnail(thumbnail), _of_thumbnail(thumbnail))

    def _records(self) -> None:
        of_trace = select(HistoryRecord).where(HistoryRecord.trace_id == self._trace_id).options(*_LIGHT_RECORD)
        for (record,) in self._asked(of_trace):
            self._add(references.to_record(record), [_of_record(record)])

    def _print_tasks(self) -> None:
        of_trace = select(PrintTask).where(PrintTask.trace_id == self._trace_id)
        # Two questions: PostgreSQL has no index for one or the other.
        of_records = select(PrintTask).join(HistoryRecord).where(HistoryRecord.trace_id == self._trace_id)
        found = [row for one in (of_trace, of_records) for row in self._asked(one)]
        for task in {task.id: task for (task,) in found}.values():
            self.trace_ids.add(task.trace_id)
            self._add(references.to_print_task(task), _of_print_task(task))
            record = task.history_record_id and self._session.get(
                HistoryRecord, task.history_record_id, options=_LIGHT_RECORD
            )
            if record:
                self._add(references.to_record(record))

    def _asked(self, statement: Select[*tuple[Any, ...]]) -> Sequence[Row[*tuple[Any, ...]]]:
        # In no order: a client may call all that it ever sends by one trace id, and nobody waits for that to be sorted.
        found = self._session.execute(statement if self._most is None else statement.limit(self._most + 1)).all()
        self.truncated |= self._most is not None and len(found) > self._most
        return found[: self._most]

    def _add(self, thing: Reference | None, entries: Iterable[Entry] = ()) -> None:
        if thing is not None:
            self._things[thing] = None
        self.entries += entries


def _of_batch(batch: Batch) -> Iterator[Entry]:
    named = {"batch": batch.id, "documents": batch.total}
    details = {"template": batch.template_name, "name": batch.name, "by": batch.created_by}
    yield Entry(batch.created_at, "database", "batch", named | details)
    if batch.finished_at:
        ended = {"succeeded": batch.succeeded, "failed": batch.failed, "printed": batch.printed or None}
        yield Entry(batch.finished_at, "database", f"batch {batch.state}", named | ended)


def _of_task(task: Task) -> Iterator[Entry]:
    named = {"task": task.id, "schedule": task.schedule_shortid}
    yield Entry(task.created_at, "database", "task", named | {"due": task.due_at.isoformat()})
    if task.finished_at:
        details = {"render": task.render_id, "retries": task.attempt or None, "error": task.error}
        yield Entry(task.finished_at, "database", f"task {task.state}", named | details)


def _of_report(report: Report) -> Entry:
    return Entry(report.created_at, "database", "report", {"report": report.id, "name": report.name})


def _of_thumbnail(thumbnail: Thumbnail) -> Iterator[Entry]:
    if thumbnail.finished_at:
        details = {"state": thumbnail.state, "bytes": thumbnail.size, "error": thumbnail.error}
        yield Entry(thumbnail.finished_at, "database", "thumbnail", details)


def _of_record(record: HistoryRecord) -> Entry:
    details = {
        "record": record.id,
        "status": record.status,
        "template": record.template_name,
        "version": record.template_version,
        "from": record.source,
        "by": record.created_by,
        "replay_of": record.replay_of,
    }
    return Entry(record.created_at, "database", "record", details)


def _of_print_task(task: PrintTask) -> Iterator[Entry]:
    named = {"task": task.id, "trace": task.trace_id}
    wish = {"printer": task.printer_name, "copies": task.number_of_copies, "record": task.history_record_id}
    yield Entry(
        task.created_at, "database", "print task", {**named, **wish, "from": task.source, "by": task.created_by}
    )
    if task.sent_at:
        yield Entry(
            task.sent_at, "database", "handed over", {**named, "printer": task.printer_name, "job": task.job_id}
        )
    if task.finished_at:
        details = {**named, "job_state": task.job_state, "reasons": task.job_state_reasons, "error": task.error}
        yield Entry(task.finished_at, "database", f"print {task.status}", details)


def _of_render(render: Render) -> Iterator[Entry]:
    yield Entry(
        render.submitted_at,
        "database",
        "submitted",
        {
            "render": render.id,
            "queue": render.queue,
            "engine": render.engine,
            "recipe": render.recipe,
            "from": render.source,
            "by": render.created_by,
            "batch": render.batch_id,
            "place": render.batch_index,
        },
    )
    for loss in render.losses:
        yield Entry(
            dt.datetime.fromisoformat(loss["at"]),
            "database",
            "attempt lost",
            {"attempt": loss["attempt"], "reason": loss["reason"], "worker": loss["workerId"]},
        )
    if render.started_at:
        waited = (render.started_at - render.queued_at).total_seconds() * 1000
        yield Entry(
            render.started_at,
            "database",
            "started",
            {"queue_wait_ms": round(waited), "attempt": render.attempt, "worker": render.worker_id},
        )
    if render.finished_at:
        yield Entry(
            render.finished_at,
            "database",
            render.state,
            {
                **{f"{stage}_ms": spent for stage, spent in (render.timings or {}).items()},
                "pages": render.pages,
                "bytes": render.size,
                "object": render.blob_key,
                "cause": render.cause,
                "error": render.error,
                "line": render.error_line,
            },
        )
