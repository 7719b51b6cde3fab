"""What a gateway answers while a part of its farm is away, hangs, is full or only reads; and that nothing is lost.

In every outage the gateway itself is alive and names the part that is down, what it cannot do is answered with 503 and
`Retry-After`, and what it accepted is done by itself afterwards. The workers' side is in tests/chaos.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import sqlite3

import psycopg
import pytest
from farms import Farm, eventually
from services import Postgres, SeaweedFS, ServiceMissingError, Valkey

HTML = {"content": "<p>{{ word }}", "recipe": "html"}
LARGE = "x" * 5000
# Several outages take long to be noticed, and long to be forgotten.
pytestmark = pytest.mark.timeout(300)
SECONDS = 120


@pytest.fixture(scope="module")
def broker():
    with Valkey() as broker:
        yield broker


@pytest.fixture(scope="module")
def servers(broker):
    """Servers of these tests' own, which they may pause and kill."""
    database, storage = Postgres(), SeaweedFS()
    try:
        database.check()
        storage.check()
    except ServiceMissingError as error:
        pytest.skip(str(error))
    with database, storage:
        yield database, broker, storage


@pytest.fixture(scope="module")
def farm(tmp_path_factory, servers):
    database, broker, storage = servers
    farm = Farm(
        tmp_path_factory.mktemp("outages"),
        PRESSROOM_DATABASE_URL=database.url(),
        PRESSROOM_BROKER_URL=broker.url,
        **storage.settings("pressroom"),
        PRESSROOM_SYNC_WAIT="2",
        PRESSROOM_INLINE_DATA_BYTES="1000",
        # All threads of it are soon waiting for what hangs.
        PRESSROOM_GATEWAY_THREADS="8",
    )
    try:
        farm.run_all()
        yield farm
    finally:
        for server in servers:
            server.resume()
        farm.stop()


@pytest.fixture
def farm_of_messages(tmp_path, broker):
    """A farm whose children work only when a message sends for them; others look for work when the broker fails."""
    farm = Farm(
        tmp_path / "farm",
        # Not that of the farm beside it, whose children would hear its bells.
        PRESSROOM_BROKER_URL=f"{broker.url.rsplit('/', 1)[0]}/1",
        PRESSROOM_SYNC_WAIT="2",
        PRESSROOM_GATEWAY_THREADS="8",
        PRESSROOM_STANDBY="0",
    )
    try:
        farm.run_all()
        yield farm
    finally:
        farm.stop()


@pytest.fixture(autouse=True)
def whole(request):
    """Begin each test with a farm in which all is well."""
    if "farm" in request.fixturenames:
        request.getfixturevalue("farm").until_ready()


def order(word, *, run_async=True):
    return {"template": HTML, "data": {"word": word}, "options": {"reports": {"async": run_async}}}


def accepted(farm, word="yes"):
    answer = farm.post("/api/report", order(word))
    assert answer.status_code == 200, answer.text
    return answer.headers["Location"]


def put_off(answer):
    assert answer.status_code == 503, (answer.status_code, answer.text)
    assert int(answer.headers["Retry-After"]) >= 1
    assert "message" in answer.text
    assert "Traceback" not in answer.text
    return answer


def is_down(farm, part):
    """Wait until exactly that part is named; the gateway lives all the while."""

    def look():
        assert farm.get("/healthz").status_code == 200
        answer = farm.get("/readyz")
        said = answer.json()
        return said if answer.status_code == 503 and said["down"] == [part] else None

    said = eventually(look, seconds=SECONDS, every=0.2, what=f"/readyz naming {part}")
    assert said["parts"][part]["error"]
    return said


def is_done(farm, status_url, word="yes"):
    def look():
        revive(farm)
        answer = farm.get(status_url)
        return answer if answer.headers.get("Report-State") != "planned" else None

    done = eventually(look, seconds=SECONDS, every=0.1, what=f"the end of {status_url}")
    assert done.status_code == 201, done.text
    assert farm.get(done.headers["Location"]).text == f"<p>{word}"


def revive(farm):
    """Start again what has ended, as a supervisor does: a broker that becomes a replica ends Celery's workers."""
    for name, start in (("render-worker", farm.run_workers), ("small-worker", farm.run_small_worker)):
        if name in farm.processes and farm.processes[name].poll() is not None:
            start()


@contextlib.contextmanager
def paused(server):
    server.pause()
    try:
        yield
    finally:
        server.resume()


@contextlib.contextmanager
def killed(server):
    server.kill()
    try:
        yield
    finally:
        server.start()


@contextlib.contextmanager
def full(broker):
    with broker.client() as client:
        client.config_set("maxmemory", 1)
        try:
            yield
        finally:
            client.config_set("maxmemory", 0)


@contextlib.contextmanager
def a_replica(broker):
    with broker.client() as client:
        # Of a server that is not there: it waits for that one, and takes nothing.
        client.replicaof("127.0.0.1", 1)
        try:
            yield
        finally:
            client.replicaof("NO", "ONE")


@contextlib.contextmanager
def only_reading(database):
    with psycopg.connect(database.url(), autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        connection.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            connection.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize("outage", [killed, paused, full, a_replica])
def test_without_a_broker_work_is_accepted_and_whoever_waits_is_put_off(farm_of_messages, broker, outage):
    farm = farm_of_messages
    before = accepted(farm, "before")
    is_done(farm, before, "before")

    with outage(broker):
        said = is_down(farm, "broker")
        assert said["intake"]["accepting"] is True
        waiting = [accepted(farm) for _ in range(3)]
        put_off(farm.post("/api/report", order("no", run_async=False)))
        assert farm.get(waiting[0]).json()["state"] == "planned"
        is_done(farm, before, "before")

    for one in waiting:
        is_done(farm, one)


@pytest.mark.parametrize("outage", [killed, paused])
def test_without_a_database_everything_is_put_off_and_the_gateway_lives(farm, servers, outage):
    waiting = accepted(farm)

    with outage(servers[0]):
        said = is_down(farm, "database")
        assert said["intake"]["accepting"] is False
        assert not said["parts"]["workers"]["ok"]
        # More at once than there are threads: the last ones are not used up, and nobody waits for ever.
        with concurrent.futures.ThreadPoolExecutor(12) as clients:
            sent = [clients.submit(farm.post, "/api/report", order("no"), timeout=SECONDS) for _ in range(12)]
            sent += [clients.submit(farm.get, waiting, timeout=SECONDS) for _ in range(12)]
            assert eventually(lambda: farm.get("/healthz").status_code == 200, what="/healthz")
            for one in sent:
                put_off(one.result())
        put_off(farm.post("/api/report", order("no", run_async=False)))

    is_done(farm, waiting)
    farm.until_ready()
    is_done(farm, accepted(farm))


def test_a_database_that_only_reads_answers_what_is_asked_and_puts_off_what_is_sent(farm, servers):
    waiting = accepted(farm)
    is_done(farm, waiting)

    with only_reading(servers[0]):
        said = is_down(farm, "database")
        assert "only reads" in said["parts"]["database"]["error"]
        assert said["intake"]["accepting"] is False
        put_off(farm.post("/api/report", order("no")))
        put_off(farm.post("/api/report", order("no", run_async=False)))
        put_off(farm.post("/odata/templates", {"name": "t", "content": "", "engine": "none", "recipe": "html"}))
        is_done(farm, waiting)

    farm.until_ready()
    is_done(farm, accepted(farm))


@pytest.mark.parametrize("outage", [killed, paused])
def test_without_a_storage_work_of_any_size_is_accepted_and_done_when_it_is_back(farm, servers, outage):
    storage = servers[2]
    before = accepted(farm, "before")
    is_done(farm, before, "before")

    with outage(storage):
        said = is_down(farm, "storage")
        assert said["intake"]["accepting"] is True
        waiting = {accepted(farm, word): word for word in ("yes", LARGE)}
        put_off(farm.post("/api/report", order("no", run_async=False)))
        # What was asked for before is at hand.
        is_done(farm, before, "before")
        assert all(farm.get(one).status_code == 200 for one in waiting)

    for one, word in waiting.items():
        is_done(farm, one, word)


def test_a_storage_that_is_away_for_long_stops_the_intake_until_it_is_back(farm, servers):
    impatient = Farm(farm.home, **farm.environment | {"PRESSROOM_STORAGE_PATIENCE": "1"})
    impatient.environment["PRESSROOM_PORT"] = str(impatient.port)
    try:
        impatient.run_gateway()
        impatient.until_ready()
        with killed(servers[2]):
            is_down(impatient, "storage")
            said = put_off(
                eventually(
                    lambda: _refused(impatient.post("/api/report", order("no"))), seconds=SECONDS, what="the refusal"
                )
            )
            assert "PRESSROOM_STORAGE_PATIENCE" in said.json()["message"]
            assert impatient.get("/readyz").json()["intake"]["accepting"] is False
        impatient.until_ready()
        is_done(impatient, accepted(impatient))
    finally:
        impatient.stop()


def _refused(answer):
    return answer if answer.status_code != 200 else None


def test_a_sqlite_that_cannot_be_written_answers_what_is_asked_and_puts_off_what_is_sent(tmp_path, broker):
    farm = Farm(tmp_path / "sqlite", PRESSROOM_BROKER_URL=broker.url.replace("/0", "/3"))
    try:
        farm.run_all()
        before = accepted(farm)
        is_done(farm, before)
        with contextlib.closing(sqlite3.connect(farm.home / "pressroom.db", timeout=SECONDS)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            said = is_down(farm, "database")
            assert "locked" in said["parts"]["database"]["error"]
            put_off(farm.post("/api/report", order("no")))
            is_done(farm, before)
            holder.execute("ROLLBACK")
        farm.until_ready()
        is_done(farm, accepted(farm))
    finally:
        farm.stop()


def test_a_disk_that_is_nearly_full_is_the_only_part_that_is_down(farm):
    crammed = Farm(farm.home, **farm.environment | {"PRESSROOM_MIN_FREE_BYTES": str(2**60)})
    crammed.environment["PRESSROOM_PORT"] = str(crammed.port)
    try:
        crammed.run_gateway()
        is_down(crammed, "disk")
        put_off(crammed.post("/api/report", order("no")))
    finally:
        crammed.stop()
