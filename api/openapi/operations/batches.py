"""What `api.batches` answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict  # Python 3.11's own does not tell pydantic enough.

from api.openapi import headers
from api.openapi.answers import Meta  # noqa: TC001  # Pydantic reads the annotations.
from api.openapi.descriptions import JSON, NDJSON, Answer, Operation
from api.openapi.operations.print_tasks import PrintOptions  # noqa: TC001  # As above.
from api.openapi.operations.reports import FULL
from api.openapi.operations.tags import BATCHES

_DOWN = "The database or the storage does not answer. Nothing was lost."
_NO_SUCH = "There is no such batch."
_FILE_HEADERS = ("Content-Disposition", "Accept-Ranges", "ETag")
_LINES = {"type": "string", "description": "The items, one JSON object a line."}


class BatchTemplate(TypedDict):
    """A batch's template."""

    shortid: Annotated[str, Field(description="Its shortid.")]
    name: Annotated[str | None, Field(description="Its name, when the batch was sent.")]


class MergedPdf(TypedDict):
    """The one PDF of a batch."""

    state: Annotated[Literal["wanted", "done", "failed"], Field(description="How far it is.")]
    size: Annotated[int | None, Field(description="Its bytes, when it is done.")]
    error: Annotated[str | None, Field(description="Why there is none.")]
    url: Annotated[str | None, Field(description="Where it is, when it is done.")]


class BatchPrinting(TypedDict):
    """Where a batch is printed."""

    printerName: Annotated[str, Field(description="The printer's name.")]
    numberOfCopies: Annotated[int, Field(description="How many it makes of each document.")]
    options: Annotated[PrintOptions, Field(description="What was asked of the printer.")]


class Batch(TypedDict):
    """How far a batch is. The counts are a second old while it runs."""

    id: Annotated[str, Field(description="Its id.")]
    state: Annotated[
        Literal["running", "paused", "cancelled", "completed"],
        Field(description="`completed`: each document was made, or failed, and is printed, if it was to be."),
    ]
    total: Annotated[int, Field(description="How many documents it has.")]
    done: Annotated[int, Field(description="How many of them have ended, well or not.")]
    succeeded: Annotated[int, Field(description="How many were made.")]
    failed: Annotated[int, Field(description="How many were not.")]
    cancelled: Annotated[int, Field(description="How many are not made any more.")]
    waiting: Annotated[int, Field(description="How many are handed out to the workers right now.")]
    rate: Annotated[float | None, Field(description="Documents a second, lately; null: not known yet.")]
    secondsLeft: Annotated[int | None, Field(description="How long it takes at that rate; null: not known yet.")]
    problem: Annotated[str | None, Field(description="Why it does not go on right now, if it does not.")]
    template: Annotated[BatchTemplate | None, Field(description="Its template; null: each document has its own.")]
    name: Annotated[str, Field(description="How its documents are called.")]
    print: Annotated[BatchPrinting | None, Field(description="Where its documents are printed; null: nowhere.")]
    printed: Annotated[int | None, Field(description="How many have been given to the printer; null: none is to be.")]
    merged: Annotated[MergedPdf | None, Field(description="The one PDF of all; null: nobody has asked for it.")]
    createdBy: Annotated[str | None, Field(description="Who sent it.")]
    traceId: Annotated[str, Field(description="Its trace; that of a document is this with its place behind it.")]
    creationDate: Annotated[str, Field(description="When it was accepted.")]
    finishDate: Annotated[str | None, Field(description="When its last document ended.")]
    documentsUrl: Annotated[str, Field(description="Where its documents are listed.")]
    zipUrl: Annotated[str, Field(description="Where its documents are in one ZIP.")]


class Success(TypedDict):
    """What all of these answers begin with."""

    success: Annotated[Literal[True], Field(description="That it worked.")]
    count: Annotated[int, Field(description="How many records `data` has.")]
    status: Annotated[int, Field(description="The HTTP status, once more.")]


class BatchAnswer(Success):
    """A batch."""

    data: Batch
    meta: Meta


class BatchesMeta(TypedDict):
    """Which page of the list this is."""

    traceId: Annotated[str | None, Field(description="The request's trace id: quote it when you ask for help.")]
    page: Annotated[int, Field(description="Which page this is, counted from 1.")]
    pageSize: Annotated[int, Field(description="How many a page has at most.")]
    total: Annotated[int, Field(description="How many there are on all pages.")]


class BatchesAnswer(Success):
    """A page of batches."""

    data: Annotated[list[Batch], Field(description="This page of them.")]
    meta: BatchesMeta


class BatchDocument(TypedDict):
    """A document of a batch."""

    index: Annotated[int, Field(description="Its place, counted from 1.")]
    name: Annotated[str | None, Field(description="What it is called; null: its report was removed.")]
    state: Annotated[Literal["planned", "success", "error", "cancelled"], Field(description="How far it is.")]
    reportId: Annotated[str | None, Field(description="The report that keeps it; null: it was removed.")]
    link: Annotated[str | None, Field(description="The document, when it is there.")]
    size: Annotated[int | None, Field(description="Its bytes.")]
    pages: Annotated[int | None, Field(description="Its pages.")]
    error: Annotated[str | None, Field(description="Why there is none.")]
    cause: Annotated[str | None, Field(description="The same in a word.")]
    line: Annotated[int | None, Field(description="The line of the template, if it is to blame.")]
    traceId: Annotated[str, Field(description="Its trace.")]


class DocumentsMeta(TypedDict):
    """Where the list goes on."""

    traceId: Annotated[str | None, Field(description="The request's trace id: quote it when you ask for help.")]
    nextAfter: Annotated[int | None, Field(description="`after` of the next page; null: this is the last one.")]


class DocumentsAnswer(Success):
    """Some documents of a batch, in their order."""

    data: Annotated[list[BatchDocument], Field(description="Some of them.")]
    meta: DocumentsMeta


class RemovedBatch(TypedDict):
    """What was removed."""

    id: Annotated[str, Field(description="The batch.")]


class RemovedAnswer(Success):
    """That a batch is gone."""

    data: RemovedBatch
    meta: Meta


class BatchFailure(TypedDict):
    """Why some documents were not made."""

    cause: Annotated[str | None, Field(description="In a word.")]
    error: Annotated[str, Field(description="In words.")]
    line: Annotated[int | None, Field(description="The line of the template, if it is to blame.")]
    count: Annotated[int, Field(description="How many documents it kept from being made.")]
    first: Annotated[int, Field(description="The place of the first of them.")]


class FailuresMeta(TypedDict):
    """How many of the failures were looked at."""

    traceId: Annotated[str | None, Field(description="The request's trace id: quote it when you ask for help.")]
    lookedAt: Annotated[int, Field(description="How many failed documents these are: the first 10,000 at most.")]
    failed: Annotated[int, Field(description="How many have failed.")]


class FailuresAnswer(Success):
    """Why documents of a batch were not made."""

    data: Annotated[list[BatchFailure], Field(description="The reasons, the commonest first.")]
    meta: FailuresMeta


_BATCH = {JSON: BatchAnswer}

CREATE = Operation(
    tag=BATCHES,
    summary="Make many documents",
    text="""\
Either one stored `template` with `items`, each the data of one document; or `requests`, each with a template and data
of its own. All are checked before the answer: a batch is taken whole or not at all. Each document becomes a report,
whose `name` may have values of its data: `invoice-{{ number }}`, `{{ customer.name }}`, and `{{ _index }}` for its
place. So `{"template": {"name": "invoice"}, "name": "invoice-{{ number }}", "items": [{"number": 1}, …]}` makes
invoices. `merge` also makes one PDF of all, with a bookmark for each; `print` prints them in their order. They wait in
a queue of their own, behind everything that somebody waits for.""",
    examples={
        "Two letters, each of its own": {
            "requests": [
                {
                    "template": {"content": "Hello {{ name }}!"},
                    "data": {"name": "Frau Köhler"},
                    "name": "hello",
                },
                {"template": {"content": "Bye {{ name }}!"}, "data": {"name": "Mr Byrne"}, "name": "bye"},
            ]
        },
    },
    answers={202: Answer("It is accepted; `Location` says where to ask how far it is.", _BATCH, ("Location",))},
    errors={
        404: "A template does not exist.",
        413: "There are more items than a batch may have.",
        422: "There is no such printer, or it cannot do that.",
        429: FULL,
        503: _DOWN,
    },
)
UPLOAD = Operation(
    tag=BATCHES,
    summary="Make many documents of a file",
    text="""\
The body is the items, up to a million of them: lines of JSON, one JSON array, or a table (CSV) whose first line names
the columns; `customer.name` becomes the name of the customer, and all values of a table are texts. A table in another
encoding than UTF-8 says so: `Content-Type: text/csv; charset=windows-1252`. Where its columns are called otherwise than
the template calls them, `columns` says which is what; `POST /api/v1/batch/preview` suggests it. `template` is the id,
shortid or name of a stored one. Send it with `curl --data-binary @invoices.ndjson`.""",
    body={
        NDJSON: _LINES,
        "text/csv": {"type": "string", "description": "A table with a header; `,`, `;`, tab or `|` between values."},
        JSON: {"type": "array", "items": {"type": "object"}, "description": "The items."},
    },
    answers=CREATE.answers,
    errors={
        400: "The query or an item is not as expected; the message names the line, and how it begins.",
        404: "The template does not exist.",
        413: "There are more items, or bytes, than a batch may have.",
        415: "The body is of another kind, or in an encoding that nobody knows.",
        422: "There is no such printer.",
        429: FULL,
        503: _DOWN,
    },
)
LISTING = Operation(
    tag=BATCHES,
    summary="List batches",
    text="The newest first.",
    answers={200: Answer("A page of the list.", {JSON: BatchesAnswer})},
    errors={503: _DOWN},
)
READ = Operation(
    tag=BATCHES,
    summary="Ask how far a batch is",
    answers={200: Answer("How far it is.", _BATCH)},
    errors={404: _NO_SUCH, 503: _DOWN},
)
DOCUMENTS = Operation(
    tag=BATCHES,
    summary="List the documents of a batch",
    text="In their order, as far as they were handed out. Each is a report, too.",
    answers={200: Answer("Some of them.", {JSON: DocumentsAnswer})},
    errors={404: _NO_SUCH, 503: _DOWN},
)
FAILURES = Operation(
    tag=BATCHES,
    summary="Ask why documents of a batch were not made",
    text="Reasons, each with the number of documents that it kept from being made.",
    answers={200: Answer("The reasons.", {JSON: FailuresAnswer})},
    errors={404: _NO_SUCH, 503: _DOWN},
)
ARCHIVE = Operation(
    tag=BATCHES,
    summary="Get the documents of a batch in one ZIP",
    text="Those that are there now, with a `manifest.json` that names all, also those that failed. One ZIP has at most "
    "50,000 of them; `first` and `last` are places in the batch.",
    answers={200: Answer("The ZIP.", {"application/zip": None}, ("Content-Disposition",))},
    errors={404: _NO_SUCH, 413: "They are more than one ZIP may have.", 503: _DOWN},
)
MERGED = Operation(
    tag=BATCHES,
    summary="Get the documents of a batch in one PDF",
    parameters=(headers.RANGE, headers.IF_RANGE, headers.IF_NONE_MATCH),
    answers={
        200: Answer("The PDF.", {"application/pdf": None}, _FILE_HEADERS),
        206: Answer("The part that `Range` names.", {"application/pdf": None}, (*_FILE_HEADERS, "Content-Range")),
        304: Answer("What you have is still the same.", headers=("ETag",)),
        416: Answer("The PDF has no such part; `Content-Range` says how long it is.", headers=("Content-Range",)),
    },
    errors={404: "There is no such batch, or no such PDF yet.", 409: "It could not be made.", 503: _DOWN},
)
_BELL = Answer("It is as it says now.", _BATCH)
MERGE = Operation(
    tag=BATCHES,
    summary="Have the documents of a batch made one PDF",
    text="With a bookmark for each, once all are there.",
    answers={200: _BELL},
    errors={404: _NO_SUCH, 409: "It was cancelled.", 503: _DOWN},
)
PAUSE = Operation(
    tag=BATCHES,
    summary="Pause a batch",
    text="No more of it is handed out; what the workers have, some seconds' work, they make.",
    answers={200: _BELL},
    errors={404: _NO_SUCH, 409: "It is not running.", 503: _DOWN},
)
RESUME = Operation(
    tag=BATCHES,
    summary="Go on with a paused batch",
    answers={200: _BELL},
    errors={404: _NO_SUCH, 409: "It is not paused.", 503: _DOWN},
)
CANCEL = Operation(
    tag=BATCHES,
    summary="Cancel a batch",
    text="What is not made yet is not made any more. What is made stays.",
    answers={200: _BELL},
    errors={404: _NO_SUCH, 409: "It has ended.", 503: _DOWN},
)
RETRY = Operation(
    tag=BATCHES,
    summary="Retry the failed documents of a batch",
    text="Only those, with the newest version of the template, under the same links.",
    answers={200: _BELL},
    errors={404: _NO_SUCH, 409: "None has failed, or it was cancelled.", 503: _DOWN},
)
REMOVE = Operation(
    tag=BATCHES,
    summary="Forget a batch",
    text="With its merged PDF. Its reports stay. A batch of whose reports none is left is forgotten after a day.",
    answers={200: Answer("It is gone.", {JSON: RemovedAnswer})},
    errors={404: _NO_SUCH, 409: "It has not ended.", 503: _DOWN},
)
