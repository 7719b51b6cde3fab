"""Leases of the periodic duties: however many clocks ring and workers hear them, one acts."""

from __future__ import annotations

import threading

import orders
import pytest
from sqlalchemy import update

from shared import duties
from shared.database import now
from shared.models import Duty


@pytest.fixture
def take(database, settings):
    def take(holder, *, keep=False, interval=10.0):
        return duties.take(database, settings, "sweep", holder=holder, interval=interval, keep=keep)

    return take


@pytest.fixture
def age(database):
    """Make the duty's last turn older."""

    def age(seconds):
        with database.writing() as session:
            session.execute(update(Duty).values(begun_at=now(-seconds)))

    return age


def test_of_many_who_ring_at_once_one_acts(take):
    together = threading.Barrier(8)
    acted = []

    def ring(number):
        together.wait()
        if take(f"worker-{number}"):
            acted.append(number)

    threads = [threading.Thread(target=ring, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(acted) == 1


def test_it_is_due_again_after_its_interval(take, age):
    assert take("worker-1")
    assert not take("worker-2")
    age(9)
    assert take("worker-2")


def test_who_keeps_it_is_left_alone_until_it_lets_go(take, age, database):
    orders.sign(database, "worker-1")
    assert take("worker-1", keep=True)
    age(100)
    assert not take("worker-2", keep=True)

    duties.release(database, "sweep", holder="worker-1")

    assert take("worker-2", keep=True)


def test_a_holder_that_is_gone_keeps_nothing(take, age):
    # It never gave a sign of life.
    assert take("worker-1", keep=True)
    age(100)
    assert take("worker-2", keep=True)


def test_who_lost_it_does_not_release_it_for_another(take, age, database):
    take("worker-1", keep=True)
    age(100)
    orders.sign(database, "worker-2")
    take("worker-2", keep=True)
    age(100)

    duties.release(database, "sweep", holder="worker-1")

    assert not take("worker-3", keep=True)


def test_a_pause_is_remembered_for_whoever_acts_next(take, age, database):
    def goes_on():
        with database.reading() as session:
            return duties.goes_on_since(session, "sweep", seconds=15)

    take("worker-1")
    assert goes_on(), "a farm that starts has had no pause"
    age(60)
    take("worker-1")
    assert not goes_on()
    age(8)
    take("worker-2")
    assert not goes_on(), "the other one did not see the pause, and knows of it"


def test_an_outage_in_which_a_worker_can_seem_dead_counts_as_a_pause(take, age, database, settings):
    assert (settings.worker_dead_after, settings.heartbeat_interval) == (15, 3)
    take("worker-1", interval=5)
    # Who signed last a heartbeat before it began has been silent for longer than this duty.
    age(12.5)
    take("worker-1", interval=5)
    with database.reading() as session:
        assert not duties.goes_on_since(session, "sweep", seconds=15)


def test_a_holder_that_could_not_let_go_takes_it_again(take, age, database):
    orders.sign(database, "worker-1")
    take("worker-1", keep=True)
    age(100)
    assert not take("worker-2", keep=True)
    assert take("worker-1", keep=True)
