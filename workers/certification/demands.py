"""What a document demands that only the reference can do, found by looking at its style sheets and its elements.

The comparison finds most of it, too, but only as far as the sample shows it; and it cannot tell a person which line to
change. A test renders each of these with both engines and sees that they do differ.
"""

from __future__ import annotations

import functools
import html
import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import tinycss2

from shared.exceptions import RenderError
from workers.fetching import FetchRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workers.fetching import FetchPolicy

# A document that imports more is not looked at further; what it demands, the comparison finds.
MOST_SHEETS = 30
GRID = "a grid (display: grid)"
FUNCTIONS = {
    "target-counter": "cross references (target-counter)",
    "target-counters": "cross references (target-counters)",
    "target-text": "cross references (target-text)",
    "leader": "leaders (leader)",
    "string": "named strings (string)",
}
PROPERTIES = {
    "string-set": "named strings (string-set)",
    "bookmark-level": "bookmarks (bookmark-level)",
    "bookmark-label": "bookmarks (bookmark-label)",
    "bookmark-state": "bookmarks (bookmark-state)",
    "bleed": "bleed (bleed)",
    "marks": "crop marks (marks)",
}
FOOTNOTES = "footnotes (float: footnote)"
NAMED_PAGES = "named pages (page)"
ATTACHMENTS = "attached files (rel=attachment)"
# Each of the above has one of these in its text; a document without any of them need not be looked at.
WORDS = ("grid", "target-", "leader(", "string", "bookmark-", "footnote", "bleed", "marks", "attachment")
_PAGE = re.compile(r"page(?<![-@\w]page)\s*:")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SHEET = re.compile(r"<style\b[^>]*>(.*?)</style", re.DOTALL | re.IGNORECASE)
_STYLE = re.compile(r"""\sstyle\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_LINK = re.compile(r"<(?:link|a)\b[^>]*>", re.IGNORECASE)
_REL = re.compile(r"""\srel\s*=\s*["']?([^"'>]*)""", re.IGNORECASE)
_HREF = re.compile(r"""\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", re.IGNORECASE)


def possible(markup: str) -> bool:
    """Say whether a look at a document is worth while: no takes some microseconds, and is certain.

    Args:
        markup: The expanded template; what its linked style sheets demand is not seen here.
    """
    lowered = markup.lower()
    return any(word in lowered for word in WORDS) or _PAGE.search(lowered) is not None


def found(markup: str, policy: FetchPolicy | None = None) -> Sequence[str]:
    """Return what a document demands that only the reference can do, each once.

    Args:
        markup: The expanded template.
        policy: Where its linked style sheets come from; None: these are not looked at. What cannot be had, no engine
            gets either.
    """
    read = _COMMENT.sub("", markup)
    demands: list[str] = []
    for style in _STYLE.finditer(read):
        demands += _of_style(html.unescape(style[1] or style[2] or ""))
    waiting = [("", sheet[1]) for sheet in _SHEET.finditer(read)]
    seen: set[str] = set()
    for link in _LINK.finditer(read):
        relation = _REL.search(link[0])
        related = relation[1].lower().split() if relation else []
        if "attachment" in related:
            demands.append(ATTACHMENTS)
        elif "stylesheet" in related and (address := _HREF.search(link[0])):
            waiting += _fetched(html.unescape(next(filter(None, address.groups()), "")), policy, seen)
    for _ in range(MOST_SHEETS):
        if not waiting:
            break
        base, sheet = waiting.pop(0)
        of_sheet, imports = _of_sheet(sheet)
        demands += of_sheet
        for one in imports:
            waiting += _fetched(urljoin(base, one), policy, seen)
    return list(dict.fromkeys(demands))


def _fetched(address: str, policy: FetchPolicy | None, seen: set[str]) -> list[tuple[str, str]]:
    if policy is None or address in seen:
        return []
    seen.add(address)
    try:
        return [(address, policy.fetch(address).content.decode("utf-8", "replace"))]
    except (FetchRefusedError, RenderError):
        return []


@functools.lru_cache(maxsize=64)
def _of_sheet(sheet: str) -> tuple[Sequence[str], Sequence[str]]:
    """Return what a style sheet demands, and what it imports."""
    demands: list[str] = []
    imports: list[str] = []
    for rule in tinycss2.parse_stylesheet(sheet, skip_comments=True, skip_whitespace=True):
        demands += _of_rule(rule, imports)
    return demands, imports


def _of_rule(rule: tinycss2.ast.Node, imports: list[str]) -> Iterator[str]:
    if rule.type == "at-rule" and rule.lower_at_keyword == "import":
        imports += [one.value for one in rule.prelude if one.type in ("string", "url")][:1]
    if rule.type not in ("at-rule", "qualified-rule") or rule.content is None:
        return
    for one in tinycss2.parse_blocks_contents(rule.content, skip_comments=True, skip_whitespace=True):
        if one.type == "declaration":
            yield from _of_declaration(one)
        else:
            yield from _of_rule(one, imports)


def _of_style(style: str) -> Iterator[str]:
    for one in tinycss2.parse_blocks_contents(style, skip_comments=True, skip_whitespace=True):
        if one.type == "declaration":
            yield from _of_declaration(one)


def _of_declaration(one: tinycss2.ast.Declaration) -> Iterator[str]:
    words = {token.lower_value for token in one.value if token.type == "ident"}
    if one.lower_name == "display" and "grid" in words:
        yield GRID
    elif one.lower_name == "float" and "footnote" in words:
        yield FOOTNOTES
    elif one.lower_name == "page" and words - {"auto", "inherit", "initial", "unset"}:
        yield NAMED_PAGES
    elif one.lower_name in PROPERTIES and not words & {"none", "auto"}:
        yield PROPERTIES[one.lower_name]
    yield from (FUNCTIONS[name] for name in _functions(one.value) if name in FUNCTIONS)


def _functions(tokens: Sequence[tinycss2.ast.Node]) -> Iterator[str]:
    for token in tokens:
        if token.type == "function":
            yield token.lower_name
            yield from _functions(token.arguments)
