"""From a batch's items to renders: a slice at a time, in one transaction that also takes the slice away.

Whoever feeds may be killed anywhere, and two may be at it at once: a slice is taken once, and only of a running batch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import aliased

from shared import batch_names, placement, renders, reports, retirement
from shared.batches import Kind, Merge, State
from shared.database import changed, core, now, won
from shared.identifiers import new_id, numbered_trace_id
from shared.models import Batch, BatchSlice, Render, Report
from shared.render_keys import transient_stem
from shared.render_values import Submission, Wake
from shared.submissions import place_data

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

    from shared.batch_names import NamePattern
    from shared.database import Database
    from shared.placement import Place
    from shared.settings import Settings
    from shared.storage import Storage

SOURCE = "batch"
# What is cancelled, or made anew, in one transaction.
SOME = 500
# Of a batch with more failures, the first ones tell enough; each is a row that is read.
MOST_FAILED = 10_000
MOST_REASONS = 50


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of a batch's renders there are of each kind."""

    waiting: int
    succeeded: int
    failed: int

    @property
    def done(self) -> int:
        """How many have ended."""
        return self.succeeded + self.failed


class _NotWonError(Exception):
    """Raised in the transaction: the batch was paused or cancelled, or somebody else has this slice."""


def counts(session: Session, batch: Batch) -> Counts:
    """Count a batch's renders."""
    rows = session.execute(select(Render.state, func.count()).where(Render.batch_id == batch.id).group_by(Render.state))
    found: dict[str, int] = dict(rows.all())
    return Counts(
        waiting=found.get(renders.State.QUEUED, 0) + found.get(renders.State.RUNNING, 0),
        succeeded=found.get(renders.State.SUCCEEDED, 0),
        failed=found.get(renders.State.FAILED, 0),
    )


def next_slice(session: Session, batch: Batch) -> BatchSlice | None:
    """Return the first items that are no renders yet; None: all are."""
    first = select(BatchSlice).where(BatchSlice.batch_id == batch.id).order_by(BatchSlice.first)
    return session.scalars(first.limit(1)).one_or_none()


def feed(database: Database, storage: Storage, settings: Settings, batch: Batch, part: BatchSlice) -> list[Wake]:
    """Make renders of some items, and return what is to be announced; nothing when it was not this caller's turn.

    Args:
        database: Where the rows go.
        storage: Where the items are, and where large ones go again.
        settings: The limits.
        batch: The batch.
        part: Its first slice.

    Raises:
        StorageError: The items cannot be read.
        FileNotFoundError: They are gone.
    """
    content = storage.get(part.key, sha256=part.sha256, size=part.size)
    pattern = batch_names.pattern_of(batch.name)
    # Not `splitlines`: JSON may have a carriage return between its values.
    lines = content.removesuffix(b"\n").split(b"\n")
    found = [_Item.read(batch, pattern, line, index) for index, line in enumerate(lines, part.first)]
    places = [
        place_data(database, storage, settings, one.data, render_id=one.render_id, trace_id=one.trace_id)
        for one in found
    ]
    submissions = [one.submission(batch, place) for one, place in zip(found, places, strict=True)]
    try:
        with database.writing() as session:
            _take(session, batch, part)
            for place in places:
                placement.keep(session, place)
            connection = core(session)
            at = _moment(connection)
            renders.submit_many(connection, submissions, at=at)
            reports.create_many(connection, [one.report(batch, at) for one in found], expires_in=batch.expires_in)
    except _NotWonError:
        retirement.remove(database, storage, [place.key for place in places if place.key])
        return []
    retirement.remove(database, storage, [part.key])
    return [Wake(one.render_id, one.queue, one.trace_id, one.timeout) for one in submissions]


def remake(session: Session, batch: Batch) -> list[Wake]:
    """Submit some of a batch's failed renders once more, and return what is to be announced.

    The report stays, and with it the link; the failed render is left to the sweep.

    Args:
        session: A writing transaction.
        batch: A batch whose ``remake_before`` says which.
    """
    if not won(session, update(Batch).where(*_is_running(batch)).values(state=State.RUNNING)):
        return []
    failed = session.execute(
        select(Render, Report.id)
        .join(Report, Report.render_id == Render.id)
        .where(Render.batch_id == batch.id, Render.state == renders.State.FAILED)
        .where(Render.finished_at < batch.remake_before, Report.removed_at.is_(None))
        .order_by(Render.batch_index)
        .limit(SOME)
    ).all()
    if not failed:
        return []
    version_id = batch.remake_version_id
    submissions = [
        Submission(
            render_id=(render_id := new_id()),
            trace_id=render.trace_id,
            queue=render.queue,
            template_version_id=version_id or render.template_version_id,
            content=render.content,
            engine=render.engine,
            recipe=render.recipe,
            data=render.data,
            data_key=render.data_key,
            timeout=render.timeout,
            # A lost attempt of the render before may still store its document.
            blob_stem=f"{reports.blob_stem(report_id)}~{render_id}",
            kept=True,
            source=SOURCE,
            created_by=render.created_by,
            batch_id=batch.id,
            batch_index=render.batch_index,
        )
        for render, report_id in failed
    ]
    for render, _ in failed:
        render.batch_id = render.batch_index = render.data_key = None
        render.kept = False
        render.blob_stem = transient_stem(render.id)
    session.flush()
    connection = core(session)
    renders.submit_many(connection, submissions, at=_moment(connection))
    for (_, report_id), again in zip(failed, submissions, strict=True):
        session.execute(update(Report).where(Report.id == report_id).values(render_id=again.render_id))
    return [Wake(one.render_id, one.queue, one.trace_id, one.timeout) for one in submissions]


def has_been_remade(session: Session, batch: Batch) -> bool:
    """Note that all failed renders that were to be made once more have been submitted."""
    return won(session, update(Batch).where(*_is_running(batch)).values(remake_before=None))


def note(session: Session, batch: Batch, found: Counts, *, rate: float | None) -> None:
    """Write down how a batch is getting on."""
    values = {"waiting": found.waiting, "succeeded": found.succeeded, "failed": found.failed, "rate": rate}
    changed(session, update(Batch).where(Batch.id == batch.id).values(**values))


def note_trouble(session: Session, batch: Batch, error: str) -> None:
    """Write down why a batch does not go on."""
    changed(session, update(Batch).where(Batch.id == batch.id).values(error=error))


def complete(session: Session, batch: Batch) -> bool:
    """Note that all renders of a batch have ended; False when it goes on."""
    is_all = (Batch.fed == Batch.total, Batch.remake_before.is_(None))
    return won(
        session,
        update(Batch).where(*_is_running(batch), *is_all).values(state=State.COMPLETED, finished_at=now(), rate=None),
    )


def settle(session: Session, batch: Batch) -> bool:
    """Note that nothing is left to do for a batch as it was seen; False when somebody has changed it since."""
    has_no_wish = (Batch.merge.is_(None)) | (Batch.merge != Merge.WANTED)
    statement = update(Batch).where(Batch.id == batch.id, Batch.state == batch.state, has_no_wish)
    return won(
        session,
        statement.values(settled_at=now(), finished_at=func.coalesce(Batch.finished_at, now()), rate=None)
        if batch.state != State.PAUSED
        else statement.values(settled_at=now(), rate=None),
    )


def drop_slices(session: Session, batch: Batch) -> list[str]:
    """Forget items of a cancelled batch that are no renders, and return the keys of some that were."""
    some = select(BatchSlice.key).where(BatchSlice.batch_id == batch.id).limit(SOME)
    keys = list(session.scalars(some))
    changed(session, delete(BatchSlice).where(BatchSlice.key.in_(keys)))
    retirement.retire(session, keys)
    return keys


def _is_running(batch: Batch) -> tuple[Any, ...]:
    return Batch.id == batch.id, Batch.state == State.RUNNING


def _take(session: Session, batch: Batch, part: BatchSlice) -> None:
    """Take a slice, which is then nobody's object any more."""
    running = update(Batch).where(*_is_running(batch)).values(fed=Batch.fed + part.items, error=None)
    taken = delete(BatchSlice).where(BatchSlice.key == part.key)
    if not (won(session, running) and won(session, taken)):
        raise _NotWonError
    retirement.retire(session, [part.key])
    session.flush()


def _moment(connection: Connection) -> dt.datetime:
    moment: dt.datetime = connection.execute(select(now())).scalar_one()
    return moment


@dataclass(frozen=True, slots=True)
class _Item:
    """One item of a slice.

    Attributes:
        index: Its place in the batch, counted from 1.
        said: What it says of its render, where it is a request; else nothing.
        data: Its data, as JSON.
        name: What its document is called.
        trace_id: Its own trace, which says whose it is.
        render_id: The id of its render.
        report_id: The id of its report.
    """

    index: int
    said: dict[str, Any]
    data: str
    name: str
    trace_id: str
    render_id: str
    report_id: str

    @classmethod
    def read(cls, batch: Batch, pattern: NamePattern, line: bytes, index: int) -> _Item:
        """Read what `shared.batches` wrote."""
        ids = (numbered_trace_id(batch.trace_id, index), new_id(), new_id())
        if batch.kind == Kind.REQUESTS:
            said = from_json(line)
            data = json.dumps(said.pop("data"), separators=(",", ":"))
            return cls(index, said, data, said["name"], *ids)
        name = pattern.name_of(from_json(line) if pattern.asks_for_data else {}, index)
        return cls(index, {}, line.decode(), name, *ids)

    def submission(self, batch: Batch, place: Place) -> Submission:
        """Shape the render."""
        said = self.said
        return Submission(
            render_id=self.render_id,
            trace_id=self.trace_id,
            queue=batch.queue,
            template_version_id=said.get("version") if said else batch.template_version_id,
            content=said.get("content"),
            engine=said.get("engine") or batch.engine or "",
            recipe=said.get("recipe") or batch.recipe or "",
            data=self.data if place.key is None else None,
            data_key=place.key,
            timeout=said.get("timeout") or batch.timeout or 0,
            blob_stem=reports.blob_stem(self.report_id),
            kept=True,
            source=SOURCE,
            created_by=batch.created_by,
            batch_id=batch.id,
            batch_index=self.index,
        )

    def report(self, batch: Batch, at: dt.datetime) -> dict[str, Any]:
        """Shape the report's row."""
        return {
            "id": self.report_id,
            "render_id": self.render_id,
            "name": self.name,
            "template_shortid": self.said.get("shortid") if self.said else batch.template_shortid,
            "public": batch.public,
            "keep": batch.keep,
            "created_at": at,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A document of a batch, as lists show it."""

    index: int
    report_id: str | None
    name: str | None
    public: bool | None
    render_id: str
    trace_id: str
    state: str
    cause: str | None
    error: str | None
    error_line: int | None
    blob_key: str | None
    media_type: str | None
    extension: str | None
    size: int | None
    sha256: str | None
    pages: int | None


_REPORT = aliased(Report)
_ENTRY = (
    select(
        Render.batch_index.label("index"),
        _REPORT.id.label("report_id"),
        _REPORT.name,
        _REPORT.public,
        Render.id.label("render_id"),
        Render.trace_id,
        Render.state,
        Render.cause,
        Render.error,
        Render.error_line,
        Render.blob_key,
        Render.media_type,
        Render.extension,
        Render.size,
        Render.sha256,
        Render.pages,
    )
    .outerjoin(_REPORT, (_REPORT.render_id == Render.id) & _REPORT.removed_at.is_(None))
    .order_by(Render.batch_index)
)


def entries(
    session: Session, batch_id: str, *, after: int = 0, last: int | None = None, states: Sequence[str] = (), limit: int
) -> Sequence[Entry]:
    """Return documents of a batch in their order.

    Args:
        session: A transaction.
        batch_id: The batch.
        after: The place behind which the list begins.
        last: The last place that is asked for; None: the last one there is.
        states: The states that are wanted; empty: any.
        limit: How many at most.
    """
    statement = _ENTRY.where(Render.batch_id == batch_id, Render.batch_index > after)
    if last is not None:
        statement = statement.where(Render.batch_index <= last)
    if states:
        statement = statement.where(Render.state.in_(states))
    return [Entry(**row._mapping) for row in session.execute(statement.limit(limit))]  # noqa: SLF001  # Its public name.


def walk(
    database: Database, batch_id: str, *, after: int = 0, last: int | None = None, states: Sequence[str] = ()
) -> Iterator[Entry]:
    """Yield documents of a batch in their order, some hundred at a time."""
    while True:
        with database.reading() as session:
            some = entries(session, batch_id, after=after, last=last, states=states, limit=SOME)
        yield from some
        if len(some) < SOME:
            return
        after = some[-1].index


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why some documents of a batch were not made.

    Attributes:
        cause: In a word.
        error: In words.
        line: The line of the template, if it is to blame.
        count: How many they are.
        first: The place of the first one.
    """

    cause: str | None
    error: str
    line: int | None
    count: int
    first: int


def reasons(session: Session, batch_id: str) -> Sequence[Reason]:
    """Return why the first so many failed documents of a batch were not made, the commonest reason first."""
    failed = select(Render.batch_index, Render.cause, Render.error, Render.error_line)
    failed = failed.where(Render.batch_id == batch_id, Render.state == renders.State.FAILED)
    some = failed.order_by(Render.batch_index).limit(MOST_FAILED).subquery()
    why = (some.c.cause, some.c.error, some.c.error_line)
    count, first = func.count().label("count"), func.min(some.c.batch_index).label("first")
    found = select(*why, count, first).group_by(*why).order_by(count.desc(), first).limit(MOST_REASONS)
    return [
        Reason(cause=cause, error=error or "The render failed", line=line, count=count, first=first)
        for cause, error, line, count, first in session.execute(found)
    ]
