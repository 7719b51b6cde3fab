"""How many documents of a batch a farm makes a second, what each takes, and how that compares to the bare engine."""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any

from benchmarks import documents, loads, raw
from benchmarks.contenders import THIS, asked, contender
from benchmarks.farms import MeasureError
from benchmarks.figures import quarters, ratios, spread
from benchmarks.servers import servers
from benchmarks.trees import Watch, difference

if TYPE_CHECKING:
    import argparse

    from benchmarks.contenders import Contender

POLL_SECONDS = 0.5
LOOK_SECONDS = 5.0
BESIDE_SECONDS = 15.0
# Zerodha's night: so many documents, in so long. https://zerodha.tech/blog/1-5-million-pdfs-in-25-minutes/
NIGHT_DOCUMENTS, NIGHT_SECONDS = 1_500_000, 25 * 60


def add_to(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this measurement to the command line."""
    parser = names.add_parser("batch", help="documents a second of one batch, and what each of them takes")
    loads.add_options(parser, clients=False)
    parser.add_argument("--documents", type=loads.positive, default=1000, help="how many in each batch (1000)")
    parser.add_argument("--turns", type=loads.positive, default=1, help="how many batches, one after the other (1)")
    parser.add_argument("--servers", action="store_true", help="on PostgreSQL and an S3 server, instead of the home")
    parser.add_argument("--against", choices=["raw"], help="in turns with the engine in a plain loop on all cores")
    parser.add_argument("--least", type=float, default=0.0, help="smallest median ratio that is no failure (0)")
    parser.add_argument(
        "--most-cpu", type=float, default=float("inf"), help="ms of processor time for each that are no failure"
    )
    parser.add_argument(
        "--beside",
        action="store_true",
        help="how long a client waits for a document, with and without a batch",
    )
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> int:
    """Have batches made, and print what they took.

    Returns:
        1 when the ratio is under the least, or a document took more than is allowed; else 0.
    """
    document = documents.document(options.document)
    with ExitStack() as stack:
        settings = stack.enter_context(servers()) if options.servers else {}
        farm = stack.enter_context(
            contender(
                THIS, document, recipe=options.recipe, inline=False, settings={**settings, **dict(options.setting)}
            )
        )
        items = stack.enter_context(tempfile.TemporaryFile())
        for _ in range(options.documents):
            items.write(json.dumps(document.data).encode() + b"\n")
        _made(farm, _few(document.data), wanted=40)
        turns = []
        for turn in range(options.turns):
            items.seek(0)
            one: dict[str, Any] = {"batch": _made(farm, items, wanted=options.documents)}
            if options.against:
                farm.tree.rest()
                one["raw"] = raw.of_document(document, options.recipe, one["batch"]["seconds"])
            turns.append(one)
            print(f"turn {turn + 1}: {one['batch']['perSecond']:.1f} a second", file=sys.stderr)
        waits = _beside(options, farm, items) if options.beside else None
    ratio = None
    if options.against:
        ratio = ratios([one["batch"]["perSecond"] for one in turns], [one["raw"]["perSecond"] for one in turns])
    told = {"measurement": "batch", "documents": options.documents, "servers": options.servers}
    result = loads.circumstances(options) | told | {"turns": turns, "ratio": ratio, "beside": waits}
    spent = statistics.median(one["batch"]["cpuMsPerDocument"] for one in turns)
    result["coresForTheNight"] = NIGHT_DOCUMENTS * spent / 1000 / NIGHT_SECONDS
    loads.show(result, table(result), options.json)
    is_slow = ratio is not None and ratio["median"] < options.least
    return int(is_slow or spent > options.most_cpu)


def _beside(options: argparse.Namespace, farm: Contender, items: IO[bytes]) -> dict[str, Any]:
    """Measure how long a document is waited for, by itself and while a batch is made."""
    options.concurrency, options.window = 1, None
    work = dataclasses.replace(loads.order(options, farm, stored=False), seconds=BESIDE_SECONDS)
    found = {"alone": loads.load(farm, work).figures["latencyMs"]}
    items.seek(0)
    sent = _upload(farm, items)
    found["beside"] = loads.load(farm, work, rest=False).figures["latencyMs"]
    state = _batch(farm, sent["id"])["state"]
    if state != "running":
        raise MeasureError(f"The batch was {state} before the client was: give it more documents")
    _batch(farm, f"{sent['id']}/cancel", {})
    return found


def _few(data: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(data).encode() + b"\n" for _ in range(40))


def _made(farm: Contender, items: IO[bytes] | bytes, *, wanted: int) -> dict[str, Any]:
    """Send a batch, wait for its end, and return what it took; from the first byte sent to the last one stored."""
    farm.tree.rest()
    before = farm.tree.processor_seconds()
    began = time.monotonic()
    # A look takes 30 ms: one a second would be felt.
    with Watch(farm.tree, every=LOOK_SECONDS) as watch:
        sent = _upload(farm, items)
        accepted = time.monotonic() - began
        while True:
            found = _batch(farm, sent["id"])
            if found["state"] == "completed":
                break
            time.sleep(POLL_SECONDS)
        seconds = time.monotonic() - began
    farm.tree.rest()
    if found["succeeded"] != wanted:
        raise MeasureError(f"{found['failed']} of {wanted} documents failed: there is nothing to measure")
    taken = difference(before, farm.tree.processor_seconds())
    memory = [(moment - began, mib) for moment, mib in watch.samples]
    first, last = quarters(memory, seconds)
    return {
        "seconds": round(seconds, 2),
        "acceptedSeconds": round(accepted, 2),
        "perSecond": wanted / seconds,
        "cpuMsPerDocument": sum(taken.values()) * 1000 / wanted,
        "cpuMsPerDocumentByProcess": {kind: round(spent * 1000 / wanted, 2) for kind, spent in taken.items()},
        "pssMiB": {"firstQuarter": round(first, 1), "lastQuarter": round(last, 1), "peak": round(watch.peak(), 1)},
    }


def _upload(farm: Contender, items: IO[bytes] | bytes) -> dict[str, Any]:
    return _batch(farm, f"upload?template={farm.body['template']['name']}", items, media_type="application/x-ndjson")


def _batch(farm: Contender, path: str, body: object = None, **options: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(asked(farm.url, f"/api/v1/batch/{path}", body, **options))["data"]
    return found


def table(result: dict[str, Any]) -> str:
    """Return what a person reads."""
    where = "PostgreSQL and S3" if result["servers"] else "SQLite and a folder"
    how = f"batch, {result['document']}, {result['recipe']}, {result['documents']} documents in each, {where}"
    lines = [
        f"{how}, {result['cores']} cores, {result['measured']}",
        "",
        f"{'turn':<6}{'a second':>10}{'raw':>10}{'ratio':>8}{'CPU, ms':>9}{'PSS, MiB: first quarter, last, peak':>38}",
    ]
    for number, one in enumerate(result["turns"], 1):
        made, bare = one["batch"], one.get("raw")
        compared = f"{bare['perSecond']:>10.1f}{made['perSecond'] / bare['perSecond']:>8.2f}" if bare else f"{'':>18}"
        memory = "".join(f"{made['pssMiB'][name]:>10.0f}" for name in ("firstQuarter", "lastQuarter", "peak"))
        lines.append(f"{number:<6}{made['perSecond']:>10.1f}{compared}{made['cpuMsPerDocument']:>9.1f}{'':>8}{memory}")
    taken = result["turns"][-1]["batch"]["cpuMsPerDocumentByProcess"]
    lines += ["", "CPU of the last turn, ms each: " + ", ".join(f"{name} {spent}" for name, spent in taken.items())]
    if result["ratio"]:
        shares = spread(result["ratio"]["perTurn"])
        lines.append("ratio: " + " / ".join(f"{shares[name]:.2f}" for name in ("min", "median", "max")))
    if result["beside"]:
        for where, waits in result["beside"].items():
            said = ", ".join(f"{name} {waits[name]:.0f} ms" for name in ("p50", "p95", "p99"))
            lines.append(f"one client that waits for each document, {where}: {said}")
    lines.append(
        f"{NIGHT_DOCUMENTS:,} documents in {NIGHT_SECONDS // 60} minutes: {result['coresForTheNight']:.1f} cores"
    )
    return "\n".join(lines)
