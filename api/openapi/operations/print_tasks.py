"""What `api.print_tasks` answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict  # Python 3.11's own does not tell pydantic enough.

from api.openapi import headers
from api.openapi.answers import Meta, Time, TraceId  # noqa: TC001  # Pydantic reads the annotations.
from api.openapi.descriptions import JSON, Answer, Operation
from api.openapi.operations.odata import DOWN
from api.openapi.operations.tags import PRINTING

_NO_SUCH = "There is no such print task."
_DOWN = "The database or the storage does not answer. Nothing was lost."
_ENDED = "The print task has ended."
_WRONG_PRINTER = "There is no such printer, or it cannot do what is asked; the message says what it can."
_PDF = {"application/pdf": None}
_FILE_HEADERS = ("Content-Disposition", "Accept-Ranges", "ETag")
# A page of 62 mm by 29 mm, with nothing on it.
_LABEL = (
    "JVBERi0xLjQKMSAwIG9iago8PC9UeXBlL0NhdGFsb2cvUGFnZXMgMiAwIFI+PgplbmRvYmoKMiAwIG9iago8PC9UeXBlL1BhZ2VzL0NvdW50IDEv"
    "S2lkc1szIDAgUl0+PgplbmRvYmoKMyAwIG9iago8PC9UeXBlL1BhZ2UvUGFyZW50IDIgMCBSL01lZGlhQm94WzAgMCAxNzYgODJdPj4KZW5kb2Jq"
    "CnRyYWlsZXIKPDwvUm9vdCAxIDAgUj4+CiUlRU9GCg=="
)


class _Envelope(TypedDict):
    success: Annotated[Literal[True], Field(description="That it worked.")]
    count: Annotated[int, Field(description="How many records `data` has.")]
    status: Annotated[int, Field(description="The HTTP status, once more.")]


class PrintOptions(TypedDict, total=False):
    """What was asked of the printer; what is not named is as the printer likes."""

    duplex: Annotated[
        Literal["one-sided", "two-sided-long-edge", "two-sided-short-edge"],
        Field(description="On one side of the paper, or on both, turned at the long or the short edge."),
    ]
    media: Annotated[str, Field(description="The paper, by its keyword in IPP.")]
    tray: Annotated[str, Field(description="Where the paper comes from, by its keyword in IPP.")]
    pageRanges: Annotated[str, Field(description="The pages, as in `1-3,5`.")]
    colour: Annotated[bool, Field(description="Whether in colour.")]


class PrintedReportConfig(TypedDict):
    """What a printed document was made from."""

    id: Annotated[str, Field(description="The report configuration's id.")]
    name: Annotated[str | None, Field(description="What it was called then.")]


class PrintTask(TypedDict):
    """One document for one printer."""

    id: Annotated[str, Field(description="Its id: a UUID that sorts by time.")]
    traceId: Annotated[str, Field(description="Its trace id; a reprint's is derived from that of the document.")]
    reportConfig: Annotated[PrintedReportConfig | None, Field(description="What the document was made from.")]
    reportHistoryRecord: Annotated[str | None, Field(description="The id of the record whose document it is.")]
    fileName: Annotated[str, Field(description="The document's name, with extension.")]
    printerName: Annotated[str, Field(description="The printer's name.")]
    numberOfCopies: Annotated[int, Field(description="How many the printer makes.")]
    options: Annotated[PrintOptions, Field(description="What was asked of the printer.")]
    status: Annotated[
        Literal["pending", "sent", "printing", "completed", "failed", "cancelled", "unknown"],
        Field(
            description="`sent`: the printer or an agent has it. `completed`: the printer said so. `unknown`: the "
            "printer forgot it before it said."
        ),
    ]
    held: Annotated[bool, Field(description="Whether its document is still being rendered.")]
    cancelRequested: Annotated[bool, Field(description="Whether whoever prints it is to cancel it.")]
    jobId: Annotated[int | None, Field(description="The job's number at the printer.")]
    jobState: Annotated[str | None, Field(description="What the printer last said of the job.")]
    jobStateReasons: Annotated[list[str] | None, Field(description="Why it said so.")]
    error: Annotated[str | None, Field(description="What went wrong, in the printer's or the system's own words.")]
    attempts: Annotated[int, Field(description="How many steps and claims there were.")]
    source: Annotated[str, Field(description="Where it came from: `api`, `studio`, `schedule`, `batch` or `replay`.")]
    createdBy: Annotated[str | None, Field(description="Who asked for it, where that is known.")]
    creationDate: Annotated[Time, Field(description="When it was made.")]
    modificationDate: Annotated[Time, Field(description="When it was last changed.")]
    sentDate: Annotated[Time | None, Field(description="When the printer or the agent got it.")]
    finishDate: Annotated[Time | None, Field(description="When it ended, one way or the other.")]


class PrintTaskInFull(PrintTask, total=False):
    """A print task, with its document if that was asked for."""

    fileBase64: Annotated[str | None, Field(description="The PDF in Base64; null when there is none (yet).")]


class ClaimedPrintTask(PrintTask):
    """A print task in the hands of an agent."""

    lease: Annotated[str, Field(description="What the agent says when it goes on with it.")]
    leaseUntil: Annotated[Time, Field(description="When it goes to others, unless the agent claims it again before.")]


class RemovedPrintTask(TypedDict):
    """What was removed."""

    id: Annotated[str, Field(description="Its id.")]


class PrintTaskPageMeta(TypedDict):
    """What there is to know about a page of print tasks."""

    traceId: TraceId
    page: Annotated[int, Field(description="Which page this is, counted from 1.")]
    pageSize: Annotated[int, Field(description="How many a page has at most.")]
    total: Annotated[int, Field(description="How many there are on all pages.")]


class PrintTaskPage(_Envelope):
    """A page of print tasks."""

    data: Annotated[list[PrintTask], Field(description="This page of them.")]
    meta: PrintTaskPageMeta


class PrintTaskAnswer(_Envelope):
    """One print task."""

    data: PrintTask
    meta: Meta


class PrintTaskInFullAnswer(_Envelope):
    """One print task, with its document if that was asked for."""

    data: PrintTaskInFull
    meta: Meta


class ClaimedPrintTaskAnswer(_Envelope):
    """One print task, in the hands of the agent that asked."""

    data: ClaimedPrintTask
    meta: Meta


class RemovedPrintTaskAnswer(_Envelope):
    """What was removed."""

    data: RemovedPrintTask
    meta: Meta


LISTING = Operation(
    tag=PRINTING,
    summary="List print tasks",
    text="An agent asks for those that wait for its printer, the oldest first: "
    "`?status=pending&printerName=…&sort=creationDate`.",
    answers={200: Answer("A page of the list.", {JSON: PrintTaskPage})},
    errors={503: DOWN},
)
CREATE = Operation(
    tag=PRINTING,
    summary="Print a PDF",
    text="Any PDF, whoever made it: `fileBase64`, or `report`, the id of a stored one. Of that the print task has a "
    "copy, so the report may be removed; its trace id is the report's, a dash, and six characters.",
    examples={"An empty label": {"fileBase64": _LABEL, "fileName": "label.pdf", "printerName": "WarehousePrinter01"}},
    answers={201: Answer("The print task is made.", {JSON: PrintTaskAnswer}, ("Location",))},
    errors={
        404: "There is no such report.",
        409: "The report has no PDF, or not yet; the message says which. Or: the printer is being removed at this "
        "moment.",
        422: f"The file is not a PDF. Or: {_WRONG_PRINTER}",
        503: _DOWN,
    },
)
REPRINT = Operation(
    tag=PRINTING,
    summary="Print a record's document once more",
    text="Nothing is rendered: the PDF is the one that was stored. The print task's trace id is the record's, a dash, "
    "and six characters.",
    examples={"Twice on the warehouse's printer": {"printerName": "WarehousePrinter01", "numberOfCopies": 2}},
    answers={201: Answer("The print task is made.", {JSON: PrintTaskAnswer}, ("Location",))},
    errors={
        404: "There is no such history record.",
        409: "The record has no PDF, or not yet; the message says which.",
        422: _WRONG_PRINTER,
        503: DOWN,
    },
)
READ = Operation(
    tag=PRINTING,
    summary="Read a print task",
    answers={200: Answer("The print task.", {JSON: PrintTaskInFullAnswer})},
    errors={404: _NO_SUCH, 503: _DOWN},
)
FILE = Operation(
    tag=PRINTING,
    summary="Read a print task's document",
    text="Streamed from storage, whole or in part.",
    parameters=(headers.RANGE, headers.IF_RANGE, headers.IF_NONE_MATCH),
    answers={
        200: Answer("The PDF.", _PDF, _FILE_HEADERS),
        206: Answer("The part that `Range` names.", _PDF, (*_FILE_HEADERS, "Content-Range")),
        304: Answer("What you have is still the same.", headers=("ETag",)),
        416: Answer("The PDF has no such part; `Content-Range` says how long it is.", headers=("Content-Range",)),
    },
    errors={404: _NO_SUCH, 409: "It has no document: it is being rendered, or its render failed.", 503: _DOWN},
)
PRINT_AGAIN = Operation(
    tag=PRINTING,
    summary="Print a print task's document once more",
    text="A new print task, whatever became of this one; also of a document that belongs to no history record. Nothing "
    "is rendered. Its trace id is that of the document, a dash, and six characters.",
    examples={"Once more, at the counter": {"printerName": "WarehousePrinter01"}},
    answers={201: Answer("The print task is made.", {JSON: PrintTaskAnswer}, ("Location",))},
    errors={
        404: f"{_NO_SUCH} Or: its document is no longer in storage.",
        409: "It has no document: it is being rendered, or its render failed.",
        422: _WRONG_PRINTER,
        503: _DOWN,
    },
)
CANCEL = Operation(
    tag=PRINTING,
    summary="Cancel a print task",
    text="What has not reached the printer is cancelled at once. Else `cancelRequested` is true, and whoever prints it "
    "cancels the job as soon as it can; if the paper is faster, the print task is `completed`.",
    answers={200: Answer("It is cancelled, or will be.", {JSON: PrintTaskAnswer})},
    errors={404: _NO_SUCH, 409: _ENDED, 503: DOWN},
)
REMOVE = Operation(
    tag=PRINTING,
    summary="Remove a print task",
    answers={200: Answer("It is gone.", {JSON: RemovedPrintTaskAnswer})},
    errors={404: _NO_SUCH, 409: "It has not ended.", 503: DOWN},
)
CLAIM = Operation(
    tag=PRINTING,
    summary="Claim a print task, or keep it",
    text="For agents, which print where the farm cannot. Nobody else gets the print task before `leaseUntil`; with the "
    "`lease` of the first answer, the agent keeps it for as long again. `cancelRequested` tells it to cancel the job.",
    answers={200: Answer("It is the agent's.", {JSON: ClaimedPrintTaskAnswer})},
    errors={
        404: _NO_SUCH,
        409: "It is not to be had, or the lease is worth nothing any more; the message says why.",
        503: DOWN,
    },
)
RESULT = Operation(
    tag=PRINTING,
    summary="Say what became of a print task",
    text="For the agent that has it. To say it again changes nothing. After its lease, `completed` alone counts, and "
    "only while no other agent has claimed the print task.",
    answers={200: Answer("It has ended.", {JSON: PrintTaskAnswer})},
    errors={404: _NO_SUCH, 409: f"The lease is worth nothing any more. Or: {_ENDED}", 503: DOWN},
)
