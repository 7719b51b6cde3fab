"""What leads from one thing to another: its kind and its id, and as much more as lets a person recognise it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.renders import State
from shared.reports import PRESENTED

if TYPE_CHECKING:
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
        Thumbnail,
    )


class Kind(enum.StrEnum):
    """What a thing is, as the API names it."""

    TRACE = "trace"
    RECORD = "record"
    RENDER = "render"
    REPORT = "report"
    PRINT_TASK = "printTask"
    BATCH = "batch"
    TEMPLATE = "template"
    SCHEDULE = "schedule"
    TASK = "task"
    PRINTER = "printer"
    ASSET = "asset"
    THUMBNAIL = "thumbnail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One thing of the farm.

    Attributes:
        kind: What it is.
        id: Its id; a thumbnail has that of its render.
        name: What people call it: of a record, its template's name.
        trace_id: The trace that it belongs to; None: it is of none, as what people make and keep.
        status: How far it is, or how it ended, in the words of its own kind.
    """

    kind: Kind
    id: str
    name: str | None = None
    trace_id: str | None = None
    status: str | None = None


def to_record(record: HistoryRecord) -> Reference:
    """Refer to a history record."""
    return Reference(
        kind=Kind.RECORD,
        id=record.id,
        name=record.template_name,
        trace_id=record.trace_id,
        status=record.status,
    )


def to_render(render: Render, template: str | None) -> Reference:
    """Refer to a render; ``template`` is the name of what it renders, where that is stored."""
    return Reference(kind=Kind.RENDER, id=render.id, name=template, trace_id=render.trace_id, status=render.state)


def to_report(report: Report, *, trace_id: str, state: str) -> Reference:
    """Refer to a report, whose render has this trace and state."""
    return Reference(
        kind=Kind.REPORT, id=report.id, name=report.name, trace_id=trace_id, status=PRESENTED[State(state)]
    )


def to_print_task(task: PrintTask) -> Reference:
    """Refer to a print task."""
    return Reference(kind=Kind.PRINT_TASK, id=task.id, name=task.file_name, trace_id=task.trace_id, status=task.status)


def to_batch(batch: Batch) -> Reference:
    """Refer to a batch."""
    return Reference(
        kind=Kind.BATCH,
        id=batch.id,
        name=batch.template_name or batch.name,
        trace_id=batch.trace_id,
        status=batch.state,
    )


def to_task(task: Task) -> Reference:
    """Refer to a run of a schedule."""
    return Reference(kind=Kind.TASK, id=task.id, name=task.schedule_shortid, trace_id=task.trace_id, status=task.state)


def to_thumbnail(thumbnail: Thumbnail) -> Reference:
    """Refer to the picture of a render's document."""
    return Reference(kind=Kind.THUMBNAIL, id=thumbnail.render_id, trace_id=thumbnail.trace_id, status=thumbnail.state)


def to_template(template: Template) -> Reference:
    """Refer to a stored template."""
    return Reference(kind=Kind.TEMPLATE, id=template.id, name=template.name)


def to_schedule(schedule: Schedule) -> Reference:
    """Refer to a schedule."""
    status = "enabled" if schedule.enabled else "disabled"
    return Reference(kind=Kind.SCHEDULE, id=schedule.id, name=schedule.name, status=status)


def to_printer(printer: Printer) -> Reference:
    """Refer to a printer, in the state that it was in when it was last asked."""
    return Reference(kind=Kind.PRINTER, id=printer.id, name=printer.name, status=printer.state)


def to_asset(asset: Asset) -> Reference:
    """Refer to an asset."""
    return Reference(kind=Kind.ASSET, id=asset.id, name=asset.name)
