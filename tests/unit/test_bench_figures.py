"""What scripts/bench makes of measured numbers."""

from __future__ import annotations

import pytest
from benchmarks.figures import percentile, percentiles, quarters, ratios


@pytest.mark.parametrize(
    ("share", "expected"), [(0.001, 1), (0.25, 1), (0.26, 2), (0.5, 2), (0.51, 3), (0.95, 4), (0.99, 4), (1, 4)]
)
def test_a_percentile_is_the_smallest_measured_value_that_the_share_does_not_exceed(share, expected):
    assert percentile([4, 1, 3, 2], share) == expected


def test_one_value_is_all_of_its_percentiles():
    assert percentiles([7.123]) == {"p50": 7.12, "p95": 7.12, "p99": 7.12}


def test_of_a_hundred_values_the_slowest_is_beyond_the_99th_percentile():
    assert percentiles(range(1, 101)) == {"p50": 50, "p95": 95, "p99": 99}


def test_farms_are_compared_turn_by_turn_and_not_by_their_medians():
    found = ratios([10.0, 20.0, 90.0], [10.0, 5.0, 30.0])

    assert found == {"perTurn": [1.0, 4.0, 3.0], "min": 1.0, "median": 3.0, "max": 4.0}


def test_a_turn_that_only_one_farm_has_is_an_error():
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


def test_quarters_see_growth_and_not_a_single_peak():
    samples = [(float(second), 100.0 + second) for second in range(101)]
    samples[10] = (10.0, 9000.0)  # It moves the median by one rank.

    assert quarters(samples, 100.0) == (113.5, 187.5)


def test_quarters_of_too_few_samples_are_the_first_and_the_last():
    assert quarters([(50.0, 1.0), (60.0, 2.0)], 100.0) == (1.0, 2.0)
