"""Threads of a gateway process that stay with a connection for its next request."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from socket import socket

# Longer than the pause of a client that asks for one report until it is there.
LINGER_SECONDS = 1.0


class Lingering:
    """Lets a thread wait for the next request of the connection that it has just served.

    gunicorn's threaded worker hands a connection back to its main thread after each answer, which waits for its next
    request and hands it to a thread again: with requests as short as a poll that took as much as all else of them. Some
    of the threads may stay instead, as long as no other request waits for one.

    Args:
        threads: How many there are; a quarter of them may stay.

    Attributes:
        staying: How many stay now.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._most = threads // 4
        self._given = 0  # Connections that have a thread or wait for one.
        self.staying = 0
        self._stopped = False
        self._lock = threading.Lock()
        # A count in it ends at least one thread's stay; whoever wakes and comes too late for it goes as well.
        self._calls = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK | os.EFD_SEMAPHORE)

    def begin(self) -> None:
        """Note that a connection needs a thread: one that stays with another is called off if none is free."""
        with self._lock:
            self._given += 1
            needed = self._given > self._threads and self.staying > 0
        if needed:
            os.eventfd_write(self._calls, 1)

    def end(self) -> None:
        """Note that a thread is done with a connection."""
        with self._lock:
            self._given -= 1

    def stop(self) -> None:
        """Let no thread stay any longer. May be called by a signal's handler, so it takes no lock."""
        self._stopped = True
        os.eventfd_write(self._calls, self._threads)

    def has_next(self, connection: socket) -> bool:
        """Wait a moment for a connection's next request.

        Args:
            connection: It has been answered, and nothing of what follows was read yet.

        Returns:
            Whether it is to be read: something has come, or the end. False: Others need the thread, or nothing came.
        """
        with self._lock:
            if self._stopped or self.staying >= self._most or self._given > self._threads:
                return False
            self.staying += 1
        try:
            waits = select.poll()
            waits.register(connection, select.POLLIN)
            waits.register(self._calls, select.POLLIN)
            found = {descriptor for descriptor, _ in waits.poll(LINGER_SECONDS * 1000)}
        finally:
            with self._lock:
                self.staying -= 1
        if self._calls in found:
            with contextlib.suppress(BlockingIOError):
                # Another one has taken the call.
                os.eventfd_read(self._calls)
        return connection.fileno() in found
