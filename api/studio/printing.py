"""The dialog that prints a document, wherever it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Blueprint, render_template, request, url_for

from api.studio import print_words
from api.studio.asking import RefusedError, ask, path
from api.studio.forms import done, given, refused, whole
from api.studio.pages import action
from api.studio.texts import _

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

PRINTERS = "/api/v1/printer"
TASKS = "/api/v1/report-print-task"
MOST_PRINTERS = 200
# What was asked for once and may come out yet, or has come out unseen.
AT_RISK = (*print_words.OPEN, "unknown")
OPTIONS = ("duplex", "media", "tray", "colour", "pageRanges")
# The form's fields by the API's.
FIELDS = {
    "printerName": "printerName",
    "numberOfCopies": "numberOfCopies",
    "options.duplex": "duplex",
    "options.media": "media",
    "options.tray": "tray",
    "options.colour": "colour",
    "options.pageRanges": "pageRanges",
}


class Choice(NamedTuple):
    """What a printer can do in more than one way: a field of the dialog.

    Attributes:
        name: The field's name.
        label: What it is called.
        ways: Its values, and what each is called.
        usual: What is said where none is chosen.
    """

    name: str
    label: str
    ways: list[tuple[str, str]]
    usual: str


def register(studio: Blueprint) -> None:
    """Add the dialogs."""
    studio.add_url_rule("/history/<record_id>/print", "print_record", action(print_record), methods=["GET", "POST"])
    studio.add_url_rule("/print-tasks/<task_id>/print", "print_again", action(print_again), methods=["GET", "POST"])
    studio.add_url_rule("/reports/<report_id>/print", "print_report", action(print_report), methods=["GET", "POST"])


def print_record(record_id: str) -> ResponseReturnValue:
    """Print a record's document."""
    return _printed(
        url_for("studio.print_record", record_id=record_id),
        path("api", "v1", "report-history-record", record_id, "print"),
    )


def print_again(task_id: str) -> ResponseReturnValue:
    """Print a print task's document once more, if nothing else is said as it was printed then."""
    before = ask("GET", TASKS + path(task_id)).data
    return _printed(url_for("studio.print_again", task_id=task_id), TASKS + path(task_id, "print"), before=before)


def print_report(report_id: str) -> ResponseReturnValue:
    """Print a stored report."""
    return _printed(url_for("studio.print_report", report_id=report_id), TASKS, {"report": report_id})


def _printed(
    address: str, api_address: str, what: dict[str, Any] | None = None, *, before: dict[str, Any] | None = None
) -> ResponseReturnValue:
    """Show the dialog at its address, or do what it asks for and lead to the print task."""
    if request.method == "GET":
        return render_template("printing/dialog.html", problems={}, others=[], **printing(address, before=before))
    try:
        task = ask("POST", api_address, body={**(what or {}), **wish()}).data
    except RefusedError as error:
        return refused("printing/dialog.html", error, fields=FIELDS, **printing(address, before=before))
    return done(url_for("studio.print_task", task_id=task["id"]))


def wish() -> dict[str, Any]:
    """Return what the dialog asks for, as the API takes it."""
    typed = given(*FIELDS.values())
    options: dict[str, Any] = {name: typed[name] for name in OPTIONS if name in typed}
    if "colour" in options:
        options["colour"] = options["colour"] == "true"
    return {
        "printerName": typed.get("printerName"),
        "numberOfCopies": whole(typed.get("numberOfCopies")) or 1,
        **({"options": options} if options else {}),
    }


def printing(address: str, *, before: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what a form shows that prints: the farm's printers, and what the chosen one can.

    Args:
        address: The form's own, which shows what another printer can.
        before: The print task whose document is printed once more.
    """
    printers = ask("GET", PRINTERS, query={"pageSize": MOST_PRINTERS}).data
    typed = given(*FIELDS.values())
    if before is not None and "printerName" not in typed:
        typed = _asked_before(before)
    chosen = typed.get("printerName")
    printer = next(
        (one for one in printers if one["name"] == chosen),
        next((one for one in printers if one["isDefault"]), printers[0] if printers else None),
    )
    return {
        "action": address,
        "printers": printers,
        "printer": printer,
        "choices": _choices(printer),
        "given": typed,
        # Whoever prints what may have come out already is told so.
        "warning": print_words.meaning(before, None) if before is not None and before["status"] in AT_RISK else None,
    }


def _asked_before(task: dict[str, Any]) -> dict[str, str]:
    """Return what the form says that asks for a print task like another one."""
    options = {name: task["options"][name] for name in OPTIONS if name in task["options"]}
    if "colour" in options:
        options["colour"] = "true" if options["colour"] else "false"
    return {"printerName": task["printerName"], "numberOfCopies": str(task["numberOfCopies"]), **options}


def _choices(printer: dict[str, Any] | None) -> list[Choice]:
    """Return what there is to choose at a printer; of one that does not say what it can do, only the sides."""
    can = (printer or {}).get("capabilities") or {}
    sides = print_words.sides()
    usual = _("As the printer does")
    paper = can.get("mediaDefault")
    papers = [one for one in can.get("media", ()) if not one.startswith("custom_")]
    colours = [("true", _("In colour")), ("false", _("Black and white"))]
    found = [
        Choice("duplex", _("Sides"), [(one, sides.get(one, one)) for one in can.get("duplex", sides)], usual),
        Choice(
            "media",
            _("Paper"),
            [(one, print_words.paper(one)) for one in papers],
            _("As the printer does: %(paper)s", paper=print_words.paper(paper)) if paper else usual,
        ),
        Choice("tray", _("Tray"), [(one, print_words.tray(one)) for one in can.get("trays", ())], usual),
        Choice("colour", _("Colours"), colours if {True, False} <= set(can.get("colour", ())) else [], usual),
    ]
    return [one for one in found if len(one.ways) > 1]
