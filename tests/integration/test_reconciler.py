"""What is lost comes back, and nothing is announced more often than it must be."""

from __future__ import annotations

import orders
import pytest
from sqlalchemy import update

from shared import aftermath, reconciler, renders
from shared.database import now
from shared.models import Render
from shared.settings import load_settings


@pytest.fixture
def settings(tmp_path):
    return load_settings({"PRESSROOM_HOME": str(tmp_path)})


def make_old(database):
    with database.writing() as session:
        session.execute(update(Render).values(queued_at=now(-60)))


def look(database, settings, *, waiting=0, **options):
    published = []

    def publish(wake):
        published.append(wake)
        return True

    done = reconciler.reconcile(database, settings, waiting=lambda _queue: waiting, publish=publish, **options)
    return done, [wake.render_id for wake in published]


def test_a_dead_workers_render_is_queued_and_announced_again(database, settings):
    render_id = orders.submitted(database, timeout=7.0)
    orders.claimed(database, render_id, worker_id="dead")

    done, announced = look(database, settings)

    assert (done.requeued, announced) == (1, [render_id])
    row = orders.row(database, render_id)
    assert (row.state, row.started_at) == ("queued", None)
    assert renders.wake_of(row) == renders.Wake(render_id, "render", "t" * 32, 7.0)


def test_a_living_workers_render_is_left_alone(database, settings):
    render_id = orders.submitted(database)
    orders.sign(database)
    orders.claimed(database, render_id)

    assert look(database, settings) == (reconciler.Reconciled(0, 0, 0), [])


def test_a_render_whose_message_was_lost_is_announced_again(database, settings):
    render_id = orders.submitted(database)
    make_old(database)

    assert look(database, settings) == (reconciler.Reconciled(0, 0, 1), [render_id])


def test_a_render_that_was_queued_just_now_is_given_time(database, settings):
    orders.submitted(database)

    assert look(database, settings) == (reconciler.Reconciled(0, 0, 0), [])


def test_a_deep_queue_whose_messages_are_all_there_is_not_announced_again(database, settings):
    for _ in range(5):
        orders.submitted(database)
    make_old(database)

    assert look(database, settings, waiting=5) == (reconciler.Reconciled(0, 0, 0), [])


def test_as_many_of_the_oldest_are_announced_as_messages_are_missing(database, settings):
    waiting = [orders.submitted(database) for _ in range(5)]
    make_old(database)
    with database.writing() as session:
        session.execute(update(Render).where(Render.id == waiting[3]).values(queued_at=now(-600)))

    done, announced = look(database, settings, waiting=4)

    assert done.republished == 1
    assert announced == [waiting[3]]


def test_one_lost_message_is_missed_although_younger_renders_have_theirs(database, settings):
    lost = orders.submitted(database)
    make_old(database)
    for _ in range(3):
        orders.submitted(database)

    assert look(database, settings, waiting=3) == (reconciler.Reconciled(0, 0, 1), [lost])


def test_after_an_outage_of_the_database_silent_workers_are_not_judged(database, settings):
    render_id = orders.submitted(database)
    orders.claimed(database, render_id, worker_id="could-not-sign")

    assert look(database, settings, judge_workers=False) == (reconciler.NOTHING, [])
    assert orders.row(database, render_id).state == "running"


def test_a_broker_that_refuses_is_not_asked_again_and_again(database, settings):
    for _ in range(5):
        orders.submitted(database)
    make_old(database)
    asked = []

    done = reconciler.reconcile(database, settings, waiting=lambda _queue: 0, publish=asked.append)

    assert (done.republished, len(asked)) == (0, 1)


def test_two_reconcilers_requeue_a_lost_render_once(database, settings):
    render_id = orders.submitted(database)
    orders.claimed(database, render_id, worker_id="dead")

    first, _ = look(database, settings)
    second, _ = look(database, settings)

    assert (first.requeued, second.requeued) == (1, 0)
    assert len(orders.row(database, render_id).losses) == 1


def test_a_render_whose_end_cannot_be_written_keeps_no_other_from_being_given_back(database, tmp_path, monkeypatch):
    def settle(_session, _render_id):
        raise ValueError("what follows cannot be brought up to date")

    monkeypatch.setattr(aftermath, "settle", settle)
    settings = load_settings({"PRESSROOM_HOME": str(tmp_path), "PRESSROOM_MAX_LOSSES": "1"})
    stuck, other = orders.submitted(database, followed=True), orders.submitted(database)
    for render_id in (stuck, other):
        orders.claimed(database, render_id, worker_id="dead")

    done, _ = look(database, settings)

    assert done.poisoned == 1
    assert [orders.row(database, one).state for one in (stuck, other)] == ["running", "failed"]


def test_an_overdue_render_is_given_back_also_when_no_worker_is_judged(database, settings):
    render_id = orders.submitted(database)
    orders.claimed(database, render_id)
    with database.writing() as session:
        session.execute(update(Render).values(deadline_at=now(-1)))

    assert look(database, settings, judge_workers=False)[1] == [render_id]
