from __future__ import annotations

import pytest

from workers.watchdog import Watchdog


class Worker:
    """What a watchdog looks at, as a test wants it to be."""

    def __init__(self):
        self.time = 0.0
        self.waiting = 5
        self.taken = 0
        self.free = True


@pytest.fixture
def worker():
    return Worker()


@pytest.fixture
def after(worker):
    watchdog = Watchdog(
        after=20,
        waiting=lambda: worker.waiting,
        taken=lambda: worker.taken,
        is_free=lambda: worker.free,
        clock=lambda: worker.time,
    )
    watchdog.is_silent()

    def after(seconds):
        worker.time += seconds
        return watchdog.is_silent()

    return after


def test_a_free_worker_that_takes_nothing_of_what_waits_is_silent(after):
    assert not after(19)
    assert after(1)


def test_one_that_takes_something_is_not(worker, after):
    after(19)
    worker.taken += 1
    assert not after(1)
    assert not after(19)
    assert after(1)


@pytest.mark.parametrize(("name", "value"), [("waiting", 0), ("free", False)])
def test_one_that_has_nothing_to_take_or_no_hand_free_is_not(worker, after, name, value):
    after(19)
    setattr(worker, name, value)
    assert not after(19)
    assert not after(19)
