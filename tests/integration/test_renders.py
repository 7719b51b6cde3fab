"""The life of a render, on every database that the farm supports."""

from __future__ import annotations

import datetime as dt
import threading

import orders
import pytest
from sqlalchemy import event, update

from shared import render_keys, renders, unattended
from shared.database import now
from shared.limits import OVERDUE_SECONDS
from shared.models import Render, Worker
from shared.renders import Cause, State


def ended(database, change):
    with database.writing() as session:
        return change(session)


def test_a_submitted_render_waits(database):
    row = orders.row(database, orders.submitted(database))

    assert (row.state, row.attempt, row.losses) == (State.QUEUED, 0, [])
    assert abs(row.submitted_at - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)


def test_a_claim_takes_the_render_and_counts_the_attempt(database):
    render_id = orders.submitted(database)

    claimed = orders.claimed(database, render_id, worker_id="worker-7", child_pid=70)

    assert (claimed.state, claimed.attempt, claimed.worker_id, claimed.child_pid) == ("running", 1, "worker-7", 70)
    assert claimed.started_at >= claimed.queued_at
    # time limit 10 + grace 5 + what an overdue render is given
    assert claimed.deadline_at - claimed.started_at == pytest.approx(
        dt.timedelta(seconds=15 + OVERDUE_SECONDS), abs=dt.timedelta(seconds=1)
    )


def test_a_second_claim_of_the_same_render_is_refused(database):
    render_id = orders.submitted(database)

    assert orders.claimed(database, render_id) is not None
    assert orders.claimed(database, render_id, worker_id="worker-2") is None


def test_of_many_claims_at_once_one_wins(database):
    render_id = orders.submitted(database)
    won = []
    together = threading.Barrier(8)

    def claim(number):
        together.wait()
        if orders.claimed(database, render_id, worker_id=f"worker-{number}"):
            won.append(number)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1
    assert orders.row(database, render_id).worker_id == f"worker-{won[0]}"


@pytest.mark.parametrize("state", ["cancelled", "succeeded", "failed"])
def test_what_has_ended_cannot_be_claimed_or_ended_again(database, state):
    render_id = orders.submitted(database)
    orders.claimed(database, render_id)
    ways = {
        "cancelled": lambda session: renders.cancel(session, render_id),
        "succeeded": lambda session: renders.succeed(session, render_id, attempt=1, result=orders.result()),
        "failed": lambda session: renders.fail(session, render_id, attempt=1, cause=Cause.ENGINE, error="x"),
    }

    assert ended(database, ways[state])
    assert orders.row(database, render_id).state == state

    assert orders.claimed(database, render_id) is None
    # The attempt that did not hear whether its end was written may ask again, and is told.
    again = {name: ended(database, way) for name, way in ways.items()}
    assert again == {name: name == state and state != "cancelled" for name in ways}
    assert orders.row(database, render_id).state == state


def test_an_unknown_render_cannot_be_claimed(database):
    assert orders.claimed(database, "nothing") is None


def test_success_writes_what_was_made(database):
    render_id = orders.submitted(database)
    orders.claimed(database, render_id)
    result = orders.result(
        pages=3, size=5_000_000_000, timings={"queue": 4, "engine": 7}, warnings=["x was not fetched"]
    )

    assert ended(database, lambda session: renders.succeed(session, render_id, attempt=1, result=result))

    row = orders.row(database, render_id)
    assert (row.pages, row.size, row.timings, row.warnings) == (3, 5_000_000_000, result.timings, result.warnings)
    assert row.finished_at >= row.started_at


def test_a_failure_keeps_cause_message_and_line_and_survives_a_nul_in_the_message(database):
    render_id = orders.submitted(database)
    orders.claimed(database, render_id)

    assert ended(
        database,
        lambda session: renders.fail(session, render_id, attempt=1, cause=Cause.TEMPLATE, error="a\0b", line=4),
    )

    row = orders.row(database, render_id)
    assert (row.state, row.cause, row.error, row.error_line) == ("failed", "template", "a\ufffdb", 4)


def test_a_worker_whose_work_was_given_away_cannot_end_it(database):
    render_id = orders.submitted(database)
    paused = orders.claimed(database, render_id, worker_id="paused")
    ended(database, lambda session: renders.lose(session, paused, reason="silent", max_losses=3))
    second = orders.claimed(database, render_id, worker_id="second")

    late = ended(
        database, lambda session: renders.succeed(session, render_id, attempt=paused.attempt, result=orders.result())
    )

    assert late is False
    row = orders.row(database, render_id)
    assert (row.state, row.worker_id, row.attempt) == ("running", "second", second.attempt)


def test_each_attempt_has_an_object_of_its_own():
    keys = [render_keys.blob_key("reports/a", attempt=number, extension="pdf") for number in (1, 2, 3)]

    assert keys == ["reports/a.pdf", "reports/a~2.pdf", "reports/a~3.pdf"]


def test_a_lost_attempt_is_queued_again_with_its_reason(database):
    render_id = orders.submitted(database)
    claimed = orders.claimed(database, render_id)

    state = ended(database, lambda session: renders.lose(session, claimed, reason="signal 9", max_losses=3))

    row = orders.row(database, render_id)
    assert state is State.QUEUED
    assert (row.state, row.worker_id, row.child_pid) == ("queued", None, None)
    assert [(loss["attempt"], loss["workerId"], loss["reason"]) for loss in row.losses] == [(1, "worker-1", "signal 9")]


def test_three_lost_attempts_end_as_poisoned_with_the_cause_of_each(database):
    render_id = orders.submitted(database)
    for number in (1, 2, 3):
        claimed = orders.claimed(database, render_id)
        reason = f"signal {number}"
        ended(
            database,
            lambda session, render=claimed, why=reason: renders.lose(session, render, reason=why, max_losses=3),
        )

    row = orders.row(database, render_id)
    assert (row.state, row.cause) == ("failed", "poisoned")
    assert [loss["reason"] for loss in row.losses] == ["signal 1", "signal 2", "signal 3"]
    assert orders.claimed(database, render_id) is None


def test_only_a_living_workers_renders_are_not_lost(database):
    of_living, of_silent, of_unknown = (orders.submitted(database) for _ in range(3))
    orders.sign(database, "living")
    orders.sign(database, "silent")
    orders.claimed(database, of_living, worker_id="living")
    orders.claimed(database, of_silent, worker_id="silent")
    orders.claimed(database, of_unknown, worker_id="unknown")
    ended(
        database, lambda session: session.execute(update(Worker).where(Worker.id == "silent").values(seen_at=now(-60)))
    )

    with database.reading() as session:
        lost = {render.id for render in unattended.lost(session, dead_after=15)}

    assert lost == {of_silent, of_unknown}


def test_an_overdue_render_is_lost_although_its_worker_lives(database):
    render_id = orders.submitted(database)
    orders.sign(database)
    orders.claimed(database, render_id)
    ended(database, lambda session: session.execute(update(Render).values(deadline_at=now(-1))))

    with database.reading() as session:
        assert [render.id for render in unattended.lost(session, dead_after=15)] == [render_id]


def test_cancelling_only_what_waits_leaves_what_runs(database):
    waits, runs = orders.submitted(database), orders.submitted(database)
    orders.claimed(database, runs)

    assert ended(database, lambda session: renders.cancel(session, waits, only_queued=True)) is True
    assert ended(database, lambda session: renders.cancel(session, runs, only_queued=True)) is False
    assert orders.row(database, runs).state == State.RUNNING


def test_the_databases_clock_can_be_shifted(database):
    with database.reading() as session:
        then, present = session.execute(renders.select(now(-3600), now())).one()

    assert present - then == pytest.approx(dt.timedelta(hours=1), abs=dt.timedelta(seconds=2))
    assert present.tzinfo is dt.UTC


def test_an_attempt_holds_its_render_until_it_is_given_up_or_ends(database):
    render_id = orders.submitted(database)
    first = orders.claimed(database, render_id)

    def holds(attempt):
        with database.reading() as session:
            return renders.holds(session, render_id, attempt=attempt)

    assert holds(1)
    with database.writing() as session:
        renders.lose(session, first, reason="killed", max_losses=3)
    assert not holds(1)
    orders.claimed(database, render_id)
    assert (holds(1), holds(2)) == (False, True)
    with database.writing() as session:
        renders.cancel(session, render_id)
    assert not holds(2)


def test_an_end_that_nothing_waits_for_costs_one_statement(database):
    render_id = orders.submitted(database)
    orders.claimed(database, render_id)
    asked = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))

    with database.writing() as session:
        assert renders.succeed(session, render_id, attempt=1, result=orders.result())

    assert [one.split()[0] for one in asked if not one.startswith("BEGIN")] == ["UPDATE"]
