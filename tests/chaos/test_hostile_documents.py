"""Documents that are made to break a worker: each ends with a reason that helps, and the worker works on."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import bombs
import psutil
import pytest
import records
from farms import Farm, eventually
from sqlalchemy import select

from shared.database import Database
from shared.models import Render

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1024 * 1024
PLUTO, WEASY = "plutoprint-pdf", "weasyprint-pdf"
CHILDREN = 2
PAGES = 200
MAX_BODY = 2 * MIB
SUCCEEDED = "succeeded"
ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
TEN_GIGABYTES = (
    "{% set text = namespace(all='x' * 1000000) %}"
    "{% for _ in range(14) %}{% set text.all = text.all ~ text.all %}{% endfor %}"
)
RECIPES = """
import ctypes
import pathlib
import time

from workers.recipes import Document


class Segfault:
    media_type, extension, markup = "text/plain", "txt", False

    def render(self, content, **_):
        ctypes.string_at(0)


class Patient:
    media_type, extension, markup = "text/plain", "txt", False

    def render(self, content, **_):
        while not pathlib.Path(content).exists():
            time.sleep(0.05)
        return Document(content=b"patient", pages=None)
"""


@pytest.fixture(scope="module")
def farm(tmp_path_factory, module_broker) -> Iterator[Farm]:
    """A farm with little of everything, and two recipes more: one breaks its process, one waits for a file."""
    packages = tmp_path_factory.mktemp("packages")
    (packages / "hostile.py").write_text(RECIPES)
    installed = packages / "hostile-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile\nVersion: 1\n")
    (installed / "entry_points.txt").write_text(
        "[pressroom.recipes]\nsegfault = hostile:Segfault\npatient = hostile:Patient\n"
    )
    farm = Farm(
        tmp_path_factory.mktemp("farm"),
        PRESSROOM_BROKER_URL=module_broker.url,
        PRESSROOM_MAX_BODY_BYTES=str(MAX_BODY),
        PRESSROOM_RENDER_TIMEOUT_GRACE="1",
        PRESSROOM_RENDER_MEMORY_BYTES=str(1024 * MIB),
        PRESSROOM_RENDER_MARKUP_BYTES=str(16 * MIB),
        PRESSROOM_RENDER_DOCUMENT_BYTES=str(4 * MIB),
        PRESSROOM_RENDER_PAGES=str(PAGES),
    )
    farm.environment["PYTHONPATH"] = ":".join(filter(None, [str(packages), farm.environment.get("PYTHONPATH")]))
    try:
        farm.run_all()
        yield farm
    finally:
        farm.stop()


@pytest.fixture
def database(farm):
    database = Database(f"sqlite:///{farm.home / 'pressroom.db'}")
    yield database
    database.close()


def newest(database) -> Render:
    with database.reading() as session:
        return session.scalars(select(Render).order_by(Render.id.desc()).limit(1)).one()


def outcome(answer) -> str:
    """Return how a synchronous render ended, having looked at what is said about it."""
    if answer.status_code == 200:
        return SUCCEEDED
    said = answer.json()
    assert (answer.status_code, len(said["message"]) > 20) == (
        400 if said["cause"] in {"template", "data"} else 500,
        True,
    )
    assert "Traceback" not in answer.text
    return said["cause"]


def check_that_the_farm_goes_on(farm):
    eventually(lambda: len(farm.children("render-worker")) == CHILDREN, what="a full set of children")
    answers = [farm.report({"content": "<p>next", "recipe": recipe}) for recipe in (PLUTO, WEASY)]
    assert [answer.status_code for answer in answers] == [200, 200]


@pytest.mark.timeout(120)
def test_ten_gigabytes_of_text_end_as_memory_and_the_neighbour_does_not_notice(farm, database, tmp_path):
    go_on = tmp_path / "go-on"
    patient = {"content": str(go_on), "recipe": "patient"}
    status_url = farm.report(patient, reports={"async": True}).headers["Location"]
    eventually(lambda: farm.get(status_url).json().get("attempts") == 1, what="the neighbour's start")
    neighbour = newest(database)

    answer = farm.report({"content": TEN_GIGABYTES, "recipe": "text"})

    assert outcome(answer) == "memory"
    assert str(1024 * MIB) in answer.json()["message"]
    bomb = newest(database)
    assert bomb.child_pid != neighbour.child_pid
    assert farm.get(status_url).headers["Report-State"] == "planned"
    go_on.touch()
    assert farm.until_done(status_url).status_code == 201
    with database.reading() as session:
        ended = session.get_one(Render, neighbour.id)
    assert (ended.attempt, ended.losses, ended.child_pid) == (1, [], neighbour.child_pid)
    assert psutil.pid_exists(neighbour.child_pid)
    check_that_the_farm_goes_on(farm)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("recipe", "content"),
    [
        pytest.param("text", ENDLESS, id="endless loop"),
        pytest.param("text", "{% macro m() %}" + ENDLESS + "{% endmacro %}{{ m() }}", id="endless macro"),
        pytest.param(PLUTO, "<table><tr><td>" * 500 + "x", id="nested tables"),
        pytest.param(PLUTO, "<div>" * 20_000 + "x", id="nested divs"),
        pytest.param(PLUTO, "<p style='column-count: 1000000000'>x", id="columns"),
        pytest.param(WEASY, "<table><tr><td colspan=1000000>x<td>y</table>", id="wide cell"),
        pytest.param(WEASY, "<p style='display: grid; grid-template-columns: repeat(100000000, 1px)'>x", id="grid"),
        pytest.param(WEASY, bombs.picture(bombs.BILLION_USES), id="a billion uses"),
    ],
)
def test_what_never_ends_is_ended_at_its_time_limit(farm, database, recipe, content):
    answer = farm.report({"content": content, "recipe": recipe}, timeout=1000)

    assert outcome(answer) == "timeout"
    assert "its time limit of 1 s" in answer.json()["message"]
    # Another attempt would only take as long.
    assert newest(database).attempt == 1
    check_that_the_farm_goes_on(farm)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("recipe", [PLUTO, WEASY])
def test_a_million_rows_end_at_a_limit(farm, recipe):
    rows = "{% for a in range(1000) %}{% for b in range(1000) %}<tr><td>x{% endfor %}{% endfor %}"

    answer = farm.report({"content": f"<table>{rows}</table>", "recipe": recipe}, timeout=2000)

    assert outcome(answer) in {"timeout", "memory", "poisoned"}
    check_that_the_farm_goes_on(farm)


@pytest.mark.timeout(120)
def test_an_engine_that_breaks_its_process_is_given_up_after_three_attempts_each_with_its_reason(farm, database):
    before = {child.pid for child in farm.children("render-worker")}

    answer = farm.report({"content": "x", "recipe": "segfault"})

    assert outcome(answer) == "poisoned"
    render = newest(database)
    assert [loss["attempt"] for loss in render.losses] == [1, 2, 3]
    assert all("SIGSEGV" in loss["reason"] for loss in render.losses)
    assert "3 attempts" in answer.json()["message"]
    check_that_the_farm_goes_on(farm)
    # The neighbours of those that died, if any, and new ones.
    assert render.child_pid not in {child.pid for child in farm.children("render-worker")}
    assert {child.pid for child in farm.children("render-worker")} - before


@pytest.mark.timeout(120)
def test_an_engine_that_gives_up_its_process_for_want_of_memory_takes_nobody_with_it(farm, database):
    # In PlutoPrint, that is std::bad_alloc, which nothing catches.
    answer = farm.report({"content": bombs.picture(bombs.BILLION_USES), "recipe": PLUTO})

    assert outcome(answer) in {"memory", "poisoned"}
    assert all(loss["reason"] for loss in newest(database).losses)
    check_that_the_farm_goes_on(farm)


def sized(size: str) -> str:
    return f"<style>@page {{ size: {size} }}</style><p>x"


def image(media_type: str, content: bytes) -> str:
    return f"<img src='{bombs.url(media_type, content)}'>"


def font(content: bytes) -> str:
    face = f"@font-face {{ font-family: q; src: url({bombs.url('font/woff', content)}) }}"
    return f"<style>{face} p {{ font-family: q }}</style><p>x"


DONE = {SUCCEEDED}
# Which of these it is depends on how much of it an engine unpacks.
AT_ITS_LIMIT = {SUCCEEDED, "memory", "poisoned"}
# Name: how it is made, how it may end in PlutoPrint, how in WeasyPrint.
ABSURD = {
    "high cell": (lambda: "<table><tr><td rowspan=1000000>x<td>y<tr><td>z</table>", DONE, DONE),
    "huge page": (lambda: sized("1000000000mm 1000000000mm"), DONE, DONE),
    "tiny page": (lambda: sized("0.0001mm"), {"template"}, DONE | {"template"}),
    "huge letter": (lambda: "<p style='font-size: 1000000000px'>x", DONE, DONE | {"engine"}),
    "nested": (lambda: "<b>" * 3000 + "x", DONE, {"engine"}),
    "PNG that says it is huge": (
        lambda: image("image/png", bombs.png(60_000, 60_000, bombs.zeros(MIB))),
        DONE,
        DONE,
    ),
    "huge PNG": (lambda: image("image/png", bombs.black_png(15_000)), AT_ITS_LIMIT, AT_ITS_LIMIT),
    "huge SVG": (
        lambda: bombs.picture(f'<svg {bombs.SVG} width="1000000000" height="1000000000"/>'),
        {"template"},
        DONE | {"template"},
    ),
    "a billion laughs": (lambda: bombs.picture(bombs.BILLION_LAUGHS), AT_ITS_LIMIT, DONE),
    "gzip": (lambda: image("image/svg+xml", bombs.svgz(200 * MIB)), DONE, DONE),
    "font": (lambda: font(bombs.woff(400 * MIB)), AT_ITS_LIMIT, AT_ITS_LIMIT),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ABSURD)
def test_what_is_absurd_is_rendered_or_refused_and_breaks_nothing(farm, name):
    make, plutoprint, weasyprint = ABSURD[name]
    content = make()
    assert outcome(farm.report({"content": content, "recipe": PLUTO})) in plutoprint
    assert outcome(farm.report({"content": content, "recipe": WEASY})) in weasyprint
    check_that_the_farm_goes_on(farm)


@pytest.mark.parametrize("recipe", [PLUTO, WEASY])
def test_too_many_pages_are_the_senders_to_mend(farm, recipe):
    pages = "{% for _ in range(n) %}<p style='break-after: page'>x</p>{% endfor %}<p>last"

    most = farm.report({"content": pages, "recipe": recipe}, {"n": PAGES - 1})
    more = farm.report({"content": pages, "recipe": recipe}, {"n": PAGES})

    assert outcome(most) == SUCCEEDED
    assert outcome(more) == "template"
    for words in (f"{PAGES + 1} pages", f"at most {PAGES}", "PRESSROOM_RENDER_PAGES"):
        assert words in more.json()["message"]


def test_too_large_a_document_is_the_senders_to_mend(farm):
    content = "{% for _ in range(n) %}{{ 'x' * 1000000 }}{% endfor %}"

    assert outcome(farm.report({"content": content, "recipe": "text"}, {"n": 4})) == SUCCEEDED
    answer = farm.report({"content": content, "recipe": "text"}, {"n": 5})

    assert outcome(answer) == "template"
    assert "PRESSROOM_RENDER_DOCUMENT_BYTES" in answer.json()["message"]


def test_a_template_that_never_stops_to_write_is_stopped_and_told_its_line(farm):
    answer = farm.report({"content": "\n" + ENDLESS.replace("{% endfor %}", "x{% endfor %}", 1), "recipe": "text"})

    assert outcome(answer) == "template"
    assert answer.json()["line"] == 2
    assert "PRESSROOM_RENDER_MARKUP_BYTES" in answer.json()["message"]


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY, 200), (MAX_BODY + 1, 413)])
def test_a_body_may_be_as_large_as_the_limit_and_no_byte_larger(farm, size, status):
    body = json.dumps({"template": {"content": "x", "recipe": "text"}, "data": {"x": ""}})
    body = body.replace('""', f'"{"y" * (size - len(body))}"')
    assert len(body) == size

    answer = farm.request("POST", "/api/report", data=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == status
    if status == 413:
        assert str(MAX_BODY) in answer.json()["message"]


NAMES = ["a\r\nSet-Cookie: x=1", "report\u202efdp.exe", "../../etc/passwd", "x" * 200, 'a";b', "a\u2028b", "\x7f"]


@pytest.mark.parametrize("name", NAMES)
def test_no_file_name_breaks_an_answer(farm, name):
    said = farm.report({"content": "x", "recipe": "text"}, reportName=name)
    printer = f"agents-{NAMES.index(name)}"
    assert farm.post("/api/v1/printer", {"name": printer, "agent": True}).status_code == 201
    order = {"fileBase64": base64.b64encode(records.PDF).decode(), "fileName": name, "printerName": printer}
    task = farm.post("/api/v1/report-print-task", order)
    assert task.status_code == 201, task.text
    file = farm.get(f"{task.headers['Location']}/file")

    for answer in (said, file):
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["Content-Disposition"].isascii()
        assert answer.headers["Content-Disposition"].isprintable()


def test_a_name_that_nothing_can_hold_is_refused(farm):
    name = "a\0.pdf"
    answers = {
        "reportName": farm.report({"content": "x", "recipe": "text"}, reportName=name),
        "fileName": farm.post("/api/v1/report-print-task", {"fileBase64": "JVBERi0=", "fileName": name}),
    }
    for field, answer in answers.items():
        assert answer.status_code == 400
        assert field in answer.text
        assert "NUL" in answer.text
