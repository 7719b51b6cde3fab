"""Records of real documents, and what compares them."""

from __future__ import annotations

import hashlib
import io

import orders
import plutoprint
import pypdf
import records

from shared import comparisons, render_keys, renders
from shared.models import Comparison
from workers.comparing import Comparer

TRACE = "d" * 32
LINES = "<p>Invoice 4711</p><p>We deliver as ordered, within the week.</p>"


def document(*, body=LINES, total="1,204.50", colour="black", size="A5", extra="") -> bytes:
    """Return a real PDF of an invoice."""
    book = plutoprint.Book()
    book.load_html(
        f"<style>@page {{ size: {size}; margin: 1cm }} b {{ color: {colour} }}</style>{body}"
        f"<p>The total is <b>{total}</b>.</p>{extra}"
    )
    written = io.BytesIO()
    book.write_to_pdf_stream(written)
    return written.getvalue()


def encrypted(pdf: bytes) -> bytes:
    writer = pypdf.PdfWriter(clone_from=pypdf.PdfReader(io.BytesIO(pdf)))
    writer.encrypt("open sesame", algorithm="AES-256")
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def recorded(database, storage, template, pdf=None, *, used=None, **changes):
    """Make the record of a render that made this PDF."""
    pdf = document() if pdf is None else pdf
    record = records.waiting(database, template, storage=storage, **changes)
    claimed = orders.claimed(database, record.render_id)
    key = render_keys.blob_key(claimed.blob_stem, attempt=claimed.attempt, extension="pdf")
    storage.put(key, pdf, media_type="application/pdf", metadata={})
    with database.writing() as session:
        result = orders.result(
            blob_key=key,
            media_type="application/pdf",
            extension="pdf",
            size=len(pdf),
            sha256=hashlib.sha256(pdf).hexdigest(),
            pages=1,
            used=used,
        )
        assert renders.succeed(session, record.render_id, attempt=claimed.attempt, result=result)
    return records.row(database, record.id)


class Comparing:
    """Two records' way from the question to the answer, with a database and a storage."""

    def __init__(self, database, storage, settings, template) -> None:
        self.database, self.storage, self.settings, self.template = database, storage, settings, template

    def record(self, pdf=None, **changes) -> str:
        return recorded(self.database, self.storage, self.template, pdf, **changes).id

    def ask(self, before, after) -> comparisons.Asked:
        with self.database.writing() as session:
            return comparisons.ask(session, before, after, trace_id=TRACE)

    def perform(self, comparison_id, *, storage=None) -> list[str]:
        """Do a worker's part, and return what it announced."""
        announced = []
        Comparer(
            settings=self.settings,
            database=self.database,
            storage=storage or self.storage,
            worker_id="worker-1",
            announce=announced.append,
        ).compare(comparison_id)
        return announced

    def compare(self, before, after, **options) -> Comparison:
        asked = self.ask(before, after)
        assert self.perform(asked.comparison.id, **options) == [asked.comparison.id]
        return self.row(asked.comparison.id)

    def row(self, comparison_id) -> Comparison | None:
        with self.database.reading() as session:
            return session.get(Comparison, comparison_id)

    def pictures(self) -> list[str]:
        return sorted(self.storage.keys("comparisons/"))
