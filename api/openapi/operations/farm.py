"""What `api.farm` answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict  # Python 3.11's own does not tell pydantic enough.

from api.openapi.answers import Meta, Readiness, Time  # noqa: TC001  # Pydantic reads the annotations.
from api.openapi.descriptions import JSON, Answer, Operation
from api.openapi.operations.odata import DOWN
from api.openapi.operations.system import READINESS_EXAMPLE
from api.openapi.operations.tags import FARM

_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
_TEMPLATE = "The stored template's name; null: the template came with the request."


class QueueSample(TypedDict):
    """How deep a queue was."""

    at: Annotated[Time, Field(description="When: a full minute.")]
    waiting: Annotated[int, Field(description="How much waited in it.")]


class FarmQueue(TypedDict):
    """How a queue does."""

    name: Annotated[str, Field(description="Its name.")]
    waiting: Annotated[int, Field(description="How much waits in it, also what was put off to a later time.")]
    running: Annotated[int, Field(description="How much of it is being done.")]
    oldestSeconds: Annotated[
        float | None,
        Field(description="For how long the first of what is due has waited since it was queued; null: nothing is."),
    ]
    perMinute: Annotated[
        int,
        Field(description="How much ended in it within the last minute; where that is much, what the rate comes to."),
    ]
    workers: Annotated[int, Field(description="How many living workers serve it.")]
    samples: Annotated[
        list[QueueSample],
        Field(
            description="How deep it was in the last hour, the oldest first; of a minute in which nobody counted, as "
            "no worker that serves `maintenance` lived, there is none."
        ),
    ]


class RunningRender(TypedDict):
    """A render that a worker has."""

    renderId: Annotated[str, Field(description="The render's id.")]
    traceId: Annotated[str, Field(description="The trace id of the request that asked for it.")]
    template: Annotated[str | None, Field(description=_TEMPLATE)]
    recipe: Annotated[str, Field(description="What it is made by.")]
    queue: Annotated[str, Field(description="The queue that it waited in.")]
    attempt: Annotated[int, Field(description="Which attempt this is; more than 1 if others were lost.")]
    childPid: Annotated[
        int | None,
        Field(description="The process id of the child that has it; of small renders it has a few at once."),
    ]
    batchId: Annotated[str | None, Field(description="The batch that it is of.")]
    forSeconds: Annotated[float, Field(description="For how long the worker has had it.")]


class FarmWorker(TypedDict):
    """A worker, and what it does."""

    id: Annotated[str, Field(description="Its id; a restarted one has another.")]
    name: Annotated[str, Field(description="Its name, as Celery and Flower show it.")]
    host: Annotated[str, Field(description="The machine that it is on.")]
    pid: Annotated[int, Field(description="Its process id there.")]
    version: Annotated[str | None, Field(description="The release that it is of; null: one too old to say so.")]
    state: Annotated[
        Literal["alive", "silent", "dead"],
        Field(
            description="`silent`: it missed two signs of life (`PRESSROOM_HEARTBEAT_INTERVAL`); `dead`: it gave none "
            "for `PRESSROOM_WORKER_DEAD_AFTER`, and its work is given to others. One that was stopped is not listed, "
            "one that died is for an hour."
        ),
    ]
    since: Annotated[Time, Field(description="When it started.")]
    lastSignSeconds: Annotated[float, Field(description="For how long it has given no sign of life.")]
    queues: Annotated[list[str], Field(description="The queues that it serves.")]
    children: Annotated[int, Field(description="How much it does at once.")]
    recipes: Annotated[
        dict[str, str], Field(description="By recipe that does not work on it, why not; empty: it lacks none.")
    ]
    doing: Annotated[
        list[RunningRender],
        Field(
            description="The renders that it has, those first that it has had for longest; of all workers together "
            "500 at most. A dead one's are those that nobody has given to others yet."
        ),
    ]


class LastFailure(TypedDict):
    """The last render that failed for a cause."""

    at: Annotated[Time, Field(description="When it failed.")]
    renderId: Annotated[str, Field(description="The render's id.")]
    traceId: Annotated[str, Field(description="The trace id of the request that asked for it.")]
    template: Annotated[str | None, Field(description=_TEMPLATE)]
    error: Annotated[str | None, Field(description="What was wrong, its first 1000 characters.")]


class FailureCount(TypedDict):
    """Renders that failed for one cause."""

    cause: Annotated[
        Literal["template", "data", "engine", "timeout", "memory", "storage", "poisoned"],
        Field(description="The cause; `template` and `data` are the callers' to mend, the others are the farm's."),
    ]
    count: Annotated[int, Field(description="How many there are.")]
    last: LastFailure


class PrinterCount(TypedDict):
    """How the printers do."""

    reachable: Annotated[int, Field(description="Those that answered when they were last spoken to.")]
    unreachable: Annotated[int, Field(description="Those that did not.")]
    waiting: Annotated[
        int, Field(description="Of the unreachable ones, those that are left alone for a while before the next try.")
    ]
    servedByAgents: Annotated[
        int, Field(description="Those that an agent prints for; the farm does not speak with them.")
    ]


class FarmState(TypedDict):
    """How the farm does."""

    now: Annotated[Time, Field(description="When this was read, by the database's clock.")]
    version: Annotated[str, Field(description="The release that the gateway is of.")]
    flower: Annotated[
        str | None, Field(description="Where people reach Flower (`PRESSROOM_FLOWER_URL`); null: it is not known.")
    ]
    readiness: Readiness
    queues: Annotated[list[FarmQueue], Field(description="All queues, in a fixed order.")]
    workers: Annotated[
        list[FarmWorker], Field(description="The living workers by name, then those that died in the last hour, 20.")
    ]
    failures: Annotated[
        list[FailureCount], Field(description="What failed within 24 hours, by cause, the most frequent one first.")
    ]
    printers: PrinterCount


class FarmAnswer(TypedDict):
    """How the farm does."""

    success: Annotated[Literal[True], Field(description="That it worked.")]
    count: Annotated[int, Field(description="How many records `data` has.")]
    data: FarmState
    meta: Meta
    status: Annotated[int, Field(description="The HTTP status, once more.")]


_EXAMPLE = {
    "success": True,
    "count": 1,
    "data": {
        "now": "2026-03-15T03:00:12.345000Z",
        "version": "1.0.0",
        "flower": "http://127.0.0.1:5555",
        "readiness": READINESS_EXAMPLE,
        "queues": [
            {
                "name": "render",
                "waiting": 3,
                "running": 2,
                "oldestSeconds": 1.4,
                "perMinute": 1260,
                "workers": 1,
                "samples": [
                    {"at": "2026-03-15T02:59:00.000000Z", "waiting": 12},
                    {"at": "2026-03-15T03:00:00.000000Z", "waiting": 5},
                ],
            }
        ],
        "workers": [
            {
                "id": "0199a2c4-5d0e-7c1b-9f3a-2b8f0c6d4e11",
                "name": "render@press-1",
                "host": "press-1",
                "pid": 4711,
                "version": "1.0.0",
                "state": "alive",
                "since": "2026-03-14T22:10:00.000000Z",
                "lastSignSeconds": 1.2,
                "queues": ["render", "render.bulk", "render.high"],
                "children": 2,
                "recipes": {},
                "doing": [
                    {
                        "renderId": "0199a2c4-6f00-7000-8000-2b8f0c6d4e11",
                        "traceId": _TRACE,
                        "template": "invoice",
                        "recipe": "weasyprint-pdf",
                        "queue": "render",
                        "attempt": 1,
                        "childPid": 4720,
                        "batchId": None,
                        "forSeconds": 0.3,
                    }
                ],
            }
        ],
        "failures": [
            {
                "cause": "timeout",
                "count": 2,
                "last": {
                    "at": "2026-03-15T02:41:07.120000Z",
                    "renderId": "0199a2c4-5d0e-7000-9f3a-2b8f0c6d4e11",
                    "traceId": _TRACE,
                    "template": "statement",
                    "error": "The render took longer than its time limit of 60 s",
                },
            }
        ],
        "printers": {"reachable": 3, "unreachable": 0, "waiting": 0, "servedByAgents": 1},
    },
    "meta": {"traceId": _TRACE},
    "status": 200,
}

READ = Operation(
    tag=FARM,
    summary="How does the farm do?",
    text="What waits and runs in each queue, what each worker does, what failed, how the printers do, and what "
    "`/readyz` says, in one answer, which may be a second old. A part that is down makes it no error: `readiness` "
    "says so. Only without the database there is nothing to tell.\n\n"
    "- In `render.high`, `render` and `render.bulk` renders wait, and in the last of them certificates, too; of a "
    "batch, what was handed out already. In `thumbnail` thumbnails and comparisons wait; in `print` documents that "
    "the farm has yet to send to a printer, and those run that a printer has. In `maintenance` a batch waits while "
    "nobody hands out its items, and duties run that take long.\n"
    "- Counted as failed are the renders that are still there: a failed report's for as long as the report is kept, a "
    "history record's for as long as the record; what nobody keeps, such as the document of a synchronous request, for "
    "`PRESSROOM_TRANSIENT_KEEP`.",
    answers={200: Answer("How it does.", {JSON: FarmAnswer}, example=_EXAMPLE)},
    errors={503: DOWN},
)
