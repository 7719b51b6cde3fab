"""Headers, explained once: those that a request may have, and those that answers have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.openapi.descriptions import Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

# Every request may have these.
EVERYWHERE = (
    Parameter(
        name="X-Trace-Id",
        where="header",
        text="Your own id for this request: up to 64 letters, digits, `.`, `_` and `-`. It is on the answer, in every "
        "log line and on everything that is made. A malformed one is ignored, and a new one made.",
        schema={"type": "string"},
        example=_TRACE,
    ),
    Parameter(
        name="traceparent",
        where="header",
        text="The same as the [W3C writes it](https://www.w3.org/TR/trace-context/); `X-Trace-Id` wins over it.",
        schema={"type": "string"},
        example=f"00-{_TRACE}-00f067aa0ba902b7-01",
    ),
)

PREFER = Parameter(
    name="Prefer",
    where="header",
    text="`respond-async` ([RFC 7240](https://www.rfc-editor.org/rfc/rfc7240)): do not wait for the document. The "
    "answer is 202 at once, and the report is stored.",
    schema={"type": "string"},
    example="respond-async",
)
OPTION_ASYNC = Parameter(
    name="jsreport-options-reports-async",
    where="header",
    text="`true` says the same as `options.reports.async` in the body.",
    schema={"type": "string"},
    example="true",
)
OPTION_PUBLIC = Parameter(
    name="jsreport-options-reports-public",
    where="header",
    text="`true` says the same as `options.reports.public` in the body.",
    schema={"type": "string"},
    example="true",
)
RANGE = Parameter(
    name="Range",
    where="header",
    text="A part of the document, in bytes: one range. More than one, or another unit, brings the whole.",
    schema={"type": "string"},
    example="bytes=0-1023",
)
IF_RANGE = Parameter(
    name="If-Range",
    where="header",
    text="The `ETag` of the document that the part is wanted of; if it is another by now, the whole comes.",
    schema={"type": "string"},
    example='"7c211433f02071597741e6ff5a8ea34789abbf43"',
)
IF_NONE_MATCH = Parameter(
    name="If-None-Match",
    where="header",
    text="The `ETag` of what you have already: if it is still the same, 304 comes and no body.",
    schema={"type": "string"},
    example='"7c211433f02071597741e6ff5a8ea34789abbf43"',
)
IF_MATCH = Parameter(
    name="If-Match",
    where="header",
    text="The `ETag` that you read: if somebody has saved another version since, nothing is changed, and 412 says so.",
    schema={"type": "string"},
    example='"3"',
)


def _text(meaning: str, example: str) -> Mapping[str, Any]:
    return {"description": meaning, "schema": {"type": "string"}, "example": example}


ANSWERED: Mapping[str, Mapping[str, Any]] = {
    "X-Trace-Id": _text("What this request is called in every log line; `pressroom trace` tells its story.", _TRACE),
    "Location": _text(
        "Where to go next: the thing that was made, or the status page to ask.",
        "https://farm.example/reports/0199a2c4-5d0e-7c1b-9f3a-2b8f0c6d4e11/status",
    ),
    "Permanent-Link": _text(
        "The address of a stored report's document, for as long as the report exists.",
        "https://farm.example/reports/0199a2c4-5d0e-7c1b-9f3a-2b8f0c6d4e11/content",
    ),
    "Report-Id": _text("The stored report's id.", "0199a2c4-5d0e-7c1b-9f3a-2b8f0c6d4e11"),
    "Report-BlobName": _text("The name of the stored object, with its extension.", "invoices/2026-004711.pdf"),
    "Report-State": {
        "description": "`planned` while it waits or is made, then `success`, `error` or `cancelled`.",
        "schema": {"type": "string", "enum": ["planned", "success", "error", "cancelled"]},
        "example": "success",
    },
    "Retry-After": {
        "description": "Seconds after which asking again makes sense.",
        "schema": {"type": "integer"},
        "example": 5,
    },
    "Preference-Applied": _text("That `Prefer: respond-async` was heard.", "respond-async"),
    "ETag": _text("Changes when, and only when, what is answered does.", '"7c211433f02071597741e6ff5a8ea347"'),
    "Pressroom-Warning": _text(
        "What you should know about what you saved, percent-encoded; there may be several.",
        "content, line 3: there is no template 'header' to include",
    ),
    "Accept-Ranges": _text("That parts of the document can be asked for.", "bytes"),
    "Content-Range": _text("Which part this is, and how long the whole is.", "bytes 0-1023/48213"),
    "Content-Disposition": _text(
        "The document's file name, in any script, and whether a browser should show it (`inline`) or save it "
        "(`attachment`).",
        "inline; filename=invoice.pdf",
    ),
    "File-Extension": _text("The file name's extension, without the dot.", "pdf"),
    "WWW-Authenticate": _text("How to send a token.", 'Bearer realm="Pressroom"'),
    "OData-Version": _text("The version of OData that this answer speaks.", "4.0"),
}
