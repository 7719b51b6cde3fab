"""Pages, and the parts of them that change: a page's view returns what its template shows, and nothing else.

A part is a block of the page's template whose name is the id of the element that it fills. Asked by htmx for that
element, the view's answer is the block alone; asked for an event stream, it is the block again and again, whenever it
has changed. So what a page shows first, what a filter brings, and what comes live are made by the same lines.
"""

from __future__ import annotations

import contextlib
import functools
import secrets
import time
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Response, g, render_template, request, stream_with_context
from jinja2_fragments.flask import render_block

from api import gateway
from api.access import open_to_everybody
from api.studio import asking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask.typing import ResponseReturnValue

View = TypeVar("View", bound="Callable[..., Any]")

STREAM = "text/event-stream"
# Between two looks at what a live part shows.
LOOK_SECONDS = 2.0
# How soon a stream notices that its gateway is to stop.
NOTICE_SECONDS = 0.25
# Then the browser connects again: its sign-in may be over, or another gateway may have more room.
STREAM_SECONDS = 120.0


def page(template: str, *, parts: tuple[str, ...] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a view of a function that returns what a page shows.

    Args:
        template: The page's template.
        parts: Its blocks that can be had alone.
    """

    def decorate(shows: Callable[..., Any]) -> Callable[..., Any]:
        @open_to_everybody
        @functools.wraps(shows)
        def view(**arguments: Any) -> ResponseReturnValue:
            part = _asked_part(parts)
            if part is not None and STREAM in request.headers.get("Accept", ""):
                return _live(template, part, functools.partial(shows, **arguments))
            shown = shows(**arguments)
            if not isinstance(shown, dict):
                return shown  # type: ignore[no-any-return]  # An answer of its own: a redirection.
            return render_block(template, part, **shown) if part else render_template(template, **shown)

        return view

    return decorate


def action(view: View) -> View:
    """Make a view that does something: it is asked by a form, or by a button, of a page of ours."""
    return open_to_everybody(view)


def nonce() -> str:
    """Return the word that this answer's style sheets made by scripts are known by."""
    if "style_nonce" not in g:
        g.style_nonce = secrets.token_urlsafe(16)
    return str(g.style_nonce)


def secure(answer: Response) -> Response:
    """Let a page load nothing but the farm's own files, and be shown in no page but the farm's own."""
    answer.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'self'; "
        "base-uri 'none'; img-src 'self' data: blob:; font-src 'self'; frame-src 'self' blob:; manifest-src 'self'; "
        f"style-src 'self' 'nonce-{nonce()}'",
    )
    answer.headers["X-Content-Type-Options"] = "nosniff"
    # With it, forms sent over HTTPS are known to come from here.
    answer.headers["Referrer-Policy"] = "same-origin"
    if "Cache-Control" not in answer.headers:
        answer.headers["Cache-Control"] = "no-store"
    answer.vary.add("HX-Request")
    return answer


def _asked_part(parts: tuple[str, ...]) -> str | None:
    if "HX-Request" not in request.headers:
        return None
    # As htmx names an element: tag#id.
    wanted = request.headers.get("HX-Target", "").rpartition("#")[2]
    return wanted if wanted in parts else None


def _live(template: str, part: str, shows: Callable[[], Any]) -> ResponseReturnValue:
    """Send a part whenever it has changed; only once, if too many are open: the page then asks again by itself."""
    farm = gateway.current()
    places = contextlib.ExitStack()
    taken = farm.live_places.acquire(blocking=False)
    if taken:
        places.callback(farm.live_places.release)
        taken = farm.places.acquire(blocking=False)
        if taken:
            places.callback(farm.places.release)
    if not taken:
        places.close()
        return render_block(template, part, **shows())

    def events() -> Iterator[str]:
        with places:
            until, last = time.monotonic() + STREAM_SECONDS, None
            while time.monotonic() < until and not farm.is_stopping:
                try:
                    now = render_block(template, part, **shows())
                except asking.RefusedError:
                    # What is away is shown by the page itself, which asks again.
                    return
                # A line without meaning finds out whether anybody still listens.
                yield ": \n\n" if now == last else _event(now)
                last = now
                look = time.monotonic() + LOOK_SECONDS
                while time.monotonic() < look and not farm.is_stopping:
                    time.sleep(NOTICE_SECONDS)

    answer = Response(stream_with_context(events()), mimetype=STREAM)
    answer.call_on_close(places.close)
    # Proxies would keep it until it is whole.
    answer.headers["X-Accel-Buffering"] = "no"
    return answer


def _event(html: str) -> str:
    return "".join(f"data: {line}\n" for line in html.splitlines()) + "\n"
