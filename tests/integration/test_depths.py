"""What waits and runs in each queue, how much of it ends in a minute, and how deep the queues were."""

from __future__ import annotations

import datetime as dt
import threading

import orders
import pytest
import records
from printing import add_printer
from sqlalchemy import func, select, update

from shared import depths, leases, renders
from shared.database import now
from shared.depths import Depth
from shared.duties import BATCHES
from shared.identifiers import new_id
from shared.models import Batch, Certificate, Duty, PrintTask, QueueSample, Render, Thumbnail
from shared.queues import QUEUES
from workers.maintenance import Caretaker

DEAD_AFTER = 15


@pytest.fixture(autouse=True)
def _questions_of_its_own():
    depths._ended_lately.cache_clear()
    yield
    depths._ended_lately.cache_clear()


def put(database, model, *conditions, **values):
    with database.writing() as session:
        session.execute(update(model).where(*conditions).values(**values))


def add(database, *rows):
    with database.writing() as session:
        session.add_all(rows)


def seen(database):
    """Return waiting, running and the oldest's age in minutes of the queues in which there is something."""
    with database.reading() as session:
        at = session.scalars(select(now())).one()
        found = depths.depths(session, at=at, dead_after=DEAD_AFTER)
    assert tuple(found) == QUEUES
    minutes = {queue: None if one.oldest_seconds is None else one.oldest_seconds // 60 for queue, one in found.items()}
    return {queue: (one.waiting, one.running, minutes[queue]) for queue, one in found.items() if one != Depth()}


def ended(database):
    with database.reading() as session:
        found = depths.per_minute(session, at=session.scalars(select(now())).one())
    assert tuple(found) == QUEUES
    return {queue: count for queue, count in found.items() if count}


def end(database, render_id):
    row = orders.claimed(database, render_id)
    with database.writing() as session:
        assert renders.succeed(session, row.id, attempt=row.attempt, result=orders.result())


def test_in_an_empty_farm_nothing_waits_and_nothing_ends(database):
    assert seen(database) == {}
    assert ended(database) == {}


def test_renders_wait_and_run_in_the_queue_that_they_were_sent_to(database):
    old = orders.submitted(database)
    put(database, Render, Render.id == old, queued_at=now(-150))
    orders.submitted(database)
    orders.claimed(database, orders.submitted(database))
    orders.submitted(database, queue="render.high")
    end(database, orders.submitted(database, queue="render.bulk"))

    assert seen(database) == {"render": (2, 1, 2), "render.high": (1, 0, 0)}


def test_what_is_put_off_waits_and_is_not_the_oldest(database):
    orders.submitted(database)
    put(database, Render, queued_at=now(60))
    assert seen(database) == {"render": (1, 0, None)}

    orders.submitted(database)
    assert seen(database) == {"render": (2, 0, 0)}


def test_certificates_wait_with_the_renders_in_bulk_and_pictures_in_a_queue_of_their_own(
    database, filesystem_storage, template
):
    add(database, *(Certificate(subject=name, trace_id="t") for name in "ab"))
    with database.writing() as session:
        leases.claim(session, Certificate, "a", worker_id="worker-1", seconds=60)
    records.done(database, filesystem_storage, template)
    records.done(database, filesystem_storage, template)
    put(database, Thumbnail, queued_at=now(-90))
    put(database, Certificate, queued_at=now(-200))

    assert seen(database) == {"render.bulk": (1, 1, 3), "thumbnail": (2, 0, 1)}


def test_a_print_task_waits_until_its_printer_has_it_unless_an_agent_or_its_render_is_waited_for(database):
    records.print_task(database, age=90)
    # Its printer was not reached a moment ago.
    records.print_task(database, age=600, due_at=now(60))
    records.print_task(database, status="printing")
    records.print_task(database, status="completed", due_at=None)
    for held in (True, False):
        records.print_task(database, due_at=None, held=held)

    assert seen(database) == {"print": (2, 1, 1)}


def test_a_batch_waits_while_no_living_worker_hands_out_its_items(database):
    values = {"trace_id": "t", "kind": "data", "name": "x", "queue": "render.bulk", "total": 5}
    states = ("running", "paused", "completed")
    add(database, *(Batch(id=new_id(), state=state, **values) for state in states))
    add(database, Batch(id=new_id(), state="running", settled_at=now(), **values))
    assert seen(database) == {"maintenance": (1, 0, 0)}

    add(database, Duty(name=BATCHES, holder="worker-1", begun_at=now(), resumed_at=now(), lease_until=now(60)))
    assert seen(database) == {"maintenance": (1, 0, 0)}, "its worker is dead"
    orders.sign(database, "worker-1")
    assert seen(database) == {"maintenance": (0, 1, None)}


def test_what_ended_within_a_minute_is_counted_by_queue(database, filesystem_storage, template):
    for queue in ("render", "render", "render.bulk"):
        end(database, orders.submitted(database, queue=queue))
    early = orders.submitted(database)
    end(database, early)
    put(database, Render, Render.id == early, finished_at=now(-90))
    orders.submitted(database)
    done = [records.done(database, filesystem_storage, template) for _ in range(2)]
    with database.writing() as session:
        leases.claim(session, Thumbnail, done[0].render_id, worker_id="w", seconds=60)
        leases.fail(session, Thumbnail, done[0].render_id, attempt=1, error="it is encrypted")
    records.print_task(database, status="completed", finished_at=now())
    records.print_task(database, status="failed", finished_at=now(-120))

    assert ended(database) == {"render": 4, "render.bulk": 1, "thumbnail": 1, "print": 1}


def test_where_much_ends_the_last_ones_tell_the_rate(database, monkeypatch):
    monkeypatch.setattr(depths, "MOST_RENDERS", 4)
    rendered = [orders.submitted(database, queue="render.bulk" if number % 2 else "render") for number in range(6)]
    for number, render_id in enumerate(rendered):
        end(database, render_id)
        put(database, Render, Render.id == render_id, finished_at=now(number - 23))

    # The last four of them in some twenty seconds, half in each of the queues.
    rates = ended(database)

    assert rates["render"] == rates["render.bulk"]
    assert 4 <= rates["render"] <= 6


def counted(database):
    with database.reading() as session:
        found = session.execute(select(QueueSample).order_by(QueueSample.at)).scalars().all()
    return [(one.at, one.queue, one.waiting, one.oldest_seconds) for one in found]


def minutes(database):
    with database.reading() as session:
        return session.scalar(select(func.count(QueueSample.at.distinct())))


def test_the_depths_are_noted_once_a_minute(database):
    orders.submitted(database, queue="render.bulk")
    put(database, Render, queued_at=now(-30))
    noted = [depths.sample(database, dead_after=DEAD_AFTER) for _ in range(3)]
    # Another minute may have begun meanwhile.
    assert noted.count(True) == minutes(database) < 3
    assert noted[0]

    for at in sorted({at for at, *_ in counted(database)}):
        put(database, QueueSample, QueueSample.at == at, at=at - dt.timedelta(minutes=3))
    before = minutes(database)
    assert depths.sample(database, dead_after=DEAD_AFTER)

    assert minutes(database) == before + 1
    first = counted(database)[: len(QUEUES)]
    assert {queue: waiting for _, queue, waiting, _ in first} == {
        queue: int(queue == "render.bulk") for queue in QUEUES
    }
    assert {at.second for at, *_ in first} == {0}
    [age] = [age for *_, age in first if age is not None]
    assert 30 <= age < 60


def test_of_many_who_note_at_once_one_does(database):
    together, noted = threading.Barrier(6), []

    def note():
        together.wait()
        noted.append(depths.sample(database, dead_after=DEAD_AFTER))

    threads = [threading.Thread(target=note) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert noted.count(True) == minutes(database)
    assert len(counted(database)) == len(QUEUES) * minutes(database)


def test_who_was_overtaken_while_counting_notes_nothing(database, monkeypatch):
    count = depths.depths

    def slowly(*asked, **options):
        found = count(*asked, **options)
        monkeypatch.setattr(depths, "depths", count)
        overtaken.append(depths.sample(database, dead_after=DEAD_AFTER))
        if overtaken == [True]:
            # It is of the very minute that is being counted for.
            put(database, QueueSample, at=options["at"].replace(second=0, microsecond=0))
        return found

    overtaken: list[bool] = []
    monkeypatch.setattr(depths, "depths", slowly)

    assert not depths.sample(database, dead_after=DEAD_AFTER)
    assert overtaken == [True]
    assert len(counted(database)) == len(QUEUES)


def test_samples_go_after_a_day_and_those_of_the_last_hour_are_told(database):
    add(
        database,
        *(QueueSample(at=now(-60 * age), queue="render", waiting=age) for age in (25 * 60, 23 * 60, 61, 50, 10)),
        # Of a clock that was set back since.
        QueueSample(at=now(600), queue="render", waiting=1),
    )

    with database.reading() as session:
        found = depths.samples(session, seconds=3600)
    assert [waiting for _, waiting in found["render"]] == [50, 10]
    assert found["print"] == []

    depths.sample(database, dead_after=DEAD_AFTER)
    assert 25 * 60 not in {waiting for _, _, waiting, _ in counted(database)}
    assert 23 * 60 in {waiting for _, _, waiting, _ in counted(database)}


def test_whoever_reconciles_notes_the_depths(database, filesystem_storage, settings):
    orders.submitted(database)
    nothing = lambda *_: True  # noqa: E731
    caretaker = Caretaker(
        settings=settings,
        database=database,
        storage=filesystem_storage,
        worker_id="w",
        waiting=lambda _: 0,
        publish=nothing,
        ring=nothing,
        is_told_to_go=lambda: False,
    )

    caretaker.reconcile()

    assert [waiting for _, queue, waiting, _ in counted(database) if queue == "render"] == [1]


def test_a_printer_that_an_agent_serves_keeps_nothing_waiting(database):
    printer = add_printer(database, agent=True)
    records.print_task(database, printer_id=printer.id, due_at=None)
    put(database, PrintTask, status="sent")

    assert seen(database) == {}
