"""How soon the studio's lists are seen in a browser when there is much to list, and what their pages weigh.

The gateway runs alone, on a database whose rows are made here; the browser is the system's Chromium. A page's weight is
what comes over the wire for it when nothing of it is known yet: markup, style sheets, scripts and icons, compressed;
not the documents and their pictures.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from benchmarks import history, odata
from benchmarks.farms import MeasureError
from benchmarks.servers import TESTS
from shared.database import Database
from shared.models import Batch, PrintTask, Render, Report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext

BUDGET_MS = 300
BUDGET_KIB = 300
BUDGET_EDITOR_KIB = 700
CHUNK = 5000
LISTS = {
    "history": "/studio/history",
    "history, filtered and searched": "/studio/history?status=Ok&source=api&search=WAREHOUSE",
    "history, the last page": "/studio/history?page=4000",
    "reports": "/studio/reports",
    "reports, searched": "/studio/reports?search=needle",
    "print tasks": "/studio/print-tasks",
    "print tasks, searched": "/studio/print-tasks?search=warehouse",
    "batches": "/studio/batches",
    "templates": "/studio/templates",
    "schedules": "/studio/schedules",
    "printers": "/studio/printers",
    "farm": "/studio/farm",
}
PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
# What a page is made of, but for the pictures and documents that it shows.
WEIGHT = """() => performance.getEntriesByType('navigation')
    .concat(performance.getEntriesByType('resource'))
    .filter((one) => new URL(one.name).pathname.startsWith('/studio/'))
    .reduce((sum, one) => sum + one.encodedBodySize, 0)"""


def add_to(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this measurement to the command line."""
    parser = names.add_parser("studio", help="first paint and weight of the studio's pages")
    parser.add_argument("--rows", type=int, default=100_000, help="records of each kind that are made first (100000)")
    parser.add_argument("--repeat", type=int, default=7, help="how often each page is opened (7)")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite", help="on which (sqlite)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> int:
    """Make the rows, open every list, print how soon it was seen.

    Returns:
        1 when a list's median is over the budget, or a page's weight is, else 0.
    """
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pressroom-")))
        named = options.database == "postgresql"
        url = stack.enter_context(odata.postgresql()) if named else f"sqlite:///{home / 'pressroom.db'}"
        if url is None:
            raise MeasureError("There is no PostgreSQL here: run scripts/test once, or measure on SQLite")
        fill(url, options.rows)
        base = stack.enter_context(odata.gateway(home, url))
        running = stack.enter_context(browser())
        editor = json.loads(odata.fetched(base, "/api/v1/report-config?pageSize=1"))["data"][0]["id"]
        found = {name: opened(running, base + path, options.repeat) for name, path in LISTS.items()}
        found["editor"] = opened(running, f"{base}/studio/templates/{editor}", options.repeat)
    if options.json:
        print(json.dumps({"rows": options.rows, "pages": found}, indent=2))
    else:
        print(f"{options.database}, {options.rows} records of each kind")
        print(f"{'':<34}{'first paint, ms: min':>22}{'median':>8}{'max':>8}{'weight, KiB':>14}")
        for name, one in found.items():
            low, median, high = one["milliseconds"]
            over = "  over" if _is_over(name, one) else ""
            print(f"{name:<34}{low:>22.0f}{median:>8.0f}{high:>8.0f}{one['kib']:>14.0f}{over}")
    return int(any(_is_over(name, one) for name, one in found.items()))


def opened(running: Browser, address: str, repeat: int) -> dict[str, Any]:
    """Open a page once with nothing known, for its weight, and then again and again in one browser."""
    weight = seen(running.new_context(), address)[1]
    known = running.new_context()
    # What all pages have in common is known from now on.
    seen(known, address)
    paints = sorted(seen(known, address)[0] for _ in range(repeat))
    known.close()
    return {"milliseconds": (paints[0], statistics.median(paints), paints[-1]), "kib": weight / 1024}


def seen(context: BrowserContext, address: str) -> tuple[float, float]:
    """Open a page, and return the milliseconds until it was seen, and its bytes."""
    page = context.new_page()
    page.goto(address)
    page.wait_for_function(f"({PAINTED})() !== null")
    found = page.evaluate(PAINTED), page.evaluate(WEIGHT)
    page.close()
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """Run the tests' browser."""
    sys.path.insert(0, str(TESTS))
    try:
        from browsing import chromium  # noqa: PLC0415  # A part of the tests, which may be missing.
    except ImportError as error:
        raise MeasureError(f"{error.name} is not installed: run scripts/test once") from error
    with chromium() as running:
        yield running


def fill(url: str, rows: int) -> None:
    """Make records, reports, print tasks and batches."""
    history.fill(url, rows)
    database = Database(url)
    chance = random.Random(2)  # noqa: S311  # The same rows each time.
    with database.engine.begin() as connection:
        # One record in four has a print task already.
        for first in range(0, rows, CHUNK):
            numbers = range(first, min(first + CHUNK, rows))
            pairs = [odata.pair(rows + number, 2 * rows, chance) for number in numbers]
            connection.execute(insert(Render), [render for render, _ in pairs])
            connection.execute(insert(Report), [report for _, report in pairs])
            made = [history.row(number, rows, chance) for number in numbers]
            tasks = [_task(record) for _, record, _, task in made if record is not None and task is None]
            connection.execute(insert(PrintTask), tasks)
            connection.execute(insert(Batch), [_batch(number, rows) for number in numbers])
    database.close()


def _task(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"3{record['id'][1:]}", "trace_id": record["trace_id"], "history_record_id": record["id"],
        "printer_name": "Office 2", "file_name": record["file_name"], "number_of_copies": 1, "status": "completed",
        "source": "api", "created_at": record["created_at"], "modified_at": record["created_at"],
    }  # fmt: skip


def _batch(number: int, rows: int) -> dict[str, Any]:
    at = history.moment_of(number / rows)
    return {
        "id": f"4{number:07x}-0000-7000-8000-000000000000", "trace_id": history.trace_of(number), "state": "completed",
        "kind": "data", "name": "invoice-{{ number }}", "template_version_id": "v01", "template_shortid": "s01",
        "template_name": "template 1", "engine": "jinja", "recipe": "weasyprint-pdf", "queue": "render.bulk",
        "total": 1000, "fed": 1000, "succeeded": 1000, "created_at": at, "finished_at": at, "settled_at": at,
    }  # fmt: skip


def _is_over(name: str, one: dict[str, Any]) -> bool:
    if name == "editor":
        return bool(one["kib"] > BUDGET_EDITOR_KIB)
    return bool(one["milliseconds"][1] > BUDGET_MS or one["kib"] > BUDGET_KIB)
