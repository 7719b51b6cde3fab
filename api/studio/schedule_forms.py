"""The form of a schedule: with its cron line in words while it is typed, and what is refused beside its field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import Blueprint, make_response, render_template, request, url_for

from api.studio import cron_lines
from api.studio.asking import RefusedError, ask
from api.studio.forms import done, given, refused, whole
from api.studio.odata import either, entity
from api.studio.pages import action
from api.studio.schedules import SCHEDULES

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

TEMPLATES = "/odata/templates"
MOST_TEMPLATES = 1000
# The form's fields are called as the API's.
_NAMES = ("name", "cron", "timezone", "templateShortid", "data")
FIELDS = {name: name for name in (*_NAMES, "enabled", "allowOverlap", "maxRetries", "retryDelay")}
NEW = {"enabled": True, "allowOverlap": False, "maxRetries": 0, "retryDelay": 60}


def register(studio: Blueprint) -> None:
    """Add the pages."""
    studio.add_url_rule("/schedules/new", "new_schedule", action(add), methods=["GET", "POST"])
    studio.add_url_rule("/schedules/<schedule_id>/edit", "edit_schedule", action(edit), methods=["GET", "POST"])
    studio.add_url_rule("/schedules/preview", "schedule_preview", action(preview))


def add() -> ResponseReturnValue:
    """Make a schedule."""
    if request.method == "GET":
        # A template's page may lead here.
        chosen = {"templateShortid": request.args.get("template")}
        return _form({**NEW, **chosen})
    try:
        made = ask("POST", SCHEDULES, body=_typed()).body
    except RefusedError as error:
        return _refused(error)
    return done(url_for("studio.schedule", schedule_id=made["_id"]))


def edit(schedule_id: str) -> ResponseReturnValue:
    """Change a schedule."""
    address = entity(SCHEDULES, schedule_id)
    if request.method == "GET":
        return _form(ask("GET", address).body)
    try:
        ask("PATCH", address, body=_typed())
    except RefusedError as error:
        return _refused(error, _id=schedule_id)
    return done(url_for("studio.schedule", schedule_id=schedule_id))


def preview() -> ResponseReturnValue:
    """Show what a line that is being typed means."""
    typed = given("cron", "timezone")
    shown = cron_lines.preview(typed["cron"], typed.get("timezone", cron_lines.UTC)) if "cron" in typed else None
    return make_response(render_template("schedules/preview.html", preview=shown, **typed))


def _refused(error: RefusedError, **known: Any) -> ResponseReturnValue:
    typed = {**_typed(), **known}
    return refused("schedules/form.html", error, fields=FIELDS, **_shown(typed))


def _form(schedule: dict[str, Any]) -> ResponseReturnValue:
    data = schedule.get("data")
    shown = {**schedule, "data": None if data is None else json.dumps(data, indent=2, ensure_ascii=False)}
    return make_response(render_template("schedules/form.html", problems={}, others=[], **_shown(shown)))


def _shown(schedule: dict[str, Any]) -> dict[str, Any]:
    line, timezone = schedule.get("cron"), schedule.get("timezone") or cron_lines.UTC
    known = schedule.get("_id")
    return {
        "given": {**schedule, "retryDelay": _plainly(schedule["retryDelay"])},
        "templates": _templates(schedule.get("templateShortid")),
        "preview": cron_lines.preview(line, timezone) if line else None,
        "timezone": timezone,
        "action": url_for("studio.edit_schedule", schedule_id=known) if known else url_for("studio.new_schedule"),
    }


def _templates(chosen: str | None) -> list[tuple[str, str]]:
    """Return what there is to choose from, by shortid, with what is chosen already."""
    query = {"$select": "shortid,name", "$orderby": "name", "$top": MOST_TEMPLATES}
    offered = {one["shortid"]: one["name"] for one in ask("GET", TEMPLATES, query=query).body["value"]}
    if chosen and chosen not in offered:
        query = {"$select": "shortid,name", "$filter": either("shortid", [chosen])}
        offered = {one["shortid"]: one["name"] for one in ask("GET", TEMPLATES, query=query).body["value"]} | offered
    return list(offered.items())


def _plainly(number: float | str) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)


def _typed() -> dict[str, Any]:
    """Return what the form says of a schedule, as the API takes it."""
    typed = given("name", "cron", "timezone", "templateShortid", "data", "maxRetries", "retryDelay")
    return {
        "name": typed.get("name", ""),
        "cron": typed.get("cron", ""),
        "timezone": typed.get("timezone", cron_lines.UTC),
        "templateShortid": typed.get("templateShortid", ""),
        "data": typed.get("data"),
        "enabled": "enabled" in request.form,
        "allowOverlap": "allowOverlap" in request.form,
        "maxRetries": whole(typed.get("maxRetries", "0")),
        "retryDelay": _number(typed.get("retryDelay", str(NEW["retryDelay"]))),
    }


def _number(text: str) -> float | str:
    """Return a number, or what was typed instead: the API says what is wrong with that."""
    try:
        return float(text)
    except ValueError:
        return text
