"""What `api.report_details` answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # Python 3.11's own does not tell pydantic enough.

from api.openapi.answers import Meta, Time  # noqa: TC001  # Pydantic reads the annotations.
from api.openapi.descriptions import JSON, Answer, Operation
from api.openapi.operations.odata import DOWN
from api.openapi.operations.tags import REPORTS

_NO_SUCH = "There is no such report."


class RenderedTemplate(TypedDict):
    """The stored template that a report was made of."""

    shortid: Annotated[str | None, Field(description="Its shortid.")]
    name: Annotated[str, Field(description="Its name in that version.")]
    version: Annotated[int, Field(description="The number of the version.")]


class MadeWith(TypedDict):
    """Which recipe made a document of recipe `pdf`."""

    recipe: Annotated[str, Field(description="The recipe.")]
    reason: NotRequired[Annotated[str, Field(description="Why it was not the fast one.")]]


class ReportDetails(TypedDict):
    """All that is known of a stored report."""

    id: Annotated[str, Field(description="Its id.")]
    shortid: Annotated[str, Field(description="Its shortid.")]
    name: Annotated[str, Field(description="What it is called.")]
    state: Annotated[Literal["planned", "success", "error", "cancelled"], Field(description="How far it is.")]
    error: Annotated[str | None, Field(description="Why there is no document.")]
    cause: Annotated[str | None, Field(description="The same in a word.")]
    line: Annotated[int | None, Field(description="The line of the template, if it is to blame.")]
    positionInQueue: Annotated[int | None, Field(description="Its place in the queue, while it waits.")]
    estimatedSecondsLeft: Annotated[float | None, Field(description="How long yet, where that was measured.")]
    template: Annotated[RenderedTemplate | None, Field(description="Its template; null: it was no stored one.")]
    engine: Annotated[str, Field(description="The templating engine.")]
    recipe: Annotated[str, Field(description="The recipe that was asked for.")]
    madeWith: Annotated[MadeWith | None, Field(description="Of recipe `pdf`: with which one it was made.")]
    used: Annotated[
        dict[str, Any], Field(description="The templates that it includes, with their versions, and the assets.")
    ]
    warnings: Annotated[list[str], Field(description="What was odd, and did not keep it from being made.")]
    contentType: Annotated[str | None, Field(description="The document's media type.")]
    fileExtension: Annotated[str | None, Field(description="The document's extension.")]
    pages: Annotated[int | None, Field(description="Its pages.")]
    size: Annotated[int | None, Field(description="Its bytes.")]
    sha256: Annotated[str | None, Field(description="Its hash.")]
    blobName: Annotated[str, Field(description="What it is called in storage; with extension once it is there.")]
    link: Annotated[str, Field(description="Where the document is, for whoever may ask the farm.")]
    publicLink: Annotated[str | None, Field(description="Where it is for everybody; null: it is not public.")]
    public: Annotated[bool, Field(description="Whether everybody may read it.")]
    keep: Annotated[bool, Field(description="Whether it is pinned: no clean-up removes it.")]
    expirationDate: Annotated[Time | None, Field(description="When its own lifetime ends.")]
    removalDate: Annotated[
        Time | None,
        Field(description="When the clean-up may remove it, once it has ended, by its lifetime or the farm's rule."),
    ]
    attempts: Annotated[int, Field(description="How often it was begun.")]
    source: Annotated[str | None, Field(description="Where it came from: `api`, `studio`, `schedule` or `batch`.")]
    createdBy: Annotated[str | None, Field(description="Who asked for it, where that is known.")]
    batch: Annotated[str | None, Field(description="The batch that it is of.")]
    task: Annotated[str | None, Field(description="The run of a schedule that made it.")]
    traceId: Annotated[str, Field(description="Its trace.")]
    creationDate: Annotated[Time, Field(description="When it was asked for.")]
    modificationDate: Annotated[Time, Field(description="When it was last renamed, opened, closed or pinned.")]
    startedDate: Annotated[Time | None, Field(description="When it was last begun.")]
    finishedDate: Annotated[Time | None, Field(description="When it ended, one way or the other.")]


class ReportDetailsAnswer(TypedDict):
    """A stored report."""

    success: Annotated[Literal[True], Field(description="That it worked.")]
    count: Annotated[int, Field(description="How many records `data` has.")]
    data: ReportDetails
    meta: Meta
    status: Annotated[int, Field(description="The HTTP status, once more.")]


READ = Operation(
    tag=REPORTS,
    summary="Ask for all that is known of a report",
    text="One question for what lists, status and trace say of it, and what it was made of and with. `/odata/reports` "
    "lists reports, changes and removes them.",
    answers={200: Answer("What is known.", {JSON: ReportDetailsAnswer})},
    errors={404: _NO_SUCH, 503: DOWN},
)
DATA = Operation(
    tag=REPORTS,
    summary="Read the data that a report was made from",
    text="As long as there is the report; of one that failed, too.",
    answers={200: Answer("The data.", {JSON: {"type": "object"}})},
    errors={
        404: "There is no such report, or its data is no longer in storage.",
        503: "The database or the storage does not answer. Nothing was lost.",
    },
)
