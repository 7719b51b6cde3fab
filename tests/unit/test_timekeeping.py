"""A child's appointments."""

from __future__ import annotations

import threading

import pytest

from workers.timekeeping import Timekeeper

SOON = 0.01
NEVER = 600
PATIENCE = 30


@pytest.fixture
def timekeeper():
    return Timekeeper()


def test_what_is_due_is_done_in_a_thread_beside(timekeeper):
    done = threading.Event()
    who = []

    def act():
        who.append(threading.current_thread())
        done.set()

    with timekeeper.after(SOON, act):
        assert done.wait(PATIENCE)
    assert who != [threading.current_thread()]


def test_what_is_called_off_is_never_done(timekeeper):
    done = []
    with timekeeper.after(SOON * 20, lambda: done.append("early")):
        pass
    later = threading.Event()
    with timekeeper.after(SOON * 40, later.set):
        assert later.wait(PATIENCE)

    assert done == []


def test_an_earlier_appointment_that_is_made_later_is_kept(timekeeper):
    done = threading.Event()
    with timekeeper.after(NEVER, lambda: None), timekeeper.after(SOON, done.set):
        assert done.wait(PATIENCE)


def test_whoever_ends_while_it_is_being_done_waits_for_it(timekeeper):
    begun, goes_on, done = threading.Event(), threading.Event(), []

    def act():
        begun.set()
        goes_on.wait(PATIENCE)
        done.append(True)

    with timekeeper.after(SOON, act):
        assert begun.wait(PATIENCE)
        threading.Timer(SOON, goes_on.set).start()
    assert done == [True]


def test_an_act_that_raises_is_not_the_last_one(timekeeper):
    tried, done = threading.Event(), threading.Event()

    def act():
        tried.set()
        raise RuntimeError("broken")

    with timekeeper.after(SOON, act):
        assert tried.wait(PATIENCE)
    with timekeeper.after(SOON, done.set):
        assert done.wait(PATIENCE)
