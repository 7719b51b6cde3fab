"""What a device says of itself: its capabilities, its state, and why it could not be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from shared import ipp, printers
from shared.database import now
from shared.exceptions import ConflictError
from shared.models import Printer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from shared.database import Database

# Somebody waits for the answer.
CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 6.0
STATES = {3: "idle", 4: "processing", 5: "stopped"}
# The capability, and the attribute that lists it.
LISTS = {
    "duplex": "sides-supported",
    "media": "media-supported",
    "trays": "media-source-supported",
    "formats": "document-format-supported",
    "jobAttributes": "job-creation-attributes-supported",
}
SINGLES: dict[str, tuple[str, type]] = {
    "pageRanges": ("page-ranges-supported", bool),
    "makeAndModel": ("printer-make-and-model", str),
    "mediaDefault": ("media-default", str),
}


def refresh(database: Database, printer: Printer) -> Printer:
    """Ask a device about itself, and write down what it says, or why it does not.

    Args:
        database: Where the printer's row is; no transaction is open while the device is asked.
        printer: The printer.

    Returns:
        The printer as it is then.

    Raises:
        ConflictError: An agent serves it, so that there is nobody to ask.
        NotFoundError: It was removed meanwhile.
    """
    if printer.uri is None:
        raise ConflictError(f"Printer {printer.name!r} is served by an agent: the farm cannot ask it about itself")
    device = ipp.Printer(
        printer.uri, verify_tls=printer.verify_tls, connect_seconds=CONNECT_SECONDS, answer_seconds=ANSWER_SECONDS
    )
    try:
        values = reading_of(device.attributes())
    except (ipp.PrinterUnreachableError, ipp.PrinterRefusedError) as error:
        values = {"error": error.message}
    with database.writing() as session:
        write(session, printer, values)
        return printers.find(session, printer.id)


def write(session: Session, printer: Printer, values: Mapping[str, Any]) -> None:
    """Write down what a device said, unless the printer is another device since."""
    session.execute(
        update(Printer)
        .where(Printer.id == printer.id, Printer.uri == printer.uri)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def reading_of(attributes: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Return the columns of a printer that answered."""
    return {"capabilities": capabilities_of(attributes), **state_of(attributes), "error": None, "failures": 0}


def state_of(attributes: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Return the columns of a printer's state."""
    reasons = [one for one in _all(attributes, "printer-state-reasons", str) if one != "none"]
    if attributes.get("printer-is-accepting-jobs") == [False]:
        reasons.append("not-accepting-jobs")
    return {
        "state": STATES.get(_first(attributes, "printer-state", int)),
        "state_reasons": reasons,
        "state_message": _first(attributes, "printer-state-message", str) or None,
        "read_at": now(),
        "retry_at": None,
    }


def capabilities_of(attributes: Mapping[str, list[Any]]) -> dict[str, Any]:
    """Return what a device can do; what it does not say is not there."""
    known: dict[str, Any] = {
        name: values for name, attribute in LISTS.items() if (values := _all(attributes, attribute, str))
    }
    for name, (attribute, kind) in SINGLES.items():
        if (value := _first(attributes, attribute, kind)) not in (None, ""):
            known[name] = value
    copies = _first(attributes, "copies-supported", (tuple, int))
    if copies is not None:
        # A range; of some devices the largest number.
        known["maxCopies"] = copies[1] if isinstance(copies, tuple) else copies
    operations = {int(one) for one in ipp.Operation} & set(_all(attributes, "operations-supported", int))
    if operations:
        known["operations"] = [ipp.Operation(one).title for one in sorted(operations)]
    if colour := _colour(attributes):
        known["colour"] = colour
    return known


def _colour(attributes: Mapping[str, list[Any]]) -> list[bool]:
    modes = attributes.get("print-color-mode-supported", [])
    if modes:
        return [colour for colour, mode in ((True, "color"), (False, "monochrome")) if mode in modes]
    return [False] if attributes.get("color-supported") == [False] else []


def _all(attributes: Mapping[str, list[Any]], name: str, kind: type | tuple[type, ...]) -> list[Any]:
    # What a device says in another type than the standard's is as good as nothing.
    return [one for one in attributes.get(name, []) if isinstance(one, kind)]


def _first(attributes: Mapping[str, list[Any]], name: str, kind: type | tuple[type, ...]) -> Any:
    return next(iter(_all(attributes, name, kind)), None)
