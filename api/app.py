"""The gateway's composition root: settings, database, storage and broker meet here, once per process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask

from api import (
    access,
    assets,
    batch_previews,
    batches,
    certificates,
    comparisons,
    config_renders,
    contexts,
    errors,
    farm,
    history,
    links,
    lookups,
    odata,
    previews,
    print_tasks,
    printers,
    replays,
    report_configs,
    report_details,
    reports,
    schedules,
    sessions,
    shown_settings,
    studio,
    system,
    templates,
    thumbnails,
    traces,
    tracing,
)
from api.gateway import Gateway
from api.openapi import routes as openapi
from shared import catalogue
from shared.exceptions import SettingsError
from shared.memory import release_unused
from shared.settings import check_exposure, load_settings
from shared.tracing import configure_logging

if TYPE_CHECKING:
    from shared.settings import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Make the gateway.

    Args:
        settings: The farm's settings; None: from the environment.

    Raises:
        SettingsError: The settings do not describe a gateway that may start.
    """
    settings = settings or load_settings()
    check_exposure(settings)
    _check_defaults(settings)
    configure_logging(settings, process="gateway")
    app = Flask("pressroom", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]  # The provider is Flask's own.
    gateway = app.extensions["pressroom"] = Gateway(settings)
    sessions.register(app)
    tracing.register(app)
    access.register(app, settings)
    errors.register(app)
    for feature in (
        system,
        farm,
        odata,
        assets,
        reports,
        report_details,
        batch_previews,
        batches,
        schedules,
        templates,
        report_configs,
        contexts,
        history,
        config_renders,
        thumbnails,
        previews,
        print_tasks,
        printers,
        replays,
        comparisons,
        certificates,
        traces,
        lookups,
        shown_settings,
        openapi,
    ):
        app.register_blueprint(feature.blueprint)
    studio.register(app)
    app.wsgi_app = gateway.threads.counting(app.wsgi_app)  # type: ignore[method-assign, assignment]  # As Flask advises.
    app.wsgi_app = links.behind_proxies(app.wsgi_app, settings)  # type: ignore[method-assign, assignment]  # As Flask advises.
    release_unused()
    return app


def _check_defaults(settings: Settings) -> None:
    for name, value, group in (
        ("ENGINE", settings.default_engine, catalogue.ENGINES),
        ("RECIPE", settings.default_recipe, catalogue.RECIPES),
    ):
        known = catalogue.names(group)
        if value not in known:
            raise SettingsError(f"PRESSROOM_DEFAULT_{name} is {value!r}: expected one of {', '.join(known)}")
