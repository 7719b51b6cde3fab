"""Printers and print tasks for tests, and a worker's steps, one by one."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from farms import eventually
from sqlalchemy import update

from shared import ipp, print_orders, print_tasks, printers
from shared.database import now
from shared.models import Printer, PrintTask
from shared.print_tasks import ENDED
from workers.printing import PrintOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PDF = b"%PDF-1.4\n" + b"the whole document " * 5000


class KilledError(BaseException):
    """Ends a step as the death of its process would: nothing of it catches this."""


def die_at(monkeypatch, operation, *, after) -> None:
    """Let the worker die before or after it asks a printer for an operation, once."""
    original = getattr(ipp.Printer, operation)

    def asked(self, *arguments):
        monkeypatch.setattr(ipp.Printer, operation, original)
        if after:
            original(self, *arguments)
        raise KilledError

    monkeypatch.setattr(ipp.Printer, operation, asked)


def without_create_job(monkeypatch) -> None:
    """Let every printer be one that takes job and document at once only."""
    original = ipp.Printer.attributes

    def attributes(self, *arguments):
        return {**original(self, *arguments), "operations-supported": [2, 4, 8, 9, 10, 11]}

    monkeypatch.setattr(ipp.Printer, "attributes", attributes)


def fields(**changes) -> printers.PrinterFields:
    values = {"name": "Dock", "uri": None, "agent": False, "location": None, "is_default": False, "verify_tls": True}
    return printers.PrinterFields(**(values | changes))


def add_printer(database, **changes) -> Printer:
    with database.writing() as session:
        return printers.create(session, fields(**changes), created_by=None)


@contextlib.contextmanager
def odd_printer(answer: bytes, *, every: float | None = None) -> Iterator[str]:
    """A device that answers whatever it is asked with these bytes, and nothing of IPP before; yields its URI.

    With ``every``, it says one byte each time so many seconds are over, and begins again at the end.
    """
    ended = threading.Event()

    def say(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(64 * 1024)
            if every is None:
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                # Closed with a part of the request unread, it would be reset, and the answer lost.
                while connection.recv(64 * 1024):
                    pass
            while every is not None and not ended.is_set():
                for byte in answer:
                    connection.sendall(bytes([byte]))
                    ended.wait(every)

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    say(listener.accept()[0])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"ipp://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(30)


@contextlib.contextmanager
def hanging_printer() -> Iterator[tuple[str, Callable[[], bool]]]:
    """A device that takes connections and says nothing; yields its URI, and what tells whether it has one."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(listener.accept()[0])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"ipp://127.0.0.1:{listener.getsockname()[1]}/", lambda: bool(taken)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(30)
            for connection in taken:
                connection.close()


class PrintShop:
    """One printer, its tasks, and a worker of the farm."""

    def __init__(self, database, storage, settings, uri, *, name="Dock", worker_id="worker-1") -> None:
        self.database, self.storage, self.settings = database, storage, settings
        self.rung = []
        self.worker_id = worker_id
        self.operator = self.new_operator()
        self.printer = add_printer(database, name=name, uri=uri)

    def new_operator(self) -> PrintOperator:
        return PrintOperator(
            settings=self.settings,
            database=self.database,
            storage=self.storage,
            worker_id=self.worker_id,
            ring=lambda errand: self.rung.append(errand.row_id) or True,
        )

    def task(self, *, content=PDF, copies=1, **options) -> str:
        wish = print_orders.Wish(
            printer_name=self.printer.name, number_of_copies=copies, options=options, created_by=None
        )
        return print_orders.print_file(
            self.database,
            self.storage,
            content=content,
            file_name="order.pdf",
            trace_id="t" * 32,
            wish=wish,
        ).id

    def row(self, task_id) -> PrintTask:
        with self.database.reading() as session:
            return session.get(PrintTask, task_id)

    def printer_row(self) -> Printer:
        with self.database.reading() as session:
            return session.get(Printer, self.printer.id)

    def set(self, task_id, **values) -> None:
        with self.database.writing() as session:
            session.execute(update(PrintTask).where(PrintTask.id == task_id).values(**values))

    def set_printer(self, **values) -> None:
        with self.database.writing() as session:
            session.execute(update(Printer).where(Printer.id == self.printer.id).values(**values))

    def let_time_pass(self, task_id) -> None:
        """Bring what the task waits for into the past: its next step, a dead worker's lease, a printer's back-off."""
        self.set(task_id, due_at=now(-1), lease_until=None)
        self.set_printer(busy_until=None, retry_at=None)

    def step(self, task_id) -> PrintTask:
        """Take the next step, whenever it would have been due, and return the task as it is then."""
        self.let_time_pass(task_id)
        self.operator.step(task_id)
        return self.row(task_id)

    def until(self, task_id, *statuses) -> PrintTask:
        """Step until the task is there; by default, until it has ended."""

        def look():
            task = self.step(task_id)
            return task if task.status in (statuses or ENDED) else None

        return eventually(look, what=f"{statuses or 'the end'} of {task_id}")

    def cancel(self, task_id) -> None:
        with self.database.writing() as session:
            print_tasks.cancel(session, task_id)
