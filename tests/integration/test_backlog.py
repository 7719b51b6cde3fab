"""How much waits, what is refused and for how long; and what a database that is away looks like."""

from __future__ import annotations

import contextlib
import threading

import orders
import pytest
from farms import eventually
from services import Postgres
from sqlalchemy import event, select, text

from api.intake import Intake
from shared import backlog, renders
from shared.database import DATABASE_AWAY, Database, DatabaseAwayError, Patience
from shared.exceptions import NotReadyError, OverloadedError
from shared.guards import Guard
from shared.models import Render
from shared.settings import load_settings
from shared.storage import StorageError

WAIT_SECONDS = 30
SHOP = "token:shop"


class Store:
    """A store that only answers pings, or does not."""

    def __init__(self, guard):
        self.guard = guard
        self.away = False
        self.pinged = threading.Event()

    def ping(self):
        try:
            if self.away:
                self.guard.failed()
                raise StorageError("connection refused")
            self.guard.worked()
        finally:
            self.pinged.set()


@pytest.fixture
def guard():
    return Guard("storage", away_seconds=3)


@pytest.fixture
def store(guard):
    return Store(guard)


@pytest.fixture
def intake(database, tmp_path, guard, store):
    def intake(**limits):
        environment = {f"PRESSROOM_{name.upper()}": str(value) for name, value in limits.items()}
        settings = load_settings({"PRESSROOM_HOME": str(tmp_path / "farm"), **environment})
        return Intake(settings, database, store, guard)

    return intake


def submitted(database, intake, *, queue="render", client=None):
    with intake.admitting(queue=queue, client=client):
        return orders.submitted(database, queue=queue, created_by=client)


def end(database, render_id):
    row = orders.claimed(database, render_id)
    with database.writing() as session:
        assert renders.succeed(session, row.id, attempt=row.attempt, result=orders.result())


def test_what_waits_is_counted_by_queue_and_client_and_nothing_else_is(database):
    for client in (SHOP, SHOP, None):
        orders.submitted(database, created_by=client)
    orders.submitted(database, queue="render.bulk", created_by=SHOP)
    orders.claimed(database, orders.submitted(database, created_by=SHOP))
    end(database, orders.submitted(database, queue="render.bulk"))

    with database.reading() as session:
        assert backlog.waiting(session) == {("render", SHOP): 2, ("render", None): 1, ("render.bulk", SHOP): 1}
        assert backlog.ended_lately(session) == {("render.bulk", None): 1}


def test_sqlite_counts_them_through_the_index_of_those_that_wait_alone(database):
    if database.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL's planner asks for rows first")
    asked = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    with database.reading() as session:
        backlog.waiting(session)
        [(statement, parameters)] = [one for one in asked if "SELECT" in one[0]]
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()

    # Neither a table of all renders, nor a sort.
    [step] = [row[3] for row in plan]
    assert step.endswith("INDEX renders_waiting")


@pytest.mark.parametrize(
    ("too_many", "ended", "seconds"), [(1, 0, 30), (1, 60, 1), (90, 60, 90), (1, 600, 1), (10_000, 6, 300)]
)
def test_there_is_room_when_as_many_have_ended_as_are_too_many(too_many, ended, seconds):
    assert backlog.seconds_until_room(too_many, ended) == seconds


def test_a_full_queue_takes_no_more_until_one_is_begun_and_others_do(database, intake):
    intake = intake(max_queued=2)
    first = submitted(database, intake)
    submitted(database, intake, client=SHOP)

    with pytest.raises(OverloadedError, match=r"2 renders wait in queue 'render'.*PRESSROOM_MAX_QUEUED\)") as refused:
        submitted(database, intake)
    submitted(database, intake, queue="render.bulk")

    assert refused.value.retry_after == 30
    orders.claimed(database, first)
    assert eventually(lambda: _accepts(database, intake), what="room")


def _accepts(database, intake):
    try:
        return submitted(database, intake)
    except OverloadedError:
        return None


def test_a_client_with_too_many_waiting_is_refused_in_every_queue_and_others_are_not(database, intake):
    intake = intake(max_queued_per_client=2)
    submitted(database, intake, client=SHOP)
    submitted(database, intake, queue="render.bulk", client=SHOP)

    with pytest.raises(OverloadedError, match=r"2 renders of token:shop wait.*PRESSROOM_MAX_QUEUED_PER_CLIENT"):
        submitted(database, intake, queue="render.high", client=SHOP)
    submitted(database, intake)
    submitted(database, intake, client="token:desk")


def test_the_time_until_there_is_room_is_measured(database, intake):
    for _ in range(6):
        end(database, orders.submitted(database))
    for _ in range(4):
        orders.submitted(database)

    with pytest.raises(OverloadedError) as refused:
        submitted(database, intake(max_queued=2))

    # Three too many, and six ended in a minute.
    assert refused.value.retry_after == 30
    assert "try again in 30 s" in refused.value.message


def test_submissions_of_the_same_second_cost_no_statement(database, intake, monkeypatch):
    # A second as long as it takes.
    monkeypatch.setattr("api.intake.COUNTS_KNOWN_SECONDS", 3600)
    intake, asked = intake(), []
    submitted(database, intake)
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))

    for _ in range(3):
        with intake.admitting(queue="render", client=None):
            pass

    assert asked == []


def test_what_was_not_accepted_after_all_takes_no_room(database, intake):
    intake = intake(max_queued=1)
    for _ in range(3):
        with pytest.raises(LookupError), intake.admitting(queue="render", client=None):
            raise LookupError

    submitted(database, intake)


def test_of_many_at_once_no_more_are_let_in_than_there_is_room_for(database, intake):
    intake = intake(max_queued=5)
    together, let_in = threading.Barrier(12), []

    def send():
        together.wait(WAIT_SECONDS)
        with contextlib.suppress(OverloadedError):
            let_in.append(submitted(database, intake))

    threads = [threading.Thread(target=send) for _ in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert 1 <= len(let_in) <= 5


def test_nothing_is_let_in_when_the_disk_is_nearly_full(database, intake):
    full = intake(min_free_bytes=2**60)

    with pytest.raises(NotReadyError, match=r"disk is nearly full.*PRESSROOM_MIN_FREE_BYTES"):
        submitted(database, full)
    with pytest.raises(NotReadyError):
        full.check_disk()
    assert full.state()["accepting"] is False
    submitted(database, intake(min_free_bytes=0))


def test_a_storage_that_is_away_for_long_lets_nothing_in_until_it_answers(database, intake, store, monkeypatch):
    monkeypatch.setattr("api.intake.STORAGE_ASKED_SECONDS", 0.05)
    impatient, patient = intake(storage_patience=0), intake(storage_patience=300)
    store.away = True

    refused = eventually(lambda: _refusal(database, impatient), what="the refusal")
    assert "PRESSROOM_STORAGE_PATIENCE" in refused.message
    assert refused.retry_after > 0
    assert impatient.state()["reason"].startswith("The storage has been away")
    submitted(database, patient)
    with pytest.raises(NotReadyError, match="asynchronous"), patient.admitting(queue="render", client=None, waits=True):
        pass

    store.away = False
    eventually(lambda: _refusal(database, impatient) is None, what="the end of the refusals")


def _refusal(database, intake):
    try:
        submitted(database, intake)
    except NotReadyError as error:
        return error
    return None


def test_the_state_says_how_many_wait_and_whether_more_are_taken(database, intake):
    intake = intake(max_queued=2)
    submitted(database, intake, queue="render.bulk")
    submitted(database, intake)
    assert intake.state() == {"accepting": True, "queued": {"render": 1, "render.bulk": 1}}

    submitted(database, intake)
    said = intake.state()
    assert (said["accepting"], said["queued"]) == (False, {"render": 2, "render.bulk": 1})
    assert "PRESSROOM_MAX_QUEUED" in said["reason"]


@pytest.fixture
def own_postgres():
    with Postgres() as server:
        yield server


def test_a_postgresql_that_only_reads_counts_as_away_and_is_found_again_when_it_writes(database, database_url):
    if database.engine.dialect.name == "sqlite":
        pytest.skip("see the test of SQLite's lock")
    name = database.engine.url.database
    _administer(database, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    standby = Database(database_url)
    try:
        with pytest.raises(DATABASE_AWAY):
            orders.submitted(standby)
        with pytest.raises(DatabaseAwayError, match="only reads"):
            standby.check_writable()
        with standby.reading() as session:
            assert session.scalars(select(Render.id)).all() == []

        _administer(database, f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        # The connection that only read is not used again.
        with standby.writing() as session:
            session.execute(text("SET default_transaction_read_only = off"))
        orders.submitted(standby)
        standby.check_writable()
    finally:
        standby.close()


def _administer(database, statement):
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET default_transaction_read_only = off")
        connection.exec_driver_sql(statement)


def test_a_sqlite_that_somebody_else_writes_for_long_reads_and_cannot_be_written(database, monkeypatch):
    if database.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL locks rows")
    monkeypatch.setattr("shared.database.SQLITE_CHECK_SECONDS", 0)
    database.check_writable()
    with database.writing():
        with pytest.raises(DatabaseAwayError, match="locked"):
            database.check_writable()
        with database.reading() as session:
            assert session.scalars(select(Render.id)).all() == []
    database.check_writable()
    with database.reading() as session:
        assert session.scalar(text("PRAGMA busy_timeout")) == 15_000


def test_a_server_that_hangs_is_given_up(own_postgres, monkeypatch):
    monkeypatch.setattr("shared.database.SILENT_SECONDS", 0.5)
    database = Database(own_postgres.url(), patience=Patience(statement=0.5, lock=0.5, connection=0.5))
    database.ping()
    own_postgres.pause()
    try:
        with pytest.raises(DATABASE_AWAY):
            database.ping()
    finally:
        own_postgres.resume()
    eventually(lambda: _answers(database), what="the database")
    database.close()


def _answers(database):
    try:
        database.ping()
    except DATABASE_AWAY:
        return False
    return True


@pytest.mark.parametrize(
    ("statement", "words"), [("SELECT pg_sleep(60)", "statement timeout"), ("LOCK TABLE kept", "lock timeout")]
)
def test_what_takes_too_long_counts_as_away(postgres, statement, words):
    url = postgres.new_database()
    database = Database(url, patience=Patience(statement=1, lock=0.2, connection=1))
    try:
        with database.writing() as session:
            session.execute(text("CREATE TABLE kept ()"))
        with database.writing() as holder:
            holder.execute(text("LOCK TABLE kept"))
            with pytest.raises(DATABASE_AWAY, match=words), database.writing() as session:
                session.execute(text(statement))
    finally:
        database.close()
        postgres.drop_database(url)
