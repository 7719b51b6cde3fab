"""How the farm does: workers and what they have, failures by cause, printers, and what asking for it costs."""

from __future__ import annotations

import orders
import pytest
import records
from farms import free_port
from printing import add_printer
from sqlalchemy import event, update

from api.app import create_app
from shared import farm, renders
from shared.database import Database, migrate, now
from shared.models import Printer, QueueSample, Render, Worker
from shared.queues import QUEUES
from shared.settings import load_settings

PATH = "/api/v1/farm"


@pytest.fixture
def gateway(database_url, database, tmp_path):
    """Make a gateway with settings of its own; there is no broker."""
    made = []

    def gateway(**environment):
        home = {"PRESSROOM_HOME": str(tmp_path / "farm"), "PRESSROOM_DATABASE_URL": database_url}
        made.append(create_app(load_settings(home | environment)))
        return made[-1]

    yield gateway
    for app in made:
        app.extensions["pressroom"].database.close()


@pytest.fixture
def client(gateway):
    return gateway().test_client()


def put(database, model, *conditions, **values):
    with database.writing() as session:
        session.execute(update(model).where(*conditions).values(**values))


def look(database, settings):
    with database.reading() as session:
        return farm.look(session, settings)


def silent(database, worker_id, seconds):
    put(database, Worker, Worker.id == worker_id, seen_at=now(-seconds))


def fail(database, cause, *, error="it broke", ago=0, **changes):
    row = orders.claimed(database, orders.submitted(database, **changes))
    with database.writing() as session:
        assert renders.fail(session, row.id, attempt=row.attempt, cause=cause, error=error)
    if ago:
        put(database, Render, Render.id == row.id, finished_at=now(-ago))
    return row


def test_the_answer_has_everything_and_is_kept_by_nobody(client, database):
    orders.sign(database)
    orders.submitted(database, queue="render.high")
    with database.writing() as session:
        session.add(QueueSample(at=now(-120), queue="render.high", waiting=7))

    answer = client.get(PATH)

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    data = answer.json["data"]
    assert [queue["name"] for queue in data["queues"]] == list(QUEUES)
    high, usual = data["queues"][:2]
    assert (high["waiting"], high["running"], high["perMinute"], high["workers"]) == (1, 0, 0, 0)
    assert high["oldestSeconds"] >= 0
    assert [sample["waiting"] for sample in high["samples"]] == [7]
    assert (usual["oldestSeconds"], usual["workers"], usual["samples"]) == (None, 1, [])
    assert data["failures"] == []
    assert data["printers"] == {"reachable": 0, "unreachable": 0, "waiting": 0, "servedByAgents": 0}
    assert data["now"].endswith("Z")
    assert data["version"]
    assert data["flower"] is None


def test_flower_is_named_where_it_is_known(gateway):
    client = gateway(PRESSROOM_FLOWER_URL="https://flower.example/press").test_client()

    assert client.get(PATH).json["data"]["flower"] == "https://flower.example/press"


def test_a_worker_is_alive_then_silent_then_dead(database, settings):
    assert (settings.heartbeat_interval, settings.worker_dead_after) == (3, 15)
    for name, seconds in (("d", 40), ("c", 0), ("b", 9), ("a", 16)):
        orders.sign(database, name, name=f"{name}@h")
        silent(database, name, seconds)

    state = look(database, settings)

    # The living by their names, the dead by when they died.
    assert [(one.worker.id, one.state) for one in state.workers] == [
        ("b", "silent"), ("c", "alive"), ("a", "dead"), ("d", "dead"),
    ]  # fmt: skip
    assert 40 <= state.workers[-1].seconds < 100
    assert state.queues["render"].workers == 2


def test_of_the_dead_only_the_last_are_shown(database, settings, monkeypatch):
    monkeypatch.setattr(farm, "MOST_DEAD", 2)
    for number in range(4):
        orders.sign(database, f"w{number}")
        silent(database, f"w{number}", 100 + number)

    assert [one.worker.id for one in look(database, settings).workers] == ["w0", "w1"]


def test_a_worker_tells_what_it_is_and_what_it_lacks(client, database):
    said = {"html": "ok", "weasyprint-pdf": "Pango is missing"}
    orders.sign(database, name="render@press-1", queues=["render", "print"], children=3, recipes=said, version="1.2")
    orders.sign(database, "older", name="small@press-2")

    first, second = client.get(PATH).json["data"]["workers"]

    assert first["lastSignSeconds"] >= 0
    assert first["since"].endswith("Z")
    assert {name: first[name] for name in first if name not in ("since", "lastSignSeconds")} == {
        "id": "worker-1",
        "name": "render@press-1",
        "host": "press-1",
        "pid": 1,
        "version": "1.2",
        "state": "alive",
        "queues": ["render", "print"],
        "children": 3,
        "recipes": {"weasyprint-pdf": "Pango is missing"},
        "doing": [],
    }
    assert (second["host"], second["version"], second["recipes"]) == ("press-2", None, {})


def test_a_worker_shows_what_it_has_also_when_it_died(client, database, template):
    for worker_id in ("alive", "dead"):
        orders.sign(database, worker_id, name=worker_id)
    of_template = {"template_version_id": template.version_id, "content": None}
    first = orders.submitted(database, **of_template)
    second = orders.submitted(database, trace_id="second", queue="render.bulk", recipe="text", batch_id="b")
    third = orders.submitted(database)
    orders.submitted(database)
    for render_id, worker_id, pid in ((first, "alive", 11), (second, "alive", 12), (third, "dead", 13)):
        orders.claimed(database, render_id, worker_id=worker_id, child_pid=pid)
    put(database, Render, Render.id == second, started_at=now(-30), attempt=2)
    silent(database, "dead", 60)

    living, dead = client.get(PATH).json["data"]["workers"]

    longest, other = living["doing"]
    assert 30 <= longest.pop("forSeconds") < 90
    assert longest == {
        "renderId": second,
        "traceId": "second",
        "template": None,
        "recipe": "text",
        "queue": "render.bulk",
        "attempt": 2,
        "childPid": 12,
        "batchId": "b",
    }
    assert (other["renderId"], other["template"], other["attempt"]) == (first, "t", 1)
    assert [one["renderId"] for one in dead["doing"]] == [third]


def test_what_failed_within_a_day_is_counted_by_cause_with_the_last_of_each(client, database, template):
    fail(database, "timeout", ago=3600)
    fail(database, "timeout", ago=25 * 3600)
    by_template = {"template_version_id": template.version_id, "content": None, "trace_id": "the-last"}
    last = fail(database, "timeout", error="x" * 5000, **by_template)
    fail(database, "data", ago=60)
    fail(database, "storage", ago=48 * 3600)
    done = orders.claimed(database, orders.submitted(database))
    with database.writing() as session:
        renders.succeed(session, done.id, attempt=1, result=orders.result())

    timeout, data = client.get(PATH).json["data"]["failures"]

    assert timeout["last"].pop("at").endswith("Z")
    assert timeout == {
        "cause": "timeout",
        "count": 2,
        "last": {"renderId": last.id, "traceId": "the-last", "template": "t", "error": "x" * farm.ERROR_CHARACTERS},
    }
    assert (data["cause"], data["count"], data["last"]["template"]) == ("data", 1, None)


def test_of_several_that_failed_at_one_moment_one_stands_for_them(database, settings):
    failed = [fail(database, "engine") for _ in range(3)]
    put(database, Render, finished_at=failed[0].started_at)

    [found] = look(database, settings).failures

    assert found.count == 3
    assert found.render_id == max(one.id for one in failed)


def test_printers_are_counted_by_whether_they_answer(database, client):
    for number in range(4):
        add_printer(database, name=f"p{number}", uri=f"ipp://printer.example/{number}")
    add_printer(database, name="agent", agent=True)
    put(database, Printer, Printer.name.in_(("p1", "p2")), error="connection refused")
    put(database, Printer, Printer.name == "p2", retry_at=now(60))
    put(database, Printer, Printer.name == "p3", retry_at=now(60))

    said = client.get(PATH).json["data"]["printers"]

    assert said == {"reachable": 2, "unreachable": 2, "waiting": 1, "servedByAgents": 1}


def test_without_broker_and_storage_it_says_so_and_tells_the_rest(gateway, database):
    orders.sign(database)
    orders.submitted(database)
    away = {
        "PRESSROOM_STORAGE": "s3",
        "PRESSROOM_S3_ENDPOINT": f"127.0.0.1:{free_port()}",
        "PRESSROOM_S3_ACCESS_KEY": "x",
        "PRESSROOM_S3_SECRET_KEY": "x",
        "PRESSROOM_S3_SECURE": "0",
    }

    answer = gateway(**away).test_client().get(PATH)

    assert answer.status_code == 200
    readiness = answer.json["data"]["readiness"]
    assert readiness["ready"] is False
    assert sorted(readiness["down"]) == ["broker", "storage"]
    assert readiness["parts"]["broker"]["error"]
    assert readiness["intake"]["queued"] == {"render": 1}
    assert answer.json["data"]["queues"][1]["waiting"] == 1


def test_without_a_database_there_is_nothing_to_tell(tmp_path):
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    app = create_app(load_settings({"PRESSROOM_HOME": str(tmp_path), "PRESSROOM_DATABASE_URL": url}))

    answer = app.test_client().get(PATH)

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json["errors"]


def test_it_needs_a_token_where_others_do(gateway):
    client = gateway(PRESSROOM_TOKENS="secret").test_client()

    assert client.get(PATH).status_code == 401
    assert client.get(PATH, headers={"Authorization": "Bearer secret"}).status_code == 200


def test_those_who_ask_within_a_second_are_told_the_same(gateway, database, monkeypatch):
    # A second as long as it takes.
    monkeypatch.setattr("api.gateway.FARM_KNOWN_SECONDS", 3600)
    app = gateway()
    client, statements = app.test_client(), []
    first = client.get(PATH).json["data"]
    event.listen(
        app.extensions["pressroom"].database.engine, "before_cursor_execute", lambda *given: statements.append(given[2])
    )
    orders.submitted(database)

    assert client.get(PATH).json["data"] == first
    assert statements == []


def asked(database, settings):
    """Return the questions that one look costs, with their values."""
    said = []
    note = lambda *given: said.append(given[2:4])  # noqa: E731
    event.listen(database.engine, "before_cursor_execute", note)
    look(database, settings)
    event.remove(database.engine, "before_cursor_execute", note)
    return [one for one in said if "SELECT" in one[0]]


def test_a_look_costs_the_same_few_questions_however_much_there_is(database, filesystem_storage, settings, template):
    few = asked(database, settings)
    for number in range(5):
        orders.sign(database, f"w{number}")
        orders.claimed(database, orders.submitted(database), worker_id=f"w{number}")
        for cause in renders.Cause:
            fail(database, cause)
        records.print_task(database, records.done(database, filesystem_storage, template))
    many = asked(database, settings)

    # Without any failure nobody asks which was the last.
    assert len(few) <= len(many) <= 9


SMALL_TABLES = ("workers", "duties", "printers", "batches USING INDEX batches_under_way")


def test_a_look_reads_no_table_from_end_to_end(tmp_path, settings):
    # PostgreSQL plans by its tables.
    url = f"sqlite:///{tmp_path / 'planned.db'}"
    migrate(url)
    database = Database(url)
    orders.sign(database)
    fail(database, "timeout")
    statements = asked(database, settings)

    steps = []
    with database.engine.connect() as connection:
        for statement, values in statements:
            steps += [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    database.close()

    scans = [step.removeprefix("SCAN ") for step in steps if step.startswith("SCAN ")]
    # What a part of the question has found, and tables that stay small.
    assert [one for one in scans if not one.startswith((*SMALL_TABLES, "anon_", "CONSTANT ROW"))] == []
    searches = " ".join(step for step in steps if "renders " in step)
    assert "COVERING INDEX renders_failed (state=? AND cause=? AND finished_at>?)" in searches
    assert "COVERING INDEX renders_by_state (state=?)" in searches
    assert "INDEX renders_by_finish (finished_at>?)" in searches
