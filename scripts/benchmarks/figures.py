"""What is made of measured numbers: percentiles, ratios, quarters."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that so large a share of all does not exceed (nearest rank): one that was measured.

    Args:
        values: At least one, in any order.
        share: More than 0, at most 1.
    """
    ordered = sorted(values)
    return ordered[math.ceil(len(ordered) * share) - 1]


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """Return what a latency is told by."""
    return {f"p{share}": round(percentile(milliseconds, share / 100), 2) for share in (50, 95, 99)}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return minimum, median and maximum."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    """Compare two farms turn by turn: what the machine did in one turn, it did to both.

    Args:
        ours: Documents a second in each turn.
        theirs: The same of the other farm, as many.
    """
    found = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return {"perTurn": found, **spread(found)}


def quarters(samples: Sequence[tuple[float, float]], seconds: float) -> tuple[float, float]:
    """Return the medians of the first and of the last quarter of what was sampled in so many seconds.

    Args:
        samples: Seconds since the beginning, and value; at least one.
        seconds: How long it took.
    """
    first = [value for moment, value in samples if moment <= seconds / 4]
    last = [value for moment, value in samples if moment >= seconds * 3 / 4]
    return statistics.median(first or [samples[0][1]]), statistics.median(last or [samples[-1][1]])
