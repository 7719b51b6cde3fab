"""Lists of history records: filters, search, order, pages, and what they cost."""

from __future__ import annotations

import datetime as dt

import pytest
import records
from sqlalchemy import event, update

from shared import history, history_lists, leases, templates
from shared.database import Database, migrate
from shared.exceptions import NotFoundError
from shared.history_lists import Filters
from shared.models import HistoryRecord, Template, Thumbnail
from shared.templates import TemplateFields

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def storage(filesystem_storage):
    return filesystem_storage


def put(database, record, **values):
    with database.writing() as session:
        session.execute(update(HistoryRecord).where(HistoryRecord.id == record.id).values(**values))


def listed(database, *, sort=history_lists.NEWEST_FIRST, limit=25, offset=0, **filters):
    with database.reading() as session:
        return history_lists.listing(session, Filters(**filters), sort=sort, limit=limit, offset=offset)


def ids(database, **asked):
    total, found = listed(database, **asked)
    assert total == len(found)
    return [one.record.id for one in found]


@pytest.fixture
def three(database, template):
    """Three records, an hour apart, the first one the oldest."""
    found = [records.waiting(database, template, trace_id=f"order-{number}") for number in range(3)]
    for number, record in enumerate(found):
        put(database, record, created_at=NOON + dt.timedelta(hours=number))
    return [record.id for record in found]


def test_the_newest_come_first_unless_another_order_is_asked_for(database, three):
    assert ids(database) == three[::-1]
    assert ids(database, sort="creationDate") == three
    with database.writing() as session:
        for record_id, status, name in zip(three, ("Ok", "Error", "Ok"), "bab", strict=True):
            values = {"status": status, "template_name": name}
            session.execute(update(HistoryRecord).where(HistoryRecord.id == record_id).values(**values))

    first, second, third = three
    assert ids(database, sort="status") == [second, third, first]
    assert ids(database, sort="-status") == [third, first, second]
    assert ids(database, sort="reportConfig") == [second, third, first]
    assert ids(database, sort="-reportConfig") == [third, first, second]


def test_pages_and_their_total(database, three):
    assert [listed(database, limit=2, offset=place)[0] for place in (0, 1, 2, 3, 99)] == [3] * 5
    assert [one.record.id for one in listed(database, limit=2, offset=2)[1]] == three[:1]
    assert listed(database, limit=2, offset=99)[1] == []
    assert listed(database, status="Ok") == (0, [])


def test_a_filter_takes_only_what_it_names(database, storage, template, three):
    done = records.done(database, storage, template)
    failed = records.waiting(database, template, source="replay", created_by="token:shop")
    records.fail(database, failed)

    assert ids(database, status="Ok") == [done.id]
    assert ids(database, status="Error") == [failed.id]
    assert ids(database, status="Unknown") == three[::-1]
    assert ids(database, source="replay") == [failed.id]
    assert ids(database, trace_id="order-1") == [three[1]]
    assert ids(database, trace_id="order") == []
    assert ids(database, status="Error", source="replay", trace_id="t" * 32) == [failed.id]


def test_pinned_records_are_told_from_the_others(database, storage, template, three):
    done = records.done(database, storage, template)
    for record_id in (done.id, three[0]):
        put(database, records.row(database, record_id), keep=True)

    assert ids(database, keep=True) == [done.id, three[0]]
    assert ids(database, keep=False) == [three[2], three[1]]
    assert ids(database, keep=True, status="Ok", source="api", report_config=template.name) == [done.id]
    assert ids(database, keep=True, sort="status") == [done.id, three[0]]
    assert ids(database, keep=False, search="order-1") == [three[1]]
    assert ids(database, keep=True, trace_id="order-1") == []
    assert listed(database, keep=False, limit=1)[0] == 2


def test_a_span_begins_with_its_first_moment_and_ends_before_its_last(database, three):
    hour = dt.timedelta(hours=1)
    assert ids(database, created_from=NOON, created_to=NOON + hour) == three[:1]
    assert ids(database, created_from=NOON + hour) == [three[2], three[1]]
    assert ids(database, created_to=NOON) == []
    # The same moment on another clock.
    east = dt.timezone(dt.timedelta(hours=9))
    assert ids(database, created_from=(NOON + hour).astimezone(east)) == [three[2], three[1]]


def test_a_template_is_named_by_its_id_its_shortid_its_name_or_a_name_that_it_had(database, template):
    record = records.waiting(database, template)
    with database.writing() as session:
        other = templates.create(
            session, TemplateFields(name="other", content="", engine="none", recipe="html", sample_data=None)
        )
        session.execute(update(Template).where(Template.id == template.id).values(name="renamed"))
    records.waiting(database, other)

    for key in (template.id, "greeting", "renamed", template.name):
        assert ids(database, report_config=key) == [record.id], key
    for key in ("nothing", "", "Renamed"):
        assert ids(database, report_config=key) == []


def test_a_search_looks_into_trace_template_file_and_creator(database, three):
    for column in ("trace_id", "template_name", "file_name", "created_by"):
        with database.writing() as session:
            record = session.get(HistoryRecord, three[1])
            before = getattr(record, column)
            setattr(record, column, "xx-Needle_1%/Ä-yy")

        for wanted in ("needle", "NEEDLE_1%/", "xx-", "Ä", "ä", "e_1%/Ä-Y"):
            assert ids(database, search=wanted) == [three[1]], (column, wanted)
        # Signs of LIKE are signs and nothing else.
        for wanted in ("needle%yy", "needle-1", "n__dle", "needle_1%%"):
            assert ids(database, search=wanted) == [], (column, wanted)

        with database.writing() as session:
            setattr(session.get(HistoryRecord, three[1]), column, before)


def test_a_search_goes_with_filters_and_orders(database, three):
    assert ids(database, search="order", status="Unknown", source="api", sort="creationDate") == three
    assert ids(database, search="order-2", status="Unknown", created_from=NOON) == [three[2]]
    assert ids(database, search="order", status="Ok") == []
    assert listed(database, search="ORDER", limit=1, offset=1)[0] == 3


def test_an_entry_tells_its_print_tasks_and_its_thumbnail(database, storage, template):
    plain = records.waiting(database, template)
    done = records.done(database, storage, template)
    for _ in range(2):
        records.print_task(database, done)
    with database.writing() as session:
        claimed = leases.claim(session, Thumbnail, done.render_id, worker_id="worker-1", seconds=60)
        leases.fail(session, Thumbnail, done.render_id, attempt=claimed.attempt, error="it is encrypted")

    first, second = listed(database)[1]
    assert (first.record.id, first.print_tasks, first.thumbnail) == (done.id, 2, ("failed", "it is encrypted"))
    assert (second.record.id, second.print_tasks, second.thumbnail) == (plain.id, 0, None)


def test_a_page_costs_the_same_few_questions_and_no_payload(database, storage, template):
    def asked():
        statements = []
        note = lambda *given: statements.append(given[2])  # noqa: E731
        event.listen(database.engine, "before_cursor_execute", note)
        _, found = listed(database)
        event.remove(database.engine, "before_cursor_execute", note)
        return statements, found

    records.done(database, storage, template)
    few, _ = asked()
    for _ in range(4):
        records.print_task(database, records.done(database, storage, template))
    many, found = asked()

    assert len(many) == len(few)
    assert {"payload", "response"}.isdisjoint(vars(found[0].record))


@pytest.fixture
def planned(tmp_path):
    """Returns how a list looks for what is on its page, and for how many there are. PostgreSQL plans by its tables."""
    url = f"sqlite:///{tmp_path / 'planned.db'}"
    migrate(url)
    database = Database(url)
    with database.writing() as session:
        fields = TemplateFields(name="t", content="", engine="none", recipe="html", sample_data=None)
        template = templates.create(session, fields)
    records.waiting(database, template)

    def plans(**asked):
        said = []
        note = lambda *given: said.append(given[2:4])  # noqa: E731
        event.listen(database.engine, "before_cursor_execute", note)
        listed(database, limit=1, **asked)
        listed(database, limit=1, offset=99, **asked)
        event.remove(database.engine, "before_cursor_execute", note)
        # Not the page's own rows, which are asked for by their ids, nor the template.
        searches = [one for one in said if "FROM history_records" in one[0] and "history_records.id IN (" not in one[0]]
        with database.engine.connect() as connection:
            return [
                (statement, step[-1])
                for statement, values in searches
                for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
                if step[-1].startswith(("SCAN", "SEARCH"))
            ]

    yield plans
    database.close()


@pytest.mark.parametrize("sort", ["-creationDate", "status", "reportConfig"])
def test_what_is_not_on_the_page_is_looked_for_in_an_index_alone(planned, sort):
    for filters in (
        {},
        {"status": "Ok", "source": "api", "created_from": NOON, "created_to": NOON},
        {"status": "Ok", "source": "api", "report_config": "t"},
        {"status": "Ok", "source": "api", "search": "x"},
        {"status": "Ok", "created_from": NOON, "search": "x"},
        {"report_config": "no longer", "status": "Ok"},
        {"keep": True, "status": "Ok", "source": "api", "report_config": "t", "created_from": NOON},
        {"keep": True, "search": "x"},
        {"keep": False},
        {"keep": False, "status": "Ok", "source": "api", "report_config": "t", "search": "x"},
    ):
        plans = planned(sort=sort, **filters)
        assert len(plans) > 2
        for statement, plan in plans:
            assert "COVERING INDEX" in plan, (filters, statement, plan)


def test_a_trace_is_looked_for_in_its_own_index(planned):
    for statement, plan in planned(trace_id="order-1", status="Unknown", source="api", created_from=NOON):
        assert "history_by_trace" in plan, (statement, plan)


def test_a_record_is_found_without_its_payload_unless_it_is_wanted_whole(database, storage, template):
    record = records.waiting(database, template, payload=b'{"a":  1}')
    large = records.waiting(database, template, storage=storage, payload=b"[2]", large=True)

    with database.reading() as session:
        assert "payload" not in vars(history.find(session, record.id))
    for one, expected in ((record, b'{"a":  1}'), (large, b"[2]")):
        with database.reading() as session:
            whole = history.find(session, one.id, whole=True)
        assert history.payload(storage, whole) == expected


@pytest.mark.parametrize("record_id", ["nothing", "", "a\0b", "\ud800"])
def test_an_id_of_the_wrong_kind_is_not_found(database, record_id):
    with database.reading() as session, pytest.raises(NotFoundError, match="There is no history record"):
        history.find(session, record_id)


def test_a_payload_that_is_lost_is_said_to_be(database, storage, template):
    large = records.waiting(database, template, storage=storage, large=True)
    storage.delete(large.payload_key)

    with database.reading() as session:
        whole = history.find(session, large.id, whole=True)
    with pytest.raises(NotFoundError, match="no longer in storage"):
        history.payload(storage, whole)
