"""gunicorn's arbiter, worker and configuration, beyond its command line in `shared.processes`.

What is changed is how a gateway ends. Whoever has connected is served: nothing that has begun is cut off within the
grace, nothing that waits in the listener's queue is reset, and a reload that fails changes nothing.
"""

from __future__ import annotations

import array
import contextlib
import mmap
import socket
import struct
import time
from typing import Any

from gunicorn.app.wsgiapp import WSGIApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.util import close_graceful
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from api.lingering import Lingering

# A client that begins a request and then says nothing, or does not take its answer, holds a thread for this long.
SILENT_SECONDS = 10
# For a client whose handshake is half done when a process is told to stop.
LATE_SECONDS = 0.3

SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python's socket module has no name for it.
# For the kernel's packet filter (linux/filter.h: code, jump if true, jump if false, operand), which sees what comes to
# the listener from the TCP header on: a segment with SYN and without ACK is dropped, all others pass.
NO_NEW_CONNECTIONS = (
    (0x30, 0, 0, 13),  # Load the byte of the flags,
    (0x54, 0, 0, 0x12),  # keep SYN and ACK of it,
    (0x15, 0, 1, 0x02),  # and if that is SYN alone,
    (0x06, 0, 0, 0),  # drop,
    (0x06, 0, 0, 0xFFFFFFFF),  # else pass.
)


def when_ready(server: Arbiter) -> None:
    """Bound how long a thread waits for one client's next byte; accepted sockets inherit this from the listener."""
    interval = struct.pack("ll", SILENT_SECONDS, 0)
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, interval)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, interval)


class GatewayApplication(WSGIApplication):  # type: ignore[misc]  # gunicorn ships no types.
    """gunicorn's command line, for the gateway's arbiter."""

    def run(self) -> None:
        """Serve until told to stop."""
        GatewayArbiter(self).run()


class GatewayArbiter(Arbiter):  # type: ignore[misc]  # gunicorn ships no types.
    """gunicorn's arbiter, which ends no process before the one that follows it serves.

    gunicorn's own stops the old ones when the new ones have only begun to load, and ends altogether when those cannot
    load: a slip in the settings would end the gateway that the reload was to change.
    """

    def reload(self) -> None:
        """Start new processes; `manage_workers` ends the old ones."""
        for _ in range(self.num_workers):
            self.spawn_worker()

    def manage_workers(self) -> None:
        """Keep as many processes as there are to be, and end the oldest of too many once the newest serve."""
        by_age = sorted(self.WORKERS.values(), key=lambda worker: worker.age)
        if all(worker.serves for worker in by_age[-self.num_workers :]):
            super().manage_workers()

    def reap_workers(self) -> None:
        """Bury what has ended. A process that could not start ends the gateway only if no other one serves."""
        try:
            super().reap_workers()
        except HaltServer:
            if not any(worker.serves for worker in self.WORKERS.values()):
                raise
            # The process itself has logged why.
            self.log.error("A new gateway process could not start: the one before it goes on")  # noqa: TRY400

    def stop(self, graceful: bool = True) -> None:  # noqa: FBT001, FBT002  # gunicorn's signature.
        """End every process.

        A connection that is made from now on would be reset with the listener, perhaps with a request in it. Instead it
        is not made: the client tries again a second later and is refused, which tells a load balancer to go elsewhere.
        A listener that others go on with, a successor or systemd, is left as it is.
        """
        if self.reexec_pid == self.master_pid == 0 and not self.systemd:
            self._refuse_connections()
        super().stop(graceful)

    def _refuse_connections(self) -> None:
        program = array.array("B", b"".join(struct.pack("HBBI", *step) for step in NO_NEW_CONNECTIONS))
        for listener in self.LISTENERS:
            with contextlib.suppress(OSError):
                listener.sock.setsockopt(
                    socket.SOL_SOCKET,
                    SO_ATTACH_FILTER,
                    struct.pack("HP", len(NO_NEW_CONNECTIONS), program.buffer_info()[0]),
                )


class GatewayWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types.
    """gunicorn's threaded worker, whose main thread waits for no client, and which serves whoever has connected."""

    def __init__(self, *arguments: Any) -> None:
        """Make the worker in the arbiter, which forks it."""
        super().__init__(*arguments)
        # Both processes see it.
        self._accepts = mmap.mmap(-1, 1)
        self._lingering: Lingering

    def init_process(self) -> None:
        """Serve, in the process of this worker."""
        self._lingering = Lingering(self.cfg.threads)
        super().init_process()

    @property
    def serves(self) -> bool:
        """Whether the process of this worker has come as far as to accept connections."""
        return self._accepts[0] == 1

    def enqueue_req(self, conn: Any) -> None:
        """Have a connection's request served by the next free thread."""
        self._lingering.begin()
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Serve a request and those that follow it soon, and wait here, in its own thread, for the client to let go.

        When gunicorn closes a connection it waits up to two seconds for the client to close its side, and does so in
        the thread that accepts everybody else's: forty clients that do not would stop the gateway for eighty seconds.
        """
        try:
            goes_on = super().handle(conn)
            # What is true and not True is a connection that has sent nothing yet; where the parser has read ahead,
            # there is nothing to wait for, and whoever came before that request is served before it.
            while goes_on is True and not conn.parser.unreader.buf.getvalue() and self._lingering.has_next(conn.sock):
                goes_on = super().handle(conn)
            if not goes_on:
                with contextlib.suppress(OSError):
                    # A second handle on the connection: the first one is closed by the main thread, which finds nothing
                    # left to wait for.
                    close_graceful(conn.sock.dup())
                    conn.sock.shutdown(socket.SHUT_RD)
        finally:
            # Only now: a thread that waits for its client is no free one.
            self._lingering.end()
        return goes_on

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop when the requests that have begun are answered."""
        super().handle_exit(sig, frame)
        self._lingering.stop()

    def set_accept_enabled(self, enabled: bool) -> None:  # noqa: FBT001  # gunicorn's signature.
        """Accept connections or do not; a process that was told to stop takes in the last ones, and then lets go."""
        if enabled or self.alive:
            super().set_accept_enabled(enabled)
            self._accepts[0] = 1
            return
        gateway = self.wsgi.extensions["pressroom"]
        gateway.waits_until = time.monotonic() + gateway.settings.shutdown_grace
        super().set_accept_enabled(True)
        last = time.monotonic() + LATE_SECONDS
        while (left := last - time.monotonic()) > 0:
            self.wait_for_and_dispatch_events(left)
        super().set_accept_enabled(False)
        # Not at the end, as gunicorn does: what connects meanwhile would be nobody's.
        for listener in self.sockets:
            listener.close()
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, last + STOP_KEEPALIVE_LINGER)

    def is_parent_alive(self) -> bool:
        """Say whether the arbiter lives; without it, this process stops as if it were told to."""
        if not super().is_parent_alive():
            self.alive = False
            self._lingering.stop()
        return bool(self.alive)
