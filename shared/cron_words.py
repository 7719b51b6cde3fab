"""Cron lines in words, by the library cron-descriptor, for people who write one.

It reads some lines in another way than `shared.cron`, or words them so that they read in another way: of these, nothing
is said. Its German has no names of days and months, and lacks some phrases; both are added here.
"""

from __future__ import annotations

import calendar
import re
from typing import TYPE_CHECKING, Any

from shared import cron

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LOCALES: Mapping[str, str] = {"en": "en_US", "de": "de_DE"}
# From Monday on, and from January on.
_NAMES: Mapping[str, Sequence[str]] = {
    "en": (
        *("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    "de": (
        *("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
        *("Januar", "Februar", "März", "April", "Mai", "Juni"),
        *("Juli", "August", "September", "Oktober", "November", "Dezember"),
    ),
}
_PHRASES: Mapping[str, Mapping[str, str]] = {
    "en": {},
    "de": {
        ", every {0} days of the week": ", alle {0} Wochentage",
        ", on day {0} of the month": ", an Tag {0} des Monats",
        ", starting {0}": ", beginnend {0}",
    },
}
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
# How often each field comes round.
_ROUNDS = (60, 60, 24, 31, 12, 7)
_FORMS = {
    "any": r"\*",
    "one": r"\d+",
    "some": r"\d+(?:,\d+)+",
    "range": r"\d+-\d+",
    "mixed": r"\d+(?:-\d+)?(?:,\d+(?:-\d+)?)+",
    "step": r"\*/\d+",
    "steps from": r"\d+/\d+",
    "steps in": r"\d+-\d+/\d+",
    "last": r"LW?",
    "last of the month": r"[0-7]L",
    "of the month": r"[0-7]#\d",
}
# Of seconds, minutes, hours, days of the month, months and days of the week: what is put into words that are true.
_WORDED = (
    {"any", "one", "some", "range", "step"},
    {"any", "one", "some", "range", "mixed", "step", "steps from", "steps in"},
    {"any", "one", "some", "range", "step", "steps from", "steps in"},
    {"any", "one", "some", "range", "mixed", "step", "steps from", "steps in", "last"},
    {"any", "one", "some", "range", "step", "steps from", "steps in"},
    {"any", "one", "some", "range", "mixed", "step", "last of the month", "of the month"},
)


def in_words(line: str, *, locale: str) -> str | None:
    """Return what a cron line says, as a sentence without a full stop; None where there are no words that are true.

    Args:
        line: A cron line of 5 fields, or of 6 with the seconds first.
        locale: One of `LOCALES`.

    Raises:
        InvalidRequestError: The line is none; the text names the field.
    """
    fields = _numbered(cron.all_fields(line))
    forms = [_form(field) for field in fields]
    if not _is_worded(fields, forms):
        return None
    # With the year, which no line of ours has: of 6 fields, it would guess which one is missing.
    text = _described(f"{' '.join(fields)} *", locale)
    # In the process' own language.
    known = (*calendar.day_name, *calendar.month_name[1:])
    names = dict(zip(known, _NAMES[locale], strict=True))
    text = re.sub(rf"\b(?:{'|'.join(map(re.escape, known))})\b", lambda found: names[found[0]], text)
    return text.replace(", und ", " und ")


def _numbered(expression: str) -> list[str]:
    """Return a line's fields with numbers for names, none of which begins with a zero."""
    second, minute, hour, day, month, weekday = expression.upper().split()
    month = re.sub(r"[A-Z]{3}", lambda found: str(_MONTHS.index(found[0]) + 1), month)
    weekday = re.sub(r"[A-Z]{3}", lambda found: str(_DAYS.index(found[0])), weekday)
    return [
        re.sub(r"\d+", lambda found: str(int(found[0])), field) for field in (second, minute, hour, day, month, weekday)
    ]


def _form(field: str) -> str:
    return next((name for name, pattern in _FORMS.items() if re.fullmatch(pattern, field)), "other")


def _is_worded(fields: Sequence[str], forms: Sequence[str]) -> bool:
    second, minute, hour, day, _month, weekday = forms
    if any(form not in worded for form, worded in zip(forms, _WORDED, strict=True)):
        return False
    if not all(_comes_again(*one) for one in zip(fields, forms, _ROUNDS, strict=True)):
        return False
    # "every 5 minutes, at 08:00 and 09:00" are not the minutes of those two hours.
    if hour == "some" and not (second == "one" and minute in {"one", "some"}):
        return False
    # Both days together mean one or the other, unless one of them begins with a star.
    if "any" not in {day, weekday} and not (day in {"one", "some", "last"} and weekday in {"one", "some"}):
        return False
    # It would be from Sunday to Sunday.
    return "0-7" not in fields[5]


def _comes_again(field: str, form: str, size: int) -> bool:
    """Say whether steps fit twice at least: "every 45 minutes" is not what ``*/45`` does."""
    if form not in {"step", "steps from", "steps in"}:
        return True
    begin, step = field.split("/")
    first, _, last = begin.partition("-")
    if form == "step":
        return int(step) * 2 <= size
    # Hours and minutes end below their number, days and months with it.
    return int(first) + int(step) <= int(last or size - (size in {24, 60}))


def _described(expression: str, locale: str) -> str:
    # Few ask for it, and it takes memory in every gateway.
    from cron_descriptor import ExpressionDescriptor, Options  # noqa: PLC0415

    class Descriptor(ExpressionDescriptor):  # type: ignore[misc]  # It is untyped.
        """The library's, with the phrases that it lacks."""

        def translate(self, message: str) -> Any:
            return _PHRASES[locale].get(message) or super().translate(message)

    options = Options(locale_code=LOCALES[locale], use_24hour_time_format=True)
    return str(Descriptor(expression, options).get_description())
