"""What a refusal says of a name that is none."""

from __future__ import annotations

from shared import spelling


def test_the_nearest_name_is_asked_for_as_it_is_written():
    assert spelling.nearest("europe/wien", ["Europe/Vienna", "Europe/Berlin"]) == "Europe/Vienna"
    assert spelling.hint("NUMBRE", ["date", "number"], "there are two") == "did you mean number?"


def test_capitals_alone_are_nearer_than_letters():
    assert spelling.nearest("Total", ["totals", "TOTAL"]) == "TOTAL"


def test_what_is_like_nothing_is_said_otherwise():
    assert spelling.hint("xyz", ["date", "number"], "there are date, number") == "there are date, number"
    assert spelling.nearest("xyz", []) is None


def test_a_name_of_a_megabyte_is_compared_by_its_beginning(monkeypatch):
    compared = []
    monkeypatch.setattr(
        spelling.difflib, "get_close_matches", lambda name, known, n: compared.append(name) or list(known)[:n]
    )

    spelling.nearest("n" * 1_000_000, ["name"])

    assert [len(name) for name in compared] == [spelling.COMPARED_CHARACTERS]
