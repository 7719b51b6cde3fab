"""The command line of scripts/bench. A new measurement is a module with `add_to`, and its name in this list."""

from __future__ import annotations

import argparse
import sys

from benchmarks import history, idle, odata, raw, soak, turns
from benchmarks.farms import MeasureError

MEASUREMENTS = [raw, turns, soak, idle, odata, history]


def main() -> None:
    """Run the measurement that was asked for; its result is the exit code, 2 when nothing could be measured."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure a farm on this machine.")
    names = parser.add_subparsers(required=True, metavar="MEASUREMENT")
    for measurement in MEASUREMENTS:
        measurement.add_to(names)
    options = parser.parse_args()
    try:
        sys.exit(options.measure(options))
    except MeasureError as error:
        # 1 says that something was measured and is over its budget.
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
