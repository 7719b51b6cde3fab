"""What two engines' PDFs of one document are compared by, on real PDFs of both."""

from __future__ import annotations

import pytest
from certifying import REGISTRY

from workers.certification import UnreadableError, demands, drift, layout, painting
from workers.fetching import FetchPolicy

FAST, REFERENCE = "plutoprint-pdf", "weasyprint-pdf"
SANS = (
    "<style>@page { size: A5; margin: 1cm } body { font: 10pt/1.4 'Liberation Sans'; margin: 0 } p { margin: 0 }"
    "</style>"
)


def made(html, recipe=REFERENCE):
    return REGISTRY.recipes[recipe].render(html, policy=FetchPolicy()).content


def read(html, recipe=REFERENCE):
    return layout.read(made(html, recipe), most_pages=10)


def differences(before, after, recipe=REFERENCE):
    return [(one.kind, one.page, one.text) for one in drift.differences(read(before), read(after, recipe))]


def painted(tmp_path, before, after, recipe=REFERENCE):
    paths = [tmp_path / "before.pdf", tmp_path / "after.pdf"]
    paths[0].write_bytes(made(before))
    paths[1].write_bytes(made(after, recipe))
    sizes = [(one.width, one.height) for one in read(before).pages]
    return list(painting.differences(*paths, sizes, seconds=lambda: 30.0))


def test_a_layout_has_pages_words_links_and_metadata():
    found = read(
        f"<title>Order</title><meta name=author content=Ada>{SANS}<p>office <a href='https://example.org/a'>fluffy</a>"
        "<p style='break-before: page'>end"
    )

    assert (found.count, found.metadata) == (2, {"Title": "Order", "Author": "Ada"})
    assert [page.words for page in found.pages] == [("office", "fluffy"), ("end",)]
    assert [(round(one.x), round(one.y)) for one in found.pages[1].characters[:1]] == [(28, 39)]
    assert [one.target for one in found.pages[0].links] == ["https://example.org/a"]
    assert (round(found.pages[0].width), round(found.pages[0].height)) == (420, 595)


def test_only_the_first_pages_are_read_and_all_are_counted():
    found = layout.read(made(f"{SANS}<p>a<p style='break-before: page'>b"), most_pages=1)
    assert (found.count, len(found.pages)) == (2, 1)


@pytest.mark.parametrize("content", [b"", b"no PDF", made("a")[:300]])
def test_what_is_no_pdf_says_so(content):
    with pytest.raises(UnreadableError, match="PDFium cannot read it"):
        layout.read(content, most_pages=1)


@pytest.mark.parametrize(
    "body",
    [
        "<p>Plain text, with “quotes” — and a dash",
        "<p style='font-family: DejaVu Sans'>office fluffy waffle",
        "<p dir=rtl>مرحبا بالعالم",
        "<p style='text-align: justify; width: 8cm'>" + "Text that flows on with several more words. " * 6,
        "<p style='letter-spacing: 2px; text-transform: uppercase'>wide",
        "<style>td { border: 1px solid #999 }</style><table style='border-collapse: collapse'><tr><td>a<td>b</table>",
        "<ul style='margin: 0'><li>one<li>two</ul>",
    ],
)
def test_the_same_text_of_both_engines_agrees(tmp_path, body):
    assert differences(SANS + body, SANS + body, FAST) == []
    assert painted(tmp_path, SANS + body, SANS + body, FAST) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("<p>one two", "<p>one three", ("words", 1, "“two” is missing, or broken elsewhere")),
        ("<p>one", "<p style='padding-left: 2mm'>one", ("words", 1, "“one” stands 5.7 pt further right")),
        ("<p>one", "<p style='padding-top: 2mm'>one", ("words", 1, "“one” stands 5.7 pt lower")),
        ("<p>spaced", "<p style='letter-spacing: 1pt'>spaced", ("words", 1, "“spaced” is spaced otherwise")),
        ("<p>one", "<p>one two", ("words", 1, "“two” is not in the reference, at least not there")),
        ("<p>a", "<p>a<p style='break-before: page'>", ("pages", None, "it has 2 pages, and the reference 1")),
        (
            "<p>a",
            "<style>@page { size: A4 }</style><p>a",
            ("size", 1, "it is 595 by 842 pt, in the reference 420 by 595 pt"),
        ),
        ("<title>A</title>", "<title>B</title>", ("metadata", None, "its title is “B”, in the reference “A”")),
        (
            "<p><a style='color: black; text-decoration: none' href='https://a.example/'>a</a>",
            "<p>a",
            ("links", 1, "there is no link to “https://a.example/” where the reference has one"),
        ),
        (
            "<link rel=attachment href='data:text/plain,a'>",
            "",
            ("attachments", None, "attached to it: no files; to the reference: attachment.bin"),
        ),
    ],
)  # fmt: skip
def test_a_difference_is_named(before, after, said):
    assert said in differences(SANS + before, SANS + after)


def test_a_shift_that_nobody_sees_is_none():
    assert differences(f"{SANS}<p>one", f"{SANS}<p style='padding: 1pt 0 0 1pt'>one") == []


def test_of_many_words_that_moved_some_are_named():
    words = "".join(f"<p>w{number}" for number in range(20))
    found = differences(SANS + words, f"{SANS}<p>first{words}")
    assert len(found) == drift.MOST_NAMED + 1
    assert found[-1][2].startswith("and ")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<p style='color: #000'>text", "<p style='color: #700'>text"),
        ("<p>a<hr style='border: 0; border-top: .5pt solid #bbb; margin: 0'>", "<p>a"),
        ("<p style='background: #eef'>a", "<p style='background: #fee'>a"),
        ("<div style='height: 1cm; background: #000'>", "<div style='height: 1.2cm; background: #000'>"),
    ],
)
def test_what_is_painted_otherwise_is_seen_and_shown(tmp_path, before, after):
    [found] = painted(tmp_path, SANS + before, SANS + after)
    assert (found.drift.kind, found.drift.page) == ("painting", 1)
    assert found.changed > 0
    assert found.content.startswith(b"\x89PNG")


DEMANDS = {
    "a grid (display: grid)": "<div style='display: grid; grid-template-columns: 1fr 1fr'><p>a<p>b</div>",
    "cross references (target-counter)": "<style>a::after { content: target-counter(attr(href), page) }</style>"
    "<a href='#x'>a</a><p id=x>b",
    "cross references (target-text)": "<style>a::after { content: target-text(attr(href)) }</style>"
    "<a href='#x'>a</a><p id=x>b",
    "leaders (leader)": "<style>p::after { content: leader('.') '9' }</style><p>a",
    "named strings (string-set)": "<style>@page { @top-left { content: string(t) } } p { string-set: t content() }"
    "</style><p>a",
    "footnotes (float: footnote)": "<p>a<span style='float: footnote'>b</span>",
    "named pages (page)": "<style>@page w { size: A6 }</style><p>a<p style='page: w'>b",
    "bleed (bleed)": "<style>@page { bleed: 5mm }</style><p>a",
    "crop marks (marks)": "<style>@page { marks: crop; bleed: 5mm }</style><p>a",
    "attached files (rel=attachment)": "<link rel=attachment href='data:text/plain,a'><p>a",
}


@pytest.mark.parametrize("demand", DEMANDS)
def test_what_only_the_reference_can_do_is_found_and_is_so(demand):
    markup = SANS + DEMANDS[demand]
    assert demands.possible(markup)
    assert demand in demands.found(markup)
    assert differences(markup, markup, FAST) != []


@pytest.mark.parametrize(
    "markup",
    [
        SANS,
        "<p>A grid, a leader, a footnote and a named page: strings of marks",
        "<!-- <style>p { display: grid }</style> --><style>p { /* display: grid */ display: flex; page: auto }</style>",
        "<style>@page :first { margin: 0 } @page { marks: none } p { page-break-before: always }</style>",
    ],
)
def test_what_only_sounds_like_a_demand_is_none(markup):
    assert demands.found(markup) == []


def test_a_linked_or_imported_style_sheet_is_looked_at():
    imported = "data:text/css,@import 'data:text/css,p{display:grid}'"
    for markup in (
        "<link rel='stylesheet' href='data:text/css,p{display:grid}'>",
        f'<link rel=stylesheet href="{imported}">',
        "<style>@import url(data:text/css,p%7Bdisplay:grid%7D);</style>",
        "<style>@media print { p { display: grid } }</style>",
    ):
        assert demands.found(markup, FetchPolicy()) == ["a grid (display: grid)"], markup
    assert demands.found("<link rel=stylesheet href='https://example.org/x.css'>", FetchPolicy()) == []
