"""The shapes of what is asked about batches."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import from_json

from api.bodies import Duration, JsonText, Name, Strict, TemplateBody, Text, writable
from api.paging import Flag, PageQuery
from api.print_bodies import MOST_COPIES, PrintOptionsBody
from shared.batch_columns import Columns, columns_of
from shared.batch_names import NAME_LENGTH

MOST_SHOWN = 1000


Pattern = Annotated[Text, Field(min_length=1, max_length=NAME_LENGTH)]
Milliseconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Data = Annotated[dict[str, Any], AfterValidator(writable)]


def _columns(value: object) -> object:
    """Read which column stands where, which comes as JSON text."""
    try:
        found = from_json(str(value))
        if isinstance(found, dict) and all(isinstance(column, str) for column in found.values()):
            return found
    except ValueError:
        pass
    raise ValueError('the JSON of an object of texts, such as {"customer.name": "Client"}')


ColumnsText = Annotated[
    dict[Text, Text] | None, BeforeValidator(_columns, json_schema_input_type=JsonText | None), Field(examples=["{}"])
]


class BatchReportsBody(Strict):
    """``options.reports`` of a batch: how its documents are kept."""

    public: bool = False
    keep: bool = False
    expires_in: Duration | None = Field(default=None, alias="expiresIn")


class BatchOptionsBody(Strict):
    """``options`` of a batch. ``timeout`` is in milliseconds, and each document's own."""

    timeout: Milliseconds | None = None
    reports: BatchReportsBody = BatchReportsBody()


class RequestOptionsBody(Strict):
    """``options`` of one of a list of requests."""

    timeout: Milliseconds | None = None


class BatchRequestBody(Strict):
    """One of a list of requests."""

    template: TemplateBody
    data: Data = Field(default={})
    name: Pattern | None = None
    options: RequestOptionsBody = RequestOptionsBody()


class BatchPrintingBody(Strict):
    """Where a batch is printed."""

    printer_name: Name = Field(alias="printerName")
    number_of_copies: Annotated[int, Field(ge=1, le=MOST_COPIES)] = Field(default=1, alias="numberOfCopies")
    options: PrintOptionsBody = PrintOptionsBody()


class BatchBody(Strict):
    """The body of ``POST /api/v1/batch``: a template with ``items``, or ``requests``."""

    template: TemplateBody | None = None
    items: list[Data] | None = None
    requests: list[BatchRequestBody] | None = None
    name: Pattern | None = None
    options: BatchOptionsBody = BatchOptionsBody()
    merge: bool = False
    printing: BatchPrintingBody | None = Field(default=None, alias="print")


class BatchPreviewQuery(BaseModel):
    """The query of ``POST /api/v1/batch/preview``, whose body is the beginning of a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    template: Annotated[Name, Field(examples=["parcel-label"])]
    version: Annotated[int, Field(ge=1)] | None = None
    name: Pattern | None = None
    columns: ColumnsText = None

    @property
    def chosen(self) -> Columns | None:
        """Which column stands where; None: nobody said."""
        return None if self.columns is None else columns_of(self.columns)


class UploadQuery(BatchPreviewQuery):
    """The query of ``POST /api/v1/batch/upload``, whose body is the items."""

    timeout: Milliseconds | None = None
    public: Flag = False
    keep: Flag = False
    expires_in: Duration | None = Field(default=None, alias="expiresIn")
    merge: Flag = False
    printer_name: Name | None = Field(default=None, alias="printerName")
    number_of_copies: Annotated[int, Field(ge=1, le=MOST_COPIES)] = Field(default=1, alias="numberOfCopies")


class BatchesQuery(PageQuery):
    """The query of the list of batches."""

    state: Literal["running", "paused", "cancelled", "completed"] | None = None


class DocumentsQuery(BaseModel):
    """The query of a batch's documents. ``after`` is the place behind which the page begins."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: Literal["planned", "success", "error", "cancelled"] | None = None
    after: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=MOST_SHOWN)] = 100


class ArchiveQuery(BaseModel):
    """The query of a ZIP: which of the documents, by their places."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: Annotated[int, Field(ge=1)] = 1
    last: Annotated[int, Field(ge=1)] | None = None
