"""Filters that write numbers, money and times the way a locale does.

The locale is the filter's own argument, else the one that the render came with. Values are what JSON has: numbers and
strings. Everything is rounded half up, as people do who check an invoice by hand.
"""

from __future__ import annotations

import copy
import datetime as dt
import re
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import TYPE_CHECKING

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, get_timezone
from babel.numbers import format_currency, get_currency_precision, is_currency
from jinja2 import Undefined, pass_context

from shared.exceptions import TemplateError

if TYPE_CHECKING:
    from jinja2.runtime import Context as TemplateContext

# Not an identifier, so neither a template can name it nor data take its place unnoticed.
LOCALE_NAME = "(locale)"

NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
LARGEST_EXPONENT = 30
MOST_DIGITS = 20
LONGEST_PATTERN = 100
SHOWN_CHARACTERS = 60
STYLES = ("short", "medium", "long", "full")
# Python's own context has 28 digits and rounds half to even.
EXACT = Context(prec=200, rounding=ROUND_HALF_UP)


@pass_context
def money(context: TemplateContext, value: object, currency: object, locale: str | None = None) -> str:
    """Write an amount with its currency, rounded to the currency's smallest unit.

    Args:
        context: The template's.
        value: A number, or a string such as ``"1234.5"``.
        currency: An ISO 4217 code such as ``EUR``.
        locale: For example ``de_AT``.
    """
    amount = _number("money", value)
    if not isinstance(currency, str) or not is_currency(currency):
        raise TemplateError(f"money: {shown(currency)} is not a currency; expected an ISO 4217 code such as 'EUR'")
    amount = _rounded(amount, get_currency_precision(currency))
    # Babel would round again, half to even.
    with localcontext(EXACT):
        return format_currency(amount, currency, locale=_locale(context, "money", locale), decimal_quantization=False)


@pass_context
def number(context: TemplateContext, value: object, locale: str | None = None, digits: int | None = None) -> str:
    """Write a number.

    Args:
        context: The template's.
        value: A number, or a string such as ``"1234.5"``.
        locale: For example ``de_AT``.
        digits: How many decimals to write; without it, up to three, as many as there are.
    """
    plain = _number("number", value)
    if digits is not None and (not isinstance(digits, int) or not 0 <= digits <= MOST_DIGITS):
        raise TemplateError(f"number: digits is {shown(digits)}; expected a whole number from 0 to {MOST_DIGITS}")
    found = _locale(context, "number", locale)
    pattern = copy.copy(found.decimal_formats[None])
    if digits is not None:
        pattern.frac_prec = (digits, digits)
    with localcontext(EXACT):
        text: str = pattern.apply(_rounded(plain, pattern.frac_prec[1]), found)
    return text


@pass_context
def date(context: TemplateContext, value: object, format: str = "medium", locale: str | None = None) -> str:  # noqa: A002  # The word that template authors know from Babel.
    """Write a date.

    Args:
        context: The template's.
        value: An ISO 8601 date, or date and time, such as ``"2026-03-14"``.
        format: ``short``, ``medium``, ``long``, ``full``, or a CLDR pattern such as ``dd.MM.yyyy``.
        locale: For example ``de_AT``.
    """
    day = _moment("date", value).date()
    found = _locale(context, "date", locale)
    try:
        return format_date(day, _pattern("date", format), found)
    except (AttributeError, KeyError, ValueError) as error:
        raise _bad_pattern("date", format) from error


@pass_context
def datetime(
    context: TemplateContext,
    value: object,
    format: str = "medium",  # noqa: A002  # As above.
    locale: str | None = None,
    timezone: str | None = None,
) -> str:
    """Write a date and its time of day.

    Args:
        context: The template's.
        value: An ISO 8601 date and time such as ``"2026-03-14T09:30:00Z"``.
        format: As for ``date``.
        locale: For example ``de_AT``.
        timezone: For example ``Europe/Dublin``; without it, the time is written as it stands.
    """
    moment = _moment("datetime", value)
    found = _locale(context, "datetime", locale)
    try:
        zone = get_timezone(timezone) if timezone is not None else None
    except (LookupError, ValueError, TypeError, AttributeError, OSError) as error:
        raise TemplateError(
            f"datetime: {shown(timezone)} is not a time zone; expected a name such as 'Europe/Dublin'"
        ) from error
    try:
        return format_datetime(moment, _pattern("datetime", format), zone, found)
    except (AttributeError, KeyError, ValueError) as error:
        raise _bad_pattern("datetime", format) from error
    except OverflowError as error:
        raise TemplateError(f"datetime: {shown(value)} lies outside the years 1 to 9999 in that time zone") from error


def shown(value: object) -> str:
    """Return a value as a message can show it: quoted, short, and named by its JSON word where it has one."""
    if isinstance(value, Undefined):
        return "an undefined value"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(str(value)) if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _number(filter_name: str, value: object) -> Decimal:
    plain = str(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else ""
    plain = plain.strip()
    if NUMBER.fullmatch(plain):
        found = Decimal(plain)
        if -LARGEST_EXPONENT <= found.adjusted() <= LARGEST_EXPONENT or not found:
            return found
        raise TemplateError(
            f"{filter_name}: {shown(value)} is too large or too small to print; "
            f"expected at most {LARGEST_EXPONENT} digits on either side of the point"
        )
    raise TemplateError(
        f"{filter_name}: {shown(value)} is not a number; expected a number or a string such as '1234.5'"
    )


def _rounded(value: Decimal, digits: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-digits), context=EXACT)


def _moment(filter_name: str, value: object) -> dt.datetime:
    if isinstance(value, str):
        try:
            return dt.datetime.fromisoformat(value.strip())
        except ValueError:
            pass
    raise TemplateError(
        f"{filter_name}: {shown(value)} is not a date; expected ISO 8601, such as '2026-03-14' or "
        "'2026-03-14T09:30:00Z'"
    )


def _locale(context: TemplateContext, filter_name: str, name: str | None) -> Locale:
    wanted = name if name is not None else context.get(LOCALE_NAME)
    try:
        return Locale.parse(wanted.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError, AttributeError) as error:
        raise TemplateError(
            f"{filter_name}: {shown(wanted)} is not a known locale; expected a name such as 'en_IE'"
        ) from error


def _pattern(filter_name: str, pattern: object) -> str:
    if not isinstance(pattern, str) or not 0 < len(pattern) <= LONGEST_PATTERN:
        raise _bad_pattern(filter_name, pattern)
    return pattern


def _bad_pattern(filter_name: str, pattern: object) -> TemplateError:
    return TemplateError(
        f"{filter_name}: {shown(pattern)} is not a format; expected {', '.join(STYLES)}, or a CLDR pattern such as "
        "'dd.MM.yyyy'"
    )
