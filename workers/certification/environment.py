"""What a certificate holds for: the engines, the text layout beneath them, and the installed fonts.

Another version breaks lines elsewhere, and so does another font. Fonts are told by their files' names and sizes, in the
folders that fontconfig names, and by its configuration, which says what stands in for a font that is missing.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.metadata
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN_DIGITS = 12


def current() -> str:
    """Return this machine's engines and fonts in one line. It asks no font, so it may be called before a fork."""
    parts = [f"WeasyPrint {_version('weasyprint')}", f"PlutoPrint {_version('plutoprint')}", f"Pango {_pango()}"]
    return ", ".join((*parts, f"fonts {_fonts()}"))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _pango() -> str:
    try:
        # Where Pango is missing, importing this raises; a KeyError where it was tried before.
        from weasyprint.text.ffi import pango  # noqa: PLC0415
    except (OSError, ImportError, KeyError):
        return "none"
    number = pango.pango_version()
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"


def _fonts() -> str:
    digest = hashlib.sha256()
    for path, size in sorted(_files()):
        digest.update(f"{path}\0{size}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:SHOWN_DIGITS]


def _files() -> Iterator[tuple[str, int]]:
    """Yield the fonts and the configuration files, with their sizes."""
    for folder in _listed("FcConfigGetFontDirs"):
        for root, _, names in os.walk(folder):
            for name in names:
                # One that is removed at this moment is not installed.
                with contextlib.suppress(OSError):
                    path = Path(root, name)
                    yield str(path), path.stat().st_size
    for file in _listed("FcConfigGetConfigFiles"):
        with contextlib.suppress(OSError):
            yield file, Path(file).stat().st_size


def _listed(question: str) -> list[str]:
    """Return what fontconfig answers to a question of its configuration. See FcConfigGetFontDirs(3)."""
    try:
        library: Any = ctypes.CDLL("libfontconfig.so.1")
    except (OSError, KeyError):
        return []
    for name in ("FcInitLoadConfig", question):
        getattr(library, name).restype = ctypes.c_void_p
    library.FcStrListNext.restype = ctypes.c_char_p
    configuration = ctypes.c_void_p(library.FcInitLoadConfig())
    if not configuration:
        return []
    answers = ctypes.c_void_p(getattr(library, question)(configuration))
    found = []
    while (one := library.FcStrListNext(answers)) is not None:
        found.append(os.fsdecode(one))
    library.FcStrListDone(answers)
    library.FcConfigDestroy(configuration)
    return found
