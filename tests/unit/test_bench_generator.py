"""The clients of scripts/bench, against a server that does what farms do."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from benchmarks.generator import LoadError, Order, generate


class Farm:
    """Accepts documents, and has each stored when it is asked for the second time."""

    def __init__(self, *, refusals: int = 0, status: int = 201) -> None:
        self.lock = threading.Lock()
        self.refusals = refusals
        self.status = status
        self.asked: dict[str, int] = {}
        self.stored = 0
        self.most_under_way = 0

    def accept(self) -> tuple[int, dict[str, str]]:
        with self.lock:
            if self.refusals:
                self.refusals -= 1
                return 503, {"Retry-After": "0.01"}
            place = f"/reports/{len(self.asked)}/status"
            self.asked[place] = 0
            self.most_under_way = max(self.most_under_way, len(self.asked) - self.stored)
            return 200, {"Location": f"http://elsewhere.example{place}"}

    def look(self, place: str) -> tuple[int, dict[str, str]]:
        with self.lock:
            self.asked[place] += 1
            if self.asked[place] < 2:
                return 200, {}
            self.stored += 1
            return self.status, {}


@contextmanager
def served(farm: Farm):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.answer(*farm.look(self.path))

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(*farm.accept())

        def answer(self, status, headers):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"words")

        def log_message(self, *_arguments):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def test_each_document_is_done_when_it_is_stored():
    farm = Farm()
    with served(farm) as url:
        found = generate(Order(url=url, body="{}", stored=True, clients=3, documents=10))

    assert len(found["done"]) == len(found["accepted"]) == farm.stored == 10
    assert found["polls"] == 20


def test_a_client_without_a_window_sends_all_before_it_asks():
    farm = Farm()
    with served(farm) as url:
        generate(Order(url=url, body="{}", stored=True, clients=1, documents=10))

    assert farm.most_under_way == 10


def test_a_client_with_a_window_of_one_waits_for_each():
    farm = Farm()
    with served(farm) as url:
        generate(Order(url=url, body="{}", stored=True, clients=2, documents=10, window=1))

    assert farm.stored == 10
    assert farm.most_under_way <= 2


def test_a_document_in_the_answer_is_done_at_once():
    farm = Farm()
    with served(farm) as url:
        found = generate(Order(url=url, body="{}", stored=False, clients=2, documents=7))

    assert len(found["done"]) == 7
    assert found["polls"] == 0
    assert found["size"] == 5


def test_a_refused_document_is_sent_again():
    with served(Farm(refusals=3)) as url:
        found = generate(Order(url=url, body="{}", stored=False, clients=1, documents=2))

    assert found["refused"] == 3
    assert len(found["done"]) == 2


def test_a_document_that_fails_ends_the_load_with_what_the_farm_said():
    with served(Farm(status=500)) as url, pytest.raises(LoadError, match="answered 500 for /reports/0/status: words"):
        generate(Order(url=url, body="{}", stored=True, clients=1, documents=5))


def test_a_farm_that_is_gone_is_told():
    with served(Farm()) as url:
        pass

    with pytest.raises(LoadError, match="stopped answering"):
        generate(Order(url=url, body="{}", stored=True, clients=1, documents=5))
