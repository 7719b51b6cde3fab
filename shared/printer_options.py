"""What a print task may ask of its printer: ``duplex``, ``media``, ``tray``, ``pageRanges``, ``colour``, and copies.

A wish is checked against what the device said of itself before anything is sent. What it did not say is not checked: a
printer of which nothing is known, such as an agent's, is handed the wish as it came.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PDF = "application/pdf"
# Of a kind that has hundreds, such as paper sizes, a message names so many.
MOST_NAMED = 30
# The option, and the member of a printer's capabilities that has its values.
CHOICES = {"duplex": "duplex", "media": "media", "tray": "trays", "colour": "colour"}
# The option, and IPP's attribute of a job that says it.
ATTRIBUTES = {
    "duplex": "sides",
    "media": "media",
    "tray": "media-col",
    "colour": "print-color-mode",
    "pageRanges": "page-ranges",
}
LARGEST_PAGE = 2**31 - 1
_RANGE = re.compile(r"([1-9][0-9]{0,9})(?:-([1-9][0-9]{0,9}))?")


def page_ranges(text: str) -> list[tuple[int, int]]:
    """Read page ranges such as ``1-3,5``, which must ascend and not overlap (RFC 8011, 5.2.7).

    Raises:
        ValueError: The text is not of that form; it says what was expected.
    """
    found = []
    before = 0
    for part in text.replace(" ", "").split(","):
        matched = _RANGE.fullmatch(part)
        low, high = (int(matched[1]), int(matched[2] or matched[1])) if matched else (0, 0)
        if not before < low <= high <= LARGEST_PAGE:
            raise ValueError("expected page numbers and ranges in ascending order, such as 1-3,5")
        found.append((low, high))
        before = high
    return found


def problems(
    capabilities: Mapping[str, Any] | None,
    *,
    printer_name: str,
    number_of_copies: int,
    options: Mapping[str, Any] | None,
) -> list[tuple[str, str]]:
    """Return what a printer cannot do of what is asked of it: field and text, as of `UnprocessableError`.

    Args:
        capabilities: What the device said of itself; None: nothing is known.
        printer_name: How the texts call it.
        number_of_copies: How many are asked for.
        options: The task's options.
    """
    known = capabilities or {}
    found = []
    formats = known.get("formats")
    if formats is not None and PDF not in formats:
        found.append(
            ("printerName", f"Printer {printer_name!r} does not print PDF, only {_listed(formats)}: choose another")
        )
    most = known.get("maxCopies")
    if most is not None and number_of_copies > most:
        found.append(
            (
                "numberOfCopies",
                f"numberOfCopies is {number_of_copies}: printer {printer_name!r} makes at most {most} copies of a job",
            )
        )
    for option, value in (options or {}).items():
        if value is not None and (problem := _problem(known, printer_name, option, value)):
            found.append((f"options.{option}", problem))
    return found


def _problem(known: Mapping[str, Any], printer_name: str, option: str, value: Any) -> str | None:
    field = f"options.{option} is {_written(value)}"
    cannot = f"{field}: printer {printer_name!r} does not take this option; leave it out"
    taken = known.get("jobAttributes")
    is_taken = taken is None or ATTRIBUTES[option] in taken
    if option == "pageRanges":
        try:
            page_ranges(value)
        except ValueError as error:
            return f"{field}: {error}"
        return None if is_taken and known.get("pageRanges") is not False else cannot
    choices = known.get(CHOICES[option])
    if choices is None:
        return None if is_taken else cannot
    if value in choices or (option == "media" and _is_custom_size(value, choices)):
        # What it does anyhow, it need not be told.
        return None if is_taken or len(choices) == 1 else cannot
    return f"{field}: printer {printer_name!r} offers only {_listed(choices)}" if choices else cannot


def _is_custom_size(value: str, choices: Sequence[str]) -> bool:
    # A device with a range of sizes names its ends (PWG 5101.1, 5.3).
    return value.startswith("custom_") and any(one.startswith("custom_min_") for one in choices)


def _listed(values: Sequence[Any]) -> str:
    named = ", ".join(_written(one) for one in values[:MOST_NAMED])
    more = len(values) - MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named


def _written(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
