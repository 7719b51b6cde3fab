"""History records: which exact request made a document, and what came back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared import outcomes
from shared.renders import State

if TYPE_CHECKING:
    from shared.models import HistoryRecord, Render

FOLDER = "history/"
PAYLOADS = "payloads/"
PDF = "application/pdf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What a render's caller was promised; with the render's end it makes the answer.

    Attributes:
        output_type: ``base64``, ``url`` or ``none``.
        file_name: The document's name, with extension.
        report_url: Where the document can be had, for ``url``.
        history_record_id: The record, if there is one.
        print_task_id: The print task, if there is one.
    """

    output_type: str
    file_name: str
    report_url: str | None = None
    history_record_id: str | None = None
    print_task_id: str | None = None


def promise_of(record: HistoryRecord, *, print_task_id: str | None) -> Promise:
    """Return what the caller of a recorded render was promised."""
    return Promise(
        output_type=record.output_type,
        file_name=record.file_name,
        report_url=record.report_url,
        history_record_id=record.id,
        print_task_id=print_task_id,
    )


def answer_of(render: Render, promise: Promise) -> dict[str, Any]:
    """Return the whole answer to a render's caller: the envelope of ``/api/v1``, without the document itself.

    The same function makes what is sent and what is recorded, so that the two cannot differ. Of ``base64``, the member
    ``reportPdf`` is None here; whoever sends or shows it in full puts the document there.

    Args:
        render: A render that has ended.
        promise: What its caller was promised.
    """
    status = outcomes.http_status(render)
    meta: dict[str, Any] = {"traceId": render.trace_id}
    if render.state != State.SUCCEEDED:
        meta |= {name: value for name, value in (("cause", render.cause), ("line", render.error_line)) if value}
        return {"success": False, "errors": [outcomes.problem(render)], "meta": meta, "status": status}
    data: dict[str, Any] = {"traceId": render.trace_id}
    if promise.output_type == "base64":
        data["reportPdf"] = None
    elif promise.output_type == "url":
        data["reportUrl"] = promise.report_url
    data |= {
        "reportPdfFileName": promise.file_name,
        "pages": render.pages,
        "historyRecordId": promise.history_record_id,
        "printTaskId": promise.print_task_id,
    }
    if render.warnings:
        meta["warnings"] = list(render.warnings)
    return {"success": True, "count": 1, "data": data, "meta": meta, "status": status}
