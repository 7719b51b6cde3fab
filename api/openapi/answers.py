"""The shapes of answers. Nothing reads these annotations before somebody asks for the document."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # Python 3.11's own does not tell pydantic enough.

TraceId = Annotated[str | None, Field(description="The request's trace id: quote it when you ask for help.")]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Problem(TypedDict):
    """One thing that is wrong with a request."""

    field: Annotated[str, Field(description="The field's path; empty when it is the body as a whole.")]
    message: Annotated[str, Field(description="What was wrong, and what was expected.")]


class Error(TypedDict):
    """Why a request was refused, or what became of it."""

    message: Annotated[str, Field(description="What was wrong, what was expected, and what to do.")]
    traceId: TraceId
    field: NotRequired[Annotated[str, Field(description="The field that it is about, as a path.")]]
    errors: NotRequired[Annotated[list[Problem], Field(description="Everything that was wrong, when it is several.")]]


class RenderError(Error):
    """Why a render brought no document."""

    cause: NotRequired[
        Annotated[
            Literal["template", "data", "engine", "timeout", "memory", "storage", "poisoned"],
            Field(
                description="Whose fault it is: `template` and `data` are yours to mend; the others are the farm's. "
                "`poisoned` means that three workers died of it."
            ),
        ]
    ]
    line: NotRequired[Annotated[int, Field(description="The template's line, counted from 1, where it is known.")]]
    reportId: NotRequired[Annotated[str, Field(description="The report that it was to become.")]]


class ODataDetail(TypedDict):
    """One thing that is wrong with a request under `/odata`."""

    code: Annotated[str, Field(description="The HTTP status, as a text.")]
    message: Annotated[str, Field(description="What was wrong, and what was expected.")]
    target: Annotated[str, Field(description="The field's path; empty when it is the body as a whole.")]


class ODataProblem(TypedDict):
    """What was wrong with a request under `/odata`."""

    code: Annotated[str, Field(description="The HTTP status, as a text.")]
    message: Annotated[str, Field(description="What was wrong, what was expected, and what to do.")]
    target: NotRequired[Annotated[str, Field(description="The field or query option that it is about.")]]
    details: NotRequired[
        Annotated[list[ODataDetail], Field(description="Everything that was wrong, when it is several.")]
    ]


class ODataError(TypedDict):
    """Why a request under `/odata` was refused."""

    error: ODataProblem
    traceId: TraceId


class Meta(TypedDict):
    """What there is to know about an answer itself."""

    traceId: TraceId


class FailureMeta(Meta):
    """What there is to know about a refusal."""

    fields: NotRequired[
        Annotated[list[str | None], Field(description="For each of `errors` the field that it is about, if it is one.")]
    ]


class Reference(TypedDict):
    """One thing of the farm, and as much of it as lets a person recognise it."""

    kind: Annotated[
        Literal[
            "trace",
            "record",
            "render",
            "report",
            "printTask",
            "batch",
            "template",
            "schedule",
            "task",
            "printer",
            "asset",
            "thumbnail",
        ],
        Field(description="What it is; `record` is a history record, `task` the run of a schedule."),
    ]
    id: Annotated[str, Field(description="Its id; a thumbnail has that of its render.")]
    name: Annotated[str | None, Field(description="What people call it; of a record or batch, its template's name.")]
    traceId: Annotated[
        str | None, Field(description="The trace that it belongs to; null of what people made and keep.")
    ]
    status: Annotated[str | None, Field(description="How far it is, or how it ended, in the words of its own kind.")]


class Failure(TypedDict):
    """Why a request under `/api/v1` was refused."""

    success: Annotated[Literal[False], Field(description="That it did not work.")]
    errors: Annotated[list[str], Field(description="Everything that was wrong, each with what was expected.")]
    meta: FailureMeta
    status: Annotated[int, Field(description="The HTTP status, once more.")]


class Alive(TypedDict):
    """That the gateway works."""

    ok: Annotated[Literal[True], Field(description="Always true.")]


class Part(TypedDict):
    """How one part of the farm does."""

    ok: Annotated[bool, Field(description="Whether it answers.")]
    error: NotRequired[Annotated[str, Field(description="What kind of failure it is; the log says more.")]]
    alive: NotRequired[Annotated[int, Field(description="Of the workers: how many live.")]]
    rendering: NotRequired[Annotated[int, Field(description="Of the workers: how many of those render.")]]
    freeBytes: NotRequired[Annotated[int, Field(description="Of the disk: how much is free.")]]


class Parts(TypedDict):
    """The parts that a farm needs."""

    database: Part
    broker: Part
    storage: Part
    disk: Part
    workers: Part


class Intake(TypedDict):
    """Whether new work is accepted, and how much waits."""

    accepting: Annotated[bool, Field(description="Whether a render is accepted that is sent now.")]
    reason: NotRequired[Annotated[str, Field(description="Why not.")]]
    queued: Annotated[dict[str, int], Field(description="By queue, how many renders wait; an empty one is left out.")]


class Readiness(TypedDict):
    """Whether the farm can do its work, and what it lacks if it cannot."""

    ready: Annotated[bool, Field(description="Whether every part works.")]
    down: Annotated[
        list[str],
        Field(description="The parts that are down. While the database is, nobody knows how the workers do."),
    ]
    parts: Parts
    intake: Intake
    recipes: Annotated[
        dict[str, str], Field(description="By recipe, `ok`, or why it does not work on one of the living workers.")
    ]


class Begun(TypedDict):
    """That a report has been taken and is being made."""

    reportId: Annotated[str, Field(description="The report's id.")]
    state: Annotated[Literal["planned"], Field(description="Always `planned`: it has only begun.")]
    statusUrl: Annotated[str, Field(description="Where to ask how far it is; the same as `Location`.")]
    traceId: Annotated[str, Field(description="The request's trace id.")]


class ReportStatus(TypedDict):
    """How far a report is."""

    reportId: Annotated[str, Field(description="The report's id.")]
    state: Annotated[Literal["planned", "success"], Field(description="`planned` until its document is there.")]
    attempts: Annotated[int, Field(description="How many workers have begun it; more than one if some died.")]
    traceId: Annotated[str, Field(description="The trace id of the request that asked for it.")]
    positionInQueue: NotRequired[
        Annotated[int, Field(description="Its place among those that wait, where that is known; the next one is 1.")]
    ]
    estimatedSecondsLeft: NotRequired[
        Annotated[
            float,
            Field(description="Seconds until it is done, by what such renders took lately. Absent when nobody knows."),
        ]
    ]
    warnings: NotRequired[
        Annotated[list[Any], Field(description="What the recipe could not do as the template says, if anything.")]
    ]
