"""The studio's languages. English is in the pages; every other one is a file, ``texts/<language>.po``.

The files are read as they are, so that a translation needs no build step. Babel is imported when the first page is
asked for: a gateway that only serves programs never pays for it.
"""

from __future__ import annotations

import functools
import gettext
import io
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from flask import g, request

if TYPE_CHECKING:
    from flask import Flask

SOURCE = "en"
COOKIE = "pressroom_language"
_FOLDER = Path(str(files("api.studio"))) / "texts"
# What a file's language calls itself stands in its header.
_NAME = re.compile(r'"X-Language-Name: (.+)\\n"')


def register(app: Flask) -> None:
    """Let the app's pages speak the reader's language."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # The extension adds it.
        lambda text: translations(language()).gettext(text),
        lambda one, many, count: translations(language()).ngettext(one, many, count),
        newstyle=True,
    )
    app.jinja_env.policies["ext.i18n.trimmed"] = True


@functools.cache
def names() -> dict[str, str]:
    """Return the languages by their codes, as they call themselves."""
    found = {SOURCE: "English"}
    for path in sorted(_FOLDER.glob("*.po")):
        named = _NAME.search(path.read_text(encoding="utf-8"))
        found[path.stem] = named[1] if named else path.stem
    return found


def language() -> str:
    """Return the language of this request's reader: the one that they chose, or the first that they have in common."""
    if "language" not in g:
        chosen = request.cookies.get(COOKIE)
        g.language = chosen if chosen in names() else request.accept_languages.best_match(list(names()), SOURCE)
    return str(g.language)


def _(text: str, **values: object) -> str:
    """Translate a text of this request's reader; ``%(name)s`` in it stands for a value."""
    found = translations(language()).gettext(text)
    return found % values if values else found


@functools.cache
def translations(name: str) -> gettext.NullTranslations:
    """Return the texts in one of the languages."""
    if name == SOURCE:
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo  # noqa: PLC0415  # As said above.
    from babel.messages.pofile import read_po  # noqa: PLC0415

    compiled = io.BytesIO()
    with _FOLDER.joinpath(f"{name}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=name))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
