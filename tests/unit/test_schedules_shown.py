"""Schedules as pages show them: times by the clocks of their zone, and filters that hold whatever people type."""

from __future__ import annotations

import pytest
from flask import Flask

from api.studio import cron_lines, odata


@pytest.mark.parametrize(
    ("language", "moment", "zone", "shown"),
    [
        ("en", "2026-03-29T00:30:00.000000Z", "Europe/Vienna", "Sun, Mar 29, 2026, 01:30"),
        ("en", "2026-03-29T01:30:00.000000Z", "Europe/Vienna", "Sun, Mar 29, 2026, 03:30"),
        ("en", "2026-03-01T04:30:07.000000Z", "America/New_York", "Sat, Feb 28, 2026, 23:30:07"),
        ("de", "2026-03-02T06:30:00.000000Z", "Europe/Vienna", "Mo., 2. März 2026, 07:30"),
    ],
)
def test_a_run_is_shown_by_the_calendar_and_the_clocks_of_its_zone(language, moment, zone, shown):
    with Flask("pages").test_request_context(headers={"Accept-Language": language}):
        assert cron_lines.by_clock(moment, zone) == shown


def test_what_has_not_ended_took_no_time_yet():
    start = "2026-03-02T06:30:00.000000Z"
    assert cron_lines.seconds_between(start, "2026-03-02T06:31:00.500000Z") == 60.5
    assert cron_lines.seconds_between(start, None) is None


def test_what_people_type_is_a_value_of_a_filter_and_nothing_else():
    assert odata.quoted("it's") == "'it''s'"
    assert odata.either("name", ["a", "b' or 'c"]) == "name in ('a','b'' or ''c')"
    assert odata.entity("/odata/schedules", "x')/y") == "/odata/schedules('x''%29%2Fy')"
