"""Tasks: the runs of schedules, from their beginning to their end. What begins one is in `shared.firing`.

::

    planned ◀──▶ running ──▶ success | error | cancelled
       ▲             │
       └───retry─────┘

A task follows its render. A run that failed is tried again as often as its schedule says, where the cause lets hope for
better; it keeps its task, and each try has a render and a report of its own. Each step is a conditional UPDATE, so any
number of processes may do this at once on one database.
"""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, or_, select, update

from shared import liveness, renders
from shared.database import now, won
from shared.exceptions import InvalidRequestError, NotFoundError
from shared.models import Render, Schedule, Task
from shared.renders import CALLERS_CAUSES, ENDED
from shared.submissions import Order, ReportWish, TemplateChoice, accept
from shared.tracing import logger

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from shared.database import Database
    from shared.renders import Wake
    from shared.settings import Settings
    from shared.storage import Storage
    from shared.submissions import Accepted

# Fetched with one question at most, and changed in one transaction.
BATCH = 100

log = logger(__name__)


class State(enum.StrEnum):
    """Where a task is in its life. One that waits for its next try is planned."""

    PLANNED = "planned"
    RUNNING = "running"
    SUCCESS = "success"
    ERROR = "error"
    CANCELLED = "cancelled"


ACTIVE = (State.PLANNED, State.RUNNING)


class NotWonError(Exception):
    """Raised in a transaction to take it back: another process was first, or what was seen has changed."""


class Submitter:
    """Submits the renders of tasks."""

    def __init__(
        self, *, database: Database, storage: Storage, settings: Settings, publish: Callable[[Wake], bool]
    ) -> None:
        """Take what that needs.

        Args:
            database: Where schedules and tasks are.
            storage: Where large data of renders goes.
            settings: The limits.
            publish: Announces a render, and says whether the broker took it.
        """
        self.database = database
        self.settings = settings
        self._storage = storage
        self._publish = publish

    def submit(
        self,
        schedule: Schedule,
        *,
        task_id: str,
        trace_id: str,
        states: Mapping[str, str],
        within: Callable[[Session, Accepted], None],
    ) -> str:
        """Commit the render of a task, and announce it.

        Args:
            schedule: What is to be rendered.
            task_id: The task.
            trace_id: The task's trace.
            states: What `recipe_states` returned.
            within: Called in the same transaction; what it raises takes everything back.

        Returns:
            The render's id.

        Raises:
            InvalidRequestError: The template cannot be rendered.
            NotFoundError: The template is gone.
        """
        order = Order(
            trace_id=trace_id,
            template=TemplateChoice(shortid=schedule.template_shortid),
            data=None if schedule.data is None else json.loads(schedule.data),
            report_name=schedule.name,
            report=ReportWish(task_id=task_id),
            source="schedule",
        )
        accepted = accept(self.database, self._storage, self.settings, order, recipe_states=states, within=within)
        self._publish(renders.wake_of(accepted.render))
        return accepted.render.id

    def recipe_states(self) -> Mapping[str, str]:
        """Return what the living workers say of their recipes."""
        with self.database.reading() as session:
            return liveness.recipes(liveness.alive(session, dead_after=self.settings.worker_dead_after))


def to_follow() -> Select[Any]:
    """Select the tasks that no longer say how their render is doing."""
    return (
        select(Task.id)
        .outerjoin(Render, Render.id == Task.render_id)
        .where(
            Task.state.in_(ACTIVE),
            Task.retry_at.is_(None),
            or_(
                Render.id.is_(None),
                Render.state.in_(ENDED),
                and_(Task.state == State.PLANNED, Render.state == renders.State.RUNNING),
                and_(Task.state == State.RUNNING, Render.state == renders.State.QUEUED),
            ),
        )
    )


def to_retry(at: dt.datetime | None = None) -> Select[Any]:
    """Select the tasks whose next try is due; ``at`` is what counts as now, None: what the database's clock says."""
    return select(Task.id).where(Task.state == State.PLANNED, Task.retry_at <= (at or now()))


def to_forget(keep: float) -> Select[Any]:
    """Select the tasks that ended, and began, more than ``keep`` seconds ago."""
    # Not by state: of all ended tasks hardly any are old, and it is the index of creation that finds those.
    return select(Task.id).where(Task.created_at < now(-keep), Task.finished_at < now(-keep))


def follow(database: Database) -> None:
    """Let tasks say how their renders are doing, and plan the next try of those that failed."""
    with database.reading() as session:
        found = session.execute(
            to_follow()
            .with_only_columns(Task, Render.state, Render.cause, Render.error, Render.finished_at, Schedule)
            .outerjoin(Schedule, Schedule.id == Task.schedule_id)
            .order_by(Task.id)
            .limit(BATCH)
        ).all()
    tried: list[tuple[Task, dict[str, Any]]] = []
    with database.writing() as session:
        for task, state, cause, error, finished_at, schedule in found:
            values = _outcome(task, schedule, state=state, cause=cause, error=error)
            if values["state"] not in ACTIVE:
                values["finished_at"] = finished_at or now()
            if won(session, _seen(task).values(**values)) and "error" in values:
                tried.append((task, values))
    for task, values in tried:
        _tell(task, "task ended" if "finished_at" in values else "task failed and will be tried again", **values)


def retry(submitter: Submitter, *, at: dt.datetime | None = None) -> None:
    """Submit a new render for the tasks whose next try is due.

    Args:
        submitter: Submits them.
        at: What counts as now; None: what the database's clock says.
    """
    states = submitter.recipe_states()
    with submitter.database.reading() as session:
        found = session.execute(
            to_retry(at)
            .with_only_columns(Task, Schedule)
            .outerjoin(Schedule, Schedule.id == Task.schedule_id)
            .order_by(Task.retry_at, Task.id)
            .limit(BATCH)
        ).all()
    for task, schedule in found:
        try:
            _retry_one(submitter, task, schedule, states)
        except NotWonError:
            continue


def forget(database: Database, *, keep: float) -> None:
    """Remove old ended tasks, one batch of them.

    Args:
        database: Where they are.
        keep: Seconds for which they can be looked up.
    """
    gone = to_forget(keep).order_by(Task.created_at).limit(BATCH)
    with database.writing() as session:
        session.execute(delete(Task).where(Task.id.in_(gone)).execution_options(synchronize_session=False))


def _retry_one(submitter: Submitter, task: Task, schedule: Schedule | None, states: Mapping[str, str]) -> None:
    if schedule is None:
        _give_up(submitter.database, task, State.CANCELLED, "its schedule was removed before the next try")
        return

    def within(session: Session, accepted: Accepted) -> None:
        again = {"attempt": task.attempt + 1, "render_id": accepted.render.id, "retry_at": None}
        if not won(session, _seen(task).values(**again)):
            raise NotWonError

    try:
        render_id = submitter.submit(schedule, task_id=task.id, trace_id=task.trace_id, states=states, within=within)
    except (InvalidRequestError, NotFoundError) as error:
        _give_up(submitter.database, task, State.ERROR, error.message)
        return
    _tell(task, "task is tried again", attempt=task.attempt + 1, render_id=render_id)


def _give_up(database: Database, task: Task, state: State, error: str) -> None:
    values = {"state": state, "error": error, "retry_at": None, "finished_at": now()}
    with database.writing() as session:
        gave_up = won(session, _seen(task).values(**values))
    if gave_up:
        _tell(task, "task ended", state=state, error=error)


def _outcome(
    task: Task, schedule: Schedule | None, *, state: str | None, cause: str | None, error: str | None
) -> dict[str, Any]:
    """Return what a task is to say of its render, whose state is None when it is gone."""
    if state is None:
        # A render is gone when its report is; while it waits or runs, only a person removes that.
        return {"state": State.CANCELLED, "error": "its report was removed"}
    if state == renders.State.CANCELLED:
        return {"state": State.CANCELLED, "error": "its render was cancelled"}
    if state == renders.State.SUCCEEDED:
        return {"state": State.SUCCESS, "error": None}
    if state == renders.State.FAILED:
        if schedule is None or cause in CALLERS_CAUSES or task.attempt > schedule.max_retries:
            return {"state": State.ERROR, "error": error}
        delay = schedule.retry_delay * 2 ** (task.attempt - 1)
        return {"state": State.PLANNED, "error": error, "retry_at": now(delay)}
    return {"state": State.RUNNING if state == renders.State.RUNNING else State.PLANNED}


def _seen(task: Task) -> Any:
    """Begin an UPDATE of a task that is still as it was seen."""
    return update(Task).where(
        Task.id == task.id,
        Task.state == task.state,
        Task.attempt == task.attempt,
        Task.retry_at == task.retry_at,
    )


def _tell(task: Task, event: str, **details: Any) -> None:
    shown = {"attempt": task.attempt} | details
    log.info(
        event,
        trace_id=task.trace_id,
        task_id=task.id,
        schedule_id=task.schedule_id,
        **{name: shown[name] for name in ("attempt", "state", "error", "render_id") if shown.get(name) is not None},
    )
