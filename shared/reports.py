"""Stored reports: what jsreport's users keep of a render."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import contains_eager, joinedload

from shared import renders, thumbnails
from shared.database import changed, core, now
from shared.exceptions import ConflictError, InvalidRequestError, NotFoundError
from shared.identifiers import new_shortid
from shared.models import Render, Report, SpentName
from shared.renders import ENDED, LIGHT, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Insert, Table
    from sqlalchemy.orm import Session
    from sqlalchemy.sql.elements import ColumnElement

    from shared.renders import SubmittedRender

FOLDER = "reports/"
BLOB_NAME_LENGTH = 200
# No dot in folders: "a" is stored as a.pdf, and "a.pdf/b" would need a folder of that name.
_BLOB_NAME = re.compile(r"(?:[A-Za-z0-9_-]+/)*[A-Za-z0-9_-][A-Za-z0-9._-]*")
_RENDERS = cast("Table", Render.__table__)
# Made once, as in `shared.renders`.
_CREATE = insert(cast("Table", Report.__table__))
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


@dataclass(frozen=True, slots=True)
class PromisedReport:
    """A report whose row was just written: its id, and whether everybody may read it."""

    id: str
    public: bool


def create(
    transaction: Session | Connection,
    render: Render | SubmittedRender,
    *,
    report_id: str,
    name: str,
    blob_name: str,
    public: bool = False,
    template_shortid: str | None = None,
    keep: bool = False,
    expires_in: float | None = None,
    task_id: str | None = None,
) -> PromisedReport:
    """Promise to keep a render's result.

    Raises:
        ConflictError: Another report has the ``blobName``; the text names that report.
    """
    values = {
        "id": report_id,
        "shortid": new_shortid(),
        "render_id": render.id,
        "name": name,
        "blob_name": blob_name,
        "public": public,
        "template_shortid": template_shortid,
        "keep": keep,
        "task_id": task_id,
        # Not the moment of this statement: lists by creation begin with either of the two tables.
        "created_at": render.submitted_at,
        "modified_at": render.submitted_at,
    }
    statement = _CREATE if expires_in is None else _CREATE.values(expires_at=now(expires_in))
    connection = core(transaction)
    if blob_name == report_id:
        # A name that was just made is nobody else's.
        connection.execute(statement, values)
    else:
        _create_named(connection, statement, values)
    return PromisedReport(report_id, public)


def create_many(connection: Connection, rows: Sequence[dict[str, Any]], *, expires_in: float | None) -> None:
    """Promise to keep the results of many renders, each under its report's id.

    Args:
        connection: The transaction that submits the renders.
        rows: For each ``id``, ``render_id``, ``name``, ``template_shortid``, ``public``, ``keep`` and ``created_at``.
        expires_in: Seconds after which the clean-up may remove them; None: as the farm's settings say.
    """
    statement = _CREATE if expires_in is None else _CREATE.values(expires_at=now(expires_in))
    rest = ({"shortid": new_shortid(), "blob_name": one["id"], "modified_at": one["created_at"]} for one in rows)
    connection.execute(statement, [one | two for one, two in zip(rows, rest, strict=True)])


def _create_named(connection: Connection, statement: Insert, values: dict[str, Any]) -> None:
    blob_name, render_id = values["blob_name"], values["render_id"]
    try:
        with connection.begin_nested():
            connection.execute(statement, values)
    except IntegrityError as error:
        first = connection.execute(select(Report.id, Report.removed_at).where(Report.blob_name == blob_name)).first()
        if first is None:
            raise
        advice = "delete that report first" if first.removed_at is None else "wait until that one is gone entirely"
        raise ConflictError(
            f"blobName {blob_name!r} belongs to report {first.id} already: choose another, or {advice}"
        ) from error
    # Asked when the name is this report's: whoever gave it up has said by then whether it is spent.
    is_spent = select(SpentName.name).where(SpentName.name == blob_name).exists()
    of_its_own = f"{blob_stem(blob_name)}~{render_id}"
    connection.execute(update(_RENDERS).where(_RENDERS.c.id == render_id, is_spent).values(blob_stem=of_its_own))


def change(
    session: Session, report_id: str, *, name: str | None = None, public: bool | None = None, keep: bool | None = None
) -> None:
    """Change what may be changed of a report; what is None stays.

    Raises:
        NotFoundError: There is no such report.
    """
    report = find(session, report_id)
    said = {"name": name, "public": public, "keep": keep}
    values = {field: value for field, value in said.items() if value is not None}
    if values and not _update(session, _still_there(report), modified_at=now(), **values):
        # Nobody must be told that a report is pinned which a sweep took at this moment.
        raise _not_found(report_id)


def mark_removed(session: Session, report_id: str) -> Report:
    """Take a report away from everybody but the sweep, and cancel its render if that has not ended.

    Raises:
        NotFoundError: There is no such report, or it was removed before.
    """
    report = find(session, report_id)
    if not _update(session, _still_there(report), removed_at=now()):
        raise _not_found(report_id)
    renders.cancel(session, report.render_id)
    return report


def mark_expired(session: Session, *, older_than: float | None, limit: int) -> int:
    """Mark reports whose time has come as removed, and return how many; never a waiting, running or pinned one.

    Args:
        session: A writing transaction.
        older_than: Seconds after which a report goes that has no expiry of its own; None: it stays for ever.
        limit: How many at most.
    """
    marked = _mark(session, Report.expires_at < now(), limit)
    if older_than is not None and marked < limit:
        marked += _mark(session, Report.expires_at.is_(None) & (Report.created_at < now(-older_than)), limit - marked)
    return marked


def removable(session: Session, *, limit: int, after: str = "", only: str | None = None) -> Sequence[Report]:
    """Return reports that are marked as removed and that no attempt can write to any more, in the order of their ids.

    Args:
        session: A transaction.
        limit: How many at most.
        after: The last id of the batch before.
        only: The one report that is asked for; None: any.
    """
    # A cancelled attempt does not hear of it: it ends, finds that it does not count, and lets go.
    let_go = Render.worker_id.is_(None) | (Render.deadline_at < now())
    return session.scalars(
        select(Report)
        .join(Report.render)
        .where(Report.removed_at.is_not(None), Report.id > after if only is None else Report.id == only)
        .where((Render.state != State.CANCELLED) | let_go)
        .order_by(Report.id)
        .limit(limit)
        .options(contains_eager(Report.render).options(*LIGHT))
    ).all()


def erase(session: Session, gone: Sequence[Report]) -> list[str]:
    """Delete the rows of reports and of their renders, whose objects went before; and return the thumbnails' keys."""
    for one in gone:
        _spend_name(session, one)
    render_ids = [one.render_id for one in gone]
    # Held, so that nobody orders a thumbnail any more.
    session.execute(select(Render.id).where(Render.id.in_(render_ids)).order_by(Render.id).with_for_update())
    keys = thumbnails.forget(session, render_ids)
    for rows in (
        delete(Report).where(Report.id.in_([one.id for one in gone])),
        delete(Render).where(Render.id.in_(render_ids)),
    ):
        session.execute(rows.execution_options(synchronize_session=False))
    return keys


def release(session: Session, report: Report) -> None:
    """Delete the row of a report whose objects are gone; its render is then nobody's, and goes with the next sweep."""
    _spend_name(session, report)
    session.execute(delete(Report).where(Report.id == report.id).execution_options(synchronize_session=False))
    renders.disown(session, report.render_id)


def _spend_name(session: Session, report: Report) -> None:
    """Note a blobName under whose plain key an attempt that nobody heard the end of may yet store its document.

    A worker that was paused or cut off can wake up at any time; the next report of the name gets a key of its own.
    """
    render = report.render
    unheard_of = render.losses or (render.state == State.CANCELLED and render.worker_id is not None)
    if unheard_of and report.blob_name != report.id:
        session.merge(SpentName(name=report.blob_name))


def find(session: Session, report_id: str) -> Report:
    """Return a report with its render.

    Raises:
        NotFoundError: There is no such report.
    """
    # No id holds NUL, and PostgreSQL takes a question with one for an error.
    report = None
    if "\0" not in report_id:
        report = session.get(Report, report_id, options=[joinedload(Report.render).options(*LIGHT)])
    if report is None or report.removed_at is not None:
        raise _not_found(report_id)
    return report


def is_marked(session: Session, report_id: str) -> bool:
    """Say whether a report is marked as removed and its row still holds its blobName."""
    marked = select(Report.id).where(Report.id == report_id, Report.removed_at.is_not(None))
    return session.scalar(marked) is not None


def _not_found(report_id: str) -> NotFoundError:
    return NotFoundError(f"There is no report {report_id!r}")


def _still_there(report: Report) -> ColumnElement[bool]:
    return and_(Report.id == report.id, Report.removed_at.is_(None))


def _mark(session: Session, due: ColumnElement[bool], limit: int) -> int:
    # A question of its own: joined, SQLite would begin with the renders that have ended, which are nearly all.
    ended = select(Render.id).where(Render.id == Report.render_id, Render.state.in_(ENDED)).exists()
    may_go = and_(due, Report.removed_at.is_(None), ~Report.keep)
    found = select(Report.id).where(may_go, ended).limit(limit)
    # Asked again of the row itself: PostgreSQL may have waited for somebody who was just pinning it.
    return _update(session, and_(Report.id.in_(found), may_go), removed_at=now())


def _update(session: Session, which: ColumnElement[bool], **values: Any) -> int:
    """Change the reports of a condition, and return how many. There is no way here to change all of them."""
    return changed(session, update(Report).where(which).values(**values))
