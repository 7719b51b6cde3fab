"""What a child does between two messages: it works until nothing waits, stands by for a while, and goes.

A message only sends a child to work. What it then takes are the renders that wait longest, one or a few small ones of a
kind at a time (a *company*): they are made one after the other while those before them are stored, and their ends and
the next claim are one commit. One that takes unexpectedly long holds nobody up: those before it are ended, those behind
it are given back.
"""

from __future__ import annotations

import contextvars
import resource
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from shared import renders
from shared.render_values import RenderStatus
from shared.signals import Ending
from shared.standby import Rung
from shared.tracing import bind_trace, clear_trace, logger
from workers.attempts import Failure, PutOff, Superseded
from workers.ledger import Ended, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from shared.errands import Errand
    from shared.settings import Settings
    from shared.standby import Standby
    from workers.attempts import Attempt, End
    from workers.certification.choosing import Certification
    from workers.ledger import Ledger
    from workers.making import Maker
    from workers.paces import Paces
    from workers.slate import Slate
    from workers.timekeeping import Timekeeper

# A document that takes so long is left alone with its child.
HELD_UP_SECONDS = 1
# After so long a time the child looks for messages of another kind: certificates are made by the same children.
SHIFT_SECONDS = 10

log = logger(__name__)


class Company:
    """The renders that a child has taken at once. Two threads know it: the child's own, and the timekeeper's."""

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        self._lock = threading.Lock()
        self._waiting = deque(attempts)
        self._made: list[tuple[Attempt, Future[End] | End]] = []
        self.parted: list[Ended] = []

    def next(self) -> Attempt | None:
        """Take the next one to make."""
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def has_others(self) -> bool:
        """Say whether somebody else is held up by the one that is being made."""
        with self._lock:
            return bool(self._waiting or self._made)

    def made(self, attempt: Attempt, end: Future[End] | End) -> None:
        """Add one that was made, and may still be being stored."""
        with self._lock:
            self._made.append((attempt, end))

    def leave(self) -> tuple[list[tuple[Attempt, Future[End] | End]], list[Attempt]]:
        """Take out those that were made, and those that nobody began with."""
        with self._lock:
            made, behind = self._made, list(self._waiting)
            self._made = []
            self._waiting.clear()
        return made, behind

    def come_back(self, made: Sequence[tuple[Attempt, Future[End] | End]], behind: Sequence[Attempt]) -> None:
        """Put back what was taken out."""
        with self._lock:
            self._made = [*made, *self._made]
            self._waiting.extend(behind)


class Shift:
    """The work of one child."""

    def __init__(
        self,
        *,
        settings: Settings,
        maker: Maker,
        ledger: Ledger,
        paces: Paces,
        slate: Slate,
        timekeeper: Timekeeper,
        certification: Certification,
        announce: Callable[[Sequence[Ending]], None],
        ring: Callable[[Errand], bool],
        publish: Callable[[renders.Wake], bool],
        is_told_to_go: Callable[[], bool],
    ) -> None:
        """Take what one child works with.

        Args:
            settings: The farm's settings.
            maker: Makes and stores documents.
            ledger: Writes claims and ends.
            paces: Learns how long renders take.
            slate: Where the parent sees what this child works on.
            timekeeper: Parts a company that is held up.
            certification: Compares some of the documents with the reference, behind those who wait for them.
            announce: Says that renders ended.
            ring: Announces what follows a render, and says whether the broker took it.
            publish: Announces a render that was given back.
            is_told_to_go: Says whether the worker stops.
        """
        self._settings = settings
        self._maker = maker
        self._ledger = ledger
        self._paces = paces
        self._slate = slate
        self._timekeeper = timekeeper
        self._certification = certification
        self._announce = announce
        self._ring = ring
        self._publish = publish
        self._is_told_to_go = is_told_to_go
        self._storing = ThreadPoolExecutor(max_workers=2, thread_name_prefix="storing")
        self._count = 0
        self._until = 0.0

    def work(self, standby: Standby) -> None:
        """Work until nothing waits and nobody comes any more.

        Args:
            standby: This child's place at the bell.
        """
        self._until = time.monotonic() + SHIFT_SECONDS
        turn = self._ledger.turn(claims=self._goes_on())
        while turn.claimed:
            turn = self._serve(turn.claimed)
            if not turn.claimed and self._goes_on():
                turn = self._stand_by(standby)
        if not self._goes_on():
            self._send_another()

    @property
    def is_over_age(self) -> bool:
        """Whether this child has made as many documents as one may."""
        return 0 < self._settings.child_renders <= self._count

    def _goes_on(self) -> bool:
        return self._may_take() and time.monotonic() < self._until

    def _may_take(self) -> bool:
        return not (self._is_told_to_go() or self.is_over_age or self._is_too_large())

    def _is_too_large(self) -> bool:
        # KiB; what it shares with its parent included, as Celery counts when it then replaces the child.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return 0 < self._settings.child_memory_bytes < peak * 1024

    def _stand_by(self, standby: Standby) -> Turn:
        """Wait for the bell, and return what was found; nothing when nobody rang for long, or the broker is away."""
        self._until = time.monotonic() + self._settings.standby
        rung: Rung | None = Rung.RENDER
        try:
            while self._goes_on() and rung is not Rung.MESSAGE:
                standby.sign()
                # What was committed before it signed rang for nobody.
                if rung is not None and (turn := self._ledger.turn(claims=True)).claimed:
                    standby.leave()
                    self._until = time.monotonic() + SHIFT_SECONDS
                    return turn
                rung = standby.wait()
            standby.leave()
        except RedisError as error:
            log.warning("nobody can ring for this child", error=str(error))
        if rung is Rung.MESSAGE:
            self._send_another()
            return Turn()
        self._until = time.monotonic() + SHIFT_SECONDS
        return self._ledger.turn(claims=self._may_take())

    def _send_another(self) -> None:
        """Announce what waits: whoever rang for this child at the last moment rang for nobody."""
        all(map(self._publish, self._ledger.first_waiting()))

    def _serve(self, attempts: Sequence[Attempt]) -> Turn:
        """Make what was taken, and write its ends together with the next claim."""
        company = Company(attempts)
        while (attempt := company.next()) is not None:
            bind_trace(attempt.render.trace_id, render_id=attempt.render.id)
            try:
                if company.has_others():
                    with self._timekeeper.after(HELD_UP_SECONDS, lambda: self._part(company)):
                        self._serve_one(company, attempt)
                else:
                    self._serve_one(company, attempt)
            finally:
                clear_trace()
        made, _ = company.leave()
        # Nothing is taken that would wait for a comparison with the reference.
        claims = self._goes_on() and not any(map(self._certification.compares, attempts))
        turn = self._ledger.turn([Ended(one, _settled(end)) for one, end in made], claims=claims)
        self._follow(turn)
        for one in [*company.parted, *turn.ended]:
            if isinstance(one.end, renders.Result):
                self._certification.after(one.attempt)
        return turn

    def _serve_one(self, company: Company, attempt: Attempt) -> None:
        began = time.perf_counter()
        self._count += 1
        self._slate.write(attempt.render.id)
        made = self._maker.make(attempt)
        self._slate.write("")
        seconds = time.perf_counter() - began
        self._paces.note(attempt.render, seconds)
        if isinstance(made, Failure | PutOff):
            company.made(attempt, made)
        elif not self._still_counts(attempt):
            company.made(attempt, Superseded())
        elif company.has_others():
            context = contextvars.copy_context()
            company.made(attempt, self._storing.submit(context.run, self._maker.store, attempt, made))
        else:
            company.made(attempt, self._maker.store(attempt, made))
        self._maker.tidy_up(seconds)

    def _part(self, company: Company) -> None:
        """In the timekeeper's thread: one render holds up the others, which go on without it."""
        made, behind = company.leave()
        try:
            ended = [Ended(one, _settled(end)) for one, end in made]
            turn = self._ledger.part(ended, behind, reason="the render before it in its child took long")
        except Exception:
            company.come_back(made, behind)
            raise
        company.parted.extend(turn.ended)
        self._follow(turn)

    def _still_counts(self, attempt: Attempt) -> bool:
        """Look before storing: an attempt given up long ago could write where another report's document lies now.

        One that began so short a time ago that no worker counted as dead meanwhile was given to nobody, save by a
        worker that stops, and kills this child in the same moment.
        """
        return attempt.age < self._settings.worker_dead_after or self._ledger.holds(attempt)

    def _follow(self, turn: Turn) -> None:
        """Do what follows the ends that were written."""
        self._announce([_ending(one) for one in turn.ended if _is_waited_for(one)])
        for one in turn.ended:
            bind_trace(one.attempt.render.trace_id, render_id=one.attempt.render.id)
            try:
                self._follow_one(one.attempt, one.end)
            finally:
                clear_trace()
        # After whoever waits for the document; what is not rung for now is found by the caretaker.
        all(map(self._ring, turn.errands))

    def _follow_one(self, attempt: Attempt, end: End) -> None:
        if isinstance(end, renders.Result):
            self._maker.remove_lost_attempts(attempt, end)
        else:
            self._maker.discard(attempt)
        if isinstance(end, Superseded):
            self._ledger.let_go(attempt)
        if isinstance(end, PutOff) and end.seconds is None:
            self._publish(renders.wake_of(attempt.render))
        _write_line(attempt, end)


def _settled(end: Future[End] | End) -> End:
    return end if isinstance(end, renders.Result | Failure | PutOff | Superseded) else end.result()


def _is_waited_for(ended: Ended) -> bool:
    # For a batch's documents nobody holds a request open: whoever looks after the batch counts them.
    return not isinstance(ended.end, PutOff) and ended.attempt.render.batch_id is None


def _ending(ended: Ended) -> Ending:
    """Tell those who wait for a document what they would ask the row next."""
    render, end = ended.attempt.render, ended.end
    if not isinstance(end, renders.Result):
        return Ending(render.id)
    return Ending(
        render.id,
        RenderStatus(
            id=render.id,
            trace_id=render.trace_id,
            state=renders.State.SUCCEEDED,
            timeout=render.timeout,
            attempt=render.attempt,
            blob_key=end.blob_key,
            media_type=end.media_type,
            extension=end.extension,
            size=end.size,
            sha256=end.sha256,
            pages=end.pages,
            warnings=end.warnings,
        ),
    )


def _write_line(attempt: Attempt, end: End) -> None:
    render = attempt.render
    facts: dict[str, Any]
    if isinstance(end, renders.Result):
        facts = {"outcome": "succeeded", "pages": end.pages, "bytes": end.size, "object": end.blob_key}
    elif isinstance(end, Failure):
        facts = {"outcome": "failed", "cause": str(end.cause), "error": end.error, "line": end.line}
    elif isinstance(end, PutOff):
        facts = {"outcome": "put off", "cause": str(end.cause), "error": end.reason, "seconds": end.seconds}
    else:
        facts = {"outcome": "superseded"}
    log.info(
        "render",
        **facts,
        recipe=render.recipe,
        engine=render.engine,
        **({} if attempt.choice is None else {"made_with": attempt.choice.made_with}),
        queue=render.queue,
        attempt=render.attempt,
        refused_urls=len(attempt.policy.refused),
        **{f"{stage}_ms": spent for stage, spent in attempt.stopwatch.spent.items()},
    )
