"""Cron lines: when a line fires next, in any time zone, also on the days on which its clocks are changed.

`cronsim` reads the lines and walks the calendar in local time, without a zone; what the zone does to local times is
decided here, for both of cron's kinds of lines:

- A line that names hours (``30 2 * * *``, ``0 */6 * * *``) fires at every local time that it names exactly once. A time
  that is skipped when clocks go forward fires at the moment of the change, as in Debian's cron; one that comes twice
  when they go back fires at its first coming.
- A line for every hour (``*/15 * * * *``) goes on in real time: it fires whenever a clock on the wall matches.

When a zone leaves out more than three hours it moves its calendar (Samoa had no 30 December 2011), and what that day
would have had does not take place.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import importlib.resources
import re
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from shared import spelling
from shared.exceptions import InvalidRequestError

UTC_NAME = "UTC"
# Enough for a list of all minutes and all seconds.
LONGEST_LINE = 500
SHOWN_CHARACTERS = 60
FIELDS = {
    "second": "0-59",
    "minute": "0-59",
    "hour": "0-23",
    "day-of-month": "1-31, L (the last day) or LW (the last weekday)",
    "month": "1-12 or JAN-DEC",
    "day-of-week": "0-7 or SUN-SAT, with #1 to #5 or L behind the day for one week of the month, as in MON#2 or 5L",
}
FORM = (
    "5 fields (minute hour day-of-month month day-of-week) or 6 (second first), each *, a number or name, "
    "a range (1-5), a step (*/15) or a list (1,15)"
)
LONGEST_CHANGE = dt.timedelta(hours=3)
_SECOND = dt.timedelta(seconds=1)
_DAY = dt.timedelta(days=1)
_CHARACTERS = re.compile(r"[0-9A-Za-z*/,#?\t -]*")


def next_run(line: str, timezone: str, *, after: dt.datetime) -> dt.datetime:
    """Return the first moment after another at which a line fires.

    Args:
        line: A cron line of 5 fields, or of 6 with the seconds first.
        timezone: The IANA name of the zone whose clocks it means.
        after: The moment after which.

    Returns:
        The moment in UTC, a whole second.

    Raises:
        InvalidRequestError: The line or the zone is none, or the line can never fire; the text names the field.
    """
    zone = _zone(timezone)
    expression = all_fields(line)
    after = after.astimezone(dt.UTC).replace(microsecond=0)
    every_hour = _walk(expression, after).hours >= set(range(24))
    found = _next_in_real_time(expression, zone, after) if every_hour else _next_named(expression, zone, after)
    if found is None:
        raise InvalidRequestError(
            f"cron: the day-of-month and the day-of-week of {line!r} do not meet: it can never fire", field="cron"
        )
    return found


def next_runs(line: str, timezone: str, *, after: dt.datetime, count: int) -> list[dt.datetime]:
    """Return the first moments after another at which a line fires: so many, or fewer if there are no more.

    The other arguments and the errors are those of `next_run`.
    """
    found = [next_run(line, timezone, after=after)]
    with contextlib.suppress(InvalidRequestError):
        # What has fired once may not do so again in the years that are looked at.
        while len(found) < count:
            found.append(next_run(line, timezone, after=found[-1]))
    return found


def _next_named(expression: str, zone: ZoneInfo, after: dt.datetime) -> dt.datetime | None:
    for local in _walk(expression, _local(zone, after)):
        moment = _only_moment(zone, local)
        # A local time that comes twice may have fired before.
        if moment is not None and moment > after:
            return moment
    return None


def _only_moment(zone: ZoneInfo, local: dt.datetime) -> dt.datetime | None:
    """Return the moment at which a local time fires; None when its day was left out."""
    # PEP 495: around a change of clocks, fold 0 counts with the time before it and fold 1 with the time after it.
    by_old, by_new = (local.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1))
    skipped = by_old - by_new
    if skipped <= dt.timedelta(0):
        return by_old
    return _change(zone, by_new, by_old) if skipped <= LONGEST_CHANGE else None


def _next_in_real_time(expression: str, zone: ZoneInfo, after: dt.datetime) -> dt.datetime | None:
    local = _local(zone, after)
    while True:
        found = next(_walk(expression, local), None)
        if found is None:
            return None
        moment = (found - _offset(zone, after)).replace(tzinfo=dt.UTC)
        change = _first_change(zone, after, moment)
        if change is None:
            return moment
        # From there on the clocks show other times: those of an hour again, or none of one; the first may match.
        after, local = change, _local(zone, change) - _SECOND


def _first_change(zone: ZoneInfo, after: dt.datetime, until: dt.datetime) -> dt.datetime | None:
    while after < until:
        step = min(after + _DAY, until)
        if _offset(zone, step) != _offset(zone, after):
            return _change(zone, after, step)
        after = step
    return None


def _change(zone: ZoneInfo, before: dt.datetime, after: dt.datetime) -> dt.datetime:
    """Return the moment between two others at which the clocks are changed."""
    old = _offset(zone, before)
    while after - before > _SECOND:
        middle = before + (after - before) // (2 * _SECOND) * _SECOND
        before, after = (middle, after) if _offset(zone, middle) == old else (before, middle)
    return after


def _offset(zone: ZoneInfo, moment: dt.datetime) -> dt.timedelta:
    return moment.astimezone(zone).utcoffset() or dt.timedelta(0)


def _local(zone: ZoneInfo, moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _walk(expression: str, after: dt.datetime) -> CronSim:
    # In local time without a zone: cronsim would apply rules of its own, to lines of 5 fields only.
    return CronSim(expression, after.replace(tzinfo=None))


def all_fields(line: str) -> str:
    """Return a line as cronsim reads it, with all 6 fields.

    Raises:
        InvalidRequestError: It is none; the text names the field.
    """
    if len(line) > LONGEST_LINE:
        raise InvalidRequestError(
            f"cron is {len(line)} characters long: expected at most {LONGEST_LINE}, {FORM}", field="cron"
        )
    parts = line.split()
    if not _CHARACTERS.fullmatch(line) or len(parts) not in (len(FIELDS) - 1, len(FIELDS)):
        raise InvalidRequestError(f"cron is {_shown(line)}: expected {FORM}", field="cron")
    if len(parts) < len(FIELDS):
        parts.insert(0, "0")
    for place, (name, expected) in enumerate(FIELDS.items()):
        # Quartz and cron-parser write this for "any day".
        if parts[place] == "?" and name.startswith("day"):
            parts[place] = "*"
        if not _is_read(["*"] * place + [parts[place]] + ["*"] * (len(FIELDS) - 1 - place)):
            raise InvalidRequestError(
                f"cron: the {name} is {_shown(parts[place])}: expected {expected}, or *; also in ranges (1-5), "
                "steps (*/15) and lists (1,15)",
                field="cron",
            )
    if not _is_read(parts):
        # Each field is one, so it is what cronsim checks of all of them together.
        raise InvalidRequestError(
            f"cron: the day-of-month {_shown(parts[3])} comes in no month of {_shown(parts[4])}: it can never fire",
            field="cron",
        )
    return " ".join(parts)


def _is_read(parts: list[str]) -> bool:
    try:
        CronSim(" ".join(parts), dt.datetime.min)  # noqa: DTZ901  # The time is not looked at.
    except CronSimError:
        return False
    return True


def _zone(name: str) -> ZoneInfo:
    known = _zone_names()
    if name not in known:
        near = spelling.nearest(name, known)
        hint = f": did you mean {near}?" if near else ""
        raise InvalidRequestError(
            f"timezone is {_shown(name)}: expected a name of IANA's, such as Europe/Vienna or UTC{hint}",
            field="timezone",
        )
    return ZoneInfo(name)


@functools.cache
def _zone_names() -> frozenset[str]:
    """Return IANA's names, whatever the machine has besides them."""
    return frozenset(importlib.resources.files("tzdata").joinpath("zones").read_text(encoding="ascii").split())


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…")
