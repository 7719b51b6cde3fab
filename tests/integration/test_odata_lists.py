"""Lists over OData: the same entities in the same order from both databases, page by page at the same cost."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

import pytest
from listings import FIRST, NAMES, asking
from sqlalchemy import text

from api.odata.properties import STRUCTURES, Type
from api.odata.sets import REPORTS, SETS

PRESENTED = {"queued": "planned", "running": "planned", "succeeded": "success", "failed": "error"}
EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
ORDERABLE = [one.name for one in REPORTS.properties.values() if not one.long and one.name != "_id"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def client(request, tmp_path_factory):
    home = tmp_path_factory.mktemp("odata")
    if request.param == "sqlite":
        with asking(f"sqlite:///{home / 'pressroom.db'}", home) as client:
            yield client
        return
    postgres = request.getfixturevalue("postgres")
    url = postgres.new_database()
    with asking(url, home) as client:
        yield client
    postgres.drop_database(url)


@pytest.fixture(scope="module")
def sqlite_client(tmp_path_factory):
    home = tmp_path_factory.mktemp("odata")
    with asking(f"sqlite:///{home / 'pressroom.db'}", home) as client:
        yield client


def by_property(one, other, *, orders):
    """Compare two entities as OData wants it: null before everything, texts by code point."""
    for name, descending in orders:
        left, right = one[name], other[name]
        if left == right:
            continue
        less = left is None or (right is not None and left < right)
        return 1 if less == descending else -1
    return 0


def in_order(entities, orders) -> bool:
    compare = functools.partial(by_property, orders=orders)
    return all(compare(one, other) <= 0 for one, other in itertools.pairwise(entities))


@pytest.mark.parametrize("descending", [False, True], ids=["ascending", "descending"])
@pytest.mark.parametrize("name", ORDERABLE)
def test_the_pages_of_every_order_are_the_whole_list_in_that_order(client, name, descending):
    order = f"{name} desc" if descending else name

    pages = client.pages("reports", size=7, orderby=order)

    assert [len(page) for page in pages] == [7, 7, 7, 7, 7, 7, 6]
    entities = [one for page in pages for one in page]
    assert len({one["_id"] for one in entities}) == 48
    assert in_order(entities, [(name, descending)])
    assert client.values("reports", orderby=order) == entities
    assert client.values("reports", orderby=order, skip=10, top=20) == entities[10:30]


@pytest.mark.parametrize(
    ("order", "orders"),
    [
        ("public desc,name", [("public", True), ("name", False)]),
        ("state,size desc,name", [("state", False), ("size", True), ("name", False)]),
        ("size,state desc,creationDate", [("size", False), ("state", True), ("creationDate", False)]),
        ("templateShortid desc,taskId,pages desc", [("templateShortid", True), ("taskId", False), ("pages", True)]),
        ("recipe,_id desc", [("recipe", False), ("_id", True)]),
        ("state desc", [("state", True), ("creationDate", True)]),
    ],
)
@pytest.mark.parametrize("condition", [None, "state ne 'cancelled'", "state eq 'success'", "size gt 1000"])
def test_an_order_by_several_properties_holds_across_pages(client, order, orders, condition):
    asked = {"orderby": order} | ({"filter": condition} if condition else {})

    entities = [one for page in client.pages("reports", size=5, **asked) for one in page]

    assert in_order(entities, orders)
    assert len({one["_id"] for one in entities}) == len(entities)
    assert client.values("reports", **asked) == entities


@pytest.mark.parametrize(
    ("condition", "order"),
    [
        ("state eq 'success'", "creationDate desc"),
        ("state eq 'planned'", "creationDate"),
        ("recipe eq 'html'", "creationDate"),
        ("finishedDate ge 2026-01-05T00:00:00Z", None),
        ("size gt 2000", None),
        ("startswith(name,'in')", None),
        ("traceId eq '00000000000000000000000000000005'", "name"),
        ("templateShortid eq 't1'", "creationDate desc"),
    ],
)
def test_what_an_index_finds_is_what_the_filter_means(client, condition, order):
    asked = {"orderby": order} if order else {}

    pages = client.pages("reports", size=4, filter=condition, **asked)

    # Written such that no index can serve it.
    expected = client.values("reports", filter=f"not not ({condition})")
    found = [one for page in pages for one in page]
    assert sorted(one["_id"] for one in found) == sorted(one["_id"] for one in expected)
    assert found
    if order:
        assert in_order(found, [(order.split()[0], order.endswith("desc"))])


def names(client, condition):
    return sorted({one["name"] for one in client.values("reports", filter=condition, select="name")})


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("name eq 'invoice'", ["invoice"]),
        ("'invoice' eq name", ["invoice"]),
        ("name eq 'it''s'", ["it's"]),
        ("contains(name,'voice')", ["in%voice", "in\\voice", "in_voice", "invoice", "Invoice"]),
        ("contains(name,'%')", ["in%voice"]),
        ("contains(name,'_')", ["in_voice"]),
        ("contains(name,'\\')", ["in\\voice"]),
        ("substringof('voice',name)", ["in%voice", "in\\voice", "in_voice", "invoice", "Invoice"]),
        ("startswith(name,'in')", ["in%voice", "in\\voice", "in_voice", "invoice"]),
        ("startswith(name,'in%')", ["in%voice"]),
        ("startswith(name,'In')", ["Invoice"]),
        ("startswith(name,'😀')", ["😀"]),
        ("startswith(name,'')", NAMES),
        ("endswith(name,'VOICE')", ["INVOICE"]),
        ("endswith(name,'_voice')", ["in_voice"]),
        ("endswith(name,'a longer text than any name')", []),
        ("endswith(name,'')", NAMES),
        ("tolower(name) eq 'invoice'", ["INVOICE", "Invoice", "invoice"]),
        ("toupper(name) eq 'INVOICE'", ["INVOICE", "Invoice", "invoice"]),
        ("contains(tolower(name),'voice') and not contains(name,'voice')", ["INVOICE"]),
        ("name in ('zebra')", ["zebra"]),
        ("name in('zebra','日本')", ["zebra", "日本"]),
        ("name lt 'J'", ["INVOICE", "Invoice"]),
        ("name ge 'z'", ["zebra", "Ärger", "ärger", "日本", "😀"]),
        ("name gt 'zebra' and name lt '😀'", ["Ärger", "ärger", "日本"]),
        ("name eq 'zebra' or name eq 'it''s' or name eq 'nobody'", ["it's", "zebra"]),
        ("startswith(name,tolower(name)) and endswith(name,name) and name eq 'zebra'", ["zebra"]),
        ("NAME_eq_NAME or name eq 'x'".replace("NAME_eq_NAME", "name eq reportName"), NAMES),
    ],
)
def test_texts_are_compared_alike_on_both_databases(client, condition, expected):
    assert names(client, condition) == sorted(expected)


def numbers(client, condition):
    return sorted(int(one["shortid"][1:]) for one in client.values("reports", filter=condition, select="shortid"))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("state eq 'success'", lambda n: n % 6 < 2),
        ("state ne 'success'", lambda n: n % 6 >= 2),
        ("state in ('error','cancelled')", lambda n: n % 6 in (2, 5)),
        ("state eq 'planned'", lambda n: n % 6 in (3, 4)),
        ("state gt 'error'", lambda n: n % 6 not in (2, 5)),
        ("'error' lt state", lambda n: n % 6 not in (2, 5)),
        ("contains(state,'cess')", lambda n: n % 6 < 2),
        ("toupper(state) eq 'ERROR'", lambda n: n % 6 == 2),
        ("public", lambda n: n % 4 == 0),
        ("public eq true", lambda n: n % 4 == 0),
        ("public eq false and keep", lambda n: n % 4 and n % 5 == 0),
        ("not public", lambda n: n % 4),
        ("not(public or keep)", lambda n: n % 4 and n % 5),
        ("size gt 5000", lambda n: n % 6 < 2 and n % 10 > 5),
        ("size gt 5000.5", lambda n: n % 6 < 2 and n % 10 > 5),
        ("size ge 1e3", lambda n: n % 6 < 2 and n % 10 >= 1),
        ("size gt -1", lambda n: n % 6 < 2),
        ("size lt 9223372036854775807", lambda n: n % 6 < 2),
        ("pages lt 9223372036854775807", lambda n: n % 6 < 2),
        ("size eq null", lambda n: n % 6 >= 2),
        ("size ne null", lambda n: n % 6 < 2),
        ("null eq size", lambda n: n % 6 >= 2),
        # Null is unequal to everything, and less than nothing; what is not less is therefore also null.
        ("size ne 5000", lambda n: n % 6 >= 2 or n % 10 != 5),
        ("not (size eq 5000)", lambda n: n % 6 >= 2 or n % 10 != 5),
        ("not (size gt 5000)", lambda n: n % 6 >= 2 or n % 10 <= 5),
        ("not not (size gt 5000)", lambda n: n % 6 < 2 and n % 10 > 5),
        ("templateShortid in ('t1',null)", lambda n: n % 4 in (0, 1)),
        ("contains(error,'100%')", lambda n: n % 6 == 2),
        ("creationDate ge 2026-01-15T00:00:00Z", lambda n: n // 3 >= 14),
        ("creationDate ge 2026-01-15", lambda n: n // 3 >= 14),
        ("creationDate ge 2026-01-15T01:00:00+01:00", lambda n: n // 3 >= 14),
        ("creationDate ge datetime'2026-01-15T00:00:00'", lambda n: n // 3 >= 14),
        ("creationDate ge datetimeoffset'2026-01-15T00:00:00.000Z'", lambda n: n // 3 >= 14),
        ("creationDate eq 2026-01-02T00:00:00.000002Z", lambda n: n == 5),
        ("year(creationDate) eq 2026 and month(creationDate) eq 1 and day(creationDate) eq 3", lambda n: n // 3 == 2),
        ("expirationDate ne null", lambda n: n % 7 == 0),
        ("finishedDate gt startedDate", lambda n: n % 6 < 3 and n % 5 * 60 > n % 4),
        ("true", lambda n: True),
        ("1 eq 1 and not false", lambda n: True),
        ("null eq null", lambda n: True),
        ("TRUE eq public", lambda n: n % 4 == 0),
    ],
)
def test_a_filter_finds_what_it_says(client, condition, expected):
    wanted = [number for number in range(48) if expected(number)]

    assert numbers(client, condition) == wanted
    assert client.get("reports/$count", filter=condition).text == str(len(wanted))


@pytest.mark.parametrize("set_name", SETS)
def test_every_property_of_every_set_can_be_named(client, set_name):
    literals = {Type.STRING: "'x'", Type.BOOLEAN: "true", Type.DATE: "2026-01-01T00:00:00Z"}
    for one in SETS[set_name].properties.values():
        assert list(client.values(set_name, select=one.name)[0]) == [one.name]
        if one.type in STRUCTURES:
            continue
        value = "'error'" if one.presented else literals.get(one.type, "5")
        assert client.get(set_name, filter=f"{one.name} eq {value} or null ne {one.name}").status_code == 200
        assert client.get(f"{set_name}/$count", filter=f"not({one.name} in ({value}))").status_code == 200
        if not one.long:
            assert client.get(set_name, orderby=f"{one.name} desc").status_code == 200


def test_a_report_that_is_marked_as_removed_does_not_exist(client):
    assert client.get("reports('report-gone')").status_code == 404
    assert client.values("reports", filter="name eq 'gone'") == []
    assert client.get("reports/$count").text == "48"


def test_an_entity_is_the_same_in_a_list_and_alone(client):
    for set_name in SETS:
        first = client.values(set_name)[0]
        alone = client.get(f"{set_name}('{first['_id']}')").json
        assert alone.pop("@odata.context").endswith(f"$metadata#{set_name}/$entity")
        assert alone == first


def test_an_entity_can_be_asked_for_in_parts(client):
    answer = client.get("reports('report-000')", select="name, state")

    assert answer.json == {
        "@odata.context": "http://localhost/odata/$metadata#reports(name,state)/$entity",
        "name": "invoice",
        "state": "success",
    }
    assert answer.headers["OData-Version"] == "4.0"


def test_structures_are_given_as_what_they_are(client):
    template = client.get("templates('template-1')").json
    schedule = client.get("schedules('schedule-1')").json

    assert template["sampleData"] == {"word": "sample", "deep": {"list": [1]}}
    assert (template["options"], template["parameters"]) == ({"format": "A4"}, [{"name": "word", "type": "text"}])
    assert (schedule["data"], schedule["retryDelay"]) == ({"word": "scheduled"}, 1.501)


def test_a_schedule_says_of_its_last_run_when_it_began_and_how_far_it_is(client):
    last = client.get("tasks('task-4')").json
    found = client.values("schedules", orderby="lastRun desc,name", select="name,lastRun,lastState")

    assert found[0] == {"name": "schedule 1", "lastRun": last["creationDate"], "lastState": "success"}
    assert [(one["lastRun"], one["lastState"]) for one in found[1:]] == [(None, None)] * 4
    assert [one["name"] for one in client.values("schedules", filter="lastState eq 'success'")] == ["schedule 1"]


def test_sqlite_finds_the_last_run_where_an_index_has_it(sqlite_client):
    sqlite_client.values("schedules", select="lastRun")
    [statement] = sqlite_client.statements
    engine = sqlite_client.flask.application.extensions["pressroom"].database.engine
    with engine.connect() as connection:
        values = tuple("x" for _ in range(statement.count("?")))
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert [step for step in plan if "tasks" in step] == [
        "SEARCH tasks USING INDEX sqlite_autoindex_tasks_2 (schedule_id=?)"
    ]
    # Nor are they sorted for that.
    assert plan[-1].startswith("SEARCH tasks")


def test_a_page_asks_the_database_once_and_a_count_once_more(client):
    client.get("reports", orderby="creationDate desc", top=5)
    assert len(client.statements) == 1
    client.get("reports", filter="state eq 'success'", orderby="creationDate desc", top=5, count="true")
    assert len(client.statements) == 2
    client.get("reports/$count")
    assert len(client.statements) == 1


def test_what_is_large_and_what_is_not_asked_for_is_not_read(client):
    client.get("reports")
    assert [one for one in client.statements if "renders.data" in one or "renders.content" in one] == []
    client.get("reports", select="name,creationDate", filter="public eq true")
    assert [one for one in client.statements if "renders" in one or "blob_name" in one] == []
    client.get("reports/$count", filter="startswith(name,'in')")
    assert [one for one in client.statements if "renders" in one] == []


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({"orderby": "creationDate"}, "reports_by_creation"),
        ({"orderby": "creationDate desc"}, "reports_by_creation"),
        ({}, "reports_by_creation"),
        ({"orderby": "name"}, "reports_by_name"),
        ({"filter": "startswith(name,'in')", "orderby": "name desc"}, "reports_by_name"),
        ({"filter": "templateShortid eq 't1'", "orderby": "creationDate desc"}, "reports_by_template"),
        ({"filter": "taskId eq 'task-0'", "orderby": "creationDate desc"}, "reports_by_task"),
        ({"filter": "public", "orderby": "creationDate desc"}, "reports_by_public"),
        ({"filter": "creationDate ge 2026-01-05T00:00:00Z and contains(name,'voice')"}, "reports_by_creation"),
        ({"filter": "state eq 'error'", "orderby": "creationDate desc"}, "renders_by_state_and_submission"),
        ({"filter": "recipe eq 'html'", "orderby": "creationDate"}, "renders_by_recipe_and_submission"),
        ({"filter": "size gt 5", "orderby": "size desc"}, "renders_by_size"),
        ({"filter": "finishedDate gt 2026-01-05T00:00:00Z"}, "renders_by_finish"),
        ({"orderby": "state,creationDate desc"}, "renders_by_state_and_submission"),
    ],
)
def test_the_usual_lists_walk_an_index_and_sort_nothing(sqlite_client, asked, index):
    engine = sqlite_client.flask.application.extensions["pressroom"].database.engine
    first = sqlite_client.get("reports", prefer="odata.maxpagesize=2", **asked).json
    for address in (first["@odata.nextLink"], None):
        sqlite_client.statements.clear()
        if address:
            sqlite_client.flask.get(address, headers={"Prefer": "odata.maxpagesize=2"})
        else:
            sqlite_client.get("reports", top=2, **asked)
        statements = list(sqlite_client.statements)
        assert statements
        for statement in statements:
            with engine.connect() as connection:
                values = tuple("x" for _ in range(statement.count("?")))
                plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
            assert f"INDEX {index} " in f"{plan[0]} "
            # Rows with the same values in both tables are put in order among themselves, and no others.
            assert [step for step in plan if "TEMP B-TREE" in step and "RIGHT PART" not in step] == []


def test_the_next_page_begins_where_an_index_finds_it(sqlite_client):
    engine = sqlite_client.flask.application.extensions["pressroom"].database.engine
    following = sqlite_client.get("reports", prefer="odata.maxpagesize=2", orderby="name desc").json["@odata.nextLink"]

    sqlite_client.statements.clear()
    sqlite_client.flask.get(following)

    [statement] = sqlite_client.statements
    assert " OFFSET " not in statement.partition("LIMIT")[0]
    with engine.connect() as connection:
        values = tuple("x" for _ in range(statement.count("?")))
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert plan[0] == "SEARCH reports USING INDEX reports_by_name ((name,id)<(?,?))"


def test_a_row_that_comes_or_goes_between_two_pages_moves_no_other(client):
    order = "creationDate desc"
    first = client.get("reports", prefer="odata.maxpagesize=10", orderby=order).json
    engine = client.flask.application.extensions["pressroom"].database.engine
    seen = [one["_id"] for one in first["value"]]
    everything = [one["_id"] for one in client.values("reports", orderby=order)]
    with engine.begin() as connection:
        connection.execute(text("UPDATE reports SET removed_at = created_at WHERE id = :id"), {"id": seen[3]})
    try:
        rest = client.flask.get(first["@odata.nextLink"]).json["value"]
    finally:
        with engine.begin() as connection:
            connection.execute(text("UPDATE reports SET removed_at = NULL WHERE id = :id"), {"id": seen[3]})

    assert seen + [one["_id"] for one in rest] == everything


def test_more_than_a_page_comes_in_pages_and_less_comes_whole(client):
    whole = client.get("reports", top=10)
    assert (len(whole.json["value"]), "@odata.nextLink" in whole.json) == (10, False)
    assert "Preference-Applied" not in whole.headers
    # The next pages carry the rest of what was asked for, and no more.
    pages = client.pages("reports", size=4, top=10, skip=3, orderby="shortid")
    assert [[one["shortid"] for one in page] for page in pages] == [
        ["s003", "s004", "s005", "s006"],
        ["s007", "s008", "s009", "s010"],
        ["s011", "s012"],
    ]
    preferred = client.get("reports", prefer="return=minimal, maxpagesize=4", select="name", count="true")
    assert preferred.headers["Preference-Applied"] == "odata.maxpagesize=4"
    assert preferred.json["@odata.count"] == 48
    assert "$select=name" in preferred.json["@odata.nextLink"]
    # What the first page counted, the others need not.
    assert "count" not in preferred.json["@odata.nextLink"]


def test_a_page_that_ends_with_the_list_has_no_next_one(client):
    assert [len(page) for page in client.pages("reports", size=12)] == [12, 12, 12, 12]


def test_nobody_is_asked_for_an_empty_page(client):
    answer = client.get("reports", top=0, count="true")

    assert (answer.json["value"], answer.json["@odata.count"]) == ([], 48)
    assert len(client.statements) == 1


@pytest.mark.parametrize(
    "preference", ["odata.maxpagesize=0", "odata.maxpagesize=x", "odata.maxpagesize=-4", "nonsense"]
)
def test_a_preference_that_makes_no_sense_is_passed_over(client, preference):
    answer = client.get("reports", prefer=preference)

    assert (answer.status_code, len(answer.json["value"])) == (200, 48)


def test_the_times_of_entities_are_utc_and_exact(client):
    report = client.get("reports", filter="shortid eq 's005'").json["value"][0]

    assert report["creationDate"] == "2026-01-02T00:00:00.000002Z"
    assert dt.datetime.fromisoformat(report["creationDate"]) == FIRST + dt.timedelta(days=1, microseconds=2)


def test_the_description_has_every_set_property_and_type(client):
    answer = client.get("$metadata")

    assert answer.mimetype == "application/xml"
    schema = ET.fromstring(answer.data)[0][0]
    types = {one.get("Name"): one for one in schema.findall(f"{EDM}EntityType")}
    listed = {one["name"] for one in client.get("").json["value"]}
    described = {one.get("Name"): one.get("EntityType") for one in schema.find(f"{EDM}EntityContainer")}
    assert set(described) == listed == {"reports", "templates", "assets", "schedules", "tasks"}
    python = {
        "Edm.String": str,
        "Edm.Boolean": bool,
        "Edm.Int32": int,
        "Edm.Int64": int,
        "Edm.Double": float,
        "Edm.DateTimeOffset": str,
    }
    for set_name, type_name in described.items():
        entity_type = types[type_name.removeprefix("Pressroom.")]
        assert [ref.get("Name") for ref in entity_type.find(f"{EDM}Key")] == ["_id"]
        properties = {one.get("Name"): one for one in entity_type.findall(f"{EDM}Property")}
        for entity in client.values(set_name):
            assert list(entity) == list(properties)
            for name, value in entity.items():
                kind = properties[name].get("Type")
                expected = python.get(kind, list if kind.startswith("Collection") else dict)
                assert isinstance(value, expected) or (value is None and properties[name].get("Nullable") is None)


def test_filters_are_read_by_many_threads_at_once(sqlite_client):
    app = sqlite_client.flask.application

    def ask(number: int) -> list[str]:
        wanted = number % 48
        answer = app.test_client().get(f"/odata/reports?$filter=shortid eq 's{wanted:03d}'&$select=shortid")
        return [one["shortid"] for one in answer.json["value"]]

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(ask, range(200)))

    assert found == [[f"s{number % 48:03d}"] for number in range(200)]
