"""A template's versions: who saved them, what differs, and an older one brought back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import request, url_for

from api.studio.asking import ask, path
from api.studio.forms import done
from api.studio.pages import action, page
from api.studio.templates import CONFIGS, as_typed, readable

if TYPE_CHECKING:
    from flask import Blueprint
    from flask.typing import ResponseReturnValue

PAGE_SIZE = 50
# What an older version brings back. What the template is called, and how it is grouped, is as it is now.
RESTORED = ("content", "engine", "recipe", "sampleData", "options", "parameters", "fields")


def register(studio: Blueprint) -> None:
    """Add the pages."""
    studio.add_url_rule("/templates/<path:key>/versions", "template_versions", versions)
    studio.add_url_rule("/templates/<path:key>/versions/restore", "restore_version", action(restore), methods=["POST"])


@page("templates/versions.html", parts=("versions",))
def versions(key: str) -> dict[str, Any]:
    """List a template's versions, and compare one with the newest."""
    newest = ask("GET", CONFIGS + path(key)).data
    number = max(1, request.args.get("page", 1, int))
    listed = ask("GET", CONFIGS + path(newest["id"], "version"), query={"page": number, "pageSize": PAGE_SIZE})
    chosen = request.args.get("version", max(1, newest["version"] - 1), int)
    older = newest
    if chosen != newest["version"]:
        older = ask("GET", CONFIGS + path(newest["id"], "version", str(chosen))).data
    return {
        "template": newest,
        "older": older,
        "texts": json.dumps([_texts(older), _texts(newest)]),
        "entries": listed.data,
        "page": number,
        "size": PAGE_SIZE,
        "total": listed.meta["total"],
    }


def restore(key: str) -> ResponseReturnValue:
    """Save what an older version had as the next one, unless somebody has saved another since the page was shown."""
    older = ask("GET", CONFIGS + path(key, "version", request.form.get("version", ""))).data
    ask(
        "PATCH",
        CONFIGS + path(key),
        body={name: older[name] for name in RESTORED},
        headers={"If-Match": f'"{request.form.get("newest", "")}"'},
    )
    return done(url_for("studio.template", key=older["id"]))


def _texts(found: dict[str, Any]) -> dict[str, str]:
    """Return what is compared: content, sample data, and all else as one text."""
    typed = as_typed(found)
    others = ("name", "engine", "recipe", "context", "contextColour", "options", "parameters", "fields")
    return {
        "content": typed["content"],
        "sample": typed["sampleData"],
        "settings": readable({name: found[name] for name in others if found[name] not in (None, [], {})}),
    }
