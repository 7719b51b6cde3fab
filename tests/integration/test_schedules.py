"""Schedules fire once for each time, whoever looks."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import orders
import pytest
from rota import MINUTE, NOON
from sqlalchemy import select, update

from shared import firing, schedules
from shared.database import Database, now
from shared.exceptions import ConflictError, InvalidRequestError, NotFoundError
from shared.models import Render, Report, Schedule, Template
from shared.storage import StorageError
from shared.tasks import Submitter


def test_a_schedule_knows_its_next_run_only_while_it_is_enabled(farm):
    schedule = farm.schedule()
    assert schedule.next_run_at == NOON + 5 * MINUTE

    assert farm.change(schedule, enabled=False).next_run_at is None
    assert farm.change(schedule, enabled=True, at=NOON + 61 * MINUTE).next_run_at == NOON + 65 * MINUTE
    assert farm.schedule(name="off", enabled=False).next_run_at is None


def test_without_a_moment_the_next_run_is_counted_from_the_databases_clock(farm):
    schedule = farm.schedule(cron="* * * * * *", at=None)

    with farm.database.reading() as session:
        assert schedule.next_run_at - session.scalar(select(now())) < dt.timedelta(seconds=2)


def test_new_times_move_the_next_run_and_other_changes_do_not(farm):
    schedule = farm.schedule()
    later = NOON + 60 * MINUTE

    assert farm.change(schedule, at=later, data="{}", name="other").next_run_at == NOON + 5 * MINUTE
    assert farm.change(schedule, at=later, cron="*/5 * * * *").next_run_at == NOON + 5 * MINUTE
    assert farm.change(schedule, at=later, cron="30 * * * *").next_run_at == NOON + 90 * MINUTE
    changed = farm.change(schedule, at=later, timezone="Asia/Kolkata")
    assert changed.next_run_at == NOON + 120 * MINUTE
    assert changed.modified_at > schedule.modified_at


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"cron": "0 0 30 2 *", "enabled": False}, "cron"),
        ({"timezone": "Europe/Wien"}, "timezone"),
        ({"template_shortid": "gone"}, "templateShortid"),
        ({"template_shortid": "\0"}, "templateShortid"),
    ],
)
def test_a_schedule_that_could_not_run_is_refused_and_names_the_field(farm, changes, field):
    with pytest.raises(InvalidRequestError) as new:
        farm.schedule(**changes)
    schedule = farm.schedule()
    with pytest.raises(InvalidRequestError) as changed:
        farm.change(schedule, **changes)

    assert new.value.field == changed.value.field == field
    assert farm.seen(schedule).cron == "*/5 * * * *"


def test_a_second_schedule_of_a_name_is_refused(farm):
    farm.schedule()
    second = farm.schedule(name="second")

    with pytest.raises(ConflictError, match="'s'"):
        farm.schedule()
    for more in ({}, {"cron": "30 * * * *"}, {"template_shortid": "greeting"}):
        with pytest.raises(ConflictError, match="'s'"):
            farm.change(second, name="s", **more)


def test_of_many_who_remove_or_change_a_schedule_at_once_one_removes_it_and_none_fails_otherwise(farm):
    schedule = farm.schedule()
    at_once = threading.Barrier(6)

    def work(number):
        at_once.wait()
        try:
            if number % 2:
                farm.change(schedule, data="{}")
                return "changed"
            with farm.database.writing() as session:
                schedules.remove(session, schedule.id)
        except NotFoundError:
            return "too late"
        return "removed"

    with ThreadPoolExecutor(6) as threads:
        did = list(threads.map(work, range(6)))

    assert did.count("removed") == 1


def test_a_schedule_is_found_by_its_id_and_where_it_is_allowed_by_its_shortid(farm):
    schedule = farm.schedule()

    with farm.database.reading() as session:
        assert schedules.find(session, schedule.id).id == schedule.id
        assert schedules.find(session, schedule.shortid, or_shortid=True).id == schedule.id
        for unknown in (schedule.shortid, "nope", "\0"):
            with pytest.raises(NotFoundError):
                schedules.find(session, unknown)


def test_a_due_schedule_becomes_a_task_a_render_and_a_report(farm):
    schedule = farm.schedule(data='{"a":1}')

    farm.look(NOON + 5 * MINUTE)

    (task,) = farm.tasks()
    assert (task.state, task.attempt, task.due_at) == ("planned", 1, NOON + 5 * MINUTE)
    assert (task.schedule_id, task.schedule_shortid) == (schedule.id, schedule.shortid)
    render = orders.row(farm.database, task.render_id)
    assert (render.data, render.trace_id, farm.published) == ('{"a":1}', task.trace_id, [render.id])
    with farm.database.reading() as session:
        report = session.scalars(select(Report)).one()
    assert (report.task_id, report.name, report.template_shortid) == (task.id, "s", "greeting")
    assert farm.seen(schedule).next_run_at == NOON + 10 * MINUTE


def test_nothing_fires_before_its_time_or_while_it_is_paused(farm):
    paused = farm.schedule(name="paused")
    farm.change(paused, enabled=False)
    farm.schedule()

    farm.look(NOON + 5 * MINUTE - dt.timedelta(seconds=1))

    assert farm.tasks() == []


def test_what_was_missed_is_made_up_for_once(farm):
    schedule = farm.schedule()
    back = NOON + 187 * MINUTE

    for _ in range(3):
        farm.look(back)

    assert [task.due_at for task in farm.tasks()] == [NOON + 5 * MINUTE]
    assert farm.seen(schedule).next_run_at == NOON + 190 * MINUTE


@pytest.mark.parametrize("cron", ["30 2 * * *", "0 30 2 * * *"])
@pytest.mark.parametrize(("first", "due"), [("2026-03-28", "2026-03-29 01:00"), ("2026-10-24", "2026-10-25 00:30")])
def test_a_job_at_half_past_two_runs_once_on_the_days_of_the_change(farm, cron, first, due):
    began = dt.datetime.fromisoformat(f"{first} 12:00+00:00")
    farm.schedule(at=began, cron=cron, timezone="Europe/Vienna", allow_overlap=True)

    for minutes in range(0, 24 * 60, 10):
        farm.look(began + minutes * MINUTE)

    assert [task.due_at for task in farm.tasks()] == [dt.datetime.fromisoformat(f"{due}+00:00")]


def test_many_workers_at_once_fire_a_time_once(farm):
    for number in range(5):
        farm.schedule(name=f"s{number}", cron="0 * * * *")
    workers = 6
    databases = [Database(farm.database.engine.url.render_as_string(hide_password=False)) for _ in range(workers)]
    at_once = threading.Barrier(workers)

    def work(database):
        submitter = farm.another_worker(database)
        for hour in range(1, 5):
            at_once.wait()
            firing.look(submitter, at=NOON + 60 * hour * MINUTE)
        database.close()

    with farm.database.writing() as session:
        session.execute(update(Schedule).values(allow_overlap=True))
    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(work, databases))

    found = farm.tasks()
    assert len(found) == len({(task.schedule_id, task.due_at) for task in found}) == 20
    assert {task.due_at for task in found} == {NOON + 60 * hour * MINUTE for hour in range(1, 5)}
    assert farm.count(Render) == farm.count(Report) == len(farm.published) == 20


def test_a_schedule_that_was_changed_after_it_was_seen_is_not_fired_from_what_was_seen(farm):
    seen = farm.schedule()
    farm.change(seen, data='{"new":1}')

    assert firing._fire_one(farm.submitter, seen, NOON + 5 * MINUTE, {}) is False

    assert (farm.tasks(), farm.count(Render), farm.count(Report)) == ([], 0, 0)
    farm.look(NOON + 5 * MINUTE)
    assert orders.row(farm.database, farm.tasks()[0].render_id).data == '{"new":1}'


def test_a_time_that_comes_again_because_a_clock_was_set_back_is_passed_over(farm):
    schedule = farm.schedule(allow_overlap=True)
    farm.look(NOON + 5 * MINUTE)
    with farm.database.writing() as session:
        session.execute(update(Schedule).values(next_run_at=NOON + 5 * MINUTE))

    farm.look(NOON + 5 * MINUTE)

    assert (len(farm.tasks()), farm.count(Render)) == (1, 1)
    assert farm.seen(schedule).next_run_at == NOON + 10 * MINUTE


def test_a_run_that_goes_on_lets_the_next_time_be_skipped_and_told_of(farm):
    schedule = farm.schedule()
    farm.look(NOON + 5 * MINUTE)

    farm.look(NOON + 10 * MINUTE)

    first, second = farm.tasks()
    assert (second.state, second.due_at, second.render_id) == ("cancelled", NOON + 10 * MINUTE, None)
    assert second.error == "skipped: the run of 2026-06-01T12:05:00Z has not ended"
    assert second.finished_at is not None
    assert farm.seen(schedule).next_run_at == NOON + 15 * MINUTE
    farm.end(first)
    farm.look(NOON + 15 * MINUTE)
    assert [task.state for task in farm.tasks()] == ["success", "cancelled", "planned"]


def test_a_schedule_that_may_overlap_does(farm):
    farm.schedule(allow_overlap=True)

    for minutes in (5, 10):
        farm.look(NOON + minutes * MINUTE)

    assert [task.state for task in farm.tasks()] == ["planned", "planned"]
    assert farm.count(Render) == 2


def test_one_schedules_run_does_not_stand_in_anothers_way(farm):
    farm.schedule(cron="5 12 * * *")
    farm.schedule(name="other", cron="10 12 * * *")

    for minutes in (5, 10):
        farm.look(NOON + minutes * MINUTE)

    assert [task.state for task in farm.tasks()] == ["planned", "planned"]


def test_a_template_that_is_gone_is_the_tasks_error_and_the_schedule_goes_on(farm, template):
    schedule = farm.schedule()
    with farm.database.writing() as session:
        session.delete(session.get_one(Template, template.id))

    for minutes in (5, 6, 10):
        farm.look(NOON + minutes * MINUTE)

    assert [(task.state, task.due_at) for task in farm.tasks()] == [
        ("error", NOON + 5 * MINUTE),
        ("error", NOON + 10 * MINUTE),
    ]
    assert "'greeting'" in farm.tasks()[0].error
    assert farm.seen(schedule).next_run_at == NOON + 15 * MINUTE


def test_a_recipe_that_no_worker_can_make_is_the_tasks_error(farm):
    orders.sign(farm.database, recipes={"html": "a library is missing", "text": "ok"})
    farm.schedule()

    farm.look(NOON + 5 * MINUTE)

    assert [task.state for task in farm.tasks()] == ["error"]
    assert "a library is missing" in farm.tasks()[0].error


class Broken:
    def __init__(self, error):
        self.error = error

    def put(self, *_, **__):
        raise self.error


def test_a_storage_that_is_away_keeps_no_schedule_from_firing(farm):
    farm.schedule(data='{"t":"' + "x" * 200 + '"}')
    broken = farm.another_worker(storage=Broken(StorageError("away")))

    firing.look(broken, at=NOON + 5 * MINUTE)

    [task] = farm.tasks()
    assert (task.state, orders.row(farm.database, task.render_id).data_key) == ("planned", None)


def test_a_firing_that_is_killed_while_it_stores_its_data_moves_nothing_and_is_done_by_the_next_look(farm):
    schedule = farm.schedule(data='{"t":"' + "x" * 200 + '"}')
    broken = farm.another_worker(storage=Broken(SystemExit("killed")))

    with pytest.raises(SystemExit, match="killed"):
        firing.look(broken, at=NOON + 5 * MINUTE)

    assert (farm.tasks(), farm.count(Render)) == ([], 0)
    assert farm.seen(schedule).next_run_at == NOON + 5 * MINUTE
    farm.look(NOON + 5 * MINUTE)
    assert [task.state for task in farm.tasks()] == ["planned"]


def test_a_worker_that_is_killed_before_it_commits_leaves_nothing(farm, monkeypatch):
    schedule = farm.schedule()

    def killed(*_, **__):
        raise SystemExit

    with monkeypatch.context() as patched:
        # After the schedule was moved on, and before the task is written.
        patched.setattr(firing, "_task", killed)
        with pytest.raises(SystemExit):
            farm.look(NOON + 5 * MINUTE)

    assert (farm.tasks(), farm.count(Render), farm.count(Report)) == ([], 0, 0)
    assert farm.seen(schedule).next_run_at == NOON + 5 * MINUTE


def test_a_worker_that_is_killed_before_it_publishes_has_fired(farm):
    farm.schedule()

    def killed(_):
        raise SystemExit

    dying = Submitter(database=farm.database, storage=farm.storage, settings=farm.settings, publish=killed)
    with pytest.raises(SystemExit):
        firing.look(dying, at=NOON + 5 * MINUTE)

    farm.look(NOON + 6 * MINUTE)

    (task,) = farm.tasks()
    # The reconciler announces what was not.
    assert orders.row(farm.database, task.render_id).state == "queued"
