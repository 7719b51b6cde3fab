"""Run by `benchmarks.loads` as a process of its own: clients that have documents made, in the same way at every farm.

It reads an order from standard input and writes what happened to standard output, both JSON. The process is one of its
own so that its threads never wait for the one that watches the farm, and so that its processor time can be told.
"""

from __future__ import annotations

import http.client
import json
import resource
import sys
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

ANSWER_SECONDS = 600
# Who waits looks again soon at first, then ever more rarely; with many clients each looks less often.
FIRST_POLL_SECONDS = 0.01
LAST_POLL_SECONDS = 0.05
SLOWER = 1.5
DONE, GOING_ON, STORED = 200, 200, 201
REFUSED = (429, 503)


class LoadError(Exception):
    """The farm did not do what it was asked for; the message holds what it answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the clients are to do: as `documents` or `seconds` say, whichever is over first."""

    url: str
    body: str  # of POST /api/report
    stored: bool  # True: each is submitted and asked for until it is stored; False: its document is the answer.
    clients: int
    documents: int | None = None
    seconds: float | None = None
    window: int | None = None  # Most that a client has under way, if they are stored; None: any number.


@dataclass(slots=True)
class Outcome:
    """What happened; latencies are milliseconds from the first try, moments are of time.monotonic."""

    accepted: list[float] = field(default_factory=list)
    done: list[tuple[float, float]] = field(default_factory=list)  # when, and latency
    refused: int = 0
    polls: int = 0
    size: int = 0


class Tickets:
    """Lets clients begin documents until there are enough."""

    def __init__(self, documents: int | None, seconds: float | None) -> None:
        self._lock = threading.Lock()
        self._left = documents
        self._end = None if seconds is None else time.monotonic() + seconds

    def take(self) -> bool:
        """Say whether one more is to be made."""
        with self._lock:
            if self._left == 0 or (self._end is not None and time.monotonic() >= self._end):
                return False
            if self._left is not None:
                self._left -= 1
            return True

    def stop(self) -> None:
        """Let nobody begin another."""
        with self._lock:
            self._left = 0


class Client:
    """One client, with one connection that it keeps."""

    def __init__(self, order: Order, tickets: Tickets) -> None:
        parts = urlsplit(order.url)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=ANSWER_SECONDS)
        self._body = order.body.encode()
        self._order = order
        self._tickets = tickets
        self.outcome = Outcome()

    def run(self) -> Outcome:
        """Have documents made until there are enough.

        Raises:
            LoadError: One was not made.
        """
        try:
            if self._order.stored:
                self._store_all()
            else:
                self._render_all()
        except LoadError:
            self._tickets.stop()
            raise
        except (OSError, http.client.HTTPException) as error:
            self._tickets.stop()
            raise LoadError(f"{self._order.url} stopped answering: {error!r}") from error
        finally:
            self._connection.close()
        return self.outcome

    def _render_all(self) -> None:
        while self._tickets.take():
            began = time.monotonic()
            _, content = self._submit(began)
            if not content:
                raise LoadError(f"{self._order.url} answered with an empty document")
            self._end(began)
            self.outcome.size = len(content)

    def _store_all(self) -> None:
        # The farm makes them in about this order, so whoever waits looks at the oldest only.
        under_way: deque[tuple[float, str]] = deque()
        more = True
        patience = FIRST_POLL_SECONDS
        while more or under_way:
            if more and len(under_way) < (self._order.window or sys.maxsize):
                began = time.monotonic()
                more = self._tickets.take()
                if more:
                    headers, _ = self._submit(began)
                    under_way.append((began, urlsplit(str(headers["Location"])).path))
            elif under_way and self._is_stored(under_way[0][1]):
                self._end(under_way.popleft()[0])
                patience = FIRST_POLL_SECONDS
            elif under_way:
                time.sleep(patience * self._order.clients)
                patience = min(patience * SLOWER, LAST_POLL_SECONDS)

    def _submit(self, began: float) -> tuple[Any, bytes]:
        while True:
            status, headers, content = self._ask("POST", "/api/report", self._body)
            if status == DONE:
                self.outcome.accepted.append((time.monotonic() - began) * 1000)
                return headers, content
            if status not in REFUSED or time.monotonic() - began > ANSWER_SECONDS:
                raise LoadError(f"{self._order.url} answered {status} to a document: {_said(content)}")
            self.outcome.refused += 1
            time.sleep(float(headers.get("Retry-After") or 1))

    def _is_stored(self, place: str) -> bool:
        self.outcome.polls += 1
        status, _, content = self._ask("GET", place)
        if status not in (GOING_ON, STORED):
            raise LoadError(f"{self._order.url} answered {status} for {place}: {_said(content)}")
        return status == STORED

    def _end(self, began: float) -> None:
        now = time.monotonic()
        self.outcome.done.append((now, (now - began) * 1000))

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any, bytes]:
        self._connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = self._connection.getresponse()
        return answer.status, answer.headers, answer.read()


def _said(content: bytes) -> str:
    return content[:500].decode(errors="replace") or "nothing"


def generate(order: Order) -> dict[str, Any]:
    """Run the clients, and return what happened.

    Raises:
        LoadError: A document was not made.
    """
    tickets = Tickets(order.documents, order.seconds)
    clients = [Client(order, tickets) for _ in range(order.clients)]
    # What it takes to start this process is no document's.
    before = processor_seconds()
    began = time.monotonic()
    with ThreadPoolExecutor(order.clients) as pool:
        outcomes = list(pool.map(Client.run, clients))
    return {
        "began": began,
        "accepted": [one for outcome in outcomes for one in outcome.accepted],
        "done": sorted(one for outcome in outcomes for one in outcome.done),
        "refused": sum(outcome.refused for outcome in outcomes),
        "polls": sum(outcome.polls for outcome in outcomes),
        "size": max(outcome.size for outcome in outcomes),
        "cpuSeconds": processor_seconds() - before,
    }


def processor_seconds() -> float:
    """Return what this process has taken so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Do what standard input says."""
    try:
        result = generate(Order(**json.load(sys.stdin)))
    except LoadError as error:
        result = {"failure": str(error)}
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
