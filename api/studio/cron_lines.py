"""Cron lines as people read them: in words, and as the times that come next by the clocks of their zone."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from api.studio.asking import RefusedError, ask
from api.studio.texts import SOURCE, language

if TYPE_CHECKING:
    from collections.abc import Mapping

PREVIEW = "/api/v1/schedule/preview"
UTC = "UTC"
RUNS = 5
MOST_REMEMBERED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a cron line means.

    Attributes:
        in_words: What it says; None: nobody can say that shortly.
        runs: When it fires next: the time in the zone, for people, and the moment as the API has it.
        problems: What is wrong with it, by field; then there is nothing else.
    """

    in_words: str | None
    runs: list[tuple[str, str]]
    problems: Mapping[str | None, str]


def preview(line: str, timezone: str) -> Preview:
    """Return what a line means by a zone's clocks."""
    try:
        said = _asked(line, timezone, RUNS)
    except RefusedError as error:
        return Preview(in_words=None, runs=[], problems=dict(error.problems))
    return Preview(in_words=said["inWords"], runs=[(by_clock(one, timezone), one) for one in said["next"]], problems={})


def in_words(line: str) -> str | None:
    """Return what a stored line says; None: nobody can say that shortly."""
    return _remembered(line, language())


def by_clock(moment: str, timezone: str) -> str:
    """Return a time of the API as a zone's calendars and clocks show it, in the reader's language."""
    # As it is with the languages: whoever never opens a page never pays for it.
    from babel.dates import format_skeleton  # noqa: PLC0415

    at = dt.datetime.fromisoformat(moment).astimezone(ZoneInfo(timezone))
    clock = f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"
    return f"{format_skeleton('yMMMEd', at, tzinfo=at.tzinfo, locale=language())}, {clock}"


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Return how long it took from one time of the API to another; None while one of them is not known."""
    if start is None or end is None:
        return None
    return (dt.datetime.fromisoformat(end) - dt.datetime.fromisoformat(start)).total_seconds()


@functools.lru_cache(maxsize=MOST_REMEMBERED)
def _remembered(line: str, reader: str) -> str | None:
    # Words depend on nothing else, and a list has many lines.
    words: str | None = _asked(line, UTC, 1, reader)["inWords"]
    return words


def _asked(line: str, timezone: str, count: int, reader: str | None = None) -> dict[str, Any]:
    query = {"cron": line, "timezone": timezone, "count": count, "locale": reader or language()}
    try:
        found: dict[str, Any] = ask("GET", PREVIEW, query=query).data
    except RefusedError as error:
        if query["locale"] == SOURCE or "locale" not in dict(error.problems):
            raise
        # A language of pages alone.
        found = ask("GET", PREVIEW, query={**query, "locale": SOURCE}).data
    return found
