"""Cron lines in words: true ones, in two languages, or none."""

from __future__ import annotations

import calendar
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import cron
from shared.cron_words import in_words
from shared.exceptions import InvalidRequestError


@pytest.mark.parametrize(
    ("line", "english", "german"),
    [
        ("* * * * *", "Every minute", "Jede Minute"),
        ("* * * * * *", "Every second", "Jede Sekunde"),
        ("0 * * * *", "Every hour", "Jede Stunde"),
        ("30 7 * * 1-5", "At 07:30, Monday through Friday", "Um 07:30, Montag bis Freitag"),
        ("15 30 7 * * mon-fri", "At 07:30:15, Monday through Friday", "Um 07:30:15, Montag bis Freitag"),
        ("05 06 ? * 07", "At 06:05, only on Sunday", "Um 06:05, nur am Sonntag"),
        ("0 6 1,15 * *", "At 06:00, on day 1 and 15 of the month", "Um 06:00, an Tag 1 und 15 des Monats"),
        ("0 6 L * *", "At 06:00, on the last day of the month", "Um 06:00, am letzten Tag des Monats"),
        ("0 6 LW * *", "At 06:00, on the last weekday of the month", "Um 06:00, am letzten Werktag des Monats"),
        ("0 6 * * MON#2", "At 06:00, on the second Monday of the month", "Um 06:00, am zweiten Montag des Monats"),
        ("0 6 * * 5L", "At 06:00, on the last Friday of the month", "Um 06:00, am letzten Freitag des Monats"),
        ("0 6 * * */2", "At 06:00, every 2 days of the week", "Um 06:00, alle 2 Wochentage"),
        ("0 0 13 * 5", "At 00:00, on day 13 of the month, or on Friday",
         "Um 00:00, an Tag 13 des Monats, oder am Freitag"),
        ("*/15 9-17 * * *", "Every 15 minutes, between 09:00 and 17:59", "Alle 15 Minuten, zwischen 09:00 und 17:59"),
        ("30 8/2 * * *", "At 30 minutes past the hour, every 2 hours, starting at 08:00",
         "Bei Minute 30, alle 2 Stunden, beginnend um 08:00"),
        ("0 8 1 JAN,APR,JUL,OCT *", "At 08:00, on day 1 of the month, only in January, April, July, and October",
         "Um 08:00, an Tag 1 des Monats, nur im Januar, April, Juli und Oktober"),
        ("0 6 * mar-may *", "At 06:00, March through May", "Um 06:00, März bis Mai"),
    ],
)  # fmt: skip
def test_a_line_is_put_into_words(line, english, german):
    assert in_words(line, locale="en") == english
    assert in_words(line, locale="de") == german


@pytest.mark.parametrize(
    "line",
    [
        # Also at 08:05: the words would say at 08:00 and 12:00.
        "*/5 8,12 * * *",
        # At 08:00, 09:00, 10:00 and 14:00, and not until 10:59.
        "0 8-10,14 * * *",
        # Twice an hour, or once.
        "*/45 * * * *",
        "50/15 * * * *",
        # One star makes both days needed; without, one of them is enough.
        "0 0 */2 * 1",
        "0 0 13 * 1-5",
        "0 0 L * 5L",
        # On Sunday once more, since 7 is one, too.
        "0 6 * * 1/2",
        # Every two weeks, the library would say.
        "0 6 * * 5/2",
        "0 6 * * MON#1,WED#3",
        "0 6 * * 0-7",
    ],
)
def test_where_words_would_not_be_true_there_are_none(line):
    assert cron.all_fields(line)
    assert in_words(line, locale="en") is in_words(line, locale="de") is None


def test_what_is_no_line_has_no_words():
    with pytest.raises(InvalidRequestError, match="the minute is '99'"):
        in_words("99 * * * *", locale="en")


def test_the_names_are_german_whatever_the_process_speaks(monkeypatch):
    monkeypatch.setattr(calendar, "day_name", ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"])
    assert in_words("0 6 * * 5", locale="de") == "Um 06:00, nur am Freitag"
    assert in_words("0 6 * * 5", locale="en") == "At 06:00, only on Friday"


FIELDS = [
    ["*", "*/10", "0", "30", "5,10", "1-5", "10/20", "10-40/10", "1-5,30"],
    ["*", "*/2", "8", "8,12", "9-17", "8/4", "8-18/2", "8-10,14"],
    ["*", "?", "*/2", "1", "1,15", "1-5", "5/3", "L", "LW", "1-5,15"],
    ["*", "*/3", "2", "JAN,JUL", "3-5", "2/5"],
    ["*", "?", "*/2", "MON", "0,6", "MON-FRI", "6-7", "5L", "1#2", "1-3,5"],
]


@given(st.sampled_from(["", "0 ", "30 ", "*/10 ", "* ", "5,10 "]), st.tuples(*map(st.sampled_from, FIELDS)))
@settings(max_examples=300, deadline=None)
def test_no_line_breaks_it_and_german_is_german(seconds, fields):
    line = seconds + " ".join(fields)
    english, german = (in_words(line, locale=locale) for locale in ("en", "de"))
    assert (english is None) == (german is None)
    if german is not None:
        assert not re.search(r"[{}?]|, *,|  |\b(every|at|on|the|of|through|day|starting|None)\b", german), (
            line,
            german,
        )
        assert not re.search(r"[{}?]|, *,|  |\bNone\b", english), (line, english)
