"""What `api.reports` answers."""

from __future__ import annotations

from dataclasses import replace

from api.openapi import headers
from api.openapi.answers import Begun, RenderError, ReportStatus
from api.openapi.descriptions import JSON, TEXT, Answer, Operation
from api.openapi.operations import odata
from api.openapi.operations.tags import RENDERING, REPORTS

# The recipes that come with Pressroom make these; another package's may make something else.
_DOCUMENT = {"application/pdf": None, "text/html": None, TEXT: None}
_DOCUMENT_HEADERS = ("Content-Disposition", "File-Extension", "Accept-Ranges", "ETag")
_FAILED = {JSON: RenderError, TEXT: str}
FULL = "So much waits already, in the queue or of your own, that no more is taken: the message names the limit."
PUBLIC = "It needs no token; a report that is not public is not found here."
_DOWN = "The database or the storage does not answer. Nothing was lost."

_INVOICE = {
    "template": {
        "engine": "jinja",
        "recipe": "weasyprint-pdf",
        "content": "<style>@page { size: A4; margin: 20mm } td, th { padding: 2mm; text-align: left } "
        "th { background: #eef }</style>\n"
        "<h1>Invoice {{ number }}</h1>\n<p>{{ buyer }}, {{ date | date }}</p>\n"
        "<table>\n<tr><th>What<th>How many<th>Price\n"
        "{% for item in items %}<tr><td>{{ item.name }}<td>{{ item.quantity }}<td>{{ item.price | money(currency) }}\n"
        "{% endfor %}</table>\n<p><b>To pay: {{ sum | money(currency) }}</b></p>",
    },
    "data": {
        "number": "2026-004711",
        "currency": "EUR",
        "date": "2026-03-14",
        "buyer": "Müller & Söhne GmbH",
        "items": [
            {"name": "Ball bearing 6204-2RS", "quantity": 40, "price": 37.43},
            {"name": "Timing belt T5x400", "quantity": 2, "price": 122.25},
        ],
        "sum": 1741.7,
    },
    "options": {"reportName": "Invoice 2026-004711"},
}
_LATER = {
    "template": {"content": "<h1>Dear {{ name }}</h1>", "recipe": "weasyprint-pdf"},
    "data": {"name": "Frau Köhler"},
    "options": {"reportName": "Letter", "reports": {"async": True, "expiresIn": "30d"}},
}

RENDER = Operation(
    tag=RENDERING,
    summary="Render a document",
    text="""\
Name a stored template by `_id`, `shortid` or `name` (looked for in this order), or send its text as `content`; what is
named beside it (`engine`, `recipe`, `content`) overrides what is stored. Without `data`, the template's sample data is
used.

There are three ways to have the document:

- **At once** (the default): the answer is the document, and nothing is kept.
- **At once and kept**, with `options.reports.save`: the answer also has a `Permanent-Link`.
- **Later**, with `options.reports.async`: the answer comes as soon as the order is safely written down, and its
  `Location` is the page to ask. With the header `Prefer: respond-async` it is 202 and JSON, without it 200 and a line
  of text, as jsreport's clients want it.

A field that is not known is refused, with the nearest known name.""",
    parameters=(headers.PREFER, headers.OPTION_ASYNC, headers.OPTION_PUBLIC),
    examples={"An invoice, at once": _INVOICE, "A letter, later": _LATER},
    answers={
        200: Answer(
            "The document; or, with `options.reports.async`, a line of text that says where to ask.",
            _DOCUMENT,
            (*_DOCUMENT_HEADERS, "Location", "Permanent-Link", "Report-Id", "Report-BlobName"),
        ),
        202: Answer(
            "Written down; it is rendered as soon as a worker is free. (`Prefer: respond-async`)",
            {JSON: Begun},
            ("Location", "Preference-Applied", "Report-Id"),
            {
                "reportId": "0199a2c4-5d0e-7c1b-9f3a-2b8f0c6d4e11",
                "state": "planned",
                "statusUrl": "https://farm.example/reports/0199a2c4-5d0e-7c1b-9f3a-2b8f0c6d4e11/status",
                "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
            },
        ),
        400: Answer(
            "The request is not understood, or its template or data broke the render (then `cause` says which).",
            _FAILED,
            example={
                "message": "template.contnt is not a known field: did you mean content?",
                "field": "template.contnt",
                "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
            },
        ),
        410: Answer("The render was cancelled while you waited.", _FAILED),
        500: Answer("The render failed, and not by your fault: `cause` says of what.", _FAILED),
        503: Answer(
            "The farm could not begin it in time, or a part of it is away: try again, or ask for it later.",
            _FAILED,
            ("Retry-After",),
        ),
    },
    errors={
        404: "There is no such template.",
        409: "Another report has this `blobName`; the message names it.",
        429: FULL,
    },
)

STATUS = Operation(
    tag=REPORTS,
    summary="How far is a report?",
    text="Ask until the status is another than 200, no sooner than `Retry-After` says. It ends in every case.",
    head=True,
    answers={
        200: Answer(
            "It waits or is being made.",
            {JSON: ReportStatus},
            ("Report-State", "Retry-After"),
            {
                "reportId": "0199a2c4-5d0e-7c1b-9f3a-2b8f0c6d4e11",
                "state": "planned",
                "attempts": 0,
                "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
                "positionInQueue": 3,
                "estimatedSecondsLeft": 1.4,
            },
        ),
        201: Answer(
            "It is done, and its document is at `Location`.",
            {JSON: ReportStatus},
            ("Location", "Report-State", "Report-BlobName"),
        ),
        410: Answer("It was cancelled.", _FAILED, ("Report-State",)),
        500: Answer(
            "The render failed: why is said, with the cause and, where it is known, the template's line.",
            _FAILED,
            ("Report-State",),
            {
                "message": "'dict object' has no attribute 'total'",
                "cause": "data",
                "line": 7,
                "reportId": "0199a2c4-5d0e-7c1b-9f3a-2b8f0c6d4e11",
                "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
            },
        ),
    },
    errors={404: "There is no such report.", 503: _DOWN},
)

CONTENT = Operation(
    tag=REPORTS,
    summary="Show a report's document",
    text="Streamed from storage, whole or in part. `HEAD` tells its size and `ETag`.",
    head=True,
    parameters=(headers.RANGE, headers.IF_RANGE, headers.IF_NONE_MATCH),
    answers={
        200: Answer("The document.", _DOCUMENT, _DOCUMENT_HEADERS),
        206: Answer("The part that `Range` names.", _DOCUMENT, (*_DOCUMENT_HEADERS, "Content-Range")),
        304: Answer("What you have is still the same.", headers=("ETag",)),
        416: Answer("The document has no such part; `Content-Range` says how long it is.", headers=("Content-Range",)),
    },
    errors={
        404: "There is no such report, or it has no document (yet): the message names its state and its status page.",
        503: _DOWN,
    },
)
ATTACHMENT = replace(CONTENT, summary="Save a report's document")
PUBLIC_STATUS = replace(STATUS, summary="How far is a public report?", text=f"{STATUS.text} {PUBLIC}")
PUBLIC_CONTENT = replace(CONTENT, summary="Show a public report's document", text=f"{CONTENT.text} {PUBLIC}")
PUBLIC_ATTACHMENT = replace(CONTENT, summary="Save a public report's document", text=f"{CONTENT.text} {PUBLIC}")

CHANGE = Operation(
    tag=REPORTS,
    summary="Change a report",
    text="Rename it, open it to everybody or close it, pin it or unpin it. What is not named stays.",
    examples={"Pin it": {"keep": True}},
    answers={204: odata.done("It is changed.")},
    errors={404: "There is no such report.", 503: odata.DOWN},
)
REMOVE = Operation(
    tag=REPORTS,
    summary="Remove a report",
    text="Its document goes with it. One that is not done yet is cancelled.",
    answers={204: odata.done("It is gone.")},
    errors={404: "There is no such report.", 503: _DOWN},
)
