"""Nothing accepted is lost when parts of the farm are killed: each report ends in 201, with one object."""

from __future__ import annotations

import contextlib
import io
import json
from concurrent.futures import ThreadPoolExecutor

import psutil
import pypdf
import pytest
from farms import SAMPLES, Farm, eventually
from services import Postgres
from sqlalchemy import select

from shared.database import Database
from shared.models import Render
from shared.renders import State

CLIENTS = 8
# Some 50 ms of template, so that a child that is struck is struck at work.
BUSY = "{% for a in range(300) %}{% for b in range(1000) %}{% endfor %}{% endfor %}"
INVOICE = {"content": (SAMPLES / "invoice.html").read_text() + BUSY, "recipe": "plutoprint-pdf"}
INVOICE_DATA = json.loads((SAMPLES / "invoice.json").read_text())


@pytest.fixture
def database(farm):
    database = Database(f"sqlite:///{farm.home / 'pressroom.db'}")
    yield database
    database.close()


def running(database):
    """Return the process ids of the children that are at work."""
    with database.reading() as session:
        return session.scalars(select(Render.child_pid).where(Render.state == State.RUNNING)).all()


def losses(database):
    with database.reading() as session:
        return sum(len(one) for one in session.scalars(select(Render.losses)))


def submit(farm, number):
    answer = farm.report(
        INVOICE, INVOICE_DATA | {"number": f"N-{number}"}, reports={"async": True, "blobName": f"invoice-{number}"}
    )
    assert answer.status_code == 200, answer.text
    return answer.headers["Location"]


def text_of(document: bytes) -> list[str]:
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(document)).pages]


def check(farm, number, status_url):
    done = farm.until_done(status_url, seconds=90)
    assert (done.status_code, done.headers["Report-State"]) == (201, "success"), done.text
    pages = text_of(farm.get(done.headers["Location"]).content)
    assert len(pages) == 1
    assert f"N-{number}" in pages[0]


def objects(farm):
    folder = farm.home / "blobs" / "reports"
    return sorted(path.name for path in folder.rglob("*.pdf"))


def kill_nothing(farm, database):
    pass


def kill_children(farm, database):
    """Kill a rendering child three times, each time one that is at work."""
    for _ in range(3):
        pid = eventually(lambda: next(iter(running(database)), None), every=0.005)
        with contextlib.suppress(psutil.NoSuchProcess):
            child = psutil.Process(pid)
            child.kill()
            psutil.wait_procs([child], timeout=10)


def kill_worker(farm, database):
    """Kill the whole render worker while it is at work, and start another as a supervisor would."""
    eventually(lambda: len(running(database)) > 0, every=0.005)
    farm.kill("render-worker")
    farm.run_workers()


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("harm", "least_losses"), [(kill_nothing, 0), (kill_children, 1), (kill_worker, 1)])
def test_every_accepted_invoice_ends_as_a_one_page_pdf(farm, database, harm, least_losses):
    count = 200

    with ThreadPoolExecutor(CLIENTS) as clients:
        submitted = clients.map(lambda number: (number, submit(farm, number)), range(count))
        harm(farm, database)
        reports = list(submitted)
        list(clients.map(lambda one: check(farm, *one), reports))

    assert losses(database) >= least_losses
    # One object each: the name that was asked for, or, after a lost attempt, that of the attempt that counted.
    stored = objects(farm)
    assert len(stored) == count
    assert {name.partition("~")[0].removesuffix(".pdf") for name in stored} == {
        f"invoice-{number}" for number in range(count)
    }


@pytest.mark.timeout(180)
def test_a_render_that_kills_its_child_is_given_up_after_three_attempts_and_the_next_one_runs(farm, database):
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    status_url = farm.report({"content": endless, "recipe": "html"}, reports={"async": True}).headers["Location"]

    for attempt in (1, 2, 3):
        eventually(lambda number=attempt: farm.get(status_url).json().get("attempts") == number, seconds=60)
        psutil.Process(eventually(lambda: next(iter(running(database)), None))).kill()

    done = farm.until_done(status_url, seconds=60)
    assert (done.status_code, done.json()["cause"]) == (500, "poisoned")
    assert farm.report({"content": "next", "recipe": "text"}).content == b"next"


@pytest.mark.timeout(180)
def test_a_render_that_ends_while_the_database_is_away_is_written_when_it_is_back(tmp_path, broker):
    slow = "{% for a in range(20000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}done"
    with Postgres() as postgres:
        farm = Farm(
            tmp_path / "on-postgresql",
            PRESSROOM_BROKER_URL=broker.url,
            PRESSROOM_DATABASE_URL=postgres.new_database(),
        )
        try:
            farm.run_all()
            report = farm.report({"content": slow, "recipe": "text"}, reports={"async": True, "blobName": "late"})
            status_url = report.headers["Location"]
            eventually(lambda: farm.get(status_url).json().get("attempts") == 1)

            postgres.kill()
            unavailable = farm.get(status_url)
            assert (unavailable.status_code, "Retry-After" in unavailable.headers) == (503, True)
            eventually((farm.home / "blobs" / "reports" / "late.txt").exists, what="the document")
            postgres.start()

            eventually(lambda: farm.get(status_url).status_code == 201, seconds=60)
            assert farm.get(status_url).json()["attempts"] == 1
            assert [path.name for path in (farm.home / "blobs" / "reports").iterdir()] == ["late.txt"]
        finally:
            farm.stop()


@pytest.mark.timeout(120)
def test_a_render_that_hears_no_time_limit_is_killed_with_its_child_and_not_tried_again(farm):
    # Inside the engine's C++ no Python signal is heard; only the parent's hard limit ends it.
    deaf = {"content": "{% for a in range(60000) %}<div>{% endfor %}", "recipe": "plutoprint-pdf"}

    answer = farm.report(deaf, timeout=1000)

    assert (answer.status_code, answer.json()["cause"]) == (500, "timeout")
    assert "1 s" in answer.json()["message"]
    trace = farm.command("trace", answer.headers["X-Trace-Id"]).stdout
    assert "attempt=1" in trace
    assert "attempt=2" not in trace
    assert farm.report({"content": "next", "recipe": "text"}).content == b"next"


@pytest.mark.timeout(180)
def test_work_that_was_accepted_while_the_broker_was_down_is_done_when_it_is_back(farm, broker):
    broker.kill()
    answers = [farm.report({"content": "late", "recipe": "text"}, reports={"async": True}) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 5
    ready = farm.get("/readyz")
    assert (ready.status_code, ready.json()["parts"]["broker"]["ok"]) == (503, False)
    assert farm.get("/healthz").status_code == 200

    broker.start()

    for answer in answers:
        assert farm.until_done(answer.headers["Location"], seconds=90).status_code == 201


@pytest.mark.timeout(180)
def test_messages_that_the_broker_forgot_are_sent_again(farm, broker):
    farm.kill("render-worker")
    status_urls = [
        farm.report({"content": "forgotten", "recipe": "text"}, reports={"async": True}).headers["Location"]
        for _ in range(5)
    ]
    broker.flush()
    farm.run_workers()

    for status_url in status_urls:
        assert farm.until_done(status_url, seconds=60).status_code == 201


@pytest.mark.timeout(120)
def test_a_synchronous_render_that_nobody_can_start_gets_503_and_is_withdrawn(tmp_path, broker):
    farm = Farm(tmp_path / "no-workers", PRESSROOM_BROKER_URL=broker.url, PRESSROOM_SYNC_WAIT="1")
    try:
        assert farm.command("migrate").returncode == 0
        farm.run_gateway()

        answer = farm.report({"content": "x", "recipe": "html"}, reports={"save": True, "blobName": "mine"})

        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert "async" in answer.json()["message"]
        again = farm.report({"content": "x", "recipe": "html"}, reports={"async": True, "blobName": "mine"})
        assert again.status_code == 200
    finally:
        farm.stop()
