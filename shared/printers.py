"""Printers: those that the farm knows by name, and which of them may do what is asked.

A printer is reached by its URI, or served by an agent. Whoever makes a print task holds the printer's row (`wished`),
and so does whoever removes it: one of the two comes first, and the other sees what it did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import IntegrityError

from shared import printer_options
from shared.database import now
from shared.exceptions import ConflictError, InvalidRequestError, NotFoundError, UnprocessableError
from shared.identifiers import new_id
from shared.models import Printer, PrintTask
from shared.print_tasks import ACTIVE
from shared.spelling import nearest
from shared.templates import storable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import InstrumentedAttribute, Session

EXAMPLES = "ipp://cups.example:631/printers/Warehouse, ipps://printer.example/ipp/print"
MOST_NAMED = 30
SHOWN_CHARACTERS = 80
# What was read from a device, and how it did: of no meaning for another.
UNREAD: dict[str, int | None] = {
    "capabilities": None,
    "state": None,
    "state_reasons": None,
    "state_message": None,
    "read_at": None,
    "error": None,
    "failures": 0,
    "retry_at": None,
}

SORTED_BY: dict[str, InstrumentedAttribute[Any]] = {
    "name": Printer.name,
    "location": Printer.location,
    "state": Printer.state,
    "creationDate": Printer.created_at,
    "modificationDate": Printer.modified_at,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterFields:
    """What a caller says of a printer.

    Attributes:
        name: Its name, which no other printer has.
        uri: Where it, or its queue, is spoken to; None: nowhere, an agent serves it.
        agent: Whether an agent serves it.
        location: Where it stands, for people.
        is_default: Whether it prints what names no printer.
        verify_tls: Whether its certificate must be of an authority that the farm trusts; for ``ipps``.
    """

    name: str
    uri: str | None
    agent: bool
    location: str | None
    is_default: bool
    verify_tls: bool


def wished(
    session: Session, *, printer_name: str | None, number_of_copies: int, options: Mapping[str, Any] | None
) -> Printer:
    """Return the printer for a new print task. Until this transaction ends, nobody removes it.

    Args:
        session: The writing transaction that makes the task.
        printer_name: Its name; None: the default printer.
        number_of_copies: How many are asked for.
        options: The task's options.

    Raises:
        UnprocessableError: There is no such printer, or it cannot do what is asked; all of that is listed.
    """
    chosen = Printer.is_default if printer_name is None else Printer.name == printer_name
    found = None
    if storable(printer_name or ""):
        # Creators of tasks do not wait for each other, nor for a step of printing; only a removal does.
        found = session.scalars(select(Printer).where(chosen).with_for_update(read=True, key_share=True)).first()
    if found is None:
        raise UnprocessableError([("printerName", _unknown(session, printer_name))])
    wrong = printer_options.problems(
        found.capabilities, printer_name=found.name, number_of_copies=number_of_copies, options=options
    )
    if wrong:
        raise UnprocessableError(wrong)
    return found


def create(session: Session, fields: PrinterFields, *, created_by: str | None) -> Printer:
    """Store a new printer, of which nothing is known yet.

    Raises:
        InvalidRequestError: There is no way to reach it, or there are two; the text says what was expected.
        ConflictError: The name is taken.
    """
    printer = Printer(id=new_id(), name=fields.name, created_by=created_by)
    _set(printer, fields)
    _become_default(session, printer, wanted=fields.is_default)
    session.add(printer)
    _flush(session, fields.name)
    session.refresh(printer)
    return printer


def change(session: Session, printer: Printer, fields: PrinterFields) -> bool:
    """Change a printer that is held, and return whether the device may be another now, and has to be read anew.

    Raises:
        InvalidRequestError: There is no way to reach it, or there are two; the text says what was expected.
        ConflictError: The name is taken; or tasks wait for the farm, or an agent, and the other is to print now.
    """
    if fields.agent != printer.agent and (active := _active(session, printer)):
        raise ConflictError(
            f"Printer {printer.name!r} has {_counted(active)}: wait for their end, or cancel them, before you change "
            "whether an agent serves it",
            field="agent",
        )
    elsewhere = (fields.uri, fields.agent) != (printer.uri, printer.agent)
    if fields.name != printer.name:
        # An agent looks for its work by the printer's name.
        of_it = (PrintTask.printer_id == printer.id, PrintTask.status.in_(ACTIVE))
        session.execute(update(PrintTask).where(*of_it).values(printer_name=fields.name))
    again = elsewhere or fields.verify_tls != printer.verify_tls
    printer.name = fields.name
    _set(printer, fields)
    _become_default(session, printer, wanted=fields.is_default)
    if elsewhere:
        for name, value in UNREAD.items():
            setattr(printer, name, value)
    printer.retry_at, printer.modified_at = None, now()
    _flush(session, fields.name)
    session.refresh(printer)
    return again and printer.uri is not None


def fields_of(printer: Printer) -> PrinterFields:
    """Return what was said of a printer."""
    return PrinterFields(
        name=printer.name,
        uri=printer.uri,
        agent=printer.agent,
        location=printer.location,
        is_default=printer.is_default,
        verify_tls=printer.verify_tls,
    )


def find(session: Session, key: str, *, held: bool = False) -> Printer:
    """Return the printer with this id or name.

    Args:
        session: A transaction.
        key: The id or the name.
        held: Whether nobody else may change or remove it, or make a task for it, until the transaction ends.

    Raises:
        NotFoundError: There is none; the text lists the known ones.
    """
    chosen = select(Printer).where(or_(Printer.id == key, Printer.name == key)).order_by(Printer.id != key).limit(1)
    found = None
    if storable(key):
        found = session.scalars(chosen.with_for_update() if held else chosen).first()
    if found is None:
        raise NotFoundError(_unknown(session, key))
    return found


def listed(
    session: Session, *, offset: int, limit: int, search: str = "", sort: str = "name"
) -> tuple[Sequence[Printer], int]:
    """Return one page of the printers, and how many there are in all.

    Args:
        session: A transaction.
        offset: How many come before the page.
        limit: How many the page may have.
        search: A part of the name or the location, in upper or lower case; empty: any.
        sort: A key of `SORTED_BY`, with a ``-`` before it for descending.
    """
    conditions = []
    if search:
        texts = (Printer.name, Printer.location)
        conditions.append(or_(*(text.icontains(search, autoescape=True) for text in texts)))
    column = SORTED_BY[sort.removeprefix("-")]
    order = column.desc() if sort.startswith("-") else column.asc()
    page = select(Printer).where(*conditions).order_by(order, Printer.id).offset(offset).limit(limit)
    total = session.scalar(select(func.count()).select_from(Printer).where(*conditions))
    return session.scalars(page).all(), total or 0


def open_tasks(session: Session, names: Sequence[str]) -> dict[str, int]:
    """Return by name how many print tasks each of some printers has that have not ended; one with none is not in it."""
    # By name, as an index has it with the status: a printer may have ended many thousands. Those that have not ended
    # bear its name of today.
    counted = select(PrintTask.printer_name, func.count())
    counted = counted.where(PrintTask.printer_name.in_(names), PrintTask.status.in_(ACTIVE))
    return dict(session.execute(counted.group_by(PrintTask.printer_name)).all())


def remove(session: Session, printer: Printer) -> None:
    """Remove a printer that is held. Its ended tasks stay, and keep its name.

    Raises:
        ConflictError: Some of its tasks have not ended; the text has their number.
    """
    if active := _active(session, printer):
        raise ConflictError(
            f"Printer {printer.name!r} has {_counted(active)}: wait for their end, or cancel them, before you remove it"
        )
    session.delete(printer)


def _active(session: Session, printer: Printer) -> int:
    active = select(func.count()).where(PrintTask.printer_id == printer.id, PrintTask.status.in_(ACTIVE))
    return session.scalar(active) or 0


def _counted(tasks: int) -> str:
    return "1 print task that has not ended" if tasks == 1 else f"{tasks} print tasks that have not ended"


def _set(printer: Printer, fields: PrinterFields) -> None:
    if fields.agent == (fields.uri is not None):
        said = "both a uri and an agent" if fields.agent else "neither a uri nor an agent"
        raise InvalidRequestError(
            f"The printer has {said}: expected either uri, such as {EXAMPLES}, or agent true", field="uri"
        )
    printer.uri = None if fields.uri is None else checked_uri(fields.uri)
    printer.agent, printer.verify_tls, printer.location = fields.agent, fields.verify_tls, fields.location


def checked_uri(uri: str) -> str:
    """Return a printer's URI; one without a port means IPP's own.

    Raises:
        InvalidRequestError: It is none that the farm can print to; the text has examples.
    """
    shown = repr(uri[:SHOWN_CHARACTERS])
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
        # As whoever looks it up will do.
        (host or "").encode("idna")
    except ValueError as error:
        raise InvalidRequestError(
            f"uri {shown} cannot be read: {error}; expected such as {EXAMPLES}", field="uri"
        ) from error
    plain = uri.isascii() and uri.isprintable() and " " not in uri
    if parts.scheme not in {"ipp", "ipps"} or not host or not plain or port == 0 or parts.fragment:
        raise InvalidRequestError(f"uri is {shown}: expected an ipp or ipps URI, such as {EXAMPLES}", field="uri")
    if parts.username is not None or parts.password is not None:
        raise InvalidRequestError(
            f"uri has a user or a password: expected one without, such as {EXAMPLES}; the farm shows URIs to whoever "
            "may use it",
            field="uri",
        )
    return uri


def _become_default(session: Session, printer: Printer, *, wanted: bool) -> None:
    """Make a printer the default one in place of any other, or see to it that it is not."""
    if wanted and not printer.is_default:
        # Before the new one's row is written: a database holds one default at most.
        with session.no_autoflush:
            session.execute(update(Printer).where(Printer.is_default).values(is_default=False))
    printer.is_default = wanted


def _flush(session: Session, name: str) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        if "default" in str(error.orig):
            raise ConflictError("Another printer becomes the default at this moment: try again") from error
        raise ConflictError(f"There is a printer named {name!r} already", field="name") from error


def _unknown(session: Session, name: str | None) -> str:
    known = session.scalars(select(Printer.name).order_by(Printer.name)).all()
    if not known:
        expected = "the farm has none yet; POST /api/v1/printer adds one"
    else:
        more = " and others" if len(known) > MOST_NAMED else ""
        expected = f"expected one of {', '.join(map(repr, known[:MOST_NAMED]))}{more}"
    if name is None:
        return f"printerName is missing, and no printer is the default: {expected}"
    near = nearest(name, known)
    meant = f"; did you mean {near!r}?" if near else ""
    return f"There is no printer {name[:SHOWN_CHARACTERS]!r}: {expected}{meant}"
