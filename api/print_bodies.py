"""The shapes of what is asked about printing."""

from __future__ import annotations

import base64
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from api.bodies import LARGEST_INTEGER, Name, Strict, Text
from api.paging import Moment, PageQuery
from shared.print_agents import Job
from shared.printer_options import page_ranges

MOST_COPIES = 999
# What a report of an agent may have; more is no reason but a log.
REASON_LENGTH = 2000
MOST_REASONS = 50
# A keyword of IPP (RFC 8011, 5.1.4); some devices have capitals in theirs.
KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _decoded(value: object) -> object:
    try:
        if isinstance(value, str):
            return base64.b64decode(value, validate=True)
    except ValueError:
        pass
    raise ValueError("a PDF in Base64, in one line")


def _keyword(text: str) -> str:
    if KEYWORD.fullmatch(text) is None:
        raise ValueError("a name as the printer has it, such as iso_a4_210x297mm or tray-2: letters, digits and . _ -")
    return text


def _ranges(text: str) -> str:
    try:
        page_ranges(text)
    except ValueError as error:
        raise ValueError(str(error).removeprefix("expected ")) from error
    return text


Base64File = Annotated[
    bytes,
    BeforeValidator(
        _decoded, json_schema_input_type=Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})]
    ),
]
Keyword = Annotated[
    str, Field(max_length=255, json_schema_extra={"pattern": f"^{KEYWORD.pattern}$"}), AfterValidator(_keyword)
]
PageRanges = Annotated[str, Field(max_length=500), AfterValidator(_ranges)]
Reason = Annotated[Text, Field(max_length=REASON_LENGTH)]


class PrintOptionsBody(Strict):
    """``options`` of a print task."""

    duplex: Literal["one-sided", "two-sided-long-edge", "two-sided-short-edge"] | None = None
    media: Keyword | None = None
    tray: Keyword | None = None
    page_ranges: PageRanges | None = Field(default=None, alias="pageRanges")
    colour: bool | None = None

    @property
    def given(self) -> dict[str, Any]:
        """Those that are said, by their names on the wire."""
        return self.model_dump(by_alias=True, exclude_none=True)


class TestPageBody(Strict):
    """The body of ``POST /api/v1/printer/{key}/test-page``."""

    number_of_copies: Annotated[int, Field(ge=1, le=MOST_COPIES)] = Field(default=1, alias="numberOfCopies")
    options: PrintOptionsBody = PrintOptionsBody()


class PrintBody(TestPageBody):
    """The body of a reprint."""

    printer_name: Name | None = Field(default=None, alias="printerName")


class NewPrintTaskBody(PrintBody):
    """The body of ``POST /api/v1/report-print-task``: with a PDF, or the id of a stored report that has one."""

    file: Base64File | None = Field(default=None, alias="fileBase64")
    report: Text | None = None
    file_name: Name | None = Field(default=None, alias="fileName")


class JobBody(Strict):
    """What an agent says of the job at its printer."""

    job_id: Annotated[int, Field(ge=0, le=LARGEST_INTEGER)] | None = Field(default=None, alias="jobId")
    job_state: Annotated[Text, Field(max_length=255)] | None = Field(default=None, alias="jobState")
    job_state_reasons: Annotated[list[Reason], Field(max_length=MOST_REASONS)] | None = Field(
        default=None, alias="jobStateReasons"
    )

    @property
    def job(self) -> Job:
        """The same, as the rules take it."""
        return Job(id=self.job_id, state=self.job_state, state_reasons=self.job_state_reasons)


class ClaimBody(JobBody):
    """The body of a claim, or, with ``lease``, of its renewal."""

    agent: Name
    lease: Text | None = None
    status: Literal["printing"] | None = None


class ResultBody(JobBody):
    """The body of an agent's result."""

    lease: Text
    status: Literal["completed", "failed", "cancelled", "unknown"]
    error: Reason | None = None


class PrintTaskQuery(PageQuery):
    """The query of the list. ``search`` looks into file names, trace ids and printers' names."""

    sort: Literal["creationDate", "-creationDate"] = "-creationDate"
    status: Literal["pending", "sent", "printing", "completed", "failed", "cancelled", "unknown"] | None = None
    printer_name: Text | None = Field(default=None, alias="printerName")
    record_id: Text | None = Field(default=None, alias="reportHistoryRecord")
    trace_id: Text | None = Field(default=None, alias="traceId")
    created_from: Moment | None = Field(default=None, alias="createdFrom")
    created_to: Moment | None = Field(default=None, alias="createdTo")


class OnePrintTaskQuery(BaseModel):
    """The query of one print task."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    include: Literal["file"] | None = None
