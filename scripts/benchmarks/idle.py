"""How much memory a farm takes that has nothing to do.

The measure is PSS, the proportional set size: memory that n processes share counts 1/n in each, so that the sum over
all processes is what the farm really takes (proc(5), smaps).
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.farms import called, running_farm

if TYPE_CHECKING:
    import argparse

BUDGET_MIB = 450  # On two cores, with everything that scripts/up starts.
MIB = 1024 * 1024


def add_to(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this measurement to the command line."""
    parser = names.add_parser("idle", help="memory of a farm that has nothing to do")
    parser.add_argument("--home", type=Path, help="home of the farm that is measured (a new one, removed afterwards)")
    parser.add_argument("--seconds", type=float, default=30, help="rest between the last render and the look (30)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> int:
    """Start a farm, let it render its samples and rest, print what every process takes.

    Returns:
        1 when the sum is over the budget, else 0.
    """
    with ExitStack() as stack:
        home = options.home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pressroom-")))
        farm = stack.enter_context(running_farm(home))
        time.sleep(options.seconds)
        processes = look(farm.launcher)
    total = sum(memory for _, memory in processes)
    measured = datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    cores = len(os.sched_getaffinity(0))
    if options.json:
        rows = [{"name": name, "pssMiB": round(memory, 1)} for name, memory in processes]
        result = {"measured": measured, "cores": cores, "processes": rows, "budgetMiB": BUDGET_MIB}
        print(json.dumps(result | {"totalMiB": round(total, 1)}, indent=2))
    else:
        print(f"Idle farm, {cores} cores, {measured}\n\n{'process':<24}{'PSS, MiB':>10}")
        for name, memory in processes:
            print(f"{name:<24}{memory:>10.1f}")
        print(f"{'total':<24}{total:>10.1f}\n{'budget':<24}{BUDGET_MIB:>10.1f}")
        if find_spec("rich"):
            print("\nThe tests' tools are installed here. structlog loads one of them, rich, where it finds it:")
            print("some 3 MiB in each Python process that a farm without them does not take.")
    return int(total > BUDGET_MIB)


def look(launcher: int) -> list[tuple[str, float]]:
    """Return name and PSS in MiB of the launcher and of every process under it."""
    first = psutil.Process(launcher)
    found = [("launcher", float(first.memory_full_info().pss) / MIB)]
    for process in first.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # It has ended since, or waits to be buried.
            found.append((named(process), float(process.memory_full_info().pss) / MIB))
    return sorted(found)


def named(process: psutil.Process) -> str:
    """Return the name of a process' program, and whether it is a child of another one of the same."""
    name = called(process)
    parent = process.parent()
    return f"{name}, child" if parent and parent.environ().get("SUPERVISOR_PROCESS_NAME") == name else name
