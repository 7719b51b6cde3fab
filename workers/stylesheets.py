"""Style sheets that are assets: what they name relative to themselves.

Neither engine can resolve a relative URL against an ``asset:`` one, which has no ``//`` and so, for them, no folders.
"""

from __future__ import annotations

import posixpath
import re
from urllib.parse import quote, unquote

_INNER = (r"""(?:[^"\\\n]|\\(?:.|\Z))*""", r"""(?:[^'\\\n]|\\(?:.|\Z))*""")
_STRING = rf""" "{_INNER[0]}" | '{_INNER[1]}' """
# Comments and texts are found so that nothing in them is taken for a URL, unclosed ones too: they end with their line.
# So no place is looked at again and again, and no style sheet takes longer than its length; a rendering child cannot
# be interrupted here.
_PLACES = re.compile(
    rf"""
      /\*.*?(?:\*/|\Z)
    | (?P<import>@import\s*)(?P<sheet>{_STRING})
    | (?<![\w-])(?P<function>url\(\s*)(?P<url>{_STRING}|[^"'()\s]+)\s*\)
    | "{_INNER[0]}(?:"|(?=\n)|\Z) | '{_INNER[1]}(?:'|(?=\n)|\Z)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//|[#?]|\Z")
_SUFFIX = re.compile(r"[?#].*", re.DOTALL)


def with_absolute_urls(content: bytes, name: str) -> bytes:
    """Return a style sheet whose relative URLs are ``asset:`` URLs.

    Args:
        content: The style sheet, UTF-8. A URL that it spells with CSS's backslashes stays as it is.
        name: The asset's name; in ``css/site.css``, ``../logo.png`` is ``asset:logo.png``, and so is ``/logo.png``.
    """
    folder = posixpath.join("/", posixpath.dirname(name))

    def replace(place: re.Match[str]) -> str:
        written = place["sheet"] or place["url"]
        if written is None:
            return place[0]
        url = (written[1:-1] if written[0] in "\"'" else written).strip()
        if _ABSOLUTE.match(url) or "\\" in url:
            return place[0]
        suffix = _SUFFIX.search(url)
        path = url[: suffix.start()] if suffix else url
        whole = posixpath.normpath(posixpath.join(folder, unquote(path))).lstrip("/")
        new = f'"asset:{quote(whole)}{suffix[0] if suffix else ""}"'
        return f"{place['import']}{new}" if place["import"] else f"url({new})"

    # What is no UTF-8 comes out as it was.
    text = content.decode("utf-8", "surrogateescape")
    return _PLACES.sub(replace, text).encode("utf-8", "surrogateescape")
