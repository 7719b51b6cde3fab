"""Tending the errands: what a lost message or a killed worker left behind in the small queues is set going again.

As with `shared.reconciler`, every step is idempotent, and each change of state a conditional UPDATE.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared import aftermath, certificates, leases, print_agents, print_turns, unattended
from shared.errands import Errand, Kind
from shared.models import Certificate, Comparison, Thumbnail
from shared.queues import ERRAND_QUEUES

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from shared.database import Database
    from shared.settings import Settings

# Rung for in one go at most; the rest follows at the next look.
BATCH = 200
LEASED: tuple[tuple[Kind, type[Thumbnail | Comparison]], ...] = (
    (Kind.THUMBNAIL, Thumbnail),
    (Kind.COMPARISON, Comparison),
)
LOST = "Given up: each attempt ended with the death of its worker, or took too long"


@dataclass(frozen=True, slots=True)
class Tended:
    """What one look found and did.

    Attributes:
        given_back: Errands that were lost.
        rung: Errands rung for.
        settled: Ended renders whose record had not heard of it.
    """

    given_back: int
    rung: int
    settled: int = 0


NOTHING = Tended(0, 0)


def tend(
    database: Database,
    settings: Settings,
    *,
    waiting: Callable[[str], int],
    ring: Callable[[Errand], bool],
    judge_workers: bool = True,
) -> Tended:
    """Give back what was lost, and ring for what is due and has no message.

    Args:
        database: Where the errands are.
        settings: The limits.
        waiting: Counts the messages that wait in a queue.
        ring: Announces an errand, and says whether the broker took it.
        judge_workers: Whether silent workers count as dead, as for the reconciler.
    """
    dead_after = settings.worker_dead_after if judge_workers else None
    with database.reading() as session:
        lost = any(leases.is_lost(session, model, dead_after=dead_after) for _, model in LEASED)
        lost = lost or certificates.is_lost(session, dead_after=dead_after) or print_agents.is_lapsed(session)
    given_back = 0
    if lost:
        # Only then: SQLite has one writer, and this is asked every few seconds.
        with database.writing() as session:
            given_back = sum(leases.give_back(session, model, dead_after=dead_after, error=LOST) for _, model in LEASED)
            given_back += certificates.give_back(session, dead_after=dead_after)
            given_back += print_agents.lapse(session)
    with database.reading() as session:
        found = _waiting(session, older_than=settings.republish_after)
    rung = 0
    for queue, errands in found.items():
        # How many messages are missing can be told, which ones cannot; a second one for the same errand is dropped by
        # whoever takes it.
        missing = len(errands) - waiting(queue) if errands else 0
        rung += sum(1 for _ in itertools.takewhile(ring, errands[: max(missing, 0)]))
    return Tended(given_back, rung, _settle(database))


def _settle(database: Database) -> int:
    """Tell records of the ends that workers of an earlier release wrote, which know of no records.

    While a farm is being updated, such workers still take renders. What is to follow has its message at the next look.
    """
    with database.reading() as session:
        unsettled = unattended.unsettled(session, limit=BATCH)
    settled = 0
    for render_id in unsettled:
        with database.writing() as session:
            settled += aftermath.settle_late(session, render_id)
    return settled


def _waiting(session: Session, *, older_than: float) -> dict[str, list[Errand]]:
    found: dict[str, list[Errand]] = {queue: [] for queue in ERRAND_QUEUES.values()}
    for kind, model in (*LEASED, (Kind.CERTIFICATE, Certificate)):
        rows = leases.waiting(session, model, older_than=older_than, limit=BATCH)
        found[ERRAND_QUEUES[kind]] += [Errand(kind, *row) for row in rows]
    found[ERRAND_QUEUES[Kind.PRINT]] += [Errand(Kind.PRINT, *row) for row in print_turns.due(session, limit=BATCH)]
    return found
