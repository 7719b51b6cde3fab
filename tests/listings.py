"""Rows that lists are asked for, and a client that asks: the gateway's own routes without a server."""

from __future__ import annotations

import datetime as dt
from contextlib import contextmanager
from urllib.parse import quote, urlencode

from flask import Flask
from sqlalchemy import event

from api import errors, odata, tracing
from api.gateway import Gateway
from shared.database import Database, migrate
from shared.models import Asset, Render, Report, Schedule, Task, Template, TemplateVersion
from shared.settings import load_settings

FIRST = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
# Cases, signs that mean something in SQL, other scripts, and what lies behind the first plane of Unicode.
NAMES = [
    "invoice",
    "Invoice",
    "INVOICE",
    "in%voice",
    "in_voice",
    "in\\voice",
    "it's",
    "Ärger",
    "ärger",
    "zebra",
    "日本",
    "😀",
]
STATES = ["succeeded", "succeeded", "failed", "queued", "running", "cancelled"]


class Client:
    """Asks the gateway's routes, and remembers what those asked of the database."""

    def __init__(self, app: Flask) -> None:
        self.flask = app.test_client()
        self.statements: list[str] = []
        event.listen(app.extensions["pressroom"].database.engine, "before_cursor_execute", self._remember)

    def _remember(self, _connection, _cursor, statement, *_rest) -> None:
        if statement.startswith("SELECT"):
            self.statements.append(statement)

    def get(self, path: str, *, prefer: str | None = None, **options: object):
        """Ask; an option ``filter`` is sent as ``$filter``."""
        self.statements.clear()
        asked = urlencode(
            {f"${name}": value for name, value in options.items()}, quote_via=quote, errors="surrogatepass"
        )
        headers = {"Prefer": prefer} if prefer else {}
        return self.flask.get(f"/odata/{path}" + (f"?{asked}" if asked else ""), headers=headers)

    def values(self, path: str, **options: object) -> list[dict]:
        answer = self.get(path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json["value"]

    def pages(self, path: str, *, size: int, **options: object) -> list[list[dict]]:
        """Follow the nextLinks to the end."""
        answer = self.get(path, prefer=f"odata.maxpagesize={size}", **options)
        pages = []
        while True:
            assert answer.status_code == 200, answer.text
            pages.append(answer.json["value"])
            following = answer.json.get("@odata.nextLink")
            if following is None:
                return pages
            answer = self.flask.get(following, headers={"Prefer": f"odata.maxpagesize={size}"})


@contextmanager
def asking(database_url: str, home, *, rows: int = 48, page: int = 1000):
    """Make the tables and the rows, and yield who asks for them."""
    migrate(database_url)
    database = Database(database_url)
    with database.writing() as session:
        session.add_all([one for number in range(rows) for one in pair(number)])
        session.add_all(others())
    database.close()
    settings = load_settings(
        {"PRESSROOM_HOME": str(home), "PRESSROOM_DATABASE_URL": database_url, "PRESSROOM_ODATA_PAGE": str(page)}
    )
    app = Flask("pressroom", static_folder=None)
    app.json.sort_keys = False
    app.extensions["pressroom"] = Gateway(settings)
    tracing.register(app)
    errors.register(app)
    app.register_blueprint(odata.blueprint)
    yield Client(app)
    app.extensions["pressroom"].database.close()


def pair(number: int) -> list:
    """Return a render and its report; their values repeat in different measures, so that many orders have ties."""
    state = STATES[number % len(STATES)]
    done = state == "succeeded"
    started = state not in ("queued", "cancelled")
    created = FIRST + dt.timedelta(days=number // 3, microseconds=number % 3)
    render = Render(
        id=f"render-{number * 7 % 48:03d}",
        trace_id=f"{number:032x}",
        state=state,
        queue="render",
        content="<p>not to be read</p>",
        engine="jinja",
        recipe=["html", "text", "weasyprint-pdf"][number % 3],
        data='{"not": "to be read"}',
        timeout=10,
        blob_stem=f"reports/{number}",
        kept=True,
        attempt=number % 2,
        submitted_at=created,
        queued_at=created,
        started_at=created + dt.timedelta(seconds=number % 4) if started else None,
        finished_at=created + dt.timedelta(minutes=number % 5) if done or state == "failed" else None,
        error=f"line {number}: it's 100% broken" if state == "failed" else None,
        media_type="text/html" if done else None,
        extension="html" if done else None,
        size=number % 10 * 1000 if done else None,
        sha256=f"{number % 9:064x}" if done else None,
        pages=number % 4 if done else None,
    )
    report = Report(
        id=f"report-{number * 11 % 48:03d}",
        shortid=f"s{number:03d}",
        render_id=render.id,
        name=NAMES[number % len(NAMES)],
        blob_name=f"blob-{number:03d}",
        public=number % 4 == 0,
        keep=number % 5 == 0,
        template_shortid=f"t{number % 4}" if number % 4 else None,
        task_id=f"task-{number % 2}" if number % 6 == 0 else None,
        expires_at=created + dt.timedelta(days=30) if number % 7 == 0 else None,
        created_at=created,
        modified_at=created + dt.timedelta(hours=number % 3),
    )
    return [render, report]


def others() -> list:
    """Return some rows of each other set, and a report that is marked as removed."""
    gone, report = pair(1000)
    gone.id, report.id, report.render_id = "render-gone", "report-gone", "render-gone"
    report.name, report.removed_at = "gone", FIRST
    made: list = [gone, report]
    for number in range(5):
        version = TemplateVersion(
            id=f"version-{number}",
            template_id=f"template-{number}",
            number=1,
            name=f"template {number}",
            content="<p>{{ word }}",
            engine="jinja",
            recipe="html",
            sample_data='{"word": "sample", "deep": {"list": [1]}}' if number else None,
            options={"format": "A4"} if number else None,
            parameters=[{"name": "word", "type": "text"}] if number else None,
        )
        template = Template(
            id=version.template_id, shortid=f"t{number}", name=f"template {number}", version_id=version.id
        )
        asset = Asset(
            id=f"asset-{number}",
            shortid=f"a{number}",
            name=f"folder/logo-{number}.png",
            media_type="image/png",
            size=number * 100,
            sha256="0" * 64,
            blob_key=f"assets/{number}",
        )
        schedule = Schedule(
            id=f"schedule-{number}",
            shortid=f"c{number}",
            name=f"schedule {number}",
            cron="0 2 * * *",
            timezone="Europe/Berlin",
            template_shortid="t1",
            data='{"word": "scheduled"}' if number else None,
            enabled=bool(number % 2),
            allow_overlap=not number % 2,
            retry_delay=number * 1.5 + 0.001,
            next_run_at=FIRST if number % 2 else None,
        )
        task = Task(
            id=f"task-{number}",
            schedule_id="schedule-1",
            schedule_shortid="c1",
            trace_id="t" * 32,
            state="success" if number else "error",
            error=None if number else "it failed",
            due_at=FIRST + dt.timedelta(days=number),
        )
        made += [version, asset, schedule, task]
        # The session orders what it inserts by relationships only; the foreign key is to a version.
        template.version = version
        made.append(template)
    return made
