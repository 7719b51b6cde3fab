"""The filters money, number, date and datetime."""

from __future__ import annotations

import pytest

from shared.exceptions import TemplateError
from workers.engines.jinja import JinjaEngine


@pytest.fixture(scope="module")
def engine():
    return JinjaEngine()


def expand(engine, expression, value, locale="en_IE"):
    return engine.expand("{{ " + expression + " }}", {"v": value}, markup=True, locale=locale)


@pytest.mark.parametrize(
    ("expression", "value", "written"),
    [
        ("v | money('EUR')", 12.5, "€12.50"),
        ("v | money('EUR')", "42796.89", "€42,796.89"),
        ("v | money('EUR', 'de_DE')", 42796.89, "42.796,89\N{NO-BREAK SPACE}€"),
        ("v | money('JPY', locale='ja-JP')", 1234.5, "\N{FULLWIDTH YEN SIGN}1,235"),
        ("v | money('KWD', 'en')", "1.2345", "KWD1.235"),
        ("v | money('EUR')", -3, "-€3.00"),
        ("v | money('EUR')", "0.125", "€0.13"),
        ("v | money('EUR')", 2.675, "€2.68"),
        ("v | money('EUR')", 0, "€0.00"),
        ("v | number", 1234567.891, "1,234,567.891"),
        ("v | number", 0.1 + 0.2, "0.3"),
        ("v | number", 12345678901234567890, "12,345,678,901,234,567,890"),
        ("v | number", 1e29, "100,000,000,000,000,000,000,000,000,000"),
        ("v | number('en_IN')", 1234567, "12,34,567"),
        ("v | number(digits=2)", 1234.5, "1,234.50"),
        ("v | number(digits=0)", 2.5, "3"),
        ("v | number('fr_FR', 1)", "1234.55", "1\N{NARROW NO-BREAK SPACE}234,6"),
        ("v | date", "2026-03-14", "14 Mar 2026"),
        ("v | date('long', 'de_AT')", "2026-03-14", "14. März 2026"),
        ("v | date('dd.MM.yyyy')", "2026-03-14T23:30:00Z", "14.03.2026"),
        ("v | datetime('short')", "2026-12-31 18:00", "31/12/2026, 18:00"),
        ("v | datetime('yyyy-MM-dd HH:mm', timezone='Europe/Dublin')", "2026-07-01T23:30:00Z", "2026-07-02 00:30"),
    ],
)
def test_values_are_written_as_the_locale_writes_them(engine, expression, value, written):
    assert expand(engine, expression, value) == written


def test_the_locale_of_the_render_counts_even_when_the_value_stands_in_the_template(engine):
    written = [
        engine.expand("{% macro m() %}{{ 1234.5 | number }}{% endmacro %}{{ m() }}", {}, markup=True, locale=locale)
        for locale in ("en_IE", "de_DE", "en_IE")
    ]
    assert written == ["1,234.5", "1.234,5", "1,234.5"]


@pytest.mark.parametrize(
    ("expression", "value", "said"),
    [
        ("v | money('EUR')", "1,534.63", "money: '1,534.63' is not a number; expected a number"),
        ("v | money('EUR')", "", "money: '' is not a number"),
        ("v | money('EUR')", None, "money: null is not a number"),
        ("v | money('EUR')", True, "money: true is not a number"),
        ("v | money('EUR')", {"a": 1}, "money: an object is not a number"),
        ("v | money('EUR')", "NaN", "money: 'NaN' is not a number"),
        ("v | money('EUR')", "1" * 5000, "too large or too small to print"),
        ("v | money('euros')", 1, "'euros' is not a currency; expected an ISO 4217 code"),
        ("v | money(nope)", 1, "an undefined value is not a currency"),
        ("nope | money('EUR')", 1, "money: an undefined value is not a number"),
        ("v | number", "1e999", "number: '1e999' is too large or too small"),
        ("v | number(digits=99)", 1, "digits is 99; expected a whole number from 0 to 20"),
        ("v | number('xx_YY')", 1, "'xx_YY' is not a known locale"),
        ("v | number('../../etc')", 1, "'../../etc' is not a known locale"),
        ("v | number(5)", 1, "5 is not a known locale"),
        ("v | date", "14.3.2026", "date: '14.3.2026' is not a date; expected ISO 8601"),
        ("v | date", 20260314, "date: 20260314 is not a date"),
        ("v | date('HH')", "2026-03-14", "'HH' is not a format; expected short, medium"),
        ("v | date('y' * 101)", "2026-03-14", "is not a format"),
        ("v | date(7)", "2026-03-14", "7 is not a format"),
        ("v | datetime(timezone='../x')", "2026-03-14T10:00", "'../x' is not a time zone"),
        ("v | datetime(timezone='Asia/Tokyo')", "9999-12-31T23:00:00Z", "outside the years 1 to 9999"),
    ],
)
def test_a_bad_value_is_named_with_what_was_expected(engine, expression, value, said):
    with pytest.raises(TemplateError) as caught:
        expand(engine, expression, value)
    assert said in caught.value.message
    assert caught.value.line == 1
    assert len(caught.value.message) < 300


def test_an_unknown_locale_of_the_render_is_an_error_only_where_it_is_used(engine):
    assert expand(engine, "v", 1, locale="nowhere") == "1"
    with pytest.raises(TemplateError, match="'nowhere' is not a known locale"):
        expand(engine, "v | number", 1, locale="nowhere")
