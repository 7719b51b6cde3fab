"""The manners of lists under ``/api/v1``: ``page``, ``pageSize``, ``search``, ``sort``, and each list's own filters.

A feature derives its query from `PageQuery`, names there what it can be sorted by and filtered with, and reads it with
`read_query`. A parameter that the list does not know is refused: one that is passed over gives wrong lists.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, TypeVar

from flask import request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from api.bodies import SHOWN_CHARACTERS, Text
from api.errors import InvalidBodyError
from shared import spelling

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

LARGEST_PAGE_SIZE = 200
# A page's offset must fit into the database's integer.
LARGEST_PAGE = 2**31 // LARGEST_PAGE_SIZE
SEARCH_LENGTH = 200

Query = TypeVar("Query", bound=BaseModel)


def _moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        found = dt.datetime.fromisoformat(value)
        return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise ValueError("a date or a time such as 2026-03-15 or 2026-03-15T06:00:00Z") from None


def _said(value: object) -> object:
    """Read yes and no."""
    if value in ("true", "false"):
        return value == "true"
    raise ValueError("true or false")


# Without an offset, UTC.
Moment = Annotated[dt.datetime, BeforeValidator(_moment, json_schema_input_type=str)]
Flag = Annotated[bool, BeforeValidator(_said, json_schema_input_type=bool)]


class NoQuery(BaseModel):
    """The query of an address that knows no parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PageQuery(BaseModel):
    """What every list understands. A list that can be sorted adds ``sort``, a `Literal` of ``field`` and ``-field``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    page: Annotated[int, Field(ge=1, le=LARGEST_PAGE)] = 1
    page_size: Annotated[int, Field(alias="pageSize", ge=1, le=LARGEST_PAGE_SIZE)] = 25
    search: Annotated[Text, Field(max_length=SEARCH_LENGTH)] = ""

    @property
    def offset(self) -> int:
        """How many entries come before this page."""
        return (self.page - 1) * self.page_size


def read_query(shape: type[Query]) -> Query:
    """Read the request's query.

    Raises:
        InvalidBodyError: A parameter is unknown, comes twice, or is not of its kind; all of them are named.
    """
    given = request.args.to_dict(flat=False)
    twice = [(name, f"{_short(name)} is given {len(values)} times: expected once") for name, values in given.items()]
    twice = [one for one in twice if len(given[one[0]]) > 1]
    if twice:
        raise InvalidBodyError(twice)
    try:
        return shape.model_validate({name: values[0] for name, values in given.items()})
    except ValidationError as error:
        raise InvalidBodyError([_explained(shape, one) for one in error.errors(include_url=False)]) from error


def _explained(shape: type[BaseModel], error: ErrorDetails) -> tuple[str, str]:
    name = _short(str(error["loc"][0])) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        known = [field.alias or own for own, field in shape.model_fields.items()]
        hint = spelling.hint(name, known, f"expected {', '.join(known) or 'none'}")
        return name, f"{name} is not a known query parameter: {hint}"
    if error["type"] == "missing":
        return name, f"{name} is missing"
    if error["type"] == "value_error":
        expected = str(error["ctx"]["error"])
    elif error["type"] == "int_parsing":
        expected = "a whole number"
    else:
        expected = str(error["msg"]).removeprefix("Input should be ").removeprefix("String should ")
    return name, f"{name} is {_short(repr(error['input']))}: expected {expected}"


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
