"""Firing: what becomes of a schedule at a time that it names, and how a run is begun by hand.

A schedule is fired by whoever moves its ``next_run_at`` on, with one conditional UPDATE in the transaction that writes
the task and the render; so any number of beats and workers may try at once on one database. That a schedule has but one
task for each time is the second lock.

- What was missed while nobody looked is made up for by one run, for the first of the missed times. The next run is the
  first time after now.
- A schedule does not overlap with itself, unless it says so: of a time at which a run goes on, a task tells that it was
  skipped.
- What cannot be begun, such as a template that is gone, ends its task with that error. A database or a store that is
  away moves nothing: the next look tries again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from shared import schedules, tasks
from shared.cron import next_run
from shared.database import now, won
from shared.exceptions import ConflictError, InvalidRequestError, NotFoundError
from shared.identifiers import new_id, new_trace_id
from shared.models import Schedule, Task
from shared.tasks import ACTIVE, BATCH, NotWonError, State
from shared.tracing import logger

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from shared.submissions import Accepted
    from shared.tasks import Submitter

log = logger(__name__)


class OverlapError(Exception):
    """Raised when a run of a schedule goes on that allows no second."""

    def __init__(self, due_at: dt.datetime) -> None:
        super().__init__(due_at)
        self.due_at = due_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A time that is due.

    Attributes:
        schedule: Its schedule, as it was seen.
        due_at: The time.
        next_run_at: The next one; None: there is none any more.
        late: For how long it has been due.
        task_id: The task that it gets.
        trace_id: The task's trace.
    """

    schedule: Schedule
    due_at: dt.datetime
    next_run_at: dt.datetime | None
    late: dt.timedelta
    task_id: str
    trace_id: str


def look(submitter: Submitter, *, at: dt.datetime | None = None) -> None:
    """Do what there is to do for schedules and their tasks; when there is nothing, that is one light query.

    Args:
        submitter: Submits renders.
        at: What counts as now; None: what the database's clock says.
    """
    keep = submitter.settings.tasks_keep
    with submitter.database.reading() as session:
        # Where there is an order, its first row is asked for: of an EXISTS, PostgreSQL expects that any row will do
        # soon, and searches the table for what is nowhere in it.
        due, to_follow, to_retry, to_forget = session.execute(
            select(
                _due(at).with_only_columns(Schedule.id).order_by(Schedule.next_run_at).limit(1).scalar_subquery(),
                tasks.to_follow().limit(1).scalar_subquery(),
                tasks.to_retry(at).order_by(Task.retry_at).limit(1).scalar_subquery(),
                tasks.to_forget(keep).order_by(Task.created_at).limit(1).scalar_subquery(),
            )
        ).one()
    # First of all: a run that ended does not stand in the way of the next.
    if to_follow:
        tasks.follow(submitter.database)
    if to_retry:
        tasks.retry(submitter, at=at)
    if due:
        fire(submitter, at=at)
    if to_forget:
        tasks.forget(submitter.database, keep=keep)


def fire(submitter: Submitter, *, at: dt.datetime | None = None) -> None:
    """Fire the schedules that are due.

    Args:
        submitter: Submits renders.
        at: What counts as now; None: what the database's clock says.
    """
    states = submitter.recipe_states()
    fired = BATCH
    while fired == BATCH:
        with submitter.database.reading() as session:
            present = schedules.present(session, at)
            found = session.scalars(_due(present).order_by(Schedule.next_run_at, Schedule.id).limit(BATCH)).all()
        fired = sum(_fire_one(submitter, schedule, present, states) for schedule in found)


def run_now(submitter: Submitter, schedule_id: str, *, trace_id: str) -> Task:
    """Begin a run of a schedule now, whether it is switched on or not; its next run stays what it was.

    Args:
        submitter: Submits renders.
        schedule_id: The schedule's id or shortid.
        trace_id: The trace that the run belongs to.

    Raises:
        NotFoundError: There is no such schedule, or its template is gone.
        InvalidRequestError: Its template cannot be rendered.
        ConflictError: A run of it goes on, and it allows no second.
    """
    with submitter.database.reading() as session:
        schedule = schedules.find(session, schedule_id, or_shortid=True)
    task = Task(id=new_id(), trace_id=trace_id, due_at=now(), **_begun(schedule))

    def within(session: Session, accepted: Accepted) -> None:
        # Whoever else begins a run of this schedule waits here, and then sees this one.
        if session.scalar(select(Schedule.id).where(Schedule.id == schedule.id).with_for_update()) is None:
            raise NotFoundError(f"There is no schedule {schedule_id!r}")
        _refuse_overlap(session, schedule)
        task.render_id = accepted.render.id
        session.add(task)
        session.flush()
        session.refresh(task)

    try:
        submitter.submit(schedule, task_id=task.id, trace_id=trace_id, states=submitter.recipe_states(), within=within)
    except OverlapError as error:
        raise ConflictError(
            f"The run of {_written(error.due_at)} has not ended: wait for its end, or set allowOverlap"
        ) from error
    except IntegrityError as error:
        raise ConflictError("Another run of this schedule began at this very moment") from error
    log.info("schedule run by hand", schedule=schedule.name, schedule_id=schedule.id, task_id=task.id)
    return task


def _due(at: dt.datetime | None) -> Select[Any]:
    return select(Schedule).where(Schedule.enabled, Schedule.next_run_at <= (at or now()))


def _fire_one(submitter: Submitter, schedule: Schedule, present: dt.datetime, states: Mapping[str, str]) -> bool:
    """Fire a schedule, and return whether it was this process that did."""
    due_at = cast("dt.datetime", schedule.next_run_at)
    firing = Firing(
        schedule=schedule,
        due_at=due_at,
        next_run_at=_following(schedule, max(present, due_at)),
        late=present - due_at,
        task_id=new_id(),
        trace_id=new_trace_id(),
    )
    try:
        return _begin(submitter, firing, states)
    except NotWonError:
        return False
    except IntegrityError:
        # Somebody set a clock back, and a time came again.
        log.warning("schedule was fired before", schedule_id=schedule.id, due=_written(due_at))
        with submitter.database.writing() as session:
            return won(session, _move_on(firing))


def _following(schedule: Schedule, after: dt.datetime) -> dt.datetime | None:
    try:
        return next_run(schedule.cron, schedule.timezone, after=after)
    except InvalidRequestError as error:
        # The time zone was abolished, or the calendar has no such day any more.
        log.warning("schedule has no next run", schedule_id=schedule.id, error=error.message)
        return None


def _begin(submitter: Submitter, firing: Firing, states: Mapping[str, str]) -> bool:
    schedule = firing.schedule

    def within(session: Session, accepted: Accepted) -> None:
        _lease(session, firing)
        _refuse_overlap(session, schedule)
        session.add(_task(firing, render_id=accepted.render.id))

    try:
        # Asked before as well: what is refused in the end has stored its data by then.
        with submitter.database.reading() as session:
            _refuse_overlap(session, schedule)
        render_id = submitter.submit(
            schedule, task_id=firing.task_id, trace_id=firing.trace_id, states=states, within=within
        )
    except OverlapError as error:
        return _record(
            submitter, firing, State.CANCELLED, f"skipped: the run of {_written(error.due_at)} has not ended"
        )
    except (InvalidRequestError, NotFoundError) as error:
        return _record(submitter, firing, State.ERROR, error.message)
    _tell(firing, State.PLANNED, render_id=render_id)
    return True


def _record(submitter: Submitter, firing: Firing, state: State, error: str) -> bool:
    """Note a time at which nothing could begin."""
    with submitter.database.writing() as session:
        _lease(session, firing)
        session.add(_task(firing, state=state, error=error, finished_at=now()))
    _tell(firing, state, error=error)
    return True


def _refuse_overlap(session: Session, schedule: Schedule) -> None:
    if schedule.allow_overlap:
        return
    due_at = session.scalar(
        # An expression, lest the schedule's whole history be searched instead of the few tasks that are active.
        select(Task.due_at).where(Task.state.in_(ACTIVE), Task.schedule_id.concat("") == schedule.id).limit(1)
    )
    if due_at is not None:
        raise OverlapError(due_at)


def _lease(session: Session, firing: Firing) -> None:
    if not won(session, _move_on(firing)):
        raise NotWonError


def _move_on(firing: Firing) -> Any:
    return (
        update(Schedule)
        .where(
            Schedule.id == firing.schedule.id,
            Schedule.enabled,
            Schedule.next_run_at == firing.due_at,
            # What follows was worked out from the schedule as it was seen.
            Schedule.modified_at == firing.schedule.modified_at,
        )
        .values(next_run_at=firing.next_run_at)
    )


def _task(firing: Firing, **values: Any) -> Task:
    given = _begun(firing.schedule) | values
    return Task(id=firing.task_id, trace_id=firing.trace_id, due_at=firing.due_at, **given)


def _begun(schedule: Schedule) -> dict[str, Any]:
    return {
        "schedule_id": schedule.id,
        "schedule_shortid": schedule.shortid,
        "state": State.PLANNED,
        "attempt": 1,
    }


def _tell(firing: Firing, state: State, **details: Any) -> None:
    log.info(
        "schedule fired",
        trace_id=firing.trace_id,
        schedule=firing.schedule.name,
        schedule_id=firing.schedule.id,
        task_id=firing.task_id,
        due=_written(firing.due_at),
        late_ms=round(firing.late.total_seconds() * 1000),
        state=state,
        **details,
    )


def _written(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
