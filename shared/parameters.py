"""What a template asks of whoever renders it: parameters with a name, a type and, where wanted, a default."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Any

# What a value of each type is, as the person who sent another is told.
TYPES = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "date": "a date such as 2026-03-14",
    "datetime": "a date and time such as 2026-03-14T09:30:00Z",
    "array": "a list",
    "object": "an object",
}
# Words of the template language.
RESERVED = frozenset({"and", "else", "false", "if", "in", "is", "none", "not", "or", "true"})
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATETIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)


def is_name(text: str) -> bool:
    """Say whether a template can use a parameter of this name."""
    return text.isidentifier() and text.lower() not in RESERVED


def fits(value: Any, kind: str) -> bool:
    """Say whether a JSON value is of one of the `TYPES`."""
    match kind:
        case "number":
            # Of a whole number of hundreds of digits, isfinite makes an error.
            return (isinstance(value, int) and not isinstance(value, bool)) or (
                isinstance(value, float) and math.isfinite(value)
            )
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "date":
            return _is_moment(value, _DATE)
        case "datetime":
            return _is_moment(value, _DATETIME)
        case _:
            return isinstance(value, {"string": str, "boolean": bool, "array": list, "object": dict}[kind])


def _is_moment(value: Any, form: re.Pattern[str]) -> bool:
    if not isinstance(value, str) or not form.fullmatch(value):
        return False
    try:
        dt.datetime.fromisoformat(value.upper())
    except ValueError:
        return False
    return True
