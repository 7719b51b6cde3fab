"""gunicorn's configuration, beyond its command line in `shared.processes`."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

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
