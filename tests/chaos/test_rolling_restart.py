"""Every process of a farm is replaced, one after the other, while clients work: no request fails, nothing is lost."""

from __future__ import annotations

import contextlib
import signal
import threading

import pytest
import requests
from farms import Farm, eventually, free_port
from services import Valkey
from sqlalchemy import select
from urllib3.exceptions import NewConnectionError

from shared.database import Database
from shared.models import Render, Worker
from shared.renders import State

CLIENTS = 3
# Longer than any test: only who gives work back at once can be the reason that it goes on.
NEVER = "120"
ROUNDS = 2
# Some seconds of template.
LONG = {
    "content": "{% for a in range(40000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}done",
    "recipe": "text",
}
HELLO = {"content": "{% for n in range(20) %}hello {{ number }} {% endfor %}", "recipe": "plutoprint-pdf"}


@pytest.fixture
def farm(request, tmp_path, postgres):
    """Two render workers, each of one child, and all that a farm has besides."""
    with Valkey() as broker:
        farm = Farm(
            tmp_path / "farm",
            PRESSROOM_BROKER_URL=broker.url,
            PRESSROOM_DATABASE_URL=postgres.new_database(),
            PRESSROOM_WORKER_DEAD_AFTER=NEVER,
            PRESSROOM_REPUBLISH_AFTER=NEVER,
            **getattr(request, "param", {}),
        )
        try:
            assert farm.command("migrate").returncode == 0
            for name in ("first", "second"):
                farm.run_workers(children=1, name=name)
            farm.run_caretakers()
            farm.run_gateway()
            farm.until_ready()
            yield farm
        finally:
            farm.stop()


@pytest.fixture
def database(farm):
    database = Database(farm.environment["PRESSROOM_DATABASE_URL"])
    yield database
    database.close()


class Client(threading.Thread):
    """Orders reports, each on one connection for all of its requests and without trying anything twice."""

    def __init__(self, number, *bases):
        super().__init__()
        self.number = number
        self.bases = bases
        self.failures = []
        self.done = 0
        self.enough = threading.Event()
        self.session = requests.Session()

    def run(self):
        with self.session:
            # As people do, and so that what is starting gets its turn on a small machine.
            while not self.enough.wait(0.1) and not self.failures:
                name = f"{self.number}-{self.done}"
                try:
                    self.order(name, run_async=self.done % 2 == 0)
                except (requests.RequestException, AssertionError) as error:
                    self.failures.append(f"{name}: {error!r}")
                self.done += 1

    def order(self, name, *, run_async):
        wish = {"async": True} if run_async else {"save": True}
        options = {"reports": wish | {"blobName": name}}
        answer = self.ask("POST", "/api/report", json={"template": HELLO, "data": {"number": name}, "options": options})
        assert answer.status_code == 200, answer.text
        if run_async:
            status = "/reports/" + answer.headers["Location"].partition("/reports/")[2]
            answer = eventually(lambda: self.ended(status), seconds=60, every=0.2, what=f"the end of {status}")
            content = "/reports/" + answer.headers["Location"].partition("/reports/")[2]
            answer = self.ask("GET", content)
            assert answer.status_code == 200, answer.text
        assert answer.content.startswith(b"%PDF-"), answer.content[:100]

    def ended(self, status):
        answer = self.ask("GET", status)
        assert answer.status_code in {200, 201}, answer.text
        return answer if answer.status_code == 201 else None

    def ask(self, method, path, **options):
        """Ask the first gateway that takes the connection, as a load balancer does."""
        for base in self.bases:
            try:
                return self.session.request(method, base + path, timeout=90, **options)
            except requests.ConnectionError as error:
                was_refused = isinstance(getattr(error.args[0], "reason", None), NewConnectionError)
                if not was_refused or base == self.bases[-1]:
                    raise
        return None


@contextlib.contextmanager
def clients(*bases):
    """Let clients work; none of their requests may fail."""
    working = [Client(number, *bases) for number in range(CLIENTS)]

    def failures():
        return [failure for client in working for failure in client.failures]

    def go_on():
        """Return when each client has begun and ended another report."""
        before = [client.done for client in working]
        moved = [
            lambda client=client, done=done: client.done >= done + 2
            for client, done in zip(working, before, strict=True)
        ]
        eventually(lambda: bool(failures()) or all(one() for one in moved), seconds=180, what="more reports")
        assert failures() == []

    for client in working:
        client.start()
    try:
        go_on()
        yield go_on
    finally:
        for client in working:
            client.enough.set()
        for client in working:
            client.join()
    assert failures() == []


def stop(farm, name):
    """Stop a process as its supervisor does."""
    process = farm.processes.pop(name)
    process.send_signal(signal.SIGTERM)
    assert process.wait(40) == 0, name


def start(farm, database, name):
    """Start a process that was stopped, and return when it takes work."""
    arguments, environment = farm.started[name]
    process = farm.run(name, *arguments, **environment)
    if name.endswith("-worker"):
        eventually(lambda: process.pid in workers(database), seconds=120, what=f"a sign of {name}")


def workers(database):
    with database.reading() as session:
        return session.scalars(select(Worker.pid)).all()


def renders(database):
    with database.reading() as session:
        return session.scalars(select(Render).order_by(Render.submitted_at)).all()


def answers(base):
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(f"{base}/healthz", timeout=60).status_code == 200
    return False


def check_that_nothing_was_lost(farm, database):
    found = renders(database)
    assert {(render.state, render.attempt) for render in found} == {(State.SUCCEEDED, 1)}
    assert [render.losses for render in found if render.losses] == []
    assert len(list((farm.home / "blobs" / "reports").rglob("*.pdf"))) == len(found)


@pytest.mark.timeout(600)
def test_every_process_is_replaced_under_load(farm, database):
    with clients(farm.base) as go_on:
        for _ in range(ROUNDS):
            (before,) = farm.children("gateway")
            farm.processes["gateway"].send_signal(signal.SIGHUP)
            eventually(lambda: not before.is_running(), seconds=120, what="the end of the old process")  # noqa: B023
            go_on()
            for name in ("first-worker", "second-worker", "small-worker", "beat"):
                stop(farm, name)
                go_on()
                start(farm, database, name)
        go_on()

    check_that_nothing_was_lost(farm, database)


@pytest.mark.timeout(600)
def test_two_gateways_are_replaced_in_turn(farm, database):
    port = free_port()
    bases = {"gateway": farm.base, "other-gateway": f"http://127.0.0.1:{port}"}
    farm.run("other-gateway", "gateway", PRESSROOM_PORT=str(port))
    eventually(lambda: answers(bases["other-gateway"]), seconds=60, what="the other gateway")

    with clients(*bases.values()) as go_on:
        for _ in range(ROUNDS):
            for name, base in bases.items():
                stop(farm, name)
                go_on()
                start(farm, database, name)
                eventually(lambda: answers(base), seconds=60, what=name)  # noqa: B023
                go_on()

    check_that_nothing_was_lost(farm, database)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("farm", [{"PRESSROOM_SHUTDOWN_GRACE": "0.2"}], indirect=True)
def test_what_is_not_done_within_the_grace_goes_to_another_worker_at_once(farm, database):
    # One for each worker, and some that wait behind them.
    orders = [LONG, LONG, *[{"content": "short", "recipe": "text"}] * 4]
    urls = [farm.report(order, reports={"async": True}).headers["Location"] for order in orders]
    begun = eventually(lambda: both_running(database), what="the start of the long ones")[0]
    with database.reading() as session:
        pid = session.get_one(Worker, begun.worker_id).pid

    stop(farm, next(name for name, process in farm.processes.items() if process.pid == pid))

    # Long before anybody would take the worker for dead or a message for lost.
    ended = [farm.until_done(url, seconds=90) for url in urls]
    assert [answer.status_code for answer in ended] == [201] * len(orders)
    assert [farm.get(answer.headers["Location"]).text for answer in ended] == ["done"] * 2 + ["short"] * 4
    found = renders(database)
    (again,) = (render for render in found if render.attempt != 1)
    assert (again.id, again.attempt, again.worker_id == begun.worker_id) == (begun.id, 2, False)
    # It is told, and not counted as an attempt that a death ended.
    assert [(one["attempt"], one["cause"]) for one in again.losses] == [(1, "shutdown")]
    assert [render.losses for render in found if render.losses and render.id != begun.id] == []


def both_running(database):
    running = [render for render in renders(database) if render.state == State.RUNNING]
    return running if len(running) == 2 else None
