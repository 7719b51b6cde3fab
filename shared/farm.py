"""How the farm does: what its queues hold, what its workers do, what failed, which printers answer.

For whoever operates it; read in a few questions of indexes, as every open page about the farm asks again and again.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, func, literal_column, select

from shared import depths
from shared.database import now
from shared.models import Printer, Render, TemplateVersion, Worker
from shared.render_values import Cause, State

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from shared.depths import Depth
    from shared.settings import Settings

SAMPLED_SECONDS = 3600
FAILED_SECONDS = 24 * 3600
# Of workers that nobody has heard of for long: one that dies again and again leaves a row each time.
MOST_DEAD = 20
MOST_DOING = 500
ERROR_CHARACTERS = 1000
# Signs that a worker may miss before it is called silent: one comes late now and then.
MISSED_SIGNS = 2

_TEMPLATE = (TemplateVersion, TemplateVersion.id == Render.template_version_id)
# A literal, as the index of these has it.
_FAILED = Render.state == literal_column(f"'{State.FAILED}'")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """How a queue does.

    Attributes:
        depth: What waits and runs in it now.
        per_minute: How much of it ends in a minute.
        workers: How many living workers serve it.
        samples: How much waited in it, minute by minute.
    """

    depth: Depth
    per_minute: int
    workers: int
    samples: Sequence[tuple[dt.datetime, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """A render that a worker has claimed.

    Attributes:
        render_id: The render.
        trace_id: Its trace.
        template: The stored template's name; None: the template came with the render.
        recipe: What it is made by.
        queue: Where it waited.
        attempt: Which attempt this is.
        child_pid: The child that has it, which may have a few at once.
        batch_id: The batch that it is of.
        seconds: Since when it is claimed.
    """

    render_id: str
    trace_id: str
    template: str | None
    recipe: str
    queue: str
    attempt: int
    child_pid: int | None
    batch_id: str | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    """How a worker does.

    Attributes:
        worker: What it said of itself.
        state: ``alive``, ``silent`` (it missed signs of life) or ``dead`` (its work is given to others).
        seconds: Since its last sign of life.
        doing: The renders that it has, those first that it has had for longest.
    """

    worker: Worker
    state: str
    seconds: float
    doing: Sequence[Doing]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """Renders that failed for one cause.

    Attributes:
        cause: The cause.
        count: How many there are.
        at: When the last one failed.
        render_id: That one.
        trace_id: Its trace.
        template: The stored template's name; None: the template came with the render.
        error: What was wrong with it, its beginning.
    """

    cause: str
    count: int
    at: dt.datetime
    render_id: str
    trace_id: str
    template: str | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterCounts:
    """How the printers do.

    Attributes:
        reachable: Those that answered when they were last spoken to.
        unreachable: Those that did not.
        waiting: Of the unreachable ones, those that are left alone for a while before the next try.
        served_by_agents: Those that the farm does not speak with.
    """

    reachable: int
    unreachable: int
    waiting: int
    served_by_agents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmState:
    """How the farm did at one moment, by the database's clock."""

    at: dt.datetime
    queues: Mapping[str, QueueState]
    workers: Sequence[WorkerState]
    failures: Sequence[Failures]
    printers: PrinterCounts


def look(session: Session, settings: Settings) -> FarmState:
    """Read how the farm does.

    Args:
        session: A transaction.
        settings: After how long a worker that is silent counts as dead.
    """
    at = session.scalars(select(now())).one()
    workers = _workers(session, settings, at)
    found = depths.depths(session, at=at, dead_after=settings.worker_dead_after)
    rates = depths.per_minute(session, at=at)
    noted = depths.samples(session, seconds=SAMPLED_SECONDS)
    serving = [one.worker.queues for one in workers if one.state != "dead"]
    return FarmState(
        at=at,
        queues={
            queue: QueueState(
                depth=depth,
                per_minute=rates[queue],
                workers=sum(queue in served for served in serving),
                samples=noted[queue],
            )
            for queue, depth in found.items()
        },
        workers=workers,
        failures=_failures(session),
        printers=_printers(session),
    )


def _workers(session: Session, settings: Settings, at: dt.datetime) -> list[WorkerState]:
    doing = _doing(session, at)
    silent_after = min(MISSED_SIGNS * settings.heartbeat_interval, settings.worker_dead_after)
    found: list[WorkerState] = []
    for worker in session.scalars(select(Worker).order_by(Worker.seen_at.desc())):
        seconds = _seconds(at, worker.seen_at)
        state = "dead" if seconds > settings.worker_dead_after else "silent" if seconds > silent_after else "alive"
        found.append(WorkerState(worker=worker, state=state, seconds=seconds, doing=doing[worker.id]))
    living = sorted((one for one in found if one.state != "dead"), key=lambda one: one.worker.name)
    return living + [one for one in found if one.state == "dead"][:MOST_DEAD]


def _doing(session: Session, at: dt.datetime) -> Mapping[str, list[Doing]]:
    running = (
        select(
            Render.worker_id,
            Render.started_at,
            Render.id.label("render_id"),
            Render.trace_id,
            TemplateVersion.name.label("template"),
            Render.recipe,
            Render.queue,
            Render.attempt,
            Render.child_pid,
            Render.batch_id,
        )
        .outerjoin(*_TEMPLATE)
        .where(Render.state == State.RUNNING)
        .order_by(Render.started_at, Render.id)
        .limit(MOST_DOING)
    )
    found: defaultdict[str, list[Doing]] = defaultdict(list)
    for row in session.execute(running).mappings():
        said = dict(row)
        worker_id, since = said.pop("worker_id"), said.pop("started_at")
        found[worker_id].append(Doing(**said, seconds=_seconds(at, since)))
    return found


def _failures(session: Session) -> list[Failures]:
    # Cause by cause: so the index has those of a day at hand, however many older ones there are.
    lately = (_FAILED, Render.cause.in_(list(Cause)), Render.finished_at > now(-FAILED_SECONDS))
    counted = select(Render.cause, func.count().label("total"), func.max(Render.finished_at).label("at"))
    causes = counted.where(*lately).group_by(Render.cause).subquery()
    last = select(Render.id).where(_FAILED, Render.cause == causes.c.cause, Render.finished_at == causes.c.at)
    # Several may have failed at the same moment.
    last_id = last.order_by(Render.id.desc()).limit(1).scalar_subquery()
    counts = {row.render_id: row for row in session.execute(select(causes, last_id.label("render_id")))}
    error = func.substr(Render.error, 1, ERROR_CHARACTERS)
    shown = select(Render.id, Render.trace_id, TemplateVersion.name, error).outerjoin(*_TEMPLATE)
    found = [
        Failures(
            cause=counts[render_id].cause,
            count=counts[render_id].total,
            at=counts[render_id].at,
            render_id=render_id,
            trace_id=trace_id,
            template=template,
            error=text,
        )
        for render_id, trace_id, template, text in session.execute(shown.where(Render.id.in_(counts)))
    ]
    return sorted(found, key=lambda one: (-one.count, one.cause))


def _printers(session: Session) -> PrinterCounts:
    def counted(*conditions: Any) -> Any:
        return func.count(case((and_(*conditions), 1)))

    spoken_with = Printer.uri.is_not(None)
    failed = Printer.error.is_not(None)
    reachable, unreachable, waiting, others = session.execute(
        select(
            counted(spoken_with, Printer.error.is_(None)),
            counted(spoken_with, failed),
            counted(spoken_with, failed, Printer.retry_at > now()),
            counted(Printer.uri.is_(None)),
        )
    ).one()
    return PrinterCounts(reachable=reachable, unreachable=unreachable, waiting=waiting, served_by_agents=others)


def _seconds(at: dt.datetime, since: dt.datetime) -> float:
    # It may have begun after the database was asked for the time.
    return max((at - since).total_seconds(), 0.0)
