"""What `api.history` answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict  # Python 3.11's own does not tell pydantic enough.

from api.openapi import headers
from api.openapi.answers import Meta, Time, TraceId  # noqa: TC001  # Pydantic reads the annotations.
from api.openapi.descriptions import JSON, Answer, Operation
from api.openapi.operations.odata import DOWN
from api.openapi.operations.tags import HISTORY

_NO_SUCH = "There is no such history record."
_DOWN = "The database or the storage does not answer. Nothing was lost."
_PDF = {"application/pdf": None}
_FILE_HEADERS = ("Content-Disposition", "Accept-Ranges", "ETag")


class _Envelope(TypedDict):
    success: Annotated[Literal[True], Field(description="That it worked.")]
    count: Annotated[int, Field(description="How many records `data` has.")]
    status: Annotated[int, Field(description="The HTTP status, once more.")]


class RecordedReportConfig(TypedDict):
    """What a document was made from."""

    id: Annotated[str, Field(description="The report configuration's id.")]
    shortid: Annotated[str, Field(description="Its short id.")]
    name: Annotated[str, Field(description="What it was called then.")]
    version: Annotated[int, Field(description="Which version of it was rendered.")]


class ThumbnailState(TypedDict):
    """How the picture of a document's first page does."""

    state: Annotated[
        Literal["queued", "running", "succeeded", "failed"], Field(description="How far it is with the picture.")
    ]
    error: Annotated[str | None, Field(description="Why there is no picture.")]


class ListedHistoryRecord(TypedDict):
    """One request, and what came back."""

    id: Annotated[str, Field(description="Its id: a UUID that sorts by time.")]
    traceId: Annotated[
        str, Field(description="The trace id that request, record, print task and every log line have in common.")
    ]
    reportConfig: Annotated[RecordedReportConfig, Field(description="What the document was made from.")]
    outputType: Annotated[Literal["base64", "url", "none"], Field(description="What the request wanted in its answer.")]
    status: Annotated[
        Literal["Ok", "Error", "Render Fail", "Unknown"],
        Field(
            description="`Ok`: there is a PDF. `Error`: the answer names errors. `Render Fail`: it names none, and yet "
            "there is no PDF. `Unknown`: it cannot be told, as while the render goes on."
        ),
    ]
    reportPdfFileName: Annotated[str, Field(description="The name of the PDF.")]
    reportUrl: Annotated[str | None, Field(description="Where the PDF is, if the request wanted a link.")]
    reportThumbnail: Annotated[str | None, Field(description="Where the picture of the first page is, if it is made.")]
    thumbnail: Annotated[ThumbnailState | None, Field(description="How that picture does; null without a PDF.")]
    source: Annotated[str, Field(description="Where it came from: `api`, `studio`, `schedule`, `batch` or `replay`.")]
    pages: Annotated[int | None, Field(description="How many pages the PDF has.")]
    size: Annotated[int | None, Field(description="How large the PDF is, in bytes.")]
    sha256: Annotated[str | None, Field(description="The PDF's SHA-256, in hexadecimal digits.")]
    renderId: Annotated[str, Field(description="The render that made it.")]
    replayOf: Annotated[str | None, Field(description="The id of the record whose request this was once more.")]
    keep: Annotated[bool, Field(description="Whether it is pinned: no purge removes it.")]
    createdBy: Annotated[str | None, Field(description="Who asked for it, where that is known.")]
    printTasks: Annotated[int, Field(description="How many print tasks it has.")]
    creationDate: Annotated[Time, Field(description="When it was asked for.")]
    modificationDate: Annotated[Time, Field(description="When it was last changed.")]


class HistoryRecord(ListedHistoryRecord):
    """One request in full, and what came back."""

    apiPayload: Annotated[Any, Field(description="The body of the request, as JSON.")]
    apiResponse: Annotated[
        dict[str, Any] | None,
        Field(
            description="The whole answer, errors included; null until the render has ended. Of a PDF in Base64, it "
            "has null unless `include` asks for it."
        ),
    ]
    reportPdf: Annotated[str | None, Field(description="The PDF in Base64, if there is one and `include` asks for it.")]


class RemovedHistoryRecord(TypedDict):
    """What was removed."""

    id: Annotated[str, Field(description="Its id.")]


class RemovedPrintTasks(TypedDict):
    """Whose print tasks were removed."""

    id: Annotated[str, Field(description="The history record's id.")]
    removedPrintTasks: Annotated[int, Field(description="How many print tasks it had.")]


class HistoryPageMeta(TypedDict):
    """What there is to know about a page of history records."""

    traceId: TraceId
    page: Annotated[int, Field(description="Which page this is, counted from 1.")]
    pageSize: Annotated[int, Field(description="How many a page has at most.")]
    total: Annotated[int, Field(description="How many there are on all pages.")]


class HistoryPage(_Envelope):
    """A page of history records."""

    data: Annotated[list[ListedHistoryRecord], Field(description="This page of them.")]
    meta: HistoryPageMeta


class HistoryRecordAnswer(_Envelope):
    """One history record."""

    data: HistoryRecord
    meta: Meta


class ListedHistoryRecordAnswer(_Envelope):
    """One history record, as lists show it."""

    data: ListedHistoryRecord
    meta: Meta


class RemovedHistoryRecordAnswer(_Envelope):
    """What was removed."""

    data: RemovedHistoryRecord
    meta: Meta


class RemovedPrintTasksAnswer(_Envelope):
    """How many print tasks were removed."""

    data: RemovedPrintTasks
    meta: Meta


LISTING = Operation(
    tag=HISTORY,
    summary="List history records",
    text="Without requests, answers and documents: those are in each record.",
    answers={200: Answer("A page of the list.", {JSON: HistoryPage})},
    errors={503: DOWN},
)
READ = Operation(
    tag=HISTORY,
    summary="Read a history record",
    text="With the request as it was understood; `/payload` has it as it came.",
    answers={200: Answer("The record.", {JSON: HistoryRecordAnswer})},
    errors={404: f"{_NO_SUCH} Or what it names is no longer in storage; the message says what.", 503: _DOWN},
)
CHANGE = Operation(
    tag=HISTORY,
    summary="Pin a history record, or unpin it",
    text="No purge removes a pinned one, however old; its print tasks stay with it.",
    examples={"Pin it": {"keep": True}},
    answers={200: Answer("It is changed.", {JSON: ListedHistoryRecordAnswer})},
    errors={404: _NO_SUCH, 503: DOWN},
)
REMOVE = Operation(
    tag=HISTORY,
    summary="Remove a history record",
    text="With its PDF, its thumbnail and its comparisons. A render that has not ended is cancelled. A pin keeps it "
    "from the purge, not from you.",
    answers={200: Answer("It is gone.", {JSON: RemovedHistoryRecordAnswer})},
    errors={
        404: _NO_SUCH,
        409: "It has print tasks; the message says how many, and what removes them all in one call.",
        503: DOWN,
    },
)
PDF = Operation(
    tag=HISTORY,
    summary="Read a history record's PDF",
    text="Streamed from storage, whole or in part.",
    parameters=(headers.RANGE, headers.IF_RANGE, headers.IF_NONE_MATCH),
    answers={
        200: Answer("The PDF.", _PDF, _FILE_HEADERS),
        206: Answer("The part that `Range` names.", _PDF, (*_FILE_HEADERS, "Content-Range")),
        304: Answer("What you have is still the same.", headers=("ETag",)),
        416: Answer("The PDF has no such part; `Content-Range` says how long it is.", headers=("Content-Range",)),
    },
    errors={404: f"{_NO_SUCH} Or it has no PDF, or not yet; the message says which.", 503: _DOWN},
)
PAYLOAD = Operation(
    tag=HISTORY,
    summary="Read a history record's request",
    text="The body as it came, to the byte.",
    answers={200: Answer("The body of the request.", {JSON: {}})},
    errors={404: _NO_SUCH, 503: _DOWN},
)
REMOVE_PRINT_TASKS = Operation(
    tag=HISTORY,
    summary="Remove all print tasks of a history record",
    text="Those that have ended, and those that wait, which are not printed then. All of them, or none.",
    answers={200: Answer("They are gone.", {JSON: RemovedPrintTasksAnswer})},
    errors={404: _NO_SUCH, 409: "Some are being printed right now; the message names them.", 503: DOWN},
)
