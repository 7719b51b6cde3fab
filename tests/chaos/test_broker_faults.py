"""The broker restarted, emptied, full, silent and replaced: work waits and goes on by itself."""

from __future__ import annotations

import pytest
from accepted import Supervisor
from farms import Farm, eventually
from faults import Wire
from services import Valkey

from shared.renders import State

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def wires(module_broker):
    """The way of the rendering worker to the broker, and that of all others."""
    with Wire(module_broker.ports[0]) as workers_wire, Wire(module_broker.ports[0]) as others_wire:
        yield workers_wire, others_wire


@pytest.fixture(scope="module")
def farm(tmp_path_factory, wires):
    def url(wire):
        return f"redis://127.0.0.1:{wire.port}/0"

    workers_wire, others_wire = wires
    farm = Farm(
        tmp_path_factory.mktemp("farm"), PRESSROOM_BROKER_URL=url(others_wire), PRESSROOM_WORKER_SILENT_AFTER="3"
    )
    try:
        farm.run_all()
        farm.kill("render-worker")
        farm.run_workers(PRESSROOM_BROKER_URL=url(workers_wire))
        with Supervisor(farm):
            yield farm
    finally:
        farm.stop()


def test_work_goes_on_when_the_broker_is_restarted(ledger, module_broker):
    running = ledger.submit(2, work=1)
    ledger.submit(4)
    ledger.until_running(running)

    module_broker.stop()
    # What is accepted meanwhile waits for it.
    ledger.submit()
    module_broker.start()

    ledger.settle()


def test_work_goes_on_when_the_broker_forgets_everything_under_a_worker_that_runs(ledger, module_broker):
    running = ledger.submit(2, work=1)
    ledger.submit(4)
    ledger.until_running(running)

    module_broker.flush()
    ledger.submit()

    ledger.settle()


def test_work_waits_while_the_broker_is_full(ledger, farm, module_broker):
    running = ledger.submit(2, work=1)
    ledger.submit(4)
    ledger.until_running(running)

    with module_broker.client() as client:
        client.config_set("maxmemory", 1)
        try:
            # The next one is taken out of its list, and cannot be noted as taken. Some may wait there from before: what
            # they sent for was done by children that had come already.
            before = client.llen("render")
            eventually(lambda: client.llen("render") < before, what="a message to be taken")
            ledger.submit()
        finally:
            client.config_set("maxmemory", 0)

    ledger.settle()
    assert "message not published" in farm.logged()


def test_a_worker_whose_broker_says_nothing_for_a_while_keeps_its_work_and_goes_on_afterwards(ledger, wires):
    wire, _ = wires
    # Longer than until a worker that does not sign counts as dead, while another child waits for work.
    (running,) = ledger.submit(work=6)
    ledger.until_running([running])

    wire.blackhole()
    ledger.submit(2)
    # It cannot announce its end either.
    ledger.until(State.SUCCEEDED, [running], seconds=60)
    wire.heal()

    ledger.settle()
    assert (ledger.row(running).attempt, ledger.row(running).losses) == (1, [])


def test_a_worker_whose_connections_are_dead_without_a_word_takes_work_again(ledger, wires):
    wire, _ = wires
    wire.forget()

    ledger.submit(4)

    ledger.settle()


def test_work_goes_on_when_an_empty_broker_takes_over(ledger, module_broker, wires):
    running = ledger.submit(2, work=1)
    ledger.submit(4)
    ledger.until_running(running)

    with Valkey() as other:
        for wire in wires:
            wire.fail_over(other.ports[0])
        ledger.submit()
        ledger.settle()
        for wire in wires:
            wire.fail_over(module_broker.ports[0])
    ledger.submit()
    ledger.settle()
