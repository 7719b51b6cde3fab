"""Nothing accepted is lost when parts of the farm are killed: each report ends in 201, with one object."""

from __future__ import annotations

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import psutil
import pypdf
import pytest
from farms import SAMPLES, eventually

CLIENTS = 8
INVOICE = {"content": (SAMPLES / "invoice.html").read_text(), "recipe": "plutoprint-pdf"}
INVOICE_DATA = json.loads((SAMPLES / "invoice.json").read_text())


def submit(farm, number):
    answer = farm.report(
        INVOICE, INVOICE_DATA | {"number": f"N-{number}"}, reports={"async": True, "blobName": f"invoice-{number}"}
    )
    assert answer.status_code == 200, answer.text
    return answer.headers["Location"]


def text_of(document: bytes) -> list[str]:
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(document)).pages]


def check(farm, number, status_url):
    done = farm.until_done(status_url, seconds=90)
    assert (done.status_code, done.headers["Report-State"]) == (201, "success"), done.text
    pages = text_of(farm.get(done.headers["Location"]).content)
    assert len(pages) == 1
    assert f"N-{number}" in pages[0]


def objects(farm):
    folder = farm.home / "blobs" / "reports"
    return sorted(path.name for path in folder.rglob("*.pdf"))


def kill_nothing(farm, running):
    pass


def kill_children(farm, running):
    """Kill a rendering child three times, each time one that is at work."""
    for _ in range(3):
        running.wait(timeout=30)
        child = eventually(lambda: next(iter(farm.children("render-worker")), None))
        child.kill()
        psutil.wait_procs([child], timeout=10)


def kill_worker(farm, running):
    """Kill the whole render worker, and start another as a supervisor would."""
    running.wait(timeout=30)
    farm.kill("render-worker")
    farm.run_workers()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("harm", [kill_nothing, kill_children, kill_worker])
def test_every_accepted_invoice_ends_as_a_one_page_pdf(farm, harm):
    count = 200
    half_done = threading.Event()

    def submit_one(number):
        status_url = submit(farm, number)
        if number == count // 2:
            half_done.set()
        return number, status_url

    with ThreadPoolExecutor(CLIENTS) as clients:
        submitted = clients.map(submit_one, range(count))
        harm(farm, half_done)
        reports = list(submitted)
        list(clients.map(lambda one: check(farm, *one), reports))

    # One object each: the name that was asked for, or, after a lost attempt, that of the attempt that counted.
    assert len(objects(farm)) >= count
    assert {name.partition("~")[0].removesuffix(".pdf") for name in objects(farm)} == {
        f"invoice-{number}" for number in range(count)
    }


@pytest.mark.timeout(180)
def test_a_render_that_kills_its_child_is_given_up_after_three_attempts_and_the_next_one_runs(farm):
    slow = {
        "content": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "recipe": "html",
    }
    status_url = farm.report(slow, reports={"async": True}).headers["Location"]

    for attempt in (1, 2, 3):
        eventually(lambda number=attempt: farm.get(status_url).json().get("attempts") == number or None, seconds=60)
        # The one that is at work is the one that uses the processor.
        children = farm.children("render-worker")
        for child in children:
            child.cpu_percent()
        busy = eventually(lambda them=children: next((one for one in them if one.cpu_percent(0.2) > 50), None))
        busy.kill()

    done = farm.until_done(status_url, seconds=60)
    assert (done.status_code, done.json()["cause"]) == (500, "poisoned")
    assert farm.report({"content": "next", "recipe": "text"}).content == b"next"


@pytest.mark.timeout(120)
def test_a_render_that_hears_no_time_limit_is_killed_with_its_child_and_not_tried_again(farm):
    # Inside the engine's C++ no Python signal is heard; only the parent's hard limit ends it.
    deaf = {"content": "{% for a in range(60000) %}<div>{% endfor %}", "recipe": "plutoprint-pdf"}

    answer = farm.report(deaf, timeout=1000)

    assert (answer.status_code, answer.json()["cause"]) == (500, "timeout")
    assert "1 s" in answer.json()["message"]
    trace = farm.command("trace", answer.headers["X-Trace-Id"]).stdout
    assert "attempt=1" in trace
    assert "attempt=2" not in trace
    assert farm.report({"content": "next", "recipe": "text"}).content == b"next"


@pytest.mark.timeout(180)
def test_work_that_was_accepted_while_the_broker_was_down_is_done_when_it_is_back(farm, broker):
    broker.kill()
    answers = [farm.report({"content": "late", "recipe": "text"}, reports={"async": True}) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 5
    ready = farm.get("/readyz")
    assert (ready.status_code, ready.json()["parts"]["broker"]["ok"]) == (503, False)
    assert farm.get("/healthz").status_code == 200

    broker.start()

    for answer in answers:
        assert farm.until_done(answer.headers["Location"], seconds=90).status_code == 201


@pytest.mark.timeout(180)
def test_messages_that_the_broker_forgot_are_sent_again(farm, broker):
    farm.kill("render-worker")
    status_urls = [
        farm.report({"content": "forgotten", "recipe": "text"}, reports={"async": True}).headers["Location"]
        for _ in range(5)
    ]
    broker.flush()
    farm.run_workers()

    for status_url in status_urls:
        assert farm.until_done(status_url, seconds=60).status_code == 201


@pytest.mark.timeout(120)
def test_a_synchronous_render_that_nobody_can_start_gets_503_and_is_withdrawn(tmp_path, broker):
    from farms import Farm  # noqa: PLC0415

    farm = Farm(tmp_path / "no-workers", PRESSROOM_BROKER_URL=broker.url, PRESSROOM_SYNC_WAIT="1")
    try:
        assert farm.command("migrate").returncode == 0
        farm.run_gateway()

        answer = farm.report({"content": "x", "recipe": "html"}, reports={"save": True})

        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert "async" in answer.json()["message"]
    finally:
        farm.stop()
