"""What is found in log files, and how much of them is read for it."""

from __future__ import annotations

import datetime as dt
import json
import os

import pytest

from shared import log_lines
from shared.log_lines import LogSearch

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def line(trace_id, *, minute=0, **said):
    at = (NOON + minute * MINUTE).isoformat().replace("+00:00", "Z")
    return json.dumps({"event": "x", **said, "trace_id": trace_id, "timestamp": at}) + "\n"


def others(count, *, minute=0):
    return [line(f"other-{number}", minute=minute + number) for number in range(count)]


@pytest.fixture
def logs(tmp_path):
    """Writes a log file."""

    def write(*lines, name="gateway.jsonl"):
        path = tmp_path / name
        path.write_text("".join(lines))
        return path

    return write


def found(folder, *trace_ids, since=None, bytes_per_file=None):
    search = LogSearch(folder, frozenset(trace_ids), since=since, bytes_per_file=bytes_per_file)
    return [json.loads(one)["event"] for lines in search.files() for one in lines], search.truncated


def test_only_the_lines_of_the_very_trace_are_found(tmp_path, logs):
    logs(
        line("order-1", event="its own"),
        line("order-11", event="longer"),
        line("order-1-BCDFGH", event="derived"),
        line("other", event="of another, whom it asked", request_trace_id="order-1"),
        line("other", event="said", error='"trace_id": "order-1"'),
        "order-1 in a line that is no JSON\n",
    )

    assert found(tmp_path, "order-1") == (["its own"], False)
    assert found(tmp_path, "order-1", "order-1-BCDFGH") == (["its own", "derived"], False)
    assert found(tmp_path, "order-2") == ([], False)


def test_every_file_that_was_turned_over_is_looked_through_and_no_other_files(tmp_path, logs):
    for name in ("gateway.jsonl", "gateway.jsonl.1", "worker.jsonl.12", "broker.log"):
        logs(line("a", event=name), name=name)

    assert found(tmp_path, "a") == (["gateway.jsonl", "gateway.jsonl.1", "worker.jsonl.12"], False)


def test_a_folder_that_is_not_there_has_no_lines(tmp_path):
    assert found(tmp_path / "nothing", "a") == ([], False)


@pytest.mark.parametrize("block_bytes", [1, 7, 64, 100, 1000])
def test_lines_are_whole_wherever_the_blocks_of_a_file_end(tmp_path, logs, monkeypatch, block_bytes):
    monkeypatch.setattr(log_lines, "BLOCK_BYTES", block_bytes)
    logs(*others(3), line("a", event="one"), *others(3), line("a", event="two"), line("a", event="three").rstrip())

    assert found(tmp_path, "a") == (["one", "two", "three"], False)


def test_a_line_that_never_ends_is_passed_over_and_not_held(tmp_path, logs, monkeypatch):
    monkeypatch.setattr(log_lines, "BLOCK_BYTES", 100)
    monkeypatch.setattr(log_lines, "LONGEST_LINE_BYTES", 500)
    path = logs(line("a", event="before"), "x" * 100_000 + "\n", line("a", event="after"))

    with path.open("rb") as file:
        assert max(len(text) for text in log_lines._blocks(file, 0, path.stat().st_size)) < 1000
    assert found(tmp_path, "a") == (["before", "after"], False)


class Counting:
    """A file that says how many bytes were read of it."""

    def __init__(self, file):
        self.file = file
        self.read_bytes = 0

    def __getattr__(self, name):
        return getattr(self.file, name)

    def read(self, size):
        content = self.file.read(size)
        self.read_bytes += len(content)
        return content


def test_a_large_file_is_read_from_where_the_trace_begins(tmp_path, logs, monkeypatch):
    monkeypatch.setattr(log_lines, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(log_lines, "LOOK_BYTES", 200)
    path = logs(
        line("a", minute=0, event="long before"),
        *others(2000, minute=0),
        line("a", minute=2000, event="first"),
        line("a", minute=2001, event="second"),
    )

    assert found(tmp_path, "a", since=NOON + 2000 * MINUTE) == (["first", "second"], False)
    assert found(tmp_path, "a", since=NOON) == (["long before", "first", "second"], False)

    search = LogSearch(tmp_path, frozenset({"a"}), since=NOON + 2000 * MINUTE, bytes_per_file=None)
    with path.open("rb") as file:
        counting = Counting(file)
        assert len(list(search._lines_in(counting))) == 2
    assert counting.read_bytes < path.stat().st_size / 20


def test_lines_of_other_programs_are_no_reason_to_miss_one(tmp_path, logs, monkeypatch):
    monkeypatch.setattr(log_lines, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(log_lines, "LOOK_BYTES", 200)
    for foreign in ("a word of a program\n", '{"timestamp": "yesterday"}\n', '{"timestamp": "2026-03-01T12:00:00"}\n'):
        logs(*[foreign] * 200, line("a", minute=2000, event="it"), *[foreign] * 200)

        assert found(tmp_path, "a", since=NOON + 2000 * MINUTE) == (["it"], False)


def test_a_file_that_was_turned_over_before_the_trace_began_is_not_read(tmp_path, logs):
    old = logs(line("a", event="old"), name="gateway.jsonl.1")
    before = (NOON - MINUTE).timestamp()
    os.utime(old, (before, before))
    logs(line("a", event="new"))

    assert found(tmp_path, "a", since=NOON) == (["new"], False)
    assert found(tmp_path, "a") == (["new", "old"], False)


def test_of_a_file_so_many_bytes_are_read_behind_the_beginning_of_the_trace_or_at_the_end(tmp_path, logs):
    path = logs(
        line("a", minute=0, event="first"),
        *others(50, minute=1),
        line("a", minute=60, event="last"),
    )
    size = path.stat().st_size

    assert found(tmp_path, "a", bytes_per_file=size) == (["first", "last"], False)
    assert found(tmp_path, "a", since=NOON, bytes_per_file=size - 100) == (["first"], True)
    assert found(tmp_path, "a", bytes_per_file=size - 100) == (["last"], True)


def test_a_file_that_goes_while_the_others_are_read_is_passed_over(tmp_path, logs):
    logs(line("a", event="there"))
    gone = logs(line("a", event="gone"), name="gateway.jsonl.3")
    search = LogSearch(tmp_path, frozenset({"a"}), since=None, bytes_per_file=None)

    files = search.files()
    assert len(list(next(files))) == 1
    gone.unlink()

    assert [list(lines) for lines in files] == [[]]
    assert not search.truncated


def test_a_file_that_cannot_be_read_is_not_passed_over_in_silence(tmp_path, logs):
    logs(line("a", event="there"))
    (tmp_path / "worker.jsonl").mkdir()

    assert found(tmp_path, "a") == (["there"], True)
