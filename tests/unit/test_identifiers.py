from __future__ import annotations

import uuid

import pytest

from shared.identifiers import accepted_trace_id, new_id, new_shortid, new_trace_id

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_ids_are_uuids_of_version_7_in_the_order_of_their_making():
    made = [new_id() for _ in range(100)]

    assert {uuid.UUID(one).version for one in made} == {7}
    assert made == sorted(made)


def test_short_ids_need_no_escaping_in_a_url():
    assert all(new_shortid().isalnum() for _ in range(100))


def test_a_made_trace_id_is_accepted_when_it_comes_back():
    trace_id = new_trace_id()

    assert accepted_trace_id(traceparent=None, x_trace_id=trace_id) == trace_id
    assert accepted_trace_id(traceparent=f"00-{trace_id}-00f067aa0ba902b7-01", x_trace_id=None) == trace_id


def test_x_trace_id_wins_over_traceparent():
    assert accepted_trace_id(traceparent=f"00-{TRACE}-00f067aa0ba902b7-01", x_trace_id="order-7") == "order-7"


@pytest.mark.parametrize("text", ["", "a b", "a\nb", "-a", "x" * 65, "ä", "'; drop table", "../x"])
def test_a_malformed_x_trace_id_is_passed_over(text):
    assert accepted_trace_id(traceparent=None, x_trace_id=text) is None


@pytest.mark.parametrize(
    "text",
    ["", "00", f"00-{TRACE}", f"00-{TRACE.upper()}-00f067aa0ba902b7-01", f"00-{'0' * 32}-00f067aa0ba902b7-01", "x" * 9],
)
def test_a_malformed_traceparent_is_passed_over(text):
    assert accepted_trace_id(traceparent=text, x_trace_id=None) is None
