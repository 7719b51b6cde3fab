"""Assets over HTTP, and in documents that the farm's own workers render."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import uuid

import asset_files
import pytest
from farms import Farm
from pypdf import PdfReader

RED, BLUE = asset_files.picture(colour="red"), asset_files.picture(colour="blue")
LIMIT = 200_000


@pytest.fixture(scope="module")
def small(tmp_path_factory, valkey):
    """A farm with one rendering child, so that who fetches what can be counted, and with a low limit."""
    farm = Farm(
        tmp_path_factory.mktemp("assets"),
        PRESSROOM_BROKER_URL=valkey.url.replace("/0", "/2"),
        PRESSROOM_MAX_ASSET_BYTES=str(LIMIT),
        PRESSROOM_MAX_BODY_BYTES=str(4 * LIMIT),
    )
    try:
        farm.run_all()
        yield farm
    finally:
        farm.stop()


def a_name(extension="png"):
    return f"t/{uuid.uuid4()}.{extension}"


def put(farm, name, content):
    return farm.request("PUT", f"/api/v1/asset/{name}", data=content)


def post(farm, content, filename="logo.png", headers=None, **fields):
    return farm.request(
        "POST", "/api/v1/asset", files={"file": (filename, content)}, data=fields, headers=headers or {}
    )


def error_of(answer):
    body = answer.json()
    assert body["success"] is False
    [error] = body["errors"]
    return error


def images_of(answer):
    assert answer.status_code == 200, answer.text
    return [image.image for image in PdfReader(io.BytesIO(answer.content)).pages[0].images]


def test_an_upload_is_described_and_served(small):
    name = a_name()
    answer = post(small, RED, name=name)

    assert answer.status_code == 201
    asset = answer.json()["data"]
    assert answer.headers["Location"] == f"{small.base}/api/v1/asset/{asset['id']}"
    assert (asset["name"], asset["folder"], asset["mediaType"]) == (name, "t", "image/png")
    assert (asset["size"], asset["sha256"]) == (len(RED), hashlib.sha256(RED).hexdigest())
    for key in (asset["id"], asset["shortid"], name):
        assert small.get(f"/api/v1/asset/{key}").json()["data"] == asset
        assert small.get(f"/api/v1/asset/{key}/content").content == RED
    assert small.get(asset["url"]).content == RED


def test_the_name_comes_from_the_form_or_the_file(small):
    folder = f"t/{uuid.uuid4()}"
    assert post(small, RED, "Löwe 1.png", folder=f"{folder}/").json()["data"]["name"] == f"{folder}/Löwe 1.png"
    assert post(small, RED, "/home/x/a.png", folder=folder).json()["data"]["name"] == f"{folder}/a.png"


def test_the_same_again_is_200_and_changes_nothing_and_another_replaces(small):
    name = a_name()
    first = put(small, name, RED)
    again = put(small, name, RED)
    other = put(small, name, BLUE)

    assert [one.status_code for one in (first, again, other)] == [201, 200, 200]
    assert again.json()["data"] == first.json()["data"]
    assert other.json()["data"]["id"] == first.json()["data"]["id"]
    assert small.get(f"/api/v1/asset/{name}/content").content == BLUE


def test_content_is_served_in_parts_revalidated_and_in_a_sandbox(small):
    name = a_name("svg")
    asset = put(small, name, asset_files.SVG).json()["data"]
    whole = small.get(asset["url"])

    assert whole.headers["ETag"] == f'"{asset["sha256"]}"'
    assert whole.headers["Content-Type"] == "image/svg+xml"
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    assert whole.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert small.get(asset["url"], headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    part = small.get(asset["url"], headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"svg")
    head = small.request("HEAD", asset["url"])
    assert (head.headers["Content-Length"], head.content) == (str(len(asset_files.SVG)), b"")


def test_a_removed_asset_is_gone(small):
    name = a_name()
    put(small, name, RED)

    assert small.request("DELETE", f"/api/v1/asset/{name}").status_code == 200
    assert small.request("DELETE", f"/api/v1/asset/{name}").status_code == 404
    assert "There is no asset named" in error_of(small.get(f"/api/v1/asset/{name}"))


def test_lists_are_paged_searched_and_sorted(small):
    folder = str(uuid.uuid4())
    for n in range(3):
        put(small, f"{folder}/{n}.css", b"p" * (n + 1))

    page = small.get(f"/api/v1/asset?folder={folder}&pageSize=2&sort=-size&page=1").json()
    assert [one["size"] for one in page["data"]] == [3, 2]
    assert (page["count"], page["meta"]["total"], page["meta"]["page"], page["meta"]["pageSize"]) == (2, 3, 1, 2)
    assert [one["size"] for one in small.get(f"/api/v1/asset?search={folder}/1").json()["data"]] == [2]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("pge=1", "did you mean page?"),
        ("sort=colour", "sort is 'colour'"),
        ("pageSize=0", "pageSize is '0'"),
        ("pageSize=201", "pageSize is '201'"),
        ("page=x", "page is 'x': expected a whole number"),
        ("page=1&page=2", "page is given 2 times"),
    ],
)
def test_a_query_that_is_not_understood_is_refused(small, query, said):
    answer = small.get(f"/api/v1/asset?{query}")
    assert answer.status_code == 400
    assert said in error_of(answer)


@pytest.mark.parametrize(
    ("name", "content", "status", "said"),
    [
        ("a.exe", b"MZ", 415, "expected one of png"),
        ("a", RED, 415, "has no extension"),
        ("a.ttf", b"this is not a font", 400, "a.ttf is not a TrueType or OpenType font"),
        ("a.png", b"this is not a picture", 400, "a.png is not a PNG image"),
        ("a.json", b"{", 400, "a.json is not JSON"),
        ("a.svg", b"<!DOCTYPE svg [<!ENTITY a 'b'>]><svg/>", 400, "<!DOCTYPE>"),
        ("a.css", b"x" * (LIMIT + 1), 413, f"at most {LIMIT} bytes (PRESSROOM_MAX_ASSET_BYTES)"),
        ("a.css", b"x" * (2 * LIMIT), 413, f"at most {LIMIT} bytes (PRESSROOM_MAX_ASSET_BYTES)"),
        ("..%2Fa.css", b"p{}", 400, "no segment that is empty"),
        ("x:a.css", b"p{}", 400, "holds ':'"),
        ("a.css", b"", 400, "it is empty"),
    ],
)
@pytest.mark.parametrize("way", ["put", "post", "odata"])
def test_what_is_no_asset_is_refused_with_the_reason(small, name, content, status, said, way):
    if way == "put":
        answer = put(small, name, content)
    elif way == "post":
        answer = post(small, content, name=name.replace("%2F", "/"))
    else:
        body = {"name": name.replace("%2F", "/"), "content": base64.b64encode(content).decode()}
        answer = small.post("/odata/assets", body)

    assert answer.status_code == status
    assert said in (answer.json()["error"]["message"] if way == "odata" else error_of(answer))


def test_a_body_in_chunks_stops_at_the_limit(small):
    def chunks():
        for _ in range(3):
            yield b"x" * (LIMIT // 2)

    answer = put(small, a_name("css"), chunks())
    assert answer.status_code == 413
    assert "PRESSROOM_MAX_ASSET_BYTES" in error_of(answer)


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ({"json": {}}, 415, "expected multipart/form-data"),
        ({"files": {"other": ("a.png", RED)}}, 400, "other is not a known field"),
        ({"files": {"file": ("a.png", RED)}, "data": {"nme": "x"}}, 400, "nme is not a known field"),
        ({"files": {"x": (None, "y")}}, 400, "x is not a known field"),
        ({"files": {"folder": (None, "y")}}, 400, "The form has 0 files"),
        ({"files": [("file", ("a.png", RED)), ("file", ("b.png", RED))]}, 400, "The form has 2 files"),
        ({"files": {"file": ("a.png", RED)}, "data": {"name": "a.png", "folder": "b"}}, 400, "either name or folder"),
        ({"data": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=y"}}, 400, "The form has 0 files"),
        ({"data": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "The form has 0 files"),
    ],
)
def test_a_form_that_is_not_understood_is_refused(small, options, status, said):
    answer = small.request("POST", "/api/v1/asset", **options)
    assert answer.status_code == status
    assert said in error_of(answer)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_foreign_page_cannot_post_a_form(small, headers):
    name = a_name()
    answer = post(small, RED, name=name, headers=headers)

    assert answer.status_code == 403
    assert "must not upload here" in error_of(answer)
    assert small.get(f"/api/v1/asset/{name}").status_code == 404


def test_the_farms_own_page_can(small):
    headers = {"Origin": small.base, "Sec-Fetch-Site": "same-origin"}
    assert post(small, RED, name=a_name(), headers=headers).status_code == 201


def test_odata_writes(small):
    name = a_name()
    made = small.post("/odata/assets", {"name": name, "content": base64.b64encode(RED).decode()})
    assert made.status_code == 201
    entity = made.json()
    assert (entity["name"], entity["sha256"]) == (name, hashlib.sha256(RED).hexdigest())
    address = f"/odata/assets('{entity['_id']}')"
    assert made.headers["Location"] == small.base + address

    assert small.post("/odata/assets", {"name": name, "content": ""}).status_code == 400
    taken = small.post("/odata/assets", {"name": name, "content": base64.b64encode(BLUE).decode()})
    assert (taken.status_code, taken.json()["error"]["target"]) == (409, "name")
    assert small.post("/odata/assets", {"name": name, "content": "%"}).json()["error"]["target"] == "content"

    renamed = a_name()
    assert small.request("PATCH", address, json={"name": renamed}).status_code == 204
    assert small.get(address).json()["name"] == renamed
    assert small.request("PATCH", address, json={"name": "x.css"}).status_code == 400
    assert small.request("DELETE", address).status_code == 204
    assert small.request("DELETE", address).status_code == 404
    assert small.request("PATCH", address, json={"name": a_name()}).status_code == 404


@pytest.mark.parametrize("recipe", ["weasyprint-pdf", "plutoprint-pdf"])
def test_a_page_is_made_of_assets(small, recipe):
    folder = str(uuid.uuid4())
    put(small, f"{folder}/img/logo 1.png", RED)
    put(small, f"{folder}/fonts/Brand.woff2", asset_files.font(flavour="woff2"))
    put(
        small,
        f"{folder}/css/site.css",
        b"@font-face { font-family: Brand; src: url(../fonts/Brand.woff2) } p { font-family: Brand }",
    )
    answer = small.report(
        {
            "content": f"<link rel=stylesheet href='asset:{folder}/css/site.css'><p>Hello"
            f"<img src='asset:{folder}/img/logo%201.png'><img src='asset:{folder}/nothing.png'>",
            "recipe": recipe,
        },
        reports={"save": True},
    )

    [image] = images_of(answer)
    assert image.convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    page = PdfReader(io.BytesIO(answer.content)).pages[0]
    assert any("Brand" in str(one.get_object()) or "LiberationMono" in str(one.get_object()) for one in fonts(page))


def fonts(page):
    return page["/Resources"]["/Font"].values()


def test_a_change_is_seen_by_the_next_render_and_each_content_is_fetched_once(small):
    name = a_name()
    template = {"content": f"<img src='asset:{name}'>", "recipe": "plutoprint-pdf"}
    shown = []
    for content in (RED, RED, BLUE, BLUE, RED):
        put(small, name, content)
        for _ in range(3):
            [image] = images_of(small.report(template))
            shown.append(image.convert("RGB").getpixel((0, 0)))

    red, blue = (255, 0, 0), (0, 0, 255)
    assert shown == [red] * 6 + [blue] * 6 + [red] * 3
    fetched = [json.loads(line) for line in small.logged().splitlines() if '"asset fetched"' in line]
    assert len([one for one in fetched if one["name"] == name]) <= 2
    # Another test may have brought the same picture here before.
    contents = [one["sha256"] for one in fetched]
    assert len(contents) == len(set(contents))


def test_a_render_whose_asset_is_lost_fails_with_cause_storage(small):
    name = a_name()
    unique = asset_files.picture(colour=tuple(uuid.uuid4().bytes[:3]))
    asset = put(small, name, unique).json()["data"]
    [key] = (small.home / "blobs" / "assets" / asset["id"]).iterdir()
    key.unlink()

    for recipe in ("weasyprint-pdf", "plutoprint-pdf"):
        answer = small.report({"content": f"<img src='asset:{name}'>", "recipe": recipe})
        assert answer.json()["cause"] == "storage"
        assert f"Asset '{name}' is no longer in storage: upload it again" in answer.json()["message"]

    assert put(small, name, unique).status_code == 200
    assert images_of(small.report({"content": f"<img src='asset:{name}'>", "recipe": "plutoprint-pdf"}))
