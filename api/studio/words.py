"""Words that the API says and pages show: states, kinds, sources. Here for those who translate them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _marked(text: str) -> str:
    return text


# As gettext's tools know it: a text that is translated where it is shown.
N_: Callable[[str], str] = _marked

WORDS = (
    # History records.
    N_("Ok"),
    N_("Error"),
    N_("Render Fail"),
    N_("Unknown"),
    N_("api"),
    N_("studio"),
    N_("schedule"),
    N_("batch"),
    N_("replay"),
    # Renders, reports and errands.
    N_("queued"),
    N_("running"),
    N_("succeeded"),
    N_("success"),
    N_("planned"),
    N_("error"),
    N_("failed"),
    N_("cancelled"),
    # Print tasks and printers.
    N_("pending"),
    N_("sent"),
    N_("printing"),
    N_("completed"),
    N_("unknown"),
    N_("idle"),
    N_("processing"),
    N_("stopped"),
    N_("unreachable"),
    # Batches.
    N_("paused"),
    N_("wanted"),
    N_("done"),
    # Why renders fail.
    N_("data"),
    N_("engine"),
    N_("timeout"),
    N_("memory"),
    N_("poisoned"),
    # Certificates.
    N_("certified"),
    N_("refused"),
    N_("withdrawn"),
    # Workers, and the parts of a farm.
    N_("alive"),
    N_("silent"),
    N_("dead"),
    N_("database"),
    N_("broker"),
    N_("storage"),
    N_("disk"),
    N_("workers"),
    # Things.
    N_("record"),
    N_("render"),
    N_("report"),
    N_("printTask"),
    N_("template"),
    N_("printer"),
    N_("task"),
    N_("thumbnail"),
    # What happens in a trace.
    N_("submitted"),
    N_("started"),
    N_("attempt lost"),
    N_("print task"),
    N_("handed over"),
    N_("print completed"),
    N_("print failed"),
    N_("print cancelled"),
    N_("print unknown"),
    N_("request"),
    # Settings.
    N_("environment"),
    N_("file"),
)
