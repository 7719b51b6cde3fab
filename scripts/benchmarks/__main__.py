"""The command line of scripts/bench. A new measurement is a module with `add_to`, and its name in this list."""

from __future__ import annotations

import argparse
import sys

from benchmarks import history, idle, odata, throughput
from benchmarks.farms import StartError

MEASUREMENTS = [idle, odata, history, throughput]


def main() -> None:
    """Run the measurement that was asked for; its result is the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure a farm on this machine.")
    names = parser.add_subparsers(required=True, metavar="MEASUREMENT")
    for measurement in MEASUREMENTS:
        measurement.add_to(names)
    options = parser.parse_args()
    try:
        sys.exit(options.measure(options))
    except StartError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
