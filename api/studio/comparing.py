"""Two records beside each other: what was asked, what reads otherwise, what looks otherwise. And one rendered again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, redirect, render_template, request, url_for

from api.studio.asking import RefusedError, ask, path
from api.studio.forms import done, refused
from api.studio.pages import action, page

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

RECORDS = "/api/v1/report-history-record"
UNDER_WAY = 202
# Of the same template; whoever wants another one pastes its id.
OFFERED = 50


def register(studio: Blueprint) -> None:
    """Add the pages."""
    studio.add_url_rule("/history/<record_id>/replay", "replay_record", action(replay), methods=["GET", "POST"])
    studio.add_url_rule("/history/<record_id>/compare", "compare_record", action(choose))
    studio.add_url_rule("/history/<record_id>/compare/<other_id>", "comparison", comparison)


def replay(record_id: str) -> ResponseReturnValue:
    """Render a record's request once more, and compare what comes of it."""
    if request.method == "GET":
        return render_template("history/replay.html", record=_record(record_id), problems={}, others=[])
    version = request.form.get("version", "same")
    try:
        said = ask(
            "POST",
            RECORDS + path(record_id, "replay"),
            body={"version": int(version) if version.isdecimal() else version, "outputType": "none"},
        )
    except RefusedError as error:
        return refused("history/replay.html", error, fields={"version": "version"}, record=_record(record_id))
    return done(url_for("studio.comparison", record_id=record_id, other_id=said.data["historyRecordId"]))


def choose(record_id: str) -> ResponseReturnValue:
    """Ask what to compare a record with."""
    if other := request.args.get("other", "").strip():
        return redirect(url_for("studio.comparison", record_id=other, other_id=record_id))
    record = _record(record_id)
    query = {"reportConfig": record["reportConfig"]["id"], "status": "Ok", "pageSize": OFFERED}
    offered = [one for one in ask("GET", RECORDS, query=query).data if one["id"] != record_id]
    return render_template("history/choose.html", record=record, offered=offered)


@page("history/comparison.html", parts=("difference",))
def comparison(record_id: str, other_id: str) -> dict[str, Any]:
    """Show what two records differ in."""
    said = ask("GET", RECORDS + path(record_id, "diff", other_id))
    return {
        "before": _record(record_id),
        "after": _record(other_id),
        "difference": None if said.status == UNDER_WAY else said.data,
    }


def _record(record_id: str) -> dict[str, Any]:
    found: dict[str, Any] = ask("GET", RECORDS + path(record_id), query={"apiPayload": "false"}).data
    return found
