"""One step of a print task in talk with its printer: the document is handed over, or the job is asked how far it is.

A document is handed over once, whatever dies in between. The job bears the print task's id as its name, and its number
is written down before the document goes out:

- killed before that: the next step finds the job by its name, or there is none; either way it has no document;
- killed after that: the next step asks for the job, and sends the document only if the printer says that it has none;
- a printer that takes both at once (Print-Job) is asked for the job by its name; where it knows of none although a
  document may have reached it, nobody can tell, and nothing is sent again.
"""

from __future__ import annotations

import contextlib
import functools
import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from shared import ipp, printer_options, printer_readings
from shared.database import now
from shared.ipp import JobState, Operation
from shared.print_tasks import Status
from shared.storage import CHUNK_BYTES, CorruptObjectError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import IO

    from shared.models import Printer, PrintTask
    from shared.storage import Storage

# What is written down before a printer is given job and document at once.
SENDING = "sending"
NO_DOCUMENT = "The document is not in the storage any more"
DAMAGED = "The stored document was damaged; nothing of it was printed"
# Columns of a printer that answered, whatever it said.
ANSWERED: dict[str, Any] = {"error": None, "failures": 0, "retry_at": None}
STATE_ATTRIBUTES = (
    "printer-is-accepting-jobs",
    "printer-state",
    "printer-state-message",
    "printer-state-reasons",
)
STATUSES = {
    JobState.PENDING: Status.SENT,
    JobState.PENDING_HELD: Status.SENT,
    JobState.PROCESSING: Status.PRINTING,
    JobState.PROCESSING_STOPPED: Status.PRINTING,
    JobState.CANCELED: Status.CANCELLED,
    JobState.ABORTED: Status.FAILED,
    JobState.COMPLETED: Status.COMPLETED,
}
WAITING = (JobState.PENDING, JobState.PENDING_HELD, JobState.PROCESSING_STOPPED)


class StepLostError(Exception):
    """Raised when the step is another worker's by now: whatever this one would do must not be done."""


@dataclass(slots=True)
class Outcome:
    """What a step came to.

    Attributes:
        status: The task's status from now on.
        error: Why it did not come to paper.
        values: Further columns of the task.
        reading: Columns of the printer, which answered.
    """

    status: Status
    error: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    reading: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Step:
    """One step of one task.

    Attributes:
        task: The task, as it was when the step was taken.
        printer: Its printer, likewise.
        document_key: The document's storage key; None: it has none.
        storage: Where that is.
        document_sha256: The document's hash; None: the one that is kept with it is what it must have.
        note: Writes columns of the task down at once; raises `StepLostError`.
        keep: Called before each request, and again and again while a document goes out; raises `StepLostError`.
    """

    task: PrintTask
    printer: Printer
    document_key: str | None
    storage: Storage
    note: Callable[..., None]
    keep: Callable[[], None]
    document_sha256: str | None = None

    @property
    def device(self) -> ipp.Printer:
        """The printer, to be spoken to."""
        return ipp.Printer(self.printer.uri or "", verify_tls=self.printer.verify_tls, before_each=self.keep)

    def perform(self) -> Outcome:
        """Do the step.

        Raises:
            PrinterUnreachableError, PrinterRefusedError: The printer does not answer, or says no.
            StepLostError: It is somebody else's by now.
            StorageError: The document cannot be read.
        """
        if self.task.job_id is None:
            return self._hand_over()
        return self._follow(self.task.job_id)

    def _hand_over(self) -> Outcome:
        device, task = self.device, self.task
        reading = printer_readings.reading_of(device.attributes())
        if task.attempt > 1 and (job := device.find(task.id)) is not None:
            self._note_job(job.id)
            outcome = self._judge(job)
            outcome.reading = reading | outcome.reading
            return outcome
        if task.job_state == SENDING:
            return Outcome(
                Status.UNKNOWN,
                "The printer knows of no such job, though the document was sent to it: it may have been printed or not",
            )
        known = reading["capabilities"]
        wrong = printer_options.problems(
            known, printer_name=self.printer.name, number_of_copies=task.number_of_copies, options=task.options
        )
        if wrong:
            return Outcome(Status.FAILED, "; ".join(problem for _, problem in wrong), reading=reading)
        with self._document() as document:
            if isinstance(document, str):
                return Outcome(Status.FAILED, document, reading=reading)
            ticket, operations = self._ticket(known), set(known.get("operations", []))
            if Operation.VALIDATE_JOB.title in operations:
                device.validate(ticket)
            if {Operation.CREATE_JOB.title, Operation.SEND_DOCUMENT.title} <= operations:
                job_id = device.create(ticket)
                self._note_job(job_id)
                return self._send(job_id, ticket, document, reading)
            return self._print(ticket, document, reading)

    def _print(self, ticket: ipp.Ticket, document: ipp.Document, reading: dict[str, Any]) -> Outcome:
        """Give job and document at once."""
        self._note(job_state=SENDING)
        try:
            job_id = self.device.print(ticket, document)
        except (ipp.PrinterUnreachableError, ipp.PrinterRefusedError) as error:
            if not getattr(error, "sent", False):
                # Nothing arrived, or nothing was taken.
                self._note(job_state=None)
            raise
        self._note_job(job_id)
        return Outcome(Status.SENT, values={"sent_at": now()}, reading=reading)

    def _send(self, job_id: int, ticket: ipp.Ticket, document: ipp.Document, reading: dict[str, Any]) -> Outcome:
        """Give an open job its document."""
        try:
            self.device.send(job_id, ticket, document)
        except ipp.PrinterRefusedError as error:
            if error.is_for_now:
                raise
            self._drop(job_id)
            return Outcome(Status.FAILED, f"The printer refused: {error.message}", reading=reading)
        return Outcome(Status.SENT, values={"sent_at": now()}, reading=reading)

    def _drop(self, job_id: int) -> None:
        """Let no open job without a document stay with the printer, if that can be helped."""
        with contextlib.suppress(ipp.PrinterUnreachableError, ipp.PrinterRefusedError):
            self.device.cancel(job_id)

    def _follow(self, job_id: int) -> Outcome:
        device = self.device
        job = device.job(job_id)
        if job is not None and self.task.cancel_requested and job.state < JobState.CANCELED:
            # It may have ended at this moment; that it did is seen next.
            with contextlib.suppress(ipp.PrinterRefusedError):
                device.cancel(job_id)
            job = device.job(job_id)
        if job is None or job.name not in (None, self.task.id):
            # Numbers begin anew at a printer that was replaced or reset.
            return Outcome(
                Status.UNKNOWN,
                f"The printer knows nothing of job {job_id} any more: it may have been printed or not",
            )
        return self._judge(job)

    def _judge(self, job: ipp.Job) -> Outcome:
        """Return what a job's state means; send the document if the printer says that it never came."""
        if job.lacks_document and self.task.status == Status.PENDING and not self.task.cancel_requested:
            return self._send_again(job)
        reading: dict[str, Any] = {}
        reasons = list(job.reasons)
        if job.state in WAITING:
            # Paper that is out, a cover that is open: the printer says so of itself, and not always of the job.
            reading = printer_readings.state_of(self.device.attributes(STATE_ATTRIBUTES))
            reasons += [one for one in reading["state_reasons"] if one not in reasons]
        status = STATUSES[job.state]
        if status == Status.SENT and self.task.status == Status.PRINTING:
            # A queue that stops takes the job it was printing back.
            status = Status.PRINTING
        values: dict[str, Any] = {"job_state": job.state.keyword, "job_state_reasons": reasons}
        if self.task.sent_at is None and status in (Status.SENT, Status.PRINTING, Status.COMPLETED):
            values["sent_at"] = now()
        error = None
        if status == Status.FAILED:
            error = f"The printer gave the job up: {job.message or ', '.join(reasons) or 'it did not say why'}"
        return Outcome(status, error, values, ANSWERED | reading)

    def _send_again(self, job: ipp.Job) -> Outcome:
        with self._document() as document:
            if isinstance(document, str):
                self._drop(job.id)
                return Outcome(Status.FAILED, document)
            return self._send(job.id, self._ticket(self.printer.capabilities or {}), document, dict(ANSWERED))

    def _note_job(self, job_id: int) -> None:
        self._note(job_id=job_id)

    def _note(self, **values: Any) -> None:
        self.note(**values)
        for name, value in values.items():
            setattr(self.task, name, value)

    def _ticket(self, known: Mapping[str, Any]) -> ipp.Ticket:
        return ipp.Ticket(
            name=self.task.id,
            document_name=self.task.file_name,
            copies=self.task.number_of_copies,
            options=self.task.options or {},
            supported=known.get("jobAttributes"),
        )

    @contextlib.contextmanager
    def _document(self) -> Iterator[ipp.Document | str]:
        """Open the document, as it was stored, in a file without a name; a text: there is none, and why."""
        with tempfile.TemporaryFile(prefix="pressroom-print-") as file:
            problem = self._fetch(file)
            if problem is not None:
                yield problem
                return
            size = file.tell()
            file.seek(0)
            yield ipp.Document(size, self._kept(iter(functools.partial(file.read, CHUNK_BYTES), b"")))

    def _fetch(self, file: IO[bytes]) -> str | None:
        """Fetch the document to its end, and check it, before the printer hears of it; return why that is in vain."""
        if self.document_key is None:
            return NO_DOCUMENT
        try:
            self.storage.fetch(
                self.document_key, cast("IO[bytes]", _Kept(file, self.keep)), sha256=self.document_sha256
            )
        except FileNotFoundError:
            return NO_DOCUMENT
        except CorruptObjectError:
            return DAMAGED
        return None

    def _kept(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Keep the step for as long as the document is on its way."""
        for chunk in chunks:
            self.keep()
            yield chunk
        self.keep()


class _Kept:
    """A file that keeps the step for as long as something is written into it."""

    def __init__(self, file: IO[bytes], keep: Callable[[], None]) -> None:
        self.seek, self.truncate = file.seek, file.truncate
        self._file, self._keep = file, keep

    def write(self, chunk: bytes) -> int:
        self._keep()
        return self._file.write(chunk)
