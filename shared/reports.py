"""Stored reports: what jsreport's users keep of a render."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from shared.database import now
from shared.exceptions import ConflictError, InvalidRequestError, NotFoundError
from shared.identifiers import new_shortid
from shared.models import Report
from shared.renders import LIGHT, State

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from shared.models import Render

FOLDER = "reports/"
BLOB_NAME_LENGTH = 200
# No dot in folders: "a" is stored as a.pdf, and "a.pdf/b" would need a folder of that name.
_BLOB_NAME = re.compile(r"(?:[A-Za-z0-9_-]+/)*[A-Za-z0-9_-][A-Za-z0-9._-]*")
# How the jsreport family of the API names the states.
PRESENTED = {
    State.QUEUED: "planned",
    State.RUNNING: "planned",
    State.SUCCEEDED: "success",
    State.FAILED: "error",
    State.CANCELLED: "cancelled",
}


def checked_blob_name(name: str) -> str:
    """Return the name if an object may be stored under it.

    Raises:
        InvalidRequestError: It is too long, empty, climbs out of its folder, or has characters that a key has not.
    """
    if len(name) > BLOB_NAME_LENGTH or not _BLOB_NAME.fullmatch(name):
        raise InvalidRequestError(
            f"blobName is {name[:BLOB_NAME_LENGTH]!r}: expected 1 to {BLOB_NAME_LENGTH} ASCII letters, digits, "
            "'.', '_' and '-', not beginning with '.', in folders joined by '/' whose names have no '.'",
            field="options.reports.blobName",
        )
    return name


def blob_stem(blob_name: str) -> str:
    """Return the storage key, without extension, of a report's object."""
    return f"{FOLDER}{blob_name}"


def stored_name(blob_key: str) -> str:
    """Return the name, with extension, of a report's stored object: what ``Report-BlobName`` says."""
    return blob_key.removeprefix(FOLDER)


def create(
    session: Session,
    render: Render,
    *,
    report_id: str,
    name: str,
    blob_name: str,
    public: bool = False,
    template_shortid: str | None = None,
    keep: bool = False,
    expires_in: float | None = None,
    task_id: str | None = None,
) -> Report:
    """Promise to keep a render's result.

    Raises:
        ConflictError: Another report has the ``blobName``; the text names that report.
    """
    report = Report(
        id=report_id,
        shortid=new_shortid(),
        render_id=render.id,
        name=name,
        blob_name=blob_name,
        public=public,
        template_shortid=template_shortid,
        keep=keep,
        expires_at=None if expires_in is None else now(expires_in),
        task_id=task_id,
    )
    session.flush()
    try:
        with session.begin_nested():
            session.add(report)
    except IntegrityError as error:
        first = session.scalar(select(Report.id).where(Report.blob_name == blob_name))
        raise ConflictError(
            f"blobName {blob_name!r} belongs to report {first} already: choose another, or delete that report first"
        ) from error
    return report


def remove(session: Session, report_id: str) -> None:
    """Remove a report; its render is then nobody's, and goes with the next sweep. Removing it twice is no error."""
    session.execute(delete(Report).where(Report.id == report_id).execution_options(synchronize_session=False))


def find(session: Session, report_id: str) -> Report:
    """Return a report with its render.

    Raises:
        NotFoundError: There is no such report.
    """
    # No id holds NUL, and PostgreSQL takes a question with one for an error.
    report = None
    if "\0" not in report_id:
        report = session.get(Report, report_id, options=[joinedload(Report.render).options(*LIGHT)])
    if report is None:
        raise NotFoundError(f"There is no report {report_id!r}")
    return report
