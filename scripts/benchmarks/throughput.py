"""How many stored invoices a second a farm makes, alone or in turns with the farm of another checkout.

Both farms run at the same time, as `scripts/up` starts them, and are loaded one after the other: so whatever else the
machine does, it does to both. What counts is the ratio of each turn.
"""

from __future__ import annotations

import http.client
import json
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from benchmarks.farms import UP, running_farm

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

SAMPLES = Path(__file__).resolve().parent.parent.parent / "deploy" / "samples"
POLL_SECONDS = 0.02
WARM_UP = 40
ACCEPTED, STORED, GOING_ON = 200, 201, "planned"


def add_to(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this measurement to the command line."""
    parser = names.add_parser("throughput", help="stored invoices a second; --against: in turns with another checkout")
    parser.add_argument("--against", metavar="FOLDER", type=Path, help="a checkout of another version of this project")
    parser.add_argument("--turns", type=int, default=5, help="how often each farm is loaded (5)")
    parser.add_argument("--documents", type=int, default=400, help="invoices in each turn (400)")
    parser.add_argument("--clients", type=int, default=4, help="clients that submit at once (4)")
    parser.add_argument("--recipe", default="plutoprint-pdf", help="the recipe (plutoprint-pdf, the faster one)")
    parser.add_argument("--least", type=float, default=0.0, help="smallest median ratio that is no failure (0)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> int:
    """Load the farms in turns, and print what each made a second.

    Returns:
        1 when the median ratio is under the least that is allowed, else 0.
    """
    ups = {"this": UP} | ({"other": options.against.resolve() / "scripts" / "up"} if options.against else {})
    rates: dict[str, list[float]] = {name: [] for name in ups}
    with ExitStack() as stack:
        farms = {}
        for name, up in ups.items():
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pressroom-")))
            farms[name] = stack.enter_context(running_farm(home, up=up))
            rate(farms[name].url, options, documents=WARM_UP)
        for turn in range(options.turns):
            # Who is first changes from turn to turn.
            for name in list(farms) if turn % 2 == 0 else reversed(list(farms)):
                rates[name].append(rate(farms[name].url, options, documents=options.documents))
                print(f"turn {turn + 1}, {name}: {rates[name][-1]:.1f} a second", file=sys.stderr)
    ratios = [mine / theirs for mine, theirs in zip(rates["this"], rates.get("other", ()), strict=False)]
    show(options, rates, ratios)
    return int(bool(ratios) and statistics.median(ratios) < options.least)


def show(options: argparse.Namespace, rates: dict[str, list[float]], ratios: list[float]) -> None:
    """Print the figures."""
    if options.json:
        print(json.dumps({"recipe": options.recipe, "storedPerSecond": rates, "ratios": ratios}, indent=2))
        return
    print(f"stored invoices a second, {options.recipe}, {options.documents} in each of {options.turns} turns")
    print(f"{'':<8}{'min':>8}{'median':>8}{'max':>8}")
    for name, found in {**rates, **({"ratio": ratios} if ratios else {})}.items():
        digits = 3 if name == "ratio" else 1
        figures = (min(found), statistics.median(found), max(found))
        print(f"{name:<8}" + "".join(f"{figure:>8.{digits}f}" for figure in figures))


def rate(url: str, options: argparse.Namespace, *, documents: int) -> float:
    """Have so many invoices made and stored, and return how many were in a second, from the first to the last."""
    body = json.dumps(
        {
            "template": {"content": (SAMPLES / "invoice.html").read_text(), "recipe": options.recipe},
            "data": json.loads((SAMPLES / "invoice.json").read_text()),
            "options": {"reports": {"async": True}},
        }
    ).encode()
    shares = [documents // options.clients + (one < documents % options.clients) for one in range(options.clients)]
    began = time.monotonic()
    with ThreadPoolExecutor(options.clients) as pool:
        accepted = list(pool.map(lambda share: submitted(url, body, share), shares))
        list(pool.map(lambda places: awaited(url, places), accepted))
    return documents / (time.monotonic() - began)


def submitted(url: str, body: bytes, count: int) -> list[str]:
    """Submit so many, one after the other, and return where to ask for them."""
    connection = connected(url)
    try:
        places = []
        for _ in range(count):
            answer = asked(connection, "POST", "/api/report", body)
            if answer.status != ACCEPTED:
                raise SystemExit(f"The farm answered {answer.status} to an invoice")
            places.append(urlsplit(str(answer.headers["Location"])).path)
        return places
    finally:
        connection.close()


def awaited(url: str, places: Iterable[str]) -> None:
    """Wait until all are stored. They are made in the order in which they came, so most are when they are asked for."""
    connection = connected(url)
    try:
        for place in places:
            while (answer := asked(connection, "GET", place)).headers["Report-State"] == GOING_ON:
                time.sleep(POLL_SECONDS)
            if answer.status != STORED:
                raise SystemExit(f"The farm answered {answer.status} for {place}")
    finally:
        connection.close()


def connected(url: str) -> http.client.HTTPConnection:
    """Return a connection that is kept."""
    parts = urlsplit(url)
    return http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=120)


def asked(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None) -> Any:
    """Send a request and read its answer whole, so that the next can follow."""
    connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
    answer = connection.getresponse()
    answer.read()
    return answer
