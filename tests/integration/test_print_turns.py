"""Whose turn it is: no printer's tasks hide those of another."""

from __future__ import annotations

from printing import add_printer
from sqlalchemy import update

from shared import print_tasks, print_turns, tending
from shared.database import now
from shared.errands import Kind
from shared.identifiers import new_id
from shared.models import Printer, PrintTask
from shared.settings import load_settings


def make(database, printer, *, seconds_ago) -> str:
    """A task whose next step has been due for so long."""
    with database.writing() as session:
        task_id = print_tasks.create(
            session,
            task_id=new_id(),
            printer=printer,
            file_name="label.pdf",
            number_of_copies=1,
            options=None,
            trace_id="t" * 32,
            record=None,
            held=False,
            source="api",
            created_by=None,
        ).id
        session.execute(update(PrintTask).where(PrintTask.id == task_id).values(due_at=now(-seconds_ago)))
    return task_id


def due(database, *, limit) -> list[str]:
    with database.reading() as session:
        return [task_id for task_id, _ in print_turns.due(session, limit=limit)]


def test_a_printer_of_which_many_are_due_does_not_hide_another(database):
    many, one = (add_printer(database, name=name, uri="ipp://127.0.0.1:1/") for name in ("Many", "One"))
    waiting = [make(database, many, seconds_ago=100 - place) for place in range(4)]
    alone = make(database, one, seconds_ago=1)
    assert due(database, limit=2) == [waiting[0], alone]
    assert due(database, limit=9) == [waiting[0], alone, *waiting[1:]]


def test_only_some_tasks_of_a_printer_are_rung_for_at_once(database, monkeypatch):
    monkeypatch.setattr(print_turns, "MOST_OF_A_PRINTER", 2)
    printer = add_printer(database, name="Many", uri="ipp://127.0.0.1:1/")
    waiting = [make(database, printer, seconds_ago=100 - place) for place in range(4)]
    assert due(database, limit=9) == waiting[:2]


def test_nobody_is_rung_for_whose_printer_is_busy(database, tmp_path):
    busy, free = (add_printer(database, name=name, uri="ipp://127.0.0.1:1/") for name in ("Busy", "Free"))
    make(database, busy, seconds_ago=100)
    alone = make(database, free, seconds_ago=1)
    with database.writing() as session:
        assert print_turns.occupy(session, busy.id, seconds=60)
    rung = []
    tended = tending.tend(
        database,
        load_settings({"PRESSROOM_HOME": str(tmp_path)}),
        waiting=lambda _: 0,
        ring=lambda errand: rung.append(errand) or True,
    )
    assert [(errand.kind, errand.row_id) for errand in rung] == [(Kind.PRINT, alone)]
    assert tended.rung == 1


def test_the_next_of_a_printer_is_the_one_that_waited_longest(database):
    printer, other = (add_printer(database, name=name, uri="ipp://127.0.0.1:1/") for name in ("Dock", "Other"))
    make(database, other, seconds_ago=100)
    second, first = (make(database, printer, seconds_ago=seconds) for seconds in (1, 10))
    with database.reading() as session:
        assert print_turns.next_of(session, printer.id) == (first, "t" * 32)
    with database.writing() as session:
        assert print_turns.take(session, first, worker_id="w", seconds=60).id == first
        assert print_turns.next_of(session, printer.id) == (second, "t" * 32)
        session.execute(update(Printer).where(Printer.id == printer.id).values(retry_at=now(60)))
        assert not print_turns.occupy(session, printer.id, seconds=60)
