"""What is said of two records is so: equal documents, changed ones, and those that cannot be read."""

from __future__ import annotations

import io

import compared
import pytest
import records
from compared import Comparing
from PIL import Image

from shared import comparisons
from shared.exceptions import NotFoundError
from shared.storage import StorageError
from workers import comparing, poppler
from workers.overlays import NO_PAPER


@pytest.fixture
def database_url(tmp_path):
    # The documents are what matters here.
    return f"sqlite:///{tmp_path / 'pressroom.db'}"


@pytest.fixture
def farm(database, filesystem_storage, settings, template):
    return Comparing(database, filesystem_storage, settings, template)


def test_equal_documents_are_identical(farm):
    made = farm.compare(farm.record(), farm.record())
    assert made.state == "succeeded"
    assert made.result["identical"] is True
    assert made.result["pages"] == {"before": 1, "after": 1}
    assert made.result["text"] == {"pages": [], "more": 0}
    [shown] = made.result["pictures"]
    assert (shown["page"], shown["changed"], shown["overlay"]) == (1, 0.0, None)
    assert made.result["notes"] == []


def test_documents_of_other_bytes_that_look_and_read_the_same_are_identical(farm):
    pdf = compared.document()
    made = farm.compare(farm.record(pdf), farm.record(pdf + b"\n% made on another day\n"))
    assert made.result["identical"] is True
    [shown] = made.result["pictures"]
    assert (shown["changed"], shown["overlay"]) == (0.0, None)


def test_a_change_of_colour_alone_is_seen(farm):
    made = farm.compare(farm.record(), farm.record(compared.document(colour="maroon")))
    assert made.result["identical"] is False
    assert made.result["text"]["pages"] == []
    assert made.result["pictures"][0]["changed"] > 0


def test_a_page_that_only_one_document_has_is_changed_altogether(database, farm):
    before, after = (
        farm.record(),
        farm.record(compared.document(extra="<p style='break-before: page'>Terms of business")),
    )
    made = farm.compare(before, after)
    assert made.result["pages"] == {"before": 1, "after": 2}
    assert (made.result["pictures"][0]["changed"], made.result["pictures"][0]["overlay"]) == (0.0, None)
    assert made.result["pictures"][1]["changed"] == 1.0
    assert made.result["text"]["pages"] == [
        {"page": 2, "changes": [{"context": "", "before": None, "after": "Terms of business"}]}
    ]
    with database.reading() as session:
        assert comparisons.overlay(session, before, after, page=2).size
        with pytest.raises(NotFoundError, match="looks the same"):
            comparisons.overlay(session, before, after, page=1)
        with pytest.raises(NotFoundError, match="expected 1 to 2"):
            comparisons.overlay(session, before, after, page=3)
        assert comparisons.side(session, before, after, page=2, side="after").size
        with pytest.raises(NotFoundError, match="only in the other record"):
            comparisons.side(session, before, after, page=2, side="before")


def test_both_sides_of_a_page_are_as_large_as_what_differs(database, farm):
    before, after = farm.record(), farm.record(compared.document(size="A4", colour="maroon"))
    farm.compare(before, after)
    with database.reading() as session:
        found = [comparisons.side(session, before, after, page=1, side=side) for side in comparisons.SIDES]
        found.append(comparisons.overlay(session, before, after, page=1))
    stored = [farm.storage.get(one.key, sha256=one.sha256, size=one.size) for one in found]
    drawn = [Image.open(io.BytesIO(one)) for one in stored]
    assert [one.size for one in drawn] == [(794, 1123)] * 3
    # An A5 sheet of black on white, and where it ends.
    assert drawn[0].convert("RGB").getpixel((700, 1000)) == NO_PAPER
    assert drawn[0].convert("RGB").getpixel((550, 780)) == (255, 255, 255)
    assert drawn[1].mode == "RGB"


def test_what_looks_the_same_is_shown_by_one_picture_for_both_sides(database, farm):
    pdf = compared.document(extra="<p style='break-before: page'>Terms")
    before, same, other = farm.record(pdf), farm.record(pdf), farm.record(pdf + b"\n% made on another day\n")
    for after in (same, other):
        made = farm.compare(before, after)
        with database.reading() as session:
            keys = [
                [comparisons.side(session, before, after, page=page, side=side).key for side in comparisons.SIDES]
                for page in (1, 2)
            ]
        assert keys == [[f"comparisons/{made.id}~1-{page}-before.png"] * 2 for page in (1, 2)]
        assert made.result["notes"] == []
    # Grey takes fewer bytes, and looks the same.
    assert Image.open(io.BytesIO(farm.storage.get(keys[0][0]))).mode == "L"


def test_of_equal_documents_one_is_drawn(farm, monkeypatch):
    drawn = []
    draw = poppler.page_picture
    monkeypatch.setattr(
        poppler, "page_picture", lambda path, page, **given: drawn.append(1) or draw(path, page, **given)
    )
    farm.compare(farm.record(), farm.record())
    assert len(drawn) == 1


def test_equal_documents_are_identical_however_few_of_their_pages_were_drawn(farm, monkeypatch):
    def slow(*_, **__):
        raise poppler.TooSlowError("took too long")

    monkeypatch.setattr(poppler, "page_picture", slow)
    made = farm.compare(farm.record(), farm.record())
    assert (made.result["identical"], made.result["pictures"], made.result["notes"]) == (True, [], [])


def test_pages_of_another_size_are_compared_corner_to_corner(farm):
    made = farm.compare(farm.record(), farm.record(compared.document(size="A4")))
    assert made.result["identical"] is False
    assert made.result["text"]["pages"] == []
    # Half of the larger page is paper that the smaller one has not.
    assert 0.49 < made.result["pictures"][0]["changed"] < 0.52
    assert Image.open(io.BytesIO(farm.storage.get(made.overlays["1"]))).size == (794, 1123)


def test_a_poster_is_drawn_no_larger_than_it_needs(farm):
    poster = "84.1cm 118.9cm"
    made = farm.compare(
        farm.record(compared.document(size=poster)), farm.record(compared.document(size=poster, body="<h1>X"))
    )
    assert Image.open(io.BytesIO(farm.storage.get(made.overlays["1"]))).height in (1400, 1401)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda pdf: pdf[:200], "it is broken: pdfinfo says"),
        (lambda _: b"no PDF at all", "it is broken: pdfinfo says"),
        (lambda _: b"", "it is broken: pdfinfo says"),
        (compared.encrypted, "it is encrypted and needs a password"),
    ],
)
def test_a_document_that_cannot_be_read_is_named_with_the_reason(farm, spoil, why):
    spoilt = farm.record(spoil(compared.document()))
    made = farm.compare(farm.record(), spoilt)
    assert made.state == "failed"
    assert made.error.startswith(f"The PDF of history record '{spoilt}' cannot be read: {why}")


def test_a_document_that_is_gone_is_named(database, farm):
    before, after = farm.record(), farm.record()
    farm.storage.delete(records.row(database, after).blob_key)
    made = farm.compare(before, after)
    assert made.error == f"The PDF of history record '{after}' is no longer in storage"


def test_a_worker_without_poppler_says_so(farm, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    made = farm.compare(farm.record(), farm.record())
    assert "pdfinfo is not installed on this worker" in made.error


def test_a_request_that_is_gone_or_too_large_is_noted_and_the_rest_compared(database, farm, monkeypatch):
    large = farm.record(payload=b'{"a": 1}', large=True)
    monkeypatch.setattr(comparing, "LARGEST_REQUEST", 10)
    [note] = farm.compare(farm.record(), large).result["notes"]
    assert "at over 10 bytes" in note
    farm.storage.delete(records.row(database, large).payload_key)
    made = farm.compare(farm.record(), large)
    assert "no longer in storage" in made.result["notes"][0]
    assert made.result["identical"] is True


def test_what_the_documents_were_made_of_is_compared(farm):
    before = farm.record(used={"templates": {"header": 3}, "assets": {"logo.png": "aa"}})
    after = farm.record(used={"templates": {"header": 4}, "assets": {"logo.png": "aa"}}, template_version=2)
    made = farm.compare(before, after).result["template"]
    assert made["version"] == {"before": 1, "after": 2}
    assert made["name"] == {"before": "t", "after": "t"}
    assert made["used"]["changes"] == [{"path": "/templates/header", "before": 3, "after": 4}]


def test_when_not_all_pages_were_looked_at_nobody_is_told_that_they_are_identical(farm, monkeypatch):
    monkeypatch.setattr(comparing, "MOST_PICTURES", 1)
    pdf = compared.document(extra="<p style='break-before: page'>Terms")
    made = farm.compare(farm.record(pdf), farm.record(pdf + b"\n"))
    assert made.result["identical"] is None
    assert made.result["notes"] == ["1 of 2 pages were compared as pictures"]


def test_a_page_more_is_a_difference_though_nobody_looked_at_it(farm, monkeypatch):
    monkeypatch.setattr(comparing, "MOST_PICTURES", 1)
    blank = "<p style='break-before: page'>&nbsp;"
    made = farm.compare(farm.record(), farm.record(compared.document(extra=blank)))
    assert (made.result["pages"], made.result["text"]["pages"]) == ({"before": 1, "after": 2}, [])
    assert made.result["identical"] is False


def test_when_time_is_up_what_there_is_is_shown(farm, monkeypatch):
    draw = poppler.page_picture

    def slow(path, number, **options):
        if number == 2:
            raise poppler.TooSlowError("took too long")
        return draw(path, number, **options)

    monkeypatch.setattr(poppler, "page_picture", slow)
    extra = "<p style='break-before: page'>Terms"
    made = farm.compare(
        farm.record(compared.document(extra=extra)), farm.record(compared.document(extra=extra, total="9"))
    )
    assert [one["page"] for one in made.result["pictures"]] == [1]
    assert made.result["notes"] == ["1 of 2 pages were compared as pictures"]


def test_a_document_that_takes_too_long_is_given_up(farm, monkeypatch):
    monkeypatch.setattr(comparing, "WORK_SECONDS", 0)
    assert (
        "no time was left for pdfinfo" in farm.compare(farm.record(), farm.record(compared.document(total="9"))).error
    )


def test_a_damaged_document_is_not_compared(farm, database):
    before, after = farm.record(), farm.record()
    key = records.row(database, after).blob_key
    farm.storage.put(key, farm.storage.get(key) + b" ", media_type="application/pdf", metadata={})

    assert farm.compare(before, after).error == f"The stored PDF of history record {after!r} was damaged"


def test_a_storage_that_is_away_fails_it_for_the_moment(farm):
    class Away:
        keys, delete = farm.storage.keys, farm.storage.delete

        def fetch(self, key, _file, **_):
            raise StorageError("connection refused")

    made = farm.compare(farm.record(), farm.record(), storage=Away())
    assert made.error == "The storage did not answer; ask again when it is back"
