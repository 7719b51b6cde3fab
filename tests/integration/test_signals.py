"""Finish signals between a worker and a gateway, over a real broker."""

from __future__ import annotations

import pytest
from farms import eventually

from shared import signals
from shared.render_values import RenderStatus
from shared.signals import EndedRenders, Ending, announce, connect

WAIT_SECONDS = 30


@pytest.fixture(scope="module")
def client(valkey):
    client = connect(valkey.url)
    yield client
    client.close()


@pytest.fixture(scope="module")
def ended(client):
    ended = EndedRenders(client)
    with ended.watch("nobody"):
        eventually(lambda: client.pubsub_numsub(signals.CHANNEL)[0][1] > 0, what="the subscription")
    return ended


def status(render_id, **changes):
    values = {"id": render_id, "trace_id": "t", "state": "succeeded", "timeout": 5.0, "attempt": 1, "size": 3}
    return RenderStatus(**(values | changes))


def test_who_waits_hears_how_it_ended(client, ended):
    with ended.watch("a") as first, ended.watch("b") as second:
        failed = status("b", state="failed", cause="data", error="no 'tötal'\n\ud800", warnings=["one"])
        announce(client, [Ending("a", status("a")), Ending("elsewhere"), Ending("b", failed)])

        assert first.wait(WAIT_SECONDS)
        assert second.wait(WAIT_SECONDS)
        assert (first.status, second.status) == (status("a"), failed)


def test_an_end_without_its_status_is_heard_also_from_a_worker_of_an_earlier_release(client, ended):
    with ended.watch("a") as first, ended.watch("b") as second:
        announce(client, [Ending("a")])
        client.publish(signals.CHANNEL, "b")

        assert first.wait(WAIT_SECONDS)
        assert second.wait(WAIT_SECONDS)
        assert (first.status, second.status) == (None, None)


@pytest.mark.parametrize("said", ["nonsense", "[1]", '{"a": 1}', '[{"id": "a"}]'])
def test_a_status_that_is_not_understood_is_asked_for(client, ended, said):
    with ended.watch("a") as waits:
        client.publish(signals.CHANNEL, f"a\n{said}")

        assert waits.wait(WAIT_SECONDS)
        assert waits.status is None


def test_a_status_of_another_release_with_more_fields_is_understood(client, ended):
    said = signals._as_json(status("a")).replace("{", '{"new": 1, ', 1)
    with ended.watch("a") as waits:
        client.publish(signals.CHANNEL, f"a\n[{said}]")

        assert waits.wait(WAIT_SECONDS)
        assert waits.status == status("a")


def test_a_status_too_long_for_a_signal_is_left_to_the_row(client, ended):
    with ended.watch("a") as waits:
        announce(client, [Ending("a", status("a", error="x" * signals.MOST_STATUS_CHARACTERS))])

        assert waits.wait(WAIT_SECONDS)
        assert waits.status is None
