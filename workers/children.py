"""How a worker's parent learns that one of its rendering children ended."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from billiard.exceptions import WorkerLostError
from celery.worker.request import Request
from celery.worker.state import task_ready

from shared.renders import Loss
from workers.limits import EX_TEMPFAIL, HARD_LIMIT_SIGNAL

if TYPE_CHECKING:
    from workers.foreman import Foreman

# billiard says what a child died of in words only.
_ENDED_BY_TIMER = re.compile(rf"\bsignal {HARD_LIMIT_SIGNAL.value}\b")
_GAVE_UP = re.compile(rf"\bexitcode {EX_TEMPFAIL}\b")


class RenderRequest(Request):  # type: ignore[misc]  # Celery ships no types.
    """A message that sent a child to work, in the parent. Celery calls it there when the child fails."""

    @property
    def time_limits(self) -> tuple[None, None]:
        """None: a child works on many renders. What an older gateway says here is about one of them."""
        return None, None

    @time_limits.setter
    def time_limits(self, limits: object) -> None:
        """Take what Celery read from the message."""

    def on_failure(self, exc_info: Any, *args: Any, **options: Any) -> None:
        """Note a child that died by itself, was killed, or raised: a render's own end is in its row, and raises not."""
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(error, SystemExit):
            # It was old, ended what it had, and leaves its place to another.
            task_ready(self)
            return
        if not isinstance(error, WorkerLostError):
            self._note(f"the child broke: {type(error).__name__}", Loss.CRASH)
        elif _GAVE_UP.search(str(error)):
            self._note("the database did not take its end", Loss.DATABASE)
        else:
            timed_out = bool(_ENDED_BY_TIMER.search(str(error)))
            self._note(str(error) or "the child exited", Loss.CRASH, timed_out=timed_out)
        if isinstance(error, MemoryError):
            # Celery would raise it again, in its own loop, and serve nobody from then on.
            task_ready(self)
            return
        super().on_failure(exc_info, *args, **options)

    def _note(self, reason: str, cause: Loss, *, timed_out: bool = False) -> None:
        foreman: Foreman | None = getattr(self.task, "foreman", None)
        if foreman is not None:
            foreman.note(child_pid=self.worker_pid, reason=reason, cause=cause, timed_out=timed_out)
