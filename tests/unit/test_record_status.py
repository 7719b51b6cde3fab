"""What a record's status says of every answer that could be stored, also of those that this version never writes."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared import history
from shared.history import Promise
from shared.models import Render
from shared.record_status import Status, status_of
from shared.renders import Cause, State

TEXTS = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
# An envelope each of whose members may be as it should, be something else, or not be there.
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "success": st.booleans() | JSON,
        "errors": st.lists(TEXTS, max_size=3) | JSON,
        "data": st.dictionaries(TEXTS, JSON, max_size=3) | JSON,
        "meta": JSON,
        "status": st.integers(100, 599) | JSON,
    },
)
RESPONSES = JSON | ENVELOPES


@given(RESPONSES, st.booleans())
def test_every_answer_has_one_of_the_four_statuses(response, has_pdf):
    assert status_of(response, has_pdf=has_pdf) in list(Status)


@given(RESPONSES, st.booleans())
@example(response={"errors": [None], "success": True}, has_pdf=True)
def test_it_is_error_when_and_only_when_the_answer_names_errors(response, has_pdf):
    names_errors = (
        isinstance(response, dict) and isinstance(response.get("errors"), list) and len(response["errors"]) > 0
    )

    assert (status_of(response, has_pdf=has_pdf) == Status.ERROR) == names_errors


@given(RESPONSES)
@example({})
@example({"success": True, "errors": []})
def test_a_pdf_tells_ok_from_render_fail_and_nothing_else(response):
    without, with_pdf = (status_of(response, has_pdf=has_pdf) for has_pdf in (False, True))

    assert (without, with_pdf) == (Status.RENDER_FAIL, Status.OK) or without == with_pdf
    assert without != Status.OK
    assert with_pdf != Status.RENDER_FAIL


@given(RESPONSES, st.booleans())
@example(response=None, has_pdf=True)
@example(response=[], has_pdf=True)
@example(response={"errors": {}}, has_pdf=True)
@example(response={"errors": None}, has_pdf=True)
@example(response={"errors": "no"}, has_pdf=True)
@example(response={"errors": 0}, has_pdf=False)
@example(response={"success": False}, has_pdf=True)
@example(response={"success": 1}, has_pdf=True)
@example(response={"success": None, "errors": []}, has_pdf=False)
def test_it_is_unknown_when_and_only_when_the_answer_does_not_tell(response, has_pdf):
    tells = (
        isinstance(response, dict)
        and isinstance(response.get("errors", []), list)
        # Errors tell, whatever else is said; without any, success must not be denied.
        and (response.get("errors", []) != [] or response.get("success", True) is True)
    )

    assert (status_of(response, has_pdf=has_pdf) == Status.UNKNOWN) == (not tells)


@given(
    state=st.sampled_from([State.SUCCEEDED, State.FAILED, State.CANCELLED]),
    cause=st.none() | st.sampled_from(list(Cause)),
    error=st.none() | TEXTS,
    output_type=st.sampled_from(["base64", "url", "none"]),
    has_pdf=st.booleans(),
)
def test_the_answers_that_the_farm_stores_always_tell(state, cause, error, output_type, has_pdf):
    render = Render(trace_id="t", state=state, cause=cause, error=error, pages=1, warnings=["w"])

    response = history.answer_of(render, Promise(output_type=output_type, file_name="x.pdf"))

    expected = (Status.OK if has_pdf else Status.RENDER_FAIL) if state == State.SUCCEEDED else Status.ERROR
    assert status_of(response, has_pdf=has_pdf) == expected


@pytest.mark.parametrize(
    ("response", "has_pdf", "expected"),
    [
        ({"success": True, "errors": [], "data": {}}, True, "Ok"),
        ({"success": True, "data": {}}, False, "Render Fail"),
        ({"success": False, "errors": ["broken"]}, False, "Error"),
        ({"success": False, "errors": ["broken"]}, True, "Error"),
        (None, False, "Unknown"),
    ],
)
def test_the_words_are_those_of_jasperwho(response, has_pdf, expected):
    assert status_of(response, has_pdf=has_pdf) == expected
