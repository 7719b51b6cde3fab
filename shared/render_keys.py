"""How the objects are named that renders leave in storage."""

from __future__ import annotations


def transient_stem(render_id: str) -> str:
    """Return the storage key, without extension, of a document that nobody keeps."""
    return f"transient/{render_id}"


def blob_key(blob_stem: str, *, attempt: int, extension: str) -> str:
    """Name the object of one attempt.

    The first attempt's object has just the name that was asked for. A later one says its number after a tilde, which no
    name that was asked for may contain: so an attempt that was given up, and ends after all, cannot overwrite the
    object of the one that counts.
    """
    return f"{blob_stem}.{extension}" if attempt == 1 else f"{blob_stem}~{attempt}.{extension}"
