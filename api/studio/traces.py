"""Traces: paste whatever you have, and see everything that happened, in the order of time."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from flask import Blueprint, redirect, request, url_for

from api.studio.asking import RefusedError, ask, path
from api.studio.pages import page
from api.studio.texts import _

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from werkzeug.wrappers import Response

NOT_FOUND = 404
# What has no page of its own, or is best understood by all that happened around it, leads to its trace.
PAGES: Mapping[str, tuple[str, str]] = {
    "template": ("studio.template", "key"),
    "printer": ("studio.printer", "key"),
    "schedule": ("studio.schedule", "schedule_id"),
    "record": ("studio.record", "record_id"),
    "report": ("studio.report", "report_id"),
    "printTask": ("studio.print_task", "task_id"),
    "batch": ("studio.batch", "batch_id"),
}
# In a trace's answer, in the order in which a page shows them.
THINGS = ("records", "reports", "printTasks", "batches")
# A row, and a log line that says the same, are told apart by their looks.
DATABASE = "database"


def register(studio: Blueprint) -> None:
    """Add the pages."""
    studio.add_url_rule("/traces", "traces", traces)
    studio.add_url_rule("/traces/<trace_id>", "trace", trace)
    studio.add_url_rule("/find", "find", find)


@page("traces/search.html")
def traces() -> dict[str, Any]:
    """Ask what to look for."""
    return {"matches": None, "searched": "", "problem": None}


@page("traces/search.html")
def find() -> dict[str, Any] | Response:
    """Look for whatever was pasted, and lead to it if it is one thing."""
    searched = request.args.get("q", "").strip()
    if not searched:
        return redirect(url_for("studio.traces"))
    try:
        matches = ask("GET", "/api/v1/find" + path(searched)).data
    except RefusedError as error:
        return {"matches": [], "searched": searched, "problem": str(error)}
    if len(matches) == 1:
        return redirect(address(matches[0], timeline=True))
    return {"matches": [one | {"address": address(one)} for one in matches], "searched": searched, "problem": None}


@page("traces/trace.html", parts=("timeline",))
def trace(trace_id: str) -> dict[str, Any]:
    """Show what happened."""
    try:
        said = ask("GET", "/api/v1/trace" + path(trace_id))
    except RefusedError as error:
        if error.status != NOT_FOUND:
            raise
        return {"trace_id": trace_id, "entries": [], "things": [], "meta": {}, "problem": str(error)}
    things = [one | {"address": address(one)} for name in THINGS for one in said.meta[name]]
    return {
        "trace_id": trace_id,
        "entries": list(_timed(said.data)),
        "things": things,
        "meta": said.meta,
        "problem": None,
    }


def address(thing: Mapping[str, Any], *, timeline: bool = False) -> str:
    """Return the address of what was found: its own page, or its trace.

    Args:
        thing: A reference, as the API has it.
        timeline: Whether everything that has a trace leads there.
    """
    if thing["kind"] in PAGES and not (timeline and thing["traceId"]):
        endpoint, name = PAGES[thing["kind"]]
        return url_for(endpoint, **{name: thing["id"]})
    return url_for("studio.trace", trace_id=thing["traceId"] or thing["id"])


def _timed(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what happened with how long after the first, and after the one before, it did."""
    first = before = None
    for entry in entries:
        at, event = dt.datetime.fromisoformat(entry["at"]), entry["event"]
        first, before = first or at, before or at
        yield entry | {
            "since": (at - first).total_seconds(),
            "pause": (at - before).total_seconds(),
            "is_row": entry["source"] == DATABASE,
            "title": _(event),
        }
        before = at
