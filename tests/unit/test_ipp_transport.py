"""Answers that take too long or are none, from devices that do as they like."""

from __future__ import annotations

import pytest
from printing import odd_printer

from shared.ipp import Printer, PrinterUnreachableError
from shared.ipp.encoding import Answer
from shared.ipp.errors import MOST_CHARACTERS
from shared.ipp.transport import Connector


def asked(uri, *, seconds=5.0) -> PrinterUnreachableError:
    with pytest.raises(PrinterUnreachableError) as raised:
        Connector(uri, verify_tls=True, answer_seconds=seconds).exchange(b"?")
    return raised.value


@pytest.mark.timeout(30)
@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", b"x"])
def test_a_printer_that_says_a_byte_now_and_then_is_not_listened_to_for_ever(answer):
    with odd_printer(answer, every=0.05) as uri:
        error = asked(uri, seconds=0.5)
    assert (error.message, error.sent) == ("timed out", True)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 500 Out\0of\x1b[31m paper\r\n\r\n", b"HTTP/1.1 500 " + b"x" * 9000])
def test_what_a_printer_says_of_an_error_can_be_kept_and_shown(answer):
    with odd_printer(answer) as uri:
        message = asked(uri).message
    assert message.isprintable()
    assert len(message) <= MOST_CHARACTERS
    assert message.startswith("It answers HTTP 500")


@pytest.mark.parametrize("number", ["abc", {"job": [1]}, -1, 0])
def test_a_job_whose_number_is_none_is_one_that_cannot_be_followed(number):
    printer = Printer("ipp://127.0.0.1:9/", verify_tls=True)
    with pytest.raises(PrinterUnreachableError, match="did not say its number"):
        printer._job_id(Answer(status=0, jobs=[{"job-id": [number]}]))
