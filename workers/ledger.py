"""What a child writes down of its renders: how some ended and which it takes next, in one transaction.

A commit costs as much as a small document. So the ends of what a child had taken and the claim of what it takes next
are one, and both wait for a database that is away: what is dropped would be announced late.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import stamina

from shared import aftermath, renders, unattended
from shared.database import DATABASE_AWAY
from shared.tracing import logger
from workers.attempts import Attempt, Failure, PutOff, Superseded
from workers.fetching import FetchPolicy
from workers.limits import EX_TEMPFAIL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from shared.database import Database
    from shared.errands import Errand
    from shared.renders import Claimed, Wake
    from shared.settings import Settings
    from workers.assets import StoredAssets
    from workers.attempts import End
    from workers.library import StoredTemplates
    from workers.paces import Paces

# How long a claim and a finished document wait for a database that is away before they are given up.
END_SECONDS = 120

log = logger(__name__)


@dataclass(slots=True)
class Ended:
    """An attempt and its end; once it is written, whether it counted."""

    attempt: Attempt
    end: End


@dataclass(slots=True)
class Turn:
    """What one transaction wrote.

    Attributes:
        ended: The attempts with their ends; what did not count any more is `Superseded`.
        errands: What follows the ends, to be announced now.
        claimed: What this child has taken, to be made in this order.
    """

    ended: list[Ended] = field(default_factory=list)
    errands: Sequence[Errand] = ()
    claimed: list[Attempt] = field(default_factory=list)


class Ledger:
    """Writes for one child."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        templates: StoredTemplates,
        assets: StoredAssets,
        paces: Paces,
        worker_id: str,
        queues: Sequence[str],
        children: int,
    ) -> None:
        """Take what is written to.

        Args:
            settings: The farm's settings.
            database: This process' database.
            templates: Where templates' texts are read.
            assets: Where documents' assets are read.
            paces: What is known of how long renders take.
            worker_id: Who claims.
            queues: Where it looks for work, the most urgent queue first.
            children: How many children share the worker's work.
        """
        self._settings = settings
        self._database = database
        self._templates = templates
        self._assets = assets
        self._paces = paces
        self._worker_id = worker_id
        self._queues = queues
        self._children = children

    def turn(self, ended: Sequence[Ended] = (), *, claims: bool) -> Turn:
        """Write the ends of what was made, and take what is next; waits for a database that is away.

        Args:
            ended: What was made.
            claims: Whether more is taken.
        """
        if not ended and not claims:
            return Turn()
        try:
            for again in stamina.retry_context(on=DATABASE_AWAY, attempts=None, timeout=END_SECONDS, wait_max=4):
                with again:
                    return self._turn(ended, claims=claims, is_again=again.num > 1)
        except DATABASE_AWAY:
            if not ended:
                raise
            # The parent sees this child die, and gives back what it held when the database is there again.
            log.exception("end of a render not written")
            os._exit(EX_TEMPFAIL)
        raise AssertionError("unreachable")

    def part(self, ended: Sequence[Ended], behind: Sequence[Attempt], *, reason: str) -> Turn:
        """Write some ends, and give back what nobody has begun with; once, as the caller still has both.

        Args:
            ended: What was made.
            behind: What keeps its place in the queue.
            reason: Why it is given back.
        """
        given = [Ended(one, PutOff(renders.Loss.NEIGHBOUR, reason, None)) for one in behind]
        return self._turn([*ended, *given], claims=False, is_again=False)

    def first_waiting(self) -> list[Wake]:
        """Return the render that has waited longest in each queue; none, if the database does not say."""
        try:
            with self._database.reading() as session:
                found = (unattended.oldest_queued(session, one, older_than=0, limit=1) for one in self._queues)
                return [renders.wake_of(render) for some in found for render in some]
        except DATABASE_AWAY:
            return []

    def holds(self, attempt: Attempt) -> bool:
        """Say whether an attempt still counts; yes, if the database does not say."""
        try:
            with self._database.reading() as session:
                return renders.holds(session, attempt.render.id, attempt=attempt.render.attempt)
        except DATABASE_AWAY:
            # Its end is waited for, and written only if it counts.
            return True

    def let_go(self, attempt: Attempt) -> None:
        """Say that an attempt at a cancelled render writes nothing any more."""
        try:
            with self._database.writing() as session:
                renders.let_go(session, attempt.render.id, attempt=attempt.render.attempt)
        except DATABASE_AWAY as error:
            # The attempt's deadline says the same, only later.
            log.warning("cancelled render not let go", error=str(error))

    def _turn(self, ended: Sequence[Ended], *, claims: bool, is_again: bool) -> Turn:
        began = time.monotonic()
        turn = Turn()
        with self._database.writing() as session:
            for one in ended:
                counts = not isinstance(one.end, Superseded) and _write(session, one.attempt, one.end)
                turn.ended.append(one if counts else Ended(one.attempt, Superseded()))
            if claims:
                claimed = self._claim(session, is_again=is_again)
                texts = {one.id: self._text(session, one) for one in claimed}
        turn.errands = aftermath.errands(session)
        if claims:
            turn.claimed = [self._attempt(one, texts[one.id], began) for one in claimed]
        return turn

    def _claim(self, session: Session, *, is_again: bool) -> list[Claimed]:
        me = renders.Claimant(self._worker_id, os.getpid(), self._settings.render_timeout_grace)
        if is_again:
            # The connection may have broken after the commit: then this child has something, and does not know.
            held = renders.held_by_child(session, me)
            if held:
                return held
        first = renders.claim_next(session, self._queues, me)
        if first is None:
            return []
        most = self._paces.company_of(first) - 1
        alike = renders.claim_alike(session, first, me, most=most, sharers=self._children) if most else []
        return [first, *alike]

    def _text(self, session: Session, render: Claimed) -> str:
        if render.content is not None:
            return render.content
        return self._templates.text(session, render.template_version_id or "")

    def _attempt(self, render: Claimed, content: str, began: float) -> Attempt:
        attempt = Attempt(render, content, FetchPolicy(self._assets), began)
        waited = (render.started_at - render.queued_at).total_seconds()
        attempt.stopwatch.spent["queue"] = round(waited * 1000)
        return attempt


def _write(session: Session, attempt: Attempt, end: End) -> bool:
    render = attempt.render
    if isinstance(end, renders.Result):
        return renders.succeed(session, render.id, attempt=render.attempt, result=end)
    if isinstance(end, PutOff):
        return renders.give_back(session, render, cause=end.cause, reason=end.reason, seconds=end.seconds)
    if isinstance(end, Failure):
        return renders.fail(
            session,
            render.id,
            attempt=render.attempt,
            cause=end.cause,
            error=end.error,
            line=end.line,
            timings=attempt.stopwatch.spent,
        )
    return False
