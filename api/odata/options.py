"""The query options of a request, each checked before anything is asked of the database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import request

from api.odata.properties import STRUCTURES, Property
from shared import spelling
from shared.exceptions import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from api.odata.sets import EntitySet

LIST = ("$filter", "$orderby", "$top", "$skip", "$select", "$count", "$skiptoken", "$format")
ENTITY = ("$select", "$format")
COUNT = ("$filter",)
DOCUMENT = ("$format",)
# OData's, and not offered by any set.
NOT_OFFERED = ("$apply", "$compute", "$deltatoken", "$expand", "$id", "$index", "$levels", "$schemaversion", "$search")
# What a column of the database holds.
LARGEST_INTEGER = 2**31 - 1
MOST_ORDERS = 10
SHOWN_CHARACTERS = 80
_PREFERRED_PAGE = re.compile(r"(?:odata\.)?maxpagesize\s*=\s*\"?([0-9]{1,9})\"?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Order:
    """One part of ``$orderby``."""

    by: Property
    descending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a client asks of a list.

    Attributes:
        filter: The text of ``$filter``.
        order: ``$orderby``, most important first; empty: the client does not care.
        top: How many entities at most.
        skip: How many are left out first.
        selected: The properties that are wanted; None: all.
        count: Whether the number of all matches is wanted.
        token: ``$skiptoken``: where the page before ended.
        page: How many entities a page has at most.
        preferred: Whether the client chose ``page``.
    """

    filter: str | None
    order: tuple[Order, ...]
    top: int | None
    skip: int
    selected: tuple[Property, ...] | None
    count: bool
    token: str | None
    page: int
    preferred: bool


def of_list(entity_set: EntitySet, *, most: int) -> Options:
    """Read the options of a list.

    Args:
        entity_set: What is listed.
        most: How many entities a page may have.

    Raises:
        InvalidRequestError: An option is unknown, repeated or malformed; the text names it.
    """
    given = read(LIST)
    preferred = _preferred_page()
    return Options(
        filter=given.get("$filter"),
        order=_order(entity_set, given["$orderby"]) if "$orderby" in given else (),
        top=_number("$top", given["$top"]) if "$top" in given else None,
        skip=_number("$skip", given.get("$skip", "0")),
        selected=selected(entity_set, given),
        count=_flag("$count", given.get("$count", "false")),
        token=given.get("$skiptoken"),
        page=min(most, preferred or most),
        preferred=preferred is not None and preferred <= most,
    )


def read(known: Collection[str]) -> Mapping[str, str]:
    """Return the request's options by name.

    Raises:
        InvalidRequestError: One is not known here or given twice, or asks for another format than JSON.
    """
    found: dict[str, str] = {}
    for name, values in request.args.lists():
        if name not in known:
            raise InvalidRequestError(_unknown(name, known), field=_shortened(name))
        if len(values) > 1:
            raise InvalidRequestError(f"{name} is given {len(values)} times: expected once", field=name)
        found[name] = values[0]
    wanted = found.get("$format", "json")
    if wanted.partition(";")[0].strip().lower() not in ("json", "application/json"):
        raise InvalidRequestError(f"$format is {_shortened(wanted)!r}: expected json", field="$format")
    return found


def selected(entity_set: EntitySet, given: Mapping[str, str]) -> tuple[Property, ...] | None:
    """Return what ``$select`` names; None: everything.

    Raises:
        InvalidRequestError: It names what the entities do not have.
    """
    if "$select" not in given:
        return None
    names = [name.strip() for name in given["$select"].split(",")]
    found = {name: _named(entity_set, name, "$select") for name in names if name != "*"}
    return None if "*" in names else tuple(found.values())


def _unknown(name: str, known: Collection[str]) -> str:
    shown = _shortened(name)
    if name in NOT_OFFERED or name in LIST:
        return f"{shown} is not offered here: expected only {', '.join(known) or 'none'}"
    hint = spelling.hint(f"${name.lstrip('$').lower()}", known, f"expected only {', '.join(known) or 'none'}")
    return f"There is no query option {shown!r} here: {hint}"


def _order(entity_set: EntitySet, text: str) -> tuple[Order, ...]:
    parts = [part.split() for part in text.split(",")]
    if len(parts) > MOST_ORDERS:
        raise InvalidRequestError(f"$orderby has {len(parts)} parts: expected at most {MOST_ORDERS}", field="$orderby")
    found: dict[str, Order] = {}
    for part in parts:
        match [word if place == 0 else word.lower() for place, word in enumerate(part)]:
            case [name] | [name, "asc"]:
                descending = False
            case [name, "desc"]:
                descending = True
            case _:
                shown = _shortened(" ".join(part))
                raise InvalidRequestError(
                    f"$orderby has {shown!r}: expected a property, and asc or desc behind it", field="$orderby"
                )
        one = _named(entity_set, name, "$orderby")
        if one.type in STRUCTURES:
            raise InvalidRequestError(f"$orderby: {name} is a structure, which has no order", field="$orderby")
        if one.long:
            raise InvalidRequestError(f"$orderby: {name} is too long a text to be ordered by", field="$orderby")
        if name in found:
            raise InvalidRequestError(f"$orderby names {name} twice: expected once", field="$orderby")
        found[name] = Order(one, descending)
    return tuple(found.values())


def _named(entity_set: EntitySet, name: str, option: str) -> Property:
    one = entity_set.properties.get(name)
    if one is None:
        hint = spelling.hint(name, entity_set.properties, f"there are {', '.join(entity_set.properties)}")
        raise InvalidRequestError(f"{option}: there is no property {_shortened(name)!r}: {hint}", field=option)
    return one


def _number(name: str, text: str) -> int:
    # Python would read digits of every script, underscores, and thousands of them.
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > LARGEST_INTEGER:
        raise InvalidRequestError(
            f"{name} is {_shortened(text)!r}: expected a whole number from 0 to {LARGEST_INTEGER}", field=name
        )
    return int(text)


def _flag(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise InvalidRequestError(f"{name} is {_shortened(text)!r}: expected true or false", field=name)
    return text == "true"


def _preferred_page() -> int | None:
    """Return the page's size that the client prefers. What is no size is no reason to refuse: it is a preference."""
    for part in request.headers.get("Prefer", "").split(","):
        found = _PREFERRED_PAGE.fullmatch(part.strip())
        if found and int(found[1]):
            return int(found[1])
    return None


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
