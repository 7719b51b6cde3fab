"""What `api.thumbnails` answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict  # Python 3.11's own does not tell pydantic enough.

from api.openapi import headers
from api.openapi.answers import Error, Failure, Meta, TraceId
from api.openapi.descriptions import JSON, TEXT, Answer, Operation
from api.openapi.operations.odata import DOWN
from api.openapi.operations.reports import FULL, PUBLIC
from api.openapi.operations.tags import HISTORY, REPORT_CONFIGURATIONS, REPORTS
from api.openapi.operations.templates import NO_SUCH

_STORES = "The database or the storage does not answer. Nothing was lost."
_PICTURE = "A PNG of the first page, 400 pixels wide, or less if the page is very high; made after the document."
_HEADERS = ("Content-Disposition", "Accept-Ranges", "ETag")
_PARAMETERS = (headers.RANGE, headers.IF_RANGE, headers.IF_NONE_MATCH)


class _Success(TypedDict):
    success: Annotated[Literal[True], Field(description="That it worked.")]
    count: Annotated[int, Field(description="How many records `data` has.")]
    meta: Meta
    status: Annotated[int, Field(description="The HTTP status, once more.")]


class OrderedThumbnail(TypedDict):
    """A history record whose thumbnail is made anew."""

    id: Annotated[str, Field(description="The history record.")]
    reportThumbnail: Annotated[str, Field(description="Where the picture will be.")]


class OrderedThumbnailAnswer(_Success):
    """That a thumbnail is made anew."""

    data: OrderedThumbnail


class OrderedPreview(TypedDict):
    """A template whose preview is made anew."""

    id: Annotated[str, Field(description="The template.")]
    version: Annotated[int, Field(description="The number of the version that is rendered.")]
    reportPreview: Annotated[str, Field(description="Where the PDF will be.")]
    reportThumbnail: Annotated[str, Field(description="Where the picture will be.")]


class OrderedPreviewAnswer(_Success):
    """That a preview is made anew."""

    data: OrderedPreview


class OrderedReportThumbnail(TypedDict):
    """A report whose thumbnail is made anew."""

    reportId: Annotated[str, Field(description="The report.")]
    thumbnailUrl: Annotated[str, Field(description="Where the picture will be.")]
    traceId: TraceId


def _served(text: str, media_type: str, *others: str) -> dict[int, Answer]:
    content, said = {media_type: None}, (*_HEADERS, *others)
    return {
        200: Answer(text, content, said),
        206: Answer("The part that `Range` names.", content, (*said, "Content-Range")),
        304: Answer("What you have is still the same.", headers=("ETag",)),
        416: Answer("The file has no such part; `Content-Range` says how long it is.", headers=("Content-Range",)),
    }


def _absent(text: str, shape: type = Failure) -> dict[int, Answer]:
    return {404: Answer(text, {JSON: shape, TEXT: str}, ("Retry-After",))}


OF_RECORD = Operation(
    tag=HISTORY,
    summary="Show a history record's thumbnail",
    text=_PICTURE,
    parameters=_PARAMETERS,
    answers={
        **_served("The picture.", "image/png"),
        **_absent(
            "There is no such record, or no picture of it. With `Retry-After`, it is being made. Without, the message "
            "says why there is none: there is no PDF, or no picture could be made of it."
        ),
    },
    errors={503: _STORES},
)
REMAKE_OF_RECORD = Operation(
    tag=HISTORY,
    summary="Make a history record's thumbnail anew",
    answers={202: Answer("It will be made shortly.", {JSON: OrderedThumbnailAnswer}, ("Location",))},
    errors={
        404: "There is no such record.",
        409: "The record has no PDF, or not yet.",
        503: DOWN,
    },
)
OF_REPORT = Operation(
    tag=REPORTS,
    summary="Show a report's thumbnail",
    text=f"{_PICTURE} It is made when it is first asked for.",
    parameters=_PARAMETERS,
    answers={
        **_served("The picture.", "image/png"),
        **_absent(
            "There is no such report, or no picture of it. With `Retry-After`, it is being made. Without, the message "
            "says why there is none: there is no PDF, or no picture could be made of it.",
            Error,
        ),
    },
    errors={503: _STORES},
)
OF_PUBLIC_REPORT = replace(OF_REPORT, summary="Show a public report's thumbnail", text=f"{OF_REPORT.text} {PUBLIC}")
REMAKE_OF_REPORT = Operation(
    tag=REPORTS,
    summary="Make a report's thumbnail anew",
    answers={202: Answer("It will be made shortly.", {JSON: OrderedReportThumbnail}, ("Location",))},
    errors={
        404: "There is no such report.",
        409: "The report has no PDF, or not yet.",
        503: DOWN,
    },
)
PREVIEW = Operation(
    tag=REPORT_CONFIGURATIONS,
    summary="Show what a report configuration looks like",
    text="A PDF of the newest version, rendered with its sample data and its parameters' examples. Asked for the first "
    "time, it is made.",
    parameters=_PARAMETERS,
    answers={
        **_served("The PDF.", "application/pdf", "File-Extension"),
        **_absent(
            "There is no such template, or no preview of it. With `Retry-After`, it is being made. Without, the "
            "message says why there is none: the recipe makes no PDF, or the render failed."
        ),
    },
    errors={429: FULL, 503: _STORES},
)
OF_TEMPLATE = Operation(
    tag=REPORT_CONFIGURATIONS,
    summary="Show a report configuration's thumbnail",
    text=f"{_PICTURE} It is that of the preview, which is made when there is none.",
    parameters=_PARAMETERS,
    answers={
        **_served("The picture.", "image/png"),
        **_absent(
            "There is no such template, or no picture of it. With `Retry-After`, it is being made. Without, the "
            "message says why there is none."
        ),
    },
    errors={429: FULL, 503: _STORES},
)
REMAKE_OF_TEMPLATE = Operation(
    tag=REPORT_CONFIGURATIONS,
    summary="Make a report configuration's preview and thumbnail anew",
    text="As after a change of something that it includes. A new version of its own has new ones anyway.",
    answers={202: Answer("They will be made shortly.", {JSON: OrderedPreviewAnswer}, ("Location",))},
    errors={
        400: "The farm cannot render it as it is now: the message says why.",
        404: NO_SUCH,
        422: "Its recipe makes no PDF.",
        429: FULL,
        503: _STORES,
    },
)
