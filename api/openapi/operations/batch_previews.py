"""What `api.batch_previews` answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict  # Python 3.11's own does not tell pydantic enough.

from api.openapi.answers import Meta  # noqa: TC001  # Pydantic reads the annotations.
from api.openapi.descriptions import JSON, NDJSON, Answer, Operation
from api.openapi.operations.batches import Success
from api.openapi.operations.tags import BATCHES


class Wanted(TypedDict):
    """Something that a template wants to be told of each document."""

    path: Annotated[str, Field(description="Where it looks for it: `customer.name`.")]
    type: Annotated[str, Field(description="What it is.")]
    required: Annotated[bool, Field(description="Whether no document is made without it.")]
    about: Annotated[str | None, Field(description="What the template's author says of it.")]
    example: Annotated[Any, Field(description="A value, as the template or its sample data has it.")]


class BatchPreview(TypedDict):
    """What the beginning of a file shows."""

    mediaType: Annotated[
        Literal["text/csv", "application/x-ndjson", "application/json"] | None,
        Field(description="What it is to be sent as; null when there was nothing to look at."),
    ]
    charset: Annotated[str | None, Field(description="The encoding to send it with: `text/csv; charset=windows-1252`.")]
    columns: Annotated[list[str], Field(description="Its columns; of JSON the paths of what its items have.")]
    rows: Annotated[
        list[list[str]], Field(description="Its first five lines or items, as short texts in the columns' order.")
    ]
    wanted: Annotated[list[Wanted], Field(description="What the template wants, by its declarations and sample data.")]
    suggested: Annotated[
        dict[str, str],
        Field(
            description="For each path that is wanted the column that is probably meant; what is unclear is left out."
        ),
    ]
    left: Annotated[list[str], Field(description="The columns that nothing was chosen for. They keep their names.")]
    item: Annotated[
        dict[str, Any] | None,
        Field(description="The first item, as the template finds it with `columns`, or else with what is suggested."),
    ]
    name: Annotated[str | None, Field(description="The first document's name, when `name` was given.")]
    missing: Annotated[str | None, Field(description="The path that its name asks for, and the first item has not.")]


class BatchPreviewAnswer(Success):
    """What the beginning of a file shows."""

    data: BatchPreview
    meta: Meta


# Of no type: nearly all that begins somehow is the beginning of a table.
_BEGINNING = {"description": "The beginning of the items."}
PREVIEW = Operation(
    tag=BATCHES,
    summary="Look at a file of items before it is sent",
    text="""\
The body is the beginning of a file, a megabyte of it, say; a line that is cut off at its end is passed over. The answer
has its columns and first lines, what the template wants, and which column is probably what: as `suggested` stands there
it can be sent to `POST /api/v1/batch/upload` as `columns`. Sent as `application/octet-stream`, it is found out what it
is, and in which encoding. An empty body asks only what the template wants. Nothing is kept.""",
    body={
        "application/octet-stream": _BEGINNING,
        "text/csv": _BEGINNING,
        NDJSON: _BEGINNING,
        JSON: _BEGINNING,
    },
    answers={200: Answer("What it shows.", {JSON: BatchPreviewAnswer})},
    errors={
        400: "The query or an item is not as expected, or the file has no such column.",
        404: "The template, or its version, does not exist.",
        413: "There is more than is looked at: send only the beginning.",
        415: "The body is of another kind, or in an encoding that nobody knows.",
        503: "The database does not answer.",
    },
)
