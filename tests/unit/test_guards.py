"""A guard: a part that is away is asked by one caller at a time, and one that hangs is not waited for by everybody."""

from __future__ import annotations

import pytest

from shared.guards import Guard, GuardedStorage, NotAskedError, StorageNotAskedError
from shared.storage import CorruptObjectError, StorageError


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class BrokenError(Exception):
    pass


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def guard(clock):
    return Guard("storage", away_seconds=3, clock=clock)


def fail(guard):
    with pytest.raises(BrokenError), guard.asking((BrokenError,)):
        raise BrokenError


def ask(guard):
    with guard.asking((BrokenError,)):
        pass


def test_a_part_that_failed_is_not_asked_for_a_while_and_then_again(guard, clock):
    fail(guard)

    with pytest.raises(NotAskedError, match="storage is away"):
        ask(guard)
    clock.now += 3
    ask(guard)
    assert guard.away_for() is None
    ask(guard)


def test_only_one_caller_at_a_time_finds_out_whether_it_is_back(guard, clock):
    fail(guard)
    clock.now += 3

    with guard.asking((BrokenError,)):
        clock.now += 100
        with pytest.raises(NotAskedError):
            ask(guard)
    ask(guard)


def test_a_caller_who_is_interrupted_leaves_the_finding_out_to_the_next(guard, clock):
    fail(guard)
    clock.now += 3

    with pytest.raises(KeyboardInterrupt), guard.asking((BrokenError,)):
        raise KeyboardInterrupt

    assert guard.away_for() is not None
    ask(guard)
    assert guard.away_for() is None


def test_an_error_that_is_an_answer_is_no_failure(guard):
    with pytest.raises(FileNotFoundError), guard.asking((BrokenError,)):
        raise FileNotFoundError

    assert guard.away_for() is None


def test_the_first_failure_of_several_says_since_when_it_is_away(guard, clock):
    fail(guard)
    clock.now += 10
    fail(guard)
    clock.now += 5

    seconds, _ = guard.away_for()
    assert seconds == 15
    guard.worked()
    assert guard.away_for() is None


def test_without_a_time_to_leave_it_alone_everybody_may_ask_a_part_that_failed(clock):
    guard = Guard("database", clock=clock)
    fail(guard)

    ask(guard)


@pytest.mark.parametrize(("waited", "crowded", "refused"), [(5, True, True), (4, True, False), (5, False, False)])
def test_the_last_threads_do_not_wait_for_a_part_that_hangs(clock, waited, crowded, refused):
    guard = Guard("database", crowded=lambda: crowded, clock=clock)

    with guard.asking((BrokenError,)):
        clock.now += waited
        if refused:
            with pytest.raises(NotAskedError, match="hangs"):
                ask(guard)
        else:
            ask(guard)


def test_the_last_threads_do_not_wait_for_a_part_that_failed_lately(clock):
    guard = Guard("database", crowded=lambda: True, clock=clock)
    fail(guard)

    with pytest.raises(NotAskedError):
        ask(guard)
    clock.now += 10
    ask(guard)


class Store:
    def __init__(self):
        self.error = StorageError("connection refused")
        self.asked = 0

    def get(self, key, **_):
        self.asked += 1
        if self.error:
            raise self.error
        return key.encode()

    put = get

    def ping(self):
        if self.error:
            raise self.error


def test_a_guarded_store_that_is_away_is_not_asked_by_everybody(guard):
    store = Store()
    guarded = GuardedStorage(store, guard)

    with pytest.raises(StorageError, match="refused"):
        guarded.get("a")
    with pytest.raises(StorageNotAskedError):
        guarded.get("a")
    with pytest.raises(StorageNotAskedError):
        guarded.put("a", b"", media_type="text/html", metadata={})

    assert store.asked == 1


def test_a_store_that_answers_a_ping_is_asked_again_at_once(guard):
    store = Store()
    guarded = GuardedStorage(store, guard)
    with pytest.raises(StorageError):
        guarded.get("a")

    store.error = None
    guarded.ping()

    assert guarded.get("a") == b"a"


def test_a_store_that_answers_no_ping_is_away(guard):
    with pytest.raises(StorageError):
        GuardedStorage(Store(), guard).ping()

    assert guard.away_for() is not None


def test_a_store_that_answers_but_for_one_object_is_not_away(guard):
    store = Store()
    store.ping = lambda: None
    guarded = GuardedStorage(store, guard)

    with pytest.raises(StorageError, match="refused"):
        guarded.get("on a bad spot")

    assert guard.away_for() is None
    store.error = None
    assert guarded.get("a") == b"a"


def test_that_a_part_failed_long_ago_says_nothing(clock):
    guard = Guard("storage", away_seconds=3, clock=clock)
    fail(guard)
    clock.now += 50
    fail(guard)
    assert guard.away_for()[0] == 50

    clock.now += 14 * 3600
    assert guard.away_for() is None
    fail(guard)
    assert guard.away_for()[0] == 0


def test_a_store_that_hands_out_a_damaged_object_is_not_away(guard):
    store = Store()
    store.error = CorruptObjectError("a", expected="5 bytes", found="4 bytes")

    with pytest.raises(CorruptObjectError):
        GuardedStorage(store, guard).get("a")

    assert guard.away_for() is None
