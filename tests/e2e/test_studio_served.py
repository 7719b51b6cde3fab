"""The studio over HTTP: who gets in, which forms are taken, and parts that come live."""

from __future__ import annotations

import re
import threading
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from farms import Farm, eventually

TOKEN = "a-desk-s-own-secret"
PAGE = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def guarded(farm):
    """A second gateway of the farm, which asks for tokens, with few threads."""
    kept = ("PRESSROOM_BROKER_URL",)
    gateway = Farm(
        farm.home,
        **{name: farm.environment[name] for name in kept},
        PRESSROOM_TOKENS=f"desk:{TOKEN},gone:revoked-secret",
        PRESSROOM_REVOKED_TOKENS="gone",
        PRESSROOM_GATEWAY_THREADS="8",
        PRESSROOM_MAX_BODY_BYTES=str(1024 * 1024),
    )
    try:
        gateway.run_gateway()
        yield gateway
    finally:
        gateway.stop()


class Browser(requests.Session):
    def __init__(self, farm) -> None:
        super().__init__()
        self.base = farm.base
        self.headers.update(PAGE)

    def request(self, method, path, **options):
        # Where somebody is led is what the tests ask.
        return super().request(method, self.base + path, **(options | {"allow_redirects": False, "timeout": 60}))

    def form_token(self, path="/studio/sign-in") -> str:
        return re.search(r'name="csrf_token" value="([^"]+)"', self.get(path).text)[1]

    def sign_in(self, token=TOKEN, **fields):
        form = {"csrf_token": self.form_token(), "token": token, **fields}
        return self.post("/studio/sign-in", data=form)


@pytest.fixture
def browser(guarded):
    return Browser(guarded)


@pytest.fixture
def desk(browser):
    assert browser.sign_in().status_code == 303
    return browser


def test_an_open_farm_asks_nobody(farm):
    assert "History" in farm.get("/studio/history", headers=PAGE).text


def test_the_bare_address_leads_to_the_studio(farm):
    assert urlsplit(farm.get("/", allow_redirects=False).headers["Location"]).path == "/studio/"


def test_who_is_not_signed_in_is_led_there_and_back(browser):
    asked = browser.get("/studio/history?status=Ok")
    assert asked.status_code == 302
    assert parse_qs(urlsplit(asked.headers["Location"]).query)["next"] == ["/studio/history?status=Ok"]

    part = browser.get("/studio/history", headers={"HX-Request": "true", "HX-Current-URL": browser.base + "/studio/x"})
    assert part.status_code == 401
    assert part.headers["HX-Redirect"].endswith("/studio/sign-in?next=/studio/x")

    entered = browser.sign_in(next="/studio/history?status=Ok")
    assert entered.headers["Location"] == "/studio/history?status=Ok"
    assert browser.get("/studio/history").status_code == 200


@pytest.mark.parametrize("token", ["", "wrong", "revoked-secret", f"desk:{TOKEN}"])
def test_another_token_is_refused_beside_its_field(browser, token):
    refused = browser.sign_in(token)

    assert refused.status_code == 403
    assert 'aria-invalid="true"' in refused.text
    assert browser.get("/studio/history").status_code == 302


@pytest.mark.parametrize(
    "elsewhere", ["//evil.example/studio/", "https://evil.example/studio/", "/\\evil.example", "/api/v1/printer"]
)
def test_nobody_is_led_elsewhere(browser, elsewhere):
    assert browser.sign_in(next=elsewhere).headers["Location"] == "/studio/"


def test_the_cookie_is_for_this_farms_pages_alone(browser):
    entered = browser.sign_in().headers["Set-Cookie"]

    assert "HttpOnly" in entered
    assert "SameSite=Lax" in entered
    assert TOKEN not in entered
    # Programs get none.
    assert "Set-Cookie" not in requests.get(browser.base + "/api/ping", timeout=10).headers


def test_a_form_without_the_pages_token_is_refused(desk):
    for options in ({}, {"data": {"csrf_token": "made up"}}, {"headers": {"X-CSRFToken": "made up"}}):
        refused = desk.post("/studio/sign-out", **options)
        assert refused.status_code == 403
        assert "did not come from a page of this farm" in refused.text
    assert desk.get("/studio/history").status_code == 200


def test_a_signed_in_browser_may_read_the_api_and_change_with_the_pages_token(desk):
    assert desk.get("/api/v1/printer").status_code == 200
    body = {"name": "From a page", "agent": True}
    refused = desk.post("/api/v1/printer", json=body, headers={"Accept": "application/json"})
    assert refused.status_code == 403
    assert refused.json()["success"] is False

    token = desk.form_token("/studio/history")
    made = desk.post("/api/v1/printer", json=body, headers={"X-CSRFToken": token, "Accept": "application/json"})
    assert made.status_code == 201
    assert made.json()["data"]["createdBy"] == "token:desk"


def test_a_signed_in_browser_sends_a_batch_that_is_larger_than_any_other_body(desk):
    token = {"X-CSRFToken": desk.form_token("/studio/history"), "Accept": "application/json"}
    template = {"name": "larger-than-a-body", "content": "{{ code }}", "recipe": "text"}
    made = desk.post("/api/v1/report-config", json=template, headers=token).json()["data"]
    table = b"code\n" + b"A" * 1000 + b"\n" + b"B\n" * 1024 * 1024

    def upload(table, **headers):
        asked = {"template": made["id"], "name": "{{ code }}-{{ number }}"}
        return desk.post(
            "/api/v1/batch/upload", params=asked, data=table, headers={"Content-Type": "text/csv", **headers}
        )

    # Every line is looked at: this one has no number.
    answer = upload(table, **token)
    assert (answer.status_code, answer.json()["meta"]["fields"]) == (400, ["items"])
    assert answer.json()["errors"][0].startswith("line 2 cannot be named")
    # Of a refused one nothing is read, and a client that is still sending may not hear why.
    assert upload(b"code\nA\n").status_code == 403


def test_signing_out_ends_the_session_on_the_server(desk, guarded):
    stolen = Browser(guarded)
    stolen.cookies.update(desk.cookies)
    assert stolen.get("/studio/history").status_code == 200

    left = desk.post("/studio/sign-out", data={"csrf_token": desk.form_token("/studio/history")})

    assert left.status_code == 303
    assert desk.get("/studio/history").status_code == 302
    assert stolen.get("/studio/history").status_code == 302


def test_pages_load_nothing_from_elsewhere_and_run_no_script_of_their_own(desk):
    page = desk.get("/studio/history")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert re.findall(r"<script(?![^>]*\bsrc=)", page.text) == []
    assert re.findall(r"\son\w+=", page.text) == []
    assert re.findall(r"\sstyle=", page.text) == []
    assert page.headers["Cache-Control"] == "no-store"


def test_files_are_kept_for_ever_under_an_address_that_changes_with_them(desk):
    page = desk.get("/studio/history").text
    address = re.search(r'href="([^"]*studio\.css\?v=[^"]+)"', page)[1]
    kept = desk.get(address)
    assert "immutable" in kept.headers["Cache-Control"]
    assert kept.headers["Content-Encoding"] in ("br", "gzip")

    bare = desk.get(urlsplit(address).path)
    assert bare.headers["Cache-Control"] == "no-cache"
    again = desk.get(urlsplit(address).path, headers={"If-None-Match": bare.headers["ETag"]})
    assert again.status_code == 304
    for name in ("nothing.css", "../__init__.py", "%2e%2e/__init__.py", ""):
        assert desk.get(f"/studio/static/{name}").status_code == 404


def test_an_address_without_a_page_leads_back_to_those_that_there_are(desk):
    answer = desk.get("/studio/nowhere/<at>/all")

    assert answer.status_code == 404
    assert "There is no page at /studio/nowhere/&lt;at&gt;/all." in answer.text
    assert 'href="/studio/history"' in answer.text


def test_the_language_is_the_browsers_until_somebody_chooses(browser):
    assert '<html lang="de">' in browser.get("/studio/sign-in", headers={"Accept-Language": "de-AT,de"}).text
    form = {"csrf_token": browser.form_token(), "language": "de", "next": "/studio/sign-in"}
    browser.post("/studio/language", data=form)
    assert '<html lang="de">' in browser.get("/studio/sign-in", headers={"Accept-Language": "en"}).text


def streamed(desk, part="records", path="/studio/history"):
    headers = {"HX-Request": "true", "HX-Target": f"section#{part}", "Accept": "text/html, text/event-stream"}
    return desk.get(path, headers=headers, stream=True)


def test_a_part_comes_again_when_it_has_changed(desk, guarded):
    with streamed(desk) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = answer.iter_lines(decode_unicode=True)
        assert next(line for line in lines if line.startswith("data:"))
        asked = {"outputType": "none", "createHistoryRecord": True}
        headers = {"X-Trace-Id": "seen-on-the-page", "Authorization": f"Bearer {TOKEN}"}
        template = {"name": "live", "content": "{{ nothing }}", "recipe": "plutoprint-pdf"}
        assert guarded.post("/api/v1/report-config", template, headers=headers).status_code == 201
        assert guarded.post("/api/v1/report-config/live/render", asked, headers=headers).status_code == 400

        assert any("seen-on-the-page" in line for line in lines)


def test_where_too_many_pages_are_live_a_part_comes_once_and_the_page_asks_again(desk):
    # A quarter of eight threads.
    held = [streamed(desk) for _ in range(2)]
    try:
        one_too_many = streamed(desk)
        assert one_too_many.headers["Content-Type"].startswith("text/html")
        assert 'id="records"' in one_too_many.text
    finally:
        for answer in held:
            answer.close()
    eventually(lambda: _is_stream(streamed(desk)), what="a place for a live page")


def _is_stream(answer) -> bool:
    with answer:
        return answer.headers["Content-Type"].startswith("text/event-stream")


def test_a_live_page_does_not_keep_a_gateway_from_stopping(farm):
    kept = {"PRESSROOM_BROKER_URL": farm.environment["PRESSROOM_BROKER_URL"], "PRESSROOM_SHUTDOWN_GRACE": "60"}
    gateway = Farm(farm.home, **kept)
    gateway.run_gateway()
    browser = Browser(gateway)
    with streamed(browser) as answer:
        lines = answer.iter_lines()
        next(lines)
        stopped = threading.Thread(target=gateway.stop)
        stopped.start()
        # The stream ends, and is no error.
        for _ in lines:
            pass
    stopped.join(30)
    assert not stopped.is_alive()
