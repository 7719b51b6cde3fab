"""Every error that one part of Pressroom raises for another to tell apart.

The tree::

    PressroomError
    ├── SettingsError       the environment does not describe a farm that can start
    ├── InvalidRequestError the caller asked for something that cannot be done (a field and what was expected)
    ├── UnprocessableError  it is well-formed, and what it names does not allow it (all that is wrong with it)
    ├── ForbiddenError      it is not the caller's to ask, as they are now
    ├── NotFoundError       the thing named does not exist
    ├── ConflictError       it exists, but its state or its name forbids the request
    ├── TooLargeError       what was sent is over a limit of the farm
    ├── UnsupportedTypeError what was sent is of a kind that the farm does not take
    ├── NotReadyError       the farm cannot do it in time; trying again later may help
    ├── OverloadedError     too much waits already; trying again later will help
    └── RenderError         a render failed, with its cause
        ├── TemplateError       the template does not compile or raises
        ├── DataError           the data does not fit
        ├── EngineError         the engine refused or broke
        └── PartAwayError       what it needs is away: it is to be tried again later

The message comes first and says what was wrong, what was expected and what to do. Context is keyword-only.
None of the messages shows internals: they are written for the person who reads the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class PressroomError(Exception):
    """The root of the tree. Its text may be shown to a caller."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SettingsError(PressroomError):
    """Raised at start-up when a setting is missing, unknown, malformed or unsafe."""


class InvalidRequestError(PressroomError):
    """Raised when a request names a field that is unknown, of the wrong type or of an impossible value.

    Args:
        message: What was wrong and what was expected.
        field: The field's path in the request, for example ``options.reports.blobName``.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class UnprocessableError(PressroomError):
    """Raised when a well-formed request does not fit what it names: a template's parameters, a printer's capabilities.

    Args:
        problems: For each broken field its path and what is wrong with it: what it is, and what was expected.
    """

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(message for _, message in problems))
        self.problems = tuple(problems)


class ForbiddenError(PressroomError):
    """Raised when a request is refused for what it comes with, not for what it asks."""


class NotFoundError(PressroomError):
    """Raised when nothing has the id or name that was asked for.

    Args:
        message: What is not there.
        retry_after: Seconds after which it may be there; None: asking again is of no use.
    """

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ConflictError(PressroomError):
    """Raised when another thing has the name already, or a state forbids the change.

    Args:
        message: What stands in the way, and what to do about it.
        field: The path of the field that does, such as ``name``; None: none alone.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class TooLargeError(PressroomError):
    """Raised when what was sent is over a limit; the text names the limit and the setting."""


class UnsupportedTypeError(PressroomError):
    """Raised when what was sent is of a kind that the farm does not take; the text names those that it takes."""


class NotReadyError(PressroomError):
    """Raised when the farm cannot do the work in time.

    Args:
        message: What is not ready.
        retry_after: Seconds after which a new try makes sense; None: none does.
    """

    def __init__(self, message: str, *, retry_after: int | None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class OverloadedError(PressroomError):
    """Raised when so much work waits that no more is accepted.

    Args:
        message: How much waits, and which limit that is.
        retry_after: Seconds after which there will be room, as far as can be told.
    """

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RenderError(PressroomError):
    """Raised in a worker when a render fails for a reason that another try would not cure.

    Args:
        message: What was wrong, for the person who wrote the template or sent the data.
        line: The template's line, counted from 1, where it is known.
    """

    cause = "engine"

    def __init__(self, message: str, *, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class TemplateError(RenderError):
    """Raised when a template does not compile, or raises while it is expanded."""

    cause = "template"


class DataError(RenderError):
    """Raised when the data cannot be read or does not fit."""

    cause = "data"


class EngineError(RenderError):
    """Raised when an engine refuses the markup or breaks on it."""

    cause = "engine"


class PartAwayError(RenderError):
    """Raised in a worker when a part of the farm that a render needs does not answer: it waits, and does not fail.

    Args:
        message: What was not to be had.
        part: ``storage`` or ``database``.
    """

    def __init__(self, message: str, *, part: str) -> None:
        super().__init__(message)
        self.part = part
