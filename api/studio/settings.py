"""The settings, to be looked up: what holds, where it was said, and what it means."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from api.studio.asking import ask
from api.studio.pages import page


def register(studio: Blueprint) -> None:
    """Add the page."""
    studio.add_url_rule("/settings", "settings", settings)


@page("settings/settings.html", parts=("listed",))
def settings() -> dict[str, Any]:
    """Show every setting of the gateway that answers."""
    said = ask("GET", "/api/v1/settings")
    search = request.args.get("search", "").strip()
    wanted = search.casefold()
    source = request.args.get("source", "")
    shown = [
        one
        for one in said.data
        if (wanted in one["name"].casefold() or wanted in one["meaning"].casefold())
        and (not source or (one["source"] == "default") == (source == "default"))
    ]
    return {"entries": shown, "search": search, "source": source, "total": len(said.data)}
