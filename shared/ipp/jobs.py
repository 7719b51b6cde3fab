"""Jobs: what a printer is told of one, and what it says of one."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared import printer_options
from shared.ipp.encoding import Tag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.ipp.encoding import Attribute

USER = "pressroom"
# PWG 5101.1: the name of a size ends with it, as in iso_a4_210x297mm; a hundredth of a millimetre is the unit.
_SIZE = re.compile(r"_(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)(mm|in)$")
_UNITS = {"mm": 100, "in": 2540}


class JobState(enum.IntEnum):
    """How far a job is (RFC 8011, 5.3.7)."""

    PENDING = 3
    PENDING_HELD = 4
    PROCESSING = 5
    PROCESSING_STOPPED = 6
    CANCELED = 7
    ABORTED = 8
    COMPLETED = 9

    @property
    def keyword(self) -> str:
        """Its name as the standard writes it, such as ``processing-stopped``."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What a printer is told of a job.

    Attributes:
        name: The job's name, by which it is found again.
        document_name: The document's, for people.
        copies: How many the printer makes.
        options: As of a print task.
        supported: The attributes that the printer takes with a job; None: it did not say.
    """

    name: str
    document_name: str
    copies: int
    options: Mapping[str, Any]
    supported: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as the printer describes it.

    Attributes:
        id: Its number.
        name: Its name; None: the printer did not say.
        state: How far it is.
        reasons: Why, as keywords.
        message: The same for people.
        documents: How many documents it has; None: the printer did not say.
    """

    id: int
    name: str | None
    state: JobState
    reasons: list[str]
    message: str | None
    documents: int | None

    @property
    def lacks_document(self) -> bool:
        """Whether nothing of a document has arrived, as far as the printer says."""
        waits = self.state in (JobState.PENDING, JobState.PENDING_HELD)
        return waits and (self.documents == 0 or (self.documents is None and "job-incoming" in self.reasons))


def opening(ticket: Ticket, *, with_format: bool = True) -> tuple[list[Attribute], list[Attribute]]:
    """Return the attributes of an operation that opens a job, and those of the job."""
    asked: list[Attribute] = [
        ("requesting-user-name", Tag.NAME, [USER]),
        ("job-name", Tag.NAME, [ticket.name]),
        ("ipp-attribute-fidelity", Tag.BOOLEAN, [False]),
    ]
    if with_format:
        asked.append(("document-format", Tag.MIME_TYPE, [printer_options.PDF]))
    return asked, _template(ticket)


def _template(ticket: Ticket) -> list[Attribute]:
    wanted: list[Attribute] = [("copies", Tag.INTEGER, [ticket.copies])] if ticket.copies > 1 else []
    options = {name: value for name, value in ticket.options.items() if value is not None}
    if "duplex" in options:
        wanted.append(("sides", Tag.KEYWORD, [options["duplex"]]))
    # One that takes no colour mode prints in one way only: that which was asked for, or the task would not be.
    if "colour" in options and (ticket.supported is None or "print-color-mode" in ticket.supported):
        wanted.append(("print-color-mode", Tag.KEYWORD, ["color" if options["colour"] else "monochrome"]))
    if "pageRanges" in options:
        wanted.append(("page-ranges", Tag.RANGE, printer_options.page_ranges(options["pageRanges"])))
    media, tray = options.get("media"), options.get("tray")
    size = _SIZE.search(media or "")
    if tray is not None:
        # A tray goes into a collection, and so must a size then: a job has one of both (PWG 5100.7, 6.3).
        members: list[Attribute] = [("media-source", Tag.KEYWORD, [tray])]
        if size:
            sides = [round(float(side) * _UNITS[size[3]]) for side in (size[1], size[2])]
            dimensions = [
                (name, Tag.INTEGER, [side]) for name, side in zip(("x-dimension", "y-dimension"), sides, strict=True)
            ]
            members.insert(0, ("media-size", Tag.BEGIN_COLLECTION, [dimensions]))
        wanted.append(("media-col", Tag.BEGIN_COLLECTION, [members]))
    if media is not None and not (tray is not None and size):
        wanted.append(("media", Tag.KEYWORD, [media]))
    return wanted


def read_job(attributes: Mapping[str, list[Any]]) -> Job | None:
    """Return a job from its attributes; None: they do not say how far it is."""

    def first(name: str) -> Any:
        return next(iter(attributes.get(name, [])), None)

    try:
        state = JobState(first("job-state"))
    except ValueError:
        return None
    return Job(
        id=first("job-id") or 0,
        name=first("job-name"),
        state=state,
        reasons=[str(one) for one in attributes.get("job-state-reasons", []) if one != "none"],
        message=first("job-state-message"),
        documents=first("number-of-documents"),
    )
