"""The soft time limit: where it strikes, and where it waits."""

from __future__ import annotations

import os
import signal

import pytest
from billiard.exceptions import SoftTimeLimitExceeded

from workers.limits import SOFT_LIMIT_SIGNAL, SoftTimeLimit


@pytest.fixture
def limit():
    before = signal.getsignal(SOFT_LIMIT_SIGNAL)
    limit = SoftTimeLimit()
    limit.begin()
    yield limit
    signal.signal(SOFT_LIMIT_SIGNAL, before)


def strike():
    os.kill(os.getpid(), SOFT_LIMIT_SIGNAL)


def test_it_strikes_where_it_is_armed(limit):
    with pytest.raises(SoftTimeLimitExceeded), limit.armed():
        strike()


def test_it_waits_for_what_must_not_be_torn(limit):
    done = []

    def work():
        with limit.put_off():
            strike()
            done.append("in the block")
        done.append("behind it")

    with pytest.raises(SoftTimeLimitExceeded), limit.armed():
        work()
    assert done == ["in the block"]


def test_what_the_block_raises_does_not_hide_it(limit):
    def work():
        strike()
        raise ValueError

    with pytest.raises(SoftTimeLimitExceeded), limit.armed(), limit.put_off():
        work()


def test_it_strikes_behind_a_block_that_it_did_not_fall_into(limit):
    done = []

    def work():
        with limit.put_off():
            done.append("in the block")
        strike()
        done.append("behind the strike")

    with pytest.raises(SoftTimeLimitExceeded), limit.armed():
        work()
    assert done == ["in the block"]


def test_it_is_only_remembered_where_it_is_not_armed(limit):
    with limit.put_off():
        strike()
    with pytest.raises(SoftTimeLimitExceeded), limit.armed():
        pytest.fail("it had struck before")
