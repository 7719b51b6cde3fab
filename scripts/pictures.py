"""Pictures of every page of the studio, for whoever has changed one: light and dark, a telephone, a laptop, a wall."""

from __future__ import annotations

import argparse
import contextlib
import json
import secrets
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.farms import running_farm
from browsing import chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, StorageState

SAMPLES = Path(__file__).resolve().parent.parent / "deploy" / "samples"
SCREENS = {390: 844, 1280: 900, 2560: 1440}
THEMES = ("light", "dark")
# For what a page asks for when it is there: thumbnails, a PDF, a preview.
SETTLE_MS = 2500
READY_SECONDS = 60


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(prog="scripts/screenshots", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--url", help="a farm that runs; without it one is started, filled and stopped")
    parser.add_argument("--token", help="what that farm asks for")
    parser.add_argument("--only", default="", help="only pages whose name contains this")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with farm(options.url, options.token) as client, chromium() as browser:
        known = signed_in(browser, client)
        for name, path in addresses(client).items():
            if options.only not in name:
                continue
            for width, height in SCREENS.items():
                for theme in THEMES:
                    context = browser.new_context(
                        viewport={"width": width, "height": height},
                        color_scheme="dark" if theme == "dark" else "light",
                        locale="en-GB",
                        storage_state=None if name == "sign-in" else known,
                    )
                    page = context.new_page()
                    page.goto(client.url + path)
                    page.wait_for_timeout(SETTLE_MS)
                    page.screenshot(path=options.folder / f"{name}-{width}-{theme}.png")
                    context.close()
            print(name, flush=True)


@dataclass(frozen=True, slots=True)
class Client:
    """What asks a farm.

    Attributes:
        url: Its address.
        token: What it asks for; None: nothing.
    """

    url: str
    token: str | None

    def ask(self, path: str, body: object = None, *, method: str | None = None) -> Any:
        """Ask the API; without a method, a body is posted."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        request = urllib.request.Request(  # noqa: S310  # A farm of this machine.
            self.url + path.replace(" ", "%20"),
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers=headers if self.token is None else {**headers, "Authorization": f"Bearer {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=READY_SECONDS) as answer:  # noqa: S310  # As above.
            return json.loads(answer.read() or "null")

    def listed(self, path: str) -> list[dict[str, Any]]:
        """Return a list's entries."""
        found: list[dict[str, Any]] = self.ask(path)["data"]
        return found


@contextlib.contextmanager
def farm(url: str | None, token: str | None) -> Iterator[Client]:
    """Return what asks a farm that has something to show; one that is started asks for a token."""
    if url is not None:
        yield Client(url.rstrip("/"), token)
        return
    token = secrets.token_urlsafe()
    settings = {"PRESSROOM_TOKENS": f"studio:{token}"}
    with (
        tempfile.TemporaryDirectory(prefix="pressroom-") as home,
        running_farm(Path(home), "--no-apt", settings=settings) as running,
    ):
        client = Client(running.url, token)
        fill(client)
        yield client


def signed_in(browser: Browser, client: Client) -> StorageState | None:
    """Return what a browser keeps that has signed in."""
    if client.token is None:
        return None
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{client.url}/studio/sign-in")
    page.get_by_label("Token").fill(client.token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: not url.endswith("/sign-in"))
    known = context.storage_state()
    context.close()
    return known


def fill(client: Client) -> None:
    """Give a farm what a few days of use would."""
    names = ("invoice", "delivery-note", "open-items")
    for name in (*names, *names, "invoice"):
        data = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
        body = {"outputType": "url", "createHistoryRecord": True, "data": data}
        client.ask(f"/api/v1/report-config/{name}/render", body)
    with contextlib.suppress(urllib.error.HTTPError):
        client.ask("/api/v1/report-config/invoice/render", {"outputType": "url", "createHistoryRecord": True})
    [newest, *_] = client.listed("/api/v1/report-history-record?status=Ok&pageSize=1")
    client.ask(f"/api/v1/report-history-record/{newest['id']}/replay", {"version": "latest"})
    for name, where in (("Counter", "Ground floor"), ("Warehouse", "Hall 2")):
        client.ask("/api/v1/printer", {"name": name, "agent": True, "location": where})
    client.ask(f"/api/v1/report-history-record/{newest['id']}/print", {"printerName": "Counter", "numberOfCopies": 2})
    content = "<style>@page {size: 62mm 29mm; margin: 3mm}</style>{{ code | barcode }}"
    label = {
        "name": "label",
        "content": content,
        "recipe": "plutoprint-pdf",
        "context": "Warehouse",
        "contextColour": "#0F766E",
        "sampleData": {"code": "PR-0001"},
        "parameters": [{"name": "code", "type": "string", "required": True, "example": "PR-0001"}],
    }
    shortid = client.ask("/api/v1/report-config", label)["data"]["shortid"]
    changed = {"content": content.replace("3mm", "2mm"), "sampleData": {"code": "PR-0002"}}
    client.ask("/api/v1/report-config/label", changed, method="PATCH")
    items = [{"code": f"PR-{number:04d}"} for number in range(1, 201)]
    client.ask("/api/v1/batch", {"template": {"name": "label"}, "items": items, "name": "label-{{ code }}"})
    for name, cron in (("Monday labels", "30 7 * * MON"), ("Month's end", "0 18 L * *")):
        schedule = {"name": name, "cron": cron, "templateShortid": shortid, "data": {"code": "PR-4711"}}
        with contextlib.suppress(urllib.error.HTTPError):
            client.ask("/odata/schedules", schedule)
    time.sleep(5)


def addresses(client: Client) -> dict[str, str]:
    """Return every page's path by its name; of entities, the newest."""
    pages = {
        "sign-in": "/studio/sign-in",
        "welcome": "/studio/welcome",
        "history": "/studio/history",
        "reports": "/studio/reports",
        "templates": "/studio/templates",
        "template-new": "/studio/templates/new",
        "batches": "/studio/batches",
        "batch-new": "/studio/batches/new",
        "schedules": "/studio/schedules",
        "schedule-new": "/studio/schedules/new",
        "print-tasks": "/studio/print-tasks",
        "printers": "/studio/printers",
        "traces": "/studio/traces",
        "found": "/studio/find?q=invoice",
        "farm": "/studio/farm",
        "settings": "/studio/settings",
        "not-found": "/studio/history/nothing",
    }
    records = client.listed("/api/v1/report-history-record?status=Ok&pageSize=2")
    if records:
        pages["record"] = f"/studio/history/{records[0]['id']}"
        pages["trace"] = f"/studio/traces/{records[0]['traceId']}"
        pages["comparison"] = f"/studio/history/{records[-1]['id']}/compare/{records[0]['id']}"
    for failed in client.listed("/api/v1/report-history-record?status=Error&pageSize=1"):
        pages["record-failed"] = f"/studio/history/{failed['id']}"
    for name, list_, page in (
        ("template", "/api/v1/report-config?pageSize=1&search=invoice", "/studio/templates/{}"),
        ("generate", "/api/v1/report-config?pageSize=1&search=invoice", "/studio/templates/{}/generate"),
        ("template-versions", "/api/v1/report-config?pageSize=1&search=label", "/studio/templates/{}/versions"),
        ("batch", "/api/v1/batch?pageSize=1", "/studio/batches/{}"),
        ("print-task", "/api/v1/report-print-task?pageSize=1", "/studio/print-tasks/{}"),
        ("printer", "/api/v1/printer?pageSize=1", "/studio/printers/{}"),
    ):
        for one in client.listed(list_):
            pages[name] = page.format(one["id"])
    for name, list_ in (("report", "/odata/reports?$top=1"), ("schedule", "/odata/schedules?$top=1")):
        for one in client.ask(list_)["value"]:
            pages[name] = f"/studio/{name}s/{one['_id']}"
    return dict(sorted(pages.items()))


if __name__ == "__main__":
    main()
