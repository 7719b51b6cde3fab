"""Small PDFs for tests."""

from __future__ import annotations

import io

import pypdf
from pypdf.generic import DecodedStreamObject, NameObject


def drawn(width, height, *, rotation=0, password=None) -> bytes:
    """Return a PDF of one page whose left half is black."""
    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(width, height)
    ink = DecodedStreamObject()
    ink.set_data(f"0 g 0 0 {width / 2} {height} re f".encode())
    page[NameObject("/Contents")] = writer._add_object(ink)
    page.rotate(rotation)
    if password:
        writer.encrypt(password)
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()
