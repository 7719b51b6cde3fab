"""How long lists of many history records take through a gateway, and what the purge of most of them costs.

The rows are made here, in the shape that a farm's own have after some months: requests of some kilobytes, nearly all
answered with a PDF, some few printed. There are no objects: what a store takes to remove them is the store's.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from sqlalchemy import insert, text

from benchmarks.farms import StartError
from benchmarks.odata import fetched, gateway, postgresql, timed
from shared.database import Database, migrate
from shared.models import HistoryRecord, PrintTask, Render, Template, TemplateVersion, Thumbnail
from shared.models.history import SEARCHED, searched_in

if TYPE_CHECKING:
    import argparse

BUDGET_MS = 50
# Beyond what the purge's process began with.
BUDGET_KIB = 20_000
BATCH = 5000
TEMPLATES = 50
DAYS = 100
# So that four of five are older than what is purged.
PURGED_AGE = "20d"
LIST = "/api/v1/report-history-record"


def queries() -> dict[str, dict[str, str]]:
    """Return what people and their programs ask for; dates are those of `fill`."""
    since, until = (f"{moment_of(share):%Y-%m-%d}" for share in (0.2, 0.8))
    span = {"createdFrom": since, "createdTo": until}
    return {
        "no filter, newest first": {},
        "no filter, the last page": {"page": "last"},
        "status, template, source": {"status": "Ok", "reportConfig": "template 7", "source": "api"},
        "status, source, dates": {"status": "Ok", "source": "api", **span},
        "status, template, dates": {"status": "Error", "reportConfig": "template 7", **span},
        "status, source, search (none)": {"status": "Ok", "source": "api", "search": "nowhere"},
        "status, source, search (1 in 5)": {"status": "Ok", "source": "api", "search": "WAREHOUSE"},
        "template, dates, search (some)": {"reportConfig": "template 7", "search": "abc", **span},
        "status, source, dates, by template": {"status": "Ok", "source": "api", "sort": "reportConfig", **span},
        "trace id, status, source": {"traceId": trace_of(1), "status": "Ok", "source": "api"},
        "search (none)": {"search": "nowhere"},
        "by status": {"sort": "status"},
        "pinned, status, search (1 in 5)": {"keep": "true", "status": "Ok", "search": "WAREHOUSE"},
        "not pinned, status, source, dates": {"keep": "false", "status": "Ok", "source": "api", **span},
    }


def add_to(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this measurement to the command line."""
    parser = names.add_parser("history", help="lists of many history records, and the purge of most of them")
    parser.add_argument("--rows", type=int, default=50_000, help="records that are made first (50000)")
    parser.add_argument("--repeat", type=int, default=50, help="how often each list is asked for (50)")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="only one of the two")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> int:
    """Make the rows, ask for every list, purge; print how long it took, and how much memory the purge.

    Returns:
        1 when a list's 95th percentile, or the purge's memory, is over the budget, else 0.
    """
    lists: dict[str, Any] = {}
    purges: dict[str, Any] = {}
    for name in [options.database] if options.database else ["sqlite", "postgresql"]:
        with ExitStack() as stack:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pressroom-")))
            url = f"sqlite:///{home / 'pressroom.db'}" if name == "sqlite" else stack.enter_context(postgresql())
            if url is None:
                continue
            fill(url, options.rows)
            with gateway(home, url) as base:
                lists[name] = asked(base, options)
            purges[name] = purged(home, url)
    if options.json:
        print(json.dumps({"rows": options.rows, "milliseconds": lists, "purge": purges}, indent=2))
    else:
        show(options.rows, lists, purges)
    slow = any(high > BUDGET_MS for figures in lists.values() for _, _, high in figures.values())
    return int(slow or any(one["grownKib"] > BUDGET_KIB for one in purges.values()))


def asked(base: str, options: argparse.Namespace) -> dict[str, tuple[float, float, float]]:
    """Return minimum, median and 95th percentile of each list, in milliseconds."""
    return {
        name: timed(lambda path: fetched(base, path), address(query, options.rows), options.repeat)
        for name, query in queries().items()
    }


def show(rows: int, lists: dict[str, Any], purges: dict[str, Any]) -> None:
    """Print the tables."""
    for name, figures in lists.items():
        print(f"\n{name}, {rows} records, milliseconds\n{'':<52}{'min':>8}{'median':>8}{'p95':>8}")
        for query, (low, median, high) in figures.items():
            print(f"{query:<52}{low:>8.1f}{median:>8.1f}{high:>8.1f}{'  over' if high > BUDGET_MS else ''}")
    for name, one in purges.items():
        print(
            f"\n{name}: {one['records']} records and {one['printTasks']} print tasks purged in {one['seconds']:.1f} s, "
            f"{one['grownKib']} KiB of memory beyond what it began with"
        )


def address(query: dict[str, str], rows: int) -> str:
    """Return the address of a list."""
    last = {"page": str(rows // 25)} if query.get("page") else {}
    return f"{LIST}?{urlencode(query | last)}"


def purged(home: Path, url: str) -> dict[str, Any]:
    """Purge in a process of its own, and return what it did and how its memory grew."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PRESSROOM_", "PURGE_"))},
        "PRESSROOM_HOME": str(home),
        "PRESSROOM_DATABASE_URL": url,
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.purge", PURGED_AGE],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StartError(f"The purge failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def fill(url: str, rows: int) -> None:
    """Make the records, with their renders, thumbnails and print tasks."""
    migrate(url)
    database = Database(url)
    chance = random.Random(1)  # noqa: S311  # The same rows each time.
    names = [(f"{number:02d}", f"template {number}") for number in range(TEMPLATES)]
    with database.engine.begin() as connection:
        made = {"number": 1, "content": "", "engine": "jinja", "recipe": "weasyprint-pdf"}
        versions = [{"id": f"v{one}", "template_id": f"t{one}", "name": name, **made} for one, name in names]
        connection.execute(insert(TemplateVersion), versions)
        templates = [
            {"id": f"t{one}", "shortid": f"s{one}", "name": name, "version_id": f"v{one}"} for one, name in names
        ]
        connection.execute(insert(Template), templates)
        for first in range(0, rows, BATCH):
            numbers = range(first, min(first + BATCH, rows))
            kinds = zip(*(row(number, rows, chance) for number in numbers), strict=True)
            for model, found in zip((Render, HistoryRecord, Thumbnail, PrintTask), kinds, strict=True):
                connection.execute(insert(model), [one for one in found if one is not None])
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # PostgreSQL does it by itself, some minutes later.
        if urlsplit(url).scheme != "sqlite":
            connection.execute(text("VACUUM ANALYZE"))
    database.close()


def row(number: int, rows: int, chance: random.Random) -> tuple[dict[str, Any] | None, ...]:
    """Return one render with its record, its thumbnail and its print task, as far as it has them."""
    created, trace = moment_of(number / rows), trace_of(number)
    tail = f"{number:07x}-{trace[:4]}-7{trace[4:7]}-8{trace[7:10]}-{trace[10:22]}"
    render_id, record_id = f"0{tail}", f"1{tail}"
    done, template = number % 20 != 0, f"{chance.randrange(TEMPLATES):02d}"
    key = f"history/{render_id}.pdf" if done else None
    document = {"blob_key": key, "size": 30_000 if done else None, "sha256": trace * 2 if done else None}
    render: dict[str, Any] = {
        "id": render_id, "trace_id": trace, "state": "succeeded" if done else "failed", "queue": "render",
        "template_version_id": f"v{template}", "engine": "jinja", "recipe": "weasyprint-pdf", "data": "{}",
        "timeout": 60.0, "blob_stem": f"history/{render_id}", "kept": True, "followed": True, "attempt": 1,
        "losses": [], "submitted_at": created, "queued_at": created, "started_at": created, "finished_at": created,
        "media_type": "application/pdf" if done else None, "extension": "pdf" if done else None, **document,
    }  # fmt: skip
    lines = [{"position": place, "digest": trace} for place in range(chance.randrange(1, 60))]
    record: dict[str, Any] = {
        "id": record_id, "trace_id": trace, "render_id": render_id, "template_id": f"t{template}",
        "template_shortid": f"s{template}", "template_name": f"template {int(template)}", "template_version": 1,
        "output_type": "base64", "payload": json.dumps({"outputType": "base64", "data": lines}).encode(),
        "response": {"success": done, "errors": [] if done else ["no"], "meta": {"traceId": trace}},
        "status": "Ok" if done else "Error", "file_name": f"{record_id}.pdf", "pages": 1 if done else None,
        "source": chance.choice(["api", "api", "api", "studio", "schedule"]),
        "created_by": f"token:{chance.choice(['warehouse', 'office', 'shop', 'web', 'mail'])}",
        "keep": number % 100 == 0, "created_at": created, "modified_at": created, **document,
    }  # fmt: skip
    record["searched"] = searched_in(**{name: record[name] for name in SEARCHED})
    thumbnail = {
        "render_id": render_id, "trace_id": trace, "state": "succeeded", "attempt": 1, "queued_at": created,
        "blob_key": f"thumbnails/{render_id}~1.png",
    }  # fmt: skip
    task = {
        "id": f"2{tail}", "trace_id": trace, "history_record_id": record_id, "printer_name": "Warehouse 1",
        "file_name": f"{record_id}.pdf", "number_of_copies": 1, "status": "completed", "source": "api",
        "created_at": created, "modified_at": created,
    }  # fmt: skip
    return render, record, thumbnail if done else None, task if done and number % 4 == 0 else None


def moment_of(share: float) -> dt.datetime:
    """Return the time of a row: the last is of today, the first of a hundred days ago."""
    return dt.datetime.now(dt.UTC) - dt.timedelta(days=DAYS) * (1 - share)


def trace_of(number: int) -> str:
    """Return a row's trace id."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]
