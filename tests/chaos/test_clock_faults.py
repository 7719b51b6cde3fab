"""Clocks that differ, and processes that sleep through the loss of their work: nothing is stolen, lost or doubled."""

from __future__ import annotations

import contextlib
from pathlib import Path

import locks
import psutil
import pytest
from accepted import folder_ledger
from farms import Farm, eventually
from faults import Fault
from sqlalchemy import select

from shared.models import Render, Worker
from shared.renders import State

pytestmark = pytest.mark.timeout(300)
HOUR = 3600
# A worker's start takes long on a loaded machine.
START_SECONDS = 120


def faketime():
    """Return the library that lends a process another clock."""
    found = [
        *Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"),
        *Path("/usr/lib/faketime").glob("libfaketimeMT.so.1"),
    ]
    if not found:
        pytest.skip("libfaketime is not here: install the package faketime, if this machine has one")
    return str(found[0])


@pytest.fixture(scope="module")
def farm(tmp_path_factory, module_broker, postgres):
    """A farm on PostgreSQL, whose clock is the only one that counts."""
    farm = Farm(
        tmp_path_factory.mktemp("farm"),
        PRESSROOM_BROKER_URL=module_broker.url,
        PRESSROOM_DATABASE_URL=postgres.new_database(),
        PRESSROOM_WORKER_DEAD_AFTER="3",
    )
    try:
        farm.run_all()
        yield farm
    finally:
        farm.stop()


@pytest.fixture
def run_another():
    """Starts a second rendering worker, which goes at the end, and waits until it has signed."""
    farms = []

    def run(ledger, **environment):
        def signed():
            with ledger.database.reading() as session:
                return set(session.scalars(select(Worker.id).where(Worker.name.startswith("other@"))))

        before = signed()
        farms.append(ledger.farm)
        ledger.farm.run_workers(name="other", **environment)
        return eventually(lambda: signed() - before or None, seconds=START_SECONDS, what="another worker").pop()

    yield run
    for farm in farms:
        if "other-worker" in farm.processes:
            farm.kill("other-worker")


@pytest.mark.parametrize("skew", [HOUR, -HOUR])
def test_a_machine_whose_clock_is_an_hour_off_neither_steals_nor_loses_work(ledger, run_another, skew):
    farm = ledger.farm
    # DONT_FAKE_MONOTONIC: the time since a machine's start is right on it.
    wrong = {"LD_PRELOAD": faketime(), "FAKETIME": f"{skew:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    # What judges the workers is on that machine, too.
    farm.kill("small-worker")
    queues = ("--queues", "thumbnail,print,webhook,maintenance", "--threads", "4", "--name", "small")
    farm.run("small-worker", "worker", *queues, **wrong)
    skewed = run_another(ledger, **wrong)

    # Longer than until a silent worker counts as dead, and as many as there are children.
    ones = ledger.submit(4, work=3)
    ledger.until_begun(ones)
    workers = {ledger.row(one).worker_id for one in ones}
    ledger.settle()

    assert len(workers) == 2
    assert skewed in workers
    assert [(ledger.row(one).attempt, ledger.row(one).losses) for one in ones] == [(1, [])] * 4


@contextlib.contextmanager
def asleep(farm, name="render-worker"):
    """Stop a worker as a suspended machine does; it wakes up at the end."""
    parent = psutil.Process(farm.processes[name].pid)
    processes = [parent, *parent.children(recursive=True)]
    for one in processes:
        one.suspend()
    try:
        yield
    finally:
        for one in reversed(processes):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.resume()


def given_up(farm, render):
    """Say whether the log has the line of an attempt that found its render given away."""
    lines = [line for line in farm.logged().splitlines() if render.id in line and '"outcome"' in line]
    return any("superseded" in line and '"attempt": 1' in line for line in lines)


def outlived(ledger, lost):
    """Let the second worker do what the sleeping one held."""
    ledger.until(State.SUCCEEDED, [lost], seconds=90)
    assert ledger.row(lost).attempt == 2


def woken(ledger, lost):
    """Look for what the sleeper did when it woke up: nothing that stays."""
    eventually(lambda: given_up(ledger.farm, ledger.row(lost)), what="the woken attempt's line")
    ledger.settle()
    assert ledger.row(lost).attempt == 2


def test_a_worker_that_slept_in_the_middle_of_its_upload_leaves_no_object(s3_ledger, front, run_another):
    ledger = s3_ledger
    trouble = front.begin(Fault.HELD_BEFORE, methods={"PUT"}, containing="/reports/", times=1)
    (lost,) = ledger.submit()
    front.until_struck(trouble)

    with asleep(ledger.farm):
        run_another(ledger)
        outlived(ledger, lost)
        front.heal()

    woken(ledger, lost)


@pytest.mark.parametrize("moment", ["layout", "commit"])
def test_a_worker_that_slept_through_the_loss_of_its_work_cannot_write_on_postgresql(ledger, run_another, moment):
    (lost,) = ledger.submit(work=2)
    ledger.until_running([lost])
    with contextlib.ExitStack() as stack:
        if moment == "commit":
            held = stack.enter_context(ledger.database.writing())
            held.execute(select(Render.id).where(Render.id == lost.id).with_for_update())
            locks.until_held_up(ledger.database)
            assert list(ledger.storage.keys(f"reports/{lost.blob_name}.")) == [f"reports/{lost.blob_name}.txt"]
        stack.enter_context(asleep(ledger.farm))
        if moment == "commit":
            # From here on the sleeper's own transaction holds the render.
            held.rollback()
        run_another(ledger)
        outlived(ledger, lost)

    woken(ledger, lost)


def test_a_worker_that_slept_through_the_loss_of_its_work_cannot_write_on_sqlite(tmp_path, module_broker, run_another):
    farm = Farm(tmp_path / "farm", PRESSROOM_BROKER_URL=module_broker.url.replace("/0", "/1"))
    ledger = folder_ledger(farm)
    try:
        farm.run_all()
        (lost,) = ledger.submit(work=2)
        ledger.until_running([lost])
        with contextlib.ExitStack() as stack:
            with ledger.database.writing():
                # It has stored its document, and waits for its turn to write.
                document = f"reports/{lost.blob_name}.txt"
                eventually(lambda: document in ledger.storage.keys("reports/"), what="its object")
                stack.enter_context(asleep(farm))
            run_another(ledger)
            outlived(ledger, lost)
        woken(ledger, lost)
    finally:
        farm.stop()
        ledger.database.close()
