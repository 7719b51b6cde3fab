"""One load on one farm: what came of it, what it took, and how long it was waited for."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from benchmarks import documents
from benchmarks.farms import MeasureError
from benchmarks.figures import percentiles
from benchmarks.generator import Order
from benchmarks.trees import SAMPLE_SECONDS, Watch, difference
from shared.settings import described

if TYPE_CHECKING:
    from benchmarks.contenders import Contender

WARM_UP_DOCUMENTS = 40
WARM_UP_SECONDS = 5.0
PROVING_DOCUMENTS = 300
# The tool chooses these itself.
CHOSEN = {"PRESSROOM_HOME", "PRESSROOM_PORT", "PRESSROOM_HOST"}


@dataclass(frozen=True, slots=True)
class Load:
    """What happened under one load."""

    began: float  # time.monotonic
    seconds: float
    done: list[tuple[float, float]]  # when each was done, and milliseconds since it was sent
    memory: list[tuple[float, float]]  # when, and MiB
    figures: dict[str, Any]


def add_options(parser: argparse.ArgumentParser, *, clients: bool = True) -> None:
    """Add what every load is told; ``clients``: there are some, which may bring the template."""
    parser.add_argument("--document", choices=documents.NAMES, default="invoice", help="what is made (invoice)")
    parser.add_argument("--recipe", default="plutoprint-pdf", help="the farm's recipe (plutoprint-pdf)")
    parser.set_defaults(inline=False)
    if clients:
        parser.add_argument("--inline", action="store_true", help="send the template with each request, stored nowhere")
        parser.add_argument("--concurrency", type=positive, default=4, help="clients at once (4)")
        parser.add_argument(
            "--window", type=positive, metavar="N", help="stored ones that a client has under way at most; 1: it waits"
        )
    parser.add_argument(
        "--setting", type=setting, action="append", default=[], metavar="NAME=VALUE", help="a setting of the farm"
    )
    add_json(parser)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add where the result goes."""
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write JSON to a file; without one, print it, not a table"
    )


def positive(text: str) -> int:
    """Read a whole number that is at least 1.

    Raises:
        ArgumentTypeError: It is none.
    """
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number, at least 1")
    return int(text)


def setting(text: str) -> tuple[str, str]:
    """Read a setting.

    Raises:
        ArgumentTypeError: It is none of the farm's, or not to be chosen.
    """
    name, equals, value = text.partition("=")
    known = [declared["name"] for declared in described() if declared["name"] not in CHOSEN]
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r}: expected NAME=VALUE")
    if name in CHOSEN:
        raise argparse.ArgumentTypeError(f"{name} is chosen by scripts/bench itself: leave it out")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "README.md lists the settings"
        raise argparse.ArgumentTypeError(f"{name} is no setting: {hint}")
    return name, value


def circumstances(options: argparse.Namespace) -> dict[str, Any]:
    """Return what a result must say about itself."""
    return {
        "measured": datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "cores": len(os.sched_getaffinity(0)),
        "document": options.document,
        "recipe": options.recipe,
        "template": "inline" if options.inline else "stored",
        "settings": dict(options.setting),
    }


def show(result: dict[str, Any], table: str, destination: str | None) -> None:
    """Print the table, or write the JSON, or both."""
    if destination == "-":
        print(json.dumps(result, indent=2))
        return
    print(table)
    if destination:
        with open(destination, "w", encoding="utf-8") as file:  # noqa: PTH123  # May be /dev/stdout.
            json.dump(result, file, indent=2)


def order(options: argparse.Namespace, contender: Contender, *, stored: bool) -> Order:
    """Return what the clients are to do; how much of it is for the caller to say."""
    body = contender.body | ({"options": {"reports": {"async": True}}} if stored else {})
    text = json.dumps(body)
    return Order(url=contender.url, body=text, stored=stored, clients=options.concurrency, window=options.window)


def warm_up(contender: Contender, work: Order) -> None:
    """Load a farm for a moment that does not count."""
    if contender.certified:
        # Each child compares some of its first hundred with the reference, which takes as long as all the others.
        few = dataclasses.replace(work, documents=PROVING_DOCUMENTS)
    else:
        most = max(WARM_UP_DOCUMENTS, 2 * work.clients)
        few = dataclasses.replace(work, documents=most, seconds=WARM_UP_SECONDS)
    _generated(few)
    contender.tree.rest()


def load(contender: Contender, work: Order, *, every: float = SAMPLE_SECONDS, rest: bool = True) -> Load:
    """Load a farm, and return what it did and took.

    Args:
        contender: The farm.
        work: What its clients do.
        every: Seconds between two looks at its memory.
        rest: Whether what follows a document's end is waited for: it belongs to its price.

    Raises:
        MeasureError: It did not do it.
    """
    before = contender.tree.processor_seconds()
    with Watch(contender.tree, every=every) as watch:
        outcome = _generated(work)
    if rest:
        contender.tree.rest()
    taken = difference(before, contender.tree.processor_seconds())
    done = [(moment, milliseconds) for moment, milliseconds in outcome["done"]]
    if not done:
        raise MeasureError("Not one document was made: give it more documents, or more time")
    seconds = done[-1][0] - outcome["began"]
    each = 1000 / len(done)
    figures = {
        "documents": len(done),
        "seconds": round(seconds, 3),
        "perSecond": len(done) / seconds,
        "latencyMs": percentiles([milliseconds for _, milliseconds in done]),
        "acceptedMs": percentiles(outcome["accepted"]),
        "cpuMsPerDocument": round(sum(taken.values()) * each, 3),
        "cpuMsPerDocumentByProcess": {kind: round(spent * each, 3) for kind, spent in taken.items()},
        "pssPeakMiB": round(watch.peak(), 1),
        "refused": outcome["refused"],
        "polls": outcome["polls"],
        "generatorCpuMsPerDocument": round(outcome["cpuSeconds"] * each, 3),
    }
    return Load(outcome["began"], seconds, done, watch.samples, figures)


def _generated(work: Order) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.generator"],
        input=json.dumps(dataclasses.asdict(work)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MeasureError(f"The clients broke:\n{done.stderr}")
    outcome: dict[str, Any] = json.loads(done.stdout)
    if "failure" in outcome:
        raise MeasureError(outcome["failure"])
    return outcome
