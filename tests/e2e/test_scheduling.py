"""Schedules over HTTP, on a farm that runs."""

from __future__ import annotations

import datetime as dt
import uuid
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from farms import eventually

RARELY = "0 0 29 2 *"


@pytest.fixture(scope="module")
def template(farm):
    body = {"name": f"scheduled-{uuid.uuid4()}", "content": "Dear {{ who }}", "engine": "jinja", "recipe": "text"}
    return farm.post("/odata/templates", body).json()["shortid"]


@pytest.fixture
def schedule(farm, template):
    """A function that makes schedules; what it made is removed after the test."""
    made = []

    def make(**changes):
        body = {"name": f"s-{uuid.uuid4()}", "cron": RARELY, "templateShortid": template, "data": {"who": "Ada"}}
        answer = farm.post("/odata/schedules", body | changes)
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["_id"])
        return answer.json()

    yield make
    for schedule_id in made:
        farm.request("DELETE", f"/odata/schedules('{schedule_id}')")


def address(schedule):
    return f"/odata/schedules('{schedule['_id']}')"


def change(farm, schedule, **changes):
    return farm.request("PATCH", address(schedule), json=changes)


def task_when(farm, task_id, *states):
    def look():
        task = farm.get(f"/odata/tasks('{task_id}')").json()
        return task if task["state"] in states else None

    return eventually(look, what=f"task {task_id} in {states}")


def run_now(farm, schedule_id):
    return farm.post("/api/scheduling/runNow", {"scheduleId": schedule_id})


def test_a_schedule_is_stored_with_its_next_run_and_read_back(farm, template):
    body = {
        "name": f"monthly-{uuid.uuid4()}",
        "cron": "30 2 1 * *",
        "timezone": "Europe/Vienna",
        "templateShortid": template,
        "data": '{"who": "Ada"}',
        "allowOverlap": True,
        "maxRetries": 3,
        "retryDelay": 90,
    }

    answer = farm.post("/odata/schedules", body)

    assert (answer.status_code, answer.headers["OData-Version"]) == (201, "4.0")
    stored = farm.get(answer.headers["Location"]).json()
    assert stored.items() >= (body | {"data": {"who": "Ada"}, "enabled": True}).items()
    assert dt.datetime.fromisoformat(stored["nextRun"]) > dt.datetime.fromisoformat(stored["creationDate"])
    assert farm.request("DELETE", answer.headers["Location"]).status_code == 204
    assert farm.get(answer.headers["Location"]).status_code == 404
    assert farm.request("DELETE", answer.headers["Location"]).status_code == 404


def test_what_is_not_said_has_the_usual_value(farm, schedule):
    stored = schedule()

    usual = {"timezone": "UTC", "enabled": True, "allowOverlap": False, "maxRetries": 0, "retryDelay": 60}
    assert stored.items() >= usual.items()


def test_a_schedule_is_changed_paused_and_enabled_again(farm, schedule):
    made = schedule()

    assert change(farm, made, cron="0 0 1 1 *", data=None, retryDelay=5).status_code == 204
    changed = farm.get(address(made)).json()
    assert (changed["cron"], changed["data"], changed["retryDelay"]) == ("0 0 1 1 *", None, 5)
    assert changed["nextRun"] != made["nextRun"]
    assert (changed["name"], changed["templateShortid"]) == (made["name"], made["templateShortid"])

    change(farm, made, enabled=False)
    assert farm.get(address(made)).json()["nextRun"] is None
    change(farm, made, enabled=True)
    assert farm.get(address(made)).json()["nextRun"] == changed["nextRun"]


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"cron": "0 0 30 2 *"}, "cron", "the day-of-month '30' comes in no month of '2'"),
        ({"cron": "*/0 * * * *"}, "cron", "the minute is '*/0'"),
        ({"cron": "\u0663 * * * *"}, "cron", "expected 5 fields"),
        ({"cron": "1" * 10_000}, "cron", "10000 characters"),
        ({"cron": None}, "cron", "expected a text"),
        ({"timezone": "europe/vienna"}, "timezone", "did you mean Europe/Vienna?"),
        ({"templateShortid": "nope"}, "templateShortid", "'nope'"),
        ({"data": [1]}, "data", "an object"),
        ({"data": "[1]"}, "data", "an object"),
        ({"enabled": None}, "enabled", "true or false"),
        ({"maxRetries": 11}, "maxRetries", "10"),
        ({"maxRetries": -1}, "maxRetries", "0"),
        ({"retryDelay": -1}, "retryDelay", "0"),
        ({"retryDelay": "5m"}, "retryDelay", "number"),
        ({"name": ""}, "name", "1"),
        ({"nextrun": None}, "nextrun", "not a known field"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name_when_it_is_stored_and_when_it_is_changed(
    farm, schedule, template, changes, field, said
):
    new = farm.post("/odata/schedules", {"name": "x", "cron": RARELY, "templateShortid": template} | changes)
    changed = change(farm, schedule(), **changes)

    for answer in (new, changed):
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["target"] == field
        assert said in answer.json()["error"]["message"]


def test_a_name_that_is_taken_is_a_conflict(farm, schedule):
    first, second = schedule(), schedule()

    body = {"name": first["name"], "cron": RARELY, "templateShortid": first["templateShortid"]}
    for answer in (change(farm, second, name=first["name"]), farm.post("/odata/schedules", body)):
        assert answer.status_code == 409
        assert answer.json()["error"]["target"] == "name"
    # Which of the two is taken is not told.
    both = farm.post("/odata/schedules", {**body, "shortid": first["shortid"]})
    assert (both.status_code, both.json()["error"].get("target")) == (409, None)


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_tasks_are_only_read(farm, method):
    path = "/odata/tasks" if method == "POST" else "/odata/tasks('some')"

    answer = farm.request(method, path, json={})

    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "405"
    assert "GET" in answer.headers["Allow"]


def test_a_schedule_run_now_makes_a_report_that_names_its_task_and_a_trace(farm, schedule):
    made = schedule(enabled=False)

    answer = run_now(farm, made["_id"])

    assert answer.status_code == 200, answer.text
    task = answer.json()
    assert (task["scheduleId"], task["scheduleShortid"], task["attempt"]) == (made["_id"], made["shortid"], 1)
    assert task["traceId"] == answer.headers["X-Trace-Id"]
    ended = task_when(farm, task["_id"], "success", "error")
    assert (ended["state"], ended["error"]) == ("success", None)
    assert ended["finishDate"] >= ended["dueDate"]
    (report,) = farm.get(f"/odata/reports?$filter=taskId eq '{task['_id']}'").json()["value"]
    assert (report["reportName"], report["state"]) == (made["name"], "success")
    assert farm.get(f"/reports/{report['_id']}/content").text == "Dear Ada"
    assert task["_id"] in farm.command("trace", task["traceId"]).stdout


def test_run_now_takes_a_shortid_and_refuses_what_it_does_not_know(farm, schedule):
    assert run_now(farm, schedule()["shortid"]).status_code == 200
    assert run_now(farm, "nope").status_code == 404
    assert farm.post("/api/scheduling/runNow", {}).json()["field"] == "scheduleId"


def test_a_second_run_is_refused_while_the_first_goes_on(farm, schedule):
    # Seconds of template: a child that is at work on it hears of no cancelling, and the farm is other tests', too.
    slow = "{% for a in range(30000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}"
    body = {"name": f"slow-{uuid.uuid4()}", "content": slow, "engine": "jinja", "recipe": "text"}
    made = schedule(templateShortid=farm.post("/odata/templates", body).json()["shortid"])
    first = run_now(farm, made["_id"]).json()

    second = run_now(farm, made["_id"])

    assert second.status_code == 409
    assert "has not ended" in second.json()["message"]
    # A person removes the report of the run that goes on: that cancels it.
    (report,) = farm.get(f"/odata/reports?$filter=taskId eq '{first['_id']}'").json()["value"]
    assert farm.request("DELETE", f"/odata/reports('{report['_id']}')").status_code == 204
    assert task_when(farm, first["_id"], "cancelled", "success", "error")["state"] == "cancelled"


def test_a_failed_run_tells_why(farm, schedule):
    body = {"name": f"bad-{uuid.uuid4()}", "content": "{{ nothing.at.all }}", "engine": "jinja", "recipe": "text"}
    made = schedule(templateShortid=farm.post("/odata/templates", body).json()["shortid"], maxRetries=3)

    task = task_when(farm, run_now(farm, made["_id"]).json()["_id"], "success", "error")

    # The template's fault: another try would not help.
    assert (task["state"], task["attempt"]) == ("error", 1)
    assert "nothing" in task["error"]


def test_a_schedule_runs_by_itself(farm, schedule):
    made = schedule(cron="* * * * * *")

    def look():
        found = farm.get(f"/odata/tasks?$filter=scheduleId eq '{made['_id']}' and state eq 'success'").json()["value"]
        return found if len(found) >= 2 else None

    tasks = eventually(look, what="two runs that went well")
    assert len({task["dueDate"] for task in tasks}) == len(tasks)
    assert all(task["traceId"] != tasks[0]["traceId"] for task in tasks[1:])
    line = next(line for line in farm.logged().splitlines() if "schedule fired" in line and tasks[0]["_id"] in line)
    assert tasks[0]["traceId"] in line
    assert "late_ms" in line


def next_run(farm, cron, **options):
    return farm.get(f"/api/scheduling/nextRun/{quote(cron, safe='')}", **options)


def test_the_next_run_of_a_line_can_be_asked_as_jsreports_studio_does(farm):
    answer = next_run(farm, "*/15 0 1 1 *")

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    asked = dt.datetime.fromisoformat(answer.json())
    assert (asked.month, asked.day, asked.hour, asked.utcoffset()) == (1, 1, 0, dt.timedelta(0))
    in_kolkata = dt.datetime.fromisoformat(next_run(farm, "*/15 0 1 1 *", params={"timezone": "Asia/Kolkata"}).json())
    assert asked - in_kolkata == dt.timedelta(hours=5, minutes=30)
    assert farm.get("/api/scheduling/nextRun/*/15 0 1 1 *").json() == answer.json()


@pytest.mark.parametrize(
    ("cron", "params", "field"),
    [
        ("0 0 30 2 *", {}, "cron"),
        ("*//5 * * * *", {}, "cron"),
        ("MON#9 * * * *", {}, "cron"),
        ("1" * 3000, {}, "cron"),
        ("* * * * *", {"timezone": "Mars"}, "timezone"),
        ("* * * * *", {"zone": "UTC"}, "zone"),
    ],
)
def test_a_line_that_has_no_next_run_is_refused(farm, cron, params, field):
    answer = next_run(farm, cron, params=params)

    assert (answer.status_code, answer.json()["field"]) == (400, field)


PREVIEW = "/api/v1/schedule/preview"


def test_a_line_is_shown_in_words_with_its_next_runs(farm):
    answer = farm.get(PREVIEW, params={"cron": "30 7 * * MON-FRI", "timezone": "Europe/Vienna"})

    assert answer.status_code == 200, answer.text
    shown = answer.json()["data"]
    runs = [dt.datetime.fromisoformat(one) for one in shown.pop("next")]
    assert shown == {
        "cron": "30 7 * * MON-FRI", "timezone": "Europe/Vienna", "inWords": "At 07:30, Monday through Friday"
    }  # fmt: skip
    assert len(runs) == 5
    assert runs == sorted(set(runs))
    local = [one.astimezone(ZoneInfo("Europe/Vienna")) for one in runs]
    assert {(one.hour, one.minute) for one in local} == {(7, 30)}
    assert all(one.weekday() < 5 for one in local)
    assert runs[0] == dt.datetime.fromisoformat(
        next_run(farm, "30 7 * * MON-FRI", params={"timezone": "Europe/Vienna"}).json()
    )


def test_a_line_is_shown_in_german_with_as_many_runs_as_are_wanted(farm):
    shown = farm.get(PREVIEW, params={"cron": "0 8 L * *", "count": 50, "locale": "de"}).json()["data"]
    assert (len(shown["next"]), shown["timezone"]) == (50, "UTC")
    assert shown["inWords"] == "Um 08:00, am letzten Tag des Monats"
    assert farm.get(PREVIEW, params={"cron": "0 0 */2 * 1"}).json()["data"]["inWords"] is None


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "cron is missing"),
        ({"cron": "0 0 30 2 *"}, "cron: the day-of-month '30' comes in no month of '2'"),
        ({"cron": "every day"}, "cron is 'every day': expected 5 fields"),
        ({"cron": "* * * * *", "timezone": "Mars"}, "timezone is 'Mars'"),
        ({"cron": "* * * * *", "count": 51}, "count is '51': expected less than or equal to 50"),
        ({"cron": "* * * * *", "count": 0}, "count is '0'"),
        ({"cron": "* * * * *", "locale": "fr"}, "locale is 'fr': expected 'en' or 'de'"),
        ({"cron": "* * * * *", "zone": "UTC"}, "zone is not a known query parameter"),
    ],
)
def test_a_preview_of_what_is_no_line_is_refused_by_its_field(farm, params, said):
    refused = farm.get(PREVIEW, params=params)
    assert refused.status_code == 400
    assert said in refused.json()["errors"][0]
