"""What is struck, and when: a plan that only its seed, its length and what can be struck here decide."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

FAULTS_A_MINUTE = 7.5
MOST_AT_ONCE = 3
# From a fault's heal until its target may be struck again: a process that is only starting shows nothing.
BREATH_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault, as far as planning goes.

    Attributes:
        name: What it is called.
        targets: What it can strike.
        seconds: The shortest and the longest that it lasts; None: it is over at once.
    """

    name: str
    targets: tuple[str, ...]
    seconds: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """One fault of the plan; times in seconds, `at` since the clients began."""

    at: float
    kind: str
    target: str
    seconds: float
    # Which of several children, sessions and the like; taken modulo how many there are.
    choice: int


def plan(kinds: Sequence[Kind], *, seed: int, seconds: float) -> list[Planned]:
    """Plan the faults of a run.

    Each minute has its share, at odd moments; they overlap now and then, but never on one target. All kinds come about
    equally often, as from a bag that is filled again when it is empty.

    Args:
        kinds: What can be struck here.
        seed: The same seed makes the same plan.
        seconds: How long it goes on.
    """
    chance = random.Random(seed)
    count = max(1, round(seconds / 60 * FAULTS_A_MINUTE))
    slot = seconds / count
    planned: list[Planned] = []
    bag: list[Kind] = []
    for number in range(count):
        at = round((number + chance.uniform(0.1, 0.9)) * slot, 1)
        if len(bag) < len(kinds):
            # The next bag begins before this one is empty: what is left may have no free target now.
            bag += chance.sample(kinds, len(kinds))
        found = _next(bag, planned, at, chance)
        if found is not None:
            planned.append(found)
    return planned


def _next(bag: list[Kind], planned: Sequence[Planned], at: float, chance: random.Random) -> Planned | None:
    going_on = [one for one in planned if one.at + one.seconds > at]
    busy = {one.target for one in planned if one.at + one.seconds + BREATH_SECONDS > at}
    for kind in bag:
        if kind.seconds is not None and len(going_on) >= MOST_AT_ONCE:
            continue
        free = [target for target in kind.targets if target not in busy]
        if free:
            bag.remove(kind)
            seconds = round(chance.uniform(*kind.seconds), 1) if kind.seconds else 0.0
            return Planned(at, kind.name, chance.choice(free), seconds, chance.randrange(1 << 16))
    return None
