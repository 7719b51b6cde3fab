"""One PDF of a batch's documents."""

from __future__ import annotations

import pikepdf
import plutoprint
import pypdf
import pytest

from workers import joining
from workers.joining import NotJoinedError


@pytest.fixture
def made(tmp_path):
    def documents(lengths):
        for number, length in enumerate(lengths, 1):
            book = plutoprint.Book(plutoprint.PAGE_SIZE_A5)
            book.load_html(
                "".join(f"<p style='page-break-after: always'>{number}.{page}" for page in range(1, length + 1))
            )
            path = tmp_path / f"document-{(number - 1) % joining.GROUP}.pdf"
            book.write_to_pdf(str(path))
            yield f"invoice-{number}", path

    return documents


def test_documents_follow_one_another_with_a_bookmark_for_each(made, tmp_path, monkeypatch):
    monkeypatch.setattr(joining, "GROUP", 3)
    lengths = [1, 2, 1, 1, 3, 1, 1]
    path = joining.join(made(lengths), tmp_path, title="All of March", most_bytes=10_000_000)

    read = pypdf.PdfReader(path)
    said = [page.extract_text().strip() for page in read.pages if page.extract_text().strip()]
    expected = [f"{number}.{page}" for number, length in enumerate(lengths, 1) for page in range(1, length + 1)]
    assert said == expected
    marks = [(one.title, read.get_destination_page_number(one)) for one in read.outline]
    assert [title for title, _ in marks] == [f"invoice-{number}" for number in range(1, 8)]
    for number, (_, page) in enumerate(marks, 1):
        assert read.pages[page].extract_text().strip() == f"{number}.1"
    assert read.metadata.title == "All of March"
    with pikepdf.open(path) as document:
        assert document.check_pdf_syntax() == []


def test_what_is_too_large_is_refused_before_it_is_whole(made, tmp_path, monkeypatch):
    monkeypatch.setattr(joining, "GROUP", 2)
    seen = []
    found = (seen.append(one[0]) or one for one in made([1] * 10))
    with pytest.raises(NotJoinedError, match="more than 5000 bytes"):
        joining.join(found, tmp_path, title="x", most_bytes=5000)
    assert len(seen) < 10


def test_nothing_makes_nothing(made, tmp_path):
    with pytest.raises(NotJoinedError, match="no document succeeded"):
        joining.join(made([]), tmp_path, title="x", most_bytes=5000)
