"""Comparing one document of the fast engine with the reference's, and keeping the pictures of what differs."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from shared import certificates
from workers.certification import drift, painting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.models import Certificate
    from shared.storage import Storage
    from workers.certification.layout import Layout

# Of longer documents, these pages are compared: the number of all pages is, too, and what breaks elsewhere shows early.
MOST_PAGES = 200
MOST_PAINTED = 40
# Pages whose differences are shown.
MOST_PICTURES = 5
# Each of both.
LARGEST_DOCUMENT = 64 * 1024 * 1024
MOST_REASONS = 20


@dataclass(slots=True)
class Findings:
    """What a comparison found.

    Attributes:
        differences: What differs; none: the documents agree.
        pictures: Pages with differences, as the API shows them.
        overlays: The keys of their pictures, by page.
        notes: What was not looked at.
        drawn: The pictures that are not stored yet.
    """

    differences: list[drift.Drift] = field(default_factory=list)
    pictures: list[dict[str, Any]] = field(default_factory=list)
    overlays: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    drawn: list[painting.Difference] = field(default_factory=list)

    def result(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        reasons = [{"kind": one.kind, "page": one.page, "text": one.text} for one in self.differences[:MOST_REASONS]]
        more = len(self.differences) - MOST_REASONS
        notes = [*self.notes, *([f"{more} more differences are not listed"] if more > 0 else [])]
        return {"reasons": reasons, "pictures": self.pictures, "notes": notes}


def compare(reference: bytes, other: bytes, *, seconds: float) -> Findings:
    """Compare two PDFs.

    Args:
        reference: The document as it must be.
        other: The document as it is.
        seconds: The time limit of what poppler draws, which is a process of its own.

    Raises:
        UnreadableError, UnreadablePdfError: A document cannot be read, or not in time.
    """
    # PDFium is heavy, and a farm that rests needs none.
    from workers.certification import layout  # noqa: PLC0415

    findings = Findings()
    if max(len(reference), len(other)) > LARGEST_DOCUMENT:
        text = f"its documents are larger than {LARGEST_DOCUMENT} bytes: they are not compared"
        findings.differences.append(drift.Drift("size", None, text))
        return findings
    layouts = [layout.read(one, most_pages=MOST_PAGES) for one in (reference, other)]
    findings.differences += drift.differences(*layouts)
    if max(one.count for one in layouts) > MOST_PAGES:
        findings.notes.append(f"The words of the first {MOST_PAGES} pages were compared")
    until = time.monotonic() + seconds
    with _file(reference) as before, _file(other) as after:
        paths = [Path(f"/proc/{os.getpid()}/fd/{one.fileno()}") for one in (before, after)]
        findings.drawn += list(_shown(findings, layouts, paths, until))[:MOST_PICTURES]
    return findings


def store(findings: Findings, *, certificate: Certificate, storage: Storage) -> None:
    """Store the pictures of what differs.

    Args:
        findings: What was found.
        certificate: Whose pictures they are.
        storage: Where they go.

    Raises:
        StorageError: The store does not take one.
    """
    for found in findings.drawn:
        page = found.drift.page or 1
        key = certificates.overlay_key(certificate.subject, attempt=certificate.attempt, page=page)
        # Named before it is written, so that each way of ending can remove it.
        findings.overlays[str(page)] = key
        storage.put(
            key,
            found.content,
            media_type="image/png",
            metadata={"trace-id": certificate.trace_id, "subject": certificate.subject},
        )
        overlay = {"size": len(found.content), "sha256": hashlib.sha256(found.content).hexdigest()}
        findings.pictures.append({"page": page, "changed": round(found.changed, 6), "overlay": overlay})


def _file(content: bytes) -> IO[bytes]:
    # Without a name: nothing is left of a killed worker.
    file = tempfile.TemporaryFile(prefix="pressroom-certificate-")  # noqa: SIM115  # The caller closes it.
    file.write(content)
    file.flush()
    return file


def _shown(
    findings: Findings, layouts: Sequence[Layout], paths: Sequence[Path], until: float
) -> Iterator[painting.Difference]:
    """Compare the pages as they are painted, and yield the pictures of what differs."""
    sizes = [
        (max(one.width, other.width), max(one.height, other.height))
        for one, other in zip(*(whole.pages for whole in layouts), strict=False)
    ]
    apart = sorted({one.page for one in findings.differences if one.page is not None and one.page <= len(sizes)})
    if findings.differences:
        # What is known to differ need not be looked at whole: a picture tells a person more.
        for page in apart[:MOST_PICTURES]:
            left = until - time.monotonic()
            found = painting.picture(paths[0], paths[1], page, sizes[page - 1], seconds=left)
            if found is not None:
                yield found
        return
    if len(sizes) > MOST_PAINTED:
        findings.notes.append(f"The lines, fills and pictures of the first {MOST_PAINTED} pages were compared")
    for found in painting.differences(
        paths[0], paths[1], sizes[:MOST_PAINTED], seconds=lambda: until - time.monotonic()
    ):
        findings.differences.append(found.drift)
        yield found
        if len(findings.differences) >= MOST_PICTURES:
            return


def unreadable(error: Exception) -> Findings:
    """Return that a document cannot be compared, and why."""
    return Findings([drift.Drift("engine", None, f"its documents cannot be compared: {error}")])
