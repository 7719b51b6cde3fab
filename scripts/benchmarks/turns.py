"""How many documents a second a farm makes, alone or in turns with another: jsreport, or the farm of another checkout.

All farms run at the same time, and are loaded one after the other: so whatever else the machine does, it does to all.
What counts is the ratio of each turn. `sync` waits for each document in its request; `async` has each stored, and asks
for it until it is.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import documents, jsreport, loads, plot, raw
from benchmarks.contenders import JSREPORT, THIS, Contender, contender
from benchmarks.farms import UP, MeasureError
from benchmarks.figures import ratios, spread
from benchmarks.trees import SAMPLE_SECONDS

if TYPE_CHECKING:
    import argparse

OTHER, RAW = "other", "raw"
# The loads of a plot.
CLIENTS = [1, 2, 4, 8, 16]
DOCUMENTS = 200
# In turns of so many seconds, what a slow farm has been sent at their end is waited for.
WINDOW = 8
LOOKS = 5


def add_to(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add these measurements to the command line."""
    for name, stored, what in (
        ("sync", False, "documents a second, each waited for in its request"),
        ("async", True, "documents a second, each stored and asked for until it is"),
    ):
        parser = names.add_parser(name, help=what)
        loads.add_options(parser)
        amount = parser.add_mutually_exclusive_group()
        amount.add_argument("--documents", type=loads.positive, help=f"how many in each turn ({DOCUMENTS})")
        amount.add_argument(
            "--seconds", type=loads.positive, help=f"how long each turn is; what async has under way: {WINDOW} a client"
        )
        parser.add_argument("--turns", type=loads.positive, default=3, help="how often each farm is loaded (3)")
        parser.add_argument(
            "--against",
            metavar="jsreport|raw|FOLDER",
            help="in turns with jsreport, the engine in a plain loop on all cores, or another checkout",
        )
        parser.add_argument("--least", type=float, default=0.0, help="smallest median ratio that is no failure (0)")
        parser.add_argument("--plot", type=Path, metavar="FILE.svg", help=f"draw it over {CLIENTS} clients")
        parser.set_defaults(measure=measure, mode=name, stored=stored)


def measure(options: argparse.Namespace) -> int:
    """Load the farms in turns, and print what each made a second, and for what.

    Returns:
        1 when the median ratio is under the least that is allowed, else 0.
    """
    check(options)
    if options.plot and options.window is None:
        # A client that sends everything at once has no latency to draw.
        options.window = 1
    elif options.stored and options.seconds and options.window is None:
        options.window = WINDOW
    if not options.seconds:
        options.documents = options.documents or DOCUMENTS
    concurrencies = CLIENTS if options.plot else [options.concurrency]
    with ExitStack() as stack:
        farms = [stack.enter_context(each) for each in contenders(options)]
        runs = [run(options, farms, concurrency) for concurrency in concurrencies]
    made = {farm.name: {"pages": farm.pages, "bytes": farm.size} for farm in farms}
    told = {"measurement": options.mode, "documents": options.documents, "seconds": options.seconds}
    told["turns"] = options.turns
    result = loads.circumstances(options) | told | {"window": options.window, "made": made, "runs": runs}
    loads.show(result, table(result), options.json)
    if options.plot:
        plot.draw(result, options.plot)
    return int(any(one["ratio"] is not None and one["ratio"]["median"] < options.least for one in runs))


def check(options: argparse.Namespace) -> None:
    """Refuse what cannot be measured before anything is started.

    Raises:
        MeasureError: It cannot.
    """
    if options.plot:
        plot.check(options.plot)
    if options.against == JSREPORT:
        jsreport.install()
    elif options.against not in (None, RAW) and not (Path(options.against) / "scripts" / "up").is_file():
        raise MeasureError(
            f"--against {options.against}: expected jsreport, raw, or the folder of another checkout, with scripts/up"
        )


def contenders(options: argparse.Namespace) -> list[Any]:
    """Return what runs each farm."""
    told = {"recipe": options.recipe, "inline": options.inline, "settings": dict(options.setting)}
    document = documents.document(options.document)
    found = [contender(THIS, document, **told)]
    if options.against == JSREPORT:
        found.append(contender(JSREPORT, document, **told))
    elif options.against not in (None, RAW):
        found.append(contender(OTHER, document, **told, up=Path(options.against).resolve() / UP.parent.name / UP.name))
    return found


def run(options: argparse.Namespace, farms: list[Contender], concurrency: int) -> dict[str, Any]:
    """Load the farms in turns with so many clients."""
    options.concurrency = concurrency
    works = {farm.name: loads.order(options, farm, stored=options.stored) for farm in farms}
    for farm in farms:
        loads.warm_up(farm, works[farm.name])
    turns: dict[str, list[dict[str, Any]]] = {farm.name: [] for farm in farms}
    bare: list[dict[str, Any]] = []
    for turn in range(options.turns):
        # Who is first changes from turn to turn.
        for farm in farms if turn % 2 == 0 else reversed(farms):
            work = dataclasses.replace(works[farm.name], documents=options.documents, seconds=options.seconds)
            every = max(SAMPLE_SECONDS, (options.seconds or 0) / LOOKS)
            turns[farm.name].append(loads.load(farm, work, every=every).figures)
            rate = turns[farm.name][-1]["perSecond"]
            print(f"{concurrency} clients, turn {turn + 1}, {farm.name}: {rate:.1f} a second", file=sys.stderr)
        if options.against == RAW:
            farms[0].tree.rest()
            took = turns[THIS][-1]["seconds"]
            bare.append(raw.of_document(documents.document(options.document), options.recipe, took))
            print(f"{concurrency} clients, turn {turn + 1}, raw: {bare[-1]['perSecond']:.1f} a second", file=sys.stderr)
    rates = {name: [one["perSecond"] for one in loaded] for name, loaded in turns.items()}
    others = [rates[name] for name in rates if name != THIS] + [[one["perSecond"] for one in bare]] * bool(bare)
    ratio = ratios(rates[THIS], others[0]) if others else None
    return {"concurrency": concurrency, "farms": turns, "raw": bare, "ratio": ratio}


def table(result: dict[str, Any]) -> str:
    """Return what a person reads; latency, processor time and memory are medians of the turns."""
    under_way = f", {result['window']} under way each" if result["window"] else ""
    how = f"{result['measurement']}, {result['document']}, {result['recipe']}, template {result['template']}"
    amount = f"{result['seconds']} seconds" if result["seconds"] else f"{result['documents']} documents"
    how += f", {amount} in each of {result['turns']} turns{under_way}"
    lines = [
        f"{how}, {result['cores']} cores, {result['measured']}",
        "",
        f"{'':<18}{'documents a second':^24}{'latency, ms':^27}{'CPU, ms':>9}{'PSS,':>8}",
        f"{'clients, farm':<18}{'min':>8}{'median':>8}{'max':>8}{'p50':>9}{'p95':>9}{'p99':>9}{'each':>9}{'MiB':>8}",
    ]
    for one in result["runs"]:
        for name, turns in one["farms"].items():
            rates = spread([turn["perSecond"] for turn in turns])
            waits = [statistics.median(turn["latencyMs"][share] for turn in turns) for share in ("p50", "p95", "p99")]
            spent = statistics.median(turn["cpuMsPerDocument"] for turn in turns)
            memory = statistics.median(turn["pssPeakMiB"] for turn in turns)
            label = f"{one['concurrency']:>3} {name}"
            figures = "".join(f"{rate:>8.1f}" for rate in rates.values()) + "".join(f"{wait:>9.1f}" for wait in waits)
            lines.append(f"{label:<18}{figures}{spent:>9.1f}{memory:>8.0f}")
        if one["raw"]:
            rates = spread([turn["perSecond"] for turn in one["raw"]])
            spent = statistics.median(turn["cpuMsPerDocument"] for turn in one["raw"])
            label = "    raw"
            lines.append(f"{label:<18}" + "".join(f"{rate:>8.1f}" for rate in rates.values()) + f"{spent:>36.1f}")
        if one["ratio"]:
            found = "".join(f"{one['ratio'][share]:>8.2f}" for share in ("min", "median", "max"))
            lines.append(f"{'    ratio':<18}{found}")
    lines.append("")
    for name, made in result["made"].items():
        pages = "no PDF" if made["pages"] is None else f"{made['pages']} pages"
        lines.append(f"{name} makes of it {pages}, {made['bytes']} bytes")
    return "\n".join(lines)
