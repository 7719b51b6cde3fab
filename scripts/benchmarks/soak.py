"""Whether a farm keeps its pace and its memory under a load that does not change: the last quarter shows a leak."""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from typing import TYPE_CHECKING, Any

from benchmarks import documents, loads
from benchmarks.contenders import THIS, contender
from benchmarks.figures import percentile, quarters
from benchmarks.trees import SAMPLE_SECONDS

if TYPE_CHECKING:
    from benchmarks.loads import Load

SLICES = 20
# However long it takes, so many looks at the memory are enough.
SAMPLES = 2000
WINDOW = 8


def add_to(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this measurement to the command line."""
    parser = names.add_parser("soak", help="pace and memory under a load that does not change")
    loads.add_options(parser)
    parser.add_argument("--minutes", type=minutes, default=10, help="how long (10)")
    parser.add_argument("--sync", action="store_true", help="wait for each in its request, instead of storing them")
    parser.add_argument(
        "--most-growth",
        type=float,
        default=1.25,
        help="memory of the last quarter by the first's that is no failure (1.25)",
    )
    parser.set_defaults(measure=measure)


def minutes(text: str) -> float:
    """Read a time.

    Raises:
        ArgumentTypeError: It is none.
    """
    try:
        number = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes") from error
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: expected more than 0 minutes")
    return number


def measure(options: argparse.Namespace) -> int:
    """Load a farm for some minutes; print its rate and memory over time.

    Returns:
        1 when its memory grew by more than is allowed, else 0.
    """
    options.window = options.window or WINDOW
    seconds = options.minutes * 60
    document = documents.document(options.document)
    settings = dict(options.setting)
    with contender(THIS, document, recipe=options.recipe, inline=options.inline, settings=settings) as farm:
        work = loads.order(options, farm, stored=not options.sync)
        loads.warm_up(farm, work)
        work = dataclasses.replace(work, seconds=seconds)
        loaded = loads.load(farm, work, every=max(SAMPLE_SECONDS, seconds / SAMPLES))
    found = over_time(loaded)
    told = {"measurement": "soak", "concurrency": options.concurrency, "window": options.window, "sync": options.sync}
    result = loads.circumstances(options) | told | {"all": loaded.figures} | found
    loads.show(result, table(result), options.json)
    return int(result["growth"] > options.most_growth)


def over_time(loaded: Load) -> dict[str, Any]:
    """Return rate, latency and memory of each slice of the time, and of its first and last quarter."""
    long = loaded.seconds / SLICES
    slices: list[dict[str, float | None]] = []
    paces = []
    memory = [(moment - loaded.began, mib) for moment, mib in loaded.memory]
    for number in range(SLICES):
        begin, end = number * long, (number + 1) * long
        waits = [wait for moment, wait in loaded.done if begin < moment - loaded.began <= end]
        taken = [mib for moment, mib in memory if begin <= moment < end]
        paces.append((end, len(waits) / long))
        slices.append(
            {
                "second": round(end, 1),
                "perSecond": paces[-1][1],
                "p95Ms": percentile(waits, 0.95) if waits else None,
                "pssMiB": statistics.median(taken) if taken else None,
            }
        )
    first, last = quarters(memory, loaded.seconds)
    before, after = quarters(paces, loaded.seconds)
    return {
        "slices": slices,
        "pssMiB": {"firstQuarter": first, "lastQuarter": last},
        "growth": last / first,
        "perSecond": {"firstQuarter": before, "lastQuarter": after},
    }


def table(result: dict[str, Any]) -> str:
    """Return what a person reads."""
    loaded = result["all"]
    made = f"{loaded['documents']} documents in {loaded['seconds']:.0f} s by {result['concurrency']} clients"
    lines = [
        f"soak, {result['document']}, {result['recipe']}, {made}, {result['cores']} cores, {result['measured']}",
        "",
        f"{'until second':<16}{'a second':>10}{'p95, ms':>10}{'PSS, MiB':>10}",
    ]
    for one in result["slices"]:
        wait, memory = (f"{one[name]:.1f}" if one[name] is not None else "" for name in ("p95Ms", "pssMiB"))
        lines.append(f"{one['second']:<16}{one['perSecond']:>10.1f}{wait:>10}{memory:>10}")
    for name, label in (("firstQuarter", "first quarter"), ("lastQuarter", "last quarter")):
        lines.append(f"{label:<16}{result['perSecond'][name]:>10.1f}{'':>10}{result['pssMiB'][name]:>10.1f}")
    lines.append(
        f"\nCPU, ms each: {loaded['cpuMsPerDocument']:.1f}; memory grew by {100 * (result['growth'] - 1):.1f} %"
    )
    return "\n".join(lines)
