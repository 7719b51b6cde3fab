"""The first page: where to begin on a new farm, and on every other one its history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, redirect, url_for

from api.studio.asking import ask
from api.studio.pages import page

if TYPE_CHECKING:
    from werkzeug.wrappers import Response


def register(studio: Blueprint) -> None:
    """Add the page."""
    studio.add_url_rule("/", "home", home)
    studio.add_url_rule("/welcome", "welcome", welcome)


@page("studio/welcome.html")
def home() -> dict[str, Any] | Response:
    """Greet whoever has made nothing yet."""
    records = ask("GET", "/api/v1/report-history-record", query={"pageSize": 1})
    if records.meta["total"]:
        return redirect(url_for("studio.history"))
    return _welcome()


@page("studio/welcome.html")
def welcome() -> dict[str, Any]:
    """Show the first steps once more."""
    return _welcome()


def _welcome() -> dict[str, Any]:
    return {"templates": ask("GET", "/api/v1/report-config", query={"pageSize": 6}).data}
