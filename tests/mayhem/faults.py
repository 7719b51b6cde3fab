"""The faults of a run: struck by plan, healed when their time is over, and remembered."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from mayhem.schedule import Planned, plan
from mayhem.strikes import STRIKES, MissedError, kinds_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from mayhem.farm import Farm


class NotHealedError(Exception):
    """Raised when a fault could not be healed; the text says which, and why."""


@dataclass(slots=True)
class Fault:
    """A fault that struck; times in seconds since the clients began.

    Attributes:
        planned: What the plan says of it.
        note: What was struck, in particular.
        struck_at: When.
        healed_at: When it was over; of one that is over at once, when it struck.
    """

    planned: Planned
    note: str
    struck_at: float
    healed_at: float | None = None

    def __str__(self) -> str:
        return f"{self.planned.kind} of {self.planned.target}"


class Faults:
    """Strikes a farm by plan.

    Args:
        farm: The farm.
        seed: Decides the plan.
        seconds: How long it goes on.
        clock: Tells the seconds since the clients began.
        say: Takes a line about each fault.
    """

    def __init__(
        self, farm: Farm, *, seed: int, seconds: float, clock: Callable[[], float], say: Callable[[str], None]
    ) -> None:
        self.farm = farm
        self.done: list[Fault] = []
        self.missed = 0
        self.plan = plan(kinds_for(farm), seed=seed, seconds=seconds)
        self._clock = clock
        self._say = say
        self._ended = threading.Event()
        self._going_on: list[threading.Thread] = []
        self._not_healed: list[str] = []

    def strike_all(self) -> None:
        """Strike one after the other, each when it is time, and return when the last is healed.

        Raises:
            NotHealedError: Something did not start again; what follows would say nothing about the farm.
        """
        for planned in self.plan:
            time.sleep(max(0.0, planned.at - self._clock()))
            thread = threading.Thread(target=self._strike, args=(planned,), daemon=True)
            self._going_on.append(thread)
            thread.start()
        for thread in self._going_on:
            thread.join()
        if self._not_healed:
            raise NotHealedError("; ".join(self._not_healed))

    def heal_all(self) -> None:
        """Heal what has not been healed yet, at once."""
        self._ended.set()
        for thread in self._going_on:
            thread.join(30)

    def _strike(self, planned: Planned) -> None:
        lasts = f" for {planned.seconds:g} s" if planned.seconds else ""
        try:
            with STRIKES[planned.kind](self.farm, planned) as note:
                fault = Fault(planned, note=note, struck_at=self._clock())
                self._say(f"{planned.kind}{lasts}: {planned.target}{f' ({note})' if note else ''}")
                self._ended.wait(planned.seconds)
            fault.healed_at = self._clock()
        except (MissedError, psutil.NoSuchProcess) as error:
            self.missed += 1
            self._say(f"missed: {planned.kind} of {planned.target}: {error}")
            return
        except Exception as error:  # noqa: BLE001  # Whatever it is: the run is not to go on as if it were healed.
            self._not_healed.append(f"{planned.kind} of {planned.target}: {error!r}")
            self._say(self._not_healed[-1])
            return
        self.done.append(fault)
        if planned.seconds:
            self._say(f"  over: {fault}")
