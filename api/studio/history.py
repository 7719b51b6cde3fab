"""The history: who got what, from which request, and print it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import Blueprint, request, url_for

from api.studio.asking import ask, path
from api.studio.forms import done
from api.studio.lists import listed
from api.studio.pages import action, page

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

RECORDS = "/api/v1/report-history-record"
FILTERS = ("status", "source", "keep", "reportConfig", "createdFrom", "createdTo")


def register(studio: Blueprint) -> None:
    """Add the pages."""
    studio.add_url_rule("/history", "history", listing)
    studio.add_url_rule("/history/<record_id>", "record", record)
    studio.add_url_rule("/history/<record_id>/pin", "pin_record", action(pin), methods=["POST"])
    studio.add_url_rule("/history/<record_id>/remove", "remove_record", action(remove), methods=["POST"])


@page("history/list.html", parts=("records",))
def listing() -> dict[str, Any]:
    """List records."""
    return listed(RECORDS, filters=FILTERS)


@page("history/record.html", parts=("facts",))
def record(record_id: str) -> dict[str, Any]:
    """Show one record with all that belongs to it."""
    found = ask("GET", RECORDS + path(record_id), query={"apiPayload": "false"}).data
    tasks = ask("GET", "/api/v1/report-print-task", query={"reportHistoryRecord": record_id, "pageSize": 50}).data
    return {"record": found, "print_tasks": tasks, "answer": json.dumps(found["apiResponse"])}


def pin(record_id: str) -> ResponseReturnValue:
    """Keep a record whatever its age, or let it go with the others."""
    ask("PATCH", RECORDS + path(record_id), body={"keep": request.form.get("keep") == "true"})
    return done(url_for("studio.record", record_id=record_id))


def remove(record_id: str) -> ResponseReturnValue:
    """Remove a record; what keeps it is said on its own page."""
    ask("DELETE", RECORDS + path(record_id))
    return done(url_for("studio.history"))
