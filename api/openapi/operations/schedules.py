"""What `api.schedules` answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict  # Python 3.11's own does not tell pydantic enough.

from api.openapi.answers import Meta, Time  # noqa: TC001  # Pydantic reads the annotations.
from api.openapi.descriptions import JSON, Answer, Operation, Parameter
from api.openapi.operations import odata
from api.openapi.operations.reports import FULL
from api.openapi.operations.tags import SCHEDULES

_NO_SUCH = "There is no such schedule."
_LOCATION = ("Location",)
_TAKEN = "Another schedule has this name or shortid."


class SchedulePreview(TypedDict):
    """What a cron line means."""

    cron: Annotated[str, Field(description="The line.")]
    timezone: Annotated[str, Field(description="By whose clocks.")]
    next: Annotated[
        list[Time], Field(description="When it would run; fewer than were asked for, if fifty years have no more.")
    ]
    inWords: Annotated[
        str | None,
        Field(description="What it says, in words; null where that cannot be said in a sentence that is true."),
    ]


class SchedulePreviewAnswer(TypedDict):
    """What a cron line means."""

    success: Annotated[Literal[True], Field(description="That it worked.")]
    count: Annotated[int, Field(description="Always 1.")]
    data: SchedulePreview
    meta: Meta
    status: Annotated[int, Field(description="The HTTP status, once more.")]


CREATE = Operation(
    tag=SCHEDULES,
    summary="Store a schedule",
    text="It runs at every time that its cron line names, by the clocks of its time zone; a time that a change of the "
    "clocks skips or repeats is one run. A line that can never come true is refused.",
    answers={
        201: odata.answer_entity("schedules", "It is stored; `nextRun` says when it runs.", headers=("Location",))
    },
    errors={409: _TAKEN, 503: odata.DOWN},
)
CHANGE = Operation(
    tag=SCHEDULES,
    summary="Change a schedule",
    text="What is named changes, what is not named stays. `enabled: false` is a pause.",
    examples={"Pause it": {"enabled": False}},
    answers={204: odata.done("It is changed.")},
    errors={404: _NO_SUCH, 409: _TAKEN, 503: odata.DOWN},
)
REMOVE = Operation(
    tag=SCHEDULES,
    summary="Remove a schedule",
    text="Its tasks, and the reports that they made, stay.",
    answers={204: odata.done("It is gone.")},
    errors={404: _NO_SUCH, 503: odata.DOWN},
)
RUN_NOW = Operation(
    tag=SCHEDULES,
    summary="Run a schedule now",
    text="Besides the times of its cron line, and also while it is paused.",
    answers={200: odata.answer_entity("tasks", "Its run has begun: this is the task.")},
    errors={
        404: _NO_SUCH,
        409: "A run of it goes on, and it does not allow two at once.",
        429: FULL,
        503: odata.DOWN,
    },
)
NEXT_RUN = Operation(
    tag=SCHEDULES,
    summary="When would a cron line run next?",
    parameters=(
        Parameter(
            name="timezone",
            where="query",
            text="By whose clocks: the name of a zone in the time zone database; left out: UTC.",
            schema={"type": "string"},
            example="Europe/Dublin",
        ),
    ),
    answers={200: Answer("The time.", {JSON: str}, example="2026-03-15T06:00:00Z")},
    errors={400: "The line or the zone is none, or the line can never come true.", 503: odata.DOWN},
)
PREVIEW = Operation(
    tag=SCHEDULES,
    summary="What does a cron line mean?",
    text="The line in words, and when it would run: for whoever is about to write a schedule.",
    answers={200: Answer("What it means.", {JSON: SchedulePreviewAnswer})},
    errors={400: "The line, the zone or another parameter is none, or the line can never come true.", 503: odata.DOWN},
)
