"""What `api.printers` answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict  # Python 3.11's own does not tell pydantic enough.

from api.openapi.answers import Meta, Time, TraceId  # noqa: TC001  # Pydantic reads the annotations.
from api.openapi.descriptions import JSON, Answer, Operation, Parameter
from api.openapi.operations.odata import DOWN
from api.openapi.operations.print_tasks import PrintTaskAnswer
from api.openapi.operations.tags import PRINTING

_NO_SUCH = "There is no such printer; the message names those that there are."
_TAKEN = "Another printer has this name, or becomes the default one at this moment."
_BUSY = "The printer has print tasks that have not ended; the message has their number."
_BAD_URI = "The body is not understood. Or: there is no way to reach the printer; the message has examples."
_KEY = (
    Parameter(
        name="key",
        where="path",
        text="The printer's `id` or its name.",
        schema={"type": "string", "minLength": 1},
        example="WarehousePrinter01",
    ),
)


class _Envelope(TypedDict):
    success: Annotated[Literal[True], Field(description="That it worked.")]
    count: Annotated[int, Field(description="How many records `data` has.")]
    status: Annotated[int, Field(description="The HTTP status, once more.")]


class Capabilities(TypedDict, total=False):
    """What a device says that it can do; what it does not say is not there, and is not checked."""

    duplex: Annotated[list[str], Field(description="The sides of the paper, as `duplex` of a print task names them.")]
    media: Annotated[list[str], Field(description="Its papers.")]
    trays: Annotated[list[str], Field(description="Where papers come from.")]
    colour: Annotated[list[bool], Field(description="Whether it prints in colour (true), and without (false).")]
    pageRanges: Annotated[bool, Field(description="Whether it can be told to print some pages only.")]
    maxCopies: Annotated[int, Field(description="How many copies of a document it makes at most.")]
    formats: Annotated[list[str], Field(description="The media types of documents that it takes.")]
    operations: Annotated[list[str], Field(description="IPP's operations that it knows and that the farm uses.")]
    jobAttributes: Annotated[list[str], Field(description="IPP's attributes of a job that it takes.")]
    makeAndModel: Annotated[str, Field(description="Who made it, and what it is called.")]
    mediaDefault: Annotated[str, Field(description="The paper of a document that names none.")]


class Printer(TypedDict):
    """A device, or a queue of one."""

    id: Annotated[str, Field(description="Its id: a UUID that sorts by time.")]
    name: Annotated[str, Field(description="Its name.")]
    uri: Annotated[str | None, Field(description="Where the farm speaks IPP with it.")]
    agent: Annotated[bool, Field(description="Whether an agent prints for it.")]
    location: Annotated[str | None, Field(description="Where it stands.")]
    isDefault: Annotated[bool, Field(description="Whether it prints what names no printer.")]
    certificateCheck: Annotated[bool, Field(description="Whether its certificate must be one that the farm trusts.")]
    capabilities: Annotated[Capabilities | None, Field(description="What it can do; null: it was never read.")]
    state: Annotated[
        Literal["idle", "processing", "stopped"] | None, Field(description="What it did when it was last asked.")
    ]
    stateReasons: Annotated[list[str] | None, Field(description="Why, such as `media-empty-error`.")]
    stateMessage: Annotated[str | None, Field(description="The same for people.")]
    readDate: Annotated[Time | None, Field(description="When it last answered.")]
    error: Annotated[str | None, Field(description="Why it cannot be reached, in the system's own words.")]
    openPrintTasks: Annotated[int, Field(description="How many of its print tasks have not ended.")]
    createdBy: Annotated[str | None, Field(description="Who added it, where that is known.")]
    creationDate: Annotated[Time, Field(description="When it was added.")]
    modificationDate: Annotated[Time, Field(description="When it was last changed.")]


class RemovedPrinter(TypedDict):
    """What a removed printer was called."""

    id: Annotated[str, Field(description="Its id.")]
    name: Annotated[str, Field(description="Its name.")]


class PrinterPageMeta(TypedDict):
    """What there is to know about a page of printers."""

    traceId: TraceId
    page: Annotated[int, Field(description="Which page this is, counted from 1.")]
    pageSize: Annotated[int, Field(description="How many a page has at most.")]
    total: Annotated[int, Field(description="How many there are on all pages.")]


class PrinterPage(_Envelope):
    """A page of printers."""

    data: Annotated[list[Printer], Field(description="This page of them.")]
    meta: PrinterPageMeta


class PrinterAnswer(_Envelope):
    """One printer."""

    data: Printer
    meta: Meta


class RemovedPrinterAnswer(_Envelope):
    """What was removed."""

    data: RemovedPrinter
    meta: Meta


LISTING = Operation(
    tag=PRINTING,
    summary="List printers",
    answers={200: Answer("A page of the list.", {JSON: PrinterPage})},
    errors={503: DOWN},
)
CREATE = Operation(
    tag=PRINTING,
    summary="Add a printer",
    text="Either the farm reaches it by its URI, the printer's own or that of a queue of a print server, and asks it "
    "at once what it can do; or an agent prints for it. One that cannot be reached is added all the same: `error` says "
    "why.",
    examples={
        "A queue of a print server": {
            "name": "OfficePrinter",
            "uri": "ipp://cups.example:631/printers/Warehouse",
            "location": "Hall 2",
            "isDefault": True,
        },
        "A printer with a certificate of its own": {
            "name": "Office",
            "uri": "ipps://printer.example/ipp/print",
            "certificateCheck": False,
        },
        "A printer behind an agent": {"name": "Branch", "agent": True},
    },
    answers={201: Answer("It is added.", {JSON: PrinterAnswer}, ("Location",))},
    errors={400: _BAD_URI, 409: _TAKEN, 503: DOWN},
)
READ = Operation(
    tag=PRINTING,
    summary="Read a printer",
    text="As it was when it was last asked; `refresh` asks it now.",
    parameters=_KEY,
    answers={200: Answer("The printer.", {JSON: PrinterAnswer})},
    errors={404: _NO_SUCH, 503: DOWN},
)
CHANGE = Operation(
    tag=PRINTING,
    summary="Change a printer",
    text="What is not named stays. A printer with another URI is asked anew what it can do.",
    parameters=_KEY,
    examples={"The default one": {"isDefault": True}},
    answers={200: Answer("It is changed, and this is what it is now.", {JSON: PrinterAnswer})},
    errors={
        400: _BAD_URI,
        404: _NO_SUCH,
        409: f"{_TAKEN} Or: whether an agent prints for it cannot be changed while it has print tasks.",
        503: DOWN,
    },
)
REMOVE = Operation(
    tag=PRINTING,
    summary="Remove a printer",
    text="Its print tasks stay, and keep its name.",
    parameters=_KEY,
    answers={200: Answer("It is gone; this is what it was called.", {JSON: RemovedPrinterAnswer})},
    errors={404: _NO_SUCH, 409: _BUSY, 503: DOWN},
)
REFRESH = Operation(
    tag=PRINTING,
    summary="Ask a printer what it can do and how it does",
    text="Within some ten seconds. One that does not answer keeps what it last said; `error` says why.",
    parameters=_KEY,
    answers={200: Answer("The printer, as it is now.", {JSON: PrinterAnswer})},
    errors={404: _NO_SUCH, 409: "An agent prints for it: the farm cannot ask it.", 503: DOWN},
)
TEST_PAGE = Operation(
    tag=PRINTING,
    summary="Print a test page",
    text="An A4 page with a frame, rulers, grey, colours, small text and hairlines. It comes with the farm, so that it "
    "is printed whether or not a worker renders.",
    parameters=_KEY,
    body_optional=True,
    examples={"On both sides": {"numberOfCopies": 2, "options": {"duplex": "two-sided-long-edge"}}},
    answers={201: Answer("The print task is made.", {JSON: PrintTaskAnswer}, ("Location",))},
    errors={
        403: "A page of another site must not print here.",
        404: _NO_SUCH,
        409: "The printer is being removed at this moment.",
        422: "The printer cannot do what is asked; the message says what it can.",
        503: "The database or the storage does not answer. Nothing was printed.",
    },
)
