"""The documents that farms are measured with: each a Jinja and a Handlebars template over the same data.

`invoice` (one page) and `table400` (ten) are what most people print; `label` shows what a farm adds to a document that
costs nothing, `statement` and `table2000` what happens when one is long, `contract` what pictures and fonts cost.
"""

from __future__ import annotations

import base64
import calendar
import itertools
import json
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER = Path(__file__).resolve().parent / "documents"
ASSET = re.compile(r"asset:([\w.-]+)")
# As many as make sixty pages.
ENTRIES_OF_MONTH = 125
ROWS = 2000
NOTE = (
    "Entries are shown by the day on which they were booked. Please compare them with your own records and tell us "
    "within six weeks what you do not recognise; a statement that nobody objects to counts as approved. Sums are in "
    "euro, credits are positive, and interest is settled at the end of each quarter."
)


@dataclass(frozen=True, slots=True)
class Document:
    """What is rendered: a template for each farm's engine, and data."""

    name: str
    jinja: str
    handlebars: str
    data: dict[str, Any]


def document(name: str) -> Document:
    """Return the document of a name in `NAMES`."""
    template = "table400" if name == "table2000" else name
    jinja, handlebars = (
        ASSET.sub(_embedded, (FOLDER / f"{template}.html.{engine}").read_text()) for engine in ("jinja", "handlebars")
    )
    return Document(name, jinja, handlebars, DATA[name]() if name in DATA else _read(name))


def _embedded(found: re.Match[str]) -> str:
    # Every farm and every engine reads data: URLs.
    media_type = mimetypes.guess_type(found[1])[0]
    return f"data:{media_type};base64,{base64.b64encode((FOLDER / found[1]).read_bytes()).decode()}"


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def _table2000() -> dict[str, Any]:
    table = _read("table400")
    repeated = itertools.islice(itertools.cycle(table["rows"]), ROWS)
    rows = [row | {"n": number} for number, row in enumerate(repeated, 1)]
    total = sum(_cents(row["amount"]) for row in rows)
    return table | {"rows": rows, "count": ROWS, "total": _money(total)}


def _statement() -> dict[str, Any]:
    entries = itertools.cycle(_read("table400")["rows"])
    balance = 1_250_000
    months = []
    for number in range(1, 13):
        opening = balance
        booked = list(_booked(itertools.islice(entries, ENTRIES_OF_MONTH), number, opening))
        balance = _cents(booked[-1]["balance"])
        month = {
            "name": f"{calendar.month_name[number]} 2026",
            "opening": _money(opening),
            "closing": _money(balance),
            "entries": booked,
        }
        months.append(month)
    return {
        "title": "Statement of account 2026",
        "holder": "Müller & Söhne Maschinenbau GmbH",
        "account": "IE29 AIBK 9311 5212 3456 78",
        "count": len(months) * ENTRIES_OF_MONTH,
        "note": NOTE,
        "months": months,
    }


def _booked(rows: Iterator[dict[str, Any]], month: int, balance: int) -> Iterator[dict[str, str]]:
    for number, row in enumerate(rows):
        # Money goes out as long as there is some.
        amount = _cents(row["amount"]) * (-1 if balance > 0 else 1)
        balance += amount
        yield {
            "date": f"2026-{month:02d}-{number * 28 // ENTRIES_OF_MONTH + 1:02d}",
            "partner": row["customer"],
            "text": f"{row['doc']}, {row['town']}, {row['status']} for {row['days']} days, of {row['date']}",
            "amount": _money(amount),
            "balance": _money(balance),
        }


def _cents(text: str) -> int:
    return int(re.sub(r"[,.]", "", text))


def _money(cents: int) -> str:
    return f"{cents / 100:,.2f}"


DATA: dict[str, Callable[[], dict[str, Any]]] = {"table2000": _table2000, "statement": _statement}
NAMES = ["invoice", "table400", "label", "statement", "contract", "table2000"]
