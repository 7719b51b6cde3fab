"""However many beats ring and workers look: each time of a schedule is one task and one report."""

from __future__ import annotations

import collections
import datetime as dt
import uuid

import pytest
from farms import Farm, eventually
from services import Valkey
from sqlalchemy import select

from shared.database import Database
from shared.models import Report, Task

ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
SECOND = dt.timedelta(seconds=1)
CLOCKS = ("beat", "second-beat", "small-worker", "second-small-worker")


def run_doubled(farm):
    """Start every process of a farm, with two beats and two of the workers that they ring for."""
    assert farm.command("migrate").returncode == 0
    farm.run_workers()
    run_clocks(farm)
    farm.run_gateway()
    farm.until_ready()


def run_clocks(farm):
    farm.run_caretakers()
    farm.run("second-small-worker", "worker", "--queues", "maintenance", "--threads", "4", "--name", "small-2")
    farm.run("second-beat", "beat")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def doubled(request, tmp_path_factory):
    """A farm on each database, with two of what must not fire twice."""
    home = tmp_path_factory.mktemp("farm")
    url = f"sqlite:///{home / 'pressroom.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").new_database()
    database = Database(url)
    with Valkey() as broker:
        farm = Farm(
            home,
            PRESSROOM_BROKER_URL=broker.url,
            PRESSROOM_DATABASE_URL=url,
            # More often than once a second, so that the four of them meet.
            PRESSROOM_SCHEDULE_INTERVAL="0.2",
            PRESSROOM_RENDER_TIMEOUT="1",
        )
        try:
            run_doubled(farm)
            yield farm, database
        finally:
            farm.stop()
            database.close()


def stored(farm, set_name, **body):
    answer = farm.post(f"/odata/{set_name}", body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def schedule(farm, *, content="hello", **changes):
    name = str(uuid.uuid4())
    template = stored(farm, "templates", name=name, content=content, engine="jinja", recipe="text")
    body = {"name": name, "cron": "* * * * * *", "templateShortid": template["shortid"]}
    return stored(farm, "schedules", **body, **changes)["_id"]


def tasks(database, schedule_id):
    with database.reading() as session:
        return session.scalars(select(Task).where(Task.schedule_id == schedule_id).order_by(Task.due_at)).all()


def reports(database, found):
    """Return how many reports there are of each of some tasks."""
    with database.reading() as session:
        named = select(Report.task_id).where(Report.task_id.in_([task.id for task in found]))
        return collections.Counter(session.scalars(named))


def pause(farm, schedule_id, *, enabled=False):
    address = f"/odata/schedules('{schedule_id}')"
    assert farm.request("PATCH", address, json={"enabled": enabled}).status_code == 204


def ended(database, schedule_id, *, least=1):
    def look():
        found = tasks(database, schedule_id)
        return found if len(found) >= least and all(task.finished_at for task in found) else None

    return eventually(look, seconds=60, what=f"the end of {least} tasks")


def moment(text):
    return dt.datetime.fromisoformat(text)


def coming_second(farm):
    """Return the first second that has not begun by the farm's clock."""
    return moment(farm.get("/api/scheduling/nextRun/* * * * * *").json())


@pytest.mark.timeout(240)
def test_two_beats_and_two_workers_fire_each_time_once_also_after_an_outage(doubled):
    farm, database = doubled
    every_second = schedule(farm, allowOverlap=True)

    eventually(lambda: len(tasks(database, every_second)) >= 5, seconds=60, what="five runs")
    # In the middle of it, and all at once.
    for name in CLOCKS:
        farm.kill(name)
    missed = moment(farm.get(f"/odata/schedules('{every_second}')").json()["nextRun"])
    eventually(lambda: coming_second(farm) - missed >= 4 * SECOND, what="four times at which nobody looks")
    before = len(tasks(database, every_second))
    run_clocks(farm)
    eventually(lambda: len(tasks(database, every_second)) >= before + 3, seconds=60, what="more runs")
    pause(farm, every_second)

    found = ended(database, every_second)
    assert {task.state for task in found} == {"success"}
    assert len({task.due_at for task in found}) == len(found)
    assert reports(database, found) == {task.id: 1 for task in found}
    # What was missed came once, and then what was next.
    assert found[before].due_at == missed
    assert found[before + 1].due_at - missed >= 4 * SECOND


@pytest.mark.timeout(240)
def test_a_run_that_times_out_is_tried_again_and_ends_in_error_after_its_last_try(doubled):
    farm, database = doubled
    endless = schedule(farm, content=ENDLESS, enabled=False, maxRetries=2, retryDelay=0.5)

    answer = farm.post("/api/scheduling/runNow", {"scheduleId": endless})

    assert answer.status_code == 200, answer.text
    (task,) = ended(database, endless)
    assert (task.state, task.attempt) == ("error", 3)
    assert "longer than its time limit" in task.error
    assert reports(database, [task]) == {task.id: 3}
    history = farm.get(f"/odata/reports?$filter=taskId eq '{task.id}'").json()["value"]
    assert [report["state"] for report in history] == ["error"] * 3
    assert {report["traceId"] for report in history} == {task.trace_id} == {answer.json()["traceId"]}


@pytest.mark.timeout(240)
def test_a_paused_schedule_does_not_fire_and_does_not_make_up_for_the_pause(doubled):
    farm, database = doubled
    every_second = schedule(farm)
    eventually(lambda: len(tasks(database, every_second)) >= 2, seconds=60, what="two runs")

    pause(farm, every_second)
    at_pause = ended(database, every_second)
    other = schedule(farm)
    eventually(lambda: len(tasks(database, other)) >= 3, seconds=60, what="three runs of another schedule")
    assert len(tasks(database, every_second)) == len(at_pause)

    resumed = coming_second(farm)
    pause(farm, every_second, enabled=True)
    again = eventually(lambda: tasks(database, every_second)[len(at_pause) :] or None, seconds=60, what="a run")
    for one in (every_second, other):
        pause(farm, one)
    assert again[0].due_at >= resumed
