"""The operations of RFC 8011 that the farm asks of a printer, or of a queue of a print server."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from shared import printer_options
from shared.ipp.encoding import Answer, Tag, encode
from shared.ipp.errors import FIRST_ERROR, STATUSES, UNKNOWN_JOB, PrinterRefusedError, PrinterUnreachableError
from shared.ipp.jobs import USER, opening, read_job
from shared.ipp.transport import ANSWER_SECONDS, CONNECT_SECONDS, Connector

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from shared.ipp.encoding import Attribute
    from shared.ipp.jobs import Job, Ticket
    from shared.ipp.transport import Document

NAME_BYTES = 255
WORDS_CHARACTERS = 500
PRINTER_ATTRIBUTES = (
    "color-supported",
    "copies-supported",
    "document-format-supported",
    "job-creation-attributes-supported",
    "media-default",
    "media-source-supported",
    "media-supported",
    "operations-supported",
    "page-ranges-supported",
    "print-color-mode-supported",
    "printer-is-accepting-jobs",
    "printer-make-and-model",
    "printer-state",
    "printer-state-message",
    "printer-state-reasons",
    "sides-supported",
)
JOB_ATTRIBUTES = ("job-id", "job-name", "job-state", "job-state-message", "job-state-reasons", "number-of-documents")


class Operation(enum.IntEnum):
    """The operations that the farm asks for."""

    PRINT_JOB = 0x0002
    VALIDATE_JOB = 0x0004
    CREATE_JOB = 0x0005
    SEND_DOCUMENT = 0x0006
    CANCEL_JOB = 0x0008
    GET_JOB_ATTRIBUTES = 0x0009
    GET_JOBS = 0x000A
    GET_PRINTER_ATTRIBUTES = 0x000B

    @property
    def title(self) -> str:
        """Its name as the standard writes it, such as ``Print-Job``."""
        return "-".join(part.capitalize() for part in self.name.split("_"))


class Printer:
    """A printer, or a queue of a print server, at its URI.

    Args:
        uri: ``ipp`` or ``ipps``.
        verify_tls: Whether the certificate must be of an authority that this machine trusts.
        connect_seconds: The bound of connecting.
        answer_seconds: That of an answer.
        before_each: Called before each request, which is not made when this raises.
    """

    def __init__(
        self,
        uri: str,
        *,
        verify_tls: bool,
        connect_seconds: float = CONNECT_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        before_each: Callable[[], None] | None = None,
    ) -> None:
        self.uri = uri
        self._before_each = before_each
        self._connector = Connector(uri, verify_tls, connect_seconds, answer_seconds)

    def attributes(self, names: Sequence[str] = PRINTER_ATTRIBUTES) -> Mapping[str, list[Any]]:
        """Ask the printer about itself. Each attribute that it has comes with all its values.

        Raises:
            PrinterUnreachableError, PrinterRefusedError: As of every operation.
        """
        asked = self._ask(Operation.GET_PRINTER_ATTRIBUTES, [("requested-attributes", Tag.KEYWORD, names)])
        return asked.printers[0] if asked.printers else {}

    def validate(self, ticket: Ticket) -> None:
        """Ask whether the printer would take a job."""
        self._ask(Operation.VALIDATE_JOB, *opening(ticket))

    def create(self, ticket: Ticket) -> int:
        """Open a job without a document, and return its number."""
        created = self._ask(Operation.CREATE_JOB, *opening(ticket, with_format=False))
        return self._job_id(created)

    def send(self, job_id: int, ticket: Ticket, document: Document) -> None:
        """Give an open job its one document."""
        attributes: list[Attribute] = [
            ("job-id", Tag.INTEGER, [job_id]),
            ("requesting-user-name", Tag.NAME, [USER]),
            ("document-name", Tag.NAME, [_name(ticket.document_name)]),
            ("document-format", Tag.MIME_TYPE, [printer_options.PDF]),
            ("last-document", Tag.BOOLEAN, [True]),
        ]
        self._ask(Operation.SEND_DOCUMENT, attributes, document=document)

    def print(self, ticket: Ticket, document: Document) -> int:
        """Open a job with its document, and return its number."""
        return self._job_id(self._ask(Operation.PRINT_JOB, *opening(ticket), document=document))

    def job(self, job_id: int) -> Job | None:
        """Ask how far a job is; None: the printer knows of no such job."""
        attributes: list[Attribute] = [
            ("job-id", Tag.INTEGER, [job_id]),
            ("requesting-user-name", Tag.NAME, [USER]),
            ("requested-attributes", Tag.KEYWORD, JOB_ATTRIBUTES),
        ]
        try:
            answer = self._ask(Operation.GET_JOB_ATTRIBUTES, attributes)
        except PrinterRefusedError as error:
            if error.status in UNKNOWN_JOB:
                return None
            raise
        return read_job(answer.jobs[0]) if answer.jobs else None

    def find(self, name: str) -> Job | None:
        """Find a job by its name, under way or ended; None: the printer knows of no such job."""
        for which in ("not-completed", "completed"):
            attributes: list[Attribute] = [
                ("requesting-user-name", Tag.NAME, [USER]),
                ("requested-attributes", Tag.KEYWORD, JOB_ATTRIBUTES),
                ("which-jobs", Tag.KEYWORD, [which]),
                ("my-jobs", Tag.BOOLEAN, [False]),
            ]
            for one in self._ask(Operation.GET_JOBS, attributes).jobs:
                if one.get("job-name") == [name] and (job := read_job(one)) is not None:
                    return job
        return None

    def cancel(self, job_id: int) -> None:
        """Ask the printer to give a job up."""
        self._ask(
            Operation.CANCEL_JOB,
            [("job-id", Tag.INTEGER, [job_id]), ("requesting-user-name", Tag.NAME, [USER])],
        )

    def _job_id(self, answer: Answer) -> int:
        for one in answer.jobs:
            for number in one.get("job-id", []):
                if isinstance(number, int) and number > 0:
                    return number
        raise PrinterUnreachableError("The printer took the job and did not say its number", sent=True)

    def _ask(
        self,
        operation: Operation,
        attributes: Sequence[Attribute],
        job_attributes: Sequence[Attribute] = (),
        *,
        document: Document | None = None,
    ) -> Answer:
        """Ask for an operation.

        Raises:
            PrinterUnreachableError: There was no answer.
            PrinterRefusedError: The answer is no.
        """
        if self._before_each is not None:
            self._before_each()
        asked: list[Attribute] = [
            ("attributes-charset", Tag.CHARSET, ["utf-8"]),
            ("attributes-natural-language", Tag.LANGUAGE, ["en"]),
            ("printer-uri", Tag.URI, [self.uri]),
            *attributes,
        ]
        answer = self._connector.exchange(encode(operation, asked, job_attributes), document)
        if answer.status >= FIRST_ERROR:
            words = [str(one) for one in answer.operation.get("status-message", []) if one]
            status = STATUSES.get(answer.status, f"status 0x{answer.status:04x}")
            raise PrinterRefusedError(
                f"{' '.join(words)[:WORDS_CHARACTERS] or 'It said no more'} ({operation.title}: {status})",
                status=answer.status,
            )
        return answer


def _name(text: str) -> str:
    return text.encode()[:NAME_BYTES].decode(errors="ignore")
