"""What became of a recorded request, told from the answer it got and from nothing else."""

from __future__ import annotations

import enum


class Status(enum.StrEnum):
    """A history record's status, in JasperWho?'s words."""

    OK = "Ok"
    ERROR = "Error"
    RENDER_FAIL = "Render Fail"
    UNKNOWN = "Unknown"


def status_of(response: object, *, has_pdf: bool) -> Status:
    """Derive a record's status from the answer that is stored with it.

    Args:
        response: The answer as JSON: an envelope of ``/api/v1``; None while there is none.
        has_pdf: Whether the record has a PDF.

    Returns:
        ``Error`` when the answer names errors; without errors ``Ok`` or ``Render Fail``, as there is a PDF or none;
        ``Unknown`` when the answer does not tell: it is no object, its errors are no list, or it failed without one.
    """
    if not isinstance(response, dict):
        return Status.UNKNOWN
    errors = response.get("errors", [])
    if not isinstance(errors, list):
        return Status.UNKNOWN
    if errors:
        return Status.ERROR
    if response.get("success", True) is not True:
        return Status.UNKNOWN
    return Status.OK if has_pdf else Status.RENDER_FAIL
