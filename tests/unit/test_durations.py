from __future__ import annotations

import pytest

from shared.durations import duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5m", 300), ("1d", 86400), ("30s", 30), ("250", 0.25), ("250ms", 0.25), ("1.5 h", 5400), ("2 Days", 172800),
        (" 1w ", 604800), ("1y", 31557600),
    ],
)  # fmt: skip
def test_durations_are_read_as_jsreport_reads_them(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "5x", "-5m", "0", "0s", "1e3", "5m 3s", "٣m", "1000y", "nan", "5" * 40])
def test_what_is_no_duration_is_refused_with_what_was_expected(text):
    with pytest.raises(ValueError, match="expected a duration"):
        duration(text)
