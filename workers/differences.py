"""What differs between two requests, and between the texts of two documents, in a form that a person can read."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_CHANGES = 500
# Longer texts are shown from shortly before the place where they begin to differ.
SHOWN_CHARACTERS = 300
LEAD_CHARACTERS = 40
# Of a container, this many members are named.
SHOWN_MEMBERS = 10
# The search is quadratic. Of more words than the first, difflib leaves out those that come often; of more than the
# second, what differs is named as a whole.
FEW_WORDS = 1000
MOST_WORDS = 5000
CONTEXT_WORDS = 6
ABSENT = object()


@dataclass(slots=True)
class Listed:
    """A list of differences that has an end.

    Attributes:
        changes: The first of them.
        more: How many there are beyond.
    """

    changes: list[dict[str, Any]] = field(default_factory=list)
    more: int = 0

    def add(self, change: dict[str, Any]) -> None:
        """Add a difference, or only count it."""
        if len(self.changes) < MOST_CHANGES:
            self.changes.append(change)
        else:
            self.more += 1


def values_differing(before: Any, after: Any) -> Listed:
    """Compare two JSON values.

    Returns:
        For each place that differs its JSON pointer (RFC 6901) as ``path``, and what was there ``before`` and
        ``after``; a side that has no such place has no such member.
    """
    found = Listed()
    for path, old, new in _places(before, after, ""):
        texts = isinstance(old, str) and isinstance(new, str)
        shown = shortened(old, new) if texts else (_shown(old), _shown(new))
        sides = zip(("before", "after"), shown, strict=True)
        found.add({"path": path} | {name: one for name, one in sides if one is not ABSENT})
    return found


def add_words_differing(found: Listed, page: int, before: str, after: str) -> None:
    """Compare one page's texts word by word: how words are broken into lines is no difference.

    For each run of words that differs its ``page`` is added, the words right before it as ``context``, and the words
    ``before`` and ``after``; None on the side that has none.

    Args:
        found: Where to.
        page: The page, counted from 1.
        before: Its text as it was; empty where there was no such page.
        after: Its text as it is.
    """
    for context, gone, come in _runs(before.split(), after.split()):
        shown = shortened(gone, come)
        found.add({"page": page, "context": context, "before": shown[0] or None, "after": shown[1] or None})


def shortened(before: str, after: str) -> tuple[str, str]:
    """Return two texts such that what differs in them can still be seen when they are cut."""
    if len(before) <= SHOWN_CHARACTERS and len(after) <= SHOWN_CHARACTERS:
        return before, after
    same = next(
        (index for index, (one, other) in enumerate(zip(before, after, strict=False)) if one != other),
        min(len(before), len(after)),
    )
    begin = max(same - LEAD_CHARACTERS, 0)
    return _cut(before, begin), _cut(after, begin)


def _cut(text: str, begin: int) -> str:
    shown = text[begin : begin + SHOWN_CHARACTERS]
    return ("…" if begin else "") + shown + ("…" if begin + SHOWN_CHARACTERS < len(text) else "")


def _places(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            step = name.replace("~", "~0").replace("/", "~1")
            yield from _places(before.get(name, ABSENT), after.get(name, ABSENT), f"{path}/{step}")
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            old = before[index] if index < len(before) else ABSENT
            new = after[index] if index < len(after) else ABSENT
            yield from _places(old, new, f"{path}/{index}")
    elif not _same(before, after):
        yield path, before, after


def _same(before: Any, after: Any) -> bool:
    # In Python, true is 1. That 1 and 1.0 are one number holds in JSON, too.
    return isinstance(before, bool) is isinstance(after, bool) and bool(before == after)


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return shortened(value, "")[0]
    if isinstance(value, dict):
        members = {name: _shown_inside(one) for name, one in list(value.items())[:SHOWN_MEMBERS]}
        return members | ({"…": f"and {len(value) - SHOWN_MEMBERS} more"} if len(value) > SHOWN_MEMBERS else {})
    if isinstance(value, list):
        entries = [_shown_inside(one) for one in value[:SHOWN_MEMBERS]]
        return entries + ([f"… and {len(value) - SHOWN_MEMBERS} more"] if len(value) > SHOWN_MEMBERS else [])
    return value


def _shown_inside(value: Any) -> Any:
    if isinstance(value, dict):
        return {"…": f"{len(value)} members"} if value else {}
    if isinstance(value, list):
        return [f"… {len(value)} entries"] if value else []
    return _shown(value)


def _runs(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the words before each difference, the words that are gone, and those that have come."""
    if before == after:
        return
    shorter = min(len(before), len(after))
    head = next((index for index in range(shorter) if before[index] != after[index]), shorter)
    tail = next((index for index in range(shorter - head) if before[-1 - index] != after[-1 - index]), shorter - head)
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    places: Sequence[tuple[str, int, int, int, int]] = [("replace", 0, len(old), 0, len(new))]
    longer = max(len(old), len(new))
    if longer <= MOST_WORDS:
        places = difflib.SequenceMatcher(None, old, new, autojunk=longer > FEW_WORDS).get_opcodes()
    for kind, old_begin, old_end, new_begin, new_end in places:
        if kind != "equal":
            context = before[max(head + old_begin - CONTEXT_WORDS, 0) : head + old_begin]
            yield " ".join(context), " ".join(old[old_begin:old_end]), " ".join(new[new_begin:new_end])
