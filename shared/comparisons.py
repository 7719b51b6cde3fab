"""Comparisons of two history records: asked for once, made by a worker, kept as long as both records are.

Records do not change, so what was found once holds. Which of the two comes first matters: it is "before".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from shared import history, leases
from shared.database import now
from shared.exceptions import ConflictError, NotFoundError
from shared.identifiers import new_id
from shared.models import Comparison, HistoryRecord
from shared.templates import storable

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

FOLDER = "comparisons/"
SIDES = BEFORE, AFTER = "before", "after"
# A failed comparison says why for so long, then it is tried again when somebody asks.
FAILED_SECONDS = 30
# When to ask again for a picture that is being made.
RETRY_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """A comparison that somebody asked for.

    Attributes:
        comparison: It, as it is now.
        due: Whether this question queued it, so that it must be rung for.
    """

    comparison: Comparison
    due: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """Where the picture of a page is, and what is known of it."""

    key: str
    size: int
    sha256: str


def find(session: Session, first_id: str, second_id: str) -> Comparison | None:
    """Return the comparison of two records, if anybody has asked for it."""
    if not storable(first_id) or not storable(second_id):
        return None
    return session.scalar(
        select(Comparison)
        .where(Comparison.first_id == first_id, Comparison.second_id == second_id)
        .execution_options(populate_existing=True)
    )


def ask(session: Session, first_id: str, second_id: str, *, trace_id: str) -> Asked:
    """Return the comparison of two records, queued if it is not there yet, lacks pictures, or failed a while ago.

    Args:
        session: A writing transaction.
        first_id: The record that counts as before.
        second_id: The record that counts as after.
        trace_id: The trace of the question.

    Raises:
        NotFoundError: A record does not exist.
        ConflictError: A record has no PDF.
    """
    _check_records(session, first_id, second_id)
    found = find(session, first_id, second_id)
    if found is None:
        comparison = Comparison(id=new_id(), trace_id=trace_id, first_id=first_id, second_id=second_id)
        try:
            with session.begin_nested():
                session.add(comparison)
        except IntegrityError:
            # Somebody else asked for the same at this moment: the records are held, so it is nothing else.
            found = find(session, first_id, second_id)
        else:
            session.refresh(comparison)
            return Asked(comparison, due=True)
    if found is None:
        raise ConflictError("The comparison was removed at this moment: ask again")
    stale = _is_stale(session, found.id) or lacks_pictures(found)
    due = stale and leases.again(session, Comparison, found.id)
    if due:
        session.refresh(found)
    return Asked(found, due=due)


def overlay(session: Session, first_id: str, second_id: str, *, page: int) -> Picture:
    """Return the picture of what differs on one page.

    Raises:
        NotFoundError: It is not there: not yet, and then the error says when to ask again; or there is none, and then
            the text says why.
    """
    found, shown = _compared(session, first_id, second_id, page=page)
    key = (found.overlays or {}).get(picture_name(page))
    if key is None:
        raise NotFoundError(f"Page {page} looks the same in both records: there is nothing to show")
    return Picture(key, **shown["overlay"])


def side(session: Session, first_id: str, second_id: str, *, page: int, side: str) -> Picture:
    """Return the picture of a page in one of two records, as large as that of what differs.

    Args:
        session: A transaction.
        first_id: The record that counts as before.
        second_id: The record that counts as after.
        page: The page, counted from 1.
        side: `BEFORE` or `AFTER`.

    Raises:
        NotFoundError: As of `overlay`.
    """
    found, shown = _compared(session, first_id, second_id, page=page)
    if lacks_pictures(found):
        raise NotFoundError("Pages had no pictures when these two records were compared: ask for the comparison again")
    if shown[side] is None:
        raise NotFoundError(f"Page {page} is only in the other record")
    keys = found.overlays or {}
    # Pages that look the same have one picture.
    return Picture(keys.get(picture_name(page, side)) or keys[picture_name(page, BEFORE)], **shown[side])


def has_ended(comparison: Comparison) -> bool:
    """Say whether nothing more happens to a comparison by itself."""
    return comparison.state in (leases.State.SUCCEEDED, leases.State.FAILED)


def lacks_pictures(comparison: Comparison) -> bool:
    """Say whether a worker of an earlier release made it, which kept no pictures of the pages themselves."""
    pictures = (comparison.result or {}).get("pictures", [])
    return comparison.state == leases.State.SUCCEEDED and any(BEFORE not in one for one in pictures)


def picture_key(comparison_id: str, *, attempt: int, page: int, side: str | None = None) -> str:
    """Return the storage key of a picture of one page: of what differs there, or of one side."""
    return f"{attempt_keys(comparison_id)}{attempt}-{picture_name(page, side)}.png"


def picture_name(page: int, side: str | None = None) -> str:
    """Return by what a row knows the picture of one page: of what differs there, or of one side."""
    return str(page) if side is None else f"{page}-{side}"


def attempt_keys(comparison_id: str) -> str:
    """Return what the keys of all a comparison's attempts begin with."""
    return f"{FOLDER}{comparison_id}~"


def _compared(session: Session, first_id: str, second_id: str, *, page: int) -> tuple[Comparison, dict[str, Any]]:
    """Return a finished comparison, and what it says of one page."""
    found = find(session, first_id, second_id)
    if found is None:
        raise NotFoundError("These two records have not been compared: ask for the comparison first")
    if found.state == leases.State.FAILED:
        raise NotFoundError(f"The records could not be compared: {found.error}")
    if found.state != leases.State.SUCCEEDED:
        raise NotFoundError("The records are being compared: ask again in a moment", retry_after=RETRY_SECONDS)
    pictures = (found.result or {}).get("pictures", [])
    shown = next((one for one in pictures if one["page"] == page), None)
    if shown is None:
        raise NotFoundError(f"Page {page} was not compared: expected 1 to {len(pictures)}")
    return found, shown


def _check_records(session: Session, first_id: str, second_id: str) -> None:
    # Held until the row that names them is there, in one order, so that two questions never wait for each other.
    ids = sorted({one for one in (first_id, second_id) if storable(one)})
    held = select(HistoryRecord.id, HistoryRecord.blob_key, HistoryRecord.status, HistoryRecord.response)
    rows = session.execute(
        held.where(HistoryRecord.id.in_(ids)).order_by(HistoryRecord.id).with_for_update(read=True, key_share=True)
    )
    found = {record_id: rest for record_id, *rest in rows}
    for one in (first_id, second_id):
        if one not in found:
            raise history.not_found(one)
    for one in (first_id, second_id):
        key, status, response = found[one]
        if key is None:
            why = "its render has not ended yet" if response is None else f"its status is {status}"
            raise ConflictError(f"History record {one!r} has no PDF to compare: {why}")


def _is_stale(session: Session, comparison_id: str) -> bool:
    return (
        session.scalar(
            select(Comparison.id).where(
                Comparison.id == comparison_id,
                Comparison.state == leases.State.FAILED,
                Comparison.finished_at < now(-FAILED_SECONDS),
            )
        )
        is not None
    )
