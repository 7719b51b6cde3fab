"""How long renders of a kind took here, and so how many of them are taken at once."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.renders import Claimed

# What is taken at once is to be made in so much time: the ends of all are written together, and somebody may wait.
COMPANY_SECONDS = 0.15
LARGEST_COMPANY = 16
KINDS_KEPT = 1000
# How much the newest counts.
WEIGHT = 0.3


class Paces:
    """What one child knows of the renders that it made."""

    def __init__(self) -> None:
        """Begin without knowing anything."""
        self._seconds: OrderedDict[tuple[str, str], float] = OrderedDict()

    def note(self, render: Claimed, seconds: float) -> None:
        """Remember how long a render took; of a text of its own nothing is to be learnt."""
        kind = _kind(render)
        if kind is None:
            return
        before = self._seconds.pop(kind, seconds)
        self._seconds[kind] = before + (seconds - before) * WEIGHT
        if len(self._seconds) > KINDS_KEPT:
            self._seconds.popitem(last=False)

    def company_of(self, render: Claimed) -> int:
        """Return how many renders of this one's kind are taken at once, itself included.

        One that was lost before is alone: it may be lost again, and its neighbours with it.
        """
        kind = _kind(render)
        seconds = None if kind is None or render.attempt > 1 else self._seconds.get(kind)
        if seconds is None:
            return 1
        return max(1, min(LARGEST_COMPANY, round(COMPANY_SECONDS / max(seconds, 0.001))))


def _kind(render: Claimed) -> tuple[str, str] | None:
    if render.template_version_id is None or render.content is not None:
        return None
    return render.template_version_id, render.recipe
