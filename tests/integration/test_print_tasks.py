"""The life of print tasks: every change of status won and lost, whoever comes late, and agents that fall silent."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import records
from locks import until_held_up
from sqlalchemy import func, select, update

from shared import inventory, print_agents, print_orders, print_task_lists, print_tasks, print_turns, printers
from shared.database import now
from shared.exceptions import ConflictError, NotFoundError, UnprocessableError
from shared.identifiers import new_id
from shared.models import HistoryRecord, Printer, PrintTask, RetiredObject
from shared.print_agents import Job
from shared.print_orders import Wish
from shared.print_tasks import ACTIVE, ENDED, Status
from shared.printers import PrinterFields

TRACE = "t" * 32
WISH = Wish(printer_name="Warehouse", number_of_copies=2, options={"duplex": "one-sided"}, created_by="token:shop")


def add_printer(database, *, agent=False, name="Warehouse"):
    uri = None if agent else "ipp://127.0.0.1:1/printers/x"
    fields = PrinterFields(name=name, uri=uri, agent=agent, location=None, is_default=False, verify_tls=True)
    with database.writing() as session:
        return printers.create(session, fields, created_by=None)


@pytest.fixture
def printer(database):
    return add_printer(database)


@pytest.fixture
def agents_printer(database):
    return add_printer(database, agent=True, name="Attic")


def make(database, printer, *, record=None, held=False, **changes) -> str:
    values = {
        "task_id": new_id(),
        "printer": printer,
        "file_name": "label.pdf",
        "number_of_copies": 1,
        "options": None,
        "trace_id": TRACE,
        "record": record,
        "held": held,
        "source": "api",
        "created_by": None,
    }
    with database.writing() as session:
        return print_tasks.create(session, **(values | changes)).id


def row(database, task_id) -> PrintTask:
    with database.reading() as session:
        return session.get_one(PrintTask, task_id)


def put(database, task_id, **values) -> None:
    with database.writing() as session:
        session.execute(update(PrintTask).where(PrintTask.id == task_id).values(**values))


def do(database, change, task_id, **values):
    with database.writing() as session:
        return change(session, task_id, **values)


def take(database, task_id, *, worker_id="worker-1", seconds=60):
    return do(database, print_turns.take, task_id, worker_id=worker_id, seconds=seconds)


def claim(database, task_id, *, agent="attic-pi", seconds=60):
    return do(database, print_agents.claim, task_id, agent=agent, seconds=seconds)


def renew(database, task_id, lease, **values):
    return do(
        database,
        print_agents.renew,
        task_id,
        **({"agent": "attic-pi", "lease": lease, "seconds": 60, "job": Job()} | values),
    )


def say(database, task_id, lease, status=Status.COMPLETED, *, error=None, job=None):
    return do(database, print_agents.report, task_id, lease=lease, status=status, error=error, job=job or Job())


def lapsed(database) -> int:
    with database.writing() as session:
        return print_agents.lapse(session)


def let_lease_run_out(database, task_id) -> None:
    put(database, task_id, lease_until=now(-1))


# What is made


def test_a_task_of_the_farms_is_due_at_once_and_one_of_an_agents_never(database, printer, agents_printer):
    of_farm, of_agent = make(database, printer), make(database, agents_printer)
    with database.reading() as session:
        assert print_turns.due(session, limit=9) == [(of_farm, TRACE)]
    assert (row(database, of_farm).status, row(database, of_agent).status) == ("pending", "pending")
    assert row(database, of_agent).give_up_at is None
    assert take(database, of_agent) is None


def test_a_task_of_a_record_names_what_the_document_was_made_from(database, printer, template, filesystem_storage):
    record = records.done(database, filesystem_storage, template)
    task = row(database, make(database, printer, record=record))
    assert (task.history_record_id, task.template_id, task.template_name) == (record.id, template.id, "t")


def test_a_task_of_a_record_that_is_gone_is_refused(database, printer, template, filesystem_storage):
    record = records.done(database, filesystem_storage, template)
    with database.writing() as session:
        session.delete(session.get_one(HistoryRecord, record.id))
    with pytest.raises(NotFoundError, match="record was removed"):
        make(database, printer, record=record)


def test_a_task_of_a_printer_that_is_gone_is_refused(database, printer):
    with database.writing() as session:
        session.delete(session.get_one(Printer, printer.id))
    with pytest.raises(ConflictError, match="being removed"):
        make(database, printer)


def test_a_record_that_a_task_is_being_made_for_waits_with_its_removal(database, printer, template, filesystem_storage):
    record = records.done(database, filesystem_storage, template)
    outcome = []

    def remove():
        try:
            with database.writing() as session:
                session.delete(session.get_one(HistoryRecord, record.id))
                session.flush()
            outcome.append("removed")
        except Exception as error:  # noqa: BLE001  # Whatever it is, it is looked at.
            outcome.append(type(error).__name__)

    removing = threading.Thread(target=remove)
    with database.writing() as session:
        print_tasks.create(
            session,
            task_id=new_id(),
            printer=printer,
            file_name="x.pdf",
            number_of_copies=1,
            options=None,
            trace_id=TRACE,
            record=session.get_one(HistoryRecord, record.id),
            held=False,
            source="api",
            created_by=None,
        )
        removing.start()
        until_held_up(database)
    removing.join()
    assert outcome == ["IntegrityError"]


# Waiting for a render


def test_a_held_task_is_not_taken_before_its_document_is_there(database, printer):
    task_id = make(database, printer, held=True)
    assert take(database, task_id) is None
    assert do(database, print_tasks.release, task_id)
    assert take(database, task_id) is not None
    assert not do(database, print_tasks.release, task_id)


def test_an_agents_held_task_can_be_claimed_when_it_is_released_and_not_before(database, agents_printer):
    task_id = make(database, agents_printer, held=True)
    with pytest.raises(ConflictError, match="still being rendered"):
        claim(database, task_id)
    assert do(database, print_tasks.release, task_id)
    assert row(database, task_id).due_at is None
    assert claim(database, task_id).status == "sent"


def test_a_held_task_fails_with_its_render(database, printer):
    task_id = make(database, printer, held=True)
    assert do(database, print_tasks.give_up, task_id, error="There is nothing to print")
    assert (row(database, task_id).status, row(database, task_id).error) == ("failed", "There is nothing to print")
    assert not do(database, print_tasks.release, task_id)
    assert not do(database, print_tasks.give_up, task_id, error="again")


def test_a_held_task_that_was_cancelled_is_not_released(database, printer):
    task_id = make(database, printer, held=True)
    assert do(database, print_tasks.cancel, task_id).status == "cancelled"
    assert not do(database, print_tasks.release, task_id)
    assert row(database, task_id).due_at is None


def test_nothing_is_released_that_does_not_exist(database):
    assert not do(database, print_tasks.release, new_id())


# The farm's own steps


def test_one_of_many_takes_a_step(database, printer):
    task_id = make(database, printer)
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda place: take(database, task_id, worker_id=f"worker-{place}"), range(8)))
    assert sum(one is not None for one in taken) == 1
    assert row(database, task_id).attempt == 1


def test_a_step_whose_lease_is_over_is_taken_by_another_and_the_first_changes_nothing_any_more(database, printer):
    task_id = make(database, printer)
    first = take(database, task_id)
    assert take(database, task_id) is None
    let_lease_run_out(database, task_id)
    second = take(database, task_id)
    assert second.attempt == first.attempt + 1

    assert not do(database, print_turns.note, task_id, attempt=first.attempt, job_id=7)
    assert not do(database, print_turns.put_off, task_id, attempt=first.attempt, seconds=0)
    assert not do(database, print_turns.end, task_id, attempt=first.attempt, status=Status.FAILED, error="late")
    assert do(database, print_turns.note, task_id, attempt=second.attempt, job_id=8, status=Status.SENT)
    assert do(database, print_turns.end, task_id, attempt=second.attempt, status=Status.COMPLETED)
    assert (row(database, task_id).status, row(database, task_id).job_id) == ("completed", 8)


def test_a_step_that_is_put_off_is_not_taken_before_it_is_due(database, printer):
    task_id = make(database, printer)
    attempt = take(database, task_id).attempt
    assert do(database, print_turns.put_off, task_id, attempt=attempt, seconds=3600, status=Status.SENT)
    assert take(database, task_id) is None
    put(database, task_id, due_at=now(-1))
    assert take(database, task_id).attempt == attempt + 1


@pytest.mark.parametrize("status", ENDED)
def test_what_has_ended_stays_so(database, printer, status):
    task_id = make(database, printer)
    attempt = take(database, task_id).attempt
    assert do(database, print_turns.end, task_id, attempt=attempt, status=status, error="said")
    ended = row(database, task_id)
    assert (ended.status, ended.error, ended.due_at, ended.lease_until) == (status, "said", None, None)
    assert ended.finished_at is not None

    other = next(one for one in ENDED if one != status)
    assert not do(database, print_turns.end, task_id, attempt=attempt, status=other)
    assert not do(database, print_turns.note, task_id, attempt=attempt, job_id=9)
    assert take(database, task_id) is None
    with pytest.raises(ConflictError, match=f"ended: it is {status}"):
        do(database, print_tasks.cancel, task_id)
    assert row(database, task_id).status == status


def test_a_printer_is_occupied_by_one_step_at_a_time(database, printer):
    assert do(database, print_turns.occupy, printer.id, seconds=60)
    assert not do(database, print_turns.occupy, printer.id, seconds=60)
    with database.writing() as session:
        print_turns.vacate(session, printer.id)
        session.execute(update(Printer).values(retry_at=now(3600)))
    assert not do(database, print_turns.occupy, printer.id, seconds=60)
    with database.writing() as session:
        session.execute(update(Printer).values(retry_at=None))
    assert do(database, print_turns.occupy, printer.id, seconds=60)


# Cancelling and removing


def test_what_no_printer_has_seen_is_cancelled_at_once(database, printer):
    task_id = make(database, printer)
    cancelled = do(database, print_tasks.cancel, task_id)
    assert (cancelled.status, cancelled.cancel_requested) == ("cancelled", False)
    assert cancelled.finished_at is not None
    assert take(database, task_id) is None


def test_what_a_step_put_off_without_a_hand_over_is_cancelled_at_once(database, printer):
    task_id = make(database, printer)
    attempt = take(database, task_id).attempt
    assert do(database, print_turns.put_off, task_id, attempt=attempt, seconds=60, failures=1)
    assert do(database, print_tasks.cancel, task_id).status == "cancelled"


@pytest.mark.parametrize("status", [Status.SENT, Status.PRINTING])
def test_what_a_printer_has_is_cancelled_by_the_next_step_which_is_due_at_once(database, printer, status):
    task_id = make(database, printer)
    attempt = take(database, task_id).attempt
    assert do(database, print_turns.put_off, task_id, attempt=attempt, seconds=3600, status=status, job_id=7)
    asked = do(database, print_tasks.cancel, task_id)
    assert (asked.status, asked.cancel_requested) == (status, True)
    assert take(database, task_id).cancel_requested


def test_a_task_in_the_middle_of_a_step_is_not_cancelled_under_it(database, printer):
    task_id = make(database, printer)
    attempt = take(database, task_id).attempt
    assert do(database, print_tasks.cancel, task_id).status == "pending"
    assert do(database, print_turns.put_off, task_id, attempt=attempt, seconds=0, status=Status.SENT, job_id=7)
    assert take(database, task_id).cancel_requested


def test_a_step_that_broke_off_may_have_handed_the_document_over_so_the_printer_is_asked(database, printer):
    task_id = make(database, printer)
    take(database, task_id)
    let_lease_run_out(database, task_id)
    asked = do(database, print_tasks.cancel, task_id)
    assert (asked.status, asked.cancel_requested) == ("pending", True)
    assert take(database, task_id) is not None


def test_a_task_is_removed_when_it_has_ended_and_its_document_is_left_to_the_sweep(database, printer):
    task_id = make(database, printer, blob_key="prints/x.pdf", size=5)
    for status in ACTIVE:
        put(database, task_id, status=status)
        with pytest.raises(ConflictError, match=f"is {status}"):
            do(database, print_tasks.remove, task_id)
    put(database, task_id, status=Status.FAILED)
    do(database, print_tasks.remove, task_id)
    with database.reading() as session:
        assert session.get(RetiredObject, "prints/x.pdf") is not None
    for change in (print_tasks.remove, print_tasks.cancel):
        with pytest.raises(NotFoundError):
            do(database, change, task_id)


@pytest.mark.parametrize("task_id", ["no id", "\0", "\ud800"])
def test_what_is_no_id_is_not_found(database, task_id):
    with pytest.raises(NotFoundError):
        do(database, print_tasks.cancel, task_id)
    with pytest.raises(NotFoundError):
        claim(database, task_id)


# Agents


def test_one_of_many_agents_claims_a_task(database, agents_printer):
    task_id = make(database, agents_printer)

    def ask(place):
        try:
            return claim(database, task_id, agent=f"agent-{place}").claimed_by
        except ConflictError as error:
            return error.message

    with ThreadPoolExecutor(8) as threads:
        said = list(threads.map(ask, range(8)))
    winners = [one for one in said if one.startswith("agent-") and "has claimed" not in one]
    assert len(winners) == 1
    assert said.count(f"{winners[0]} has claimed the print task; its lease may be over later") == 7


def test_a_task_of_a_printer_that_the_farm_serves_cannot_be_claimed(database, printer):
    with pytest.raises(ConflictError, match="The farm prints on 'Warehouse' itself"):
        claim(database, make(database, printer))


def test_a_task_whose_printer_is_gone_cannot_be_claimed(database, agents_printer):
    task_id = make(database, agents_printer)
    with database.writing() as session:
        session.delete(session.get_one(Printer, agents_printer.id))
    with pytest.raises(ConflictError, match="no longer known"):
        claim(database, task_id)


def test_an_agent_keeps_its_task_says_how_far_it_is_and_ends_it(database, agents_printer):
    task_id = make(database, agents_printer)
    lease = print_agents.lease_of(claim(database, task_id, seconds=1))
    kept = renew(database, task_id, lease, seconds=3600)
    assert (kept.status, print_agents.lease_of(kept)) == ("sent", lease)
    printing = renew(database, task_id, lease, printing=True, job=Job(id=7, state="processing", state_reasons=[]))
    assert (printing.status, printing.job_id, printing.job_state) == ("printing", 7, "processing")
    assert renew(database, task_id, lease).status == "printing"
    ended = say(database, task_id, lease, job=Job(state="completed"))
    assert (ended.status, ended.job_id, ended.job_state) == ("completed", 7, "completed")
    assert ended.lease_until is None
    assert print_agents.lease_of(ended) is None


def test_to_say_the_same_result_twice_is_the_same_as_once_and_another_is_refused(database, agents_printer):
    task_id = make(database, agents_printer)
    lease = print_agents.lease_of(claim(database, task_id))
    first = say(database, task_id, lease, Status.FAILED, error="no toner")
    again = say(database, task_id, lease, Status.FAILED, error="no toner")
    assert (again.status, again.error, again.finished_at) == ("failed", "no toner", first.finished_at)
    for step in (lambda: say(database, task_id, lease), lambda: renew(database, task_id, lease)):
        with pytest.raises(ConflictError, match="ended: it is failed"):
            step()


@pytest.mark.parametrize("lease", ["", "x", "{id}", "{id}.", "{id}.0", "{id}.2", "{id}.99999999999", "{id}.-1", "x.1"])
def test_what_is_no_lease_of_the_task_is_worth_nothing(database, agents_printer, lease):
    task_id = make(database, agents_printer)
    lease = lease.format(id=task_id)
    for claimed in (False, True):
        if claimed:
            claim(database, task_id)
        for step in (say, renew):
            with pytest.raises(ConflictError, match="lease is over"):
                step(database, task_id, lease)
    assert row(database, task_id).status == "sent"


def test_no_agent_ends_what_the_farm_prints(database, printer):
    task_id = make(database, printer)
    take(database, task_id)
    for step in (say, renew):
        with pytest.raises(ConflictError):
            step(database, task_id, f"{task_id}.1")


def test_a_task_whose_agent_falls_silent_waits_again(database, agents_printer):
    task_id = make(database, agents_printer)
    lease = print_agents.lease_of(claim(database, task_id))
    assert renew(database, task_id, lease, printing=True, job=Job(id=7, state="processing")).status == "printing"
    with database.reading() as session:
        assert not print_agents.is_lapsed(session)
    assert lapsed(database) == 0
    let_lease_run_out(database, task_id)
    with database.reading() as session:
        assert print_agents.is_lapsed(session)
    assert lapsed(database) == 1
    waiting = row(database, task_id)
    assert (waiting.status, waiting.job_id, waiting.sent_at, waiting.claimed_by) == ("pending", None, None, None)
    assert claim(database, task_id, agent="other").attempt == 2


def test_a_lease_that_is_over_does_not_wait_for_somebody_to_look(database, agents_printer):
    task_id = make(database, agents_printer)
    first = print_agents.lease_of(claim(database, task_id))
    let_lease_run_out(database, task_id)
    assert claim(database, task_id, agent="other").claimed_by == "other"
    for status in (Status.COMPLETED, Status.FAILED):
        with pytest.raises(ConflictError, match="another agent has"):
            say(database, task_id, first, status)
    with pytest.raises(ConflictError, match="another agent has"):
        renew(database, task_id, first)
    assert row(database, task_id).claimed_by == "other"


@pytest.mark.parametrize("looked", [False, True])
def test_after_its_lease_only_paper_counts(database, agents_printer, looked):
    task_id = make(database, agents_printer)
    lease = print_agents.lease_of(claim(database, task_id))
    let_lease_run_out(database, task_id)
    assert not looked or lapsed(database) == 1
    for status in (Status.FAILED, Status.CANCELLED, Status.UNKNOWN):
        with pytest.raises(ConflictError, match="lease is over"):
            say(database, task_id, lease, status)
    assert say(database, task_id, lease).status == "completed"
    with pytest.raises(ConflictError, match="ended"):
        claim(database, task_id)


def test_an_agent_that_comes_back_takes_up_what_nobody_else_has_claimed(database, agents_printer):
    task_id = make(database, agents_printer)
    lease = print_agents.lease_of(claim(database, task_id))
    let_lease_run_out(database, task_id)
    assert lapsed(database) == 1
    kept = renew(database, task_id, lease)
    assert (kept.status, kept.attempt, kept.claimed_by) == ("sent", 1, "attic-pi")
    assert kept.sent_at is not None
    with pytest.raises(ConflictError, match="attic-pi has claimed"):
        claim(database, task_id, agent="other")


def test_an_agent_is_told_to_cancel_what_it_has(database, agents_printer):
    task_id = make(database, agents_printer)
    lease = print_agents.lease_of(claim(database, task_id))
    asked = do(database, print_tasks.cancel, task_id)
    assert (asked.status, asked.cancel_requested, asked.due_at) == ("sent", True, None)
    assert renew(database, task_id, lease).cancel_requested
    assert say(database, task_id, lease, Status.CANCELLED).status == "cancelled"


def test_what_was_to_be_cancelled_is_not_given_to_another_agent(database, agents_printer):
    task_id = make(database, agents_printer)
    claim(database, task_id)
    do(database, print_tasks.cancel, task_id)
    let_lease_run_out(database, task_id)
    assert lapsed(database) == 1
    assert (row(database, task_id).status, row(database, task_id).error) == ("cancelled", print_agents.FELL_SILENT)
    with pytest.raises(ConflictError, match="ended"):
        claim(database, task_id)


# Any PDF, and a record's once more


def print_file(database, storage, *, content=records.PDF, wish=WISH):
    return print_orders.print_file(database, storage, content=content, file_name="x.pdf", trace_id=TRACE, wish=wish)


def test_a_pdf_is_stored_before_its_task_is_written(database, printer, filesystem_storage):
    task = row(database, print_file(database, filesystem_storage).id)
    assert filesystem_storage.get(task.blob_key) == records.PDF
    assert task.blob_key == f"prints/{task.id}.pdf"
    assert (task.size, task.number_of_copies, task.options) == (len(records.PDF), 2, {"duplex": "one-sided"})
    assert (task.printer_id, task.created_by) == (printer.id, "token:shop")
    with database.reading() as session:
        assert print_orders.document_of(session, task).key == task.blob_key
    assert not inventory.is_orphan(database, task.blob_key)


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_stored(database, printer, filesystem_storage):
    nowhere = Wish(printer_name="Nowhere", number_of_copies=1, options={}, created_by=None)
    with pytest.raises(UnprocessableError) as raised:
        print_file(database, filesystem_storage, content=b"GIF89a", wish=nowhere)
    assert [field for field, _ in raised.value.problems] == ["fileBase64", "printerName"]
    assert list(filesystem_storage.keys()) == []


def test_a_pdf_whose_task_could_not_be_written_is_taken_back(database, printer, filesystem_storage, monkeypatch):
    def refuse(*_, **__):
        raise ConflictError("no")

    monkeypatch.setattr(print_tasks, "create", refuse)
    with pytest.raises(ConflictError, match="no"):
        print_file(database, filesystem_storage)
    assert list(filesystem_storage.keys()) == []


def test_the_test_page_needs_nobody_who_renders(database, printer, filesystem_storage):
    task = print_orders.print_test_page(database, filesystem_storage, trace_id=TRACE, wish=WISH)
    assert (task.file_name, task.number_of_copies, task.held) == ("pressroom-test-page.pdf", 2, False)
    assert b"%PDF-" in filesystem_storage.get(task.blob_key)[:10]


def reprint(database, record_id):
    with database.writing() as session:
        return print_orders.reprint(session, record_id, WISH)


def test_a_reprint_is_of_the_stored_document_and_has_a_derived_trace_id(
    database, printer, template, filesystem_storage
):
    record = records.done(database, filesystem_storage, template)
    first, second = (reprint(database, record.id) for _ in range(2))
    assert {first.history_record_id, second.history_record_id} == {record.id}
    assert first.trace_id != second.trace_id
    for task in (first, second):
        original, dash, suffix = task.trace_id.rpartition("-")
        assert (record.trace_id[: len(original)], dash, len(suffix)) == (original, "-", 6)
        with database.reading() as session:
            assert print_orders.document_of(session, task).key == record.blob_key


def test_a_record_without_a_document_cannot_be_printed(database, printer, template, filesystem_storage):
    waiting, failed = (records.waiting(database, template) for _ in range(2))
    records.fail(database, failed)
    with pytest.raises(ConflictError, match="no PDF yet"):
        reprint(database, waiting.id)
    with pytest.raises(ConflictError, match="its status is Error"):
        reprint(database, failed.id)
    with pytest.raises(NotFoundError):
        reprint(database, "\0")
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(PrintTask)) == 0


# Lists


def test_lists_are_filtered_searched_and_paged(database, printer, agents_printer, template, filesystem_storage):
    record = records.done(database, filesystem_storage, template)
    of_record = make(database, printer, record=record, trace_id="first")
    label = make(database, agents_printer, file_name="100%_label.pdf", trace_id="second")
    old = make(database, printer, trace_id="third")
    put(database, old, created_at=now(-86400), status=Status.COMPLETED)

    def found(**asked):
        with database.reading() as session:
            page, total = print_task_lists.listed(session, **({"offset": 0, "limit": 10} | asked))
        assert total == len(page) or "offset" in asked or "limit" in asked
        return [one.id for one in page]

    assert found() == [label, of_record, old]
    assert found(descending=False) == [old, of_record, label]
    assert found(offset=1, limit=1) == [of_record]
    assert found(status="pending", printer_name="Attic") == [label]
    assert found(record_id=record.id) == [of_record]
    assert found(trace_id="third") == [old]
    assert found(search="%_LABEL") == [label]
    assert found(search="war") == [of_record, old]
    assert found(search="seco") == [label]
    boundary = row(database, of_record).created_at
    assert found(created_from=boundary) == [label, of_record]
    assert found(created_to=boundary) == [old]

    def total(**asked):
        with database.reading() as session:
            return print_task_lists.listed(session, **({"offset": 0, "limit": 2} | asked))[1]

    assert [total(), total(offset=2), total(offset=4), total(search="war", limit=1), total(search="nowhere")] == [
        3,
        3,
        3,
        2,
        0,
    ]
