"""Templates shown before they are saved, as an editor asks for them: the document, what is wrong with it, and where."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import sqlite3
import uuid

import pypdf
from farms import eventually

PREVIEW = "/api/v1/preview"
DRAFT = {
    "content": "<p>{{ code }} for {{ buyer }}, {{ copies }} copies",
    "recipe": "pdf",
    "sampleData": '{"buyer": "Northwind"}',
    "parameters": [
        {"name": "code", "type": "string", "required": True, "example": "PR-4711"},
        {"name": "copies", "type": "integer", "default": 7},
    ],
}
# Longer than a test waits, and within the engine's bounds.
SLOW = "{% for a in range(99999) %}{% for b in range(99999) %}{% set c = a * b %}{% endfor %}{% endfor %}"


def rows(farm, statement, *values):
    with contextlib.closing(sqlite3.connect(farm.home / "pressroom.db")) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(statement, values).fetchall()


def test_a_draft_is_shown_from_its_own_sample_and_nothing_is_kept_or_certified(farm):
    trace = f"draft-{uuid.uuid4()}"
    counted = "SELECT (SELECT count(*) FROM templates), (SELECT count(*) FROM certificates)"
    before = rows(farm, counted)

    # The second time, a template that comes with its render would be certified.
    for _ in range(2):
        shown = farm.post(PREVIEW, DRAFT, headers={"X-Trace-Id": trace})

        assert shown.status_code == 200, shown.text
        text = pypdf.PdfReader(io.BytesIO(shown.content)).pages[0].extract_text()
        assert text == "PR-4711 for Northwind, 7 copies"

    assert rows(farm, counted) == before
    made = rows(farm, "SELECT kept, source, recipe FROM renders WHERE trace_id = ?", trace)
    assert [tuple(one) for one in made] == [(0, "preview", "weasyprint-pdf")] * 2


def test_what_is_wrong_with_a_draft_is_said_with_its_line(farm):
    broken = farm.post(PREVIEW, {"content": "<p>\n<p>{{ total }\n"})
    assert broken.status_code == 400
    assert (broken.json()["meta"]["cause"], broken.json()["meta"]["line"]) == ("template", 2)

    unknown = farm.post(PREVIEW, {"content": "x", "parameters": [{"name": "due", "type": "date", "example": "soon"}]})
    assert unknown.json()["meta"]["fields"] == ["parameters[0].example"]

    poor = farm.post(PREVIEW, {"content": '<img src="asset:nowhere.png">'})
    assert "nowhere.png" in poor.headers["Pressroom-Warning"]


def test_the_render_of_a_draft_whose_author_types_on_is_cancelled(farm):
    trace = f"draft-{uuid.uuid4()}"
    body = json.dumps({"content": SLOW, "options": {"timeout": 20_000}}).encode()
    head = (
        f"POST {PREVIEW} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"X-Trace-Id: {trace}\r\nContent-Length: {len(body)}\r\n\r\n"
    )

    def state():
        found = rows(farm, "SELECT state FROM renders WHERE trace_id = ?", trace)
        return found[0]["state"] if found else None

    with socket.create_connection(("127.0.0.1", farm.port)) as connection:
        connection.sendall(head.encode() + body)
        eventually(lambda: state() == "running")

    eventually(lambda: state() == "cancelled", seconds=10)
