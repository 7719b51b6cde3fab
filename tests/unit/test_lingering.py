"""A thread may stay with its connection for the next request, as long as nobody else needs it."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from farms import eventually

from api import lingering
from api.lingering import Lingering

if TYPE_CHECKING:
    from collections.abc import Iterator

THREADS = 8
WAIT_SECONDS = 20


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def long_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever is not called off stays until the test fails.
    monkeypatch.setattr(lingering, "LINGER_SECONDS", 3 * WAIT_SECONDS)


class Stays:
    """Threads that stay, each with a connection on which nothing comes."""

    def __init__(self, stays: Lingering, count: int) -> None:
        self._pairs = [socket.socketpair() for _ in range(count)]
        self._stays = stays
        self._pool = ThreadPoolExecutor(count)
        begun = threading.Barrier(count + 1)
        for _ in range(count):
            stays.begin()
        self.found = [self._pool.submit(self._stay, begun, ours) for ours, _ in self._pairs]
        begun.wait(WAIT_SECONDS)

    def _stay(self, begun: threading.Barrier, connection: socket.socket) -> bool:
        begun.wait(WAIT_SECONDS)
        try:
            return self._stays.has_next(connection)
        finally:
            self._stays.end()

    def close(self) -> None:
        for ours, theirs in self._pairs:
            theirs.close()
            ours.close()
        self._pool.shutdown()


def test_the_next_request_is_told(connection: tuple[socket.socket, socket.socket]) -> None:
    stays = Lingering(THREADS)
    stays.begin()
    ours, theirs = connection
    theirs.sendall(b"GET /")

    assert stays.has_next(ours)
    assert ours.recv(5) == b"GET /"


def test_the_end_of_the_connection_is_told(connection: tuple[socket.socket, socket.socket]) -> None:
    stays = Lingering(THREADS)
    stays.begin()
    ours, theirs = connection
    theirs.close()

    assert stays.has_next(ours)
    assert ours.recv(1) == b""


def test_nothing_comes(monkeypatch: pytest.MonkeyPatch, connection: tuple[socket.socket, socket.socket]) -> None:
    monkeypatch.setattr(lingering, "LINGER_SECONDS", 0.01)
    stays = Lingering(THREADS)
    stays.begin()

    assert not stays.has_next(connection[0])


@pytest.mark.usefixtures("long_stays")
def test_a_quarter_may_stay(connection: tuple[socket.socket, socket.socket]) -> None:
    stays = Lingering(THREADS)
    staying = Stays(stays, THREADS // 4)
    try:
        connection[1].sendall(b"GET /")
        eventually(lambda: stays.staying == THREADS // 4)

        # It is not even looked at.
        assert not stays.has_next(connection[0])
        assert not any(one.done() for one in staying.found)
    finally:
        stays.stop()
        staying.close()


@pytest.mark.usefixtures("long_stays")
def test_who_stays_is_called_off_for_requests_that_wait() -> None:
    stays = Lingering(THREADS)
    staying = Stays(stays, 2)
    try:
        eventually(lambda: stays.staying == 2)
        for _ in range(THREADS - 2):
            stays.begin()
        assert not any(one.done() for one in staying.found)

        stays.begin()
        stays.begin()
        assert [one.result(WAIT_SECONDS) for one in staying.found] == [False, False]
    finally:
        stays.stop()
        staying.close()


def test_nobody_stays_while_a_request_waits(connection: tuple[socket.socket, socket.socket]) -> None:
    stays = Lingering(THREADS)
    for _ in range(THREADS + 1):
        stays.begin()
    connection[1].sendall(b"GET /")

    assert not stays.has_next(connection[0])
    stays.end()
    assert stays.has_next(connection[0])


@pytest.mark.usefixtures("long_stays")
def test_a_stop_ends_all_stays(connection: tuple[socket.socket, socket.socket]) -> None:
    stays = Lingering(THREADS)
    staying = Stays(stays, 2)
    try:
        eventually(lambda: stays.staying == 2)
        stays.stop()

        assert [one.result(WAIT_SECONDS) for one in staying.found] == [False, False]
        connection[1].sendall(b"GET /")
        assert not stays.has_next(connection[0])
    finally:
        staying.close()
