"""Batches: how far they are, what became of each document, and why some were not made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, request, url_for
from jinja2_fragments.flask import render_block

from api.studio.asking import ask, path
from api.studio.forms import done
from api.studio.lists import listed
from api.studio.pages import action, page

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

BATCHES = "/api/v1/batch"
FILTERS = ("state",)
# What can be done with a batch, as the API's addresses have it.
ACTIONS = ("pause", "resume", "cancel", "retry", "pdf")
DOCUMENTS = 50
# More than one ZIP may have are offered in parts.
ZIPPED = 50_000
UNDER_WAY = ("running", "paused")


def register(studio: Blueprint) -> None:
    """Add the pages."""
    studio.add_url_rule("/batches", "batches", listing)
    studio.add_url_rule("/batches/<batch_id>", "batch", batch)
    studio.add_url_rule("/batches/<batch_id>/<what>", "change_batch", action(change), methods=["POST"])
    studio.add_url_rule("/batches/<batch_id>/remove", "remove_batch", action(remove), methods=["POST"])


@page("batches/list.html", parts=("batches",))
def listing() -> dict[str, Any]:
    """List batches, the newest first."""
    return listed(BATCHES, filters=FILTERS)


@page("batches/batch.html", parts=("batch",))
def batch(batch_id: str) -> dict[str, Any]:
    """Show how far a batch is, and its documents."""
    return _shown(batch_id)


def change(batch_id: str, what: str) -> ResponseReturnValue:
    """Pause a batch, go on with it, end it, make failed ones once more, or have one PDF made."""
    if what not in ACTIONS:
        abort(404)
    ask("POST", BATCHES + path(batch_id, what))
    return render_block("batches/batch.html", "batch", **_shown(batch_id))


def remove(batch_id: str) -> ResponseReturnValue:
    """Forget a batch that has ended; its reports stay."""
    ask("DELETE", BATCHES + path(batch_id))
    return done(url_for("studio.batches"))


def _shown(batch_id: str) -> dict[str, Any]:
    found = ask("GET", BATCHES + path(batch_id)).data
    state = request.args.get("state", "")
    after = max(0, request.args.get("after", 0, int))
    documents = ask(
        "GET", BATCHES + path(batch_id, "documents"), query={"state": state, "after": after, "limit": DOCUMENTS}
    )
    counted = found["done"] + found["waiting"] + found["cancelled"]
    return {
        "batch": found,
        "left": max(0, found["total"] - counted) if found["state"] in UNDER_WAY else 0,
        "is_live": _is_live(found),
        # Of the page, also where a button's answer shows it.
        "own": url_for("studio.batch", batch_id=batch_id, state=state or None, after=after or None),
        "asked": {"state": state or None, "after": after or None},
        "state": state,
        "after": after,
        "documents": documents.data,
        "next_after": documents.meta["nextAfter"],
        "failures": ask("GET", BATCHES + path(batch_id, "failures")) if found["failed"] else None,
        "archives": [
            (first, min(first + ZIPPED - 1, found["total"])) for first in range(1, found["total"] + 1, ZIPPED)
        ],
    }


def _is_live(found: dict[str, Any]) -> bool:
    """Say whether anything of a batch may change by itself."""
    is_counted = found["state"] != "cancelled" or found["done"] + found["cancelled"] == found["total"]
    is_merging = found["merged"] is not None and found["merged"]["state"] == "wanted"
    return found["state"] in UNDER_WAY or is_merging or not is_counted
