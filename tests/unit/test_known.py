"""Values that are read again now and then, and the threads that do not wait for it."""

from __future__ import annotations

import threading

import pytest

from api.known import Known
from api.threads import Threads

WAIT_SECONDS = 30


def test_a_value_is_read_again_when_it_is_too_old():
    now, read = [0.0], []
    known = Known(lambda: read.append(None) or len(read), seconds=1, clock=lambda: now[0])

    values = [known.get(), known.get()]
    now[0] = 1.5
    values.append(known.get())

    assert values == [1, 1, 2]


def test_while_one_reads_again_the_others_go_by_what_is_known():
    now, value, go_on, reading = [0.0], ["old"], threading.Event(), threading.Event()

    def read():
        if value[0] == "new":
            reading.set()
            assert go_on.wait(WAIT_SECONDS)
        return value[0]

    known = Known(read, seconds=1, clock=lambda: now[0])
    known.get()
    now[0], value[0] = 2, "new"
    thread = threading.Thread(target=known.get)
    thread.start()
    assert reading.wait(WAIT_SECONDS)

    meanwhile = known.get()
    go_on.set()
    thread.join()

    assert (meanwhile, known.get()) == ("old", "new")


def test_what_cannot_be_read_is_tried_again_by_the_next():
    now, working = [0.0], [True]

    def read():
        if not working[0]:
            raise LookupError
        return "read"

    known = Known(read, seconds=1, clock=lambda: now[0])
    known.get()
    now[0], working[0] = 2, False
    for _ in range(2):
        with pytest.raises(LookupError):
            known.get()
    working[0] = True
    assert known.get() == "read"


def test_a_request_is_counted_until_its_last_byte_is_sent_or_it_breaks():
    threads = Threads(8)

    def app(environ, _):
        if environ:
            raise LookupError
        return [b"x"]

    counting = threads.counting(app)
    answers = [counting({}, None) for _ in range(7)]
    assert threads.few_left
    with pytest.raises(LookupError):
        counting({"broken": True}, None)
    answers[0].close()

    assert not threads.few_left
