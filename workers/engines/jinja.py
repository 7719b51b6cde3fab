"""The ``jinja`` engine: sandboxed, escaping, with filters for documents.

Whatever goes wrong in a template becomes one `TemplateError` that is written for the template's author: the line, and
what was wrong there. The exceptions that mean the render's limits, not the template, pass through untouched.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from billiard.exceptions import SoftTimeLimitExceeded
from jinja2 import Template, TemplateSyntaxError

from shared.exceptions import EngineError, TemplateError
from shared.includes import quoted
from workers.bounds import joining
from workers.engines import formats, inlined, symbols
from workers.engines.others import Others
from workers.engines.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import CodeType

    from workers.engines import Library
    from workers.fetching import Fetched

# The render's own limits: whoever set them handles them.
LIMITS = (MemoryError, SoftTimeLimitExceeded)

MOST_TEMPLATES_KEPT = 128
# A larger template is rare, and compiled it takes many times its size.
LONGEST_KEPT = 256 * 1024
LONGEST_MESSAGE = 500
ADDRESS = re.compile(r" at 0x[0-9a-f]+", re.IGNORECASE)


class _PlacedError(TemplateError):
    """A template's error whose message says already in which template it is."""


class JinjaEngine:
    """Expands Jinja templates over JSON data."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[tuple[bool, str | None, bytes], CodeType] = OrderedDict()

    def expand(
        self,
        content: str,
        data: Mapping[str, Any],
        *,
        markup: bool,
        locale: str,
        library: Library | None = None,
        read_asset: Callable[[str], Fetched] | None = None,
        most_bytes: int | None = None,
    ) -> str:
        """Expand a template, as `Engine` says; errors name the template's line where it is known."""
        # Everything but the code is made anew: nothing that one document leaves in a template, or in what it imports,
        # can reach the next.
        everywhere = {formats.LOCALE_NAME: locale}
        inlining = inlined.functions(read_asset)

        def make(name: str | None, text: str) -> Template:
            code = self._code(environment, name, text)
            return Template.from_code(environment, code, environment.make_globals({**inlining, **everywhere}))

        join = "".join if most_bytes is None else joining(most_bytes)
        environment = _environment(autoescape=markup, others=Others(library, make), join=join)
        root = make(None, content)
        pieces: Iterator[str] = iter(())
        try:
            # Not Template.render: that rebuilds every frame of the traceback, which after endless recursion takes long.
            pieces = root.root_render_func(root.new_context({**data, **everywhere}))
            return join(pieces)
        except (*LIMITS, EngineError):
            raise
        except Exception as error:
            raise _raised(root, error, pieces) from error

    def _code(self, environment: Sandbox, name: str | None, content: str) -> CodeType:
        # The code holds the name.
        key = (bool(environment.autoescape), name, hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest())
        if key in self._compiled:
            self._compiled.move_to_end(key)
            return self._compiled[key]
        try:
            code = environment.compile(content, name)
        except LIMITS:
            raise
        except Exception as error:
            line = error.lineno if isinstance(error, TemplateSyntaxError) else None
            raise _PlacedError(_place(line, name) + _message(error), line=line) from error
        if len(content) <= LONGEST_KEPT:
            self._compiled[key] = code
            if len(self._compiled) > MOST_TEMPLATES_KEPT:
                self._compiled.popitem(last=False)
        return code


def _environment(*, autoescape: bool, others: Others, join: Callable[[Iterable[str]], str]) -> Sandbox:
    environment = Sandbox(autoescape=autoescape, others=others, join=join)
    environment.filters |= {
        "money": formats.money,
        "number": formats.number,
        "date": formats.date,
        "datetime": formats.datetime,
        "barcode": symbols.barcode,
        "qrcode": symbols.qrcode,
    }
    return environment


def _raised(root: Template, error: Exception, pieces: Iterator[str]) -> TemplateError:
    """Say what a template raised, and where: in it, or in another that it led to, as its line says."""
    root_line = line = name = None
    # A template that did not raise itself, but was stopped at its work, stands still at a line.
    stopped = getattr(pieces, "gi_frame", None)
    if stopped is not None:
        root_line = line = root.get_corresponding_lineno(stopped.f_lineno)
    trace = error.__traceback__
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(template, Template):
            # The innermost frame counts; it may be a macro's or a block's.
            line, name = template.get_corresponding_lineno(trace.tb_lineno), template.name
            root_line = line if template is root else root_line
        trace = trace.tb_next
    message = _message(error) if isinstance(error, _PlacedError) else _place(line, name) + _message(error)
    return TemplateError(message, line=root_line)


def _place(line: int | None, name: str | None) -> str:
    parts = [] if line is None else [f"line {line}"]
    parts += [] if name is None else [quoted(name)]
    return f"{' of '.join(parts)}: " if parts else ""


def _message(error: Exception) -> str:
    if isinstance(error, RecursionError):
        message = "the template nests too deeply (a macro that calls itself must come to an end)"
    elif isinstance(error, SyntaxError):
        message = f"the template cannot be compiled: {error.msg}"
    else:
        message = str(error) or f"the template raised {type(error).__name__}"
    # Addresses and advice about Python's settings say nothing to an author, and something to an attacker.
    message = ADDRESS.sub("", " ".join(message.split())).partition("; use sys.")[0]
    if len(message) > LONGEST_MESSAGE:
        message = f"{message[:LONGEST_MESSAGE]}…"
    # Half of a surrogate pair, which a template can write, can be stored nowhere.
    return message.encode("utf-8", "replace").decode()
