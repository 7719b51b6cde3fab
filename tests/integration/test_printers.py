"""Printers: their names, which is the default, what they can do, and that none goes while it has something to print."""

from __future__ import annotations

import struct
import threading

import pytest
from cups import Device
from farms import free_port
from locks import until_held_up
from printing import add_printer, fields, odd_printer
from sqlalchemy import event, func, select, update

from shared import print_tasks, printer_readings, printers
from shared.database import Database
from shared.exceptions import ConflictError, InvalidRequestError, NotFoundError, UnprocessableError
from shared.identifiers import new_id
from shared.models import Printer, PrintTask

URI = "ipp://cups.example/printers/dock"


def wished(database, name="Dock", copies=1, **options):
    with database.writing() as session:
        return printers.wished(session, printer_name=name, number_of_copies=copies, options=options)


def add_task(session, printer, **changes):
    values = {"number_of_copies": 1, "options": None, "trace_id": "t", "record": None, "held": False}
    values |= {"source": "api", "created_by": None, "blob_key": "prints/x.pdf"}
    return print_tasks.create(session, task_id=new_id(), printer=printer, file_name="x.pdf", **(values | changes))


def problems_of(caught):
    return dict(caught.value.problems)


def change(database, key, **changes):
    with database.writing() as session:
        printer = printers.find(session, key, held=True)
        values = {name: getattr(printers.fields_of(printer), name) for name in fields().__slots__}
        return printers.change(session, printer, printers.PrinterFields(**(values | changes)))


def read(database, key):
    with database.reading() as session:
        return printers.find(session, key)


def defaults(database):
    with database.reading() as session:
        return session.scalars(select(Printer.name).where(Printer.is_default)).all()


def test_a_printer_is_found_by_its_name_and_by_its_id(database):
    printer = add_printer(database, uri=URI)
    assert read(database, "Dock").id == read(database, printer.id).id == printer.id


def test_the_open_tasks_of_printers_are_counted_by_their_names_of_today(database):
    dock, attic = add_printer(database, uri=URI), add_printer(database, name="Attic", agent=True)
    with database.writing() as session:
        for printer in (dock, dock, attic):
            add_task(session, printer)
        print_tasks.cancel(session, add_task(session, attic).id)
    change(database, "Attic", name="Loft")
    with database.reading() as session:
        assert printers.open_tasks(session, ["Dock", "Attic", "Loft"]) == {"Dock": 2, "Loft": 1}


def test_sqlite_counts_open_tasks_in_an_index_alone(database):
    if database.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL's planner asks for rows first")
    asked = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    with database.reading() as session:
        printers.open_tasks(session, ["Dock", "Attic"])
        [(statement, parameters)] = [one for one in asked if "SELECT" in one[0]]
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    assert "COVERING INDEX print_tasks_by_printer (printer_name=? AND status=?)" in " ".join(row[3] for row in plan)


@pytest.mark.parametrize("key", ["Doc", "dock", "a\0b", "\ud800"])
def test_a_printer_that_there_is_not_is_answered_with_those_that_there_are(database, key):
    add_printer(database, uri=URI)
    with pytest.raises(NotFoundError, match="expected one of 'Dock'"):
        read(database, key)


def test_no_two_printers_have_one_name(database):
    add_printer(database, uri=URI)
    with pytest.raises(ConflictError, match="named 'Dock' already"):
        add_printer(database, agent=True)
    add_printer(database, name="Other", agent=True)
    with pytest.raises(ConflictError, match="named 'Dock' already"):
        change(database, "Other", name="Dock")


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "printer",
        "http://printer.example/ipp/print",
        "socket://printer.example",
        "ipp:///ipp/print",
        "ipp://printer.example:0/",
        "ipp://printer.example:99999/",
        "ipp://printer.example:x/",
        "ipp://[::1/",
        "ipp://printer.example/a b",
        "ipp://printer.example/\r\nHost: other",
        "ipp://drücker.example/",
        "ipp://printer.example/#tray",
        "ipp://user:secret@printer.example/",
    ],
)
def test_a_uri_that_nobody_can_print_to_is_refused_with_an_example(uri):
    with pytest.raises(InvalidRequestError, match=r"ipps://printer\.example/ipp/print") as caught:
        printers.checked_uri(uri)
    assert caught.value.field == "uri"
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("uri", [URI, "ipps://[::1]:8631/ipp/print", "ipp://192.0.2.1"])
def test_uris_of_printers_are_taken(uri):
    assert printers.checked_uri(uri) == uri


@pytest.mark.parametrize("way", [{}, {"uri": URI, "agent": True}])
def test_a_printer_has_one_way_to_be_reached(database, way):
    with pytest.raises(InvalidRequestError, match="expected either uri"):
        add_printer(database, **way)


def test_one_printer_at_most_is_the_default(database):
    add_printer(database, uri=URI, is_default=True)
    add_printer(database, name="Second", uri=URI, is_default=True)
    assert defaults(database) == ["Second"]
    change(database, "Dock", is_default=True)
    assert defaults(database) == ["Dock"]
    change(database, "Dock", is_default=False)
    assert defaults(database) == []


def test_two_printers_that_become_the_default_at_once_are_not_both(database, database_url):
    add_printer(database, name="One", uri=URI)
    add_printer(database, name="Two", uri=URI)
    other, ended = Database(database_url), []

    def second():
        try:
            change(other, "Two", is_default=True)
        except ConflictError:
            ended.append("refused")
        else:
            ended.append("done")

    thread = threading.Thread(target=second)
    with database.writing() as session:
        printer = printers.find(session, "One", held=True)
        printers.change(session, printer, fields(name="One", uri=URI, is_default=True))
        thread.start()
        until_held_up(database)
    thread.join()
    other.close()
    assert len(ended) == 1
    assert len(defaults(database)) == 1


def test_printers_are_listed_searched_and_sorted(database):
    for name, location in (("B", "Hall 2"), ("a", None), ("C", "hall 10")):
        add_printer(database, name=name, uri=URI, location=location)
    with database.reading() as session:

        def names(**asked):
            found, total = printers.listed(session, **({"offset": 0, "limit": 10} | asked))
            return [one.name for one in found], total

        assert names() == (["B", "C", "a"], 3)
        assert names(sort="-name", limit=1, offset=1) == (["C"], 3)
        assert names(search="HALL") == (["B", "C"], 2)
        assert names(search="%") == ([], 0)


def test_the_printer_of_a_task_is_the_one_that_is_named_or_else_the_default(database):
    add_printer(database, uri=URI)
    add_printer(database, name="Default", uri=URI, is_default=True)
    assert wished(database).name == "Dock"
    assert wished(database, None).name == "Default"


@pytest.mark.parametrize("name", ["Attic", "dock", "a\0b"])
def test_a_task_for_an_unknown_printer_is_refused_with_the_known_ones(database, name):
    add_printer(database, uri=URI)
    add_printer(database, name="Branch", agent=True)
    with pytest.raises(UnprocessableError, match="expected one of 'Branch', 'Dock'") as caught:
        wished(database, name)
    assert list(problems_of(caught)) == ["printerName"]


def test_a_task_that_names_no_printer_needs_a_default(database):
    with pytest.raises(UnprocessableError, match="no printer is the default: the farm has none yet"):
        wished(database, None)


def test_a_task_that_asks_for_too_much_is_told_all_of_it(database):
    printer = add_printer(database, uri=URI)
    with database.writing() as session:
        known = {"maxCopies": 9, "duplex": ["one-sided"]}
        session.execute(update(Printer).where(Printer.id == printer.id).values(capabilities=known))
    with pytest.raises(UnprocessableError) as caught:
        wished(database, copies=10, duplex="two-sided-long-edge")
    assert set(problems_of(caught)) == {"numberOfCopies", "options.duplex"}


def test_a_printer_with_something_to_print_cannot_be_removed(database):
    printer = add_printer(database, uri=URI)
    with database.writing() as session:
        tasks = [add_task(session, printer) for _ in range(2)]
    with pytest.raises(ConflictError, match="2 print tasks that have not ended"), database.writing() as session:
        printers.remove(session, printers.find(session, "Dock", held=True))
    with database.writing() as session:
        session.execute(update(PrintTask).values(status="completed"))
    with database.writing() as session:
        printers.remove(session, printers.find(session, "Dock", held=True))
    with database.reading() as session:
        kept = session.get(PrintTask, tasks[0].id)
        assert (kept.printer_id, kept.printer_name) == (None, "Dock")


def test_a_task_that_is_made_while_its_printer_is_removed_is_refused(database, database_url):
    printer = add_printer(database, uri=URI)
    other, ended = Database(database_url), []

    def make():
        try:
            with other.writing() as session:
                add_task(session, printers.wished(session, printer_name="Dock", number_of_copies=1, options=None))
        except UnprocessableError as error:
            ended.append(error.message)
        else:
            ended.append("made")

    thread = threading.Thread(target=make)
    with database.writing() as session:
        printers.remove(session, printers.find(session, printer.id, held=True))
        session.flush()
        thread.start()
        until_held_up(database)
    thread.join()
    other.close()
    assert ended == ["There is no printer 'Dock': the farm has none yet; POST /api/v1/printer adds one"]


def test_a_printer_that_is_removed_while_a_task_is_made_stays(database, database_url):
    add_printer(database, uri=URI)
    other, ended = Database(database_url), []

    def remove():
        try:
            with other.writing() as session:
                printers.remove(session, printers.find(session, "Dock", held=True))
        except ConflictError as error:
            ended.append(error.message)
        else:
            ended.append("removed")

    thread = threading.Thread(target=remove)
    with database.writing() as session:
        add_task(session, printers.wished(session, printer_name="Dock", number_of_copies=1, options=None))
        thread.start()
        until_held_up(database)
    thread.join()
    other.close()
    assert "1 print task that has not ended" in ended[0]
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(PrintTask).where(PrintTask.printer_id.is_not(None))) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_makers_of_tasks_do_not_wait_for_each_other(database, database_url):
    printer = add_printer(database, uri=URI)
    other = Database(database_url)
    with database.writing() as one, other.writing() as two:
        for session in (one, two):
            add_task(session, printers.wished(session, printer_name="Dock", number_of_copies=1, options=None))
    other.close()
    with database.reading() as session:
        assert session.scalar(select(func.count()).where(PrintTask.printer_id == printer.id)) == 2


def test_a_printer_that_is_renamed_takes_its_unended_tasks_along(database):
    printer = add_printer(database, agent=True)
    with database.writing() as session:
        waiting, ended = add_task(session, printer), add_task(session, printer)
        session.execute(update(PrintTask).where(PrintTask.id == ended.id).values(status="failed"))
    change(database, "Dock", name="Gate")
    with database.reading() as session:
        assert session.get(PrintTask, waiting.id).printer_name == "Gate"
        assert session.get(PrintTask, ended.id).printer_name == "Dock"


def test_who_prints_cannot_change_while_there_is_something_to_print(database):
    printer = add_printer(database, agent=True)
    with database.writing() as session:
        add_task(session, printer)
    with pytest.raises(ConflictError, match="1 print task that has not ended"):
        change(database, "Dock", agent=False, uri=URI)
    with database.writing() as session:
        session.execute(update(PrintTask).values(status="cancelled"))
    assert change(database, "Dock", agent=False, uri=URI)


def test_another_device_has_other_capabilities(database):
    printer = add_printer(database, uri=URI)
    with database.writing() as session:
        values = {"capabilities": {"maxCopies": 1}, "state": "idle", "failures": 3, "error": "away"}
        session.execute(update(Printer).where(Printer.id == printer.id).values(**values))
    assert not change(database, "Dock", location="Hall 2")
    assert read(database, "Dock").capabilities == {"maxCopies": 1}
    assert change(database, "Dock", uri=f"{URI}2")
    changed = read(database, "Dock")
    assert (changed.capabilities, changed.state, changed.failures, changed.error) == (None, None, 0, None)


def test_a_device_is_asked_what_it_can_do_and_how_it_does(database, print_queue):
    printer = add_printer(database, uri=print_queue.uri)
    print_queue.stop()
    asked = printer_readings.refresh(database, printer)
    assert "application/pdf" in asked.capabilities["formats"]
    assert "Create-Job" in asked.capabilities["operations"]
    assert (asked.state, asked.state_message, asked.state_reasons) == ("stopped", "Out of paper", ["paused"])
    assert asked.read_at is not None


def test_a_device_that_is_away_keeps_what_it_said_and_says_why(database, print_queue):
    printer = add_printer(database, uri=print_queue.uri)
    asked = printer_readings.refresh(database, printer)
    with database.writing() as session:
        session.execute(update(Printer).values(uri=f"ipp://127.0.0.1:{free_port()}/"))
    away = printer_readings.refresh(database, read(database, "Dock"))
    assert (away.error, away.capabilities, away.read_at) == ("Connection refused", asked.capabilities, asked.read_at)


def test_a_device_that_does_not_answer_is_not_waited_for_long(database, monkeypatch):
    monkeypatch.setattr(printer_readings, "ANSWER_SECONDS", 0.2)
    with Device() as hung:
        hung.hang()
        printer = add_printer(database, uri=hung.uri.replace("socket", "ipp").partition("?")[0])
        assert printer_readings.refresh(database, printer).error == "timed out"


def test_a_device_whose_certificate_nobody_vouches_for_is_asked_only_if_that_is_meant(database, cups, print_queue):
    printer = add_printer(database, uri=cups.uri(print_queue.name, tls=True))
    assert "certificate is not trusted: self-signed certificate" in printer_readings.refresh(database, printer).error
    assert change(database, "Dock", verify_tls=False)
    trusted = printer_readings.refresh(database, read(database, "Dock"))
    assert (trusted.error, trusted.state) == (None, "idle")


def test_what_is_no_printer_is_told_from_one_that_is(database, print_queue, cups):
    printer = add_printer(database, uri=cups.uri("nowhere"))
    assert printer_readings.refresh(database, printer).error == (
        "The printer or class does not exist. (Get-Printer-Attributes: client-error-not-found)"
    )


def test_an_answer_of_a_device_that_is_another_by_now_is_dropped(database):
    printer = add_printer(database, uri=URI)
    change(database, "Dock", uri=f"{URI}2")
    with database.writing() as session:
        printer_readings.write(session, printer, {"state": "idle"})
    assert read(database, "Dock").state is None


def test_a_printer_that_an_agent_serves_cannot_be_asked(database):
    with pytest.raises(ConflictError, match="served by an agent"):
        printer_readings.refresh(database, add_printer(database, agent=True))


def test_a_device_that_answers_against_the_standard_is_read_as_far_as_it_keeps_to_it(database):
    def field(tag, name, value):
        return struct.pack(">BH", tag, len(name)) + name + struct.pack(">H", len(value)) + value

    text, octets, number = 0x41, 0x30, 0x21
    said = b"".join(
        [
            field(text, b"printer-state-message", b"Out of paper\0"),
            field(octets, b"printer-state", b"\3"),
            field(text, b"printer-state-reasons", b"media-empty\0"),
            field(octets, b"", b"\xff"),
            field(text, b"media-supported", b"iso_a4_210x297mm\0"),
            field(octets, b"sides-supported", b"\1"),
            field(octets, b"copies-supported", b"\x63"),
            field(text, b"operations-supported", b"Print-Job"),
            field(text, b"page-ranges-supported", b"yes"),
            field(number, b"printer-make-and-model", b"\0\0\0\7"),
        ]
    )
    body = struct.pack(">bbhi", 2, 0, 0, 1) + b"\4" + said + b"\3"
    with odd_printer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body) as uri:
        printer = printer_readings.refresh(database, add_printer(database, uri=uri))
    assert printer.error is None
    assert (printer.state, printer.state_message, printer.state_reasons) == (None, "Out of paper", ["media-empty"])
    assert printer.capabilities == {"media": ["iso_a4_210x297mm"]}
