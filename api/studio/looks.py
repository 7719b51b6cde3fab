"""How values look on pages: times, sizes, states, icons."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flask import request
from markupsafe import Markup

from api import access, sessions
from api.studio import texts
from api.studio.files import file_url
from api.studio.pages import nonce
from api.studio.texts import _

if TYPE_CHECKING:
    from flask import Flask

KIB = 1024
NONE = "\N{EN DASH}"
# What a state means to its reader; the colours are in studio.css.
_KINDS = {
    "good": {"Ok", "success", "succeeded", "completed", "certified", "alive", "idle", "done"},
    "bad": {"Error", "Render Fail", "error", "failed", "refused", "dead", "withdrawn", "stopped", "unreachable"},
    "busy": {"running", "printing", "processing", "sent", "planned", "queued", "pending", "wanted"},
    "odd": {"Unknown", "unknown", "cancelled", "canceled", "paused", "silent"},
}


def register(app: Flask) -> None:
    """Give the app's templates what they show values with."""
    app.jinja_env.filters |= {"moment": moment, "size": size, "seconds": seconds, "number": number, "state": state}
    app.jinja_env.globals |= {
        "icon": icon,
        "language": texts.language,
        "languages": texts.names(),
        "csrf_token": sessions.form_token,
        "style_nonce": nonce,
        "current_user": access.current_user,
        "here": lambda: request.full_path.rstrip("?"),
    }
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    # What pages are made of, also where a page's block is shown alone.
    app.jinja_env.globals["parts"] = app.jinja_env.get_template("studio/parts.html").module


def icon(name: str, *, label: str | None = None, kind: str = "") -> Markup:
    """Return an icon: a picture with a label, or an ornament of what stands beside it."""
    seen = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    address = f"{file_url('vendor/icons.svg')}#{name}"
    return Markup('<svg class="icon {}" {}><use href="{}"/></svg>').format(kind, seen, address)


def moment(text: str | None) -> Markup:
    """Return a time of the API; the browser shows it by its reader's clock, and how long ago that is."""
    if not text:
        return Markup('<span class="nothing">{}</span>').format(NONE)
    at = dt.datetime.fromisoformat(text).astimezone(dt.UTC)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), f"{at:%Y-%m-%d %H:%M} UTC")


def size(count: int | None) -> str:
    """Return a number of bytes as people say it."""
    if count is None:
        return NONE
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < KIB:
            break
        value, unit = value / KIB, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"  # noqa: PLR2004  # Two digits.


def seconds(value: float | None) -> str:
    """Return a duration as people say it, in its two largest units."""
    if value is None:
        return NONE
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 10:  # noqa: PLR2004  # One digit more tells more.
        return f"{value:.1f} s"
    left, said = round(value), []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if left >= length:
            said.append(f"{left // length} {unit}")
            left %= length
    return " ".join(said[:2])


def number(value: float | None) -> str:
    """Return a number with its thousands apart, as all languages read it."""
    return NONE if value is None else f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def state(name: str | None, label: str | None = None) -> Markup:
    """Return the badge of a state."""
    kind = next((kind for kind, names in _KINDS.items() if name in names), "odd")
    return Markup('<span class="state state-{}">{}</span>').format(kind, label or _(name or "Unknown"))
