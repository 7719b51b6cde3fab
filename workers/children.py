"""How a worker's parent learns that one of its rendering children is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from billiard.exceptions import WorkerLostError
from celery.worker.request import Request

from workers.heartbeat import ChildLost

if TYPE_CHECKING:
    from workers.heartbeat import Heartbeat


class RenderRequest(Request):  # type: ignore[misc]  # Celery ships no types.
    """A render's message in the parent. Celery calls it there when the child that works on it dies."""

    def on_timeout(self, soft: bool, timeout: float) -> None:  # noqa: FBT001  # Celery's signature.
        """Note a child that is killed at the end of its time; the soft limit is handled in the child."""
        if not soft:
            self._note(f"killed {timeout:g} s after it began", timed_out=True)
        super().on_timeout(soft, timeout)

    def on_failure(self, exc_info: Any, *args: Any, **options: Any) -> None:
        """Note a child that died by itself or was killed."""
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(error, WorkerLostError | SystemExit):
            self._note(str(error) or "the child exited", timed_out=False)
        super().on_failure(exc_info, *args, **options)

    def _note(self, reason: str, *, timed_out: bool) -> None:
        heartbeat: Heartbeat | None = getattr(self.task, "heartbeat", None)
        if heartbeat is not None and self.worker_pid is not None:
            heartbeat.child_lost(ChildLost(self.worker_pid, reason, timed_out))
