"""Comparing two history records: what was asked, what was read, and what was seen.

Requests and texts are compared by `workers.differences`, pages as pictures by `workers.overlays`, a page at a time.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import stamina

from shared import comparisons, history, leases
from shared.comparisons import AFTER, BEFORE
from shared.database import DATABASE_AWAY
from shared.exceptions import NotFoundError
from shared.memory import release_unused
from shared.models import Comparison
from shared.storage import CorruptObjectError, StorageError
from shared.tracing import bind_trace, clear_trace, logger
from workers import poppler
from workers.differences import Listed, add_words_differing, values_differing
from workers.overlays import overlay, sides
from workers.sides import IncomparableError, Side, fetched, read_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shared.database import Database
    from shared.settings import Settings
    from shared.storage import Storage

LEASE_SECONDS = 180.0
# From the claim on, so that the rest of the lease is left for what cannot be interrupted.
WORK_SECONDS = 120.0
MOST_PICTURES = 50
SCREEN_DPI = 96.0
# The longer edge of a page's picture, pixels; larger pages are drawn smaller.
LARGEST_EDGE = 1400
# Read into memory twice, as objects.
LARGEST_REQUEST = 4 * 1024 * 1024
END_SECONDS = 30

log = logger(__name__)


@dataclass(slots=True)
class Attempt:
    """One attempt at one comparison, from its claim to its end; ``whole`` says whether nothing was left out."""

    comparison: Comparison
    until: float
    # By page and side; named here before they are written, so that each way of ending can remove them.
    keys: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    whole: bool = True

    @property
    def seconds_left(self) -> float:
        """How long it may still go on; below 0 when it should have ended."""
        return self.until - time.monotonic()


class Comparer:
    """Does the comparisons of one worker; several threads may use it at once."""

    def __init__(
        self,
        *,
        settings: Settings,  # noqa: ARG002  # Made as its neighbours are.
        database: Database,
        storage: Storage,
        worker_id: str,
        announce: Callable[[str], None],
    ) -> None:
        """Take what comparing needs.

        Args:
            settings: The farm's settings.
            database: This process' database.
            storage: Where documents are read and pictures are written.
            worker_id: Who makes them.
            announce: Says that a comparison ended.
        """
        self._worker_id = worker_id
        self._database = database
        self._storage = storage
        self._announce = announce

    def compare(self, comparison_id: str) -> None:
        """Make one comparison, if it can be claimed; its end is in the row, never in an exception."""
        began = time.monotonic()
        try:
            with self._database.writing() as session:
                comparison = leases.claim(
                    session, Comparison, comparison_id, worker_id=self._worker_id, seconds=LEASE_SECONDS
                )
        except DATABASE_AWAY as error:
            log.warning("comparison not claimed", comparison_id=comparison_id, error=str(error))
            return
        if comparison is None:
            log.debug("nothing to compare", comparison_id=comparison_id)
            return
        bind_trace(comparison.trace_id, comparison_id=comparison_id)
        try:
            attempt = Attempt(comparison, began + WORK_SECONDS)
            made = self._make(attempt)
            try:
                won = self._write_end(attempt, made)
            except DATABASE_AWAY as error:
                # The lease ends by itself; the attempt after this one removes what this one stored.
                log.warning("end of a comparison not written", error=str(error))
                return
            self._tidy_up(attempt, kept=won and isinstance(made, dict), won=won)
            self._announce(comparison_id)
            log.info(
                "comparison",
                outcome="superseded" if not won else "failed" if isinstance(made, str) else "succeeded",
                **({"error": made} if isinstance(made, str) else {"identical": made["identical"]}),
                pictures=len(attempt.keys),
                attempt=comparison.attempt,
                milliseconds=round((time.monotonic() - began) * 1000),
            )
        finally:
            clear_trace()
            release_unused()

    def _make(self, attempt: Attempt) -> dict[str, Any] | str:
        """Return the result, or say why there is none."""
        try:
            first, second = attempt.comparison.first_id, attempt.comparison.second_id
            with (
                fetched(self._database, self._storage, first) as before,
                fetched(self._database, self._storage, second) as after,
            ):
                return self._result(attempt, before, after)
        except IncomparableError as error:
            return str(error)
        except (StorageError, *DATABASE_AWAY) as error:
            part = "storage" if isinstance(error, StorageError) else "database"
            log.warning("part away", part=part, error=str(error))
            return f"The {part} did not answer; ask again when it is back"
        except Exception:
            log.exception("comparison broke")
            return "The comparison broke on these documents; the log says more by the trace id"

    def _result(self, attempt: Attempt, before: Side, after: Side) -> dict[str, Any]:
        request = self._request(attempt, before, after)
        same_bytes = _are_same(before, after)
        measured = [one.sizes(most=MOST_PICTURES, seconds=attempt.seconds_left) for one in (before, after)]
        counts, sizes = zip(*measured, strict=True)
        text = Listed() if same_bytes else _text(attempt, (before, after))
        pictures = list(self._pictures(attempt, (before, after), counts, sizes))
        if len(pictures) < max(counts) and not same_bytes:
            attempt.whole = False
            attempt.notes.append(f"{len(pictures)} of {max(counts)} pages were compared as pictures")
        differs = counts[0] != counts[1] or bool(text.changes) or any(one["changed"] for one in pictures)
        # What was not looked at may differ.
        identical = False if differs else True if attempt.whole else None
        return {
            "identical": identical,
            "template": _templates(before, after),
            "request": {"changes": request.changes, "more": request.more},
            "pages": {"before": counts[0], "after": counts[1]},
            "text": {"pages": _by_page(text), "more": text.more},
            "pictures": pictures,
            "notes": attempt.notes,
        }

    def _request(self, attempt: Attempt, before: Side, after: Side) -> Listed:
        payloads = []
        for side in (before, after):
            try:
                payloads.append(history.payload(self._storage, side.record))
            except CorruptObjectError as error:
                raise IncomparableError(
                    f"The stored request of history record {side.record.id!r} was damaged"
                ) from error
            except NotFoundError as error:
                attempt.notes.append(error.message)
                return Listed()
        if payloads[0] == payloads[1]:
            return Listed()
        if max(len(one) for one in payloads) > LARGEST_REQUEST:
            attempt.notes.append(
                f"The requests differ; at over {LARGEST_REQUEST} bytes they are not compared field by field"
            )
            return Listed()
        return values_differing(*(read_request(one) for one in payloads))

    def _pictures(
        self,
        attempt: Attempt,
        both: Sequence[Side],
        counts: Sequence[int],
        sizes: Sequence[Sequence[tuple[float, float]]],
    ) -> Iterator[dict[str, Any]]:
        # Of equal documents, one is drawn.
        compared = both[:1] if _are_same(*both) else both
        for page in range(1, min(max(counts), MOST_PICTURES) + 1):
            edge = max(max(one[page - 1]) for one in sizes if page <= len(one))
            dpi = min(SCREEN_DPI, LARGEST_EDGE * poppler.POINTS_PER_INCH / max(edge, 1))
            try:
                drawn = [
                    side.picture(page, dpi=dpi, seconds=attempt.seconds_left) if page <= count else None
                    for side, count in zip(compared, counts, strict=False)
                ]
            except poppler.TooSlowError:
                # What there is by now is worth having.
                return
            found = overlay(drawn[0], drawn[-1])
            before, after = sides(drawn[0], drawn[-1])
            yield {
                "page": page,
                "changed": found.changed if found else 0.0,
                "overlay": self._stored(attempt, page, found.content) if found else None,
                **self._stored_sides(attempt, page, before, after),
            }

    def _stored_sides(
        self, attempt: Attempt, page: int, before: bytes | None, after: bytes | None
    ) -> dict[str, dict[str, Any] | None]:
        stored: dict[str, dict[str, Any] | None] = {BEFORE: None, AFTER: None}
        if before is not None:
            stored[BEFORE] = self._stored(attempt, page, before, side=BEFORE)
        if after is not None:
            # Where both look the same, one of them is enough.
            stored[AFTER] = stored[BEFORE] if after == before else self._stored(attempt, page, after, side=AFTER)
        return stored

    def _stored(self, attempt: Attempt, page: int, content: bytes, *, side: str | None = None) -> dict[str, Any]:
        """Store a picture of a page, and return what is known of it."""
        comparison = attempt.comparison
        key = comparisons.picture_key(comparison.id, attempt=comparison.attempt, page=page, side=side)
        attempt.keys[comparisons.picture_name(page, side)] = key
        self._storage.put(
            key,
            content,
            media_type="image/png",
            metadata={"trace-id": comparison.trace_id, "comparison-id": comparison.id},
        )
        return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    def _write_end(self, attempt: Attempt, made: dict[str, Any] | str) -> bool:
        """Write how an attempt ended, waiting for a database that is away; False when it no longer counts."""
        row, key = attempt.comparison, attempt.comparison.id
        for again in stamina.retry_context(on=DATABASE_AWAY, attempts=None, timeout=END_SECONDS):
            with again, self._database.writing() as session:
                if isinstance(made, str):
                    return leases.fail(session, Comparison, key, attempt=row.attempt, error=made)
                return leases.succeed(session, Comparison, key, attempt=row.attempt, result=made, overlays=attempt.keys)
        raise AssertionError("unreachable")

    def _tidy_up(self, attempt: Attempt, *, kept: bool, won: bool) -> None:
        """Remove this attempt's pictures, unless they are kept, and what attempts before it were killed over."""
        mine = set(attempt.keys.values())
        try:
            if not kept:
                for key in mine:
                    self._storage.delete(key)
            if won and attempt.comparison.attempt > 1:
                for key in list(self._storage.keys(comparisons.attempt_keys(attempt.comparison.id))):
                    if key not in mine:
                        self._storage.delete(key)
        except StorageError as error:
            log.warning("pictures not removed", error=str(error))


def _are_same(before: Side, after: Side) -> bool:
    return before.record.sha256 == after.record.sha256


def _text(attempt: Attempt, sides: Sequence[Side]) -> Listed:
    read = [side.texts(seconds=attempt.seconds_left) for side in sides]
    texts, whole = [pages for pages, _ in read], all(all_of_it for _, all_of_it in read)
    fewest = min(len(pages) for pages in texts)
    found = Listed()
    for page, (before, after) in enumerate(itertools.zip_longest(*texts, fillvalue=""), 1):
        # Half of the time is for the pictures. Beyond a text that was cut, nothing can be said.
        if attempt.seconds_left < WORK_SECONDS / 2 or (not whole and page > fewest):
            attempt.whole = False
            attempt.notes.append(f"The texts of the first {page - 1} pages were compared")
            break
        if before != after:
            add_words_differing(found, page, before, after)
    return found


def _templates(before: Side, after: Side) -> dict[str, Any]:
    """Return what the documents were made of."""
    made = {
        "id": (before.record.template_id, after.record.template_id),
        "name": (before.record.template_name, after.record.template_name),
        "version": (before.record.template_version, after.record.template_version),
        "engine": (before.render.engine, after.render.engine),
        "recipe": (before.render.recipe, after.render.recipe),
    }
    used = values_differing(before.render.used or {}, after.render.used or {})
    pairs = {name: {"before": old, "after": new} for name, (old, new) in made.items()}
    return {**pairs, "used": {"changes": used.changes, "more": used.more}}


def _by_page(text: Listed) -> list[dict[str, Any]]:
    return [
        {"page": page, "changes": [{name: one[name] for name in ("context", "before", "after")} for one in changes]}
        for page, changes in itertools.groupby(text.changes, key=lambda one: one["page"])
    ]
