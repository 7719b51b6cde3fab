"""A replay is the same request once more: with the version that was asked for, on its own record, and never printed."""

from __future__ import annotations

import json

import pytest
import records
from sqlalchemy import func, select

from shared import config_renders, replays, templates
from shared.exceptions import ConflictError, NotFoundError, UnprocessableError
from shared.models import HistoryRecord, PrintTask, TemplateVersion
from shared.replays import Version
from shared.templates import TemplateFields

FIRST = {
    "name": "label",
    "content": "<p>{{ code }}</p>",
    "engine": "jinja",
    "recipe": "plutoprint-pdf",
    "sample_data": None,
}
# With blanks where no writer of JSON leaves them, so that only the same bytes are the same.
PAYLOAD = (
    b'{ "outputType": "base64", "parameters": {"code": "PR-1"},  "data": [{"n": 1}], "createHistoryRecord": false,'
    b' "createPrintTask": true, "printerName": "gone", "numberOfCopies": 3 }'
)


@pytest.fixture
def template(database):
    with database.writing() as session:
        found = templates.create(session, TemplateFields(**FIRST))
        changed = {"content": "<b>{{ code }}</b>", "parameters": [{"name": "lot", "type": "string", "required": True}]}
        templates.change(session, found.id, TemplateFields(**FIRST | changed))
        return found


@pytest.fixture
def replay(database, filesystem_storage, settings):
    """Return what replays a record, and returns the new one."""

    def made(record_id, version=Version.SAME):
        wish = replays.replay_of(
            database,
            filesystem_storage,
            record_id,
            version=version,
            output_type="url",
            trace_id="r" * 32,
            report_url=lambda _render, record: f"http://farm/{record}/pdf",
            created_by="token:warehouse",
        )
        accepted = config_renders.submit(database, filesystem_storage, settings, wish, recipe_states={})
        with database.reading() as session:
            record = session.get_one(HistoryRecord, accepted.record.id)
            version = session.get_one(TemplateVersion, accepted.render.template_version_id)
            assert session.scalar(select(func.count()).select_from(PrintTask)) == 0
            return record, version, json.loads(accepted.render.data or filesystem_storage.get(accepted.render.data_key))

    return made


def test_a_replay_is_a_new_record_of_the_same_request_and_the_same_version(database, template, replay, settings):
    old = records.waiting(database, template, payload=PAYLOAD)
    new, version, data = replay(old.id)
    assert (new.replay_of, new.source, new.created_by, new.trace_id) == (old.id, "replay", "token:warehouse", "r" * 32)
    assert (new.id != old.id, new.render_id != old.render_id) == (True, True)
    assert (version.number, new.template_version, version.content) == (1, 1, FIRST["content"])
    assert (new.output_type, new.report_url) == ("url", f"http://farm/{new.id}/pdf")
    assert (data["code"], data["rows"]) == ("PR-1", [{"n": 1}])
    assert (new.payload, new.payload_key) == (None, f"payloads/{new.id}.json")
    assert settings.inline_data_bytes < len(PAYLOAD)


def test_a_payload_is_kept_to_the_byte_wherever_it_lies(database, template, replay, filesystem_storage):
    small, large = b'{  "data": {"a": 1.50} }', PAYLOAD
    for payload, in_storage in ((small, False), (small, True), (large, True)):
        old = records.waiting(database, template, storage=filesystem_storage, payload=payload, large=in_storage)
        new, *_ = replay(old.id)
        assert (filesystem_storage.get(new.payload_key) if new.payload_key else new.payload) == payload
        assert new.payload_key != old.payload_key or new.payload_key is None


def test_the_latest_version_is_rendered_when_its_parameters_allow_it(database, template, replay):
    fits = records.waiting(database, template, payload=b'{"parameters": {"lot": "7"}, "data": {"code": "x"}}')
    new, version, data = replay(fits.id, Version.LATEST)
    assert (version.number, new.template_version, data["lot"], data["code"]) == (2, 2, "7", "x")

    misfit = records.waiting(database, template, payload=PAYLOAD)
    with pytest.raises(UnprocessableError) as refused:
        replay(misfit.id, Version.LATEST)
    assert [field for field, _ in refused.value.problems] == ["parameters.lot", "parameters.code"]


def test_any_version_can_be_named_by_its_number(database, template, replay):
    old = records.waiting(database, template, payload=b'{"parameters": {"lot": "7"}}', template_version=1)
    _, version, _ = replay(old.id, 2)
    assert version.number == 2
    with pytest.raises(NotFoundError, match="version 3"):
        replay(old.id, 3)


def test_a_failed_render_can_be_replayed(database, template, replay):
    old = records.waiting(database, template, payload=b'{"data": null}')
    records.fail(database, old)
    new, _, data = replay(old.id)
    assert (new.status, data) == ("Unknown", {"parameters": {}, "rows": []})


def test_a_record_that_does_not_exist_cannot_be_replayed(replay):
    with pytest.raises(NotFoundError, match="nobody"):
        replay("nobody")


def test_a_request_that_is_gone_or_cannot_be_read_is_not_replayed(database, template, replay, filesystem_storage):
    gone = records.waiting(database, template, storage=filesystem_storage, payload=PAYLOAD, large=True)
    filesystem_storage.delete(gone.payload_key)
    with pytest.raises(ConflictError, match="no longer in storage: it cannot be replayed"):
        replay(gone.id)
    for payload, why in ((b"{", "is not JSON"), (b"[]", "no JSON object")):
        with pytest.raises(ConflictError, match=why):
            replay(records.waiting(database, template, payload=payload).id)
