"""What goes with a history record, what keeps it, and who wins when both happen at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import orders
import pytest
import records
from locks import until_held_up
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from shared import history_removal, print_tasks, print_turns, renders, sweeps, templates, verification
from shared.database import now
from shared.exceptions import ConflictError, NotFoundError
from shared.identifiers import new_id
from shared.models import (
    Comparison,
    HistoryRecord,
    Preview,
    Printer,
    PrintTask,
    Render,
    RetiredObject,
    Template,
    Thumbnail,
)
from shared.print_tasks import Status
from shared.storage import StorageError

ROUNDS = 12


@pytest.fixture
def storage(filesystem_storage):
    return filesystem_storage


@pytest.fixture
def printer(database):
    with database.writing() as session:
        printer = Printer(id=new_id(), name="Warehouse 1", agent=True)
        session.add(printer)
    return printer


def count(database, model):
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(model))


def picture(database, storage, record):
    """Let a record's thumbnail be made."""
    key = f"thumbnails/{record.render_id}~1.png"
    storage.put(key, b"x", media_type="image/png", metadata={})
    with database.writing() as session:
        values = {"state": "succeeded", "attempt": 1, "blob_key": key}
        session.execute(update(Thumbnail).where(Thumbnail.render_id == record.render_id).values(**values))


def compared(database, storage, first, second):
    """Let two records be compared."""
    comparison_id = new_id()
    keys = {str(page): f"comparisons/{comparison_id}~1-{page}.png" for page in (1, 2)}
    for key in keys.values():
        storage.put(key, b"x", media_type="image/png", metadata={})
    with database.writing() as session:
        session.add(
            Comparison(
                id=comparison_id, trace_id="t", first_id=first.id, second_id=second.id, state="succeeded", overlays=keys
            )
        )


def sweep(database, storage):
    sweeps.sweep_retired(database, storage, older_than=-5)
    return sweeps.sweep_unkept(database, storage, older_than=-5)


def nothing_is_amiss(database, storage):
    lines = []
    found = verification.verify(database, storage, grace=-5, contents=False, say=lines.append)
    return (found.orphans, found.missing) == (0, 0) or lines


def test_a_record_takes_everything_along_that_was_made_for_it(database, storage, template):
    record = records.done(database, storage, template, large=True)
    other = records.done(database, storage, template)
    for one in (record, other):
        picture(database, storage, one)
    compared(database, storage, record, other)
    compared(database, storage, other, record)
    assert len(list(storage.keys())) == 9

    assert history_removal.remove(database, storage, record.id) == record.trace_id

    assert records.row(database, record.id) is None
    assert records.row(database, other.id) is not None
    kept = [f"history/{other.render_id}.pdf", f"thumbnails/{other.render_id}~1.png"]
    assert sorted(storage.keys()) == kept
    assert (count(database, Comparison), count(database, Thumbnail), count(database, RetiredObject)) == (0, 1, 0)
    assert not orders.row(database, record.render_id).kept
    assert nothing_is_amiss(database, storage) is True
    assert sweep(database, storage) == 1
    assert orders.row(database, record.render_id) is None
    assert sorted(storage.keys()) == kept


def test_a_record_that_is_not_there_cannot_be_removed(database, storage, template):
    record = records.done(database, storage, template)
    history_removal.remove(database, storage, record.id)
    for record_id in (record.id, "nothing", "a\0b", "\ud800"):
        for remove in (history_removal.remove, history_removal.remove_print_tasks):
            with pytest.raises(NotFoundError, match="There is no history record"):
                remove(database, storage, record_id)


def test_a_record_with_print_tasks_cannot_be_removed(database, storage, template):
    record = records.done(database, storage, template)
    records.print_task(database, record, status="completed")
    with pytest.raises(ConflictError, match=rf"has 1 print task: remove it .*/{record.id}/delete-all"):
        history_removal.remove(database, storage, record.id)
    records.print_task(database, record)
    with pytest.raises(ConflictError, match="has 2 print tasks: remove them first, with DELETE /api/v1"):
        history_removal.remove(database, storage, record.id)

    assert records.row(database, record.id) is not None
    assert list(storage.keys()) == [record.blob_key]

    assert history_removal.remove_print_tasks(database, storage, record.id) == 2
    history_removal.remove(database, storage, record.id)
    assert list(storage.keys()) == []


def test_a_refused_removal_cancels_nothing(database, storage, template):
    record = records.waiting(database, template)
    records.print_task(database, record, held=True, due_at=None)

    with pytest.raises(ConflictError):
        history_removal.remove(database, storage, record.id)

    assert orders.row(database, record.render_id).state == "queued"


@pytest.mark.parametrize("running", [False, True], ids=["waits", "runs"])
def test_a_render_that_has_not_ended_is_cancelled(database, storage, template, running):
    record = records.waiting(database, template)
    with database.writing() as session:
        key = f"data/{record.render_id}.json"
        session.execute(update(Render).where(Render.id == record.render_id).values(data=None, data_key=key))
    storage.put(key, b"{}", media_type="application/json", metadata={})
    if running:
        orders.claimed(database, record.render_id)

    history_removal.remove(database, storage, record.id)

    left = orders.row(database, record.render_id)
    assert (left.state, left.kept) == ("cancelled", False)
    # One that is worked on still reads its data.
    assert list(storage.keys()) == ([key] if running else [])
    if running:
        storage.put(f"history/{record.render_id}.pdf", b"x", media_type="application/pdf", metadata={})
        with database.writing() as session:
            assert not renders.succeed(session, record.render_id, attempt=1, result=orders.result())
    assert sweep(database, storage) == 1
    assert list(storage.keys()) == []


def test_what_lost_attempts_stored_goes_with_the_sweep(database, storage, template):
    record = records.waiting(database, template)
    lost = orders.claimed(database, record.render_id)
    storage.put(f"history/{record.render_id}.pdf", b"x", media_type="application/pdf", metadata={})
    with database.writing() as session:
        renders.lose(session, lost, reason="killed", max_losses=3)
    records.finish(database, storage, record)
    assert len(list(storage.keys())) == 2

    history_removal.remove(database, storage, record.id)
    assert list(storage.keys()) == [f"history/{record.render_id}.pdf"]
    sweep(database, storage)
    assert list(storage.keys()) == []


def test_objects_that_cannot_go_now_go_with_the_sweep(database, storage, template):
    record = records.done(database, storage, template, large=True)
    picture(database, storage, record)
    before = sorted(storage.keys())

    class Away:
        def delete(self, key):
            raise StorageError("away")

    history_removal.remove(database, Away(), record.id)

    assert records.row(database, record.id) is None
    assert sorted(storage.keys()) == before
    # Nobody takes them for lost meanwhile.
    assert nothing_is_amiss(database, storage) is True
    sweep(database, storage)
    assert list(storage.keys()) == []
    assert count(database, RetiredObject) == count(database, Render) == 0


def test_a_picture_that_is_being_made_is_looked_for_later(database, storage, template):
    record = records.done(database, storage, template)
    with database.writing() as session:
        session.execute(update(Thumbnail).values(state="running", attempt=2))

    history_removal.remove(database, storage, record.id)
    # Stored by somebody who was then killed.
    storage.put(f"thumbnails/{record.render_id}~2.png", b"x", media_type="image/png", metadata={})

    sweep(database, storage)
    assert list(storage.keys()) == []


def test_all_print_tasks_of_a_record_go_but_not_while_one_is_printed(database, storage, template):
    record, other = (records.done(database, storage, template) for _ in range(2))
    elsewhere = records.print_task(database, other)
    for status in print_tasks.ENDED:
        records.print_task(database, record, status=status, due_at=None)
    records.print_task(database, record)
    records.print_task(database, record, lease_until=now(-1))
    printing = [
        records.print_task(database, record, status="sent"),
        records.print_task(database, record, status="printing", printer_name="Office"),
        records.print_task(database, record, lease_until=now(60)),
    ]

    with pytest.raises(ConflictError, match="Nothing was removed") as refused:
        history_removal.remove_print_tasks(database, storage, record.id)
    for task, said in zip(printing, ("sent, 'Warehouse 1'", "printing, 'Office'", "pending, "), strict=True):
        assert f"{task.id} ({said}" in refused.value.message
    assert "Wait for its end, or cancel it" in refused.value.message
    assert count(database, PrintTask) == 10

    with database.writing() as session:
        of_those = PrintTask.id.in_([one.id for one in printing])
        session.execute(update(PrintTask).where(of_those).values(status="completed", lease_until=None))
    assert history_removal.remove_print_tasks(database, storage, record.id) == 9
    assert history_removal.remove_print_tasks(database, storage, record.id) == 0
    with database.reading() as session:
        assert session.scalars(select(PrintTask.id)).all() == [elsewhere.id]


def test_when_a_held_print_task_is_removed_the_render_goes_on_and_nothing_is_printed(database, storage, template):
    record = records.waiting(database, template)
    records.print_task(database, record, held=True, due_at=None)

    assert history_removal.remove_print_tasks(database, storage, record.id) == 1
    records.finish(database, storage, record)

    assert count(database, PrintTask) == 0
    done = records.row(database, record.id)
    assert (done.status, done.response["data"]["printTaskId"]) == ("Ok", None)


def test_a_print_tasks_own_object_goes_with_it(database, storage, template):
    record = records.done(database, storage, template)
    storage.put("prints/x.pdf", b"x", media_type="application/pdf", metadata={})
    records.print_task(database, record, blob_key="prints/x.pdf")

    history_removal.remove_print_tasks(database, storage, record.id)

    assert list(storage.keys()) == [record.blob_key]
    assert count(database, RetiredObject) == 0


def test_a_template_stays_as_long_as_a_record_is_of_it(database, storage, template):
    kept = [records.done(database, storage, template) for _ in range(2)]

    def remove():
        with database.writing() as session:
            templates.remove(session, template.id)

    with pytest.raises(ConflictError, match="has 2 history records: remove them first, each with DELETE /api/v1/rep"):
        remove()
    history_removal.remove(database, storage, kept[0].id)
    with pytest.raises(ConflictError, match="has 1 history record: remove it first"):
        remove()
    history_removal.remove(database, storage, kept[1].id)
    remove()

    assert count(database, Template) == 0
    assert sweep(database, storage) == 2
    assert sweeps.sweep_template_versions(database) == 1


def test_a_template_takes_its_preview_along(database, storage, template):
    render_id = orders.submitted(database, template_version_id=template.version_id, kept=True, followed=True)
    with database.writing() as session:
        session.add(
            Preview(template_id=template.id, template_version_id=template.version_id, render_id=render_id)
        )  # fmt: skip

    with database.writing() as session:
        templates.remove(session, template.id)

    assert count(database, Preview) == 0
    assert sweep(database, storage) == 1
    assert count(database, Render) == 0


def together(*actions):
    """Do all at the same moment, and return what each returned or raised."""
    begin = threading.Barrier(len(actions))

    def run(action):
        begin.wait()
        try:
            return action()
        except (ConflictError, NotFoundError) as error:
            return error

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(run, actions))


def reprint(database, printer, record):
    def write():
        with database.writing() as session:
            return print_tasks.create(
                session, task_id=new_id(), printer=printer, file_name="x.pdf", number_of_copies=1, options=None,
                trace_id="t", record=record, held=False, source="api", created_by=None,
            )  # fmt: skip

    return write


def refused(outcome):
    return isinstance(outcome, ConflictError | NotFoundError)


def test_of_a_reprint_and_a_removal_at_the_same_moment_one_is_refused(database, storage, template, printer):
    for _ in range(ROUNDS):
        record = records.done(database, storage, template)

        made, removed = together(
            reprint(database, printer, record), lambda: history_removal.remove(database, storage, record.id)  # noqa: B023  # Called at once.
        )  # fmt: skip

        assert refused(made) != refused(removed), (made, removed)
        with database.reading() as session:
            tasks = session.scalars(select(PrintTask).where(PrintTask.history_record_id == record.id)).all()
        there = records.row(database, record.id) is not None
        assert (there, len(tasks)) == ((False, 0) if refused(made) else (True, 1))


def test_a_removal_waits_for_a_reprint_that_came_first_and_is_refused(database, storage, template, printer):
    record = records.done(database, storage, template)
    outcome = []
    removal = threading.Thread(
        target=lambda: outcome.extend(together(lambda: history_removal.remove(database, storage, record.id)))
    )
    with database.writing() as session:
        print_tasks.create(
            session, task_id=new_id(), printer=printer, file_name="x.pdf", number_of_copies=1, options=None,
            trace_id="t", record=record, held=False, source="api", created_by=None,
        )  # fmt: skip
        removal.start()
        until_held_up(database)
    removal.join()

    assert isinstance(outcome[0], ConflictError)
    assert records.row(database, record.id) is not None


def test_even_who_asks_for_no_lock_cannot_make_a_print_task_of_a_record_that_goes(database, storage, template):
    for _ in range(ROUNDS):
        record = records.done(database, storage, template)

        def insert():
            try:
                return records.print_task(database, record)  # noqa: B023  # Called at once.
            except IntegrityError as error:
                raise ConflictError("the foreign key") from error

        made, removed = together(insert, lambda: history_removal.remove(database, storage, record.id))  # noqa: B023

        assert refused(made) != refused(removed), (made, removed)


def test_of_two_removals_at_the_same_moment_one_finds_nothing(database, storage, template):
    for _ in range(ROUNDS):
        record = records.done(database, storage, template, large=True)
        remove = lambda: history_removal.remove(database, storage, record.id)  # noqa: B023, E731  # Called at once.

        outcomes = together(remove, remove)

        assert sum(isinstance(one, NotFoundError) for one in outcomes) == 1
    assert list(storage.keys()) == []


def test_a_removal_and_the_renders_end_at_the_same_moment_leave_nothing(database, storage, template):
    for _ in range(ROUNDS):
        record = records.waiting(database, template, storage=storage, large=True)
        claimed = orders.claimed(database, record.render_id)
        key = f"history/{record.render_id}.pdf"
        storage.put(key, b"x", media_type="application/pdf", metadata={})

        def finish():
            with database.writing() as session:
                result = orders.result(blob_key=key, media_type="application/pdf")  # noqa: B023  # Called at once.
                return renders.succeed(session, record.render_id, attempt=claimed.attempt, result=result)  # noqa: B023

        _, removed = together(finish, lambda: history_removal.remove(database, storage, record.id))  # noqa: B023

        assert not refused(removed)
        assert records.row(database, record.id) is None
    sweep(database, storage)
    assert list(storage.keys()) == []
    assert count(database, Render) == count(database, Thumbnail) == count(database, HistoryRecord) == 0


def test_a_task_that_is_taken_while_all_are_removed_is_printed_or_gone(database, storage, template):
    for _ in range(ROUNDS):
        record = records.done(database, storage, template)
        task = records.print_task(database, record)

        def take():
            with database.writing() as session:
                return print_turns.take(session, task.id, worker_id="w", seconds=60)  # noqa: B023  # Called at once.

        taken, removed = together(take, lambda: history_removal.remove_print_tasks(database, storage, record.id))  # noqa: B023

        assert (taken is None) != refused(removed), (taken, removed)
        with database.reading() as session:
            left = session.get(PrintTask, task.id)
        assert (left is None) == (taken is None)
        assert left is None or left.status == Status.PENDING


def test_of_a_new_record_and_its_templates_removal_at_the_same_moment_one_is_refused(database, storage):
    for number in range(ROUNDS):
        fields = templates.TemplateFields(
            name=f"t {number}", content="", engine="none", recipe="html", sample_data=None
        )  # fmt: skip
        with database.writing() as session:
            template = templates.create(session, fields)

        def record():
            try:
                return records.waiting(database, template)  # noqa: B023  # Called at once.
            except IntegrityError as error:
                raise ConflictError("the foreign key") from error

        def remove():
            with database.writing() as session:
                templates.remove(session, template.id)  # noqa: B023  # As above.

        made, removed = together(record, remove)

        assert refused(made) != refused(removed), (made, removed)
