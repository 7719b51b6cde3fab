"""How long lists of many reports take over OData: each query on each database, in the process and through a gateway.

The rows are made here, in the shape that a farm's own have after some months: nearly all succeeded, few failed, some
few are public.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from sqlalchemy import insert, text

from api.app import create_app
from benchmarks.farms import StartError, free_ports
from benchmarks.servers import TESTS
from shared.database import Database, migrate
from shared.identifiers import new_shortid
from shared.models import Render, Report
from shared.settings import load_settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

BUDGET_MS = 50
TOP = "50"
PAGE = "100"
BATCH = 5000
NEEDLE = 500
START_SECONDS = 30
FIRST_DAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
DAYS = 180
NEWEST = "creationDate desc"
# What people and their programs ask for.
QUERIES: dict[str, dict[str, str]] = {
    "no filter, newest first": {"$orderby": NEWEST},
    "state eq 'success', newest first": {"$filter": "state eq 'success'", "$orderby": NEWEST},
    "state eq 'error' (1 in 1000), newest first": {"$filter": "state eq 'error'", "$orderby": NEWEST},
    "a day of creationDate": {
        "$filter": "creationDate ge 2026-03-01T00:00:00Z and creationDate lt 2026-03-02T00:00:00Z",
        "$orderby": "creationDate",
    },
    "startswith(name,..), by name": {"$filter": "startswith(name,'invoice-0004')", "$orderby": "name"},
    "contains(name,..) (1 in 1000), newest first": {"$filter": "contains(name,'needle')", "$orderby": NEWEST},
    "contains(name,..) (none)": {"$filter": "contains(name,'nowhere')", "$orderby": NEWEST},
    "recipe eq.. (1 in 4), newest first": {"$filter": "recipe eq 'html'", "$orderby": NEWEST},
    "templateShortid eq.. (1 in 100), newest first": {"$filter": "templateShortid eq 't07'", "$orderby": NEWEST},
    "public eq true (1 in 100), newest first": {"$filter": "public eq true", "$orderby": NEWEST},
    "size gt.., largest first": {"$filter": "size gt 100000", "$orderby": "size desc"},
    "size gt.. (none), largest first": {"$filter": "size gt 100000000", "$orderby": "size desc"},
    "finishedDate ge.., any order": {"$filter": "finishedDate ge 2026-06-01T00:00:00Z"},
    "by state, then newest first": {"$orderby": "state,creationDate desc"},
    "state and template, newest first": {
        "$filter": "state eq 'success' and templateShortid eq 't07'",
        "$orderby": NEWEST,
    },
}
COUNTS: dict[str, dict[str, str]] = {
    "$count of all": {},
    "$count of state eq 'error'": {"$filter": "state eq 'error'"},
    "$count of public eq true": {"$filter": "public eq true"},
    "$count of templateShortid eq..": {"$filter": "templateShortid eq 't07'"},
}


def add_to(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this measurement to the command line."""
    parser = names.add_parser("odata", help="lists of many reports over OData")
    parser.add_argument("--rows", type=int, default=100_000, help="reports that are made first (100000)")
    parser.add_argument("--repeat", type=int, default=50, help="how often each query is asked (50)")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="only one of the two")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> int:
    """Make the rows, ask every query, print how long the answers took.

    Returns:
        1 when a query's 95th percentile is over the budget, else 0.
    """
    results: dict[str, Any] = {}
    for name in [options.database] if options.database else ["sqlite", "postgresql"]:
        with ExitStack() as stack:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pressroom-")))
            url = "" if name == "sqlite" else stack.enter_context(postgresql())
            if url is None:
                continue
            settings = load_settings(
                {"PRESSROOM_HOME": str(home), "PRESSROOM_DATABASE_URL": url, "PRESSROOM_ODATA_PAGE": PAGE}
            )
            fill(settings.database, options.rows)
            client = create_app(settings).test_client()
            results[name] = asked(lambda path: client.get(path).get_data(), options)  # noqa: B023  # Called at once.
            base = stack.enter_context(gateway(home, url))
            results[f"{name}, gateway"] = asked(lambda path: fetched(base, path), options)  # noqa: B023  # As above.
    if options.json:
        print(json.dumps({"rows": options.rows, "budgetMs": BUDGET_MS, "milliseconds": results}, indent=2))
    else:
        for name, figures in results.items():
            print(f"\n{name}, {options.rows} reports, milliseconds\n{'':<52}{'min':>8}{'median':>8}{'p95':>8}")
            for query, (low, median, high) in figures.items():
                print(f"{query:<52}{low:>8.1f}{median:>8.1f}{high:>8.1f}{'  over' if high > BUDGET_MS else ''}")
    slow = [one for figures in results.values() for query, one in figures.items() if "$skip" not in query]
    return int(any(high > BUDGET_MS for _, _, high in slow))


def asked(ask: Callable[[str], bytes], options: argparse.Namespace) -> dict[str, tuple[float, float, float]]:
    """Return minimum, median and 95th percentile of each query, in milliseconds."""
    figures = {}
    for query, asked_for in QUERIES.items():
        figures[query] = timed(ask, address(asked_for | {"$top": TOP}), options.repeat)
    for query, asked_for in COUNTS.items():
        figures[query] = timed(ask, address(asked_for, "/$count"), options.repeat)
    # Page after page by its nextLink, and the same far page by counting rows.
    page = address({"$orderby": NEWEST, "$top": "1000000000", "$select": "_id,name,state"})
    figures["page 1 by nextLink"] = timed(ask, page, options.repeat)
    far = min(1000, options.rows // 1000 * 10)
    for number in range(2, far + 1):
        following = json.loads(ask(page))["@odata.nextLink"]
        page = "/odata/" + following.partition("/odata/")[2]
        if number == far:
            figures[f"page {number} by nextLink"] = timed(ask, page, options.repeat)
    skipped = {"$orderby": NEWEST, "$top": "100", "$skip": str((far - 1) * 100), "$select": "_id,name,state"}
    figures[f"page {far} by $skip"] = timed(ask, address(skipped), max(options.repeat // 5, 1))
    return figures


def timed(ask: Callable[[str], bytes], path: str, repeat: int) -> tuple[float, float, float]:
    """Ask again and again. The first two answers are left out: they fill the caches."""
    taken = []
    for _ in range(repeat + 2):
        started = time.perf_counter()
        answer = ask(path)
        taken.append((time.perf_counter() - started) * 1000)
        if answer[:9] == b'{"error":':
            raise StartError(f"{path}: {answer.decode()}")
    taken = sorted(taken[2:])
    return taken[0], statistics.median(taken), taken[min(len(taken) - 1, round(len(taken) * 0.95))]


def address(options: dict[str, str], what: str = "") -> str:
    """Return the address of a query."""
    return f"/odata/reports{what}?{urlencode(options, quote_via=quote, safe='$')}"


def fetched(base: str, path: str) -> bytes:
    """Ask a gateway."""
    with urllib.request.urlopen(base + path, timeout=60) as answer:  # noqa: S310  # A gateway of our own.
        content: bytes = answer.read()
    return content


@contextmanager
def gateway(home: Path, database_url: str) -> Iterator[str]:
    """Run a gateway alone: lists need no broker and no worker."""
    [port] = free_ports(1)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PRESSROOM_")},
        "PRESSROOM_HOME": str(home),
        "PRESSROOM_PORT": str(port),
        "PRESSROOM_DATABASE_URL": database_url,
        "PRESSROOM_ODATA_PAGE": PAGE,
    }
    program = Path(sys.executable).with_name("pressroom")
    with (home / "gateway.jsonl").open("wb") as log:
        process = subprocess.Popen([program, "run", "gateway"], env=environment, stdout=log, stderr=log, cwd=home)
    base = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with suppress(OSError):
                fetched(base, "/healthz")
                break
            if time.monotonic() > deadline:
                raise StartError(f"The gateway did not start:\n{(home / 'gateway.jsonl').read_text()}")
            time.sleep(0.1)
        yield base
    finally:
        process.terminate()
        process.wait()


@contextmanager
def postgresql() -> Iterator[str | None]:
    """Run the tests' PostgreSQL; None, with a word to the reader, where it is not installed."""
    sys.path.insert(0, str(TESTS))
    try:
        from services import Postgres, ServiceMissingError  # noqa: PLC0415  # A part of the tests, which may be missing.

        server = Postgres()
        server.check()
    except ImportError as error:
        print(f"PostgreSQL is left out, {error.name} is not installed: run scripts/test once", file=sys.stderr)
        yield None
        return
    except ServiceMissingError as error:
        print(f"PostgreSQL is left out: {error}", file=sys.stderr)
        yield None
        return
    with server:
        yield server.new_database()


def fill(url: str, rows: int) -> None:
    """Make the reports and their renders."""
    migrate(url)
    database = Database(url)
    chance = random.Random(1)  # noqa: S311  # The same rows each time.
    with database.engine.begin() as connection:
        for first in range(0, rows, BATCH):
            made = [pair(number, rows, chance) for number in range(first, min(first + BATCH, rows))]
            connection.execute(insert(Render), [render for render, _ in made])
            connection.execute(insert(Report), [report for _, report in made])
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # PostgreSQL does it by itself, some minutes later.
        if urlsplit(url).scheme != "sqlite":
            connection.execute(text("VACUUM ANALYZE"))
    database.close()


def pair(number: int, rows: int, chance: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return one render and its report."""
    created = FIRST_DAY + dt.timedelta(days=DAYS) * number / rows + dt.timedelta(microseconds=number % 1000)
    finished = created + dt.timedelta(seconds=chance.expovariate(0.5))
    state = {0: "failed", 1: "cancelled", 2: "queued"}.get(number % 1000, "succeeded")
    done = state == "succeeded"
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    name = f"the needle {number:06d}" if number % 1000 == NEEDLE else f"invoice-{number:06d}"
    render_id, report_id = (
        f"{prefix}{number:07x}-{digest[:4]}-7{digest[4:7]}-8{digest[7:10]}-{digest[10:22]}" for prefix in "01"
    )
    recipe = ["weasyprint-pdf", "plutoprint-pdf", "html", "text"][chance.randrange(4)]
    render = {
        "id": render_id,
        "trace_id": digest[:32],
        "state": state,
        "queue": "render",
        "engine": "jinja",
        "recipe": recipe,
        "data": json.dumps({"number": number, "lines": [digest] * 12}),
        "timeout": 60.0,
        "blob_stem": f"reports/{report_id}",
        "kept": True,
        "attempt": 0 if state == "queued" else 1,
        "losses": [],
        "submitted_at": created,
        "queued_at": created,
        "started_at": None if state == "queued" else created,
        "finished_at": None if state == "queued" else finished,
        "error": "the template raised" if state == "failed" else None,
        "cause": "template" if state == "failed" else None,
        "blob_key": f"reports/{report_id}.pdf" if done else None,
        "media_type": "application/pdf" if done else None,
        "extension": "pdf" if done else None,
        "size": chance.randrange(5_000, 500_000) if done else None,
        "sha256": digest if done else None,
        "pages": chance.randrange(1, 30) if done else None,
        "timings": {"queue": 5, "render": 900} if done else None,
    }
    report = {
        "id": report_id,
        "shortid": f"{number:07d}{new_shortid()[:4]}",
        "render_id": render_id,
        "name": name,
        "blob_name": report_id,
        "public": number % 100 == 1,
        "template_shortid": f"t{number % 100:02d}",
        "keep": False,
        "created_at": created,
        "modified_at": created,
    }
    return render, report
