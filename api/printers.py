"""Printers over HTTP. A key in an address is a printer's id or its name."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, Literal

from flask import Blueprint, g
from pydantic import Field

from api import gateway, links, print_tasks
from api.access import caller, refuse_foreign_page, source
from api.bodies import NAME_LENGTH, Name, Strict, Text, has_body, read_body
from api.envelope import success
from api.odata.properties import moment
from api.openapi import described
from api.openapi.operations import printers as operations
from api.paging import PageQuery, read_query
from api.print_bodies import TestPageBody
from shared import print_orders, printer_readings, printers
from shared.print_orders import Wish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Response
    from sqlalchemy.orm import Session

    from shared.models import Printer

URI_LENGTH = 1000

blueprint = Blueprint("printers", __name__, url_prefix="/api/v1/printer")


class PrinterQuery(PageQuery):
    """The query of the list. ``search`` looks into names and locations."""

    sort: Literal[
        "name",
        "-name",
        "location",
        "-location",
        "state",
        "-state",
        "creationDate",
        "-creationDate",
        "modificationDate",
        "-modificationDate",
    ] = "name"


class NewPrinterBody(Strict):
    """The body of ``POST /api/v1/printer``."""

    name: Name
    uri: Annotated[Text, Field(max_length=URI_LENGTH)] | None = None
    agent: bool = False
    location: Annotated[Text, Field(max_length=NAME_LENGTH)] | None = None
    is_default: bool = Field(default=False, alias="isDefault")
    certificate_check: bool = Field(default=True, alias="certificateCheck")


class ChangedPrinterBody(Strict):
    """The body of ``PATCH /api/v1/printer/{key}``; what is not named stays."""

    # Null is no value for these; only what is not named has this default.
    name: Name = ""
    uri: Annotated[Text, Field(max_length=URI_LENGTH)] | None = None
    agent: bool = False
    location: Annotated[Text, Field(max_length=NAME_LENGTH)] | None = None
    is_default: bool = Field(default=False, alias="isDefault")
    certificate_check: bool = Field(default=True, alias="certificateCheck")

    def applied_to(self, fields: printers.PrinterFields) -> printers.PrinterFields:
        """Return what is said of the printer from now on. Naming one way to reach it drops the other."""
        named = {name: getattr(self, name) for name in self.model_fields_set}
        if "certificate_check" in named:
            named["verify_tls"] = named.pop("certificate_check")
        if named.get("agent"):
            named.setdefault("uri", None)
        elif named.get("uri") is not None:
            named.setdefault("agent", False)
        return dataclasses.replace(fields, **named)


@blueprint.get("")
@described(operations.LISTING, query=PrinterQuery)
def listing() -> Response:
    """List printers."""
    query = read_query(PrinterQuery)
    with gateway.current().database.reading() as session:
        found, total = printers.listed(
            session, offset=query.offset, limit=query.page_size, search=query.search, sort=query.sort
        )
        shown = _all_shown(session, found)
    return success(shown, page=query.page, pageSize=query.page_size, total=total)


@blueprint.post("")
@described(operations.CREATE, body=NewPrinterBody)
def create() -> Response:
    """Store a new printer, and ask it about itself."""
    body = read_body(NewPrinterBody)
    fields = printers.PrinterFields(
        name=body.name,
        uri=body.uri,
        agent=body.agent,
        location=body.location,
        is_default=body.is_default,
        verify_tls=body.certificate_check,
    )
    database = gateway.current().database
    with database.writing() as session:
        printer = printers.create(session, fields, created_by=caller())
    if printer.uri is not None:
        printer = printer_readings.refresh(database, printer)
    answer = success(_shown(printer), status=201)
    answer.headers["Location"] = links.absolute("printers.read", key=printer.id)
    return answer


@blueprint.get("/<path:key>")
@described(operations.READ)
def read(key: str) -> Response:
    """Return a printer as it was last asked."""
    return success(_shown(_find(key)))


@blueprint.patch("/<path:key>")
@described(operations.CHANGE, body=ChangedPrinterBody)
def change(key: str) -> Response:
    """Change a printer; ask it about itself if it may be another device now."""
    body = read_body(ChangedPrinterBody)
    database = gateway.current().database
    with database.writing() as session:
        printer = printers.find(session, key, held=True)
        again = printers.change(session, printer, body.applied_to(printers.fields_of(printer)))
    if again:
        printer = printer_readings.refresh(database, printer)
    return success(_shown(printer))


@blueprint.delete("/<path:key>")
@described(operations.REMOVE)
def remove(key: str) -> Response:
    """Remove a printer that has nothing left to print."""
    with gateway.current().database.writing() as session:
        printer = printers.find(session, key, held=True)
        printers.remove(session, printer)
    return success({"id": printer.id, "name": printer.name})


@blueprint.post("/<path:key>/refresh")
@described(operations.REFRESH)
def refresh(key: str) -> Response:
    """Ask a printer about itself."""
    return success(_shown(printer_readings.refresh(gateway.current().database, _find(key))))


@blueprint.post("/<path:key>/test-page")
@described(operations.TEST_PAGE, body=TestPageBody)
def test_page(key: str) -> Response:
    """Print the page that shows what a printer makes of a document."""
    if has_body():
        body = read_body(TestPageBody)
    else:
        refuse_foreign_page("print here: send JSON, or print from the farm's own")
        body = TestPageBody()
    farm = gateway.current()
    wish = Wish(
        printer_name=_find(key).name,
        number_of_copies=body.number_of_copies,
        options=body.options.given,
        created_by=caller(),
        source=source(),
    )
    return print_tasks.made(print_orders.print_test_page(farm.database, farm.storage, trace_id=g.trace_id, wish=wish))


def _find(key: str) -> Printer:
    with gateway.current().database.reading() as session:
        return printers.find(session, key)


def _shown(printer: Printer) -> dict[str, Any]:
    with gateway.current().database.reading() as session:
        return _all_shown(session, [printer])[0]


def _all_shown(session: Session, found: Sequence[Printer]) -> list[dict[str, Any]]:
    open_tasks = printers.open_tasks(session, [one.name for one in found])
    return [_entry(one, open_tasks.get(one.name, 0)) for one in found]


def _entry(printer: Printer, open_tasks: int) -> dict[str, Any]:
    return {
        "id": printer.id,
        "name": printer.name,
        "uri": printer.uri,
        "agent": printer.agent,
        "location": printer.location,
        "isDefault": printer.is_default,
        "certificateCheck": printer.verify_tls,
        "capabilities": printer.capabilities,
        "state": printer.state,
        "stateReasons": printer.state_reasons,
        "stateMessage": printer.state_message,
        "readDate": None if printer.read_at is None else moment(printer.read_at),
        "error": printer.error,
        "openPrintTasks": open_tasks,
        "createdBy": printer.created_by,
        "creationDate": moment(printer.created_at),
        "modificationDate": moment(printer.modified_at),
    }
