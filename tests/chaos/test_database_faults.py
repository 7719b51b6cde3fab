"""The database restarted, deadlocked, slow, read-only and locked: work waits and goes on by itself."""

from __future__ import annotations

import contextlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import locks
import psycopg
import pytest
from accepted import TURNS, WORK, Ledger, amiss, folder_ledger
from farms import Farm, eventually
from faults import Wire
from services import Postgres
from sqlalchemy import select

from shared.database import Database
from shared.models import HistoryRecord
from shared.renders import State
from shared.storage.filesystem import FilesystemStorage

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def server():
    """A database server that tests may stop, reconfigure and block."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="module")
def wire(server):
    with Wire(server.ports[0]) as wire:
        yield wire


@pytest.fixture(scope="module")
def url(server):
    url = server.new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        # A second is little on a loaded machine: of a circle, the farm's side is to be the one that is broken up.
        connection.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET deadlock_timeout = '3s'".encode())
    return url


@pytest.fixture(scope="module")
def farm(tmp_path_factory, module_broker, server, wire, url):
    farm = Farm(
        tmp_path_factory.mktemp("farm"),
        PRESSROOM_BROKER_URL=module_broker.url,
        PRESSROOM_DATABASE_URL=url.replace(f":{server.ports[0]}/", f":{wire.port}/"),
    )
    try:
        farm.run_all()
        yield farm
    finally:
        farm.stop()


@pytest.fixture
def ledger(farm, url):
    database = Database(url)
    yield Ledger(farm, database, FilesystemStorage(farm.home / "blobs"))
    database.close()


@pytest.fixture
def second(url):
    """A connection of somebody else; what it holds is let go at the end."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def is_refused(farm):
    """Submit, and say whether it was refused as it should be while the database does not take it."""
    answer = farm.report({"content": "refused", "recipe": "text"}, reports={"async": True})
    if answer.status_code == 200:
        return False
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True), answer.text
    return True


def test_work_goes_on_when_the_database_is_restarted(ledger, farm, server):
    running = ledger.submit(2, work=1)
    ledger.submit(4)
    ledger.until_running(running)

    server.stop()
    assert is_refused(farm)
    server.start()

    ledger.settle()


def test_work_goes_on_when_the_way_to_the_database_is_cut(ledger, farm, wire):
    running = ledger.submit(2, work=1)
    ledger.submit(4)
    ledger.until_running(running)

    wire.cut()
    assert is_refused(farm)
    wire.heal()

    ledger.settle()


def test_a_slow_database_only_takes_longer(ledger, wire):
    wire.delay(0.1)

    ledger.submit(4)

    ledger.settle()
    wire.heal()
    assert [ledger.row(one).attempt for one in ledger.accepted] == [1] * 4


def test_work_waits_while_the_database_only_reads(ledger, farm, second):
    running = ledger.submit(2, work=1)
    waiting = ledger.submit(4)
    ledger.until_running(running)

    second.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    second.execute("SELECT pg_reload_conf()")
    try:
        eventually(lambda: is_refused(farm), what="a submission to be refused")
        assert farm.get(waiting[0].status_url).status_code in {200, 201}, "what can be read is answered"
        # The two of them end meanwhile, and cannot write it.
        eventually(lambda: farm.logged().count("read-only") > 1, what="a write of a worker's to be refused")
    finally:
        second.execute("SET default_transaction_read_only = off")
        second.execute("ALTER SYSTEM RESET default_transaction_read_only")
        second.execute("SELECT pg_reload_conf()")

    ledger.settle()


def test_work_waits_while_its_table_is_locked(ledger, farm, second):
    running = ledger.submit(2, work=1)
    ledger.submit(4)
    ledger.until_running(running)

    with second.transaction():
        second.execute("LOCK TABLE renders IN ACCESS EXCLUSIVE MODE")
        # That is as long as any statement waits for a lock.
        assert is_refused(farm)

    ledger.settle()


def test_an_end_that_is_the_victim_of_a_deadlock_is_written_again(ledger, farm, second):
    body = {"name": "deadlocked", "content": f"{WORK % TURNS}text", "engine": "jinja", "recipe": "plutoprint-pdf"}
    made = farm.post("/api/v1/report-config", body)
    assert made.status_code == 201, made.text
    address = f"/api/v1/report-config/{made.json()['data']['id']}/render"
    wish = {"outputType": "base64", "parameters": {}, "createHistoryRecord": True}

    with ThreadPoolExecutor(1) as client:
        answer = client.submit(farm.post, address, wish)
        with second.transaction(force_rollback=True):
            record, render = eventually(lambda: record_of(ledger), what="the record")
            second.execute("SET LOCAL deadlock_timeout = '100s'")
            second.execute("SELECT 1 FROM history_records WHERE id = %s FOR UPDATE", [record])
            # The worker holds the render, and waits for its record.
            locks.until_held_up(ledger.database)
            second.execute("UPDATE renders SET attempt = attempt WHERE id = %s", [render])
        document = answer.result()

    assert (document.status_code, document.json()["success"]) == (200, True), document.text
    assert "deadlock detected" in farm.logged()
    assert amiss(ledger.database, ledger.storage, [record, render]) == []


def record_of(ledger):
    with ledger.database.reading() as session:
        return session.execute(select(HistoryRecord.id, HistoryRecord.render_id)).one_or_none()


def test_work_waits_while_another_process_holds_the_sqlite_file(tmp_path, module_broker):
    farm = Farm(tmp_path / "farm", PRESSROOM_BROKER_URL=module_broker.url.replace("/0", "/1"))
    ledger = folder_ledger(farm)
    try:
        farm.run_all()
        running = ledger.submit(2, work=1)
        waiting = ledger.submit(4)
        ledger.until_running(running)
        with contextlib.closing(sqlite3.connect(farm.home / "pressroom.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            # That is as long as any transaction waits for the file; and as the worker began to wait before, it too.
            assert is_refused(farm)
            assert farm.get(waiting[0].status_url).status_code == 200, "what can be read is answered"
            # The next ones in its place are held up, too.
            assert is_refused(farm)
            other.execute("ROLLBACK")
        ledger.settle()
        assert {ledger.row(one).state for one in ledger.accepted} == {State.SUCCEEDED}
    finally:
        farm.stop()
        ledger.database.close()
