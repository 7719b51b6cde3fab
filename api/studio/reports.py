"""Stored reports: find one, look at it, keep it, print it, let it go."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from flask import Blueprint, render_template, request, url_for
from jinja2_fragments.flask import render_block

from api.studio.asking import RefusedError, ask, path
from api.studio.forms import done, given, refused
from api.studio.odata import either, entity, quoted
from api.studio.pages import action, page

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flask.typing import ResponseReturnValue

REPORTS = "/odata/reports"
TEMPLATES = "/odata/templates"
FILTERS = ("match", "state", "template", "recipe", "public", "keep", "createdFrom", "createdTo")
PAGE_SIZE = 25
MOST_NAMED = 200
SHOWN = (
    "_id",
    "name",
    "state",
    "error",
    "recipe",
    "contentType",
    "templateShortid",
    "public",
    "keep",
    "pages",
    "size",
    "creationDate",
    "traceId",
)
# What a browser shows by itself, in a frame that may do nothing to the page around it.
FRAMED = ("text/", "image/")


def register(studio: Blueprint) -> None:
    """Add the pages."""
    studio.add_url_rule("/reports", "reports", listing)
    studio.add_url_rule("/reports/<report_id>", "report", report)
    studio.add_url_rule("/reports/<report_id>/rename", "rename_report", action(rename), methods=["GET", "POST"])
    studio.add_url_rule("/reports/<report_id>/change", "change_report", action(change), methods=["POST"])
    studio.add_url_rule("/reports/<report_id>/remove", "remove_report", action(remove), methods=["POST"])


@page("reports/list.html", parts=("reports",))
def listing() -> dict[str, Any]:
    """List reports, the newest first.

    Nobody counts them: of a hundred thousand that takes longer than all the rest. Whether there are more, the API says.
    """
    typed = given(*FILTERS, "search")
    number = max(1, request.args.get("page", 1, int))
    said = ask(
        "GET",
        REPORTS,
        query={
            "$filter": " and ".join(_conditions(typed)),
            "$orderby": "creationDate desc",
            "$skip": (number - 1) * PAGE_SIZE,
            "$select": ",".join(SHOWN),
        },
        headers={"Prefer": f"odata.maxpagesize={PAGE_SIZE}"},
    ).body
    return {
        "entries": said["value"],
        "templates": _names(one["templateShortid"] for one in said["value"]),
        "more": "@odata.nextLink" in said,
        "page": number,
        "size": PAGE_SIZE,
        "given": typed,
        "active": sum(name in typed for name in FILTERS if name != "match"),
        **_offered(),
    }


@page("reports/report.html", parts=("report", "facts"))
def report(report_id: str) -> dict[str, Any]:
    """Show one report with all that is known of it."""
    return _shown(report_id)


def rename(report_id: str) -> ResponseReturnValue:
    """Call a report something else."""
    found = ask("GET", "/api/v1/report" + path(report_id)).data
    if request.method == "GET":
        return render_template("reports/rename.html", report=found, typed=found["name"], problems={}, others=[])
    typed = request.form.get("reportName", "").strip()
    try:
        ask("PATCH", entity(REPORTS, report_id), body={"reportName": typed})
    except RefusedError as error:
        fields = {"reportName": "reportName"}
        return refused("reports/rename.html", error, fields=fields, report=found, typed=typed)
    return done(url_for("studio.report", report_id=report_id))


def change(report_id: str) -> ResponseReturnValue:
    """Pin a report or unpin it, open it to everybody or close it."""
    said = {name: request.form[name] == "true" for name in ("keep", "public") if name in request.form}
    ask("PATCH", entity(REPORTS, report_id), body=said)
    return render_block("reports/report.html", "facts", **_shown(report_id))


def remove(report_id: str) -> ResponseReturnValue:
    """Remove a report; one that is not done yet is cancelled."""
    ask("DELETE", entity(REPORTS, report_id))
    return done(url_for("studio.reports"))


def _offered() -> dict[str, Any]:
    """Return what filters offer; the list alone, which comes again and again, has none."""
    if "HX-Request" in request.headers:
        return {}
    return {
        "recipes": [(name, name) for name in ask("GET", "/api/recipe").body],
        "known": [one["name"] for one in _templates(query={"$top": MOST_NAMED, "$orderby": "name"})],
    }


def _shown(report_id: str) -> dict[str, Any]:
    found = ask("GET", "/api/v1/report" + path(report_id)).data
    kind = found["contentType"] or ""
    return {
        "report": found,
        "is_pdf": found["state"] == "success" and kind == "application/pdf",
        "is_framed": found["state"] == "success" and kind.startswith(FRAMED),
    }


def _conditions(typed: dict[str, str]) -> Iterator[str]:
    """Write a list's search and filters as OData has them."""
    if search := typed.get("search"):
        yield _named_like(search, begins=typed.get("match") == "begins")
    for name in ("state", "recipe"):
        if name in typed:
            yield f"{name} eq {quoted(typed[name])}"
    for name in ("public", "keep"):
        if typed.get(name) in ("true", "false"):
            yield f"{name} eq {typed[name]}"
    if key := typed.get("template"):
        found = _templates(query={"$filter": f"name eq {quoted(key)} or shortid eq {quoted(key)}"})
        # Of a template that was removed, only the shortid is known.
        yield f"templateShortid eq {quoted(found[0]['shortid'] if found else key)}"
    for name, comparison in (("createdFrom", "ge"), ("createdTo", "lt")):
        if name in typed:
            yield f"creationDate {comparison} {_day(typed[name])}"


def _named_like(search: str, *, begins: bool) -> str:
    if begins:
        # With the case, as an index has it.
        return f"startswith(name,{quoted(search)})"
    contains = f"contains(tolower(name),{quoted(search.lower())})"
    # Some databases know only the lower case of ASCII.
    return contains if search.isascii() else f"({contains} or contains(name,{quoted(search)}))"


def _day(text: str) -> str:
    try:
        return f"{dt.date.fromisoformat(text)}T00:00:00Z"
    except ValueError:
        # The API says what is wrong with it.
        return quoted(text)


def _names(shortids: Iterable[str | None]) -> dict[str, str]:
    """Return what the templates of some reports are called, as far as they are still there."""
    wanted = sorted({one for one in shortids if one})
    if not wanted:
        return {}
    found = _templates(query={"$filter": either("shortid", wanted)})
    return {one["shortid"]: one["name"] for one in found}


def _templates(*, query: dict[str, Any]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = ask("GET", TEMPLATES, query={"$select": "shortid,name", **query}).body["value"]
    return found
