"""The studio: the farm's web pages, under ``/studio/``.

A module per page, with the page's templates in ``pages/`` under the same name. Pages know the API (`asking`) and
nothing else of the farm: `lint-imports` holds that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, redirect, request, url_for

from api import sessions
from api.access import current_user, open_to_everybody
from api.studio import (
    batch_starts,
    batches,
    comparing,
    errors,
    farm,
    files,
    generating,
    history,
    home,
    looks,
    print_tasks,
    printers,
    printing,
    reports,
    schedule_forms,
    schedules,
    settings,
    signing_in,
    template_versions,
    templates,
    texts,
    traces,
)
from api.studio.pages import secure

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.wrappers import Response

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def register(app: Flask) -> None:
    """Give the app its pages."""
    studio = Blueprint("studio", __name__, url_prefix="/studio", template_folder="pages")
    studio.before_request(_admit)
    studio.after_request(secure)
    for feature in (
        home,
        signing_in,
        history,
        comparing,
        printing,
        print_tasks,
        printers,
        schedules,
        schedule_forms,
        reports,
        batches,
        batch_starts,
        templates,
        template_versions,
        generating,
        traces,
        farm,
        settings,
    ):
        feature.register(studio)
    errors.register(studio)
    files.register(studio, app)
    texts.register(app)
    app.register_blueprint(studio)
    looks.register(app)
    app.add_url_rule("/", "studio.start", open_to_everybody(lambda: redirect(url_for("studio.home"))))


def _admit() -> Response | None:
    """Ask for a sign-in, and for the form's token where something is to be done."""
    if request.endpoint in ("studio.file", "studio.language"):
        return None
    if request.method not in _SAFE:
        sessions.check_form()
    if current_user() is not None or request.endpoint == "studio.sign_in":
        return None
    return signing_in.ask()
