"""Which column of a batch's file a template finds where: ``{"customer.name": "Kunde"}``.

The values that are named are all taken out first and then put in their places, so two may change places. What is not
named keeps its own, unless something is put there, or inside of it, or around it: then it gives way and is left out.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared import spelling
from shared.exceptions import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

# As deep as anybody looks; far deeper ones could not be written as JSON.
MOST_PARTS = 30
# As deep as columns of JSON are shown.
MOST_DEEP = 6
_MOST_NAMED = 20
_MOST_COMPARED = 1000
_SHOWN = 80
FIELD = "columns"

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column stands where.

    Attributes:
        chosen: The places in an item, each with the name of its column.
    """

    chosen: tuple[tuple[Path, str], ...]

    @property
    def names(self) -> frozenset[str]:
        """The columns that are chosen."""
        return frozenset(column for _, column in self.chosen)


def columns_of(chosen: Mapping[str, str]) -> Columns:
    """Read what somebody chose.

    Args:
        chosen: For each path (``customer.name``) the name of a column.

    Raises:
        InvalidRequestError: A path is none, or is a part of another.
    """
    found = []
    for path, column in chosen.items():
        parts = tuple(path.split("."))
        if "" in parts or len(parts) > MOST_PARTS:
            raise InvalidRequestError(
                f"{FIELD} puts {_short(column)} at {_short(path)}: expected a path such as number or customer.name, of "
                f"at most {MOST_PARTS} names",
                field=FIELD,
            )
        found.append((parts, column))
    if clash := _clash([parts for parts, _ in found]):
        outer, inner = clash
        raise InvalidRequestError(
            f"{FIELD} names {_short(outer)} and {_short(inner)}, which is a part of it: expected only one of them",
            field=FIELD,
        )
    return Columns(tuple(found))


def named(header: Sequence[str]) -> list[str]:
    """Give every column of a table a name, and each its own: ``B``, ``column_3``, ``B_2``."""
    names: dict[str, None] = {}
    for place, name in enumerate(header, 1):
        wanted = free = name or f"column_{place}"
        numbers = itertools.count(2)
        while free in names:
            free = f"{wanted}_{next(numbers)}"
        names[free] = None
    return list(names)


def places_in_table(names: Sequence[str], columns: Columns | None) -> list[tuple[Path, int]]:
    """Return where in an item the values of a table's line belong: each path with the place in the line.

    Args:
        names: What the table's columns are called.
        columns: What was chosen; None: nothing.

    Raises:
        InvalidRequestError: The table has no such column; or one that is called as a part of another.
    """
    wanted = columns.chosen if columns else ()
    taken = {column for _, column in wanted}
    if missing := sorted(taken - set(names)):
        raise unknown(missing[0], names)
    # Where something is put, around it and inside of it, nothing else has a place.
    around = {path[:length] for path, _ in wanted for length in range(1, len(path) + 1)}
    whole = {path for path, _ in wanted}
    kept = []
    for place, name in enumerate(names):
        path = tuple(name.split("."))
        if len(path) > MOST_PARTS:
            raise InvalidRequestError(
                f"The table's column {_short(name)} is called too deep: expected at most {MOST_PARTS} names",
                field="items",
            )
        gives_way = path in around or any(path[:length] in whole for length in range(1, len(path)))
        if name not in taken and not gives_way:
            kept.append((path, place))
    if clash := _clash([path for path, _ in kept]):
        outer, inner = clash
        raise InvalidRequestError(
            f"The table has a column {_short(outer)} and one that is called as a part of it, {_short(inner)}",
            field="items",
        )
    return kept + [(path, names.index(column)) for path, column in wanted]


def item_of(places: Sequence[tuple[Path, int]], values: Sequence[str]) -> dict[str, Any]:
    """Make an item of a table's line.

    Args:
        places: As of `places_in_table`.
        values: The line's values.
    """
    item: dict[str, Any] = {}
    for path, place in places:
        _put(item, path, values[place])
    return item


def moved(item: dict[str, Any], columns: Columns) -> frozenset[str]:
    """Put an item's values where they are wanted, and return the columns that it had.

    Args:
        item: The item, which is changed.
        columns: What was chosen. A column is the item's own name of something, or a path to it.
    """
    found = [
        (path, column, _steps(item, column), value)
        for path, column in columns.chosen
        for value in _values_at(item, column)
    ]
    # The outermost first: what is in it stays in it.
    for _, _, steps, _ in sorted(found, key=lambda one: len(one[2])):
        _take_out(item, steps)
    for path, _, _, value in found:
        _put(item, path, value)
    return frozenset(column for _, column, _, _ in found)


def leaves(item: Mapping[str, Any], *, whole: Collection[str] = (), before: str = "", deep: int = 1) -> Iterator[str]:
    """Yield the columns of an item of JSON: the paths of what is no object.

    Args:
        item: The item, or an object in it.
        whole: The paths of objects that are columns themselves.
        before: The path of the object, with a dot behind it.
        deep: How deep it lies.
    """
    for name, value in item.items():
        path = f"{before}{name}"
        if before and "." in name:
            # No path leads there.
            continue
        if isinstance(value, dict) and value and deep < MOST_DEEP and path not in whole and "." not in name:
            yield from leaves(value, whole=whole, before=f"{path}.", deep=deep + 1)
        else:
            yield path


def value_at(item: Any, path: str) -> Any:
    """Return what an item has at a path, or under that very name; None when it has nothing there."""
    return next(_values_at(item, path), None) if isinstance(item, dict) else None


def unknown(column: str, known: Sequence[str]) -> InvalidRequestError:
    """Say that a file has no such column, and which ones it has."""
    near = spelling.nearest(column, known[:_MOST_COMPARED])
    has = ", ".join(_short(name) for name in known[:_MOST_NAMED])
    more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
    return InvalidRequestError(
        f"{FIELD} names {_short(column)}, and the file has no such column: "
        + (f"did you mean {_short(near)}? " if near else "")
        + (f"It has {has}{more}" if known else "It has none"),
        field=FIELD,
    )


def _steps(item: Mapping[str, Any], column: str) -> Path:
    return (column,) if column in item else tuple(column.split("."))


def _values_at(item: Mapping[str, Any], column: str) -> Iterator[Any]:
    """Yield what stands there, if anything does."""
    found: Any = item
    for name in _steps(item, column):
        if not isinstance(found, dict) or name not in found:
            return
        found = found[name]
    yield found


def _take_out(item: dict[str, Any], path: Path) -> None:
    """Remove what stands there, and the objects that are empty then."""
    name, *rest = path
    inner = item.get(name)
    if rest and isinstance(inner, dict):
        _take_out(inner, tuple(rest))
    if not rest or inner == {}:
        item.pop(name, None)


def _put(item: dict[str, Any], path: Path, value: Any) -> None:
    *groups, last = path
    for group in groups:
        inner = item.get(group)
        if not isinstance(inner, dict):
            inner = item[group] = {}
        item = inner
    item[last] = value


def _clash(paths: Sequence[Path]) -> tuple[str, str] | None:
    """Return a path and one that is a part of it."""
    # In order, what is a part of one comes right behind it.
    for one, other in itertools.pairwise(sorted(paths)):
        if other[: len(one)] == one:
            return ".".join(one), ".".join(other)
    return None


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
