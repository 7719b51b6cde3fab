"""What every recipe does about characters that no document can hold."""

from __future__ import annotations

from shared.exceptions import DataError, TemplateError


def encoded(content: str) -> bytes:
    """Return the content as UTF-8.

    Raises:
        DataError: The content has half a surrogate pair, which is no character, though JSON can spell it.
    """
    try:
        return content.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _impossible(content, error.start, f"half a surrogate pair (U+{ord(content[error.start]):04X})") from error


def check_markup(content: str) -> None:
    """Refuse markup that a PDF engine cannot read.

    Raises:
        TemplateError: The content is empty.
        DataError: It holds NUL or half a surrogate pair.
    """
    if not content.strip():
        raise TemplateError("The document is empty: the template made no markup")
    encoded(content)
    nul = content.find("\0")
    if nul >= 0:
        raise _impossible(content, nul, "NUL (U+0000)")


def _impossible(content: str, place: int, name: str) -> DataError:
    before = " ".join(content[max(0, place - 30) : place].split())
    return DataError(
        f"The document cannot hold {name}, which stands at character {place + 1} after {before!r}: "
        "remove it from the template or the data"
    )
