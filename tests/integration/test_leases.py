"""Work that is taken for a limited time, and what is done about the attempts that are never heard of again."""

from __future__ import annotations

import orders
import pytest
from sqlalchemy import update

from shared import leases, liveness, tending
from shared.database import now
from shared.errands import Errand, Kind
from shared.liveness import WorkerIdentity
from shared.models import Thumbnail, Worker

TRACE = "t" * 32


@pytest.fixture
def render_id(database):
    render_id = orders.submitted(database)
    with database.writing() as session:
        session.add(Thumbnail(render_id=render_id, trace_id=TRACE))
    return render_id


def claim(database, render_id, *, worker_id="worker-1", seconds=60):
    with database.writing() as session:
        claimed = leases.claim(session, Thumbnail, render_id, worker_id=worker_id, seconds=seconds)
        return None if claimed is None else claimed.attempt


def end(database, change, render_id, **values):
    with database.writing() as session:
        return change(session, Thumbnail, render_id, **values)


def row(database, render_id):
    with database.reading() as session:
        return session.get_one(Thumbnail, render_id)


def make_old(database):
    with database.writing() as session:
        session.execute(update(Thumbnail).values(queued_at=now(-3600)))


def sign(database, worker_id, *, seconds_ago):
    identity = WorkerIdentity(id=worker_id, name=worker_id, pid=1, queues=["q"], children=1, recipes={})
    with database.writing() as session:
        liveness.sign(session, identity)
        session.flush()
        session.execute(update(Worker).where(Worker.id == worker_id).values(seen_at=now(-seconds_ago)))


def look(database, settings, *, waiting=0, takes=True, **options):
    rung = []

    def ring(errand):
        rung.append(errand)
        return takes

    done = tending.tend(database, settings, waiting=lambda _queue: waiting, ring=ring, **options)
    return done, rung


def test_of_two_claims_one_wins(database, render_id):
    assert claim(database, render_id) == 1
    assert claim(database, render_id) is None


def test_an_attempt_ends_once_and_only_its_own_work(database, render_id):
    attempt = claim(database, render_id)

    assert not end(database, leases.succeed, render_id, attempt=attempt + 1, blob_key="other")
    assert end(database, leases.succeed, render_id, attempt=attempt, blob_key="mine")
    assert not end(database, leases.fail, render_id, attempt=attempt, error="late")
    assert (row(database, render_id).state, row(database, render_id).blob_key) == ("succeeded", "mine")


def test_what_has_ended_can_be_queued_again_and_what_has_not_cannot(database, render_id):
    assert not end(database, leases.again, render_id)
    attempt = claim(database, render_id)
    assert not end(database, leases.again, render_id)
    assert end(database, leases.fail, render_id, attempt=attempt, error="broken")

    assert end(database, leases.again, render_id)

    assert (row(database, render_id).state, row(database, render_id).error) == ("queued", None)
    assert claim(database, render_id) == attempt + 1


def test_an_attempt_whose_lease_is_over_is_given_to_another_and_changes_nothing_any_more(database, settings, render_id):
    lost = claim(database, render_id, seconds=-1)

    done, _ = look(database, settings)

    assert done.given_back == 1
    assert claim(database, render_id) == lost + 1
    assert not end(database, leases.succeed, render_id, attempt=lost, blob_key="late")


def test_a_living_attempt_is_left_alone(database, settings, render_id):
    sign(database, "worker-1", seconds_ago=0)
    claim(database, render_id)

    assert look(database, settings) == (tending.NOTHING, [])


@pytest.mark.parametrize("seconds_ago", [None, 3600])
def test_an_attempt_whose_worker_is_gone_or_silent_does_not_wait_for_its_lease(
    database, settings, render_id, seconds_ago
):
    sign(database, "worker-2", seconds_ago=0)
    if seconds_ago is not None:
        sign(database, "worker-1", seconds_ago=seconds_ago)
    lost = claim(database, render_id)

    # After a time in which nobody could sign, silence means nothing.
    assert look(database, settings, judge_workers=False) == (tending.NOTHING, [])
    assert look(database, settings)[0].given_back == 1

    assert claim(database, render_id, worker_id="worker-2") == lost + 1
    assert not end(database, leases.succeed, render_id, attempt=lost, blob_key="late")
    assert look(database, settings) == (tending.NOTHING, [])


def test_a_worker_of_an_earlier_release_that_does_not_say_who_it_is_has_its_lease(database, settings, render_id):
    claim(database, render_id)
    with database.writing() as session:
        session.execute(update(Thumbnail).values(worker_id=None))

    assert look(database, settings) == (tending.NOTHING, [])


def test_work_that_no_attempt_survives_fails_and_says_so(database, settings, render_id):
    for _ in range(leases.MOST_LOSSES):
        assert claim(database, render_id, seconds=-1)
        look(database, settings)

    assert (row(database, render_id).state, row(database, render_id).error) == ("failed", tending.LOST)
    # Made anew by hand, it has as many attempts again.
    end(database, leases.again, render_id)
    assert claim(database, render_id, seconds=-1)
    look(database, settings)
    assert row(database, render_id).state == "queued"


def test_work_that_was_put_off_is_rung_for_later_and_never_fails_for_it(database, settings, render_id):
    sign(database, "worker-1", seconds_ago=0)
    for _ in range(leases.MOST_LOSSES + 1):
        attempt = claim(database, render_id)
        assert end(database, leases.put_off, render_id, attempt=attempt, seconds=5)
        assert not end(database, leases.put_off, render_id, attempt=attempt, seconds=5)
        assert look(database, settings) == (tending.NOTHING, [])
    assert claim(database, render_id, seconds=-1)
    look(database, settings)

    assert (row(database, render_id).state, row(database, render_id).losses) == ("queued", 1)
    make_old(database)
    assert look(database, settings)[0].rung == 1


def test_queued_work_without_a_message_is_rung_for(database, settings, render_id):
    assert look(database, settings)[1] == []
    make_old(database)

    assert look(database, settings) == (tending.Tended(0, 1), [Errand(Kind.THUMBNAIL, render_id, TRACE)])
    assert look(database, settings, waiting=1) == (tending.NOTHING, [])


def test_a_broker_that_is_away_is_asked_once(database, settings, render_id):
    other = orders.submitted(database)
    with database.writing() as session:
        session.add(Thumbnail(render_id=other, trace_id=TRACE))
    make_old(database)

    done, rung = look(database, settings, takes=False)

    assert (done.rung, len(rung)) == (0, 1)
