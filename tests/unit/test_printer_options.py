"""What a printer cannot do of what is asked of it."""

from __future__ import annotations

import pytest

from shared import ipp
from shared.ipp.encoding import Tag
from shared.ipp.jobs import opening
from shared.printer_options import page_ranges, problems
from shared.printer_readings import capabilities_of, state_of

KNOWN = {
    "duplex": ["one-sided", "two-sided-long-edge"],
    "media": ["iso_a4_210x297mm", "na_letter_8.5x11in"],
    "trays": ["main", "manual"],
    "colour": [False],
    "pageRanges": True,
    "maxCopies": 99,
    "formats": ["application/pdf", "image/pwg-raster"],
}


def said(known=KNOWN, copies=1, **options):
    found = problems(known, printer_name="Dock", number_of_copies=copies, options=options)
    return dict(found)


def test_what_a_printer_can_do_is_no_problem():
    assert (
        said(copies=99, duplex="one-sided", media="iso_a4_210x297mm", tray="main", pageRanges="1", colour=False) == {}
    )


@pytest.mark.parametrize("known", [None, {}])
def test_a_printer_that_said_nothing_is_asked_for_anything(known):
    assert said(known, copies=999, duplex="one-sided", media="x", tray="y", pageRanges="1-3,5", colour=True) == {}


def test_all_that_it_cannot_do_is_listed_with_what_it_can():
    assert said(copies=100, duplex="two-sided-short-edge", media="iso_a3_297x420mm", tray="left", colour=True) == {
        "numberOfCopies": "numberOfCopies is 100: printer 'Dock' makes at most 99 copies of a job",
        "options.duplex": (
            "options.duplex is two-sided-short-edge: printer 'Dock' offers only one-sided, two-sided-long-edge"
        ),
        "options.media": (
            "options.media is iso_a3_297x420mm: printer 'Dock' offers only iso_a4_210x297mm, na_letter_8.5x11in"
        ),
        "options.tray": "options.tray is left: printer 'Dock' offers only main, manual",
        "options.colour": "options.colour is true: printer 'Dock' offers only false",
    }


def test_an_option_that_is_none_is_not_asked_for():
    assert said(duplex=None, colour=None) == {}


def test_a_printer_that_takes_no_pdf_is_of_no_use():
    found = said({"formats": ["application/octet-stream", "image/urf"]})
    assert found == {
        "printerName": "Printer 'Dock' does not print PDF, only application/octet-stream, image/urf: choose another"
    }


def test_a_printer_that_prints_whole_documents_only_cannot_print_some_pages():
    assert "does not take this option" in said({"pageRanges": False}, pageRanges="1")["options.pageRanges"]


def test_what_a_job_cannot_be_given_is_a_problem_unless_the_printer_does_it_anyhow():
    known = {"jobAttributes": ["copies"], "duplex": ["one-sided"], "media": ["a", "b"]}
    assert set(said(known, duplex="one-sided", media="a", tray="x", pageRanges="1")) == {
        "options.media",
        "options.tray",
        "options.pageRanges",
    }


def test_a_long_list_of_papers_is_cut_short():
    found = said({"media": [f"paper-{number}" for number in range(200)]}, media="other")
    assert found["options.media"].endswith("paper-29 and 170 more")


def test_a_printer_of_any_size_takes_sizes_of_ones_own():
    known = {"media": ["custom_min_50x50mm", "custom_max_300x900mm"]}
    assert said(known, media="custom_label_62x29mm") == {}
    assert "options.media" in said({"media": ["iso_a4_210x297mm"]}, media="custom_label_62x29mm")


@pytest.mark.parametrize(
    ("text", "ranges"), [("1", [(1, 1)]), ("1-3,5", [(1, 3), (5, 5)]), ("2 - 4, 9", [(2, 4), (9, 9)])]
)
def test_page_ranges_are_read(text, ranges):
    assert page_ranges(text) == ranges


@pytest.mark.parametrize("text", ["", "0", "3-1", "1-3,3", "5,1", "1-", "a", "1,,2", "-1", "99999999999", "٣"])
def test_page_ranges_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match="such as 1-3,5"):
        page_ranges(text)


def test_a_tray_brings_the_size_with_it():
    ticket = ipp.Ticket(name="n", document_name="d", copies=1, options={"media": "na_letter_8.5x11in", "tray": "main"})
    size = [("x-dimension", Tag.INTEGER, [21590]), ("y-dimension", Tag.INTEGER, [27940])]
    members = [("media-size", Tag.BEGIN_COLLECTION, [size]), ("media-source", Tag.KEYWORD, ["main"])]
    assert opening(ticket)[1] == [("media-col", Tag.BEGIN_COLLECTION, [members])]


def test_a_paper_without_a_size_in_its_name_stays_beside_its_tray():
    ticket = ipp.Ticket(name="n", document_name="d", copies=2, options={"media": "letterhead", "tray": "main"})
    assert [name for name, _, _ in opening(ticket)[1]] == ["copies", "media-col", "media"]


def test_a_printer_of_one_colour_is_not_told_which():
    ticket = ipp.Ticket(name="n", document_name="d", copies=1, options={"colour": False}, supported=["sides"])
    assert opening(ticket)[1] == []


def test_capabilities_are_what_the_device_said_and_nothing_else():
    assert capabilities_of({}) == {}
    assert capabilities_of(
        {
            "sides-supported": ["one-sided"],
            "media-source-supported": ["main"],
            "media-supported": [],
            "print-color-mode-supported": ["auto", "color", "monochrome"],
            "page-ranges-supported": [False],
            "copies-supported": [(1, 42)],
            "operations-supported": [2, 11, 0x4F00],
            "printer-make-and-model": ["Example 9000"],
        }
    ) == {
        "duplex": ["one-sided"],
        "trays": ["main"],
        "colour": [True, False],
        "pageRanges": False,
        "maxCopies": 42,
        "operations": ["Print-Job", "Get-Printer-Attributes"],
        "makeAndModel": "Example 9000",
    }


def test_a_device_without_colour_has_one_way_to_print():
    assert capabilities_of({"color-supported": [False]}) == {"colour": [False]}
    assert capabilities_of({"color-supported": [True]}) == {}


def test_a_device_that_takes_no_jobs_says_so_among_its_reasons():
    read = state_of(
        {
            "printer-state": [5],
            "printer-state-reasons": ["media-empty-error", "none"],
            "printer-is-accepting-jobs": [False],
            "printer-state-message": [""],
        }
    )
    assert read["state"] == "stopped"
    assert read["state_reasons"] == ["media-empty-error", "not-accepting-jobs"]
    assert read["state_message"] is None
