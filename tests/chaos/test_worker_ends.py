"""How a worker ends: told to, it gives back what it cannot finish; fallen silent, it ends by itself."""

from __future__ import annotations

import orders
import pytest
from farms import Farm, eventually

from shared import queues, renders
from shared.database import Database
from shared.renders import State
from shared.settings import load_settings

ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
BRIEF = "{% for a in range(60) %}{% for b in range(99999) %}{% endfor %}{% endfor %}done"


class Workers:
    """A farm without a gateway; renders are submitted as the gateway does it."""

    def __init__(self, home, broker, **environment):
        # Nobody but the worker itself may be the reason why work goes on.
        patient = {"PRESSROOM_WORKER_DEAD_AFTER": "120", "PRESSROOM_REPUBLISH_AFTER": "120"}
        self.farm = Farm(home, PRESSROOM_BROKER_URL=broker.url, **(patient | environment))
        settings = {name: value for name, value in self.farm.environment.items() if name.startswith("PRESSROOM_")}
        self.settings = load_settings(settings)
        assert self.farm.command("migrate").returncode == 0
        self.database = Database(self.settings.database)
        self.celery = queues.create_celery(self.settings)

    def submit(self, content, *, timeout=60.0):
        render_id = orders.submitted(self.database, content=content, timeout=timeout)
        queues.publish(self.celery, renders.wake_of(self.row(render_id)))
        return render_id

    def row(self, render_id):
        return orders.row(self.database, render_id)

    def until(self, render_id, state, *, attempt=1):
        def look():
            row = self.row(render_id)
            return row if (row.state, row.attempt) == (state, attempt) else None

        return eventually(look, seconds=60, what=f"attempt {attempt} to be {state}")

    def close(self):
        self.farm.stop()
        self.database.close()
        self.celery.close()


@pytest.fixture
def workers(tmp_path, broker, request):
    workers = Workers(tmp_path / "farm", broker, **getattr(request, "param", {}))
    yield workers
    workers.close()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("workers", [{"PRESSROOM_SHUTDOWN_GRACE": "1"}], indirect=True)
def test_a_worker_that_is_told_to_stop_gives_back_at_once_what_it_cannot_finish(workers):
    stopped = workers.farm.run_workers(name="first")
    render_id = workers.submit(ENDLESS)
    workers.until(render_id, State.RUNNING)
    workers.farm.run_workers(name="second")
    eventually(lambda: "second@" in workers.farm.logged(), what="the second worker")

    stopped.terminate()

    row = workers.until(render_id, State.RUNNING, attempt=2)
    assert [one["cause"] for one in row.losses] == ["shutdown"]
    assert stopped.wait(timeout=30) == 0


@pytest.mark.timeout(180)
@pytest.mark.parametrize("workers", [{"PRESSROOM_SHUTDOWN_GRACE": "60"}], indirect=True)
def test_a_worker_that_is_told_to_stop_finishes_what_it_can_and_takes_nothing_new(workers):
    stopped = workers.farm.run_workers(children=1)
    begun = workers.submit(BRIEF)
    workers.until(begun, State.RUNNING)
    stopped.terminate()
    eventually(lambda: "worker stops" in workers.farm.logged(), what="the worker to hear it")
    left = workers.submit("hello")

    assert stopped.wait(timeout=60) == 0

    assert (workers.row(begun).state, workers.row(begun).losses) == (State.SUCCEEDED, [])
    assert workers.row(left).attempt == 0
    workers.farm.run_workers()
    workers.until(left, State.SUCCEEDED)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "workers",
    [{"PRESSROOM_WORKER_SILENT_AFTER": "3", "PRESSROOM_SHUTDOWN_GRACE": "1", "PRESSROOM_STANDBY": "0"}],
    indirect=True,
)
def test_a_worker_that_takes_nothing_although_messages_wait_ends_and_its_successor_goes_on(workers):
    silent = workers.farm.run_workers()
    workers.until(workers.submit("hello"), State.SUCCEEDED)
    # From now on it is connected, alive, free, and consumes nothing: as after a reconnect that went wrong.
    workers.celery.control.cancel_consumer("render", reply=True, timeout=5)
    waiting = workers.submit("hello")

    assert silent.wait(timeout=60) == 0

    assert "worker fell silent" in workers.farm.logged()
    workers.farm.run_workers()
    workers.until(waiting, State.SUCCEEDED)
