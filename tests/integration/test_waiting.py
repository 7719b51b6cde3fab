"""Waiting for a render's end on behalf of a request, when the end does not come."""

from __future__ import annotations

import contextlib
import threading
from types import SimpleNamespace

import orders
import pytest

from api import waiting
from shared.settings import load_settings


@pytest.fixture
def gateway(database, tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0.01)
    settings = load_settings({"PRESSROOM_HOME": str(tmp_path), "PRESSROOM_SYNC_WAIT": "0.1"})

    @contextlib.contextmanager
    def watch(_render_id):
        yield threading.Event()

    return SimpleNamespace(
        database=database, settings=settings, ended=SimpleNamespace(watch=watch), publish=lambda _render: None
    )


def test_a_render_that_nobody_starts_is_given_up_and_says_so(gateway, database):
    render = orders.row(database, orders.submitted(database))

    done = waiting.for_end(gateway, render)

    assert done.state == "cancelled"
    assert "could not start" in done.error


def test_a_render_that_is_long_overdue_is_ended_so_that_its_caller_and_its_record_are_told_the_same(
    gateway, database, monkeypatch
):
    monkeypatch.setattr(waiting, "MOST_SECONDS_OVER", 0)
    render_id = orders.submitted(database, timeout=0.01)
    orders.claimed(database, render_id)

    done = waiting.for_end(gateway, orders.row(database, render_id))

    assert done.state == "cancelled"
    assert "long overdue" in done.error
