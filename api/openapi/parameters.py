"""The variables of paths, explained once by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.openapi.descriptions import Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

_ID = {"type": "string", "minLength": 1}
_SOME_ID = "0199a2c4-5d0e-7c1b-9f3a-2b8f0c6d4e11"


def _path(name: str, text: str, example: str = _SOME_ID) -> Parameter:
    return Parameter(name=name, where="path", text=text, schema=_ID, example=example)


PATH: Mapping[str, Parameter] = {
    one.name: one
    for one in (
        _path("report_id", "The report's `_id`: the answer that made it has it as `Report-Id`."),
        _path("template_id", "The template's `_id`."),
        _path("asset_id", "The asset's `_id`."),
        _path("schedule_id", "The schedule's `_id`."),
        _path("task_id", "The task's `_id`."),
        _path("batch_id", "The batch's `id`: the answer that accepted it has it."),
        _path("record_id", "The history record's `id`."),
        _path(
            "other_id",
            "The `id` of the history record that it is compared with.",
            "0199a2c4-5d0e-7c1b-9f3a-2b8f0c6d4e12",
        ),
        Parameter(
            name="page",
            where="path",
            text="The page, counted from 1.",
            schema={"type": "integer", "minimum": 1},
            example=1,
        ),
        _path("print_task_id", "The print task's `id`."),
        _path("trace_id", "The trace id: every answer has one as `X-Trace-Id`.", "4bf92f3577b34da6a3ce929d0e0e4736"),
        _path("pasted", "An id, a name, the name of a file, or an address of this farm; percent-encoded as a whole."),
        _path("render_id", "The render's id: the answer that began it has it."),
        _path("key", "The `_id`, shortid or name of the template; a name may hold slashes.", "shelf-label"),
        Parameter(
            name="number",
            where="path",
            text="The version's number.",
            schema={"type": "integer", "minimum": 0},
            example=1,
        ),
        _path(
            "cron_line", "A cron line of five or six fields; one that begins with seconds has six.", "0 7 * * MON-FRI"
        ),
        _path(
            "name", "Any name, slashes and all: it is for your logs and bookmarks, and changes nothing.", "invoice.pdf"
        ),
    )
}
