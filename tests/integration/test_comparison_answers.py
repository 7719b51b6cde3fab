"""Whoever asks for a comparison waits for it, and not for long; the gateway itself never looks into a document."""

from __future__ import annotations

import threading

import compared
import pytest
from compared import Comparing

from api import comparisons
from api.app import create_app
from shared.models import Comparison
from shared.settings import load_settings
from shared.signals import EndedRenders

HISTORY = "/api/v1/report-history-record"


@pytest.fixture
def database_url(tmp_path):
    # The answers are what matters here.
    return f"sqlite:///{tmp_path / 'pressroom.db'}"


@pytest.fixture
def farm(database, filesystem_storage, settings, template):
    return Comparing(database, filesystem_storage, settings, template)


@pytest.fixture
def gateway(database, tmp_path, monkeypatch):
    # The thread that hears the workers' signals would outlive the test; who does not hear them looks at the row.
    monkeypatch.setattr(EndedRenders, "_ensure_listener", lambda self: self._subscribed.set())
    app = create_app(load_settings({"PRESSROOM_HOME": str(tmp_path)}))
    # Both are the home's own.
    assert app.extensions["pressroom"].database.engine.url == database.engine.url
    return app


@pytest.fixture
def client(gateway):
    return gateway.test_client()


def queued(database):
    with database.reading() as session:
        return session.query(Comparison).all()


def test_one_that_takes_long_is_answered_with_when_to_ask_again(client, farm, database, monkeypatch):
    monkeypatch.setattr(comparisons, "WAIT_SECONDS", 0.05)
    before, after = farm.record(), farm.record(compared.document(total="9"))
    address = f"{HISTORY}/{before}/diff/{after}"
    answer = client.get(address)
    assert (answer.status_code, answer.json["data"]["state"]) == (202, "queued")
    assert int(answer.headers["Retry-After"]) > 0
    overlay = client.get(f"{address}/page/1.png", buffered=True)
    assert overlay.status_code == 404
    assert int(overlay.headers["Retry-After"]) > 0

    [row] = queued(database)
    assert row.trace_id == answer.headers["X-Trace-Id"]
    farm.perform(row.id)
    answer = client.get(address)
    assert answer.status_code == 200
    overlay = client.get(answer.json["data"]["pictures"][0]["overlay"], buffered=True)
    assert (overlay.status_code, overlay.data[:4]) == (200, b"\x89PNG")
    assert client.get(f"{address}/page/2.png").status_code == 404


def test_one_that_is_made_while_somebody_waits_is_answered_at_once(client, farm, database, monkeypatch):
    before, after = farm.record(), farm.record()
    rung = threading.Event()
    monkeypatch.setattr("shared.queues.ring", lambda _app, errand: farm.perform(errand.row_id) and rung.set())
    answer = client.get(f"{HISTORY}/{before}/diff/{after}")
    assert (answer.status_code, answer.json["data"]["identical"]) == (200, True)
    assert rung.is_set()


def test_one_that_failed_says_why_to_all_who_ask(client, farm, monkeypatch):
    before, after = farm.record(), farm.record(b"%PDF-1.4 broken")
    monkeypatch.setattr("shared.queues.ring", lambda _app, errand: farm.perform(errand.row_id))
    for _ in range(2):
        answer = client.get(f"{HISTORY}/{before}/diff/{after}")
        assert answer.status_code == 409
        [error] = answer.json["errors"]
        assert error.startswith(f"The records could not be compared: The PDF of history record '{after}' cannot be")


def test_when_all_places_for_waiting_are_taken_it_is_made_all_the_same(client, gateway, farm, database, monkeypatch):
    rung = []
    monkeypatch.setattr("shared.queues.ring", lambda _app, errand: rung.append(errand.row_id))
    places = gateway.extensions["pressroom"].places
    while places.acquire(blocking=False):
        pass
    answer = client.get(f"{HISTORY}/{farm.record()}/diff/{farm.record()}")
    assert answer.status_code == 202
    assert rung == [one.id for one in queued(database)]
