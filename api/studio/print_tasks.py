"""Print tasks: what is on its way to paper, what came out, and what nobody knows of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, url_for

from api.studio import print_words
from api.studio.asking import RefusedError, ask, path
from api.studio.forms import done
from api.studio.lists import listed
from api.studio.pages import action, page

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

TASKS = "/api/v1/report-print-task"
PRINTERS = "/api/v1/printer"
FILTERS = ("status", "printerName", "createdFrom", "createdTo")
MOST_PRINTERS = 200
NOT_FOUND = 404


def register(studio: Blueprint) -> None:
    """Add the pages."""
    studio.add_url_rule("/print-tasks", "print_tasks", listing)
    studio.add_url_rule("/print-tasks/<task_id>", "print_task", task)
    studio.add_url_rule("/print-tasks/<task_id>/cancel", "cancel_print_task", action(cancel), methods=["POST"])
    studio.add_url_rule("/print-tasks/<task_id>/remove", "remove_print_task", action(remove), methods=["POST"])


@page("print_tasks/list.html", parts=("tasks",))
def listing() -> dict[str, Any]:
    """List print tasks."""
    shown = listed(TASKS, filters=FILTERS)
    names = [one["name"] for one in ask("GET", PRINTERS, query={"pageSize": MOST_PRINTERS}).data]
    # One that was removed since has its print tasks all the same.
    chosen = shown["given"].get("printerName")
    names += [] if chosen is None or chosen in names else [chosen]
    return {**shown, "printers": [(name, name) for name in names]}


@page("print_tasks/task.html", parts=("document", "facts"))
def task(task_id: str) -> dict[str, Any]:
    """Show one print task."""
    found = ask("GET", TASKS + path(task_id)).data
    printer = printer_named(found["printerName"])
    return {
        "task": found,
        "printer": printer,
        "is_open": found["status"] in print_words.OPEN,
        "has_document": _has_document(found),
        "meaning": print_words.meaning(found, printer),
        "options": print_words.options(found),
    }


def cancel(task_id: str) -> ResponseReturnValue:
    """Cancel a print task, or let whoever has it do so."""
    ask("POST", TASKS + path(task_id, "cancel"))
    return done(url_for("studio.print_task", task_id=task_id))


def remove(task_id: str) -> ResponseReturnValue:
    """Remove a print task that has ended."""
    ask("DELETE", TASKS + path(task_id))
    return done(url_for("studio.print_tasks"))


def printer_named(name: str) -> dict[str, Any] | None:
    """Return the printer of a name; None: there is none any more."""
    try:
        found: dict[str, Any] = ask("GET", PRINTERS + path(name)).data
    except RefusedError as error:
        if error.status != NOT_FOUND:
            raise
        return None
    return found


def _has_document(task: dict[str, Any]) -> bool:
    if task["held"]:
        return False
    if task["reportHistoryRecord"] is None or task["attempts"] or task["status"] in print_words.OPEN:
        return True
    # It ended before anybody had it: because its render failed, perhaps.
    record = ask("GET", "/api/v1/report-history-record" + path(task["reportHistoryRecord"])).data
    return record["pages"] is not None
