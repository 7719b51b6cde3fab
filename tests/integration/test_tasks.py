"""The tasks of schedules tell how each run ended, and try again what may be cured."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import orders
import pytest
from rota import MINUTE, NOON
from sqlalchemy import event, select, update

from shared import firing, renders, schedules, tasks
from shared.database import Database, now
from shared.exceptions import ConflictError, NotFoundError
from shared.models import Render, Report, Task, Template
from shared.renders import Cause


def test_a_task_says_how_its_render_is_doing(farm):
    farm.schedule()
    farm.look(NOON + 5 * MINUTE)
    (task,) = farm.tasks()
    row = orders.claimed(farm.database, task.render_id)
    farm.look(NOON)
    assert farm.tasks()[0].state == "running"

    with farm.database.writing() as session:
        renders.lose(session, row, reason="killed", max_losses=3)
    farm.look(NOON)
    assert farm.tasks()[0].state == "planned"

    farm.end(task)
    farm.look(NOON)
    (task,) = farm.tasks()
    assert (task.state, task.error) == ("success", None)
    assert task.finished_at == orders.row(farm.database, task.render_id).finished_at


@pytest.mark.parametrize("cause", [Cause.TEMPLATE, Cause.DATA])
def test_what_only_the_caller_can_mend_is_not_tried_again(farm, cause):
    farm.schedule(max_retries=3)
    farm.look(NOON + 5 * MINUTE)
    farm.end(farm.tasks()[0], cause=cause)

    farm.look(NOON + 6 * MINUTE)

    (task,) = farm.tasks()
    assert (task.state, task.error, task.retry_at) == ("error", f"no {cause}", None)
    assert task.finished_at is not None


@pytest.mark.parametrize("cause", [Cause.ENGINE, Cause.TIMEOUT, Cause.MEMORY, Cause.STORAGE, Cause.POISONED])
def test_what_another_try_may_cure_is_tried_as_often_as_the_schedule_says_each_time_later(farm, cause):
    farm.schedule(max_retries=2, retry_delay=60)
    farm.look(NOON + 5 * MINUTE)
    made, waited = [], []

    for _ in range(2):
        (task,) = farm.tasks()
        made.append(task.render_id)
        farm.end(task, cause=cause)
        farm.look(NOON)
        (task,) = farm.tasks()
        assert (task.state, task.error, task.finished_at) == ("planned", f"no {cause}", None)
        waited.append(task.retry_at - orders.row(farm.database, task.render_id).finished_at)
        farm.look(NOON)
        assert farm.tasks()[0].render_id == task.render_id
        farm.retry()
        assert farm.tasks()[0].render_id != task.render_id
    (task,) = farm.tasks()
    farm.end(task, cause=cause)
    farm.look(NOON)

    (task,) = farm.tasks()
    assert (task.state, task.attempt, task.error) == ("error", 3, f"no {cause}")
    assert [round(one.total_seconds()) for one in waited] == [60, 120]
    with farm.database.reading() as session:
        history = session.scalars(select(Report.render_id).where(Report.task_id == task.id).order_by(Report.id)).all()
    assert history == [*made, task.render_id]


def test_a_retry_that_works_leaves_a_task_without_error(farm):
    farm.schedule(max_retries=1)
    farm.look(NOON + 5 * MINUTE)
    farm.end(farm.tasks()[0], cause=Cause.TIMEOUT)
    farm.look(NOON)
    farm.retry()

    farm.end(farm.tasks()[0])
    farm.look(NOON)

    (task,) = farm.tasks()
    assert (task.state, task.attempt, task.error) == ("success", 2, None)


def test_many_workers_at_once_try_a_task_again_once(farm):
    farm.schedule(max_retries=10, retry_delay=0)
    farm.look(NOON + 5 * MINUTE)
    workers = 6
    databases = [Database(farm.database.engine.url.render_as_string(hide_password=False)) for _ in range(workers)]
    at_once = threading.Barrier(workers)

    def work(database):
        submitter = farm.another_worker(database)
        for _ in range(3):
            if at_once.wait() == 0:
                farm.end(farm.tasks()[0], cause=Cause.TIMEOUT)
            at_once.wait()
            tasks.follow(database)
            at_once.wait()
            tasks.retry(submitter)
        database.close()

    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(work, databases))

    (task,) = farm.tasks()
    assert task.attempt == farm.count(Render) == farm.count(Report) == len(farm.published) == 4


def test_a_try_that_waits_ends_when_the_schedule_is_removed_and_its_history_stays(farm):
    schedule = farm.schedule(max_retries=1)
    farm.look(NOON + 5 * MINUTE)
    farm.end(farm.tasks()[0], cause=Cause.TIMEOUT)
    farm.look(NOON)
    with farm.database.writing() as session:
        schedules.remove(session, schedule.id)

    farm.retry()

    (task,) = farm.tasks()
    assert (task.state, task.retry_at) == ("cancelled", None)
    assert "removed" in task.error
    assert task.finished_at is not None


def test_a_try_whose_template_is_gone_ends_in_that_error(farm, template):
    farm.schedule(max_retries=1)
    farm.look(NOON + 5 * MINUTE)
    farm.end(farm.tasks()[0], cause=Cause.TIMEOUT)
    farm.look(NOON)
    with farm.database.writing() as session:
        session.delete(session.get_one(Template, template.id))

    farm.retry()

    (task,) = farm.tasks()
    assert (task.state, task.attempt) == ("error", 1)
    assert "'greeting'" in task.error


def test_a_run_whose_report_is_cancelled_or_gone_is_cancelled(farm):
    farm.schedule(allow_overlap=True)
    farm.look(NOON + 5 * MINUTE)
    farm.look(NOON + 10 * MINUTE)
    first, second = farm.tasks()
    with farm.database.writing() as session:
        renders.cancel(session, first.render_id)
        session.delete(session.scalars(select(Report).where(Report.render_id == second.render_id)).one())
        session.flush()
        session.delete(session.get_one(Render, second.render_id))

    farm.look(NOON)

    assert [(task.state, task.finished_at is not None) for task in farm.tasks()] == [("cancelled", True)] * 2


def test_a_run_of_a_removed_schedule_is_brought_to_its_end(farm):
    schedule = farm.schedule(max_retries=3)
    farm.look(NOON + 5 * MINUTE)
    with farm.database.writing() as session:
        schedules.remove(session, schedule.id)

    farm.end(farm.tasks()[0], cause=Cause.TIMEOUT)
    farm.look(NOON)

    assert [task.state for task in farm.tasks()] == ["error"]


def test_a_schedule_can_be_run_now_also_while_it_is_paused(farm):
    schedule = farm.schedule(enabled=False)

    task = firing.run_now(farm.submitter, schedule.shortid, trace_id="a" * 32)

    assert (task.state, task.trace_id, task.schedule_id) == ("planned", "a" * 32, schedule.id)
    assert farm.published == [task.render_id]
    assert orders.row(farm.database, task.render_id).trace_id == "a" * 32
    assert farm.seen(schedule).next_run_at is None


def test_a_second_run_now_is_refused_while_the_first_goes_on_unless_it_may_overlap(farm):
    schedule = farm.schedule()
    firing.run_now(farm.submitter, schedule.id, trace_id="t")

    with pytest.raises(ConflictError, match="has not ended"):
        firing.run_now(farm.submitter, schedule.id, trace_id="t")

    assert (len(farm.tasks()), farm.count(Render)) == (1, 1)
    farm.change(schedule, allow_overlap=True)
    firing.run_now(farm.submitter, schedule.id, trace_id="t")
    assert len(farm.tasks()) == 2


def test_many_who_run_a_schedule_now_at_once_begin_one_run(farm):
    schedule = farm.schedule()
    workers = 6
    at_once = threading.Barrier(workers)

    def run(_):
        at_once.wait()
        try:
            return firing.run_now(farm.submitter, schedule.id, trace_id="t").id
        except ConflictError:
            return None

    with ThreadPoolExecutor(workers) as threads:
        begun = [task_id for task_id in threads.map(run, range(workers)) if task_id]

    assert len(begun) == len(farm.tasks()) == farm.count(Render) == 1


def test_run_now_of_an_unknown_schedule_is_refused(farm):
    with pytest.raises(NotFoundError, match="'nope'"):
        firing.run_now(farm.submitter, "nope", trace_id="t")


def test_old_ended_tasks_go_and_young_and_active_ones_stay(farm):
    farm.schedule(allow_overlap=True)
    for minutes in (5, 10, 15):
        farm.look(NOON + minutes * MINUTE)
    old, young, active = farm.tasks()
    farm.end(old)
    farm.end(young)
    farm.look(NOON)
    long_ago = now(-farm.settings.tasks_keep - 1)
    with farm.database.writing() as session:
        session.execute(update(Task).where(Task.id != young.id).values(created_at=long_ago))
        session.execute(update(Task).where(Task.id == old.id).values(finished_at=long_ago))

    farm.look(NOON)

    assert [task.id for task in farm.tasks()] == [young.id, active.id]


def test_a_look_at_a_farm_where_nothing_is_due_is_one_query(farm):
    schedule = farm.schedule()
    farm.look(NOON + 5 * MINUTE)
    farm.schedule(name="another")
    asked = []

    @event.listens_for(farm.database.engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, *_):
        asked.append(statement.split()[0])

    farm.look(NOON + 4 * MINUTE)

    assert [word for word in asked if word not in ("BEGIN", "COMMIT", "ROLLBACK")] == ["SELECT"]
    assert farm.seen(schedule).next_run_at == NOON + 10 * MINUTE
