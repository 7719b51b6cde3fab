"""What a dead child leaves behind for its parent."""

from __future__ import annotations

import os
import signal

import pytest

from shared.identifiers import new_id
from workers.slate import Slate


@pytest.fixture
def slate():
    return Slate(2)


def child(slate, place, *writes):
    """Fork a child that writes and is killed."""
    pid = os.fork()
    if pid == 0:
        slate.take_line(place)
        for one in writes:
            slate.write(one)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    return pid


def test_the_parent_reads_what_a_killed_child_worked_on(slate):
    render_id = new_id()

    pid = child(slate, 0, new_id(), render_id)

    assert slate.read(pid) == render_id


def test_a_child_that_died_between_two_documents_says_nothing(slate):
    assert slate.read(child(slate, 0, new_id(), "")) == ""


def test_a_successor_does_not_wipe_out_what_nobody_has_read(slate):
    first, second = new_id(), new_id()

    pids = [child(slate, 1, first), child(slate, 1, second)]

    assert [slate.read(pid) for pid in pids] == [first, second]


def test_children_of_two_places_do_not_meet(slate):
    first, second = new_id(), new_id()

    pids = [child(slate, 0, first), child(slate, 1, second)]

    assert [slate.read(pid) for pid in pids] == [first, second]


def test_of_a_stranger_nothing_is_known(slate):
    assert slate.read(1) == ""


def test_a_place_can_have_any_number_of_children(slate):
    last = ""
    for _ in range(20):
        last = new_id()
        pid = child(slate, 0, last)

    assert slate.read(pid) == last
