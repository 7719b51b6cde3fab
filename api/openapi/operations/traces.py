"""What `api.traces` answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # Python 3.11's own does not tell pydantic enough.

from api.openapi.answers import Reference, Time, TraceId  # noqa: TC001  # Pydantic reads the annotations.
from api.openapi.descriptions import JSON, Answer, Operation
from api.openapi.operations.odata import DOWN
from api.openapi.operations.tags import FARM


class TraceEntry(TypedDict):
    """One thing that happened."""

    at: Annotated[Time, Field(description="When.")]
    source: Annotated[str, Field(description="Who says so: `database`, or the process whose log it is.")]
    event: Annotated[str, Field(description="What.")]
    details: Annotated[dict[str, Any], Field(description="What else is said of it; what is empty is left out.")]
    level: NotRequired[Annotated[str, Field(description="Of a log line: how severe it is.")]]


class TraceMeta(TypedDict):
    """What belongs to a trace, and how far it was looked for."""

    traceId: TraceId
    logs: Annotated[
        Literal["this machine"], Field(description="Whose logs were searched: those of the gateway that answers.")
    ]
    truncated: Annotated[bool, Field(description="Whether there is, or may be, more than this answer has.")]
    records: Annotated[list[Reference], Field(description="Its history records, and those that it printed.")]
    renders: Annotated[list[Reference], Field(description="Its renders.")]
    reports: Annotated[list[Reference], Field(description="Its reports; not those that are removed.")]
    printTasks: Annotated[list[Reference], Field(description="Its print tasks, and the reprints of its records.")]
    batches: Annotated[list[Reference], Field(description="Its batch, or the batch that its documents are of.")]
    tasks: Annotated[list[Reference], Field(description="The run of a schedule that it is.")]
    thumbnails: Annotated[list[Reference], Field(description="The thumbnails of its documents.")]


class TraceAnswer(TypedDict):
    """Everything that is known of a trace."""

    success: Annotated[Literal[True], Field(description="That it worked.")]
    count: Annotated[int, Field(description="How many entries `data` has.")]
    data: Annotated[list[TraceEntry], Field(description="What happened, in the order of time.")]
    meta: TraceMeta
    status: Annotated[int, Field(description="The HTTP status, once more.")]


READ = Operation(
    tag=FARM,
    summary="Follow a trace",
    text="""\
Everything that the farm knows of a trace, in the order of time: from the database, and from the logs of the machine
that answers. The trace of a record tells of its reprints, too, whose own traces are derived from it. `meta` names what
belongs to the trace.

The answer has the 2,000 earliest entries of what 500 rows of each kind tell, and 128 MiB of each log file, from where
the trace begins; `pressroom trace` on that machine has no such limits.""",
    answers={200: Answer("What is known.", {JSON: TraceAnswer})},
    errors={
        404: "Nothing is known of such a trace. The message says how long things are kept, and where else to look.",
        503: DOWN,
    },
)
