"""Schedules: a template, and the times at which it is rendered. What becomes of each time is in `shared.tasks`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from shared import templates
from shared.cron import UTC_NAME, next_run
from shared.database import now
from shared.exceptions import ConflictError, InvalidRequestError, NotFoundError
from shared.identifiers import new_id, new_shortid
from shared.models import Schedule

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

MOST_RETRIES = 10
RETRY_DELAY_SECONDS = 60
LONGEST_RETRY_DELAY_SECONDS = 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleFields:
    """What a caller says of a schedule.

    Attributes:
        name: Its name, and that of its reports.
        cron: When it runs; see `shared.cron`.
        timezone: The IANA name of the zone whose clocks ``cron`` means.
        template_shortid: What it renders.
        data: JSON text of the object that it renders it with; None: the template's sample data.
        enabled: Whether it runs by itself; a schedule that is not can be run by hand.
        allow_overlap: Whether a run may begin while the one before goes on.
        max_retries: How often a failed run is tried again, if another try may help.
        retry_delay: Seconds until the first of those tries; twice as many until each further one.
    """

    name: str
    cron: str
    template_shortid: str
    timezone: str = UTC_NAME
    data: str | None = None
    enabled: bool = True
    allow_overlap: bool = False
    max_retries: int = 0
    retry_delay: float = RETRY_DELAY_SECONDS


def create(
    session: Session, fields: ScheduleFields, *, shortid: str | None = None, at: dt.datetime | None = None
) -> Schedule:
    """Store a new schedule. Its first run is the first time after now that its line names.

    Args:
        session: A writing transaction.
        fields: What it is.
        shortid: The shortid that it has elsewhere; None: a new one.
        at: What counts as now; None: what the database's clock says.

    Raises:
        InvalidRequestError: The line, the zone or the template is none.
        ConflictError: The name or the shortid is taken.
    """
    schedule = Schedule(id=new_id(), shortid=shortid or new_shortid(), **asdict(fields))
    _check_template(session, fields.template_shortid)
    _plan(session, schedule, at)
    session.add(schedule)
    if shortid is None:
        _flush(session, f"There is a schedule named {fields.name!r} already", field="name")
    else:
        _flush(session, f"There is a schedule named {fields.name!r}, or with shortid {shortid!r}, already")
    session.refresh(schedule)
    return schedule


def change(
    session: Session, schedule_id: str, changes: Mapping[str, Any], *, at: dt.datetime | None = None
) -> Schedule:
    """Change a schedule.

    The next run stays what it was, unless the times themselves changed: then it is the first after now. That of a
    schedule that is switched off is None, and one that is switched on again does not make up for what it missed.

    Args:
        session: A writing transaction.
        schedule_id: The schedule.
        changes: New values by the names of `ScheduleFields`; what is not named stays.
        at: What counts as now; None: what the database's clock says.

    Raises:
        NotFoundError: There is no such schedule.
        InvalidRequestError: The line, the zone or the template is none.
        ConflictError: The new name is taken.
    """
    schedule = _held(session, schedule_id)
    timing = _timing(schedule)
    # Written in one go at the end, where a name that is taken is expected.
    with session.no_autoflush:
        for field, value in changes.items():
            setattr(schedule, field, value)
        if "template_shortid" in changes:
            _check_template(session, schedule.template_shortid)
        if _timing(schedule) != timing:
            _plan(session, schedule, at)
    schedule.modified_at = now()
    _flush(session, f"There is a schedule named {schedule.name!r} already", field="name")
    session.refresh(schedule)
    return schedule


def remove(session: Session, schedule_id: str) -> None:
    """Remove a schedule. Its tasks and reports stay; a run that goes on is brought to its end.

    Raises:
        NotFoundError: There is no such schedule.
    """
    session.delete(_held(session, schedule_id))


def find(session: Session, schedule_id: str, *, or_shortid: bool = False) -> Schedule:
    """Return the schedule of an id.

    Args:
        session: A transaction.
        schedule_id: The id.
        or_shortid: Whether a shortid will do as well.

    Raises:
        NotFoundError: There is none.
    """
    schedule = None
    # No id holds NUL, and PostgreSQL takes a question with one for an error.
    if "\0" not in schedule_id:
        schedule = session.get(Schedule, schedule_id)
        if schedule is None and or_shortid:
            schedule = session.scalars(select(Schedule).where(Schedule.shortid == schedule_id)).one_or_none()
    if schedule is None:
        raise NotFoundError(f"There is no schedule {schedule_id!r}")
    return schedule


def present(session: Session, at: dt.datetime | None = None) -> dt.datetime:
    """Return what counts as now: what is given, or else what the database's clock says."""
    return at or session.scalars(select(now())).one()


def _held(session: Session, schedule_id: str) -> Schedule:
    """Return a schedule that nobody else changes, removes or fires until the transaction ends."""
    schedule = None if "\0" in schedule_id else session.get(Schedule, schedule_id, with_for_update=True)
    return schedule or find(session, schedule_id)


def _timing(schedule: Schedule) -> tuple[str, str, bool]:
    return schedule.cron, schedule.timezone, schedule.enabled


def _plan(session: Session, schedule: Schedule, at: dt.datetime | None) -> None:
    # Also of a schedule that is switched off: a line that is none must not wait for the day it is switched on.
    first = next_run(schedule.cron, schedule.timezone, after=present(session, at))
    schedule.next_run_at = first if schedule.enabled else None


def _check_template(session: Session, shortid: str) -> None:
    try:
        # Nobody may remove it before this is committed.
        templates.held(session, templates.find(session, shortid=shortid).id)
    except NotFoundError as error:
        raise InvalidRequestError(
            f"templateShortid is {shortid!r}: expected the shortid of a stored template", field="templateShortid"
        ) from error


def _flush(session: Session, conflict: str, *, field: str | None = None) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise ConflictError(conflict, field=field) from error
