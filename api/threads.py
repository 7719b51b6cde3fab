"""The threads of a gateway process: how many serve a request now."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from werkzeug.wsgi import ClosingIterator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Threads:
    """Counts the requests of one process, each of which has a thread until its last byte is sent.

    Args:
        total: How many threads there are.
    """

    def __init__(self, total: int) -> None:
        # For whoever asks whether the gateway lives, or what is down.
        self._most = total - max(1, total // 8)
        self._busy = 0
        self._lock = threading.Lock()

    @property
    def few_left(self) -> bool:
        """Whether hardly any thread is left for others."""
        return self._busy >= self._most

    def counting(self, app: WSGIApplication) -> WSGIApplication:
        """Return an application whose requests are counted."""

        def counted(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            self._count(1)
            try:
                answer = app(environ, start_response)
            except BaseException:
                self._count(-1)
                raise
            return ClosingIterator(answer, [lambda: self._count(-1)])

        return counted

    def _count(self, step: int) -> None:
        with self._lock:
            self._busy += step
