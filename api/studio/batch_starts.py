"""The page that starts a batch. What is done with the file, its script asks the API: it never comes through here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import request

from api.studio.asking import RefusedError, ask, path
from api.studio.pages import page

if TYPE_CHECKING:
    from flask import Blueprint

CONFIGS = "/api/v1/report-config"
PRINTERS = "/api/v1/printer"
MOST_NAMED = 200
NOT_FOUND = 404


def register(studio: Blueprint) -> None:
    """Add the page."""
    studio.add_url_rule("/batches/new", "new_batch", new)


@page("batches/new.html")
def new() -> dict[str, Any]:
    """Ask for a template, a file, and which of its columns are what."""
    templates = ask("GET", CONFIGS, query={"pageSize": MOST_NAMED}).data
    key = request.args.get("template", "").strip()
    return {
        "templates": templates,
        "chosen": _template(key) if key else templates[0] if templates else None,
        "printers": ask("GET", PRINTERS, query={"pageSize": MOST_NAMED}).data,
    }


def _template(key: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = ask("GET", CONFIGS + path(key)).data
    except RefusedError as error:
        if error.status != NOT_FOUND:
            raise
        # The page says so, beside the field.
        return {"id": key, "name": key}
    return found
