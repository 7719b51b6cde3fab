"""When cron lines fire, above all on the days on which clocks are changed."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.cron import next_run, next_runs
from shared.exceptions import InvalidRequestError

# With the days on which their clocks go forward and back; Casablanca's go back for Ramadan, and Dublin's winter is the
# exception to its summer in the database.
CHANGES = [
    ("Europe/Vienna", dt.date(2026, 3, 29), dt.date(2026, 10, 25)),
    ("Europe/Dublin", dt.date(2026, 3, 29), dt.date(2026, 10, 25)),
    ("America/New_York", dt.date(2026, 3, 8), dt.date(2026, 11, 1)),
    ("Australia/Lord_Howe", dt.date(2026, 10, 4), dt.date(2026, 4, 5)),
    ("Africa/Casablanca", dt.date(2026, 3, 22), dt.date(2026, 2, 15)),
    ("Antarctica/Troll", dt.date(2026, 3, 29), dt.date(2026, 10, 25)),
    ("America/Havana", dt.date(2026, 3, 8), dt.date(2026, 11, 1)),
]
ZONES = [zone for zone, _, _ in CHANGES] + ["UTC", "Asia/Kolkata", "Pacific/Apia"]


def runs(line, zone, first, last):
    """Return the local times of all runs from one local day to another, both included."""
    tz = ZoneInfo(zone)
    moment = dt.datetime.combine(first, dt.time(), tz) - dt.timedelta(seconds=1)
    end = dt.datetime.combine(last + dt.timedelta(days=1), dt.time(), tz).astimezone(dt.UTC)
    found = []
    while (moment := next_run(line, zone, after=moment)) < end:
        found.append(moment.astimezone(tz))
    return found


def around(day):
    return day - dt.timedelta(days=1), day + dt.timedelta(days=1)


def clock(times):
    return [f"{time:%H:%M}" for time in times]


@pytest.mark.parametrize(
    "line", ["30 2 * * *", "0 30 2 * * *", "15 30 2 * * *", "30 1 * * *", "45 0 * * *", "0 0 * * *"]
)
@pytest.mark.parametrize(("zone", "forward", "back"), CHANGES)
def test_a_job_of_a_fixed_time_runs_once_on_every_day_also_when_the_clocks_are_changed(zone, forward, back, line):
    for day in (forward, back):
        days = [time.date() for time in runs(line, zone, *around(day))]

        assert days == [around(day)[0], day, around(day)[1]]


@pytest.mark.parametrize("line", ["30 2 * * *", "0 30 2 * * *"])
def test_a_time_that_is_skipped_fires_when_the_clocks_have_gone_forward(line):
    found = runs(line, "Europe/Vienna", *around(dt.date(2026, 3, 29)))

    assert [str(time) for time in found] == [
        "2026-03-28 02:30:00+01:00",
        "2026-03-29 03:00:00+02:00",
        "2026-03-30 02:30:00+02:00",
    ]


@pytest.mark.parametrize("line", ["30 2 * * *", "0 30 2 * * *"])
def test_a_time_that_comes_twice_fires_at_its_first_coming(line):
    found = runs(line, "Europe/Vienna", *around(dt.date(2026, 10, 25)))

    assert [str(time) for time in found] == [
        "2026-10-24 02:30:00+02:00",
        "2026-10-25 02:30:00+02:00",
        "2026-10-26 02:30:00+01:00",
    ]


def test_who_asks_between_the_two_comings_is_told_of_the_next_day():
    # 02:10 for the second time: the first 02:30 is past, and the second is none.
    asked = dt.datetime(2026, 10, 25, 1, 10, tzinfo=dt.UTC)

    assert next_run("30 2 * * *", "Europe/Vienna", after=asked) == dt.datetime(2026, 10, 26, 1, 30, tzinfo=dt.UTC)


def test_several_times_that_are_skipped_fire_together_once():
    day = dt.date(2026, 3, 29)

    assert clock(runs("0,15,30 1-3 * * *", "Europe/Vienna", day, day)) == [
        *("01:00", "01:15", "01:30"),
        *("03:00", "03:15", "03:30"),
    ]


@pytest.mark.parametrize(("zone", "forward", "back"), CHANGES)
@pytest.mark.parametrize("line", ["*/15 * * * *", "0 */15 * * * *", "0,15,30,45 0-23 * * *"])
def test_an_interval_goes_on_in_real_time_through_the_change(zone, forward, back, line):
    for day in (forward, back):
        found = [time.astimezone(dt.UTC) for time in runs(line, zone, *around(day))]

        assert {later - earlier for earlier, later in itertools.pairwise(found)} == {dt.timedelta(minutes=15)}


def test_every_second_hour_is_fixed_times_and_none_of_them_comes_twice_or_never():
    line, zone = "0 */2 * * *", "Europe/Vienna"
    usual = clock(runs(line, zone, dt.date(2026, 6, 1), dt.date(2026, 6, 1)))

    forward, back = (clock(runs(line, zone, day, day)) for day in (dt.date(2026, 3, 29), dt.date(2026, 10, 25)))

    assert back == usual
    assert forward == ["00:00", "03:00", *usual[2:]]


def test_a_day_that_a_zone_leaves_out_does_not_take_place():
    # Samoa went from the 29th straight to the 31st.
    found = runs("30 2 * * *", "Pacific/Apia", dt.date(2011, 12, 28), dt.date(2012, 1, 1))
    assert [time.day for time in found] == [28, 29, 31, 1]
    assert {f"{time:%H:%M}" for time in found} == {"02:30"}

    hours = [time.astimezone(dt.UTC) for time in runs("0 * * * *", "Pacific/Apia", found[0].date(), found[-1].date())]
    assert {later - earlier for earlier, later in itertools.pairwise(hours)} == {dt.timedelta(hours=1)}
    assert next_run("0 0 30 12 *", "Pacific/Apia", after=dt.datetime(2011, 12, 1, tzinfo=dt.UTC)).year == 2012


@pytest.mark.parametrize(
    ("line", "after", "expected"),
    [
        ("*/10 * * * * *", "2026-01-01T00:00:05", "2026-01-01T00:00:10"),
        ("30 15 10 * * *", "2026-01-01T00:00:00", "2026-01-01T10:15:30"),
        ("15 10 * * MON-FRI", "2026-01-03T00:00:00", "2026-01-05T10:15:00"),
        ("0 0 1 jan,jul ?", "2026-01-02T00:00:00", "2026-07-01T00:00:00"),
        ("0 0 L * *", "2026-02-01T00:00:00", "2026-02-28T00:00:00"),
        ("0 0 LW * *", "2026-02-01T00:00:00", "2026-02-27T00:00:00"),
        ("0 0 ? * MON#2", "2026-02-01T00:00:00", "2026-02-09T00:00:00"),
        ("0 0 * * 5L", "2026-02-01T00:00:00", "2026-02-27T00:00:00"),
        ("0 0 * * 7", "2026-02-02T00:00:00", "2026-02-08T00:00:00"),
        ("0 0 29 2 *", "2096-03-01T00:00:00", "2104-02-29T00:00:00"),
        # A 29 February that is a Monday: once in 28 years, and here with a century in between that has none.
        ("0 0 * 2 MON#5", "2072-03-01T00:00:00", "2112-02-29T00:00:00"),
        ("0 * * 2 MON#5", "2072-03-01T00:00:00", "2112-02-29T00:00:00"),
    ],
)
def test_lines_are_read_as_cron_and_jsreport_write_them(line, after, expected):
    found = next_run(line, "UTC", after=dt.datetime.fromisoformat(f"{after}+00:00"))

    assert found == dt.datetime.fromisoformat(f"{expected}+00:00")


def test_the_next_run_is_after_the_moment_and_not_at_it():
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    assert next_run("* * * * * *", "UTC", after=at) == at + dt.timedelta(seconds=1)
    assert next_run("* * * * * *", "UTC", after=at - dt.timedelta(microseconds=1)) == at


def refused(line, zone="UTC"):
    with pytest.raises(InvalidRequestError) as caught:
        next_run(line, zone, after=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    return caught.value


@pytest.mark.parametrize(
    "line", ["0 0 30 2 *", "0 0 31 4,6 *", "0 0 0 31 2 ?", "0 0 31 2 */1", "0 0 */31 * MON#5", "0 * */31 * MON#5"]
)
def test_a_line_that_can_never_fire_is_refused_and_names_the_field(line):
    error = refused(line)

    assert error.field == "cron"
    assert "the day-of-month" in error.message
    assert "never" in error.message


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("60 * * * *", "the minute is '60': expected 0-59"),
        ("* 24 * * *", "the hour is '24': expected 0-23"),
        ("61 * * * * *", "the second is '61'"),
        ("* * 0 * *", "the day-of-month is '0': expected 1-31"),
        ("* * * 13 *", "the month is '13': expected 1-12 or JAN-DEC"),
        ("* * * MAI *", "the month is 'MAI'"),
        ("* * * * 8", "the day-of-week is '8': expected 0-7 or SUN-SAT"),
        ("* * * * MON#6", "the day-of-week is 'MON#6'"),
        ("* * * * L", "the day-of-week is 'L'"),
        ("*/0 * * * *", "the minute is '*/0'"),
        ("5-1 * * * *", "the minute is '5-1'"),
        ("? * * * *", "the minute is '?'"),
        (", * * * *", "the minute is ','"),
        ("-1 * * * *", "the minute is '-1'"),
        ("* * 1/L * *", "the day-of-month is '1/L'"),
        ("", "expected 5 fields"),
        ("* * * *", "or 6 (second first)"),
        ("* * * * * * *", "expected 5 fields"),
        ("@daily", "expected 5 fields"),
        ("\u0663 * * * *", "expected 5 fields"),  # An Arabic digit.
        ("* * * \u017fEP *", "expected 5 fields"),  # A letter that becomes S in upper case.
        ("* * * *\n*", "expected 5 fields"),
        ("*\0 * * * *", "expected 5 fields"),
        ("1" * 10_000, "10000 characters long: expected at most"),
        ("1" * 400 + " * * * *", "the minute is '111"),
        (f"{'1,' * 200}x * * * *", "the minute is '1,1"),
    ],
)
def test_what_is_no_line_is_refused_with_the_field_and_the_expected_form(line, named):
    error = refused(line)

    assert error.field == "cron"
    assert named in error.message
    assert len(error.message) < 500


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("europe/vienna", "did you mean Europe/Vienna?"),
        ("Europe/Viena", "did you mean Europe/Vienna?"),
        ("Middle/Earth", ""),
        ("", ""),
        ("../etc/passwd", ""),
        ("posix/Europe/Vienna", ""),
        ("right/UTC", ""),
        ("Europe", ""),
        ("UTC\0", ""),
        ("x" * 10_000, ""),
    ],
)
def test_an_unknown_zone_is_refused_with_the_nearest_name(zone, hint):
    error = refused("* * * * *", zone)

    assert error.field == "timezone"
    assert "such as Europe/Vienna" in error.message
    assert hint in error.message
    assert len(error.message) < 300


# What follows makes lines from sets of numbers, so that it knows without reading a line what it names.
def numbers(low, high, *, most=4):
    return st.frozensets(st.integers(low, high), min_size=1, max_size=most)


def lines(*, seconds=numbers(0, 59), hours=numbers(0, 5) | numbers(0, 23) | st.none()):  # noqa: B008  # Immutable.
    return st.fixed_dictionaries(
        {
            "seconds": st.none() | seconds,
            "minutes": st.none() | numbers(0, 59),
            "hours": hours,
            "months": st.none() | numbers(1, 12, most=12),
            "weekdays": st.none() | numbers(0, 6),
        }
    )


moments = st.integers(631_152_000, 2_840_140_800).map(lambda seconds: dt.datetime.fromtimestamp(seconds, dt.UTC))


@st.composite
def moments_around_changes(draw):
    """Draw a zone and a moment from a day before to a day after a change of its clocks."""
    zone, *days = draw(st.sampled_from(CHANGES))
    day = dt.datetime.combine(draw(st.sampled_from(days)), dt.time(), ZoneInfo(zone)).astimezone(dt.UTC)
    return zone, day + dt.timedelta(seconds=draw(st.integers(-86_400, 2 * 86_400)))


def written(named):
    fields = (named["minutes"], named["hours"], None, named["months"], named["weekdays"])
    text = " ".join("*" if field is None else ",".join(map(str, sorted(field))) for field in fields)
    return text if named["seconds"] is None else f"{','.join(map(str, sorted(named['seconds'])))} {text}"


def matches(named, local):
    seconds = {0} if named["seconds"] is None else named["seconds"]
    shown = (local.second, local.minute, local.hour, local.month, local.isoweekday() % 7)
    wanted = (seconds, named["minutes"], named["hours"], named["months"], named["weekdays"])
    return all(value in field for value, field in zip(shown, wanted, strict=True) if field is not None)


def exists(local, zone):
    moment = local.replace(tzinfo=zone)
    return moment.astimezone(dt.UTC).astimezone(zone).replace(tzinfo=None) == local


def skipped_before(moment, zone):
    """Return the local times, minute by minute, that the clocks skipped when they showed this moment; mostly none."""
    local = moment.astimezone(zone).replace(tzinfo=None)
    for minutes in itertools.count(1):
        earlier = local - dt.timedelta(minutes=minutes)
        if minutes > 180 or exists(earlier, zone):
            return
        yield earlier


def fires_for_what_was_skipped(named, moment, zone):
    anywhere = named | {"seconds": None}
    return any(matches(anywhere, local) for local in skipped_before(moment, zone))


@settings(deadline=None)
@given(named=lines(), where=st.tuples(st.sampled_from(ZONES), moments) | moments_around_changes())
@example(
    named={"seconds": None, "minutes": {30}, "hours": {2}, "months": None, "weekdays": None},
    where=("Europe/Vienna", dt.datetime(2026, 3, 29, 0, 59, 59, 999_999, tzinfo=dt.UTC)),
)
def test_a_next_run_is_later_and_is_a_time_that_the_line_names(named, where):
    zone, after = where

    found = next_run(written(named), zone, after=after)

    assert found > after
    assert found.tzinfo is dt.UTC
    assert matches(named, found.astimezone(ZoneInfo(zone))) or fires_for_what_was_skipped(named, found, ZoneInfo(zone))


@settings(deadline=None)
@given(
    named=lines(seconds=st.frozensets(st.sampled_from([0, 15, 30, 45]), min_size=1), hours=numbers(0, 5)),
    where=moments_around_changes(),
)
def test_no_time_that_a_line_names_is_left_out_and_none_comes_twice(named, where):
    name, after = where
    zone = ZoneInfo(name)
    line = written(named)
    after -= dt.timedelta(seconds=after.second)
    end = after + dt.timedelta(hours=6)

    found = []
    while (after_last := next_run(line, name, after=found[-1] if found else after)) <= end:
        found.append(after_last)

    # The independent count: every quarter of a minute whose local time is named, and comes for the first time.
    expected = []
    moment = after + dt.timedelta(seconds=15)
    while moment <= end:
        local = moment.astimezone(zone)
        skipped = local.second == 0 and fires_for_what_was_skipped(named, moment, zone)
        if local.fold == 0 and (matches(named, local) or skipped):
            expected.append(moment)
        moment += dt.timedelta(seconds=15)
    assert found == expected


@settings(deadline=None)
@given(line=st.text(max_size=30) | st.text("0123456789*/,-#?LWMONJA ", max_size=40))
def test_any_text_is_a_line_or_refused(line):
    with contextlib.suppress(InvalidRequestError):
        assert next_run(line, "Europe/Vienna", after=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).year >= 2026


def test_the_next_runs_follow_each_other():
    after = dt.datetime(2026, 10, 24, 12, tzinfo=dt.UTC)
    found = next_runs("30 2 * * *", "Europe/Vienna", after=after, count=3)
    assert found == [dt.datetime(2026, 10, day, hour, 30, tzinfo=dt.UTC) for day, hour in ((25, 0), (26, 1), (27, 1))]


def test_a_line_that_can_fire_no_more_has_fewer_runs_than_were_asked_for(monkeypatch):
    asked = []

    def once(*arguments, after):
        asked.append(after)
        if len(asked) > 2:
            raise InvalidRequestError("it can never fire")
        return after + dt.timedelta(days=1)

    monkeypatch.setattr("shared.cron.next_run", once)
    assert len(next_runs("0 0 29 2 *", "UTC", after=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), count=5)) == 2
