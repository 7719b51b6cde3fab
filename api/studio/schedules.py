"""Schedules: when which template is rendered by itself, and what became of each run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, request, url_for

from api.studio import cron_lines
from api.studio.asking import RefusedError, ask, path
from api.studio.forms import done
from api.studio.lists import PAGE_SIZE
from api.studio.odata import either, entity, quoted
from api.studio.pages import action, page

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flask.typing import ResponseReturnValue

SCHEDULES, TASKS = "/odata/schedules", "/odata/tasks"
FILTERS = ("enabled", "lastState", "template")
RUNS_PER_PAGE = 15
# Each try of a run has a report of its own.
MOST_REPORTS = 200
NOT_FOUND = 404


def register(studio: Blueprint) -> None:
    """Add the pages."""
    studio.add_url_rule("/schedules", "schedules", listing)
    studio.add_url_rule("/schedules/<schedule_id>", "schedule", schedule)
    studio.add_url_rule("/schedules/<schedule_id>/run", "run_schedule", action(run), methods=["POST"])
    studio.add_url_rule("/schedules/<schedule_id>/enable", "enable_schedule", action(enable), methods=["POST"])
    studio.add_url_rule("/schedules/<schedule_id>/remove", "remove_schedule", action(remove), methods=["POST"])


@page("schedules/list.html", parts=("schedules",))
def listing() -> dict[str, Any]:
    """List schedules."""
    given = {name: request.args[name] for name in (*FILTERS, "search") if request.args.get(name)}
    number = max(1, request.args.get("page", 1, int))
    query = {"$orderby": "name", "$top": PAGE_SIZE, "$skip": (number - 1) * PAGE_SIZE, "$count": "true"}
    said = ask("GET", SCHEDULES, query={**query, "$filter": " and ".join(_conditions(given))}).body
    found = said["value"]
    return {
        "entries": found,
        "page": number,
        "size": PAGE_SIZE,
        "total": said["@odata.count"],
        "given": given,
        "active": sum(name in given for name in FILTERS),
        "templates": templates_of(found),
        "words": {one["_id"]: cron_lines.in_words(one["cron"]) for one in found},
    }


@page("schedules/schedule.html", parts=("next", "runs"))
def schedule(schedule_id: str) -> dict[str, Any]:
    """Show one schedule: when it runs next, and what became of its runs."""
    found = ask("GET", entity(SCHEDULES, schedule_id)).body
    number = max(1, request.args.get("page", 1, int))
    query = {"$orderby": "dueDate desc", "$top": RUNS_PER_PAGE, "$skip": (number - 1) * RUNS_PER_PAGE}
    said = ask("GET", TASKS, query={**query, "$filter": f"scheduleId eq {quoted(schedule_id)}", "$count": "true"}).body
    return {
        "schedule": found,
        "template": templates_of([found]).get(found["templateShortid"]),
        "preview": cron_lines.preview(found["cron"], found["timezone"]),
        "runs": said["value"],
        "reports": _reports_of(said["value"]),
        "page": number,
        "size": RUNS_PER_PAGE,
        "total": said["@odata.count"],
        "seconds_between": cron_lines.seconds_between,
    }


def run(schedule_id: str) -> ResponseReturnValue:
    """Begin a run now."""
    ask("POST", "/api/scheduling/runNow", body={"scheduleId": schedule_id})
    return done(url_for("studio.schedule", schedule_id=schedule_id))


def enable(schedule_id: str) -> ResponseReturnValue:
    """Let a schedule run by itself, or pause it."""
    ask("PATCH", entity(SCHEDULES, schedule_id), body={"enabled": request.form.get("enabled") == "true"})
    return done(url_for("studio.schedule", schedule_id=schedule_id))


def remove(schedule_id: str) -> ResponseReturnValue:
    """Remove a schedule; what it has made stays."""
    ask("DELETE", entity(SCHEDULES, schedule_id))
    return done(url_for("studio.schedules"))


def templates_of(schedules: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the templates of schedules by their short ids; one that is gone is not in the answer."""
    shortids = sorted({one["templateShortid"] for one in schedules})
    if not shortids:
        return {}
    query = {"$filter": either("shortid", shortids), "$select": "_id,shortid,name", "$top": len(shortids)}
    return {one["shortid"]: one for one in ask("GET", "/odata/templates", query=query).body["value"]}


def _conditions(given: Mapping[str, str]) -> list[str]:
    found = []
    if search := given.get("search", "").strip():
        found.append(f"contains(tolower(name),{quoted(search.lower())})")
    if "enabled" in given:
        found.append("enabled eq true" if given["enabled"] == "true" else "enabled eq false")
    if "lastState" in given:
        found.append(f"lastState eq {quoted(given['lastState'])}")
    if "template" in given:
        found.append(f"templateShortid eq {quoted(_shortid(given['template']))}")
    return found


def _shortid(template: str) -> str:
    """Return a template's short id, by whatever it is named; of one that there is not, no schedule will be found."""
    try:
        return str(ask("GET", "/api/v1/report-config" + path(template)).data["shortid"])
    except RefusedError as error:
        if error.status != NOT_FOUND:
            raise
        return template


def _reports_of(runs: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the report of each run by its task's id: that of its last try."""
    ids = [one["_id"] for one in runs]
    if not ids:
        return {}
    query = {"$filter": either("taskId", ids), "$select": "_id,taskId,pages,size", "$orderby": "creationDate"}
    said = ask("GET", "/odata/reports", query={**query, "$top": MOST_REPORTS}).body["value"]
    return {one["taskId"]: one for one in said}
