"""How long things are kept, for those who look for one that may be gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.durations import SECONDS

if TYPE_CHECKING:
    from shared.settings import Settings

FOR_EVER = "until somebody removes them"


def told(settings: Settings) -> str:
    """Say how long this farm keeps what, and which settings say so; without a full stop."""
    days = settings.purge_history_days
    records = FOR_EVER if days is None else f"{_span(days * SECONDS['d'])} (PURGE_HISTORY_DAYS)"
    oldest = settings.reports_clean_treshold
    reports = FOR_EVER if oldest is None else f"{_span(oldest)} (REPORTS_CLEAN_TRESHOLD)"
    others = f"{_span(settings.transient_keep)} (PRESSROOM_TRANSIENT_KEEP)"
    return f"History records and print tasks are kept {records}, reports {reports}, and what nobody kept {others}"


def _span(seconds: float) -> str:
    for unit, name in (("d", "days"), ("h", "hours"), ("m", "minutes")):
        if seconds >= SECONDS[unit]:
            return f"{seconds / SECONDS[unit]:g} {name}"
    return f"{seconds:g} seconds"
