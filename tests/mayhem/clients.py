"""The clients: those who send and go on, those who wait, those who follow, and the probe."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Self

from mayhem.door import Door, UnansweredError
from mayhem.jobs import BreachError, Job, NotAcceptedError
from mayhem.kinds import LATER, WAITED_FOR, Printed, Probe
from mayhem.ledger import Breach

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mayhem.ledger import Ledger

SENDERS, WAITERS, FOLLOWERS = 3, 2, 2
# What one sender sends in a second, at most; and how much may be under way of all of them.
A_SECOND = 3.0
MOST_PENDING = 60
PAUSE_SECONDS = 1.0
# Between two looks at one job: soon at first, then less and less often.
FIRST_LOOK, LAST_LOOK, GROWTH = 0.3, 2.5, 1.6
PROBE_SECONDS, PROBE_LOOK = 0.5, 0.1
MOST_PROBES = 150


class Clients:
    """All clients of a run. They send until `rest` is called, and follow until the block ends.

    Args:
        gateways: The gateways' addresses.
        ledger: Where they write down what they know.
        seed: Decides what is sent, not when it comes.
        printers: The printers' names.
    """

    def __init__(self, gateways: Sequence[str], ledger: Ledger, *, seed: int, printers: Sequence[str]) -> None:
        self._gateways = gateways
        self._ledger = ledger
        self._printers = printers
        self._resting = threading.Event()
        self._ended = threading.Event()
        self._being_looked_at: set[Job] = set()
        self._lock = threading.Lock()
        later = {kind: weight for kind, weight in LATER.items() if printers or kind is not Printed}
        self._sending = [
            *(self._thread(self._send, later, seed + number, 1 / A_SECOND) for number in range(SENDERS)),
            *(self._thread(self._send, WAITED_FOR, seed - number, PAUSE_SECONDS) for number in range(WAITERS)),
            self._thread(self._probe),
        ]
        self._following = [
            *(self._thread(self._follow, number) for number in range(FOLLOWERS)),
            self._thread(self._follow_probes),
        ]

    def __enter__(self) -> Self:
        for thread in (*self._sending, *self._following):
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.rest()
        self._ended.set()
        for thread in (*self._sending, *self._following):
            thread.join(30)

    def rest(self) -> None:
        """Send nothing new."""
        self._resting.set()

    def are_waiting(self) -> bool:
        """Say whether somebody who sent something is still without an answer."""
        return any(thread.is_alive() for thread in self._sending)

    def _thread(self, work: Callable[..., None], *arguments: object) -> threading.Thread:
        return threading.Thread(target=work, args=arguments, daemon=True)

    def _send(self, kinds: Mapping[type[Job], int], seed: int, pause: float) -> None:
        chance = random.Random(seed)
        door = Door(self._gateways, seed % len(self._gateways))
        while not self._resting.wait(pause * chance.uniform(0.5, 1.5)):
            if len(self._ledger.pending()) < MOST_PENDING:
                [kind] = chance.choices(list(kinds), list(kinds.values()))
                printer = chance.choice(self._printers) if self._printers else None
                self._submit(kind(self._ledger.next_number(), printer), door)

    def _submit(self, job: Job, door: Door) -> None:
        try:
            job.submit(door)
        except (NotAcceptedError, UnansweredError) as error:
            self._ledger.refuse(job, str(error))
        except BreachError as error:
            self._ledger.breach(error.breach, str(error))
        except Exception as error:  # noqa: BLE001  # Nobody would hear of it in this thread.
            self._ledger.breach(Breach.WRONG, f"{job}: an answer that nobody understands: {error!r}")
        else:
            self._ledger.accept(job)

    def _probe(self) -> None:
        door = Door(self._gateways)
        while not self._resting.wait(PROBE_SECONDS):
            if sum(isinstance(job, Probe) for job in self._ledger.pending()) < MOST_PROBES:
                self._submit(Probe(self._ledger.next_number()), door)

    def _follow(self, number: int) -> None:
        door = Door(self._gateways, number % len(self._gateways))
        while not self._ended.is_set():
            job = self._take_next()
            if job is None:
                time.sleep(0.05)
                continue
            self._look(job, door)
            waited = time.monotonic() - job.sent_at
            job.look_at = time.monotonic() + min(max(waited * (GROWTH - 1), FIRST_LOOK), LAST_LOOK)
            with self._lock:
                self._being_looked_at.discard(job)

    def _take_next(self) -> Job | None:
        waiting = [job for job in self._ledger.pending() if not isinstance(job, Probe)]
        with self._lock:
            due = [job for job in waiting if job not in self._being_looked_at and job.look_at <= time.monotonic()]
            if not due:
                return None
            first = min(due, key=lambda job: job.look_at or job.sent_at)
            self._being_looked_at.add(first)
            return first

    def _follow_probes(self) -> None:
        door = Door(self._gateways)
        while not self._ended.wait(PROBE_LOOK):
            probes = [job for job in self._ledger.pending() if isinstance(job, Probe)]
            # They are done in their order, save for those that were struck; the newest tells of the present.
            for job in dict.fromkeys([*probes[:4], *probes[-1:]]):
                self._look(job, door)

    def _look(self, job: Job, door: Door) -> None:
        try:
            job.look(door)
        except UnansweredError:
            pass
        except BreachError as error:
            job.done = True
            self._ledger.breach(error.breach, str(error))
        except Exception as error:  # noqa: BLE001  # The same.
            job.done = True
            self._ledger.breach(Breach.WRONG, f"{job}: an answer that nobody understands: {error!r}")
