"""The purge: what is old and done with goes, what waits or is young stays; twice at once it removes everything once."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import orders
import pytest
import records
from click.testing import CliRunner
from sqlalchemy import delete, func, select, update

from shared import cli, history, history_removal, print_tasks, sweeps, verification
from shared.exceptions import NotFoundError
from shared.identifiers import new_id
from shared.models import Comparison, Duty, HistoryRecord, PrintTask, Render, RetiredObject, Thumbnail
from shared.settings import load_settings
from shared.storage import StorageError
from workers.maintenance import Caretaker

DAY = 86400
OLD, YOUNG = 31 * DAY, 29 * DAY


@pytest.fixture
def storage(filesystem_storage):
    return filesystem_storage


def purge(database, storage, days=30):
    done = history_removal.purge(database, storage, older_than=days * DAY)
    return done.records, done.print_tasks


def keep(database, record, *, keep=True):
    with database.writing() as session:
        return history.pin(session, record.id, keep=keep)


def left(database, model=HistoryRecord):
    with database.reading() as session:
        return set(session.scalars(select(model.id)))


def count(database, model):
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(model))


def whole(database, storage):
    lines = []
    found = verification.verify(database, storage, grace=-5, contents=False, say=lines.append)
    return (found.orphans, found.missing) == (0, 0) or lines


def test_old_records_go_with_all_that_is_theirs_and_young_ones_stay(database, storage, template):
    old = records.done(database, storage, template, age=OLD, large=True)
    young = records.done(database, storage, template, age=YOUNG, large=True)
    for status in print_tasks.ENDED:
        # Its tasks go with it, however young they are.
        records.print_task(database, old, status=status)
    records.print_task(database, young, status="completed", age=OLD)
    with database.writing() as session:
        keys = {"1": "comparisons/c~1-1.png"}
        session.add(Comparison(id="c", trace_id="t", first_id=young.id, second_id=old.id, overlays=keys))
    storage.put(keys["1"], b"x", media_type="image/png", metadata={})

    assert purge(database, storage) == (1, 4)

    assert left(database) == {young.id}
    assert (count(database, PrintTask), count(database, Comparison), count(database, Thumbnail)) == (1, 0, 1)
    assert sorted(storage.keys()) == sorted([young.blob_key, young.payload_key])
    assert count(database, RetiredObject) == 0
    assert sweeps.sweep_unkept(database, storage, older_than=-5) == 1
    assert orders.row(database, old.render_id) is None
    assert whole(database, storage) is True


def test_what_has_not_ended_stays_however_old(database, storage, template):
    waiting, running = records.waiting(database, template), records.waiting(database, template)
    orders.claimed(database, running.render_id)
    records.grow_old(database, waiting.id, OLD)
    records.grow_old(database, running.id, OLD)
    printed = {}
    for status in print_tasks.ACTIVE:
        record = records.done(database, storage, template, age=OLD)
        records.print_task(database, record, status="completed", age=OLD)
        printed[record.id] = records.print_task(database, record, status=status, age=OLD).id
    before = count(database, PrintTask)

    assert purge(database, storage, days=0) == (0, 0)

    assert left(database) == {waiting.id, running.id, *printed}
    assert count(database, PrintTask) == before

    with database.writing() as session:
        ended = update(PrintTask).where(PrintTask.id.in_(printed.values()))
        session.execute(ended.values(status="unknown"))
    assert purge(database, storage) == (3, 6)


def test_a_pinned_record_stays_with_all_that_is_its_own_until_it_is_unpinned(database, storage, template):
    pinned, other = (records.done(database, storage, template, age=OLD, large=True) for _ in range(2))
    records.print_task(database, pinned, status="completed", age=OLD)
    keep(database, pinned)

    assert purge(database, storage) == (1, 0)
    assert left(database) == {pinned.id}
    assert sorted(storage.keys()) == sorted([pinned.blob_key, pinned.payload_key])
    assert (count(database, PrintTask), count(database, Thumbnail)) == (1, 1)

    keep(database, pinned, keep=False)
    assert purge(database, storage) == (1, 1)
    assert records.row(database, other.id) is None
    assert left(database) == set()


def test_whoever_pins_a_record_during_the_purge_keeps_it_or_is_told_that_it_is_gone(database, storage, template):
    for _ in range(8):
        record = records.done(database, storage, template, age=OLD)
        begin = threading.Barrier(2)

        def pin():
            begin.wait()  # noqa: B023  # Called at once.
            try:
                return keep(database, record)  # noqa: B023  # As above.
            except NotFoundError:
                return None

        def run():
            begin.wait()  # noqa: B023  # As above.
            return purge(database, storage)

        with ThreadPoolExecutor(2) as threads:
            pinned, purged = threads.submit(pin), threads.submit(run)

        assert (pinned.result() is None, purged.result()[0]) in [(True, 1), (False, 0)]
        assert (records.row(database, record.id) is None) == (pinned.result() is None)


def test_a_record_that_is_pinned_after_the_purge_has_found_it_stays(database, storage, template, monkeypatch):
    record = records.done(database, storage, template, age=OLD)
    monkeypatch.setattr(history_removal, "unpinned", lambda: HistoryRecord.id != "")
    keep(database, record)

    assert purge(database, storage) == (0, 0)
    assert left(database) == {record.id}


def test_print_tasks_without_a_record_go_when_they_are_old_and_have_ended(database, storage, template):
    for status in print_tasks.ENDED:
        key = f"prints/{status}.pdf"
        storage.put(key, b"x", media_type="application/pdf", metadata={})
        records.print_task(database, status=status, blob_key=key, age=OLD)
    kept = {records.print_task(database, status=status, age=OLD).id for status in print_tasks.ACTIVE}
    kept.add(records.print_task(database, status="completed", age=YOUNG).id)

    assert purge(database, storage) == (0, 4)

    assert left(database, PrintTask) == kept
    assert list(storage.keys()) == []


def test_records_that_stay_do_not_hide_those_that_go(database, storage, template, monkeypatch):
    monkeypatch.setattr(history_removal, "BATCH", 2)
    stay = []
    for number in range(9):
        record = records.done(database, storage, template, age=OLD - number)
        if number in (0, 1, 4):
            records.print_task(database, record)
            stay.append(record.id)
    for _ in range(5):
        records.print_task(database, status="failed", age=OLD)

    assert purge(database, storage) == (6, 5)
    assert left(database) == set(stay)


def test_records_of_one_moment_are_all_looked_at(database, storage, template, monkeypatch):
    monkeypatch.setattr(history_removal, "BATCH", 2)
    for _ in range(5):
        records.done(database, storage, template)
    with database.writing() as session:
        moment = session.scalar(select(func.min(HistoryRecord.created_at)))
        session.execute(update(HistoryRecord).values(created_at=moment))

    assert purge(database, storage, days=0) == (5, 0)


def test_two_purges_at_once_remove_everything_once(database, storage, template, monkeypatch):
    monkeypatch.setattr(history_removal, "BATCH", 3)
    young = records.done(database, storage, template)
    made = [records.done(database, storage, template, age=OLD, large=True) for _ in range(20)]
    for first, second in itertools.pairwise(made):
        with database.writing() as session:
            session.add(Comparison(id=new_id(), trace_id="t", first_id=first.id, second_id=second.id))
        records.print_task(database, first, status="completed")
        records.print_task(database, status="completed", age=OLD)
    begin = threading.Barrier(3)

    def run(_):
        begin.wait()
        return purge(database, storage)

    with ThreadPoolExecutor(3) as threads:
        counted = list(threads.map(run, range(3)))

    assert [sum(one) for one in zip(*counted, strict=True)] == [20, 38]
    assert left(database) == {young.id}
    assert list(storage.keys()) == [young.blob_key]
    assert count(database, RetiredObject) == 0
    assert purge(database, storage) == (0, 0)
    assert sweeps.sweep_unkept(database, storage, older_than=-5) == 20


def test_a_reprint_during_the_purge_is_refused_or_keeps_its_record(database, storage, template):
    for _ in range(8):
        record = records.done(database, storage, template, age=OLD)
        begin = threading.Barrier(2)

        def reprint():
            begin.wait()  # noqa: B023  # Called at once.
            try:
                return records.print_task(database, record)  # noqa: B023  # As above.
            except Exception as error:  # noqa: BLE001  # The foreign key, as each database says it.
                return error

        def run():
            begin.wait()  # noqa: B023  # As above.
            return purge(database, storage)

        with ThreadPoolExecutor(2) as threads:
            made, purged = threads.submit(reprint), threads.submit(run)

        assert (isinstance(made.result(), Exception), purged.result()[0]) in [(True, 1), (False, 0)]
        with database.writing() as session:
            session.execute(update(PrintTask).values(status="completed"))
        purge(database, storage)
        assert records.row(database, record.id) is None


def test_a_store_that_is_away_delays_only_the_objects(database, storage, template):
    made = [records.done(database, storage, template, age=OLD) for _ in range(3)]
    asked = []

    class Away:
        def delete(self, key):
            asked.append(key)
            raise StorageError("away")

    assert purge(database, Away()) == (3, 0)
    assert len(asked) == 1, "of a store that is away, a batch asks once"
    assert len(list(storage.keys())) == 3
    assert whole(database, storage) is True

    sweeps.sweep_retired(database, storage, older_than=-5)
    assert list(storage.keys()) == []
    assert all(orders.row(database, one.render_id) for one in made)
    sweeps.sweep_unkept(database, storage, older_than=-5)
    assert count(database, Render) == 0


def caretaker(database, storage, **environment):
    settings = load_settings(environment)
    with database.writing() as session:
        # Whoever came before had his turn just now.
        session.execute(delete(Duty))
    nothing = lambda *_: True  # noqa: E731
    return Caretaker(
        settings=settings,
        database=database,
        storage=storage,
        worker_id="w",
        waiting=lambda _: 0,
        publish=nothing,
        ring=nothing,
        is_told_to_go=lambda: False,
    )


def test_the_farm_purges_by_its_setting_or_never(database, storage, template):
    records.done(database, storage, template, age=OLD)
    records.done(database, storage, template, age=YOUNG)

    caretaker(database, storage, PURGE_HISTORY_DAYS="").purge()
    assert count(database, HistoryRecord) == 2
    caretaker(database, storage).purge()
    assert count(database, HistoryRecord) == 1
    caretaker(database, storage, PURGE_HISTORY_DAYS="0").purge()
    assert count(database, HistoryRecord) == 0


def test_the_command_purges_by_the_setting_or_by_the_age_that_it_is_told(
    database, database_url, storage, template, tmp_path, monkeypatch
):
    for age in (OLD, YOUNG, 2 * DAY):
        records.print_task(database, records.done(database, storage, template, age=age), status="completed")
    monkeypatch.setenv("PRESSROOM_HOME", str(tmp_path))
    monkeypatch.setenv("PRESSROOM_DATABASE_URL", database_url)

    def run(*arguments):
        return CliRunner().invoke(cli.main, ["purge", *arguments])

    assert run().output == "1 history records and 1 print tasks removed\n"
    assert run("--older-than", "3d").output == "1 history records and 1 print tasks removed\n"
    assert run("--older-than", "soon").exit_code == 2
    monkeypatch.setenv("PURGE_HISTORY_DAYS", "")
    nothing = run()
    assert nothing.exit_code == 2
    assert "PURGE_HISTORY_DAYS is empty" in nothing.output
    assert count(database, HistoryRecord) == 1
    monkeypatch.setenv("PURGE_HISTORY_DAYS", "0")
    assert run().exit_code == 0
    assert (count(database, HistoryRecord), list(storage.keys())) == (0, [])
