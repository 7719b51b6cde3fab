"""The time limits: where the soft one strikes, where it waits, and what ends a child that hears nothing."""

from __future__ import annotations

import os
import signal

import pytest
from billiard.exceptions import SoftTimeLimitExceeded

from workers.limits import HARD_LIMIT_SIGNAL, SOFT_LIMIT_SIGNAL, TimeLimits


@pytest.fixture
def limit():
    # The tests' own time limit uses the same timer.
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    before = {number: signal.getsignal(number) for number in (SOFT_LIMIT_SIGNAL, HARD_LIMIT_SIGNAL)}
    limit = TimeLimits(grace=60)
    limit.begin()
    yield limit
    for number, handler in before.items():
        signal.signal(number, handler)
    signal.setitimer(signal.ITIMER_REAL, left)


def strike():
    os.kill(os.getpid(), SOFT_LIMIT_SIGNAL)


def test_it_strikes_where_it_is_armed(limit):
    with pytest.raises(SoftTimeLimitExceeded), limit.armed(60):
        strike()


def test_it_waits_for_what_must_not_be_torn(limit):
    done = []

    def work():
        with limit.put_off():
            strike()
            done.append("in the block")
        done.append("behind it")

    with pytest.raises(SoftTimeLimitExceeded), limit.armed(60):
        work()
    assert done == ["in the block"]


def test_what_the_block_raises_does_not_hide_it(limit):
    def work():
        strike()
        raise ValueError

    with pytest.raises(SoftTimeLimitExceeded), limit.armed(60), limit.put_off():
        work()


def test_it_strikes_behind_a_block_that_it_did_not_fall_into(limit):
    done = []

    def work():
        with limit.put_off():
            done.append("in the block")
        strike()
        done.append("behind the strike")

    with pytest.raises(SoftTimeLimitExceeded), limit.armed(60):
        work()
    assert done == ["in the block"]


def test_it_is_only_remembered_where_it_is_not_armed(limit):
    with limit.put_off():
        strike()
    with pytest.raises(SoftTimeLimitExceeded), limit.armed(60):
        pytest.fail("it had struck before")


def test_what_hears_nothing_is_killed_by_the_kernels_timer_a_grace_later():
    child = os.fork()
    if child == 0:
        limit = TimeLimits(grace=0.05)
        limit.begin()
        # Its soft limit has no effect, as in an engine that never comes back from its own code.
        signal.signal(SOFT_LIMIT_SIGNAL, signal.SIG_IGN)
        with limit.armed(0.05):
            while True:
                pass
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -HARD_LIMIT_SIGNAL


def test_the_soft_limit_is_kept_by_a_thread_of_the_child(limit):
    def make_for_ever():
        with limit.armed(0.01):
            while True:
                pass

    with pytest.raises(SoftTimeLimitExceeded):
        make_for_ever()


def test_the_kernels_timer_runs_only_while_a_document_is_made(limit):
    def left():
        return signal.getitimer(signal.ITIMER_REAL)[0]

    assert left() == 0
    with limit.armed(600):
        before = left()
        assert 600 < before <= 660
        with limit.put_off():
            assert left() == 0
        assert 0 < left() <= before
    assert left() == 0


def test_the_kernels_timer_is_stopped_when_the_soft_limit_strikes(limit):
    with pytest.raises(SoftTimeLimitExceeded), limit.armed(600):
        strike()
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_time_that_was_spent_waiting_is_known_and_forgotten_at_the_next_render(limit):
    assert limit.waited == 0
    with limit.armed(600), limit.put_off():
        pass
    assert limit.waited > 0
    limit.begin()
    assert limit.waited == 0
