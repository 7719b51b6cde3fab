"""The farm's printing, with a real print server and what it prints on."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from farms import eventually, free_port
from printing import PDF, KilledError, PrintShop, die_at, hanging_printer, without_create_job
from sqlalchemy import select

from shared import ipp, print_turns
from shared.database import now
from shared.models import PrintTask
from shared.settings import load_settings
from workers import printing


@pytest.fixture
def settings(tmp_path):
    return load_settings({"PRESSROOM_HOME": str(tmp_path), "PRESSROOM_PRINT_INTERVAL": "0.1"})


@pytest.fixture
def shop(database, filesystem_storage, settings, print_queue):
    return PrintShop(database, filesystem_storage, settings, print_queue.uri)


@pytest.fixture
def away(database, filesystem_storage, settings):
    """A shop whose printer is switched off."""
    return PrintShop(database, filesystem_storage, settings, f"ipp://127.0.0.1:{free_port()}/printers/off")


def test_a_document_is_printed_once_and_as_it_is(shop, print_queue):
    task_id = shop.task()
    assert shop.step(task_id).status == "sent"
    assert shop.row(task_id).sent_at is not None
    task = shop.until(task_id)
    assert (task.status, task.job_state, task.error) == ("completed", "completed", None)
    assert task.finished_at is not None
    assert print_queue.device.documents == [PDF]
    assert print_queue.jobs() == [task.job_id]


def test_it_is_complete_only_when_the_printer_says_so(shop, print_queue):
    print_queue.device.hang()
    task_id = shop.task()
    task = shop.until(task_id, "printing")
    assert task.job_state == "processing"
    assert [shop.step(task_id).status for _ in range(5)] == ["printing"] * 5
    print_queue.device.go_on()
    assert shop.until(task_id).status == "completed"


@pytest.mark.parametrize(
    ("operation", "after"),
    [("validate", True), ("create", False), ("create", True), ("send", False), ("send", True), ("job", False)],
)
def test_a_worker_that_dies_anywhere_prints_once(shop, print_queue, monkeypatch, operation, after):
    task_id = shop.task()
    die_at(monkeypatch, operation, after=after)
    with pytest.raises(KilledError):  # noqa: PT012  # Some die in their first step, some in their second.
        shop.step(task_id)
        shop.step(task_id)
    assert shop.until(task_id).status == "completed"
    assert print_queue.device.documents == [PDF]
    assert len(print_queue.jobs()) == 1


@pytest.mark.parametrize(("operation", "after"), [("print", False), ("print", True)])
def test_a_worker_that_dies_at_a_simple_printer_prints_at_most_once(shop, print_queue, monkeypatch, operation, after):
    without_create_job(monkeypatch)
    task_id = shop.task()
    die_at(monkeypatch, operation, after=after)
    with pytest.raises(KilledError):
        shop.step(task_id)
    task = shop.until(task_id)
    if after:
        assert task.status == "completed"
        assert print_queue.device.documents == [PDF]
    else:
        # Nobody can tell that it died before, not after, and that the printer did not forget.
        assert task.status == "unknown"
        assert "knows of no such job" in task.error
        assert print_queue.jobs() == []


def test_the_death_of_a_worker_gives_its_step_and_its_printer_to_others_after_a_while(shop, monkeypatch):
    task_id = shop.task()
    die_at(monkeypatch, "create", after=True)
    with pytest.raises(KilledError):
        shop.step(task_id)
    shop.operator.step(task_id)
    assert shop.row(task_id).attempt == 1
    monkeypatch.setattr(print_turns, "now", lambda seconds=0: now(seconds + printing.LEASE_SECONDS + 1))
    shop.operator.step(task_id)
    assert shop.row(task_id).status == "sent"


def test_a_worker_that_was_paused_while_another_went_on_does_nothing(shop, print_queue, monkeypatch):
    task_id = shop.task()
    original = ipp.Printer.create

    def pause(self, ticket):
        job_id = original(self, ticket)
        monkeypatch.setattr(ipp.Printer, "create", original)
        shop.until(task_id)
        return job_id

    monkeypatch.setattr(ipp.Printer, "create", pause)
    shop.step(task_id)
    assert shop.row(task_id).status == "completed"
    assert print_queue.device.documents == [PDF]


def test_workers_that_take_one_task_at_once_print_it_once(shop, print_queue):
    task_id = shop.task()
    at_once = threading.Barrier(4)

    def take():
        at_once.wait()
        shop.new_operator().step(task_id)

    workers = [threading.Thread(target=take) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert shop.row(task_id).attempt == 1
    assert shop.until(task_id).status == "completed"
    assert print_queue.device.documents == [PDF]


def test_a_document_on_its_way_keeps_its_step(shop, print_queue, monkeypatch):
    monkeypatch.setattr(printing, "RENEWED_AFTER", 0)
    task_id = shop.task(content=PDF * 10)
    leases = []
    original = print_turns.keep

    def keep(session, task, **options):
        kept = original(session, task, **options)
        leases.append(kept)
        return kept

    monkeypatch.setattr(print_turns, "keep", keep)
    assert shop.step(task_id).status == "sent"
    assert len(leases) > 10
    assert all(leases)


def test_a_document_on_its_way_stops_when_the_step_is_lost(shop, print_queue, monkeypatch):
    monkeypatch.setattr(printing, "RENEWED_AFTER", 0)
    task_id = shop.task(content=PDF * 10)
    monkeypatch.setattr(print_turns, "keep", lambda *_, **__: False)
    assert shop.step(task_id).status == "pending"
    monkeypatch.undo()
    assert shop.until(task_id).status == "completed"
    assert print_queue.device.documents == [PDF * 10]


def test_a_task_is_cancelled_at_the_printer(shop, print_queue):
    print_queue.stop()
    task_id = shop.task()
    shop.step(task_id)
    shop.cancel(task_id)
    task = shop.until(task_id)
    assert (task.status, task.job_state) == ("cancelled", "canceled")
    print_queue.resume()
    assert shop.until(shop.task(content=b"%PDF-1.4 next")).status == "completed"
    assert print_queue.device.documents == [b"%PDF-1.4 next"]


def test_a_cancellation_that_comes_too_late_changes_nothing(shop, print_queue):
    task_id = shop.task()
    task = shop.step(task_id)
    device = ipp.Printer(print_queue.uri, verify_tls=True)
    eventually(lambda: device.job(task.job_id).state == ipp.JobState.COMPLETED)
    shop.cancel(task_id)
    assert shop.until(task_id).status == "completed"


def test_a_task_that_was_cancelled_before_its_first_step_ends_without_the_printer(away):
    task_id = away.task()
    away.set(task_id, cancel_requested=True)
    assert away.step(task_id).status == "cancelled"
    assert away.printer_row().failures == 0


def test_a_step_in_which_a_cancellation_came_is_followed_soon(shop, monkeypatch):
    task_id = shop.task()
    monkeypatch.setattr(printing, "PAUSE_GROWTH", 1000)
    original = ipp.Printer.create

    def create(self, ticket):
        shop.cancel(task_id)
        return original(self, ticket)

    monkeypatch.setattr(ipp.Printer, "create", create)
    shop.step(task_id)
    with shop.database.reading() as session:
        soon = PrintTask.due_at <= now(print_turns.CANCEL_SECONDS)
        assert session.scalars(select(PrintTask.id).where(soon, PrintTask.cancel_requested)).all() == [task_id]


def test_a_job_that_the_printer_forgot_is_unknown(shop, print_queue):
    print_queue.stop()
    task_id = shop.task()
    shop.step(task_id)
    print_queue.forget()
    task = shop.until(task_id)
    assert task.status == "unknown"
    assert "knows nothing of job" in task.error


def test_a_job_number_that_is_another_job_by_now_is_unknown(shop, print_queue):
    print_queue.stop()
    first, second = shop.task(), shop.task()
    shop.step(first)
    task = shop.step(second)
    shop.set(first, job_id=task.job_id)
    assert shop.until(first).status == "unknown"


def test_tasks_of_a_printer_that_is_left_alone_wait_without_the_network(away, monkeypatch):
    first, second = away.task(), away.task()
    away.step(first)
    monkeypatch.setattr(ipp.Printer, "attributes", None)
    away.operator.step(second)
    task = away.row(second)
    assert (task.status, task.attempt, task.failures) == ("pending", 0, 1)
    assert task.error == "Printer 'Dock' cannot be reached: Connection refused"
    assert abs(task.due_at - away.printer_row().retry_at) < dt.timedelta(seconds=0.1)


def test_tasks_of_a_printer_that_is_left_alone_fail_in_the_end(away):
    first, second = away.task(), away.task()
    away.step(first)
    away.operator.step(second)
    away.set(second, give_up_at=now(-10), due_at=now(-1))
    away.operator.step(second)
    assert away.row(second).status == "failed"


def test_a_document_that_is_out_is_not_given_up_with_its_printer(shop, print_queue):
    print_queue.stop()
    task_id = shop.task()
    shop.step(task_id)
    uri = shop.printer_row().uri
    shop.set_printer(uri=f"ipp://127.0.0.1:{free_port()}/")
    shop.set(task_id, give_up_at=now(-10), failures=3)
    task = shop.step(task_id)
    assert (task.status, task.failures) == ("sent", 4)
    shop.set(task_id, give_up_at=now(-10 - printing.OUT_PATIENCE.total_seconds()))
    forgotten = shop.task()
    task = shop.step(task_id)
    assert task.status == "unknown"
    assert task.error.endswith("Connection refused: whether it was printed, nobody knows")
    shop.set_printer(uri=uri)
    print_queue.resume()
    assert shop.until(forgotten).status == "completed"


def test_of_many_documents_that_are_out_none_waits_for_all_the_others_before_it_is_given_up(shop, print_queue):
    print_queue.stop()
    first, second = shop.task(), shop.task()
    shop.step(first)
    shop.step(second)
    shop.set_printer(uri=f"ipp://127.0.0.1:{free_port()}/")
    shop.step(first)
    # The printer is left alone, on the first one's account.
    shop.set(second, due_at=now(-1))
    shop.operator.step(second)
    assert (shop.row(second).status, shop.row(second).failures) == ("sent", 1)
    shop.set(second, due_at=now(-1), give_up_at=now(-10 - printing.OUT_PATIENCE.total_seconds()))
    shop.operator.step(second)
    assert shop.row(second).status == "unknown"


def test_a_document_that_is_out_and_cancelled_is_not_waited_for_as_long(shop, print_queue):
    print_queue.stop()
    task_id = shop.task()
    shop.step(task_id)
    shop.cancel(task_id)
    shop.set_printer(uri=f"ipp://127.0.0.1:{free_port()}/")
    shop.set(task_id, give_up_at=now(-10), failures=3)
    assert shop.step(task_id).status == "unknown"


def test_of_printers_that_do_not_answer_one_is_tried_at_a_time(database, filesystem_storage, settings, print_queue):
    shop = PrintShop(database, filesystem_storage, settings, print_queue.uri)
    with hanging_printer() as (uri, is_asked):
        dumb = [PrintShop(database, filesystem_storage, settings, uri, name=name) for name in ("East", "West")]
        operator = dumb[0].operator
        tasks = [one.task() for one in dumb]
        dumb[0].set_printer(failures=1)
        dumb[1].set_printer(error="timed out")
        stuck = threading.Thread(target=operator.step, args=(tasks[0],))
        stuck.start()
        eventually(is_asked, what="a worker that waits for the printer")
        operator.step(tasks[1])
        assert dumb[1].row(tasks[1]).attempt == 0
        assert dumb[1].printer_row().busy_until is None
        # One that answered last time is not held up.
        task_id = shop.task()
        operator.step(task_id)
        assert shop.row(task_id).status == "sent"
        assert stuck.is_alive()
    stuck.join(30)
    with hanging_printer() as (uri, is_asked):
        dumb[1].set_printer(uri=uri)
        stuck = threading.Thread(target=operator.step, args=(tasks[1],))
        stuck.start()
        eventually(is_asked, what="the other one's turn")
    stuck.join(30)
    assert dumb[1].row(tasks[1]).attempt == 1


def test_a_step_that_was_lost_leaves_the_printer_to_the_other(shop, print_queue, monkeypatch):
    task_id = shop.task()
    original = ipp.Printer.send

    def pause(self, *arguments):
        original(self, *arguments)
        # Another worker is at it by now.
        shop.set(task_id, attempt=9, lease_until=now(60))

    monkeypatch.setattr(ipp.Printer, "send", pause)
    shop.step(task_id)
    assert shop.row(task_id).status == "pending"
    assert shop.printer_row().busy_until is not None


def test_a_printer_that_takes_its_time_keeps_its_step(shop, monkeypatch):
    monkeypatch.setattr(printing, "RENEWED_AFTER", 0)
    kept, asked = [], []
    keep = print_turns.keep

    def renew(*arguments, **options):
        kept.append(len(asked))
        return keep(*arguments, **options)

    monkeypatch.setattr(print_turns, "keep", renew)
    for operation in ("validate", "create"):
        original = getattr(ipp.Printer, operation)

        def ask(self, *arguments, original=original):
            asked.append(original)
            return original(self, *arguments)

        monkeypatch.setattr(ipp.Printer, operation, ask)
    assert shop.step(shop.task()).status == "sent"
    # Before the printer is asked about itself, and before each of these two.
    assert {0, 1, 2} <= set(kept)


def test_the_end_of_a_step_rings_for_the_next_task_of_the_printer(shop):
    first, second = shop.task(), shop.task()
    shop.step(first)
    assert shop.rung == [second]


def test_many_tasks_are_printed_in_the_order_in_which_they_came(shop, print_queue):
    contents = [b"%%PDF-1.4 %d" % number for number in range(5)]
    tasks = [shop.task(content=content) for content in contents]
    shop.operator.step(tasks[0])
    while shop.rung:
        shop.operator.step(shop.rung.pop())
    assert print_queue.device.until_printed(5) == contents
