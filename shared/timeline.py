"""Everything the farm knows of one trace id, in the order of time: from the database and from this machine's logs."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from shared.database import Database
from shared.models import Render, Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

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
    entries = [*_from_database(settings, trace_id), *_from_logs(settings.logs, trace_id)]
    return sorted(entries, key=lambda entry: entry.at)


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


def _from_database(settings: Settings, trace_id: str) -> Iterator[Entry]:
    database = Database(settings.database)
    try:
        with database.reading() as session:
            for render in session.scalars(select(Render).where(Render.trace_id == trace_id)):
                yield from _of_render(render)
                for report in session.scalars(select(Report).where(Report.render_id == render.id)):
                    yield Entry(report.created_at, "database", "report", {"report": report.id, "name": report.name})
    finally:
        database.close()


def _of_render(render: Render) -> Iterator[Entry]:
    yield Entry(
        render.submitted_at,
        "database",
        "submitted",
        {"render": render.id, "queue": render.queue, "engine": render.engine, "recipe": render.recipe},
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


def _from_logs(folder: Path, trace_id: str) -> Iterator[Entry]:
    # Rotated files have a number behind their name.
    for path in sorted(folder.glob("*.jsonl*")):
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if trace_id in line:
                    entry = _of_line(line, trace_id)
                    if entry is not None:
                        yield entry


def _of_line(line: str, trace_id: str) -> Entry | None:
    try:
        said = json.loads(line)
        if said.get("trace_id") != trace_id:
            return None
        at = dt.datetime.fromisoformat(said["timestamp"])
    except (ValueError, KeyError, AttributeError):
        # Output of a program that does not log in our form, or a line cut off by a crash.
        return None
    details = {name: value for name, value in said.items() if name not in SHOWN_ELSEWHERE}
    return Entry(at, str(said.get("process", "log")), str(said.get("event", "")), details)
