"""How fast the engines are by themselves: each in a plain loop, one process per core. No farm can be faster.

A document's markup is made once, and what is timed is nothing but the library's own way from markup to PDF.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from benchmarks import documents, loads
from benchmarks.farms import MeasureError
from workers.engines.jinja import JinjaEngine

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from benchmarks.documents import Document

SECONDS = 10


def add_to(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this measurement to the command line."""
    parser = names.add_parser("raw", help="the engines by themselves, in a plain loop on all cores: the limit")
    parser.add_argument("--document", choices=documents.NAMES, action="append", help="only this one; may be repeated")
    parser.add_argument("--engine", choices=sorted(ENGINES), action="append", help="only this one; may be repeated")
    parser.add_argument("--seconds", type=loads.positive, default=SECONDS, help=f"how long each loop runs ({SECONDS})")
    loads.add_json(parser)
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> int:
    """Run the loops one after the other, and print documents a second and processor time for each."""
    cores = len(os.sched_getaffinity(0))
    rows = []
    for name in options.document or documents.NAMES:
        document = documents.document(name)
        markup = JinjaEngine().expand(document.jinja, document.data, markup=True, locale="en")
        rows += [loop(name, engine, markup, options.seconds, cores) for engine in options.engine or sorted(ENGINES)]
    measured = datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    result = {"measurement": "raw", "measured": measured, "cores": cores, "seconds": options.seconds, "loops": rows}
    loads.show(result, table(result), options.json)
    return 0


def of_document(document: Document, recipe: str, seconds: float) -> dict[str, Any]:
    """Have a document made by the engine of a recipe, as `loop` does; of recipe ``pdf``, by the fast one.

    Args:
        document: The document.
        recipe: The farm's recipe.
        seconds: As long as the farm took: a shared machine is fast and slow for half a minute at a time.

    Raises:
        MeasureError: No engine makes it.
    """
    engine = {"pdf": "plutoprint"}.get(recipe, recipe.removesuffix("-pdf"))
    if engine not in ENGINES:
        raise MeasureError(f"--against raw: no engine makes what recipe {recipe!r} does")
    markup = JinjaEngine().expand(document.jinja, document.data, markup=True, locale="en")
    return loop(document.name, engine, markup, seconds, len(os.sched_getaffinity(0)))


def loop(document: str, engine: str, markup: str, seconds: float, cores: int) -> dict[str, Any]:
    """Have a document made again and again, in one process per core."""
    # Not forked: an engine may have started threads here.
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        loops = [pool.apply_async(made, (engine, markup, seconds)) for _ in range(cores)]
        found = [one.get() for one in loops]
    count = sum(documents_made for documents_made, _, _, _ in found)
    return {
        "document": document,
        "engine": engine,
        "documents": count,
        # One process may be at its last document while the others have ended.
        "perSecond": sum(documents_made / wall for documents_made, wall, _, _ in found),
        "cpuMsPerDocument": sum(spent for _, _, spent, _ in found) * 1000 / count,
        "bytes": found[0][3],
    }


def made(engine: str, markup: str, seconds: float) -> tuple[int, float, float, int]:
    """Make a document again and again.

    Returns:
        How often, in how many seconds, for how much processor time, and its size in bytes.
    """
    render = ENGINES[engine]
    # Libraries and fonts are loaded before the clock starts; a short document is enough for that.
    render("<p>Ready</p>")
    began, spent = time.perf_counter(), time.process_time()
    count = size = 0
    while count == 0 or time.perf_counter() - began < seconds:
        size = len(render(markup))
        count += 1
    return count, time.perf_counter() - began, time.process_time() - spent, size


def weasyprint_pdf(markup: str) -> bytes:
    """Make a PDF with WeasyPrint."""
    import weasyprint  # noqa: PLC0415  # Loaded in the processes that use it.

    content: bytes = weasyprint.HTML(string=markup).write_pdf()
    return content


def plutoprint_pdf(markup: str) -> bytes:
    """Make a PDF with PlutoPrint."""
    import plutoprint  # noqa: PLC0415

    book = plutoprint.Book(plutoprint.PAGE_SIZE_A4, media=plutoprint.MEDIA_TYPE_PRINT)
    book.load_html(markup)
    stream = io.BytesIO()
    book.write_to_pdf_stream(stream)
    return stream.getvalue()


ENGINES: dict[str, Callable[[str], bytes]] = {"plutoprint": plutoprint_pdf, "weasyprint": weasyprint_pdf}


def table(result: dict[str, Any]) -> str:
    """Return what a person reads."""
    lines = [
        f"raw, {result['seconds']} s each, a process on each of {result['cores']} cores, {result['measured']}",
        "",
        f"{'document':<12}{'engine':<12}{'a second':>10}{'CPU, ms':>10}{'bytes':>10}",
    ]
    for one in result["loops"]:
        figures = f"{one['perSecond']:>10.2f}{one['cpuMsPerDocument']:>10.1f}{one['bytes']:>10}"
        lines.append(f"{one['document']:<12}{one['engine']:<12}{figures}")
    return "\n".join(lines)
