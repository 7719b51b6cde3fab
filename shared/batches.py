"""Batches: many documents asked for at once.

A batch is accepted whole or not at all: its items are checked one by one, and lie in storage in slices of some hundred
when its row is committed. From then on `shared.batch_feeding` makes renders of them, a few seconds' work at a time, and
everything that holds for a render holds for those: claims, limits, lost workers, retention.
"""

from __future__ import annotations

import enum
import hashlib
import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, or_, select, update

from shared import batch_names, placement, retirement, submissions
from shared.batch_sources import NDJSON
from shared.database import DATABASE_AWAY, now, won
from shared.exceptions import ConflictError, InvalidRequestError, NotFoundError, TooLargeError
from shared.identifiers import new_id
from shared.models import Batch, BatchSlice, Render, Template, TemplateVersion
from shared.submissions import DEFAULT_REPORT_NAME, TemplateChoice
from shared.templates import storable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.orm import Session
    from sqlalchemy.sql.elements import ColumnElement

    from shared.batch_names import NamePattern
    from shared.batch_sources import Item
    from shared.database import Database
    from shared.placement import Place
    from shared.settings import Settings
    from shared.storage import Storage

FOLDER = "batches/"
QUEUE = "render.bulk"
# What becomes renders in one transaction.
SLICE_ITEMS = 200
SLICE_BYTES = 1024 * 1024


class State(enum.StrEnum):
    """Where a batch is in its life."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    COMPLETED = "completed"


class Kind(enum.StrEnum):
    """What its items are."""

    DATA = "data"
    REQUESTS = "requests"


class Merge(enum.StrEnum):
    """How far the one PDF of all its documents is."""

    WANTED = "wanted"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """One of a list of requests."""

    template: TemplateChoice
    data: Mapping[str, Any]
    name: str | None = None
    timeout: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOrder:
    """What a caller asks for.

    Attributes:
        trace_id: The trace that it belongs to.
        template: The stored template that all items are data of; None: each item is a request of its own.
        name: How the documents are called, as of `batch_names`; None: the template's name, and the item's place.
        timeout: Time limit of each render, seconds; None: the template's, or else the farm's default.
        public: Whether everybody may read the reports.
        keep: Whether no clean-up may remove them.
        expires_in: Seconds after which the clean-up may; None: as the farm's settings say.
        printing: Where the documents are printed in their order, as ``printer_name``, ``number_of_copies`` and
            ``options``; None: nowhere.
        merge: Whether one PDF is made of all of them.
        created_by: Who sent it; None: somebody who needed no token.
    """

    trace_id: str
    template: TemplateChoice | None
    name: str | None = None
    timeout: float | None = None
    public: bool = False
    keep: bool = False
    expires_in: float | None = None
    printing: Mapping[str, Any] | None = None
    merge: bool = False
    created_by: str | None = None


def accept(
    database: Database,
    storage: Storage,
    settings: Settings,
    order: BatchOrder,
    items: Iterable[Item] | Iterable[BatchRequest],
    *,
    recipe_states: Mapping[str, str],
) -> Batch:
    """Check all items and commit a batch; the caller rings for it.

    Args:
        database: Where its rows go.
        storage: Where its items go.
        settings: The limits.
        order: What is asked.
        items: The data, or the requests.
        recipe_states: What the living workers say of their recipes; empty when nobody is known to live.

    Raises:
        InvalidRequestError: A field or an item cannot be served; the text names it.
        NotFoundError: A template, or the version of it, does not exist.
        TooLargeError: There are more items than a batch may have.
        StorageError: The items cannot be stored.
    """
    batch = _batch_of(database, settings, order, recipe_states)
    writer = _Writer(database, storage, batch)
    try:
        lines: Iterable[bytes]
        if order.template is None:
            reader = _RequestReader(database, settings, recipe_states, order)
            lines = map(reader.line_of, items, itertools.count(1))  # type: ignore[arg-type]  # As the order says.
        else:
            lines = _lines_of_data(items, batch_names.pattern_of(batch.name))  # type: ignore[arg-type]  # As above.
        batch.total = writer.write(lines, most=settings.batch_items)
        _commit(database, batch, writer)
    except DATABASE_AWAY:
        # Nobody knows whether it was committed: what was not goes with the sweep.
        raise
    except Exception:
        retirement.remove(database, storage, [one.key for one in writer.slices])
        raise
    return batch


def _commit(database: Database, batch: Batch, writer: _Writer) -> None:
    with database.writing() as session:
        for place in writer.places:
            placement.keep(session, place)
        session.add(batch)
        session.flush()
        session.add_all(writer.slices)
        session.flush()
        session.refresh(batch)


def _batch_of(database: Database, settings: Settings, order: BatchOrder, recipe_states: Mapping[str, str]) -> Batch:
    batch = Batch(
        id=new_id(),
        trace_id=order.trace_id,
        state=State.RUNNING,
        kind=Kind.REQUESTS,
        name=order.name or batch_names.default_for(DEFAULT_REPORT_NAME),
        queue=QUEUE,
        public=order.public,
        keep=order.keep,
        expires_in=order.expires_in,
        created_by=order.created_by,
        total=0,
        timeout=None if order.timeout is None else submissions.checked_timeout(order.timeout, settings),
        printing=None if order.printing is None else dict(order.printing),
        merge=Merge.WANTED if order.merge else None,
    )
    if order.template is not None:
        if not order.template.names_a_stored_one or order.template.content is not None:
            raise InvalidRequestError(
                "template names no stored template alone: store it first, and name it by _id, shortid or name; or send "
                "`requests`, each of which may have a text of its own",
                field="template",
            )
        chosen = submissions.choose(database, order.template, settings, recipe_states)
        batch.kind = Kind.DATA
        batch.template_version_id = chosen.version.id if chosen.version else None
        if chosen.template is not None:
            batch.template_shortid, batch.template_name = chosen.template.shortid, chosen.template.name
        batch.engine, batch.recipe = chosen.engine, chosen.recipe
        batch.timeout = chosen.timeout if order.timeout is None else batch.timeout
        batch.name = order.name or batch_names.default_for(batch.template_name)
    batch.name = batch_names.without_extension(batch.name)
    batch_names.pattern_of(batch.name)
    return batch


def _lines_of_data(items: Iterable[Item], pattern: NamePattern) -> Iterable[bytes]:
    for index, item in enumerate(items, 1):
        try:
            pattern.name_of(item.data, index)
        except batch_names.UnnamedError as error:
            raise InvalidRequestError(
                f"{item.where} cannot be named: {error}: {item.beginning()}", field="items"
            ) from error
        yield item.text


class _RequestReader:
    """Checks requests, and writes down what was found."""

    def __init__(
        self, database: Database, settings: Settings, recipe_states: Mapping[str, str], order: BatchOrder
    ) -> None:
        self._database = database
        self._settings = settings
        self._recipe_states = recipe_states
        self._order = order
        self._chosen: dict[TemplateChoice, submissions.Chosen] = {}

    def line_of(self, request: BatchRequest, number: int) -> bytes:
        try:
            return self._line_of(request, number)
        except InvalidRequestError as error:
            field = f"requests[{number - 1}]" + (f".{error.field}" if error.field else "")
            raise InvalidRequestError(f"requests[{number - 1}]: {error.message}", field=field) from error
        except NotFoundError as error:
            raise NotFoundError(f"requests[{number - 1}]: {error.message}") from error

    def _line_of(self, request: BatchRequest, number: int) -> bytes:
        chosen = self._chosen.get(request.template)
        if chosen is None:
            chosen = submissions.choose(self._database, request.template, self._settings, self._recipe_states)
            self._chosen[request.template] = chosen
        template = chosen.template
        default = batch_names.default_for(template.name if template else DEFAULT_REPORT_NAME)
        pattern = batch_names.pattern_of(batch_names.without_extension(request.name or self._order.name or default))
        try:
            name = pattern.name_of(request.data, number)
        except batch_names.UnnamedError as error:
            raise InvalidRequestError(f"it cannot be named: {error}", field="name") from error
        timeout = self._order.timeout if request.timeout is None else request.timeout
        said = {
            "version": chosen.version.id if chosen.version else None,
            "shortid": template.shortid if template else None,
            "content": request.template.content,
            "engine": chosen.engine,
            "recipe": chosen.recipe,
            "timeout": chosen.timeout if timeout is None else submissions.checked_timeout(timeout, self._settings),
            "name": name,
            "data": request.data,
        }
        return json.dumps(said, separators=(",", ":")).encode()


class _Writer:
    """Stores items as they come, some hundred in an object."""

    def __init__(self, database: Database, storage: Storage, batch: Batch) -> None:
        self._database = database
        self._storage = storage
        self._batch = batch
        self._lines: list[bytes] = []
        self._bytes = 0
        self._first = 1
        self.places: list[Place] = []
        self.slices: list[BatchSlice] = []

    def write(self, lines: Iterable[bytes], *, most: int) -> int:
        """Store items, and return how many there are.

        Raises:
            TooLargeError: They are more than may be.
            InvalidRequestError: There are none.
        """
        count = 0
        for line in lines:
            count += 1
            if count > most:
                raise TooLargeError(f"The batch has more than {most} items (PRESSROOM_BATCH_ITEMS): send several")
            self._lines.append(line)
            self._bytes += len(line)
            if len(self._lines) >= SLICE_ITEMS or self._bytes >= SLICE_BYTES:
                self._store()
        if not count:
            raise InvalidRequestError("The batch has no items: expected at least one", field="items")
        if self._lines:
            self._store()
        return count

    def _store(self) -> None:
        content = b"\n".join(self._lines) + b"\n"
        key = f"{FOLDER}{self._batch.id}/{self._first:07}.ndjson"
        digest = hashlib.sha256(content).hexdigest()
        part = BatchSlice(
            key=key,
            batch_id=self._batch.id,
            first=self._first,
            items=len(self._lines),
            size=len(content),
            sha256=digest,
        )
        # Before it is stored: it may be there although the store said no.
        self.slices.append(part)
        place = placement.store(
            self._database,
            self._storage,
            key,
            content,
            media_type=NDJSON,
            metadata={"trace-id": self._batch.trace_id, "batch-id": self._batch.id},
            sha256=digest,
        )
        self.places.append(place)
        self._first += len(self._lines)
        self._lines, self._bytes = [], 0


def find(session: Session, batch_id: str) -> Batch:
    """Return a batch.

    Raises:
        NotFoundError: There is no such batch.
    """
    batch = session.get(Batch, batch_id, populate_existing=True) if storable(batch_id) else None
    if batch is None:
        raise NotFoundError(f"There is no batch whose id is {batch_id!r}")
    return batch


def listing(
    session: Session, *, state: str | None, search: str = "", limit: int, offset: int
) -> tuple[int, Sequence[Batch]]:
    """Return how many batches there are of a kind, and a page of them, the newest first.

    Args:
        session: A transaction.
        state: The state that they must have; None: any.
        search: A part of their template's name, trace id, creator or documents' name, in whatever case; empty: any.
        limit: How many at most.
        offset: How many come before.
    """
    conditions: list[ColumnElement[bool]] = [] if state is None else [Batch.state == state]
    if search:
        texts = (Batch.template_name, Batch.trace_id, Batch.created_by, Batch.name)
        conditions.append(or_(*(text.icontains(search, autoescape=True) for text in texts)))
    total = session.scalar(select(func.count()).select_from(Batch).where(*conditions)) or 0
    newest = select(Batch).where(*conditions).order_by(Batch.created_at.desc(), Batch.id.desc())
    return total, session.scalars(newest.limit(limit).offset(offset)).all()


def pause(session: Session, batch_id: str) -> Batch:
    """Hand out no more items; what is handed out, some seconds' work, is made.

    Raises:
        NotFoundError: There is no such batch.
        ConflictError: It is not running.
    """
    return _change(session, batch_id, "pause", (State.RUNNING,), state=State.PAUSED, settled_at=None)


def resume(session: Session, batch_id: str) -> Batch:
    """Go on with a paused batch.

    Raises:
        NotFoundError: There is no such batch.
        ConflictError: It is not paused.
    """
    return _change(session, batch_id, "resume", (State.PAUSED,), state=State.RUNNING, settled_at=None)


def cancel(session: Session, batch_id: str) -> Batch:
    """End a batch: what is not made yet is not made any more, what is made stays.

    Raises:
        NotFoundError: There is no such batch.
        ConflictError: It has ended.
    """
    before = (State.RUNNING, State.PAUSED)
    return _change(session, batch_id, "cancel", before, state=State.CANCELLED, merge=None, settled_at=None)


def retry(session: Session, batch_id: str) -> Batch:
    """Make the failed documents of a batch once more, of the newest version of its template, under the same links.

    Raises:
        NotFoundError: There is no such batch.
        ConflictError: None has failed, or it was cancelled.
    """
    batch = find(session, batch_id)
    if batch.state != State.CANCELLED and not batch.failed:
        raise ConflictError(f"Batch {batch.id} has no failed documents: there is nothing to retry")
    newest = None
    if batch.template_version_id is not None:
        of_template = select(TemplateVersion.template_id).where(TemplateVersion.id == batch.template_version_id)
        newest = session.scalar(select(Template.version_id).where(Template.id.in_(of_template)))
    return _change(
        session,
        batch_id,
        "retry",
        (State.RUNNING, State.PAUSED, State.COMPLETED),
        state=State.RUNNING,
        remake_before=now(),
        remake_version_id=newest or batch.template_version_id,
        # Those that failed were passed over.
        printed=0,
        finished_at=None,
        settled_at=None,
        merge=None if batch.merge is None else Merge.WANTED,
    )


def want_merged(session: Session, batch_id: str) -> Batch:
    """Have one PDF made of all documents of a batch, once they are there.

    Raises:
        NotFoundError: There is no such batch.
        ConflictError: It was cancelled.
    """
    before = (State.RUNNING, State.PAUSED, State.COMPLETED)
    return _change(session, batch_id, "merge", before, merge=Merge.WANTED, merge_error=None, settled_at=None)


def note_merged(session: Session, batch: Batch, *, key: str, size: int, sha256: str) -> bool:
    """Note where the one PDF of a batch is; False when nobody wants it any more."""
    if batch.merged_key is not None:
        retirement.retire(session, [batch.merged_key])
    values = {"merge": Merge.DONE, "merged_key": key, "merged_size": size, "merged_sha256": sha256}
    return won(session, update(Batch).where(*_wants_merged(batch)).values(merge_error=None, **values))


def note_not_merged(session: Session, batch: Batch, *, error: str) -> bool:
    """Note why there is no one PDF of a batch; False when nobody wants it any more, or it is there."""
    return won(session, update(Batch).where(*_wants_merged(batch)).values(merge=Merge.FAILED, merge_error=error))


def _wants_merged(batch: Batch) -> tuple[ColumnElement[bool], ...]:
    # A retry in between makes other documents.
    return Batch.id == batch.id, Batch.state == State.COMPLETED, Batch.merge == Merge.WANTED


def remove(session: Session, batch_id: str) -> list[str]:
    """Forget a batch that has ended; its reports stay. Returns the keys of its objects, which no row names any more.

    Raises:
        NotFoundError: There is no such batch.
        ConflictError: It has not ended.
    """
    batch = find(session, batch_id)
    if batch.settled_at is None or batch.state == State.PAUSED:
        raise ConflictError(f"Batch {batch.id} has not ended (it is {batch.state}): cancel it first")
    return _forget(session, [batch])


def forget_old(session: Session, *, older_than: float, limit: int) -> tuple[int, list[str]]:
    """Forget batches that ended long ago and of whose documents none is left; return how many, and their objects."""
    old = (
        select(Batch)
        .where(Batch.settled_at < now(-older_than), Batch.state != State.PAUSED)
        .where(~select(Render.id).where(Render.batch_id == Batch.id).exists())
        .limit(limit)
    )
    found = session.scalars(old).all()
    return len(found), _forget(session, found)


def _forget(session: Session, gone: Sequence[Batch]) -> list[str]:
    slices = session.scalars(select(BatchSlice).where(BatchSlice.batch_id.in_([one.id for one in gone]))).all()
    keys = [one.key for one in slices] + [one.merged_key for one in gone if one.merged_key]
    for one in (*slices, *gone):
        session.delete(one)
    session.flush()
    retirement.retire(session, keys)
    return keys


def under_way(session: Session) -> Sequence[Batch]:
    """Return the batches for which something is left to do."""
    return session.scalars(select(Batch).where(Batch.settled_at.is_(None)).order_by(Batch.id)).all()


def _change(session: Session, batch_id: str, what: str, before: Sequence[State], **values: Any) -> Batch:
    statement = update(Batch).where(Batch.id == batch_id, Batch.state.in_(before)).values(**values)
    batch = find(session, batch_id)
    if not won(session, statement):
        states = " or ".join(before)
        raise ConflictError(f"Batch {batch.id} is {batch.state}: to {what} it, it must be {states}")
    session.refresh(batch)
    return batch
