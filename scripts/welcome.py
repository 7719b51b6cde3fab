"""Wait until a starting farm is ready, say so, and put the sample templates into an empty one.

The launcher runs this as a process of its own; exit code 1 means that the farm did not get ready, and the line on
standard error says which part of it, and which log to read.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.settings import load_settings

if TYPE_CHECKING:
    from email.message import Message

    from shared.settings import Settings

SAMPLES = Path(__file__).resolve().parent.parent / "deploy" / "samples"
# What WeasyPrint takes seconds for, PlutoPrint does at once; a newcomer waits for these.
LONG_SAMPLES = {"open-items"}
READY_SECONDS = 60
RENDER_SECONDS = 60
LOG_OF_PART = {"broker": "broker.log", "workers": "render-worker.jsonl"}  # The gateway finds fault with the others.


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway answered; a body that is not JSON is None."""

    status: int
    headers: Message
    body: Any


class Gateway:
    """Asks the farm's gateway, with the first token when there are tokens."""

    def __init__(self, settings: Settings) -> None:
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # Compared, not listened on.
        host = everywhere.get(settings.host, settings.host)
        self.url = f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
        self._headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if settings.tokens:
            self._headers["Authorization"] = f"Bearer {settings.tokens[0].secret}"
        # A proxy of the environment is for the world outside, not for this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, path: str, body: object = None) -> Answer:
        """GET a path, or POST a body to it.

        Raises:
            OSError: There was no answer.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=self._headers)  # noqa: S310  # Always http.
        try:
            with self._opener.open(request, timeout=10) as response:
                return Answer(response.status, response.headers, _parsed(response.read()))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, _parsed(error.read()))


def main() -> None:
    """Greet whoever started the farm."""
    settings = load_settings()
    gateway = Gateway(settings)
    ready = wait_until_ready(gateway, settings.logs)
    print(f"Pressroom is ready at {gateway.url}\n", flush=True)
    for recipe, state in ready.get("recipes", {}).items():
        if state != "ok":
            print(f"  Without {recipe}: {state}")
    if os.environ.get("FARM_FLOWER") == "true":
        print(f"  Flower         http://127.0.0.1:{os.environ['FARM_FLOWER_PORT']}")
    print(f"  Home, logs     {settings.home}", flush=True)
    try:
        show_samples(gateway)
    except OSError as error:
        # It is ready without them, and a gateway that died is started again.
        print(f"The samples are not complete, the gateway stopped answering: {error}", file=sys.stderr)
    print("\nCtrl-C stops the farm.", flush=True)


def wait_until_ready(gateway: Gateway, logs: Path) -> dict[str, Any]:
    """Return what /readyz said once everything is green; leave with one line when that takes too long."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            answer = gateway.ask("/readyz")
        except OSError:
            waiting_for = f"the gateway does not answer{last_words(logs / 'gateway.jsonl')}"
        else:
            if answer.status == 200:  # noqa: PLR2004  # OK.
                return answer.body or {}
            waiting_for = what_is_not_ready(answer, logs)
        if time.monotonic() > deadline:
            sys.exit(f"The farm was not ready after {READY_SECONDS} s, and was stopped: {waiting_for}")
        time.sleep(0.2)


def what_is_not_ready(answer: Answer, logs: Path) -> str:
    """Say which parts hold /readyz up, and where to read on."""
    parts = (answer.body or {}).get("parts", {})
    broken = {name: part for name, part in parts.items() if not part.get("ok")}
    if not broken:
        return f"/readyz answers {answer.status}; see {logs / 'gateway.jsonl'}"
    reasons = []
    for name, part in broken.items():
        details = ", ".join(f"{key}: {value}" for key, value in part.items() if key != "ok") or "not ready"
        reasons.append(f"{name} ({details}){last_words(logs / LOG_OF_PART.get(name, 'gateway.jsonl'))}")
    return "; ".join(reasons)


def last_words(log: Path) -> str:
    """Say which log to read, and what it ends with when that is no log line but a program's cry."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return f"; {log} ends with: {lines[-1][:300]}" if lines and not lines[-1].startswith("{") else f"; see {log}"


def show_samples(gateway: Gateway) -> None:
    """Give a farm without templates the samples, render each once, and print the documents' addresses.

    Raises:
        OSError: The gateway does not answer.
    """
    if (gateway.ask("/odata/templates").body or {}).get("value"):
        return
    for sample in sorted(SAMPLES.glob("*.html")):
        print(f"  {sample.stem.replace('-', ' ').capitalize():<14} {render_sample(gateway, sample)}", flush=True)


def render_sample(gateway: Gateway, sample: Path) -> str:
    """Store a sample template, render it once, and return the document's address, or why there is none."""
    available = gateway.ask("/api/recipe").body or []
    reference = "weasyprint-pdf"
    recipe = reference if reference in available and sample.stem not in LONG_SAMPLES else "plutoprint-pdf"
    template = {
        "name": sample.stem,
        "content": sample.read_text(encoding="utf-8"),
        "engine": "jinja",
        "recipe": recipe,
        "sampleData": json.loads(sample.with_suffix(".json").read_text(encoding="utf-8")),
    }
    stored = gateway.ask("/odata/templates", template)
    if stored.status != 201:  # noqa: PLR2004  # Created.
        return f"was not stored: {_message(stored)}"
    request = {
        "template": {"name": sample.stem},
        "options": {"reports": {"async": True}, "reportName": sample.stem},
    }
    submitted = gateway.ask("/api/report", request)
    if "Location" not in submitted.headers:
        return f"was not accepted: {_message(submitted)}"
    # Behind a proxy the Location is an address of the outside; only its end is the gateway's own.
    status_path = "/reports/" + submitted.headers["Location"].rpartition("/reports/")[2]
    deadline = time.monotonic() + RENDER_SECONDS
    while time.monotonic() < deadline:
        status = gateway.ask(status_path)
        if status.status == 201:  # noqa: PLR2004  # The document is there.
            return str(status.headers["Location"])
        if status.status != 200:  # noqa: PLR2004  # Neither there nor on its way.
            return f"failed: {_message(status)}"
        time.sleep(0.1)
    return f"is still being rendered after {RENDER_SECONDS} s: {gateway.url}{status_path}"


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _message(answer: Answer) -> str:
    told = answer.body.get("message") if isinstance(answer.body, dict) else None
    return str(told or f"HTTP {answer.status}")


if __name__ == "__main__":
    main()
