"""Batches: accepted whole or not at all, handed out as others end, and every item made once, whoever is killed."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace

import pytest
from sqlalchemy import event, func, select, update

from shared import (
    batch_feeding,
    batch_sources,
    batches,
    printers,
    renders,
    sweeps,
    template_saves,
    templates,
    verification,
)
from shared.batches import BatchOrder, BatchRequest, State
from shared.exceptions import ConflictError, InvalidRequestError, NotFoundError, TooLargeError
from shared.models import Batch, BatchSlice, PrintTask, Render, Report, RetiredObject
from shared.printers import PrinterFields
from shared.render_keys import blob_key
from shared.render_values import Claimant, Result
from shared.settings import load_settings
from shared.storage import StorageError
from shared.submissions import TemplateChoice
from shared.templates import TemplateFields
from workers import batching
from workers.batching import BatchKeeper

TRACE = "b" * 32
ME = Claimant("w", 1, 5)
PDF = b"%PDF-1.7 of "


@pytest.fixture
def farm(database, filesystem_storage, settings, monkeypatch):
    # Whoever counts has all the time of the test.
    monkeypatch.setattr(batching, "COUNTING_SHARE", 1e9)
    return Farm(database, filesystem_storage, settings)


class Farm:
    def __init__(self, database, storage, settings):
        self.database, self.storage, self.settings = database, storage, settings
        self.published, self.rung = [], []
        self.stops = False
        self.keeper = self.new_keeper()
        fields = TemplateFields(name="invoice", content="v1", engine="jinja", recipe="plutoprint-pdf", sample_data=None)
        self.template = template_saves.save_new(database, fields, trace_id=TRACE).template

    def new_keeper(self):
        return BatchKeeper(
            settings=self.settings,
            database=self.database,
            storage=self.storage,
            publish=lambda wake: self.published.append(wake) or True,
            ring=lambda errand: self.rung.append(errand) or True,
            is_told_to_go=lambda: self.stops,
        )

    def send(self, items, **changes) -> str:
        order = {"trace_id": TRACE, "template": TemplateChoice(name="invoice")} | changes
        if order["template"] is not None:
            items = batch_sources.of_values(items)
        batch = batches.accept(self.database, self.storage, self.settings, BatchOrder(**order), items, recipe_states={})
        return batch.id

    def keep(self, times=1):
        """Let the keeper look after all batches."""
        for _ in range(times):
            with self.database.reading() as session:
                found = batches.under_way(session)
            for batch in found:
                self.keeper._see_to(batch)  # One look of its loop.

    def work(self, most=10_000, *, fails=lambda data: False):
        """Make what waits, as workers do, and return the data of what was made."""
        made = []
        while len(made) < most:
            with self.database.writing() as session:
                claimed = renders.claim_next(session, ["render.bulk"], ME)
            if claimed is None:
                return made
            text = claimed.data or self.storage.get(claimed.data_key).decode()
            made.append(json.loads(text))
            with self.database.writing() as session:
                if fails(made[-1]):
                    renders.fail(
                        session, claimed.id, attempt=claimed.attempt, cause=renders.Cause.DATA, error="no", line=3
                    )
                    continue
            content = PDF + text.encode()
            key = blob_key(claimed.blob_stem, attempt=claimed.attempt, extension="pdf")
            self.storage.put(key, content, media_type="application/pdf", metadata={})
            result = Result(
                blob_key=key, media_type="application/pdf", extension="pdf", size=len(content),
                sha256=hashlib.sha256(content).hexdigest(), pages=1, timings={}, warnings=(),
            )  # fmt: skip
            with self.database.writing() as session:
                assert renders.succeed(session, claimed.id, attempt=claimed.attempt, result=result)
        return made

    def batch(self, batch_id) -> Batch:
        with self.database.reading() as session:
            return batches.find(session, batch_id)

    def do(self, what, batch_id):
        with self.database.writing() as session:
            return what(session, batch_id)

    def entries(self, batch_id):
        return list(batch_feeding.walk(self.database, batch_id))

    def count(self, model, *conditions):
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(model).where(*conditions))

    def amiss(self):
        lines = []
        verification.verify(self.database, self.storage, grace=-5, contents=True, say=lines.append)
        return lines[:-1]


def numbered(count, first=1):
    return [{"number": number} for number in range(first, first + count)]


def test_every_item_becomes_a_report_in_its_order(farm):
    batch_id = farm.send(numbered(450), name="invoice-{{ number }}.pdf", expires_in=3600, public=True)
    assert farm.count(Render) == 0
    assert farm.amiss() == []

    made = []
    while farm.batch(batch_id).settled_at is None:
        farm.keep()
        made += farm.work()

    assert made == numbered(450)
    batch = farm.batch(batch_id)
    assert (batch.state, batch.total, batch.fed) == (State.COMPLETED, 450, 450)
    assert (batch.succeeded, batch.failed, batch.waiting) == (450, 0, 0)
    entries = farm.entries(batch_id)
    assert [(one.index, one.name) for one in entries] == [(n, f"invoice-{n}") for n in range(1, 451)]
    assert [farm.storage.get(one.blob_key)[len(PDF) :] for one in entries[:2]] == [b'{"number":1}', b'{"number":2}']
    assert entries[9].trace_id == f"{TRACE}-10"
    assert farm.count(Report, Report.public, Report.expires_at.is_not(None)) == 450
    assert farm.count(Report, Report.template_shortid == farm.template.shortid) == 450
    # Its items lie nowhere any more, and nothing else does that no row names.
    assert farm.count(BatchSlice) == farm.count(RetiredObject) == 0
    assert sum(1 for _ in farm.storage.keys("batches/")) == 0
    assert farm.amiss() == []


def test_only_some_seconds_work_is_handed_out_at_once(farm):
    batch_id = farm.send(numbered(2000))
    farm.keep()
    assert farm.count(Render) == batching.FEWEST_AHEAD
    farm.keep()
    assert farm.count(Render) == batching.FEWEST_AHEAD
    farm.work(most=10)
    farm.keep()
    assert farm.count(Render) == batching.FEWEST_AHEAD + batches.SLICE_ITEMS
    assert farm.batch(batch_id).fed == farm.count(Render)


def test_a_slice_costs_few_statements_however_many_items_it_has(farm):
    farm.send(numbered(batches.SLICE_ITEMS))
    batch = farm.batch(farm.send(numbered(batches.SLICE_ITEMS)))
    with farm.database.reading() as session:
        part = batch_feeding.next_slice(session, batch)
    statements, commits = [], []
    event.listen(farm.database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    event.listen(farm.database.engine, "commit", commits.append)
    wakes = batch_feeding.feed(farm.database, farm.storage, farm.settings, batch, part)
    assert len(wakes) == batches.SLICE_ITEMS
    assert len(statements) <= 10, statements
    assert len(commits) == 2


def test_two_who_feed_the_same_slice_make_it_once(farm):
    batch = farm.batch(farm.send(numbered(10)))
    with farm.database.reading() as session:
        part = batch_feeding.next_slice(session, batch)
    first = batch_feeding.feed(farm.database, farm.storage, farm.settings, batch, part)
    farm.storage.put(part.key, b"\n".join(b'{"number":1}' for _ in range(10)), media_type="x/y", metadata={})
    object.__setattr__(part, "sha256", None)
    part.size = None
    again = batch_feeding.feed(farm.database, farm.storage, farm.settings, batch, part)
    assert (len(first), len(again), farm.count(Render)) == (10, 0, 10)


def test_large_data_goes_to_storage_as_that_of_any_render(farm):
    # The settings' limit is 100 bytes.
    items = [{"number": 1, "text": "x" * 500}, {"number": 2}]
    batch_id = farm.send(items)
    farm.keep()
    assert farm.count(Render, Render.data_key.is_not(None)) == 1
    assert farm.work() == items
    farm.keep(3)
    assert farm.batch(batch_id).state == State.COMPLETED
    assert farm.amiss() == []


def test_requests_each_with_a_template_of_its_own(farm):
    requests = [
        BatchRequest(template=TemplateChoice(name="invoice"), data={"n": 1}, name="first"),
        BatchRequest(template=TemplateChoice(content="own {{ n }}", recipe="html"), data={"n": 2}, timeout=7),
        BatchRequest(template=TemplateChoice(shortid=farm.template.shortid), data={"n": 3}),
    ]
    batch_id = farm.send(requests, template=None)
    farm.keep()
    with farm.database.reading() as session:
        rows = session.scalars(select(Render).order_by(Render.batch_index)).all()
    assert [(one.content, one.recipe, one.timeout) for one in rows] == [
        (None, "plutoprint-pdf", 60),
        ("own {{ n }}", "html", 7),
        (None, "plutoprint-pdf", 60),
    ]
    assert [one.name for one in farm.entries(batch_id)] == ["first", "report-2", "invoice-3"]
    assert farm.work() == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_a_version_stays_for_as_long_as_a_batch_may_need_it(farm):
    farm.send([BatchRequest(template=TemplateChoice(name="invoice"), data={})], template=None)
    with farm.database.writing() as session:
        templates.remove(session, farm.template.id)
    sweeps.sweep_template_versions(farm.database)
    farm.keep()
    assert farm.work() == [{}]


@pytest.mark.parametrize(
    ("items", "changes", "error", "says"),
    [
        ([], {}, InvalidRequestError, "no items"),
        ([{"a": 1}, 2], {}, InvalidRequestError, r"items\[1\] is no object"),
        ([{"n": 1}, {}], {"name": "{{ n }}"}, InvalidRequestError, r"items\[1\] cannot be named: its data has no 'n'"),
        ([{}], {"name": "{{ n | upper }}"}, InvalidRequestError, "no filters"),
        ([{}], {"timeout": 1e6}, InvalidRequestError, "options.timeout"),
        ([{}], {"template": TemplateChoice(name="nobody")}, NotFoundError, "nobody"),
        ([{}], {"template": TemplateChoice(content="x")}, InvalidRequestError, "store it first"),
        (numbered(6), {}, TooLargeError, "more than 5 items"),
        (
            [
                BatchRequest(template=TemplateChoice(name="invoice"), data={}),
                BatchRequest(template=TemplateChoice(), data={}),
            ],
            {"template": None},
            InvalidRequestError,
            r"requests\[1\]: template names nothing",
        ),
        (
            [BatchRequest(template=TemplateChoice(name="nobody"), data={})],
            {"template": None},
            NotFoundError,
            r"requests\[0\]: There is no template",
        ),
    ],
)
def test_what_cannot_be_made_is_refused_as_a_whole(farm, items, changes, error, says):
    farm.settings = load_settings({"PRESSROOM_HOME": str(farm.settings.home), "PRESSROOM_BATCH_ITEMS": "5"})
    with pytest.raises(error, match=says):
        farm.send(items, **changes)
    assert farm.count(Batch) == farm.count(BatchSlice) == farm.count(RetiredObject) == 0
    assert list(farm.storage.keys()) == []


def test_nothing_is_left_of_a_batch_that_the_storage_does_not_take(farm, monkeypatch):
    put, seen = farm.storage.put, []

    def failing(key, *args, **options):
        seen.append(key)
        if len(seen) > 1:
            raise StorageError("the disk is full")
        return put(key, *args, **options)

    monkeypatch.setattr(farm.storage, "put", failing)
    with pytest.raises(StorageError):
        farm.send(numbered(500))
    assert len(seen) == 2
    assert farm.count(Batch) == farm.count(RetiredObject) == 0
    assert list(farm.storage.keys()) == []


def test_a_pause_hands_out_no_more_and_goes_on(farm):
    batch_id = farm.send(numbered(1000))
    farm.keep()
    farm.do(batches.pause, batch_id)
    handed_out = len(farm.work())
    farm.keep(3)
    batch = farm.batch(batch_id)
    assert handed_out == batching.FEWEST_AHEAD
    assert (batch.state, batch.fed, batch.succeeded, batch.waiting) == (State.PAUSED, handed_out, handed_out, 0)
    # Nobody looks after it for as long as it is paused.
    assert batch.settled_at is not None
    farm.do(batches.resume, batch_id)
    while farm.batch(batch_id).state == State.RUNNING:
        farm.keep()
        farm.work()
    assert farm.batch(batch_id).succeeded == 1000


def test_a_cancelled_batch_makes_no_more_and_keeps_what_is_made(farm):
    batch_id = farm.send(numbered(1000))
    farm.keep()
    farm.work(most=7)
    farm.do(batches.cancel, batch_id)
    farm.keep(2)
    batch = farm.batch(batch_id)
    assert (batch.state, batch.succeeded, batch.waiting) == (State.CANCELLED, 7, 0)
    assert batch.settled_at is not None
    assert farm.work() == []
    assert farm.count(BatchSlice) == 0
    assert [one.state for one in farm.entries(batch_id)].count("succeeded") == 7
    assert farm.amiss() == []


def test_a_retry_makes_the_failed_ones_of_the_newest_version_under_the_same_links(farm):
    batch_id = farm.send(numbered(300))
    while farm.batch(batch_id).settled_at is None:
        farm.keep()
        farm.work(fails=lambda data: data["number"] % 100 == 0)
    before = {one.index: one for one in farm.entries(batch_id)}
    batch = farm.batch(batch_id)
    assert (batch.state, batch.succeeded, batch.failed) == (State.COMPLETED, 297, 3)
    assert (before[100].error, before[100].error_line) == ("no", 3)
    with farm.database.writing() as session:
        template = templates.find_by_any(session, "invoice")
        fields = replace(templates.fields_of(template.version), content="v2")
        newest = templates.change(session, template.id, fields).version_id

    farm.do(batches.retry, batch_id)
    farm.keep()
    assert farm.work() == [{"number": 100}, {"number": 200}, {"number": 300}]
    farm.keep(4)

    batch = farm.batch(batch_id)
    assert (batch.state, batch.succeeded, batch.failed) == (State.COMPLETED, 300, 0)
    after = {one.index: one for one in farm.entries(batch_id)}
    assert [one.report_id for one in after.values()] == [one.report_id for one in before.values()]
    assert farm.count(Render, Render.template_version_id == newest) == 3
    # The failed attempts are nobody's, and go.
    sweeps.sweep_unkept(farm.database, farm.storage, older_than=-5)
    assert farm.count(Render) == 300
    assert farm.amiss() == []


@pytest.mark.parametrize(
    ("what", "states"),
    [
        (batches.pause, ["paused", "cancelled", "completed"]),
        (batches.resume, ["running", "cancelled", "completed"]),
        (batches.cancel, ["cancelled", "completed"]),
        (batches.want_merged, ["cancelled"]),
        (batches.retry, ["running", "completed"]),
    ],
)
def test_what_a_state_forbids_is_refused(farm, what, states):
    batch_id = farm.send(numbered(1))
    for state in states:
        with farm.database.writing() as session:
            session.execute(update(Batch).values(state=state))
        with pytest.raises(ConflictError, match=batch_id):
            farm.do(what, batch_id)


def test_nobody_has_an_unknown_batch(farm):
    for what in (batches.pause, batches.resume, batches.cancel, batches.retry, batches.want_merged, batches.remove):
        for unknown in ("nobody", "\0", "\ud800"):
            with pytest.raises(NotFoundError):
                farm.do(what, unknown)


def test_a_storage_that_is_away_is_waited_for_and_said(farm, monkeypatch):
    batch_id = farm.send(numbered(10))
    with monkeypatch.context() as away:
        away.setattr(farm.storage, "get", lambda *args, **options: (_ for _ in ()).throw(StorageError("away")))
        farm.keep()
    assert "The storage is waited for: away" in farm.batch(batch_id).error
    farm.keep()
    assert farm.batch(batch_id).error is None
    assert len(farm.work()) == 10


def test_who_takes_over_goes_on_where_the_other_stopped(farm):
    batch_id = farm.send(numbered(1000))
    farm.keep()
    farm.work(most=100)
    farm.keeper = farm.new_keeper()
    while farm.batch(batch_id).state == State.RUNNING:
        farm.keep()
        farm.work()
    assert farm.count(Render) == farm.count(Report) == 1000


def test_an_ended_batch_is_forgotten_with_the_last_of_its_reports(farm):
    batch_id = farm.send(numbered(2), expires_in=0.001)
    with pytest.raises(ConflictError, match="cancel it first"):
        farm.do(batches.remove, batch_id)
    while farm.batch(batch_id).settled_at is None:
        farm.keep()
        farm.work()
    assert sweeps.sweep_batches(farm.database, farm.storage, older_than=-5) == 0
    sweeps.sweep_reports(farm.database, farm.storage, older_than=None)
    assert sweeps.sweep_batches(farm.database, farm.storage, older_than=-5) == 1
    assert farm.count(Batch) == 0
    assert farm.amiss() == []


def test_a_carriage_return_within_an_item_ends_no_item(farm):
    lines = io.BytesIO(b'{"i":\r1}\r\n{"i":2,\r"j":[\r]}\n{"i":3}\r')
    order = BatchOrder(trace_id=TRACE, template=TemplateChoice(name="invoice"))
    items = batch_sources.items(lines, batch_sources.NDJSON, longest=100)
    batch = batches.accept(farm.database, farm.storage, farm.settings, order, items, recipe_states={})

    farm.keep()

    assert farm.work() == [{"i": 1}, {"i": 2, "j": []}, {"i": 3}]
    farm.keep()
    assert (farm.batch(batch.id).state, farm.batch(batch.id).succeeded) == (State.COMPLETED, 3)


def test_failures_are_counted_by_their_reason(farm, monkeypatch):
    batch_id = farm.send(numbered(12))
    farm.keep()
    farm.work(fails=lambda data: data["number"] > 5)
    with farm.database.writing() as session:
        session.execute(update(Render).where(Render.batch_index == 9).values(cause="timeout", error="late"))

    def reasons():
        with farm.database.reading() as session:
            return [
                (one.cause, one.error, one.line, one.count, one.first)
                for one in batch_feeding.reasons(session, batch_id)
            ]

    assert reasons() == [("data", "no", 3, 6, 6), ("timeout", "late", 3, 1, 9)]
    # Of a million failures, the first ones tell enough.
    monkeypatch.setattr(batch_feeding, "MOST_FAILED", 2)
    assert reasons() == [("data", "no", 3, 2, 6)]


def test_batches_are_found_by_template_trace_creator_and_name(farm):
    batch_id = farm.send(numbered(1), name="label-{{ number }}", created_by="token:shop")

    for search, found in (("INVOI", 1), ("bbbb", 1), ("shop", 1), ("label-", 1), ("%", 0), ("a_el", 0)):
        with farm.database.reading() as session:
            total, listed = batches.listing(session, state=None, search=search, limit=10, offset=0)
        assert (total, [one.id for one in listed]) == (found, [batch_id] * found), search


@pytest.fixture
def printer(farm):
    with farm.database.writing() as session:
        fields = PrinterFields(name="desk", uri=None, agent=True, location=None, is_default=False, verify_tls=True)
        return printers.create(session, fields, created_by=None)


def test_documents_are_printed_one_after_the_other_in_their_order(farm, printer):
    wish = {"printer_name": "desk", "number_of_copies": 2, "options": {}}
    batch_id = farm.send(numbered(5), printing=wish, name="{{ number }}")
    farm.keep()
    farm.work(fails=lambda data: data["number"] == 2)

    printed = []
    for _ in range(30):
        farm.keep()
        with farm.database.writing() as session:
            waiting = session.scalars(select(PrintTask).where(PrintTask.status == "pending")).all()
            assert len(waiting) <= 1
            for task in waiting:
                assert farm.storage.get(task.blob_key) == PDF + b'{"number":%d}' % task.batch_index
                printed.append((task.file_name, task.number_of_copies, task.source, task.trace_id))
                task.status = "sent"
    assert printed == [(f"{n}.pdf", 2, "batch", f"{TRACE}-{n}") for n in (1, 3, 4, 5)]
    batch = farm.batch(batch_id)
    assert (batch.state, batch.printed, batch.failed) == (State.COMPLETED, 5, 1)
    assert len(farm.rung) == 4

    # What is made in the end is printed in the end, and nothing twice.
    farm.do(batches.retry, batch_id)
    farm.keep()
    farm.work()
    for _ in range(10):
        farm.keep()
    with farm.database.reading() as session:
        assert session.scalars(select(PrintTask.batch_index).order_by(PrintTask.id)).all() == [1, 3, 4, 5, 2]
    assert farm.amiss() == []


def test_a_printer_that_is_gone_is_said(farm, printer):
    batch_id = farm.send(numbered(1), printing={"printer_name": "desk", "number_of_copies": 1, "options": {}})
    with farm.database.writing() as session:
        printers.remove(session, printers.find(session, printer.id, held=True))
    farm.keep()
    farm.work()
    farm.keep(2)
    batch = farm.batch(batch_id)
    assert batch.state == State.RUNNING
    assert "cannot be printed" in batch.error
    assert "desk" in batch.error
