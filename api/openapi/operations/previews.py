"""What `api.previews` answers."""

from __future__ import annotations

from api.openapi.descriptions import JSON, TEXT, Answer, Operation
from api.openapi.operations.config_renders import RENDER, RenderFailure
from api.openapi.operations.reports import FULL
from api.openapi.operations.tags import REPORT_CONFIGURATIONS
from api.openapi.operations.templates import LABEL

SHOW = Operation(
    tag=REPORT_CONFIGURATIONS,
    summary="Show what a template would look like",
    text="""\
The body is that which would store it; nothing is stored. It is rendered with its sample data and its parameters'
examples, or else their defaults. Where it includes others by name, those that are stored are taken.

- Recipe `pdf` is shown as the reference makes it, whichever engine will make the documents once it is certified.
- A render whose client hangs up is cancelled: an editor may ask after each pause in typing.
- To show what is stored, use `GET /api/v1/report-config/{key}/preview`.""",
    examples={"A label that is being written": LABEL},
    answers={
        200: Answer(
            "The document.",
            {"application/pdf": None, "text/html": None, TEXT: None},
            ("Content-Disposition", "File-Extension", "Accept-Ranges", "ETag", "Pressroom-Warning"),
        ),
        400: Answer(
            "The request is not understood, or template or data broke the render: then `meta.cause` says which, and "
            "`meta.line` where.",
            {JSON: RenderFailure, TEXT: str},
            example={
                "success": False,
                "errors": ["unexpected '}'"],
                "meta": {"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "cause": "template", "line": 3},
                "status": 400,
            },
        ),
        **{status: RENDER.answers[status] for status in (410, 500, 503)},
    },
    errors={429: FULL},
)
