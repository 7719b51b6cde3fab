"""What printing says in words: each status means something, and papers are called as people call them."""

from __future__ import annotations

import pytest
from flask import Flask

from api.studio import print_words
from shared.print_tasks import Status

TASK = {"status": "pending", "held": False, "cancelRequested": False, "error": None, "sentDate": None, "options": {}}
AGENT = {"agent": True}
BY = "\N{MULTIPLICATION SIGN}"


@pytest.fixture(autouse=True)
def request_in_english():
    with Flask("pages").test_request_context(headers={"Accept-Language": "en"}):
        yield


def test_every_status_has_a_meaning_of_its_own():
    meanings = [print_words.meaning({**TASK, "status": str(status)}, None) for status in Status]
    assert len(set(meanings)) == len(meanings) == 7


@pytest.mark.parametrize(
    ("changes", "printer", "words"),
    [
        ({"held": True}, None, "still being rendered"),
        ({}, AGENT, "waits for the agent"),
        ({"error": "Connection refused"}, {"agent": False}, "goes on trying"),
        ({}, None, "its turn"),
        ({"status": "printing", "cancelRequested": True}, None, "is being cancelled"),
        ({"status": "completed", "cancelRequested": True}, None, "all of it was printed"),
        ({"status": "cancelled"}, None, "nothing came out"),
        ({"status": "cancelled", "sentDate": "2026-01-01T00:00:00Z"}, None, "some of it may have come out"),
    ],
)
def test_a_meaning_says_what_happens_next(changes, printer, words):
    assert words in print_words.meaning({**TASK, **changes}, printer)


@pytest.mark.parametrize(
    ("keyword", "name", "in_full"),
    [
        ("iso_a4_210x297mm", "A4", f"A4 (210 {BY} 297 mm)"),
        ("na_letter_8.5x11in", "Letter", f"Letter (8.5 {BY} 11 in)"),
        ("om_small-photo_100x150mm", "Small photo", f"Small photo (100 {BY} 150 mm)"),
        ("labels", "labels", "labels"),
        ("custom_max_300x500mm", "MAX", f"MAX (300 {BY} 500 mm)"),
    ],
)
def test_papers_are_called_as_people_call_them(keyword, name, in_full):
    assert (print_words.short_paper(keyword), print_words.paper(keyword)) == (name, in_full)


def test_trays_and_options_are_words_and_what_is_not_known_stays_readable():
    assert [print_words.tray(one) for one in ("auto", "tray-2", "large-capacity")] == [
        "Chosen by the printer",
        "Tray 2",
        "Large capacity",
    ]
    asked = {"colour": False, "pageRanges": "1-3", "duplex": "one-sided"}
    assert print_words.options({**TASK, "options": asked}) == [
        ("Sides", "One side"),
        ("Pages", "1-3"),
        ("Colours", "Black and white"),
    ]
