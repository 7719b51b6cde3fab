"""A farm of which only the schedules are looked at: what the duty works on, and what became of it."""

from __future__ import annotations

import datetime as dt

import orders
from sqlalchemy import func, select, update

from shared import firing, renders, schedules, tasks
from shared.database import now
from shared.models import Schedule, Task
from shared.schedules import ScheduleFields
from shared.tasks import Submitter

NOON = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


class Rota:
    """What the duty works on, and what became of it."""

    def __init__(self, database, storage, settings):
        self.database = database
        self.settings = settings
        self.storage = storage
        self.published = []
        self.submitter = self.another_worker()

    def another_worker(self, database=None, storage=None):
        def publish(wake):
            self.published.append(wake.render_id)
            return True

        return Submitter(
            database=database or self.database,
            storage=storage or self.storage,
            settings=self.settings,
            publish=publish,
        )

    def schedule(self, *, at=NOON, **changes):
        values = {"name": "s", "cron": "*/5 * * * *", "template_shortid": "greeting"}
        with self.database.writing() as session:
            return schedules.create(session, ScheduleFields(**(values | changes)), at=at)

    def change(self, schedule, *, at=NOON, **changes):
        with self.database.writing() as session:
            return schedules.change(session, schedule.id, changes, at=at)

    def look(self, at=None):
        firing.look(self.submitter, at=at)

    def seen(self, schedule):
        with self.database.reading() as session:
            return session.get_one(Schedule, schedule.id)

    def tasks(self):
        with self.database.reading() as session:
            return session.scalars(select(Task).order_by(Task.due_at, Task.created_at)).all()

    def count(self, table):
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(table))

    def end(self, task, *, cause=None):
        """End the render of a task, well or for a cause."""
        row = orders.claimed(self.database, task.render_id)
        with self.database.writing() as session:
            if cause is None:
                assert renders.succeed(session, row.id, attempt=row.attempt, result=orders.result())
            else:
                assert renders.fail(session, row.id, attempt=row.attempt, cause=cause, error=f"no {cause}")

    def retry(self):
        """Let the time pass until the next tries, and look."""
        with self.database.writing() as session:
            session.execute(update(Task).where(Task.retry_at.is_not(None)).values(retry_at=now(-1)))
        tasks.retry(self.submitter)
