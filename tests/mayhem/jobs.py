"""One piece of work of a client, from its wish to its end, and how its document is held against what was asked.

Every document carries its job's number; what is read back must have that one and no other.
"""

from __future__ import annotations

import hashlib
import io
import re
import time
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

import pypdf

from mayhem.ledger import Breach

if TYPE_CHECKING:
    import requests

    from mayhem.door import Door

NUMBER = re.compile(r"N-\d{7}")
PDF = "application/pdf"
OK, CREATED, ACCEPTED, NOT_FOUND, UNAVAILABLE = 200, 201, 202, 404, 503


class NotAcceptedError(Exception):
    """Raised when the farm did not take a job; the text is its answer's status."""


class BreachError(Exception):
    """Raised when something is not as it was promised."""

    def __init__(self, breach: Breach, text: str) -> None:
        super().__init__(text)
        self.breach = breach


class Job:
    """One piece of work.

    Attributes:
        number: What its document carries.
        trace_id: Its trace.
        id: The farm's id of it, once accepted.
        end: How it ended, once that was seen.
        done: Whether all of it was seen and checked.
        stored: The key of its object without folder, once it succeeded.
        sha256: Of its document, as it was served.
        attempts: How many the farm needed.
    """

    kind: ClassVar[str]

    def __init__(self, number: str, printer: str | None = None) -> None:
        self.number = number
        self.printer = printer
        self.trace_id = uuid.uuid4().hex
        self.id = ""
        self.sent_at = self.ended_at = 0.0
        self.end: str | None = None
        self.done = False
        self.stored: str | None = None
        self.sha256: str | None = None
        self.attempts = 0
        self.look_at = 0.0

    def __str__(self) -> str:
        return f"{self.kind} {self.number} (id {self.id or 'unknown'}, trace {self.trace_id})"

    def submit(self, door: Door) -> None:
        """Send it.

        Raises:
            NotAcceptedError: The farm said no, or not now.
            UnansweredError: It said nothing.
        """
        raise NotImplementedError

    def look(self, door: Door) -> None:
        """Ask how far it is; when it has ended, check what came of it. It is `done` then.

        Raises:
            BreachError: A promise was not kept.
            UnansweredError: The farm said nothing.
        """
        raise NotImplementedError

    def _send(self, door: Door, path: str, body: object, **options: Any) -> requests.Response:
        self.sent_at = time.monotonic()
        return door.ask("POST", path, json=body, headers={"X-Trace-Id": self.trace_id}, **options)

    def _ended(self, end: str) -> None:
        self.end = end
        self.ended_at = time.monotonic()

    def _fetch(self, door: Door, path: str) -> bool:
        """Read the document and hold it against what was asked; False when it cannot be had right now."""
        answer = door.ask("GET", path)
        if answer.status_code >= UNAVAILABLE:
            return False
        if answer.status_code != OK:
            raise BreachError(Breach.LOST, f"{self} succeeded, but {path} answers {answer.status_code}")
        self.sha256 = hashlib.sha256(answer.content).hexdigest()
        if answer.headers.get("ETag") != f'"{self.sha256}"':
            raise BreachError(
                Breach.WRONG, f"{self}: its ETag is {answer.headers.get('ETag')}, its SHA-256 {self.sha256}"
            )
        self._check(answer)
        return True

    def _check(self, answer: requests.Response) -> None:
        found = numbers(answer.content, answer.headers.get("Content-Type", ""))
        if found != {self.number}:
            raise BreachError(Breach.WRONG, f"{self}: its document carries {sorted(found) or 'no number'}")


def numbers(content: bytes, media_type: str) -> set[str]:
    """Return the numbers that a document carries.

    Args:
        content: The document.
        media_type: Its type; what is no PDF is read as text.
    """
    if media_type.startswith(PDF):
        text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages)
    else:
        text = content.decode()
    return set(NUMBER.findall(text))
