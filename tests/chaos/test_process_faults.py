"""Each process killed, stopped or doubled at its worst moment: every accepted render ends once, with one object."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
import requests
from farms import eventually
from faults import HOOKS, Fault

from shared.renders import State

pytestmark = pytest.mark.timeout(240)
GRACE = 3


def hooked(tmp_path, fault):
    """Return the environment of a process that a fault is in."""
    paths = [str(HOOKS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths), "FAULT": fault, "FAULT_ONCE": str(tmp_path / "happened")}


@pytest.fixture
def ledger(s3_ledger):
    """What a test submits; a worker that it leaves dead or with a fault in it is replaced."""
    yield s3_ledger
    farm = s3_ledger.farm
    worker = farm.processes["render-worker"]
    if worker.poll() is not None or "FAULT" in psutil.Process(worker.pid).environ():
        farm.kill("render-worker")
        farm.run_workers()


def test_a_message_that_dies_with_its_worker_before_it_is_noted_is_sent_again(ledger, tmp_path):
    farm = ledger.farm
    farm.kill("render-worker")
    worker = farm.run_workers(**hooked(tmp_path, "die_with_a_message"))

    (lost,) = ledger.submit()

    assert worker.wait(30) == -signal.SIGKILL
    assert ledger.row(lost).state == State.QUEUED
    farm.run_workers()
    ledger.settle()
    assert ledger.row(lost).attempt == 1


@pytest.mark.parametrize("victim", ["child", "worker"])
def test_what_is_killed_while_it_renders_is_done_by_another(ledger, victim):
    (lost,) = ledger.submit(work=1)
    ledger.until_running([lost])

    if victim == "child":
        psutil.Process(ledger.row(lost).child_pid).kill()
    else:
        ledger.farm.kill("render-worker")
        ledger.farm.run_workers()

    ledger.settle()
    assert (ledger.row(lost).attempt, len(ledger.row(lost).losses)) == (2, 1)


@pytest.mark.parametrize(("moment", "stored"), [(Fault.HELD_BEFORE, 0), (Fault.HELD_AFTER, 1)])
@pytest.mark.parametrize("victim", ["child", "worker"])
def test_what_is_killed_during_its_upload_or_before_its_commit_leaves_one_object(ledger, front, victim, moment, stored):
    trouble = front.begin(moment, methods={"PUT"}, times=1)
    (lost,) = ledger.submit()
    front.until_struck(trouble)
    if stored:
        eventually(lambda: [key for key in ledger.storage.keys("reports/") if lost.blob_name in key], what="its object")

    if victim == "child":
        psutil.Process(ledger.row(lost).child_pid).kill()
    else:
        ledger.farm.kill("render-worker")
        ledger.farm.run_workers()
    ledger.until(State.SUCCEEDED, [lost])
    # What was on its way arrives after all.
    front.heal()

    ledger.settle()
    assert ledger.row(lost).attempt == 2


def test_a_worker_that_is_told_to_stop_gives_back_at_once_what_it_cannot_finish(ledger):
    farm = ledger.farm
    farm.kill("render-worker")
    worker = farm.run_workers(PRESSROOM_SHUTDOWN_GRACE=str(GRACE))
    (long,) = ledger.submit(work=12)
    (short,) = ledger.submit(work=1)
    waiting = ledger.submit(2)
    ledger.until_begun([long, short])

    worker.send_signal(signal.SIGTERM)

    # Nobody else is there: what is queued was given back by the worker itself.
    assert worker.wait(GRACE + 10) == 0
    given_back = ledger.row(long)
    assert (given_back.state, given_back.worker_id) == (State.QUEUED, None)
    assert ledger.row(short).state == State.SUCCEEDED
    assert [ledger.row(one).attempt for one in waiting] == [0, 0]
    farm.run_workers()
    ledger.settle()
    # None of these is held against it.
    assert {loss["cause"] for loss in ledger.row(long).losses} == {"shutdown"}


def restart_gateway(farm, **environment):
    # Its processes let go of the port before the next ones take it.
    farm.processes["gateway"].terminate()
    farm.processes["gateway"].wait(30)
    farm.run_gateway(**environment)


def test_a_gateway_that_dies_between_commit_and_publish_has_accepted(ledger, tmp_path):
    farm = ledger.farm
    restart_gateway(farm, **hooked(tmp_path, "die_unannounced"))

    with pytest.raises(requests.ConnectionError):
        farm.report({"content": "unheard", "recipe": "text"}, reports={"async": True, "blobName": "unheard"})

    assert (tmp_path / "happened").exists()
    ledger.accepted.append(ledger.find("unheard", "unheard"))
    eventually(lambda: farm.get("/healthz").status_code == 200, what="a gateway that answers again")
    again = farm.report({"content": "x", "recipe": "text"}, reports={"async": True, "blobName": "unheard"})
    assert again.status_code == 409, "the name is the first one's"
    ledger.settle()
    restart_gateway(farm)


def test_a_render_longer_than_the_visibility_timeout_is_rendered_once(ledger, tmp_path):
    farm = ledger.farm
    farm.kill("render-worker")
    farm.run_workers(**hooked(tmp_path, "give_back_at_once"))

    long = ledger.submit(2, work=4)

    ledger.settle()
    assert [ledger.row(one).attempt for one in long] == [1, 1]
