"""A gateway that is told to stop or to begin anew serves whoever has connected, and refuses who comes later."""

from __future__ import annotations

import collections
import json
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from farms import Farm, eventually
from sqlalchemy import func, select

from shared.database import Database
from shared.models import Render

PING = b"GET /api/ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
# Some seconds of template.
LONG = {
    "content": "{% for a in range(20000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}done",
    "recipe": "text",
}
CLIENTS = 16


@pytest.fixture
def gateway(tmp_path, valkey):
    """A farm that has only a gateway, and a file of settings that a reload reads."""
    settings = tmp_path / "settings.json"
    settings.write_text("{}")
    farm = Farm(tmp_path / "farm", PRESSROOM_BROKER_URL=valkey.url, PRESSROOM_CONFIG=str(settings))
    try:
        assert farm.command("migrate").returncode == 0
        farm.run_gateway()
        yield farm
    finally:
        farm.stop()


def server_of(farm):
    """Return the process id of the one process that serves; None while there are two."""
    children = farm.children("gateway")
    return children[0].pid if len(children) == 1 else None


def another_server(farm, before):
    """Return the process that serves instead of another, when that has ended."""
    # Starting takes some seconds of a core, which clients and a small machine leave it late.
    return eventually(
        lambda: None if server_of(farm) in {before, None} else server_of(farm), seconds=120, what="another process"
    )


def states(farm):
    database = Database(f"sqlite:///{farm.home / 'pressroom.db'}")
    with database.reading() as session:
        found = dict(session.execute(select(Render.state, func.count()).group_by(Render.state)).all())
    database.close()
    return found


class Crowd:
    """Clients that connect, ask and connect again, until they are refused or told to stop; what came of it."""

    def __init__(self, port):
        self.port = port
        self.outcomes = collections.Counter()
        self.enough = threading.Event()
        self.threads = [threading.Thread(target=self._ask_on) for _ in range(CLIENTS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        eventually(lambda: self.outcomes["200"] > CLIENTS, what="the first answers")
        return self

    def __exit__(self, *_):
        self.enough.set()
        for thread in self.threads:
            thread.join()

    def _ask_on(self):
        while not self.enough.wait(0.002):
            try:
                client = socket.create_connection(("127.0.0.1", self.port), timeout=20)
            except OSError as error:
                self.outcomes["refused" if isinstance(error, ConnectionRefusedError) else repr(error)] += 1
                return
            with client:
                self.outcomes[self._ask(client)] += 1

    def _ask(self, client):
        answer = b""
        try:
            client.sendall(PING)
            while received := client.recv(65536):
                answer += received
        except OSError as error:
            return repr(error)
        return "200" if answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"pong") else repr(answer)


@pytest.mark.timeout(300)
def test_a_stop_answers_everybody_who_could_connect_and_refuses_the_rest(gateway):
    for _ in range(2):
        with Crowd(gateway.port) as crowd:
            gateway.processes["gateway"].send_signal(signal.SIGTERM)
            assert gateway.processes["gateway"].wait(30) == 0
            for thread in crowd.threads:
                thread.join()

        assert set(crowd.outcomes) == {"200", "refused"}
        gateway.run_gateway()


@pytest.mark.timeout(300)
def test_a_reload_keeps_nobody_out(gateway):
    with Crowd(gateway.port) as crowd:
        for _ in range(2):
            before = server_of(gateway)
            gateway.processes["gateway"].send_signal(signal.SIGHUP)
            another_server(gateway, before)

    assert set(crowd.outcomes) == {"200"}


@pytest.mark.timeout(300)
def test_a_reload_takes_new_settings_and_one_that_fails_changes_nothing(gateway):
    settings = gateway.home.parent / "settings.json"
    before = server_of(gateway)

    settings.write_text("oops")
    gateway.processes["gateway"].send_signal(signal.SIGHUP)
    eventually(lambda: "could not start" in gateway.logged() or None, seconds=120, what="a word about it")
    assert server_of(gateway) == before
    assert gateway.get("/api/ping").text == "pong"

    settings.write_text(json.dumps({"extensions": {"reports": {"cleanInterval": "1m"}}}))
    gateway.processes["gateway"].send_signal(signal.SIGHUP)
    another_server(gateway, before)
    assert gateway.get("/api/ping").text == "pong"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_kept_connection_is_answered_once_more_and_then_closed(gateway, number):
    with requests.Session() as client:
        first = client.get(f"{gateway.base}/api/ping")
        before = server_of(gateway)
        gateway.processes["gateway"].send_signal(number)
        if number == signal.SIGHUP:
            eventually(lambda: len(gateway.children("gateway")) == 2 or None, seconds=120, what="a second process")
        # Refused at the listener, or another process' by now: what is answered still came on the first connection.
        eventually(lambda: not accepts(gateway, before) or None, seconds=120, every=0.01, what="the end of accepting")
        last = client.get(f"{gateway.base}/api/ping")

    assert "close" not in first.headers["Connection"]
    assert (last.status_code, last.headers["Connection"]) == (200, "close")


def accepts(farm, pid):
    """Say whether a process of the gateway still has the listener."""
    return any(
        one.status == "LISTEN"
        for child in farm.children("gateway")
        if child.pid == pid
        for one in child.net_connections("tcp")
    )


@pytest.mark.timeout(300)
def test_a_synchronous_render_is_waited_for(gateway):
    gateway.run_workers()
    gateway.until_ready()
    with ThreadPoolExecutor(1) as client:
        answer = client.submit(gateway.report, LONG)
        eventually(lambda: "running" in states(gateway) or None, what="the render's start")
        gateway.processes["gateway"].send_signal(signal.SIGTERM)

        assert (answer.result().status_code, answer.result().text) == (200, "done")
    assert gateway.processes["gateway"].wait(30) == 0


@pytest.mark.timeout(300)
def test_one_that_does_not_end_within_the_grace_gets_503_and_is_withdrawn(gateway):
    gateway.environment["PRESSROOM_SHUTDOWN_GRACE"] = "0.5"
    gateway.processes["gateway"].send_signal(signal.SIGTERM)
    assert gateway.processes["gateway"].wait(30) == 0
    gateway.run_gateway()
    with ThreadPoolExecutor(1) as client:
        # There is nobody to render it.
        answer = client.submit(gateway.report, {"content": "x", "recipe": "text"}, reports={"save": True})
        eventually(lambda: "queued" in states(gateway) or None, what="the render's acceptance")
        gateway.processes["gateway"].send_signal(signal.SIGTERM)

        refusal = answer.result()
    assert refusal.status_code == 503
    assert int(refusal.headers["Retry-After"]) > 0
    assert "being restarted" in refusal.json()["message"]
    assert gateway.processes["gateway"].wait(30) == 0
    assert set(states(gateway)) <= {"cancelled"}
