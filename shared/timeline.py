"""Everything the farm knows of one trace id, in the order of time: from the database and from this machine's logs.

A reprint has a trace id of its own, derived from that of the document; who asks for the document's gets both.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from shared.identifiers import is_trace_id
from shared.log_lines import LogSearch
from shared.traced_rows import Entry, TracedRows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from shared.database import Database
    from shared.references import Reference

SHOWN_ELSEWHERE = {"timestamp", "event", "process", "trace_id", "level", "logger"}
# How long before its first row a trace's first line may be in a log: a request is checked first, and clocks differ.
SLACK = dt.timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much is looked at, and told; None: all there is.

    Attributes:
        rows: Rows of each table.
        entries: Entries, the earliest of those.
        bytes_per_file: Bytes of each log file.
    """

    rows: int | None = None
    entries: int | None = None
    bytes_per_file: int | None = None


UNBOUNDED = Bounds()


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is known of a trace.

    Attributes:
        entries: What happened, in the order of time.
        things: What belongs to it, and the records and batches that its parts are of.
        truncated: Whether the bounds left something out.
    """

    entries: list[Entry]
    things: list[Reference]
    truncated: bool


def collect(database: Database, logs: Path, trace_id: str, *, bounds: Bounds = UNBOUNDED) -> Timeline:
    """Return what database and log files say of a trace id and of the ids derived from it.

    Args:
        database: Where the rows are.
        logs: The folder of this machine's log files.
        trace_id: The trace.
        bounds: How much of it.
    """
    if not is_trace_id(trace_id):
        return Timeline([], [], truncated=False)
    with database.reading() as session:
        rows = TracedRows(session, trace_id, most=bounds.rows)
    since = min((entry.at for entry in rows.entries), default=None)
    search = LogSearch(
        logs,
        frozenset(rows.trace_ids),
        since=None if since is None or bounds.bytes_per_file is None else since - SLACK,
        bytes_per_file=bounds.bytes_per_file,
    )
    entries, truncated = _earliest(rows.entries, bounds.entries)
    for lines in search.files():
        found = (entry for line in lines if (entry := _of_line(line, rows.trace_ids)) is not None)
        # One more than is wanted tells that there are more; a file is read no further than that.
        most = None if bounds.entries is None else bounds.entries + 1
        entries, more = _earliest([*entries, *islice(found, most)], bounds.entries)
        truncated |= more
    return Timeline(entries, rows.things, truncated or rows.truncated or search.truncated)


def formatted(entries: Iterable[Entry], *, as_json: bool) -> Iterator[str]:
    """Yield a line per entry: for people, with the milliseconds since the first; or as JSON."""
    first: dt.datetime | None = None
    for entry in entries:
        first = first or entry.at
        moment = entry.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if as_json:
            yield json.dumps(
                {"at": moment, "source": entry.source, "event": entry.event, **entry.details},
                ensure_ascii=False,
                default=str,
            )
        else:
            since = f"+{(entry.at - first).total_seconds() * 1000:.0f} ms"
            details = "  ".join(
                f"{name}={value}" for name, value in entry.details.items() if value not in (None, "", [])
            )
            yield f"{moment}  {since:>10}  {entry.source:<9} {entry.event:<20} {details}".rstrip()


def _earliest(entries: Iterable[Entry], most: int | None) -> tuple[list[Entry], bool]:
    """Return so many entries in the order of time, and whether there are more."""
    ordered = sorted(entries, key=lambda entry: entry.at)
    return ordered[:most], most is not None and len(ordered) > most


def _of_line(line: bytes, trace_ids: Collection[str]) -> Entry | None:
    try:
        said = json.loads(line, parse_constant=lambda _: None)
        if said.get("trace_id") not in trace_ids:
            return None
        at = dt.datetime.fromisoformat(said["timestamp"])
    except (ValueError, KeyError, AttributeError, TypeError):
        # Output of a program that does not log in our form, or a line cut off by a crash.
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=dt.UTC)
    details = {name: value for name, value in said.items() if name not in SHOWN_ELSEWHERE}
    level = said.get("level")
    source, event = str(said.get("process", "log")), str(said.get("event", ""))
    return Entry(at, source, event, details, None if level is None else str(level))
