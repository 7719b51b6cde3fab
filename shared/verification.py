"""The verification: every row and every object held against each other, while the farm works.

Whatever differs is asked for once more before it is said, since rows and objects come and go meanwhile. Batches keep it
small, however much there is.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared import contradictions, inventory
from shared.inventory import OWNERS
from shared.storage import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.database import Database
    from shared.inventory import Claim
    from shared.storage import Storage

# A server is asked by several at once, since most of the time is its answer's way.
READERS = 4


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification found.

    Attributes:
        objects: How many objects rows name.
        missing: How many of those are gone.
        changed: How many are not what was stored.
        unread: How many the store does not hand out.
        orphans: How many objects no row names.
        removed: How many of those it removed.
        contradictions: How many rows contradict themselves or others.
    """

    objects: int
    missing: int
    changed: int
    unread: int
    orphans: int
    removed: int
    contradictions: int

    @property
    def unrepaired(self) -> bool:
        """Whether something is still not as it should be."""
        wrong = self.missing or self.changed or self.unread or self.contradictions
        return bool(wrong or self.orphans > self.removed)


@dataclass(frozen=True, slots=True)
class _Problem:
    """What is wrong with an object: ``missing``, ``changed`` or ``unread``, and how it shows."""

    kind: str
    detail: str = ""


def verify(
    database: Database,
    storage: Storage,
    *,
    grace: float,
    say: Callable[[str], None],
    repair: bool = False,
    contents: bool = True,
) -> Verified:
    """Hold all rows and objects against each other, and say line by line what is wrong.

    Args:
        database: Where the rows are.
        storage: Where the objects are.
        grace: Seconds for which an object may lie there without a row, and the farm may be late with its duties.
        say: Takes the lines.
        repair: Whether objects that no row names are removed. What is gone or changed cannot be made again.
        contents: Whether the objects are read; else it is only asked whether they are there.

    Raises:
        StorageError: The store does not answer.
    """
    orphans = removed = objects = wrong = 0
    for key in inventory.orphans(database, storage, grace=grace):
        orphans += 1
        if repair and inventory.is_orphan(database, key):
            storage.delete(key)
            removed += 1
        say(f"orphan   {key}{'  removed' if repair else ''}")
    found = {"missing": 0, "changed": 0, "unread": 0}
    for claims, problems in _looked_at(database, storage, contents=contents):
        objects += len(claims)
        for claim, problem in problems:
            found[problem.kind] += 1
            say(_line(claim, problem))
    for line in contradictions.lines(database, grace=grace):
        wrong += 1
        say(f"wrong    {line}")
    done = Verified(objects, **found, orphans=orphans, removed=removed, contradictions=wrong)
    say(_summary(done, contents=contents))
    return done


def _looked_at(
    database: Database, storage: Storage, *, contents: bool
) -> Iterator[tuple[list[Claim], list[tuple[Claim, _Problem]]]]:
    """Yield batch by batch what rows say, and what of that is not so."""
    with ThreadPoolExecutor(READERS) as readers:
        for claims in inventory.claims(database):
            looked = readers.map(lambda one: _look(storage, one, contents=contents), claims)
            doubtful = [claim for claim, problem in zip(claims, looked, strict=True) if problem]
            problems = []
            for claim in doubtful:
                problem = _look(storage, claim, contents=contents) if inventory.is_claimed(database, claim) else None
                if problem and inventory.is_claimed(database, claim):
                    problems.append((claim, problem))
            yield claims, problems


def _look(storage: Storage, claim: Claim, *, contents: bool) -> _Problem | None:
    try:
        if not contents:
            storage.stat(claim.key)
            return None
        return _read(storage, claim)
    except FileNotFoundError:
        return _Problem("missing")
    except StorageError as error:
        # Of a store that is away, every object would be said to be bad; of a bad disk, some are.
        storage.ping()
        return _Problem("unread", str(error))


def _read(storage: Storage, claim: Claim) -> _Problem | None:
    expected = claim.sha256 or storage.stat(claim.key).sha256
    digest, size = hashlib.sha256(), 0
    for chunk in storage.stream(claim.key):
        digest.update(chunk)
        size += len(chunk)
    if claim.size is not None and size != claim.size:
        return _Problem("changed", f"{size} bytes, expected {claim.size}")
    if expected is not None and digest.hexdigest() != expected:
        return _Problem("changed", f"SHA-256 {digest.hexdigest()}, expected {expected}")
    return None


def _line(claim: Claim, problem: _Problem) -> str:
    trace = f", trace {claim.trace_id}" if claim.trace_id else ""
    detail = f": {problem.detail}" if problem.detail else ""
    return f"{problem.kind:<8} {claim.key}  ({claim.kind} of {OWNERS[claim.kind]} {claim.row_id}{trace}){detail}"


def _summary(done: Verified, *, contents: bool) -> str:
    looked = "read" if contents else "looked for, not read"
    changed = f"{done.changed} changed, {done.unread} unreadable, " if contents else ""
    hint = "; --repair removes them" if done.orphans > done.removed else ""
    return (
        f"{done.objects} objects {looked}: {changed}{done.missing} missing; "
        f"{done.orphans} objects without a row, {done.removed} removed{hint}; "
        f"{done.contradictions} rows wrong"
    )
