"""When a real render of a certified template is compared with the reference once more.

Each child counts for itself, and remembers what is due until it is done: so it is certain, and no matter of luck, that
a certificate which does not hold for what is rendered is found within `PLENTY` renders of any child, and mostly by its
first.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

# A child's renders of one certificate that are compared until `PROVEN` of them agreed, of whichever child.
FIRST = frozenset({1, 2, 4, 8, 16, 32, 64})
PROVEN = 8
# And this one always, like the first.
PLENTY = 100
MOST_COUNTED = 1000


@dataclass(slots=True)
class _Count:
    renders: int = 0
    due: bool = False


class Sampling:
    """Counts one child's renders by the fast engine."""

    def __init__(self, *, interval: int) -> None:
        """Begin with nothing counted.

        Args:
            interval: Behind the first hundred, one of so many renders is compared; 0: none.
        """
        self._interval = interval
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def is_due(self, subject: str, *, samples: int) -> bool:
        """Count a render, and say whether it is to be compared; it stays due until `done`.

        Args:
            subject: What its certificate is about.
            samples: How many real renders agreed by now.
        """
        count = self._counts.setdefault(subject, _Count())
        self._counts.move_to_end(subject)
        if len(self._counts) > MOST_COUNTED:
            self._counts.popitem(last=False)
        count.renders += 1
        number = count.renders
        is_early = number in (1, PLENTY) or (samples < PROVEN and number in FIRST)
        is_late = self._interval > 0 and number > PLENTY and (number - PLENTY) % self._interval == 0
        count.due = count.due or is_early or is_late
        return count.due

    def done(self, subject: str) -> None:
        """Note that what was due is done."""
        if subject in self._counts:
            self._counts[subject].due = False
