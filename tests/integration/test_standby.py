"""Children that stand by, and who rings for them."""

from __future__ import annotations

import pytest
from services import Valkey

from shared import standby
from shared.signals import connect
from shared.standby import Answer, Bell, Rung, Standby

QUEUES = ("render.high", "render")


@pytest.fixture(scope="module")
def broker():
    with Valkey() as broker:
        yield broker


@pytest.fixture
def client(broker):
    client = connect(broker.url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def bell(client):
    return Bell(client)


def place(client, name="w:1", queues=QUEUES):
    return Standby(client, queues=queues, name=name)


def test_where_nobody_stands_by_a_message_is_needed(bell):
    assert bell.ring("render") is Answer.NOBODY


@pytest.mark.parametrize("queue", QUEUES)
def test_a_child_hears_the_bell_of_each_of_its_queues(client, bell, queue):
    waiting = place(client)
    waiting.sign()

    assert bell.ring(queue) is Answer.CHILD
    assert waiting.wait() is Rung.RENDER


def test_nobody_is_rung_for_who_serves_other_queues(client, bell):
    place(client).sign()

    assert bell.ring("render.bulk") is Answer.NOBODY


def test_one_ring_wakes_one_child(client, bell):
    places = [place(client, name=f"w:{number}", queues=("render",)) for number in (1, 2)]
    for one in places:
        one.sign()

    answers = [bell.ring("render") for _ in range(3)]

    assert answers == [Answer.CHILD, Answer.CHILD, Answer.NOBODY]
    assert [one.wait() for one in places] == [Rung.RENDER, Rung.RENDER]


def test_who_has_left_is_not_rung_for(client, bell):
    waiting = place(client)
    waiting.sign()
    waiting.leave()

    assert bell.ring("render") is Answer.NOBODY


def test_who_did_not_sign_for_a_while_is_taken_for_dead(client, bell, monkeypatch):
    monkeypatch.setattr(standby, "SIGNED_SECONDS", -1)
    place(client).sign()

    assert bell.ring("render") is Answer.NOBODY
    assert client.zcard("pressroom:standby:render") == 0


def test_a_dead_child_is_forgotten_by_its_name(client, bell):
    place(client, name=standby.name_of("w", 7)).sign()
    standby.forget(client, queues=QUEUES, name=standby.name_of("w", 7))

    assert bell.ring("render") is Answer.NOBODY


def test_a_child_that_is_dismissed_looks_up(client):
    waiting = place(client, name=standby.name_of("w", 7))
    waiting.sign()

    standby.dismiss(client, name=standby.name_of("w", 7))

    assert waiting.wait() is Rung.MESSAGE


def test_a_child_that_stands_by_is_told_of_messages_of_another_kind(client, bell):
    waiting = place(client)
    waiting.sign()

    bell.ring("render", Rung.MESSAGE)

    assert waiting.wait() is Rung.MESSAGE


def test_when_enough_messages_wait_one_more_would_wake_nobody(client, bell):
    client.rpush("render", *range(standby.ENOUGH_MESSAGES - 1))
    assert bell.ring("render") is Answer.NOBODY
    client.rpush("render", "one more")

    assert bell.ring("render") is Answer.ENOUGH


def test_nothing_stays_in_the_broker_for_ever(client, bell):
    waiting = place(client)
    waiting.sign()
    bell.ring("render")

    assert client.ttl("pressroom:bell:w:1") > 0
    waiting.leave()
    assert client.keys("pressroom:bell:*") == []
