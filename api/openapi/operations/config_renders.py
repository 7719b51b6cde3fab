"""What `api.config_renders` answers."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # Python 3.11's own does not tell pydantic enough.

from api.openapi import headers
from api.openapi.answers import FailureMeta, Meta
from api.openapi.descriptions import JSON, TEXT, Answer, Operation
from api.openapi.operations.reports import FULL
from api.openapi.operations.tags import RENDERING

_NO_RENDER = (
    "There is no such render, or what was kept of it is removed. One without a history record is there for a while."
)
_DOWN = "The database or the storage does not answer. Nothing was lost."
_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
_RENDER = "0199a2c4-5d0e-7c1b-9f3a-2b8f0c6d4e11"
_RECORD = "0199a2c4-5d0e-7c1b-9f3a-2b8f0c6d4e12"


class _Success(TypedDict):
    success: Annotated[Literal[True], Field(description="That it worked.")]
    count: Annotated[int, Field(description="How many records `data` has.")]
    status: Annotated[int, Field(description="The HTTP status, once more.")]


class RenderedReportConfig(TypedDict):
    """A document, and where it is kept."""

    traceId: Annotated[str, Field(description="The trace id of request, record, print task and every log line.")]
    reportPdf: NotRequired[
        Annotated[
            str | None,
            Field(description="The PDF in Base64. (`base64`)", json_schema_extra={"contentEncoding": "base64"}),
        ]
    ]
    reportUrl: NotRequired[Annotated[str | None, Field(description="Where the PDF is. (`url`)")]]
    reportPdfFileName: Annotated[str, Field(description="The document's name: a UUID, with extension.")]
    pages: Annotated[int | None, Field(description="How many pages it has.")]
    historyRecordId: Annotated[str | None, Field(description="The history record, if one was asked for.")]
    printTaskId: Annotated[str | None, Field(description="The print task, if one was asked for.")]


class RenderMeta(Meta):
    """What there is to know about the answer itself."""

    warnings: NotRequired[Annotated[list[str], Field(description="What the recipe could not do as the template says.")]]


class RenderedAnswer(_Success):
    """That a document was made."""

    data: RenderedReportConfig
    meta: RenderMeta


class BegunReportConfig(TypedDict):
    """A render that has been taken."""

    traceId: Annotated[str, Field(description="The trace id of request, record, print task and every log line.")]
    renderId: Annotated[str, Field(description="The render.")]
    statusUrl: Annotated[str, Field(description="Where to ask how far it is; the same as `Location`.")]
    historyRecordId: Annotated[str | None, Field(description="The history record, if one was asked for.")]
    printTaskId: Annotated[str | None, Field(description="The print task, which waits for the document.")]


class BegunAnswer(_Success):
    """That a render has been taken and is being made."""

    data: BegunReportConfig
    meta: Meta


class RenderUnderWay(TypedDict):
    """How far a render is."""

    traceId: Annotated[str, Field(description="The trace id of the request that asked for it.")]
    renderId: Annotated[str, Field(description="The render.")]
    state: Annotated[Literal["queued", "running"], Field(description="Whether it waits, or is being made.")]
    attempts: Annotated[int, Field(description="How many workers have begun it; more than one if some died.")]
    historyRecordId: Annotated[str | None, Field(description="The history record, if one was asked for.")]
    printTaskId: Annotated[str | None, Field(description="The print task, while it waits for the document.")]
    positionInQueue: NotRequired[
        Annotated[int, Field(description="Its place among those that wait, where that is known; the next one is 1.")]
    ]
    estimatedSecondsLeft: NotRequired[
        Annotated[
            float,
            Field(description="Seconds until it is done, by what such renders took lately. Absent when nobody knows."),
        ]
    ]


class RenderStatusAnswer(_Success):
    """How far a render is; when it is done, its document."""

    data: Annotated[
        RenderedReportConfig | RenderUnderWay,
        Field(description="While it is made, how far it is; then what the answer would have been to one who waited."),
    ]
    meta: RenderMeta


class RenderFailureMeta(FailureMeta):
    """What there is to know about a failure."""

    cause: NotRequired[
        Annotated[
            Literal["template", "data", "engine", "timeout", "memory", "storage", "poisoned"],
            Field(description="Why the render failed; `template` and `data` are yours to mend."),
        ]
    ]
    line: NotRequired[Annotated[int, Field(description="The template's line, counted from 1, where it is known.")]]


class RenderFailure(TypedDict):
    """Why there is no document: the request was refused, or the render failed."""

    success: Annotated[Literal[False], Field(description="That it did not work.")]
    errors: Annotated[list[str], Field(description="Everything that was wrong.")]
    meta: RenderFailureMeta
    status: Annotated[int, Field(description="The HTTP status, once more.")]


_FAILED = {JSON: RenderFailure, TEXT: str}
_BROKEN = {
    "success": False,
    "errors": ["'dict object' has no attribute 'total'"],
    "meta": {"traceId": _TRACE, "cause": "data", "line": 7},
    "status": 400,
}
_DONE = {
    "success": True,
    "count": 1,
    "data": {
        "traceId": _TRACE,
        "reportUrl": f"https://farm.example/api/v1/report-history-record/{_RECORD}/pdf",
        "reportPdfFileName": f"{_RECORD}.pdf",
        "pages": 2,
        "historyRecordId": _RECORD,
        "printTaskId": None,
    },
    "meta": {"traceId": _TRACE},
    "status": 200,
}

RENDER = Operation(
    tag=RENDERING,
    summary="Render a report configuration",
    text="""\
The newest version of a stored template is rendered with `parameters` and `data`. In the template, the top-level keys of
`data` are names; so are the parameters, where no key of the data has their name, `parameters` (all of them), and `rows`
(the list, when `data` is one).

- `parameters` are checked against those that the template declares: all that are missing, of the wrong type or unknown
  are named together. `null` is the same as leaving one out. What has a default and is left out is its default. A
  template that declares none takes any.
- With `createHistoryRecord`, request and answer are recorded, whether the render works or not.
- With `createPrintTask`, the document is printed as soon as it is there, and recorded in any case.
- With `async`, the answer comes as soon as everything is safely written down; ask at its `Location`.

The recipe must make PDFs; what others make is had with `POST /api/report`.""",
    examples={
        "A label, in the answer": {
            "outputType": "base64",
            "parameters": {"code": "PR-4711"},
            "createHistoryRecord": True,
        },
        "A list, later": {
            "outputType": "url",
            "data": [{"article": "Ball bearing 6204-2RS", "quantity": 40}, {"article": "Timing belt", "quantity": 2}],
            "createHistoryRecord": True,
            "async": True,
        },
    },
    answers={
        200: Answer("The document, as `outputType` says.", {JSON: RenderedAnswer}, example=_DONE),
        202: Answer(
            "Written down; it is rendered as soon as a worker is free. (`async`)", {JSON: BegunAnswer}, ("Location",)
        ),
        400: Answer(
            "The request is not understood, or template or data broke the render (then `meta.cause` says which).",
            _FAILED,
            example=_BROKEN,
        ),
        410: Answer("The render was cancelled while you waited.", _FAILED),
        500: Answer("The render failed, and not by your fault: `meta.cause` says of what.", _FAILED),
        503: Answer(
            "The farm could not begin it in time, or a part of it is away: try again, or ask for it later.",
            _FAILED,
            ("Retry-After",),
        ),
    },
    errors={
        404: "There is no such template.",
        409: "The printer is being removed at this moment.",
        422: "Parameters, recipe or printer do not allow it; everything that is wrong is named.",
        429: FULL,
    },
)
STATUS = Operation(
    tag=RENDERING,
    summary="How far is a render?",
    text="While it waits or is made, ask again, no sooner than `Retry-After` says. When it has ended, the answer is "
    "what you had got if you had waited: that of its history record, or, where there is none, one made anew as the "
    "address says. A 503 with `Retry-After` is the farm's own, one without it is the render's end.",
    head=True,
    answers={
        200: Answer("It is under way, or done.", {JSON: RenderStatusAnswer}, ("Retry-After",), example=_DONE),
        400: Answer("Template or data broke the render; or the query is not understood.", _FAILED, example=_BROKEN),
        410: Answer("It was cancelled.", _FAILED),
        500: Answer("The render failed, and not by your fault: `meta.cause` says of what.", _FAILED),
        503: Answer("It could not begin in time, or a part of the farm is away.", _FAILED, ("Retry-After",)),
    },
    errors={404: _NO_RENDER},
)
PDF = Operation(
    tag=RENDERING,
    summary="Show a render's PDF",
    text="Streamed from storage, whole or in part.",
    head=True,
    parameters=(headers.RANGE, headers.IF_RANGE, headers.IF_NONE_MATCH),
    answers={
        200: Answer(
            "The PDF.",
            {"application/pdf": None},
            ("Content-Disposition", "File-Extension", "Accept-Ranges", "ETag"),
        ),
        206: Answer(
            "The part that `Range` names.",
            {"application/pdf": None},
            ("Content-Disposition", "File-Extension", "Accept-Ranges", "ETag", "Content-Range"),
        ),
        304: Answer("What you have is still the same.", headers=("ETag",)),
        416: Answer("The PDF has no such part; `Content-Range` says how long it is.", headers=("Content-Range",)),
    },
    errors={404: f"{_NO_RENDER} Or it has no PDF (yet): the message says its state and where to ask.", 503: _DOWN},
)
