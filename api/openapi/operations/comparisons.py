"""What `api.comparisons` answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # Python 3.11's own does not tell pydantic enough.

from api.openapi import headers
from api.openapi.answers import Meta  # noqa: TC001  # Pydantic reads the annotations.
from api.openapi.descriptions import JSON, Answer, Operation
from api.openapi.operations.tags import HISTORY

_NO_SUCH = "There is no such history record."
_DOWN = "The database or the storage does not answer. Nothing was lost."
_NOT_YET = (
    "The records have not been compared yet, and then `Retry-After` says when to ask again if they are being compared"
)
_FILE_HEADERS = ("Content-Disposition", "Accept-Ranges", "ETag")
_More = Annotated[int, Field(description="How many further differences are not listed.")]


class ChangedValue(TypedDict):
    """A place in a JSON value that differs. A side that has no such place has no such member."""

    path: Annotated[str, Field(description="Where, as a JSON pointer (RFC 6901).")]
    before: NotRequired[Annotated[Any, Field(description="What was there; shortened where it is large.")]]
    after: NotRequired[Annotated[Any, Field(description="What is there; shortened where it is large.")]]


class ChangedValues(TypedDict):
    """The places that differ."""

    changes: Annotated[list[ChangedValue], Field(description="The first 500.")]
    more: _More


class TextPair(TypedDict):
    """A text of both records."""

    before: Annotated[str, Field(description="That of the first record.")]
    after: Annotated[str, Field(description="That of the second record.")]


class NumberPair(TypedDict):
    """A number of both records."""

    before: Annotated[int, Field(description="That of the first record.")]
    after: Annotated[int, Field(description="That of the second record.")]


class MadeOf(TypedDict):
    """What both documents were made of."""

    id: Annotated[TextPair, Field(description="The template's id.")]
    name: Annotated[TextPair, Field(description="The template's name.")]
    version: Annotated[NumberPair, Field(description="The version of the template.")]
    engine: Annotated[TextPair, Field(description="The templating engine.")]
    recipe: Annotated[TextPair, Field(description="What made the document.")]
    used: Annotated[
        ChangedValues,
        Field(description="Included templates, by version, and assets, by SHA-256, where they are not the same."),
    ]


class ChangedWords(TypedDict):
    """Words that differ."""

    context: Annotated[str, Field(description="The words right before them.")]
    before: Annotated[str | None, Field(description="The words that are gone, if any.")]
    after: Annotated[str | None, Field(description="The words that have come, if any.")]


class ChangedPage(TypedDict):
    """A page whose text differs."""

    page: Annotated[int, Field(description="The page, counted from 1.")]
    changes: Annotated[list[ChangedWords], Field(description="The words that differ, in the order of the text.")]


class ChangedText(TypedDict):
    """How the texts differ."""

    pages: Annotated[list[ChangedPage], Field(description="The pages whose texts differ; 500 differences at most.")]
    more: _More


class ComparedPicture(TypedDict):
    """How a page's looks differ."""

    page: Annotated[int, Field(description="The page, counted from 1.")]
    changed: Annotated[
        float, Field(description="The share of pixels that differ, from 0 to 1. Paper that only one has counts, too.")
    ]
    overlay: Annotated[
        str | None, Field(description="A picture of both pages, one over the other; null when they look the same.")
    ]
    before: Annotated[str | None, Field(description="A picture of the first record's page; null when it has none.")]
    after: Annotated[str | None, Field(description="A picture of the second record's page; null when it has none.")]


class Difference(TypedDict):
    """What two history records differ in."""

    before: Annotated[str, Field(description="The first record.")]
    after: Annotated[str, Field(description="The second record.")]
    identical: Annotated[
        bool | None,
        Field(
            description="Whether the documents have as many pages, read the same and look the same. Null when nothing "
            "differs in what was compared, and not everything was; `notes` says what was not."
        ),
    ]
    template: MadeOf
    request: Annotated[ChangedValues, Field(description="How the requests differ.")]
    pages: Annotated[NumberPair, Field(description="How many pages the documents have.")]
    text: ChangedText
    pictures: Annotated[list[ComparedPicture], Field(description="Each page as a picture, the first 50 at most.")]
    notes: Annotated[list[str], Field(description="What was not compared, and why; mostly nothing.")]


class ComparisonUnderWay(TypedDict):
    """That two records are being compared."""

    before: Annotated[str, Field(description="The first record.")]
    after: Annotated[str, Field(description="The second record.")]
    state: Annotated[Literal["queued", "running"], Field(description="Whether it waits, or is being done.")]


class _Success(TypedDict):
    success: Annotated[Literal[True], Field(description="That it worked.")]
    count: Annotated[int, Field(description="How many records `data` has.")]
    meta: Meta
    status: Annotated[int, Field(description="The HTTP status, once more.")]


class DifferenceAnswer(_Success):
    """What two history records differ in."""

    data: Difference


class ComparisonUnderWayAnswer(_Success):
    """That two records are being compared."""

    data: ComparisonUnderWay


COMPARE = Operation(
    tag=HISTORY,
    summary="Compare two records",
    text="""\
What changed from the first record to the second: in the requests, in what the documents were made of, in their texts
and in their looks. Words are compared page by page; how they are broken into lines is no difference.

The comparison is made once and kept as long as both records are. When it takes long, 202 comes: ask again, no sooner
than `Retry-After` says. One that failed says why, and is tried again when somebody asks half a minute later.""",
    answers={
        200: Answer("The differences.", {JSON: DifferenceAnswer}),
        202: Answer("It is being made.", {JSON: ComparisonUnderWayAnswer}, ("Retry-After",)),
    },
    errors={
        404: _NO_SUCH,
        409: "A record has no PDF, or its PDF cannot be read; the message says which, and why.",
        503: _DOWN,
    },
)
OVERLAY = Operation(
    tag=HISTORY,
    summary="See what changed on a page",
    text="Both pages, one over the other: what is gone is red, what has come is blue, what only changed its colour is "
    "purple, what stayed is grey, and yellow lies under all that changed.",
    parameters=(headers.RANGE, headers.IF_RANGE, headers.IF_NONE_MATCH),
    head=True,
    answers={
        200: Answer("The picture.", {"image/png": None}, _FILE_HEADERS),
        206: Answer("The part that `Range` names.", {"image/png": None}, (*_FILE_HEADERS, "Content-Range")),
        304: Answer("What you have is still the same.", headers=("ETag",)),
        416: Answer("The picture has no such part; `Content-Range` says how long it is.", headers=("Content-Range",)),
    },
    errors={
        404: f"{_NOT_YET}; or the page looks the same in both.",
        503: _DOWN,
    },
)
BEFORE = replace(
    OVERLAY,
    summary="See a page of the first record",
    text="As large as the picture of what changed, and in the same place: one can be slid over the other. Where only "
    "the other page has paper, it is grey.",
    errors={404: f"{_NOT_YET}; or the first record has no such page.", 503: _DOWN},
)
AFTER = replace(
    BEFORE,
    summary="See a page of the second record",
    errors={404: f"{_NOT_YET}; or the second record has no such page.", 503: _DOWN},
)
