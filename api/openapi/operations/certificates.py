"""What `api.certificates` answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict  # Python 3.11's own does not tell pydantic enough.

from api.openapi import headers
from api.openapi.answers import Meta  # noqa: TC001  # Pydantic reads the annotations.
from api.openapi.descriptions import JSON, Answer, Operation
from api.openapi.operations.odata import DOWN
from api.openapi.operations.tags import REPORT_CONFIGURATIONS
from api.openapi.operations.templates import NO_SUCH

_FILE_HEADERS = ("Content-Disposition", "Accept-Ranges", "ETag")


class Reason(TypedDict):
    """Why a template is not certified."""

    kind: Annotated[
        Literal["demand", "pages", "size", "words", "painting", "links", "metadata", "attachments", "engine", "sample"],
        Field(
            description="What it is about: a `demand` that only the reference meets, something that differs, an "
            "`engine` that broke, or the lack of a `sample`."
        ),
    ]
    page: Annotated[int | None, Field(description="The page, counted from 1; null: none in particular.")]
    text: Annotated[str, Field(description="The reason, in words.")]


class DifferingPage(TypedDict):
    """A page that the engines make otherwise."""

    page: Annotated[int, Field(description="The page, counted from 1.")]
    changed: Annotated[float, Field(description="The share of pixels that differ, from 0 to 1.")]
    overlay: Annotated[str, Field(description="A picture of both pages, one over the other.")]


class Certificate(TypedDict):
    """Whether the fast engine makes a template's documents as the reference does."""

    id: Annotated[str, Field(description="The template.")]
    version: Annotated[int, Field(description="The number of the version that it is about.")]
    verdict: Annotated[
        Literal["pending", "certified", "refused", "failed", "withdrawn"],
        Field(
            description="`certified`: the fast engine makes its documents. `refused`: it would make them otherwise. "
            "`withdrawn`: it made a real one otherwise. `failed`: the sample data made no document; the data of the "
            "next render is the sample. Save for the first, the reference makes them."
        ),
    ]
    reasons: Annotated[list[Reason], Field(description="Why it is not certified, the first 20 reasons.")]
    pictures: Annotated[list[DifferingPage], Field(description="The first five pages that differ.")]
    notes: Annotated[list[str], Field(description="What was not compared; mostly nothing.")]
    environment: Annotated[str | None, Field(description="The engines and fonts that it holds for.")]
    issuedAt: Annotated[str | None, Field(description="Since when the verdict stands.")]
    samples: Annotated[int, Field(description="How many real documents were compared and agreed.")]


class CertificateAnswer(TypedDict):
    """A template's certificate."""

    success: Annotated[Literal[True], Field(description="That it worked.")]
    count: Annotated[int, Field(description="How many records `data` has.")]
    meta: Meta
    status: Annotated[int, Field(description="The HTTP status, once more.")]
    data: Certificate


READ = Operation(
    tag=REPORT_CONFIGURATIONS,
    summary="Read a report configuration's certificate",
    text="""\
Recipe `pdf` is made by the fastest engine that gives the reference's picture. Which one that is for a template, its
certificate says: when a version is saved, its sample data is rendered by both, WeasyPrint and PlutoPrint, and compared:
the pages, where each character stands, what is painted, the links, the metadata. Real renders are compared again now
and then, and one that differs withdraws the certificate.""",
    answers={200: Answer("The certificate of the newest version.", {JSON: CertificateAnswer})},
    errors={404: f"{NO_SUCH} Or nobody has asked for its certificate.", 503: DOWN},
)
REMAKE = Operation(
    tag=REPORT_CONFIGURATIONS,
    summary="Have a report configuration certified anew",
    text="As after a change of something that it includes. Until it is made, the reference makes the documents.",
    answers={202: Answer("It will be made shortly.", {JSON: CertificateAnswer}, ("Location",))},
    errors={404: NO_SUCH, 422: "Its recipe makes no PDF.", 503: DOWN},
)
PICTURE = Operation(
    tag=REPORT_CONFIGURATIONS,
    summary="See what the engines make otherwise on a page",
    text="Both pages, one over the other: what only the reference has is red, what only the fast engine has is blue, "
    "what differs in its colour is purple, what is the same is grey, and yellow lies under all that differs.",
    parameters=(headers.RANGE, headers.IF_RANGE, headers.IF_NONE_MATCH),
    answers={
        200: Answer("The picture.", {"image/png": None}, _FILE_HEADERS),
        206: Answer("The part that `Range` names.", {"image/png": None}, (*_FILE_HEADERS, "Content-Range")),
        304: Answer("What you have is still the same.", headers=("ETag",)),
        416: Answer("The picture has no such part; `Content-Range` says how long it is.", headers=("Content-Range",)),
    },
    errors={404: "There is no such template, or no picture of differences on that page.", 503: DOWN},
)
