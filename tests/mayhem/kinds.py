"""The kinds of work that clients send: how each is sent, followed to its end, and judged."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, ClassVar

from mayhem.jobs import ACCEPTED, CREATED, NOT_FOUND, OK, UNAVAILABLE, BreachError, Job, NotAcceptedError
from mayhem.ledger import Breach

if TYPE_CHECKING:
    from mayhem.door import Door

# Some milliseconds of template for each, so that a process that is struck is struck at work.
WORK = "{% for a in range(work) %}{% for b in range(1000) %}{% endfor %}{% endfor %}"
LIGHT, HEAVY = 60, 1200
TABLE = (
    "<h1>Invoice {{ number }}</h1><table>{% for row in range(12) %}<tr><td>{{ row }}<td>Item {{ row }}"
    "<td>{{ row * 3 }}.00{% endfor %}</table>" + WORK
)
LARGE_CHARACTERS = 300_000
CONFIG = {
    "name": "chaos-note",
    "content": "<h1>Delivery {{ parameters.number }}</h1>{% set work = 60 %}" + WORK,
    "engine": "jinja",
    "recipe": "plutoprint-pdf",
    "parameters": [{"name": "number", "type": "string", "required": True}],
}
# A run of a schedule has the schedule's data: it cannot carry a number of its own.
SCHEDULED = {"name": "chaos-scheduled", "content": "scheduled: {{ word }}", "engine": "jinja", "recipe": "text"}
WORD = "clockwork"
BATCHED = {
    "name": "chaos-batch",
    "content": "{{ number }} of the batch, place {{ place }}." + WORK,
    "engine": "jinja",
    "recipe": "text",
}
BATCH_SIZE = 8
BATCHES = "/api/v1/batch"
PRINT_TASKS = "/api/v1/report-print-task"
PRINTED, NEVER_PRINTED = ("completed",), ("failed", "cancelled")
PRINTS_ENDED = (*PRINTED, *NEVER_PRINTED, "unknown")


class SavedReport(Job):
    """A report that is rendered later and kept."""

    kind = "report"
    recipe = "plutoprint-pdf"
    content = TABLE
    work = LIGHT
    good = True

    def order(self) -> dict[str, Any]:
        """Return the request's body."""
        return {
            "template": {"content": self.content, "recipe": self.recipe, "engine": "jinja"},
            "data": {"number": self.number, "work": self.work},
            "options": {"reports": {"async": True, "blobName": self.blob_name}},
        }

    @property
    def blob_name(self) -> str:
        """The name under which it is to be stored."""
        return f"chaos/{self.number}"

    def submit(self, door: Door) -> None:
        answer = self._send(door, "/api/report", self.order())
        if answer.status_code != OK or "Report-Id" not in answer.headers:
            raise NotAcceptedError(str(answer.status_code))
        self.id = answer.headers["Report-Id"]

    def look(self, door: Door) -> None:
        if self.end is None:
            self._ask_state(door)
        if self.end == "success":
            self.done = self._fetch(door, f"/reports/{self.id}/content")
        elif self.end is not None:
            self.done = True

    def _ask_state(self, door: Door) -> None:
        answer = door.ask("GET", f"/reports/{self.id}/status")
        state = answer.headers.get("Report-State")
        if state is None and answer.status_code == NOT_FOUND:
            raise BreachError(Breach.LOST, f"{self} was accepted, and is not known any more")
        if state in {None, "planned"}:
            return
        said = answer.json()
        self._ended(str(state))
        self.attempts = said.get("attempts", 0)
        if state == "success":
            self.stored = answer.headers["Report-BlobName"]
        self._judge(str(state), said.get("cause"), said.get("message"))

    def _judge(self, state: str, cause: str | None, message: str | None) -> None:
        if self.good != (state == "success") or (not self.good and cause != "template"):
            raise BreachError(
                Breach.LOST if self.good else Breach.WRONG, f"{self} ended as {state}, cause {cause}: {message}"
            )


class SlowReport(SavedReport):
    """One whose template takes its time, so that processes are struck in the middle of it."""

    kind = "slow report"
    work = HEAVY


class WeasyReport(SavedReport):
    """One by the other engine."""

    kind = "weasyprint report"
    recipe = "weasyprint-pdf"


class HtmlReport(SavedReport):
    """One that is a page."""

    kind = "html report"
    recipe = "html"


class TextReport(SavedReport):
    """One that is text."""

    kind = "text report"
    recipe = "text"
    content = "{{ number }}" + WORK


class Probe(TextReport):
    """A tiny one, which shows whether the farm works at this moment."""

    kind = "probe"
    work = 0


class LargeReport(SavedReport):
    """One whose data goes through the store."""

    kind = "large report"

    def order(self) -> dict[str, Any]:
        order = super().order()
        return order | {"data": order["data"] | {"notes": "x" * LARGE_CHARACTERS}}


class BadReport(SavedReport):
    """One whose template is at fault: it must fail, and say so."""

    kind = "bad report"
    content = "{{ number }} {{ 1 / 0 }}"
    good = False


class Recorded(Job):
    """A render on record."""

    kind = "recorded render"
    printer_wanted = False

    def __init__(self, number: str, printer: str | None = None) -> None:
        super().__init__(number, printer)
        self.print_task: str | None = None
        self.printed: str | None = None

    def submit(self, door: Door) -> None:
        printing = {"createPrintTask": True, "printerName": self.printer} if self.printer_wanted else {}
        body = {
            "outputType": "url",
            "createHistoryRecord": True,
            "async": True,
            "parameters": {"number": self.number},
            **printing,
        }
        answer = self._send(door, f"/api/v1/report-config/{CONFIG['name']}/render", body)
        if answer.status_code != ACCEPTED:
            raise NotAcceptedError(str(answer.status_code))
        said = answer.json()["data"]
        self.id = said["renderId"]
        self.print_task = said["printTaskId"]

    def look(self, door: Door) -> None:
        if self.end is None:
            self._ask_state(door)
        if self.end is not None and self.sha256 is None and not self._fetch(door, f"/api/v1/render/{self.id}/pdf"):
            return
        if self.end is not None and self.print_task is not None and self.printed is None:
            self._ask_printer(door)
        self.done = self.end is not None and (self.print_task is None or self.printed is not None)

    def _ask_state(self, door: Door) -> None:
        answer = door.ask("GET", f"/api/v1/render/{self.id}")
        if answer.status_code == NOT_FOUND:
            raise BreachError(Breach.LOST, f"{self} was accepted, and is not known any more")
        said = answer.json()
        if answer.status_code == OK and said["success"]:
            if "state" not in said["data"]:
                self._ended("success")
            return
        # What the gateway cannot tell right now has no trace of the render in it.
        if said.get("meta", {}).get("traceId") == self.trace_id and "cause" in said["meta"]:
            self._ended("error")
            raise BreachError(Breach.LOST, f"{self} failed, cause {said['meta']['cause']}: {said['errors']}")

    def _ask_printer(self, door: Door) -> None:
        answer = door.ask("GET", f"{PRINT_TASKS}/{self.print_task}")
        if answer.status_code == NOT_FOUND:
            raise BreachError(Breach.LOST, f"{self}: its print task {self.print_task} is not known any more")
        if answer.status_code != OK:
            return
        status = answer.json()["data"]["status"]
        if status in PRINTS_ENDED:
            self.printed = status


class Printed(Recorded):
    """A render on record and on paper."""

    kind = "print"
    printer_wanted = True


class ScheduleRun(Job):
    """A run of a schedule, asked for now."""

    kind = "schedule run"
    schedule: ClassVar[str]

    def submit(self, door: Door) -> None:
        answer = self._send(door, "/api/scheduling/runNow", {"scheduleId": self.schedule})
        if answer.status_code not in {OK, CREATED}:
            raise NotAcceptedError(str(answer.status_code))
        self.id = answer.json()["_id"]

    def look(self, door: Door) -> None:
        answer = door.ask("GET", f"/odata/tasks('{self.id}')")
        if answer.status_code == NOT_FOUND:
            raise BreachError(Breach.LOST, f"{self} was accepted, and is not known any more")
        if answer.status_code != OK:
            return
        task = answer.json()
        if task["state"] not in {"planned", "running"}:
            self._ended(task["state"])
            self.done = True
            if task["state"] != "success":
                raise BreachError(Breach.LOST, f"{self} ended as {task['state']}: {task['error']}")


class Batch(Job):
    """Some documents at once, of which each must be made, and made once."""

    kind = "batch"

    @property
    def trace_ids(self) -> list[str]:
        """The traces of its documents, in their order."""
        return [f"{self.trace_id}-{place}" for place in range(1, BATCH_SIZE + 1)]

    def submit(self, door: Door) -> None:
        items = [{"number": self.number, "place": place, "work": LIGHT} for place in range(1, BATCH_SIZE + 1)]
        answer = self._send(door, BATCHES, {"template": {"name": BATCHED["name"]}, "items": items})
        if answer.status_code != ACCEPTED:
            raise NotAcceptedError(str(answer.status_code))
        self.id = answer.json()["data"]["id"]

    def look(self, door: Door) -> None:
        if self.end is None:
            self._ask_state(door)
        if self.end is not None:
            self.done = self._read(door)

    def _ask_state(self, door: Door) -> None:
        answer = door.ask("GET", f"{BATCHES}/{self.id}")
        if answer.status_code == NOT_FOUND:
            raise BreachError(Breach.LOST, f"{self} was accepted, and is not known any more")
        if answer.status_code != OK:
            return
        said = answer.json()["data"]
        if said["state"] != "running":
            self._ended(said["state"])
            if (said["state"], said["succeeded"]) != ("completed", BATCH_SIZE):
                raise BreachError(Breach.LOST, f"{self} ended as {said['state']}, {said['failed']} failed")

    def _read(self, door: Door) -> bool:
        """Hold each document against what was asked; False when they cannot be had right now."""
        answer = door.ask("GET", f"{BATCHES}/{self.id}/documents")
        if answer.status_code != OK:
            return False
        found = answer.json()["data"]
        if [one["traceId"] for one in found] != self.trace_ids:
            raise BreachError(Breach.WRONG, f"{self} has the documents {[one['index'] for one in found]}")
        for one in found:
            document = door.ask("GET", f"/reports/{one['reportId']}/content")
            if document.status_code >= UNAVAILABLE:
                return False
            expected = f"{self.number} of the batch, place {one['index']}."
            if document.status_code != OK or document.text != expected:
                raise BreachError(Breach.WRONG, f"{self}: document {one['index']} is {document.text[:80]!r}")
        return True


class SyncRender(Job):
    """A document while the client waits; nothing of it is kept."""

    kind = "render while waiting"
    saved = False
    # The farm's own limits are far below that.
    patience = 150.0

    def submit(self, door: Door) -> None:
        order = {
            "template": {"content": TABLE, "recipe": "plutoprint-pdf", "engine": "jinja"},
            "data": {"number": self.number, "work": LIGHT},
        }
        if self.saved:
            order |= {"options": {"reports": {"save": True, "blobName": self.blob_name}}}
        answer = self._send(door, "/api/report", order, seconds=self.patience)
        if answer.status_code != OK:
            cause = answer.json().get("cause") if "json" in answer.headers.get("Content-Type", "") else None
            raise NotAcceptedError(" ".join(filter(None, [str(answer.status_code), cause])))
        self._ended("success")
        self._check(answer)
        self.sha256 = hashlib.sha256(answer.content).hexdigest()
        self.id = answer.headers.get("Report-Id", "")
        self.stored = answer.headers.get("Report-BlobName")
        self.done = True

    @property
    def blob_name(self) -> str:
        """The name under which it is to be stored."""
        return f"chaos/{self.number}"

    def look(self, door: Door) -> None:
        """It is done when it is accepted."""


class SavedWhileWaiting(SyncRender):
    """A document while the client waits, and kept."""

    kind = "save while waiting"
    saved = True


# What clients send who do not wait, and how often of a hundred times.
LATER: dict[type[Job], int] = {
    SavedReport: 45,
    SlowReport: 9,
    WeasyReport: 8,
    TextReport: 9,
    HtmlReport: 9,
    LargeReport: 1,
    BadReport: 5,
    Recorded: 4,
    Printed: 7,
    ScheduleRun: 3,
    Batch: 3,
}
# What those send who wait.
WAITED_FOR: dict[type[Job], int] = {SyncRender: 1, SavedWhileWaiting: 1}
