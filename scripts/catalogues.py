"""The catalogues of the studio's texts, from what its pages and their code say."""

from __future__ import annotations

import sys
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

STUDIO = Path(__file__).resolve().parent.parent / "api" / "studio"
TEXTS = STUDIO / "texts"
METHODS = [("**.py", "python"), ("pages/**.html", "jinja2")]
OPTIONS = {"pages/**.html": {"extensions": "jinja2.ext.i18n", "trim_blocks": "true", "silent": "false"}}
# Only what is read: a date would make each run a change.
HEADER = """\
msgid ""
msgstr ""
"X-Language-Name: {name}\\n"
"Content-Type: text/plain; charset=utf-8\\n"

"""
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}


def extracted() -> Catalog:
    """Return every text of the pages, untranslated."""
    found = Catalog(project="Pressroom", charset="utf-8")
    for file, _line, message, comments, context in extract_from_dir(
        STUDIO, METHODS, OPTIONS, keywords=KEYWORDS, comment_tags=("Translators:",)
    ):
        # Without line numbers: a change of a page would change every catalogue.
        found.add(message, locations=[(file, None)], auto_comments=comments, context=context)  # type: ignore[list-item]
    return found


def update(language: str) -> Catalog:
    """Return a language's catalogue with exactly the texts of the pages; what is new is untranslated."""
    path = TEXTS / f"{language}.po"
    catalogue = Catalog(locale=language, charset="utf-8")
    if path.exists():
        with path.open("rb") as file:
            catalogue = read_po(file, locale=language)
    catalogue.update(extracted(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    return catalogue


def main() -> None:
    """Update all catalogues, and begin those that are named."""
    for language in sorted({path.stem for path in TEXTS.glob("*.po")} | set(sys.argv[1:])):
        catalogue = update(language)
        with (TEXTS / f"{language}.po").open("wb") as file:
            file.write(HEADER.format(name=str(Locale.parse(language).get_display_name()).capitalize()).encode())
            write_po(file, catalogue, width=120, sort_output=True, ignore_obsolete=True, omit_header=True)
        missing = [one.id for one in catalogue if one.id and not _is_translated(one.string)]
        print(f"{language}: {len(catalogue)} texts, {len(missing)} to translate")


def _is_translated(text: str | tuple[str, ...] | list[str] | None) -> bool:
    return bool(text) and (isinstance(text, str) or all(text or ()))


if __name__ == "__main__":
    main()
