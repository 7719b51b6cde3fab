"""The studio's own files: style sheets, scripts, icons; and how they and the pages are compressed."""

from __future__ import annotations

import functools
import hashlib
import mimetypes
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Response, abort, request, url_for
from flask_compress import Compress
from flask_compress.flask_compress import DictCache
from werkzeug.security import safe_join

from api.access import open_to_everybody

if TYPE_CHECKING:
    from flask import Flask

_FOLDER = Path(str(files("api.studio"))) / "static"
_FOR_EVER = 365 * 24 * 3600


def register(studio: Blueprint, app: Flask) -> None:
    """Serve the files, and compress them and the pages."""
    app.config |= {
        # Nothing but what is said here: documents are compressed already, and programs ask for small answers.
        "COMPRESS_REGISTER": False,
        "COMPRESS_ALGORITHM": ["br", "gzip"],
        "COMPRESS_BR_LEVEL": 5,
        # It reads conditions in its own way; the view has answered them.
        "COMPRESS_EVALUATE_CONDITIONAL_REQUEST": False,
    }
    for_files, for_pages = Compress(app), Compress(app)
    # Files do not change while the process lives, so each is compressed once.
    for_files.cache = DictCache()
    for_files.cache_key = lambda asked: asked.path
    studio.add_url_rule("/static/<path:name>", "file", open_to_everybody(for_files.compressed()(_file)))
    studio.after_request(lambda answer: for_pages.after_request(answer) if _is_page(answer) else answer)
    app.jinja_env.globals["file_url"] = file_url


def file_url(name: str) -> str:
    """Return a file's address, which is another one when the file is."""
    return url_for("studio.file", name=name, v=_version(name))


def _is_page(answer: Response) -> bool:
    return answer.mimetype == "text/html" and not answer.is_streamed


def _file(name: str) -> Response:
    path = safe_join(str(_FOLDER), name)
    if path is None or not Path(path).is_file():
        abort(404, description=f"The studio has no file {name!r}")
    answer = Response(Path(path).read_bytes(), mimetype=mimetypes.guess_type(name)[0])
    version = _version(name)
    answer.set_etag(version, weak=True)
    if request.args.get("v") == version:
        answer.headers["Cache-Control"] = f"public, max-age={_FOR_EVER}, immutable"
    else:
        # A module that another one imports has no version in its address.
        answer.headers["Cache-Control"] = "no-cache"
    answer.make_conditional(request)
    return answer


@functools.cache
def _version(name: str) -> str:
    return hashlib.sha256(_FOLDER.joinpath(name).read_bytes()).hexdigest()[:12]
