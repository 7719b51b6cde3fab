"""What printing says in words: how a print task does, and what printers call their papers, trays and sides by."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from api.studio.texts import _

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OPEN = ("pending", "sent", "printing")
# Of a name such as A4; longer ones are words.
LONGEST_CODE = 3
# PWG 5101.1, 3: a class, a name, and the size in its own unit.
_SELF_DESCRIBING = re.compile(r"[a-z]+_([a-z0-9.-]+)_([0-9.]+)x([0-9.]+)(mm|in)")


def meaning(task: Mapping[str, Any], printer: Mapping[str, Any] | None) -> str:
    """Say what a print task's status means, and what happens next.

    Args:
        task: The print task, as the API shows it.
        printer: Its printer, likewise; None: there is none of that name any more.
    """
    status = task["status"]
    if status in OPEN and task["cancelRequested"]:
        return _("It is being cancelled: whoever has it is told so. If the paper is faster, it comes out all the same.")
    if status == "pending":
        return _why_pending(task, by_agent=printer is not None and printer["agent"])
    meanings = {
        "sent": _("The printer, or its agent, has it and has not begun. The farm asks until it hears how it ended."),
        "printing": _("The printer says that it is printing. The farm asks until it hears how it ended."),
        "completed": _("The printer says that all of it was printed."),
        "failed": _("It was not printed, or not all of it. See to the reason, and print it again."),
        "cancelled": _("It was cancelled after the printer had it: some of it may have come out.")
        if task["sentDate"]
        else _("It was cancelled before the printer had it: nothing came out."),
    }
    return meanings.get(status) or _(
        "The printer has forgotten the job, so nobody can tell whether it came out. Look beside the printer before you "
        "print it again."
    )


def _why_pending(task: Mapping[str, Any], *, by_agent: bool) -> str:
    if task["held"]:
        return _("Its document is still being rendered. It goes to the printer as soon as it is there.")
    if by_agent:
        return _("It waits for the agent beside the printer. Nothing happens until that agent asks for work.")
    if task["error"]:
        return _("It could not be handed over so far. The farm goes on trying for a while, and then gives up.")
    return _("It waits for its turn at the printer.")


def paper(keyword: str) -> str:
    """Return a paper as people say it, with its size; one that is no standard's name, as it came."""
    found = _SELF_DESCRIBING.fullmatch(keyword)
    if found is None:
        return keyword
    name, width, height, unit = found.groups()
    return f"{_spoken(name)} ({width} \N{MULTIPLICATION SIGN} {height} {unit})"


def short_paper(keyword: str) -> str:
    """Return a paper's name alone."""
    found = _SELF_DESCRIBING.fullmatch(keyword)
    return keyword if found is None else _spoken(found[1])


def tray(keyword: str) -> str:
    """Return a tray as people say it."""
    known = {
        "auto": _("Chosen by the printer"),
        "manual": _("Fed by hand"),
        "by-pass-tray": _("Bypass tray"),
        "main": _("Main tray"),
    }
    return known.get(keyword) or _spoken(keyword)


def sides() -> dict[str, str]:
    """Return the sides of the paper that can be printed on, in words, by IPP's keywords."""
    return {
        "one-sided": _("One side"),
        "two-sided-long-edge": _("Both sides, bound at the long edge"),
        "two-sided-short-edge": _("Both sides, bound at the short edge"),
    }


def options(task: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a print task asks of its printer, each with its name."""
    asked = task["options"]
    named: dict[str, tuple[str, Callable[[Any], str]]] = {
        "duplex": (_("Sides"), lambda value: sides().get(value, value)),
        "media": (_("Paper"), paper),
        "tray": (_("Tray"), tray),
        "pageRanges": (_("Pages"), str),
        "colour": (_("Colours"), lambda value: _("In colour") if value else _("Black and white")),
    }
    return [(label, shown(asked[name])) for name, (label, shown) in named.items() if asked.get(name) is not None]


def _spoken(name: str) -> str:
    words = name.replace("-", " ")
    return words.upper() if len(words) <= LONGEST_CODE else words[:1].upper() + words[1:]
