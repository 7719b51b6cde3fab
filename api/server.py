"""gunicorn's worker and configuration, beyond its command line in `shared.processes`."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Any

from gunicorn.util import close_graceful
from gunicorn.workers.gthread import ThreadWorker

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter

# A client that begins a request and then says nothing, or does not take its answer, holds a thread for this long.
SILENT_SECONDS = 10


def when_ready(server: Arbiter) -> None:
    """Bound how long a thread waits for one client's next byte; accepted sockets inherit this from the listener."""
    interval = struct.pack("ll", SILENT_SECONDS, 0)
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, interval)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, interval)


class GatewayWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types.
    """gunicorn's threaded worker, whose main thread waits for no client.

    Before gunicorn 27 closes a connection it waits up to two seconds for the client to close its side, and does so in
    the thread that accepts everybody else's: forty clients that do not would stop the gateway for eighty seconds.
    """

    def handle(self, conn: Any) -> Any:
        """Serve a request, and wait here, in the request's own thread, for the client to let go."""
        goes_on = super().handle(conn)
        if not goes_on:
            with contextlib.suppress(OSError):
                # A second handle on the connection: the first one is closed by the main thread, which finds nothing
                # left to wait for.
                close_graceful(conn.sock.dup())
                conn.sock.shutdown(socket.SHUT_RD)
        return goes_on
