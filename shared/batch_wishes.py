"""What a template wants to be told of each document, and which of a file's columns is probably what."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from shared.models import TemplateVersion

# As deep as a template's sample is looked into.
MOST_DEEP = 6
# Beyond so many, all of them are not compared with each other.
MOST_COMPARED = 200
# Of 100. Below that, "city" and "county" would be alike.
LIKE, SAME = 85, 95
GROUPS = ("array", "object")
_HUMP = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Something that a template wants to be told.

    Attributes:
        path: Where it looks for it: ``customer.name``.
        type: What it is, as of `shared.parameters`.
        required: Whether no document is made without it.
        about: What its author says of it.
        example: A value.
    """

    path: str
    type: str
    required: bool = False
    about: str | None = None
    example: Any = None


def wishes_of(version: TemplateVersion) -> list[Wish]:
    """Return what a template wants, once each: what it declares, or else what its sample has."""
    sample = json.loads(version.sample_data) if version.sample_data else {}
    found: dict[str, Wish] = {}
    for one in (version.parameters or []) + (version.fields or []):
        name = one["name"]
        found.setdefault(
            name,
            Wish(
                path=name,
                type=one.get("type", "string"),
                required=one.get("required", False),
                about=one.get("description"),
                example=one.get("example", _at(sample, name)),
            ),
        )
    declared = list(found)
    for path, value in _leaves(sample):
        # Of what is declared as a whole, no part is asked for.
        if not any(path == one or path.startswith(f"{one}.") or one.startswith(f"{path}.") for one in declared):
            found[path] = Wish(path=path, type=_type(value), example=value)
    return list(found.values())


def suggested(paths: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """Return for each path the column that is probably meant; what is not clear is left out.

    Args:
        paths: What is wanted.
        columns: What there is; each is suggested once.
    """
    pairs = sorted(_pairs(paths[:MOST_COMPARED], columns[:MOST_COMPARED]), key=lambda one: one.order, reverse=True)
    found: dict[str, str] = {}
    taken: set[str] = set()
    for pair in pairs:
        if pair.path in found or pair.column in taken:
            continue
        rivals = (
            one
            for one in pairs
            if (one.path == pair.path) != (one.column == pair.column)
            and one.path not in found
            and one.column not in taken
            and (one.order >= pair.order if pair.sameness >= SAME else one.likeness >= pair.likeness)
        )
        if not any(rivals):
            found[pair.path] = pair.column
            taken.add(pair.column)
    return {path: found[path] for path in paths if path in found}


@dataclass(frozen=True, slots=True)
class _Pair:
    """A path and a column that may be meant by it."""

    path: str
    column: str
    likeness: float
    sameness: float

    @property
    def order(self) -> tuple[bool, float, float]:
        return self.path == self.column, self.likeness, self.sameness


def _pairs(paths: Iterable[str], columns: Iterable[str]) -> Iterator[_Pair]:
    # Only a preview needs it.
    from rapidfuzz import fuzz, utils  # noqa: PLC0415

    plain = [(column, words) for column in columns if (words := utils.default_process(_words(column)))]
    for path in paths:
        wanted = utils.default_process(_words(path))
        for column, words in plain:
            likeness = fuzz.token_set_ratio(wanted, words, score_cutoff=LIKE)
            one, other = set(wanted.split()), set(words.split())
            if likeness and one - other and other - one:
                # What they have in common says nothing of the rest: a customer's name is no customer's number.
                rests = (_without(wanted, other), _without(words, one))
                likeness = min(likeness, fuzz.ratio(*rests, score_cutoff=LIKE))
            joined = fuzz.ratio(wanted.replace(" ", ""), words.replace(" ", ""), score_cutoff=SAME)
            # As one word: "Post code" is a postcode.
            likeness = max(likeness, joined)
            if likeness:
                sameness = max(joined, fuzz.token_sort_ratio(wanted, words))
                yield _Pair(path, column, likeness, sameness)


def _without(words: str, others: set[str]) -> str:
    return " ".join(word for word in words.split() if word not in others)


def _words(text: str) -> str:
    plain = unicodedata.normalize("NFKD", _HUMP.sub(" ", text).casefold())
    return "".join(sign for sign in plain if not unicodedata.combining(sign)).replace("_", " ")


def _leaves(data: dict[str, Any], before: str = "", deep: int = 1) -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        if isinstance(value, dict) and value and deep < MOST_DEEP:
            yield from _leaves(value, f"{before}{name}.", deep + 1)
        else:
            yield f"{before}{name}", value


def _at(data: Any, name: str) -> Any:
    for one in name.split("."):
        data = data.get(one) if isinstance(data, dict) else None
    return data


def _type(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case list():
            return "array"
        case dict():
            return "object"
        case _:
            return "string"
