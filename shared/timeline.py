"""Everything the farm knows of one trace id, in the order of time: from the database and from this machine's logs.

A reprint has a trace id of its own, derived from that of the document; who asks for the document's gets both.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select

from shared.database import Database
from shared.models import Batch, HistoryRecord, PrintTask, Render, Report, Thumbnail
from shared.renders import LIGHT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from shared.settings import Settings

SHOWN_ELSEWHERE = {"timestamp", "event", "process", "trace_id", "level", "logger"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    Attributes:
        at: When, UTC.
        source: Who says so: ``database``, or the log's process.
        event: What.
        details: The rest.
    """

    at: dt.datetime
    source: str
    event: str
    details: dict[str, Any]


def collect(settings: Settings, trace_id: str) -> list[Entry]:
    """Return what database and log files say of a trace id and of the ids derived from it."""
    database = Database(settings.database)
    try:
        with database.reading() as session:
            entries = [
                *_of_batches(session, trace_id),
                *_of_renders(session, trace_id),
                *_of_history(session, trace_id),
            ]
            derived = select(PrintTask.trace_id).join(HistoryRecord).where(HistoryRecord.trace_id == trace_id)
            trace_ids = {trace_id, *session.scalars(derived)}
    finally:
        database.close()
    return sorted([*entries, *_from_logs(settings.logs, trace_ids)], key=lambda entry: entry.at)


def formatted(entries: Iterable[Entry], *, as_json: bool) -> Iterator[str]:
    """Yield a line per entry: for people, with the milliseconds since the first; or as JSON."""
    first: dt.datetime | None = None
    for entry in entries:
        first = first or entry.at
        moment = entry.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if as_json:
            yield json.dumps(
                {"at": moment, "source": entry.source, "event": entry.event, **entry.details},
                ensure_ascii=False,
                default=str,
            )
        else:
            since = f"+{(entry.at - first).total_seconds() * 1000:.0f} ms"
            details = "  ".join(
                f"{name}={value}" for name, value in entry.details.items() if value not in (None, "", [])
            )
            yield f"{moment}  {since:>10}  {entry.source:<9} {entry.event:<20} {details}".rstrip()


def _of_batches(session: Session, trace_id: str) -> Iterator[Entry]:
    # Its documents have traces of their own, which begin with this one.
    for batch in session.scalars(select(Batch).where(Batch.trace_id == trace_id)):
        named = {"batch": batch.id, "documents": batch.total}
        details = {"template": batch.template_name, "name": batch.name, "by": batch.created_by}
        yield Entry(batch.created_at, "database", "batch", named | details)
        if batch.finished_at:
            ended = {"succeeded": batch.succeeded, "failed": batch.failed, "printed": batch.printed or None}
            yield Entry(batch.finished_at, "database", f"batch {batch.state}", named | ended)


def _of_renders(session: Session, trace_id: str) -> Iterator[Entry]:
    for render in session.scalars(select(Render).where(Render.trace_id == trace_id).options(*LIGHT)):
        yield from _of_render(render)
        for report in session.scalars(select(Report).where(Report.render_id == render.id)):
            yield Entry(report.created_at, "database", "report", {"report": report.id, "name": report.name})
        thumbnail = session.get(Thumbnail, render.id)
        if thumbnail is not None and thumbnail.finished_at is not None:
            details = {"state": thumbnail.state, "bytes": thumbnail.size, "error": thumbnail.error}
            yield Entry(thumbnail.finished_at, "database", "thumbnail", details)


def _of_history(session: Session, trace_id: str) -> Iterator[Entry]:
    records = session.execute(
        select(
            HistoryRecord.id,
            HistoryRecord.created_at,
            HistoryRecord.status,
            HistoryRecord.template_name,
            HistoryRecord.template_version,
            HistoryRecord.source,
            HistoryRecord.created_by,
            HistoryRecord.replay_of,
        ).where(HistoryRecord.trace_id == trace_id)
    ).all()
    for record in records:
        details = {
            "record": record.id,
            "status": record.status,
            "template": record.template_name,
            "version": record.template_version,
            "from": record.source,
            "by": record.created_by,
            "replay_of": record.replay_of,
        }
        yield Entry(record.created_at, "database", "record", details)
    of_records = PrintTask.history_record_id.in_([record.id for record in records])
    for task in session.scalars(select(PrintTask).where(or_(of_records, PrintTask.trace_id == trace_id))):
        yield from _of_print_task(task)


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


def _from_logs(folder: Path, trace_ids: Collection[str]) -> Iterator[Entry]:
    # Rotated files have a number behind their name.
    for path in sorted(folder.glob("*.jsonl*")):
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if any(trace_id in line for trace_id in trace_ids):
                    entry = _of_line(line, trace_ids)
                    if entry is not None:
                        yield entry


def _of_line(line: str, trace_ids: Collection[str]) -> Entry | None:
    try:
        said = json.loads(line)
        if said.get("trace_id") not in trace_ids:
            return None
        at = dt.datetime.fromisoformat(said["timestamp"])
    except (ValueError, KeyError, AttributeError):
        # Output of a program that does not log in our form, or a line cut off by a crash.
        return None
    details = {name: value for name, value in said.items() if name not in SHOWN_ELSEWHERE}
    return Entry(at, str(said.get("process", "log")), str(said.get("event", "")), details)
