"""The command line of scripts/bench. A new measurement is a module with `add_to`, and its name in this list."""

from __future__ import annotations

import argparse
import signal
import sys

from benchmarks import batch, history, idle, odata, raw, soak, studio, turns
from benchmarks.farms import MeasureError

# As a shell tells it: 128 and the signal's number.
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM
MEASUREMENTS = [raw, turns, batch, soak, idle, odata, history, studio]


def main() -> None:
    """Run the measurement that was asked for; its result is the exit code, 2 when nothing could be measured."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure a farm on this machine.")
    names = parser.add_subparsers(required=True, metavar="MEASUREMENT")
    for measurement in MEASUREMENTS:
        measurement.add_to(names)
    options = parser.parse_args()
    # Whoever ends this process ends the farms that it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        sys.exit(options.measure(options))
    except MeasureError as error:
        # 1 says that something was measured and is over its budget.
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
