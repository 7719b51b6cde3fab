"""Durations as jsreport's users write them: ``30s``, ``5m``, ``1d``, or plain milliseconds.

The words are those of npm's ``ms``, which jsreport reads its configuration with; Python's libraries for durations speak
ISO 8601 or guess.
"""

from __future__ import annotations

import re

SECONDS = {
    "ms": 0.001,
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86400,
    "w": 7 * 86400,
    "y": 365.25 * 86400,
}
SPELLED = {
    **dict.fromkeys(("", "ms", "msec", "msecs", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("w", "week", "weeks"), "w"),
    **dict.fromkeys(("y", "yr", "yrs", "year", "years"), "y"),
}
# Longer than anything is kept, and short enough that every date can be counted from it.
LONGEST_SECONDS = 100 * SECONDS["y"]
_DURATION = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) *([a-z]*)", re.IGNORECASE)


def duration(text: str) -> float:
    """Read a duration.

    Args:
        text: A number with a unit, ``1.5h`` or ``2 days``; without one, milliseconds.

    Returns:
        Seconds, more than 0.

    Raises:
        ValueError: It is none; the text says what was expected.
    """
    found = _DURATION.fullmatch(text.strip())
    unit = SPELLED.get(found[2].lower()) if found else None
    if found is None or unit is None:
        raise ValueError("expected a duration such as 30s, 5m, 2h or 1d, or milliseconds")
    seconds = float(found[1]) * SECONDS[unit]
    if not 0 < seconds <= LONGEST_SECONDS:
        raise ValueError("expected a duration of more than 0 and at most 100 years")
    return seconds
