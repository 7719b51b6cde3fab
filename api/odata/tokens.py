"""``$skiptoken``: where a page ended, as the values of the last entity that the order looks at.

So the next page begins where an index can find it, however far one has come.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from api.odata.properties import NUMBERS, Type
from shared.exceptions import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

FIELD = "$skiptoken"
LONGEST_CHARACTERS = 8000
INT64 = 2**63


def written(order: str, values: Sequence[Any]) -> str:
    """Write a token.

    Args:
        order: The order that the values belong to, as a text.
        values: The last entity's.
    """
    plain = [value.isoformat() if isinstance(value, dt.datetime) else value for value in values]
    text = json.dumps([order, *plain], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read(token: str, order: str, types: Sequence[tuple[Type, bool]]) -> list[Any]:
    """Read a token.

    Args:
        token: What the client sent.
        order: The order that this request has.
        types: The type of each value, and whether it may be null.

    Raises:
        InvalidRequestError: It is no token, or one of a list in another order.
    """
    try:
        if len(token) > LONGEST_CHARACTERS:
            raise ValueError("too long")  # noqa: TRY301  # It ends where the others do.
        padded = token + "=" * (-len(token) % 4)
        found, *values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if found != order:
            raise InvalidRequestError(
                f"{FIELD} belongs to a list in another order: repeat the $orderby and $filter that it came with",
                field=FIELD,
            )
        return [_value(value, *kind) for value, kind in zip(values, types, strict=True)]
    except (ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise malformed() from error


def malformed() -> InvalidRequestError:
    """Return the error for a token that nobody here wrote."""
    return InvalidRequestError(f"{FIELD} is none that came from here: follow @odata.nextLink as it is", field=FIELD)


def _value(value: Any, kind: Type, nullable: bool) -> Any:  # noqa: FBT001  # It is a part of the type.
    if value is None:
        if not nullable:
            raise ValueError("null")
        return None
    expected: tuple[type, ...] = (str,)
    if kind is Type.BOOLEAN:
        expected = (bool,)
    elif kind in NUMBERS:
        expected = (int, float) if kind is Type.DOUBLE else (int,)
    if type(value) not in expected:
        raise ValueError(f"no {kind}")
    if kind is Type.DATE:
        moment = dt.datetime.fromisoformat(value)
        if moment.tzinfo is not dt.UTC:
            raise ValueError("no UTC")
        return moment
    if isinstance(value, str):
        # Neither NUL nor half of a surrogate pair can be asked for.
        value.replace("\0", "\ud800").encode()
    if isinstance(value, int) and not -INT64 <= value < INT64:
        raise ValueError("too large")
    return value
