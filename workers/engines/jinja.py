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
from jinja2 import TemplateSyntaxError

from shared.exceptions import TemplateError
from workers.engines import formats, symbols
from workers.engines.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Template

# The render's own limits: whoever set them handles them.
LIMITS = (MemoryError, SoftTimeLimitExceeded)

MOST_TEMPLATES_KEPT = 64
# A larger template is rare, and compiled it takes many times its size.
LONGEST_KEPT = 256 * 1024
LONGEST_MESSAGE = 500
ADDRESS = re.compile(r" at 0x[0-9a-f]+", re.IGNORECASE)


class JinjaEngine:
    """Expands Jinja templates over JSON data."""

    def __init__(self) -> None:
        self._environments = {markup: _environment(autoescape=markup) for markup in (True, False)}
        self._compiled: OrderedDict[tuple[bool, bytes], Template] = OrderedDict()

    def expand(self, content: str, data: Mapping[str, Any], *, markup: bool, locale: str) -> str:
        """Expand a template.

        Args:
            content: The template's text.
            data: The document's data; its top-level keys are the template's names.
            markup: Whether the result is HTML or XML, so that values must be escaped.
            locale: The locale of the filters ``money``, ``number``, ``date`` and ``datetime``.

        Raises:
            TemplateError: The template does not compile, or raises; with its line where it is known.
        """
        template = self._template(content, markup=markup)
        try:
            context = template.new_context({**data, formats.LOCALE_NAME: locale})
            # Not Template.render: that rebuilds every frame of the traceback, which after endless recursion takes long.
            return "".join(template.root_render_func(context))
        except LIMITS:
            raise
        except Exception as error:
            raise _template_error(error, line=_line_in(template, error)) from error

    def _template(self, content: str, *, markup: bool) -> Template:
        key = (markup, hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest())
        if key in self._compiled:
            self._compiled.move_to_end(key)
            return self._compiled[key]
        try:
            template = self._environments[markup].from_string(content)
        except LIMITS:
            raise
        except TemplateSyntaxError as error:
            raise _template_error(error, line=error.lineno) from error
        except Exception as error:
            raise _template_error(error, line=None) from error
        if len(content) <= LONGEST_KEPT:
            self._compiled[key] = template
            if len(self._compiled) > MOST_TEMPLATES_KEPT:
                self._compiled.popitem(last=False)
        return template


def _environment(*, autoescape: bool) -> Sandbox:
    environment = Sandbox(autoescape=autoescape)
    environment.filters |= {
        "money": formats.money,
        "number": formats.number,
        "date": formats.date,
        "datetime": formats.datetime,
        "barcode": symbols.barcode,
        "qrcode": symbols.qrcode,
    }
    return environment


def _line_in(template: Template, error: Exception) -> int | None:
    """Return the line on which a template was when it raised: that of its innermost frame, which may be a macro's."""
    line = None
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_globals.get("__jinja_template__") is template:
            line = template.get_corresponding_lineno(frame.tb_lineno)
        frame = frame.tb_next
    return line


def _template_error(error: Exception, *, line: int | None) -> TemplateError:
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
    return TemplateError(message if line is None else f"line {line}: {message}", line=line)
