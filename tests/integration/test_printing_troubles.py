"""What can be wrong with printers, print servers and documents. The database does not matter here, so it is one."""

from __future__ import annotations

import threading

import pytest
import records
from behind import put_behind_its_back
from cups import Device
from farms import eventually, free_port
from printing import PDF, KilledError, PrintShop, die_at, without_create_job
from sqlalchemy import select

from shared import ipp
from shared.database import now
from shared.ipp.encoding import Tag, encode
from shared.ipp.transport import Connector
from shared.settings import load_settings
from shared.storage import StorageError
from workers import printing


@pytest.fixture
def database_url(tmp_path):
    return f"sqlite:///{tmp_path / 'pressroom.db'}"


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


def test_a_job_bears_the_name_of_its_task(shop, print_queue):
    task_id = shop.task()
    task = shop.step(task_id)
    job = ipp.Printer(print_queue.uri, verify_tls=True).job(task.job_id)
    assert job.name == task_id


def test_a_step_reads_capabilities_and_state_of_the_printer(shop):
    shop.step(shop.task())
    printer = shop.printer_row()
    assert "application/pdf" in printer.capabilities["formats"]
    assert printer.state in {"idle", "processing"}
    assert printer.read_at is not None
    assert (printer.busy_until, printer.error) == (None, None)


def test_a_simple_printer_prints(shop, print_queue, monkeypatch):
    without_create_job(monkeypatch)
    assert shop.until(shop.task()).status == "completed"
    assert print_queue.device.documents == [PDF]


def test_a_simple_printer_that_was_away_is_tried_again(away, print_queue, monkeypatch):
    without_create_job(monkeypatch)
    task_id = away.task()
    away.step(task_id)
    away.set_printer(uri=print_queue.uri)
    monkeypatch.setattr(ipp.Printer, "print", refused(ipp.Printer.print, monkeypatch))
    task = away.step(task_id)
    assert (task.status, task.job_state) == ("pending", None)
    assert away.until(task_id).status == "completed"
    assert print_queue.device.documents == [PDF]


def refused(original, monkeypatch):
    """Break the connection once before anything is sent."""

    def attempt(*_):
        monkeypatch.setattr(ipp.Printer, "print", original)
        raise ipp.PrinterUnreachableError("Connection refused", sent=False)

    return attempt


def test_a_queue_without_paper_keeps_the_task_with_its_reasons(shop, print_queue):
    print_queue.stop()
    task_id = shop.task()
    shop.step(task_id)
    task = shop.step(task_id)
    assert (task.status, task.job_state, task.error) == ("sent", "pending", None)
    assert "paused" in task.job_state_reasons
    assert (shop.printer_row().state, shop.printer_row().state_message) == ("stopped", "Out of paper")
    print_queue.resume()
    assert shop.until(task_id).status == "completed"
    assert print_queue.device.documents == [PDF]


def test_a_device_that_is_off_behind_its_queue_is_waited_for(shop, print_queue):
    print_queue.device.refuse()
    task_id = shop.task()
    shop.until(task_id, "printing")
    print_queue.device.accept()
    assert shop.until(task_id).status == "completed"
    assert print_queue.device.documents == [PDF]


def test_a_task_is_cancelled_while_it_prints(shop, print_queue):
    print_queue.device.hang()
    task_id = shop.task()
    shop.until(task_id, "printing")
    shop.cancel(task_id)
    assert shop.until(task_id).status == "cancelled"


def test_a_printer_that_cannot_be_reached_is_tried_again_later_and_later(away):
    task_id = away.task()
    task = away.step(task_id)
    assert (task.status, task.failures) == ("pending", 1)
    assert task.error == "Printer 'Dock' cannot be reached: Connection refused"
    waits = []
    for _ in range(7):
        with away.database.reading() as session:
            moment = session.scalar(select(now()))
        away.step(task_id)
        waits.append((away.printer_row().retry_at - moment).total_seconds())
    # No less than that; how much more, the machine says.
    assert all(wait >= least for wait, least in zip(waits, [4, 8, 16, 32, 60, 60, 60], strict=True))
    assert waits[-1] < 2 * 60
    assert (away.printer_row().error, away.row(task_id).failures) == (task.error, 8)


def test_a_printer_that_comes_back_prints(away, print_queue):
    task_id = away.task()
    away.step(task_id)
    away.set_printer(uri=print_queue.uri)
    task = away.until(task_id)
    assert (task.status, task.error, task.failures) == ("completed", None, 0)
    assert (away.printer_row().failures, away.printer_row().error) == (0, None)


def test_a_printer_that_stays_away_fails_the_task_in_the_end(away):
    task_id = away.task()
    # Patience begins with the first try, not with the task.
    away.set(task_id, give_up_at=now(-10))
    assert away.step(task_id).status == "pending"
    away.set(task_id, give_up_at=now(-10))
    task = away.step(task_id)
    assert (task.status, task.error) == ("failed", "Printer 'Dock' cannot be reached: Connection refused")
    assert task.finished_at is not None


def test_a_printer_that_hangs_keeps_one_worker_busy_and_no_other_printer(
    database, filesystem_storage, settings, cups, print_queue
):
    hanging = PrintShop(database, filesystem_storage, settings, "ipp://127.0.0.1:9/", name="Hanging")
    other = PrintShop(database, filesystem_storage, settings, print_queue.uri, name="Other")
    with Device() as hung:
        hung.hang()
        hanging.set_printer(uri=hung.uri.replace("socket", "ipp").partition("?")[0])
        first, second = hanging.task(), hanging.task()
        stuck = threading.Thread(target=hanging.operator.step, args=(first,))
        stuck.start()
        eventually(hung.is_busy, what="a worker that waits for the printer")
        # A second task of the same printer costs nobody anything.
        hanging.operator.step(second)
        assert hanging.row(second).attempt == 0
        assert other.until(other.task()).status == "completed"
        assert stuck.is_alive()
        hung.refuse()
        hung.go_on()
        for connection in list(hung._connections):  # As a power cut would.
            connection.close()
        stuck.join(30)
    assert hanging.row(first).status == "pending"
    assert "cannot be reached" in hanging.row(first).error


def test_steps_are_taken_beside_the_workers_own_threads_and_bounded(shop, monkeypatch):
    going, taken = threading.Event(), []

    def step(task_id):
        taken.append(task_id)
        going.wait(30)

    monkeypatch.setattr(shop.operator, "step", step)
    # Each returns at once, however long its printer takes.
    for number in range(printing.PRINTERS_AT_ONCE + 1):
        shop.operator.begin(number)
    eventually(lambda: len(taken) == printing.PRINTERS_AT_ONCE, what="all places taken")
    going.set()
    shop.operator.begin("next")
    eventually(lambda: "next" in taken or shop.operator.begin("next"), what="a place that is free again")
    assert printing.PRINTERS_AT_ONCE not in taken


def test_a_step_that_breaks_gives_its_place_back(shop, monkeypatch):
    def step(_task_id):
        raise RuntimeError

    monkeypatch.setattr(shop.operator, "step", step)
    for _ in range(3 * printing.PRINTERS_AT_ONCE):
        shop.operator.begin("any")
    done = threading.Event()
    monkeypatch.setattr(shop.operator, "step", lambda _task_id: done.set())
    eventually(lambda: done.is_set() or shop.operator.begin("last"), what="a place that is free again")


def test_what_the_printer_refuses_fails_in_its_own_words(shop, print_queue):
    shop.set_printer(uri=print_queue.uri + "nowhere")
    task = shop.step(shop.task())
    assert task.status == "failed"
    assert task.error == (
        "The printer refused: The printer or class does not exist. (Get-Printer-Attributes: client-error-not-found)"
    )


def test_a_printer_that_takes_no_jobs_now_is_asked_again(shop, print_queue, cups):
    cups.run("cupsreject", print_queue.name)
    task_id = shop.task()
    task = shop.step(task_id)
    assert (task.status, task.failures) == ("pending", 1)
    assert "not accepting jobs" in task.error
    assert shop.printer_row().retry_at is None
    cups.run("cupsaccept", print_queue.name)
    assert shop.until(task_id).status == "completed"


def test_what_the_printer_cannot_do_by_now_fails_before_anything_is_sent(shop, print_queue, monkeypatch):
    task_id = shop.task(duplex="two-sided-long-edge")
    original = ipp.Printer.attributes
    monkeypatch.setattr(
        ipp.Printer, "attributes", lambda self, *_: {**original(self), "sides-supported": ["one-sided"]}
    )
    task = shop.step(task_id)
    assert (task.status, print_queue.jobs()) == ("failed", [])
    assert task.error == "options.duplex is two-sided-long-edge: printer 'Dock' offers only one-sided"


def test_a_document_that_is_gone_fails_the_task(shop, print_queue):
    task_id = shop.task()
    shop.storage.delete(shop.row(task_id).blob_key)
    task = shop.step(task_id)
    assert (task.status, task.error) == ("failed", "The document is not in the storage any more")
    assert print_queue.jobs() == []


def test_a_document_that_is_gone_after_the_job_was_opened_leaves_no_open_job(shop, print_queue, monkeypatch):
    task_id = shop.task()
    die_at(monkeypatch, "send", after=False)
    with pytest.raises(KilledError):
        shop.step(task_id)
    shop.storage.delete(shop.row(task_id).blob_key)
    assert shop.step(task_id).status == "failed"
    device = ipp.Printer(print_queue.uri, verify_tls=True)
    assert device.job(shop.row(task_id).job_id).state == ipp.JobState.CANCELED


def test_a_damaged_document_is_never_printed(shop, print_queue):
    task_id = shop.task()
    key = shop.row(task_id).blob_key
    content = shop.storage.get(key)
    put_behind_its_back(shop.storage, key, content[:-1] + b"x", {})
    task = shop.step(task_id)
    assert (task.status, task.error) == ("failed", "The stored document was damaged; nothing of it was printed")
    assert print_queue.jobs() == []


def test_a_records_document_that_was_replaced_is_never_printed(shop, print_queue, template):
    record = records.done(shop.database, shop.storage, template)
    task = records.print_task(shop.database, record, printer_id=shop.printer_row().id, printer_name="Dock")
    # With a hash of its own: only the record knows better.
    shop.storage.put(record.blob_key, records.pdf(pages=2), media_type="application/pdf", metadata={})
    task = shop.step(task.id)
    assert (task.status, task.error) == ("failed", "The stored document was damaged; nothing of it was printed")
    assert print_queue.jobs() == []


def test_a_storage_that_does_not_answer_is_no_reason_to_fail(shop, monkeypatch):
    task_id = shop.task()

    def fetch(_key, _file, **_):
        raise StorageError("secret-endpoint:9000 refused")

    with monkeypatch.context() as patched:
        patched.setattr(shop.storage, "fetch", fetch)
        task = shop.step(task_id)
    assert (task.status, task.error) == ("pending", "The document cannot be read: the storage does not answer")
    assert shop.printer_row().failures == 0
    assert shop.until(task_id).status == "completed"


def test_a_fault_of_the_farm_is_logged_and_tried_again(shop, monkeypatch):
    task_id = shop.task()
    with monkeypatch.context() as patched:
        patched.setattr(ipp.Printer, "validate", lambda *_: 1 / 0)
        task = shop.step(task_id)
    assert (task.status, task.error) == ("pending", printing.BROKE)
    assert shop.until(task_id).status == "completed"


def test_options_reach_the_printer(shop, print_queue):
    print_queue.stop()
    options = {"duplex": "two-sided-long-edge", "media": "iso_a4_210x297mm", "tray": "tray-2", "pageRanges": "1-3,5"}
    task = shop.step(shop.task(copies=3, colour=True, **options))
    names = ["copies", "sides", "media-col", "page-ranges", "print-color-mode"]
    asked = [
        ("attributes-charset", Tag.CHARSET, ["utf-8"]),
        ("attributes-natural-language", Tag.LANGUAGE, ["en"]),
        ("printer-uri", Tag.URI, [print_queue.uri]),
        ("job-id", Tag.INTEGER, [task.job_id]),
        ("requesting-user-name", Tag.NAME, ["pressroom"]),
        ("requested-attributes", Tag.KEYWORD, names),
    ]
    [kept] = Connector(print_queue.uri, verify_tls=True).exchange(encode(ipp.Operation.GET_JOB_ATTRIBUTES, asked)).jobs
    size = {"x-dimension": [21000], "y-dimension": [29700]}
    assert kept == {
        "copies": [3],
        "sides": ["two-sided-long-edge"],
        "media-col": [{"media-size": [size], "media-source": ["tray-2"]}],
        "page-ranges": [(1, 3), (5, 5)],
        "print-color-mode": ["color"],
    }
