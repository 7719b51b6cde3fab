"""The farm at a glance: what waits and for how long, who works at what, what fails and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.studio.asking import ask
from api.studio.pages import page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Blueprint

# Of a sparkline, in its own units; the page scales it.
WIDTH, HEIGHT = 120.0, 28.0
MINUTES = 60


def register(studio: Blueprint) -> None:
    """Add the page."""
    studio.add_url_rule("/farm", "farm", farm)


@page("farm/farm.html", parts=("state",))
def farm() -> dict[str, Any]:
    """Show how the farm does."""
    found = ask("GET", "/api/v1/farm").data
    for queue in found["queues"]:
        depths = [one["waiting"] for one in queue["samples"]]
        queue["most"] = max(depths, default=0)
        queue["line"] = sparkline([*depths, queue["waiting"]])
    busy = sum(len(worker["doing"]) for worker in found["workers"])
    return {"farm": found, "busy": busy, "minutes": MINUTES, "width": WIDTH, "height": HEIGHT}


def sparkline(depths: Sequence[int]) -> str:
    """Return the points of a line, as SVG's ``polyline`` takes them: the newest depth is at the right edge.

    Args:
        depths: One for each minute, the oldest first.
    """
    shown = depths[-MINUTES - 1 :]
    most = max(shown, default=0) or 1
    step = WIDTH / MINUTES
    left = WIDTH - step * (len(shown) - 1)
    return " ".join(
        f"{left + place * step:.1f},{HEIGHT - 1 - depth / most * (HEIGHT - 2):.1f}" for place, depth in enumerate(shown)
    )
