"""Printers: how they do in their own words, what they can, and how one is added."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from flask import Blueprint, render_template, request, url_for

from api.studio import print_words
from api.studio.asking import RefusedError, ask, path
from api.studio.forms import done, given, refused
from api.studio.lists import listed
from api.studio.pages import action, page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask.typing import ResponseReturnValue

PRINTERS = "/api/v1/printer"
TASKS = "/api/v1/report-print-task"
# Of each status; the list of print tasks has the rest.
MOST_OPEN = 10
MOST_RECENT = 15
# The form's fields by the API's.
FIELDS = {
    "name": "name",
    "uri": "uri",
    "agent": "agent",
    "location": "location",
    "isDefault": "isDefault",
    "certificateCheck": "certificateCheck",
}


def register(studio: Blueprint) -> None:
    """Add the pages."""
    studio.add_url_rule("/printers", "printers", listing)
    studio.add_url_rule("/printers/new", "new_printer", action(add), methods=["GET", "POST"])
    studio.add_url_rule("/printers/<path:key>", "printer", printer)
    studio.add_url_rule("/printers/<printer_id>/edit", "edit_printer", action(edit), methods=["GET", "POST"])
    studio.add_url_rule("/printers/<printer_id>/refresh", "refresh_printer", action(refresh), methods=["POST"])
    studio.add_url_rule("/printers/<printer_id>/test-page", "print_test_page", action(test_page), methods=["POST"])
    studio.add_url_rule("/printers/<printer_id>/remove", "remove_printer", action(remove), methods=["POST"])


@page("printers/list.html", parts=("printers",))
def listing() -> dict[str, Any]:
    """List printers."""
    return listed(PRINTERS)


@page("printers/printer.html", parts=("now",))
def printer(key: str) -> dict[str, Any]:
    """Show one printer, and what is on its way to it."""
    found = ask("GET", PRINTERS + path(key)).data
    recent = _tasks(found, pageSize=MOST_RECENT)
    under_way: list[dict[str, Any]] = []
    if found["openPrintTasks"]:
        for status in reversed(print_words.OPEN):
            under_way += _tasks(found, status=status, sort="creationDate", pageSize=MOST_OPEN)
    base = request.host_url.rstrip("/") + request.script_root
    return {
        "printer": found,
        "under_way": under_way,
        "recent": [one for one in recent if one["status"] not in print_words.OPEN],
        "can": found["capabilities"] or {},
        "in_words": print_words,
        "command": f"scripts/print-agent --url {shlex.quote(base)} --printer {shlex.quote(found['name'])}",
    }


def add() -> ResponseReturnValue:
    """Add a printer."""
    address = url_for("studio.new_printer")
    if request.method == "GET":
        shown = {"isDefault": not ask("GET", PRINTERS, query={"pageSize": 1}).meta["total"], "certificateCheck": True}
        return render_template("printers/form.html", action=address, problems={}, others=[], given=shown)
    try:
        made = ask("POST", PRINTERS, body=_typed()).data
    except RefusedError as error:
        return refused("printers/form.html", error, fields=FIELDS, action=address, given=_typed())
    return done(url_for("studio.printer", key=made["id"]))


def edit(printer_id: str) -> ResponseReturnValue:
    """Change a printer."""
    address = url_for("studio.edit_printer", printer_id=printer_id)
    if request.method == "GET":
        found = ask("GET", PRINTERS + path(printer_id)).data
        return render_template("printers/form.html", action=address, problems={}, others=[], given=found)
    try:
        ask("PATCH", PRINTERS + path(printer_id), body=_typed())
    except RefusedError as error:
        shown = {"id": printer_id, **_typed()}
        return refused("printers/form.html", error, fields=FIELDS, action=address, given=shown)
    return done(url_for("studio.printer", key=printer_id))


def refresh(printer_id: str) -> ResponseReturnValue:
    """Ask a printer about itself."""
    ask("POST", PRINTERS + path(printer_id, "refresh"))
    return done(url_for("studio.printer", key=printer_id))


def test_page(printer_id: str) -> ResponseReturnValue:
    """Print a test page, and show what becomes of it."""
    task = ask("POST", PRINTERS + path(printer_id, "test-page")).data
    return done(url_for("studio.print_task", task_id=task["id"]))


def remove(printer_id: str) -> ResponseReturnValue:
    """Remove a printer that has nothing left to print."""
    ask("DELETE", PRINTERS + path(printer_id))
    return done(url_for("studio.printers"))


def _typed() -> dict[str, Any]:
    """Return what the form says of a printer, as the API takes it."""
    typed = given("name", "uri", "location")
    agent = request.form.get("reached") == "agent"
    return {
        "name": typed.get("name", ""),
        "uri": None if agent else typed.get("uri"),
        "agent": agent,
        "location": typed.get("location"),
        "isDefault": "isDefault" in request.form,
        "certificateCheck": "certificateCheck" in request.form,
    }


def _tasks(printer: Mapping[str, Any], **query: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask("GET", TASKS, query={"printerName": printer["name"], **query}).data
    return found
